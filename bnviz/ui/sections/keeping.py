"""Keeping the run of a page: at its end, when it is pinned, and when it is shared."""

from urllib.parse import urljoin
from weakref import WeakSet

import streamlit as st

from bnviz.engine.run import Run
from bnviz.findings.live import live_findings
from bnviz.findings.outcome import outcome
from bnviz.records.ghosts import Pin
from bnviz.records.history import History
from bnviz.records.kept_run import KeptRun
from bnviz.store.keeper import runs_are_kept
from bnviz.ui.components.browser_ids import visitor_id
from bnviz.ui.web.kept import keeper
from bnviz.ui.web.scripts import page_url

_kept: WeakSet[History] = WeakSet()  # of runs that were handed over; one that starts over has another


def keep_at_its_end(run: Run) -> None:
    """Have a run kept when it has reached its end, whether anybody looks or not."""
    visitor = visitor_id()
    if visitor is None or not runs_are_kept():
        return
    run.at_end = lambda: _keep(run, visitor)
    if run.status.state == "finished" and run.history not in _kept and not _is_as_it_was_kept(run):
        _keep(run, visitor)


def keep_pinned(kept: KeptRun, pin: Pin) -> None:
    """Keep a run as it was just pinned; it stays when room is needed."""
    if (visitor := visitor_id()) is not None and runs_are_kept():
        _hand_over(kept, pin.kept_as, visitor, pinned=True)


def share_run(run: Run) -> None:
    """Draw the button that keeps the run as it is, and its address for others."""
    if not runs_are_kept():
        return
    if st.button("This run: make a permalink", key="permalink", icon=":material/link:"):
        visitor = visitor_id()
        shared = _keep(run, visitor) if visitor else None
        st.session_state["shared_run"] = shared
    if shared := st.session_state.get("shared_run"):
        st.code(urljoin(st.context.url or "", page_url(f"runs?id={shared}")), language=None)
        st.caption("Whoever opens it sees every chart as it is now, and may copy the run; nobody controls yours.")
    if problem := keeper().problem:
        st.warning(f"Runs are not kept: {problem}", icon=":material/warning:")


def _is_as_it_was_kept(run: Run) -> bool:
    """Whether a run that was opened from the store has not been trained any further."""
    latest, opened = run.view().latest, run.opened
    return opened is not None and (
        latest is None or opened.view.latest is None or latest.tick == opened.view.latest.tick
    )


def _keep(run: Run, visitor: str) -> str | None:
    """Hand a run over to be kept. Returns its id; None if it cannot be kept at this moment."""
    if (kept := run.kept()) is None:
        return None
    _kept.add(run.history)
    _hand_over(kept, run.history.kept_as, visitor)
    return run.history.kept_as


def _hand_over(kept: KeptRun, run_id: str, visitor: str, *, pinned: bool = False) -> None:
    told = tuple(outcome(kept.view) or live_findings(kept.view))
    keeper().keep(run_id, kept.with_findings(told), visitor, pinned=pinned)

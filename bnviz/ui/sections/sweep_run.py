"""This tab's sweep: started, paused and cancelled, shown by live charts, saved as files."""

import math
from collections.abc import Callable
from concurrent.futures import CancelledError
from functools import partial
from html import escape
from threading import Thread
from typing import Any

import streamlit as st

from bnviz.engine.bell import Bell
from bnviz.engine.capacity import RefusedError
from bnviz.engine.cluster import Engine
from bnviz.engine.in_worker.sweep_actor import estimate
from bnviz.engine.sweeps import OVER, SweepRun, SweepStatus
from bnviz.experiment import sweep_addresses
from bnviz.experiment.sweep import Sweep
from bnviz.experiment.wording import clock, percent
from bnviz.export.sweep import to_csv, to_parquet
from bnviz.figures.style import Figure
from bnviz.findings.sweep import sweep_findings
from bnviz.records.sweep import SweepResults
from bnviz.ui import session, settings_table
from bnviz.ui.components.browser_ids import assign_tab_id, tab_id
from bnviz.ui.components.feed_reader import read_feed
from bnviz.ui.sections import sweep_form

_STATES = {"starting": "starting the workers …", "running": ""}  # the others in their own word
_RESULTS: tuple[tuple[str, Callable[[Sweep, SweepResults], str | bytes], str, str], ...] = (
    ("Results (CSV)", to_csv, "csv", "text/csv"),
    ("Results with curves (Parquet)", to_parquet, "parquet", "application/vnd.apache.parquet"),
)
_LIVE = '<div class="bnviz-status"></div><div class="bnviz-notice" role="status"></div>'


def current() -> SweepRun | None:
    """The sweep that this tab has started; stops the page if no engine answers."""
    tab = tab_id()
    presence = session.present()
    session.show_refusals(presence.labs.engine)
    run = session.find_sweep(tab)
    if run is None and presence.labs.gave_way(tab, "sweep"):
        st.toast("The server needed the place of your sweep while you were away. Start trains it again.")
    return run


def transport(run: SweepRun | None, sweep: Sweep | None) -> SweepStatus | None:
    """Start, pause and cancel. Returns the status that the buttons show."""
    status = run.status if run else None
    busy = status is not None and status.state not in (*OVER, "stopped")
    resumes = status is not None and status.state in ("paused", "stopped")
    with st.container(horizontal=True, key="sweep_transport", vertical_alignment="bottom"):
        st.button(
            "Start",
            key="sweep_start",
            type="primary",
            icon=":material/play_arrow:",
            on_click=_start,
            args=(sweep,),
            disabled=busy or sweep is None,
        )
        st.button(
            "Resume" if resumes else "Pause",
            key="sweep_pause",
            icon=":material/play_arrow:" if resumes else ":material/pause:",
            on_click=(run.resume if resumes else run.pause) if run else None,
            disabled=not (busy or resumes),
        )
        st.button(
            "Cancel",
            key="sweep_cancel",
            icon=":material/stop:",
            on_click=run.cancel if run else None,
            disabled=not (busy or resumes),
        )
        _files(run, sweep)
    return status


def _start(sweep: Sweep) -> None:
    tab, presence = tab_id(), session.present()
    try:
        owned, _ = presence.labs.start_sweep(tab, presence.owner, sweep)
    except RefusedError as error:
        settings_table.problems().append(str(error))
        return
    if owned != tab:
        assign_tab_id(owned)


def _files(run: SweepRun | None, sweep: Sweep | None) -> None:
    with st.popover("Share and export", icon=":material/share:"):
        st.caption("The address of this page holds the definition: copy it to share the sweep.")
        if sweep is not None:
            _definition("Definition (JSON)", sweep, "sweep_json")
        st.file_uploader("Open a definition (JSON)", "json", key="sweep_upload", on_change=_opened)
        if run is not None:
            if run.sweep != sweep:
                _definition("Definition of the results (JSON)", run.sweep, "sweep_json_results")
            for label, write, kind, mime in _RESULTS:
                content = partial(_written, run, write)
                st.download_button(label, content, f"sweep.{kind}", mime, key=f"sweep_{kind}", on_click="ignore")
            st.caption(
                "Each chart has a button that saves it as PNG. `python -m bnviz sweep` trains without a browser."
            )


def _definition(label: str, sweep: Sweep, key: str) -> None:
    text = sweep_addresses.to_json(sweep)
    st.download_button(label, text, "sweep.json", "application/json", key=key, on_click="ignore")


def _written(run: SweepRun, write: Callable[[Sweep, SweepResults], str | bytes]) -> str | bytes:
    """Write the file when it is asked for, of what has been found by then."""
    return write(run.sweep, run.found())


def _opened() -> None:
    if (file := st.session_state.get("sweep_upload")) is not None:
        try:
            sweep_form.load(sweep_addresses.from_json(file.getvalue()))
        except ValueError as error:
            settings_table.problems().append(f"{error} The definition stays as it is.")


# -- what moves -------------------------------------------------------------------------------------------------------


class Estimate:
    """How long a sweep would take, tried on a worker in the background."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep, self.known, self.moved = sweep, False, Bell()
        self.words = f"<span>{sweep.count:,} networks</span>"  # '40 networks, about 0:21 on 2 workers'
        Thread(target=self._try, args=[session.present().labs.engine], name="bnviz-estimate", daemon=True).start()

    def _try(self, engine: Engine) -> None:
        """Try in a thread of its own: an engine that lost its scheduler waits for another one."""
        try:
            seconds = engine.submit(estimate, self.sweep).result()
            count = max(len(engine.workers()), 1)
            workers = "1 worker" if count == 1 else f"{count} workers"
            self.words += f"<span>about {clock(max(seconds / count, 1))} on {workers}</span>"
        except CancelledError:
            pass
        except Exception as error:  # as where BNVIZ_DEVICE is wrong: the user must hear of it before pressing Start
            self.words += f"<span>{escape(str(error))}</span>"
        finally:
            self.known = True
            self.moved.ring()


def estimated(sweep: Sweep) -> Estimate:
    """Asked once for each definition."""
    found: Estimate | None = st.session_state.get("sweep_estimate")
    if found is None or found.sweep != sweep:
        found = st.session_state["sweep_estimate"] = Estimate(sweep)
    return found


def follow(
    run: SweepRun | None,
    shown: SweepStatus | None,
    expected: Estimate | None,
    draw: Callable[[Sweep, SweepResults], dict[str, Figure]],
) -> None:
    """Show the sweep, now and whenever it has found more; before there is one, how long it would take and no values."""

    def state() -> object:
        return run and (run.version, run.status.state, run.status.notice), expected is None or expected.known

    def news() -> dict[str, Any]:
        status = run.status if run else None
        waiting = expected.words if expected and (run is None or run.status.state in OVER) else ""
        if run is not None:
            figures = draw(run.sweep, run.found())
        elif expected is not None:
            figures = draw(expected.sweep, SweepResults.nothing(expected.sweep.count))
        else:
            figures = {}
        parts = {"bnviz-status": _status(run) if run else "", "bnviz-notice": escape(status.notice) if status else ""}
        if waiting and expected and (run is None or expected.sweep != run.sweep):
            parts["bnviz-status"] += f"<span>next:</span>{waiting}" if run else waiting
        told = sweep_findings(run.sweep, run.found()) if run else []
        parts["bnviz-findings"] = "".join(f"<li>{line}</li>" for line in told)  # on a page that has a place for them
        return {
            "html": parts,
            "figures": figures,
            "rerun": status is not None and shown is not None and status.state != shown.state,
        }

    presence = session.present()
    presence.feed.show(state, news, bells=tuple(each.moved for each in (run, expected) if each is not None))
    read_feed(presence.feed.token, _LIVE)


def _status(run: SweepRun) -> str:
    status, sweep = run.status, run.sweep
    diverged = int(run.found().diverged.sum())
    parts = [f"{sweep.count:,} networks", percent(status.progress, 0)]
    if status.state == "running":
        parts.append(f"{status.rate:,.0f} network-steps/s" if status.rate else "–")
        parts.append("– left" if math.isnan(status.left) else f"{clock(status.left)} left")
    if diverged:
        parts.append(f"{diverged} diverged")
    parts.append(_STATES.get(status.state, status.state))
    words = "".join(f"<span>{part}</span>" for part in parts if part)
    return f'{words}<progress max="1" value="{status.progress:.4f}" aria-label="Share of the sweep done"></progress>'

"""This tab's run: claimed at every rerun, driven by the transport bar, shown by live charts."""

import os
import time
import uuid
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

import streamlit as st

from bnviz.data import COUNTS
from bnviz.engine.cluster import SCHEDULER, Engine, EngineUnavailableError
from bnviz.engine.labs import Labs, Page, TooManyRunsError
from bnviz.engine.remote import WorkerLostError
from bnviz.engine.run import SPEEDS, Run, Status
from bnviz.experiment.config import Experiment
from bnviz.figures.style import Figure
from bnviz.findings import live as insights
from bnviz.records.frames import Frame
from bnviz.records.history import View
from bnviz.ui.components import live_plotly
from bnviz.ui.components.tab import assign_tab_id, tab_id
from bnviz.ui.web.feed import Feed
from bnviz.ui.web.server import labs, use_local_engine

SETTLE = 0.2  # seconds a rerun waits at most for what the user has just asked for
ANSWER = 10.0  # seconds to wait for an answer about a network
NOTICE = 15.0  # seconds a notice stays
_LIVE = (
    '<div class="bnviz-status"></div><div class="bnviz-notice" role="status"></div>'
    '<ul class="bnviz-findings" aria-label="Findings"></ul>'
)


@dataclass(frozen=True)
class _Presence:
    """One browser connection. Streamlit drops it, and calls leave, when the socket closes, if only for a moment."""

    labs: Labs
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    feed: Feed = field(default_factory=Feed)

    def leave(self) -> None:
        self.feed.close()
        self.labs.leave(self.owner)


@st.cache_resource(scope="session", show_spinner=False, on_release=lambda presence: presence.leave())
def _presence() -> _Presence:
    return _Presence(labs())


def present() -> _Presence:
    """This session at the engine; stops the page with a message where no engine answers."""
    try:
        presence = _presence()
    except EngineUnavailableError as error:
        st.error(str(error), icon=":material/cloud_off:")
        shared = os.environ.get(SCHEDULER)
        with st.container(horizontal=True):
            st.button("Try again", key="retry")
            if shared:
                st.button("Train on this machine", key="local_engine", on_click=use_local_engine)
        if shared:
            st.caption(f"{SCHEDULER} names a shared cluster. This machine's own workers serve until the app restarts.")
        st.stop()
    return presence


def show_refusals(engine: Engine) -> None:
    """Once a page."""
    for address, why in engine.refused.items():
        st.warning(f"The worker {address} is not used: {why}.", icon=":material/warning:")


def claim_run(tab: str, experiment: Experiment, page: Page = "live") -> Run:
    """This tab's run of a page; stops the page with a message where there can be none."""
    presence = present()
    show_refusals(presence.labs.engine)
    try:
        owned, run = presence.labs.claim(tab, presence.owner, experiment, page)
    except TooManyRunsError as error:
        st.error(str(error), icon=":material/cloud_off:")
        st.button("Try again", key="retry")
        st.stop()
    if owned != tab:
        assign_tab_id(owned)
        st.rerun()
    return run


def live_run(experiment: Experiment, keep_weights: bool, page: Page = "live") -> tuple[str, Run]:
    """This tab and its run of the live lab, told what the controls say; for the pages that show it.

    page: another one, whose own run of the same experiment measures more.
    """
    tab = tab_id()
    if tab is None:  # the browser answers within the blink of an eye, and the page runs again
        st.stop()
    run = claim_run(tab, experiment, page)
    if run.experiment != experiment:
        run.edit(experiment, keep_weights)
    return tab, run


def renew_run(tab: str, experiment: Experiment) -> None:
    presence = _presence()
    owned, _ = presence.labs.renew(tab, presence.owner, experiment)
    if owned != tab:
        assign_tab_id(owned)


def find_run(tab: str) -> Run | None:
    """This tab's run of the live lab, where it has been there; None also where no engine answers."""
    try:
        presence = _presence()
    except EngineUnavailableError:
        return None
    return presence.labs.find(tab, presence.owner)


def ask(run: Run, question: str, **arguments: Any) -> Any:
    """The run's answer about its networks as they are; None, with a sentence on the page, where there is none."""
    try:
        return run.inspect(question, **arguments).result(ANSWER)
    except ValueError as error:
        st.info(f"No answer: {error}", icon=":material/hourglass:")
        return None
    except (TimeoutError, CancelledError, WorkerLostError) as error:
        why = "takes its time" if isinstance(error, TimeoutError) else "has stopped"
        st.info(f"The worker {why}. Look again in a moment.", icon=":material/hourglass:")
        return None


def transport(run: Run, choose_seed: Callable[[int], None]) -> Status:
    """Play, step, reset, new seed and speed. Returns the status that the buttons show.

    The buttons have no help of their own: Streamlit doubles a button that has, for small screens.
    """
    _settle(run)
    # A reload finds the run at the speed it had. Fixed for the session: another default would be another widget.
    first = st.session_state.setdefault(
        "first_speed", next(name for name, speed in SPEEDS.items() if speed == run.speed)
    )
    status = run.status
    playing = status.state == "playing"

    # Not counted in the callback: Streamlit may call it twice.
    next_seed = (run.experiment.training.seed + 1) % 2**31

    with st.container(horizontal=True, key="transport", vertical_alignment="bottom"):
        st.button(
            "Pause" if playing else "Train",
            key="play",
            type="primary",
            icon=":material/pause:" if playing else ":material/play_arrow:",
            on_click=run.pause if playing else run.play,  # no toggle: Streamlit may call twice for one click
            disabled=status.state in ("finished", "failed"),
            width=110,
        )
        st.button(
            "Step",
            key="step",
            icon=":material/skip_next:",
            on_click=run.step,
            disabled=playing or status.state in ("finished", "failed"),
        )
        st.button("Reset", key="reset", icon=":material/replay:", on_click=run.reset)
        st.button(
            "New seed",
            key="new_seed",
            icon=":material/casino:",
            on_click=choose_seed,
            args=(next_seed,),
        )
        chosen = st.segmented_control(
            "Speed (steps a second)",
            list(SPEEDS),
            default=first,
            key="speed",
            required=True,
            help="From one step a second to as fast as it goes. Step trains on one batch. Reset goes back to the same "
            "initial weights; New seed draws others, and another order of the batches.",
        )
    speed = SPEEDS[chosen or first]
    if run.speed != speed:
        run.set_speed(speed)
    return status


def follow(
    run: Run,
    watched: Status,
    draw: Callable[[View, Frame], dict[str, Figure]],
    findings: Callable[[View], list[str]] = insights.findings,
    also: Callable[[], object] = lambda: None,
) -> None:
    """Show the run, now and whenever it moves; `watched` is its status in the rest of the page.

    `draw` gives figures by the key of their chart, `findings` sentences; they run in another thread and must not call
    Streamlit. `also` is what else they depend on, hashable.
    """

    def state() -> object:
        frame, status = run.view().latest, replace(run.status, busy=False)  # what is only on its way is no news
        return id(frame), frame and frame.seconds, status, _noticed(status), also()

    def news() -> dict[str, Any]:
        view, status = run.view(), run.status
        return {
            "html": {
                "bnviz-status": _status_line(view, status, COUNTS[run.data][0]),
                "bnviz-notice": _notice(view, status),
                "bnviz-findings": "".join(f"<li>{line}</li>" for line in findings(view)),
            },
            "figures": draw(view, view.latest) if view.latest is not None else {},
            "rerun": status.state != watched.state,  # buttons have other names
        }

    presence = _presence()
    presence.feed.show(state, news)
    live_plotly.follow(presence.feed.token, _LIVE)


def clock(seconds: float) -> str:
    """0:05, 12:00, 3:05:00"""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def pace(rate: float) -> str:
    """1,200 steps/s, 2.5 steps/s; of less than one: 4.0 s a step."""
    if 0 < rate < 1:
        return f"{1 / rate:.1f} s a step"
    return f"{rate:,.{0 if rate >= 10 else 1}f} steps/s" if rate else "– steps/s"


def _settle(run: Run) -> None:
    """Give what was just asked for a moment to happen, so that this very rerun shows it."""
    end = time.monotonic() + SETTLE
    while run.status.busy and time.monotonic() < end:
        time.sleep(0.005)


def _status_line(view: View, status: Status, train_digits: int) -> str:
    """Where the run is, in words that do not jump in width, and as a bar."""
    training = view.experiment.training
    step = status.step
    parts = [f"step {step:,}", f"epoch {step * training.batch_size / train_digits:.1f}"]
    if status.state == "playing":
        parts.append(pace(status.steps_per_second))
        left = clock((training.steps - step) / status.steps_per_second) if status.steps_per_second else "–"
        parts.append(f"{left} left")
    state = {
        "starting": "starting a worker …",
        "paused": "ready" if step == 0 else "paused",
        "playing": "a changed network is catching up" if status.catching_up else "",
        "finished": "finished" if step >= training.steps else "all networks diverged",
        "failed": "stopped",
        "closed": "closed",
    }[status.state]
    words = "".join(f"<span>{part}</span>" for part in [*parts, state] if part)
    return f'{words}<progress max="{training.steps}" value="{step}" aria-label="Steps done"></progress>'


def _noticed(status: Status) -> bool:
    return bool(status.notice) and (status.state == "failed" or time.monotonic() - status.noticed < NOTICE)


def _notice(view: View, status: Status) -> str:
    if _noticed(status):
        return escape(status.notice)
    return "" if view.latest else "A worker is starting. The untrained networks appear in a moment."

"""This browser tab's place at the engine: its connection, its feed of news, and its runs."""

import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import streamlit as st

from bnviz.engine.capacity import RefusedError
from bnviz.engine.cluster import SCHEDULER, Engine, EngineUnavailableError
from bnviz.engine.labs import Labs, Page, Place, SweepPlace
from bnviz.engine.run import Run
from bnviz.engine.sweeps import SweepRun
from bnviz.experiment.config import Experiment, Watch, replace
from bnviz.experiment.scenario import Scenario
from bnviz.experiment.settings import SHARED
from bnviz.records.kept_run import KeptRun
from bnviz.records.notes import RunNote, SweepNote
from bnviz.ui import settings_table
from bnviz.ui.components.browser_ids import assign_tab_id, tab_id
from bnviz.ui.web.feed import Feed
from bnviz.ui.web.kept import pins_of
from bnviz.ui.web.server import labs, noted, use_local_engine


@dataclass(frozen=True)
class Presence:
    """One browser connection. Streamlit drops it, and calls leave, when the socket closes, if only for a moment."""

    labs: Labs
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    feed: Feed = field(default_factory=Feed)

    def leave(self) -> None:
        self.feed.close()
        self.labs.leave(self.owner)


@st.cache_resource(scope="session", show_spinner=False, on_release=lambda presence: presence.leave())
def _connect() -> Presence:
    return Presence(labs())


def present() -> Presence:
    """Return this session's connection to the engine; stop the page with a message if no engine answers."""
    try:
        presence = _connect()
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
    """Warn of the workers that may not be used; once a page."""
    for address, why in engine.refused.items():
        st.warning(f"The worker {address} is not used: {why}.", icon=":material/warning:")


def claim_run(tab: str, experiment: Experiment, page: Page = "live") -> Run:
    """Return this tab's run of a page; stop the page with a message if there can be none."""
    before = _noted_run(tab, page)
    run = _owned(tab, lambda presence: presence.labs.claim(tab, presence.owner, experiment, page, before))
    return _with_pins(run, before)


def stage_run(tab: str, scenario: Scenario, watch: Watch | None) -> Run:
    """Return this tab's run of a chapter of the story; stop the page with a message if there can be none."""
    before = _noted_run(tab, "story")
    return _owned(tab, lambda presence: presence.labs.stage(tab, presence.owner, scenario, watch, before))


def find_sweep(tab: str, place: SweepPlace = "sweep") -> SweepRun | None:
    """Return this tab's sweep, also one that an earlier server had; None if there is none."""
    presence = present()
    before = noted(tab, place)
    if isinstance(before, SweepNote):
        with suppress(RefusedError):  # the next rerun finds it still noted
            presence.labs.go_on_with_sweep(tab, presence.owner, before, place)
    return presence.labs.find_sweep(tab, presence.owner, place)


def _noted_run(tab: str, place: Place) -> RunNote | None:
    present()
    before = noted(tab, place)
    return before if isinstance(before, RunNote) else None


def _with_pins(run: Run, before: RunNote | None) -> Run:
    if before is not None and before.pins and not run.pins:
        run.pins = pins_of(before)
    return run


def _owned(tab: str, claim: Callable[[Presence], tuple[str, Run]]) -> Run:
    presence = present()
    show_refusals(presence.labs.engine)
    try:
        owned, run = claim(presence)
    except RefusedError as error:
        st.error(str(error), icon=":material/cloud_off:")
        st.button("Try again", key="retry")
        st.stop()
    if owned != tab:
        assign_tab_id(owned)
        st.rerun()
    return run


def live_run(experiment: Experiment, keep_weights: bool, page: Page = "live") -> Run:
    """Return this tab's run of the live lab, told what the controls say; for the pages that show it.

    page: another page, whose own run of the same experiment measures more.
    """
    run = claim_run(tab_id(), experiment, page)
    if run.experiment != experiment:
        longer = only_lasts_longer(run.experiment, experiment)
        if keep_weights and not longer and run.status.state == "finished":
            experiment = _go_on_as_long_again(experiment)
        run.edit(experiment, keep_weights or longer)
    return run


def _go_on_as_long_again(experiment: Experiment) -> Experiment:
    """Return the experiment with twice its steps, which the controls and the address then say too."""
    steps = min(2 * experiment.training.steps, int(SHARED["steps"].high or 0))
    longer = replace(experiment, training=replace(experiment.training, steps=steps))
    settings_table.set_value("steps", steps)
    settings_table.write_address(longer)
    return longer


def only_lasts_longer(old: Experiment, new: Experiment) -> bool:
    """Whether more steps are all that was asked for: no reason to throw away those that are done."""
    longer = new.training.steps > old.training.steps
    return longer and replace(old, training=replace(old.training, steps=new.training.steps)) == new


def open_kept(tab: str, kept: KeptRun) -> None:
    """Exchange this tab's run for a copy of a kept one, which goes on where that was."""
    _owned(tab, lambda presence: presence.labs.open_kept(tab, presence.owner, kept))


def find_run(tab: str) -> Run | None:
    """Return this tab's run of the live lab; None if it has none, or if no engine answers."""
    try:
        presence = _connect()
    except EngineUnavailableError:
        return None
    before = _noted_run(tab, "live")
    if before is not None:
        with suppress(RefusedError):
            _with_pins(presence.labs.claim(tab, presence.owner, before.recipe.newest, noted=before)[1], before)
    return presence.labs.find(tab, presence.owner)

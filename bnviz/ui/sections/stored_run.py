"""A kept run on a page: every chart, as it was; to look at and to copy, never to control."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from html import escape

import streamlit as st

from bnviz.engine.bell import Bell
from bnviz.experiment.addresses import address_of
from bnviz.experiment.config import Experiment
from bnviz.export.run_file import to_bytes
from bnviz.records.frames import Frame
from bnviz.records.history import History, View
from bnviz.records.kept_run import KeptRun
from bnviz.records.live import Status
from bnviz.ui import session, settings_table
from bnviz.ui.news import publish
from bnviz.ui.sections.lab_charts import first_charts, more_charts
from bnviz.ui.sections.rewind import history_slider, rewound


@dataclass(frozen=True)
class StoredRun:
    """A run that stands still, as the parts of a page ask for it."""

    kept: KeptRun
    history: History
    moved: Bell = field(default_factory=Bell)

    @property
    def experiment(self) -> Experiment:
        return self.kept.view.experiment

    @property
    def status(self) -> Status:
        latest = self.kept.view.latest
        ended = latest is not None and latest.finished
        return Status("finished" if ended else "paused", latest.step if latest else 0, 0.0, False, False)

    def view(self) -> View:
        return self.kept.view

    def refresh_every(self, seconds: float) -> None:
        """Take no notice: nothing moves."""


def show_kept(run_id: str, kept: KeptRun, tab: str) -> None:
    """Draw a kept run with all charts of the live lab, its history and what may be done with a copy of it."""
    latest = kept.view.latest
    which = run_id, latest and _told(latest)  # an address may be kept anew, further on
    if st.session_state.get("stored_run", (None, None))[0] != which:
        st.session_state["stored_run"] = which, StoredRun(kept, History.of(kept.view, watch=kept.recipe.watch))
    known: StoredRun = st.session_state["stored_run"][1]
    with st.container(horizontal=True, key="stored_actions", vertical_alignment="center"):
        if st.button("Open in the live lab and go on from here", key="stored_open", type="primary"):
            _open_in_lab(kept, tab)
        if st.button("Copy its settings only", key="stored_copy"):
            settings_table.load(kept.recipe.newest)
            st.switch_page("pages/live_lab.py", query_params=address_of(kept.recipe.newest))
        st.download_button(
            "Save as a file (.bnviz)",
            lambda: to_bytes(kept),
            f"run-{run_id[:8]}.bnviz",
            "application/zip",
            key="stored_file",
            on_click="ignore",
        )
    past = rewound(known)
    first = first_charts(known.experiment)
    with st.container(key="scrubber_bar"):
        history_slider(past)
    place = st.container(key="stored_news")
    charts = more_charts(first, known.experiment)

    def seen_by_others(frame: Frame) -> tuple[tuple[object, ...], Hashable] | None:
        """Return what the charts follow from: by its words, because a run that nobody looks at need not stay here."""
        told = run_id, known.kept.recipe, known.kept.version, known.kept.findings, _told(frame)
        return ((), (*told, charts)) if past.step is None else None

    with place:
        publish(
            past, known.status, charts.figures, findings=lambda _: plain_findings(known.kept), shared=seen_by_others
        )


def _told(frame: Frame) -> Hashable:
    """Return what tells a frame of a run from others of it, also of one tick: it may have been looked at more since."""
    looked = ((v.tested, v.tested_on_all, *(bool(each.histograms) for each in v.layers)) for v in frame.variants)
    return frame.tick, frame.seconds, frame.finished, *looked


def plain_findings(kept: KeptRun) -> list[str]:
    """Return what is said of a run as HTML: the words may be a stranger's, of a file or another server."""
    return [escape(line) for line in kept.findings]


def _open_in_lab(kept: KeptRun, tab: str) -> None:
    session.open_kept(tab, kept)
    settings_table.load(kept.recipe.newest)
    st.switch_page("pages/live_lab.py", query_params=address_of(kept.recipe.newest))

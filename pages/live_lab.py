"""The live lab: the same network with and without batch normalization, learning side by side."""

from collections.abc import Hashable
from functools import partial

import streamlit as st

from bnviz.experiment.comparison import what_differs
from bnviz.figures.style import Figure
from bnviz.findings.live import live_findings
from bnviz.findings.next_steps import next_steps
from bnviz.findings.outcome import outcome
from bnviz.records.frames import Frame
from bnviz.records.history import View
from bnviz.ui import controls, page, session, settings_table
from bnviz.ui.news import FINDINGS, NOTICE, STATUS, publish
from bnviz.ui.sections import sharing
from bnviz.ui.sections.data_set import choose_data
from bnviz.ui.sections.keeping import keep_at_its_end, share_run
from bnviz.ui.sections.lab_charts import first_charts, more_charts
from bnviz.ui.sections.networks import network_bar, weights_are_kept
from bnviz.ui.sections.next_steps import next_step_buttons
from bnviz.ui.sections.pins import pin_button, pin_table
from bnviz.ui.sections.presenting import listen_to_keys, present_button
from bnviz.ui.sections.rewind import history_slider, rewound
from bnviz.ui.transport import transport

page.begin({"Skip to the controls": ".st-key-lab_bar", "Skip to the charts": ".st-key-heading_loss"})
experiment = controls.chosen_experiment()
first_screen = st.container(key="lab", gap=None)
with first_screen:
    with st.container(horizontal=True, key="lab_head", vertical_alignment="center", wrap=False):
        st.title(what_differs(experiment), anchor=False)
        with st.container(horizontal=True, key="lab_actions", width="content", wrap=False):
            present_button()
            pin_place = st.container(width="content")
            share = st.popover("Share", icon=":material/share:")
    page.show_problems()
    bar = st.container(horizontal=True, key="lab_bar", vertical_alignment="center", wrap=False)
    # Told before the controls are drawn: the charts need not wait for these.
    run = session.live_run(experiment, weights_are_kept())
    network_bar(experiment)
    keep_at_its_end(run)
    past = rewound(run)
    choose_data(run)
    with share:
        share_run(run)
        sharing.files(run)
    with pin_place:
        pin_button(run)
    with bar:
        shown_status = transport(run, partial(settings_table.set_value, "seed"))
        live_place = st.container(key="status")

    first = first_charts(experiment)
    with st.container(key="scrubber_bar"):
        history_slider(past)
    with st.container(horizontal=True, key="findings_bar", vertical_alignment="center", wrap=False):
        st.html(NOTICE + FINDINGS)
        next_step_buttons(next_steps(past.view()))
pin_table(run)
controls.sidebar()

charts = more_charts(first, experiment)


def make_figures(view: View, frame: Frame) -> dict[str, Figure]:
    """Return the figure of each chart, by the chart's key."""
    return charts.figures(view, frame, [*run.ghosts, *(ghost for pin in run.pins for ghost in pin.ghosts)])


def seen_by_others(frame: Frame) -> tuple[tuple[object, ...], Hashable] | None:
    """Return the film of the run and what its charts follow from, unless something on them is this visitor's own."""
    own = past.step is not None or run.ghosts or run.pins or charts.x == "seconds"
    if own or (film := run.film_at(frame)) is None:
        return None
    return (film, frame), (frame.tick, charts)


def what_happens(view: View) -> list[str]:
    """Return how the run ended and why, once it has, and until then the findings that hold now, a sentence each."""
    return outcome(view) or live_findings(view)


run.focus_on(charts.focus)
with live_place:
    publish(past, shown_status, make_figures, findings=what_happens, html=STATUS, shared=seen_by_others)
settings_table.drawn()
listen_to_keys()

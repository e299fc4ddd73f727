"""Sweep: a grid of networks learning at the same time, without and with batchnorm."""

from functools import partial

import streamlit as st

from bnviz import figures
from bnviz.experiment.sweep import Sweep
from bnviz.figures.style import Figure
from bnviz.records.frames import TEST_DIGITS, TRAINING_LOSS_STEPS
from bnviz.records.sweep import SweepResults
from bnviz.ui import page, settings_table
from bnviz.ui.components.live_chart import live_chart
from bnviz.ui.components.newest import last_click
from bnviz.ui.news import FINDINGS
from bnviz.ui.sections import sweep_form, sweep_run
from bnviz.ui.sections.sweep_example import show_sweep_example

page.begin()
st.title("Sweep")
st.markdown(
    "For which inits, learning rates, depths or batch sizes does batchnorm help, and where does it lose? Choose one or "
    "two settings to vary and watch the whole grid learn at the same time."
)
run = sweep_run.current()
sweep = sweep_form.definition()
page.show_problems()
shown = sweep_run.transport(run, sweep)
place = st.container(key="sweep_progress")
place.html(FINDINGS)

pictured = run.sweep if run else sweep
options = page.heading(
    "Results",
    f"Training loss: mean over the last {TRAINING_LOSS_STEPS} steps. Test loss and accuracy: on the first "
    f"{TEST_DIGITS:,} test digits in eval mode, measured now and then; at the end on all of them. A click opens the "
    "networks in the live lab.",
)
with options:
    metric = sweep_form.choose_metric()


def clicked(key: str) -> None:
    """Open the networks of a cell, or of a point of a line, in the live lab."""
    click = last_click(key)
    if run is not None and click and (at := figures.sweep_place(run.sweep, click.x, click.y)) is not None:
        settings_table.load(run.sweep.pair(at))
        st.session_state["sweep_opens"] = True


with st.container(key="chart_sweep"):
    if pictured is not None and pictured.kinds:
        by_x = partial(clicked, "chart_sweep_normalizers")
        live_chart("chart_sweep_normalizers", height=420, on_click=by_x, savable=True)
    elif pictured is not None and len(pictured.axes) == 2:
        charts = [f"chart_sweep_{panel}" for panel in figures.sweep_panels(pictured)]
        for column, key in zip(st.columns(len(charts)), charts, strict=True):
            with column:
                live_chart(key, height=400, on_click=partial(clicked, key), savable=True)
    elif pictured is not None:
        live_chart("chart_sweep_lines", height=420, on_click=partial(clicked, "chart_sweep_lines"), savable=True)


current = sweep_form.current_values(pictured) if pictured is not None else []


def make_figures(sweep: Sweep, found: SweepResults) -> dict[str, Figure]:
    """Return the figures of a sweep, by their charts' keys: lines over one axis, heat maps over two; a line for each
    normalizer, if they are swept over."""
    if sweep.kinds:
        beside = [value for axis, value in zip(sweep.axes, current, strict=True) if axis is sweep.other_axis]
        return {"chart_sweep_normalizers": figures.sweep_normalizers(sweep, found, metric, *beside)}
    if len(sweep.axes) == 1:
        return {"chart_sweep_lines": figures.sweep_lines(sweep, found, metric, *current)}
    return {
        f"chart_sweep_{panel}": figures.sweep_map(sweep, found, metric, panel, current)
        for panel in figures.sweep_panels(sweep)
    }


with place:
    sweep_run.follow(run, shown, sweep_run.estimated(sweep) if sweep else None, make_figures)
show_sweep_example()
settings_table.drawn()
if st.session_state.pop("sweep_opens", False):
    st.switch_page("pages/live_lab.py")

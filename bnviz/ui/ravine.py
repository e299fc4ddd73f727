"""The section on ravine and bowl: sliders, a start that is clicked, and three descents that follow at once."""

from functools import partial

import streamlit as st

from bnviz import ravine
from bnviz.figures import ravine as figures
from bnviz.figures.ravine import KEYS, SIDE
from bnviz.landscape_files import ravine_csv
from bnviz.ui.live_plotly import live_chart
from bnviz.ui.live_slider import live_slider, set_slider
from bnviz.ui.page import csv_button

START = (-1.5, 0.6)
FORMULAS = {
    "raw": r"L=\tfrac12\,\mathrm E\,(w^\top x-t)^2",
    "standardized": r"L=\tfrac12\,\mathrm E\,(w^\top u-t)^2",
    "batchnorm": r"L=\tfrac12\,\mathrm E\,(\mathrm{BN}(w^\top x)-t)^2",
}


def _start_at(key: str) -> None:
    if point := st.session_state[key].get("click"):
        for slider, value in zip(("ravine_w1", "ravine_w2"), (point["x"], point["y"]), strict=True):
            set_slider(slider, round(min(max(float(value), -SIDE), SIDE), 2))


@st.fragment
def ravine_and_bowl() -> None:
    """A fragment, so that a slider moves these charts alone."""
    with st.container(horizontal=True, key="ravine_settings"):
        with st.container(width=174):
            ratio = live_slider("Ratio of the scales", 1.0, 30.0, 5.0, key="ravine_ratio", log=True)
        with st.container(width=174):
            rate = live_slider("Learning rate η", 0.01, 3.0, 0.35, key="ravine_rate", log=True)
        with st.container(width=174):
            momentum = live_slider("Momentum", 0.0, 0.95, 0.0, key="ravine_momentum")
        with st.container(width=174):
            w1 = live_slider("Start w₁", -SIDE, SIDE, START[0], key="ravine_w1")
        with st.container(width=174):
            w2 = live_slider("Start w₂", -SIDE, SIDE, START[1], key="ravine_w2")
    descents = [ravine.descend(kind, ratio, rate, momentum, (w1, w2)) for kind in ravine.KINDS]
    for column, found in zip(st.columns(3), descents, strict=True):
        with column:
            key = KEYS[found.kind]
            live_chart(key, figures.plane(found, ratio, momentum, rate), on_click=partial(_start_at, key), savable=True)
            st.latex(FORMULAS[found.kind])
    live_chart("chart_ravine_loss", figures.losses(descents), savable=True)
    csv_button("ravine_csv", "ravine", lambda: ravine_csv(descents))

"""The section on ravine and bowl: sliders, a start that is clicked, and three descents that follow at once."""

from functools import partial

import streamlit as st

from bnviz import figures
from bnviz.export.landscape import ravine_csv
from bnviz.figures.ravine import CHART_KEYS, WEIGHT_REACH
from bnviz.figures.style import Figure
from bnviz.theory import ravine
from bnviz.theory.ravine import Descent
from bnviz.ui.components.live_chart import live_chart, unchanged
from bnviz.ui.components.live_slider import live_slider, set_slider
from bnviz.ui.components.newest import last_click
from bnviz.ui.page import csv_button
from bnviz.ui.stylesheet import use_stylesheet
from bnviz.ui.web.shortcut import Shortcut

# Label, lowest, highest and first value, and whether the slider is logarithmic; by its key.
SLIDERS = {
    "ravine_ratio": ("Ratio of the scales", 1.0, 16.0, 5.0, True),
    "ravine_rate": ("Learning rate η", 0.01, 3.0, 0.35, True),
    "ravine_momentum": ("Momentum", 0.0, 0.95, 0.0, False),
    "ravine_w1": ("Start w₁", -WEIGHT_REACH, WEIGHT_REACH, -1.5, False),
    "ravine_w2": ("Start w₂", -WEIGHT_REACH, WEIGHT_REACH, 0.6, False),
}
FORMULAS = {
    "raw": r"L=\tfrac12\,\mathrm E\,(w^\top x-t)^2",
    "standardized": r"L=\tfrac12\,\mathrm E\,(w^\top u-t)^2",
    "batchnorm": r"L=\tfrac12\,\mathrm E\,(\mathrm{BN}(w^\top x)-t)^2",
}
Values = dict[str, float]  # of the sliders, by key


@st.cache_resource(scope="session", show_spinner=False, on_release=Shortcut.close)
def _shortcut() -> Shortcut:
    return Shortcut()


def _start_at(key: str) -> None:
    if (click := last_click(key)) and click.place:
        sliders = ("ravine_w1", "ravine_w2")
        _shortcut().clicked(sliders, click.at)
        for slider, value in zip(sliders, click.place, strict=True):
            set_slider(slider, round(min(max(value, -WEIGHT_REACH), WEIGHT_REACH), 2))


def _descents(values: Values) -> list[Descent]:
    ratio, rate, momentum, w1, w2 = (values[key] for key in SLIDERS)
    return [ravine.descend(kind, ratio, rate, momentum, (w1, w2)) for kind in ravine.KINDS]


def _drawn(descents: list[Descent], values: Values, told: float = 0.0) -> dict[str, Figure]:
    """The four charts; those that a slider has already drawn are not drawn again when it rests. told: its last move."""
    ratio, rate, momentum, *_ = (values[key] for key in SLIDERS)
    charts = {CHART_KEYS[found.kind]: figures.ravine_contours(found, ratio, momentum, rate) for found in descents}
    charts["chart_ravine_loss"] = figures.ravine_losses(descents)
    return {key: unchanged(figure, sorted(values.items()), told) for key, figure in charts.items()}


def ahead(known: Values, moved: Values) -> dict[str, Figure]:
    """The charts with other values of some sliders, within their ends."""
    within = {key: min(max(moved[key], SLIDERS[key][1]), SLIDERS[key][2]) for key in SLIDERS if key in moved}
    values = known | within
    return _drawn(_descents(values), values)


def ravine_and_bowl() -> None:
    """Place the sliders and the charts."""
    use_stylesheet(__file__)
    _sliders_and_charts()


@st.fragment
def _sliders_and_charts() -> None:
    """A fragment, so that a slider moves these charts alone."""
    shortcut, values = _shortcut(), {}
    with st.container(horizontal=True, key="ravine_settings"):
        for slider, (label, low, high, first, log) in SLIDERS.items():
            with st.container(width=174):
                values[slider] = live_slider(label, low, high, first, key=slider, log=log, shortcut=shortcut)
    shortcut.answer(partial(ahead, values))
    descents = _descents(values)
    charts = _drawn(descents, values, shortcut.told)
    for column, found in zip(st.columns(3), descents, strict=True):
        with column:
            key = CHART_KEYS[found.kind]
            live_chart(key, charts[key], on_click=partial(_start_at, key), savable=True)
            st.latex(FORMULAS[found.kind])
    live_chart("chart_ravine_loss", charts["chart_ravine_loss"], savable=True)
    csv_button("ravine_csv", "ravine", lambda: ravine_csv(descents))

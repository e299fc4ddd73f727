"""Covariate shift: how the distributions inside the live lab's networks move while they train."""

from functools import partial
from typing import cast

import streamlit as st

from bnviz import figures
from bnviz.analysis import shift
from bnviz.analysis.gradient_shift import Measurements, measured_until, with_measurement
from bnviz.experiment.presets import PRESETS
from bnviz.figures.distributions import Kind
from bnviz.figures.shift import MEASURES
from bnviz.figures.style import Figure
from bnviz.findings.shift import shift_findings
from bnviz.records.answers import GradientShift
from bnviz.records.frames import PROBED, QUANTILES, Focus, Frame
from bnviz.records.history import View
from bnviz.records.questions import ShiftOfGradients
from bnviz.ui import controls, page, session, settings_table
from bnviz.ui.asking.repeated import LiveQuestion
from bnviz.ui.components.live_chart import live_chart
from bnviz.ui.news import publish
from bnviz.ui.sections.networks import network_bar, weights_are_kept
from bnviz.ui.sections.rewind import history_slider, rewound
from bnviz.ui.transport import transport

KINDS = {"ridges": "ridges", "overlay": "snapshots", "heat": "heat map"}
DEEP = PRESETS["deep"]
SINCE = {"start": "the first frame", "before": "the kept frame before"}

experiment = page.open_page("Covariate shift")
controls.sidebar()
network_bar(experiment)
run = session.live_run(experiment, weights_are_kept())
past = rewound(run)

st.markdown(
    "Every layer is fed by the layers before it. While they learn, the distribution of its inputs changes: Ioffe and "
    "Szegedy (2015, section 2) called this **internal covariate shift** and proposed batchnorm to reduce it. "
    "Santurkar et al. (2018, section 2.2) measured it another way, by gradients, and found no such reduction. Here is "
    "what the live lab's networks show."
)
with st.container(key="shallow"):
    if max(len(v.network.hidden) for v in experiment.variants) == 1:
        with st.container(horizontal=True, vertical_alignment="center", wrap=False):
            st.markdown(
                "These networks have **one hidden layer**: only the pixels come before it, and they never change, so "
                "no layer that learns moves its inputs. The question begins with two.",
                width="stretch",
            )
            st.button(f"Show {DEEP.title.lower()}", key="deepen", on_click=settings_table.load, args=(DEEP.experiment,))
shown_status = transport(run, partial(settings_table.set_value, "seed"))
live_place = st.container(key="status")
with st.container(key="scrubber_bar"):
    history_slider(past)

deepest = max(len(v.network.hidden) for v in experiment.variants)
if st.session_state.get("shift_layer", 1) > deepest:
    st.session_state["shift_layer"] = deepest

page.heading(
    "Distributions over the course of training",
    f"All neurons of the layer over {PROBED}, normalized with that batch's statistics, in the same bins for "
    "all moments and networks. A frame is kept every so many steps; the strong one is the moment that is shown.",
)
with st.container(horizontal=True, key="shift_settings", vertical_alignment="bottom"):
    layer = st.selectbox("Layer", range(1, deepest + 1), key="shift_layer", width=90) - 1
    widest = max(v.network.hidden[layer].units for v in experiment.variants if layer < len(v.network.hidden))
    if st.session_state.get("shift_unit", 1) > widest:
        st.session_state["shift_unit"] = widest
    place = st.selectbox("Distribution of the", list(shift.PLACES), format_func=shift.PLACES.__getitem__, width=230)
    kind = st.segmented_control(
        "Shown as", list(KINDS), format_func=KINDS.__getitem__, default="ridges", key="shift_kind", required=True
    )
    every = st.number_input(
        "Snapshot every (steps)", 1, 100_000, 200, 100, key="shift_every", disabled=kind != "overlay", width=180
    )
live_chart("chart_ridge", height=440)

left, right = st.columns(2, gap="large")
with left:
    options = page.heading(
        "Percentiles of one unit",
        "Figure 1 of Ioffe and Szegedy 2015: the 15th, 50th and 85th percentile of one unit's input to its activation "
        f"function, over {PROBED}, at every kept moment.",
    )
    unit = options.number_input("Unit", 1, widest, 1, key="shift_unit", width=130, label_visibility="collapsed") - 1
    live_chart("chart_percentiles", height=340)
    st.latex(r"P\left(x \le p_q\right) = \tfrac{q}{100}, \qquad q = 15,\ 50,\ 85")
    st.caption(
        "Level lines: the unit's inputs keep their distribution while all the layers before it learn. Drifting lines: "
        "whatever comes after this unit has to follow."
    )
with right:
    options = page.heading(
        "Shift of the distribution",
        "How far a layer's distribution is from its own earlier one, at every kept moment. Mean and variance are "
        f"exact; W₁ compares {QUANTILES} quantiles, each the mean of an equal part of the sorted values: a close lower "
        "bound.",
    )
    with options.popover("View", width="content"):
        measure = st.selectbox("Measure", list(MEASURES), format_func=lambda m: MEASURES[m][0], key="shift_measure")
        since = st.segmented_control(
            "Against", list(SINCE), format_func=SINCE.__getitem__, default="start", key="shift_since", required=True
        )
    live_chart("chart_shift", height=340)
    st.latex(r"W_1 = \int_0^1 \left| Q_t(p) - Q_0(p) \right| dp")
    st.caption(
        "Q: quantile function now and earlier. W₁ is how far a value has to move on average to make one "
        "distribution the other, in the values' own unit; divided by the earlier σ it compares networks of different "
        "scale."
    )

page.heading(
    "Shift of the gradients",
    "How much the gradient of a layer's weights changes when only the layers before it take their next step, on the "
    "same batch. No shift: difference 0, cosine 1. The first layer has none before it. Measured on copies: now and "
    "then while the networks train and this page is open, and wherever they stand still.",
)
formula, picture = st.columns([1, 2], gap="large")
with formula:
    st.latex(
        r"\begin{gathered} G_i = \nabla_{W_i} L(W_1^{t}, \ldots, W_i^{t}, \ldots, W_k^{t}) \\"
        r"G'_i = \nabla_{W_i} L(W_1^{t+1}, \ldots, W_{i-1}^{t+1}, \\ W_i^{t}, \ldots, W_k^{t}) \\"
        r"\lVert G_i - G'_i \rVert_2, \quad \cos \angle (G_i, G'_i) \end{gathered}"
    )
    st.caption(
        "Santurkar et al. 2018, definition 2.1. Both gradients are of the loss on the batch of step t. "
        "This shift does not generally fall with batchnorm; the findings at the top say what this run shows."
    )
with picture:
    live_chart("chart_gradient_shift", height=400)


@st.cache_resource(scope="session", show_spinner=False)
def gradient_question() -> LiveQuestion[list[GradientShift], Measurements]:
    """Return this session's question about the shift of the gradients, with the measurements made so far."""
    return LiveQuestion(with_measurement, about=lambda experiment: experiment)


measured = gradient_question()


def gradients() -> list[list[GradientShift]]:
    """The gradients of the run as it is now: asking about the past would need the weights of then."""
    return measured_until(measured.of(run, ShiftOfGradients()) or {}, past.step)


def draw(view: View, _: Frame) -> dict[str, Figure]:
    """Return the figure of each chart, by the chart's key, as of the step that is shown."""
    until = view.experiment.training.steps
    return {
        "chart_ridge": figures.distributions_over_steps(
            view, layer=layer, place=place, kind=cast(Kind, kind), every=every, until=until
        ),
        "chart_percentiles": figures.unit_percentiles(view, layer=layer, unit=unit, until=until),
        "chart_shift": figures.distribution_shift(
            view, place=place, measure=measure, since=cast(shift.Since, since), layer=layer, until=until
        ),
        "chart_gradient_shift": figures.gradient_shift(view, gradients(), until=until),
    }


def findings(view: View) -> list[str]:
    """Return what the shown distributions and gradients say, a sentence each."""
    return shift_findings(view, gradients(), layer=layer, place=place)


run.focus_on(Focus((layer,)))
with live_place:
    publish(past, shown_status, draw, findings, also=lambda: measured.count)
settings_table.drawn()

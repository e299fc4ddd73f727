"""The loss landscape: is it smoother with batchnorm? Measured on the live lab's networks."""

from functools import partial
from typing import cast

import streamlit as st

from bnviz import figures
from bnviz.experiment.presets import PRESETS
from bnviz.export.landscape import noise_csv, rates_csv, scaling_csv, sharpness_csv, slices_csv, smoothness_csv
from bnviz.figures.landscape import Shape
from bnviz.figures.style import Figure
from bnviz.findings.landscape import RATE_SEARCH
from bnviz.findings.smoothness import effective_rate_findings, gap_findings, smoothness_findings
from bnviz.records.frames import STEP_LENGTHS, TEST_DIGITS, Focus, Frame
from bnviz.records.history import View
from bnviz.records.landscape import SEARCH_SEEDS
from bnviz.records.questions import (
    EffectOfScale,
    LargestLearningRates,
    NoiseOfBatches,
    SharpnessAlongPath,
)
from bnviz.ui import controls, page, session, settings_table
from bnviz.ui.components.live_chart import live_chart
from bnviz.ui.news import publish
from bnviz.ui.sections.landscape import Look, landscape
from bnviz.ui.sections.landscape_questions import asked_chart, choose_slices, chosen_slices
from bnviz.ui.sections.networks import network_bar, weights_are_kept
from bnviz.ui.sections.ravine import ravine_and_bowl
from bnviz.ui.sections.train_here import train_here_button
from bnviz.ui.transport import transport

PRESETS_OFFERED = ("start", "xavier_batchnorm", "noisy", "deep", "fast")  # presets

experiment = page.open_page("Loss landscape")
controls.sidebar()
network_bar(experiment)
run = session.live_run(experiment, weights_are_kept(), "landscape")

st.markdown(
    "Why does batchnorm help? One explanation is that it reduces covariate shift (Ioffe and Szegedy 2015; measured on "
    "the page *Covariate shift*). Another is that it makes the loss and its gradients **smoother**, so that a step "
    "goes where the gradient points (Santurkar et al. 2018, section 3). Here the second is measured on networks of "
    "your own, and may turn out either way."
)
with st.container(horizontal=True, vertical_alignment="center", key="networks"):
    st.markdown("Networks", width="content")
    for name in PRESETS_OFFERED:
        preset = PRESETS[name]
        chosen = experiment == preset.experiment
        st.button(
            preset.title,
            key=f"networks_{name}",
            type="primary" if chosen else "secondary",
            on_click=partial(settings_table.load, preset.experiment),
        )
measured = landscape(run)
with st.container(horizontal=True, key="landscape_bar", vertical_alignment="bottom"):
    shown_status = transport(run, partial(settings_table.set_value, "seed"))
    train_here_button(run, experiment)
    st.button(
        "Scan, measure and search",
        key="measure_all",
        icon=":material/query_stats:",
        on_click=partial(measured.ask_all, run, chosen_slices()),
    )
st.caption(
    "This page measures more than the live lab, so it trains the lab's networks itself. *Scan, measure and search* "
    "asks for the pictures, the sharpness and the largest learning rate below, of the networks as they are now."
)
live_place = st.container(key="status")

options = page.heading(
    "Smoothness along the way",
    "At every sixtieth of the run, 15 steps apart or more, from the weights w as they are: "
    f"{len(STEP_LENGTHS)} steps of {STEP_LENGTHS[0]:g} to {STEP_LENGTHS[-1]:g} learning rates along the gradient g of "
    "the batch that comes next, with the statistics of that batch and without noise. Measured on copies: the run does "
    "not notice.",
)
log = options.toggle("Logarithmic", True, key="smooth_log")
page.csv_button("smoothness_csv", "smoothness", lambda: smoothness_csv(run.view()), options)
left, middle, right = st.columns(3)
with left:
    live_chart("chart_loss_band", savable=True)
    st.latex(r"L(w - \eta g), \quad \eta = \tfrac12 \ldots 4 \times \text{rate}")
    st.caption("(a) Range of the loss (Santurkar et al. 2018, section 3.2, figure 4a). Line: the loss at w.")
with middle:
    live_chart("chart_predictiveness", savable=True)
    st.latex(r"\lVert \nabla L(w - \eta g) - \nabla L(w) \rVert_2")
    st.caption("(b) Gradient predictiveness (figure 4b): how far the gradient there is from the gradient here.")
with right:
    live_chart("chart_smoothness", savable=True)
    st.latex(r"\beta = \max_\eta \frac{\lVert \nabla L(w - \eta g) - \nabla L(w) \rVert}{\lVert \eta g \rVert}")
    st.caption("(c) Effective β-smoothness (figure 4c): the largest change of the gradient for the distance gone.")
st.caption(
    "Not to be confused with the minimum and maximum over networks that were **trained** with different learning "
    "rates, which is what many reproductions of the paper's figure 4 draw: those are other weights, not the landscape "
    "around these. *Noisy batchnorm* (section 2.1 of the paper; choose it above) adds noise of another mean and spread "
    "for each unit and batch, after the layer: its covariate shift, on the page *Covariate shift*, is worse on purpose."
)

page.heading(
    "Pictures of the landscape",
    "The loss over a plane through the weights as they are now. Random directions are filter-normalized: as long as "
    "the weights of each neuron (Li et al. 2018, section 4), with biases, γ and β left alone. The plane of the path is "
    "that of its first two principal components (section 7 there), of the differences from the weights now: not "
    "centred on their mean. Batch statistics come from one fixed batch, the digits that the loss is measured on. "
    "Scanned on copies by the run's worker, between its steps.",
)
with st.container(horizontal=True, vertical_alignment="bottom", key="scan_settings"):
    choose_slices()
    st.button("Scan", key="scan", type="primary", on_click=partial(measured.slices.ask, run, chosen_slices()))
    st.button("Cancel", key="scan_cancel", on_click=measured.slices.cancel)
    shape = st.segmented_control("Shown as", ["contour", "surface"], default="contour", key="scan_shape", required=True)
    scan_log = st.toggle("Logarithmic", True, key="scan_log")
    page.csv_button("scan_csv", "landscape", lambda: slices_csv(measured.slices.answer or ()))
asked_chart("chart_landscape", measured.slices, "Nothing scanned yet: press Scan.")

left, right = st.columns(2, gap="large")
with left:
    page.heading(
        "Sharpness",
        "The largest eigenvalue of the Hessian of the loss with respect to all trained parameters, along the path of "
        "the run, by Lanczos iteration on Hessian-vector products. Dotted: above 2(1 + momentum)/η, gradient descent "
        "on a quadratic is unstable; Nesterov's momentum m divides that by 1 + 2m, and Adam has no such limit.",
    )
    measure_sharpness = partial(measured.sharpness.ask, run, SharpnessAlongPath())
    with st.container(horizontal=True, key="sharpness_settings"):
        st.button(
            "Measure",
            key="sharpness",
            type="primary",
            on_click=measure_sharpness,
        )
        st.button("Cancel", key="sharpness_cancel", on_click=measured.sharpness.cancel)
        page.csv_button("sharpness_csv", "sharpness", lambda: sharpness_csv(measured.sharpness.answer or ()))
    asked_chart("chart_sharpness", measured.sharpness, "Nothing measured yet: press Measure.")
with right:
    page.heading(
        "Largest learning rate that still trains",
        f"By bisection, from {SEARCH_SEEDS} seeds, for the networks as they are set above. " + RATE_SEARCH,
    )
    search_rates = partial(measured.rates.ask, run, LargestLearningRates())
    with st.container(horizontal=True, key="rates_settings"):
        st.button("Search", key="rates", type="primary", on_click=search_rates)
        st.button("Cancel", key="rates_cancel", on_click=measured.rates.cancel)
        page.csv_button("rates_csv", "largest_rates", lambda: rates_csv(measured.rates.answer))
    asked_chart("chart_largest_rate", measured.rates, "Nothing searched yet: press Search.")

deepest = max(len(v.network.hidden) for v in experiment.variants)
if st.session_state.get("scaled_layer", 1) > deepest:
    st.session_state["scaled_layer"] = deepest
left, right = st.columns(2, gap="large")
with left:
    options = page.heading(
        "Scale of the weights",
        "The weights of one hidden layer times a, on the batch that comes next. With batchnorm after the layer the "
        "output stays what it was, and the gradient is divided by a (Ioffe and Szegedy 2015, section 3.3).",
    )
    layer = options.selectbox(
        "Layer", range(1, deepest + 1), key="scaled_layer", width=90, label_visibility="collapsed"
    )
    scaled = partial(measured.scaling.of, run, EffectOfScale(layer - 1))
    page.csv_button("scaling_csv", "scaling", lambda: scaling_csv(scaled() or ()), options)
    live_chart("chart_scaling", savable=True)
    st.latex(
        r"\begin{gathered} \mathrm{BN}(aWx) = \mathrm{BN}(Wx) \\[0.4em] "
        r"\frac{\partial L}{\partial (aW)} = \frac1a \frac{\partial L}{\partial W} \end{gathered}"
    )
with right:
    page.heading(
        "Effective learning rate",
        "Only the direction of weights before batchnorm matters, and a step of rate η turns it by η/‖W‖² times the "
        "gradient at ‖W‖ = 1 (van Laarhoven 2017): weights that grow slow themselves down. Of layer 1, in networks "
        "with batchnorm.",
    )
    live_chart("chart_effective_rate", savable=True)
normalized = next((i for i, v in enumerate(experiment.variants) if v.batchnorm), None)
left, right = st.columns(2, gap="large")
with left:
    options = page.heading(
        "Noise of the batch statistics",
        "How far mean (solid) and variance (dashed) of random batches are from those of many digits, relative to the "
        "unit's own standard deviation and variance, averaged over the units of layer 1 of the first network with "
        "batchnorm. This noise is what batchnorm regularizes with.",
    )
    if normalized is not None:
        drawn_batches = partial(measured.noise.of, run, NoiseOfBatches(normalized))
        page.csv_button("noise_csv", "batch_noise", lambda: noise_csv(drawn_batches()), options)
    live_chart("chart_batch_noise", savable=True)
with right:
    page.heading(
        "Gap between test and training loss",
        f"In eval mode, on {TEST_DIGITS:,} test digits and as many training digits. The last step is left out: its "
        "look is at all digits, and no match for the others.",
    )
    live_chart("chart_gap", savable=True)

look = Look(cast(Shape, shape), scan_log, layer - 1, normalized)


def draw(view: View, _: Frame) -> dict[str, Figure]:
    """Return the figure of each chart, by the chart's key; those measured on request once there is an answer."""
    return {
        "chart_loss_band": figures.loss_band(view, log=log),
        "chart_predictiveness": figures.gradient_predictiveness(view, log=log),
        "chart_smoothness": figures.effective_smoothness(view, log=log),
        "chart_effective_rate": figures.effective_learning_rate(view, effective_rate_findings(view)),
        "chart_gap": figures.generalization_gap(view, gap_findings(view)),
    } | measured.charts(run, look)


run.focus_on(Focus(()))
page.heading(
    "Ravine and bowl",
    "A linear unit with two weights learns t = (u₁ + u₂)/√2 from two features u of mean 0 and variance 1, one of which "
    "comes in small and the other large: x = (u₁/√r, u₂√r). Contours: the loss, over all data. Click a chart, or move "
    "the sliders, to start elsewhere. Dashed: all minima of the loss with batchnorm.",
)
ravine_and_bowl()
st.caption(
    "Raw inputs make a ravine, whose steep walls limit the learning rate, 2(1 + momentum)/$\\lambda_{max}$, and whose "
    "flat floor makes it slow. Standardizing makes a bowl, and a batchnorm layer does the same for the inputs of the "
    "layer that comes after it. For the weights before it the picture on the right holds: the loss depends on their "
    "direction alone, every gradient is at right angles to them, and a step that is too long only ends further out, "
    "where the next one turns less. So no rate diverges; but the scales of the inputs are still there."
)

with live_place:
    publish(run, shown_status, draw, smoothness_findings, also=measured.changes)
settings_table.drawn()

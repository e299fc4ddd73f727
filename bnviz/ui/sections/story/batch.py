"""Batchnorm by hand: a batch of twenty points, its scale and shift, and a bias before it."""

import numpy as np
import streamlit as st

from bnviz import figures
from bnviz.findings.story import Reveal, of_batch
from bnviz.theory import walkthrough
from bnviz.theory.walkthrough import Array
from bnviz.ui import page
from bnviz.ui.components.live_plotly import live_chart
from bnviz.ui.components.live_slider import live_slider, set_slider
from bnviz.ui.sections.story.charts import HEADINGS
from bnviz.ui.sections.story.stage import Stage

RINGED = 0  # the point of the batch that the chapter asks for
AXES = ("x₁", "x₂")
_AFFINE = (("story_gamma_1", "story_beta_1"), ("story_gamma_2", "story_beta_2"))


def batch_of_points() -> Array:
    """Return the batch of the chapter, (20, 2)."""
    return walkthrough.sample_points(0)


def show_batch(stage: Stage) -> Reveal:
    """Draw the batch before and after, with sliders for γ, β and a bias. Returns what it showed."""
    x = batch_of_points()
    settings, picture, bias_place = st.columns([1, 2, 2], gap="medium")
    with settings:
        gamma, beta = _affine(x)
        bias = live_slider("Bias before batchnorm", -10, 10, 5, key="story_bias", step=0.1)
    walk = walkthrough.walk(x, gamma, beta)
    with picture:
        page.heading(*HEADINGS["points"])
        figure = figures.batch_points(x, walk.y, names=AXES, follow=RINGED)
        live_chart("chart_points", stage.guessed("points", figure))
    changed = walkthrough.change_weights(bias=bias)
    with bias_place:
        page.heading(*HEADINGS["bias"])
        live_chart(
            "chart_bias",
            figures.bias_effect(
                changed.before,
                changed.after,
                bias=bias,
                difference=changed.largest_difference,
                gradient=float(changed.gradients[1][-1]),
            ),
        )
    undone = float(np.abs(walkthrough.walk(x, *walkthrough.undoing(x)).y - x).max())
    normalized = walkthrough.walk(x, np.ones(2), np.zeros(2)).y
    return of_batch(x[RINGED], normalized[RINGED], undone, bias, changed.largest_difference)


def _affine(x: Array) -> tuple[Array, Array]:
    """γ and β of both dimensions, (2,) each, as the sliders say."""
    chosen = []
    for index, (gamma_key, beta_key) in zip("₁₂", _AFFINE, strict=True):
        scale = live_slider(f"γ{index}", -3, 5, 1, key=gamma_key, step=0.05)
        chosen.append((scale, live_slider(f"β{index}", -10, 10, 0, key=beta_key, step=0.1)))
    with st.container(horizontal=True):
        st.button("γ = σ, β = μ", key="story_identity", on_click=_set_affine, args=walkthrough.undoing(x))
        st.button("γ = 1, β = 0", key="story_standard", on_click=_set_affine, args=(np.ones(2), np.zeros(2)))
    gamma, beta = np.array(chosen).T
    return gamma, beta


def _set_affine(gamma: Array, beta: Array) -> None:
    for i, (gamma_key, beta_key) in enumerate(_AFFINE):
        set_slider(gamma_key, float(gamma[i]))
        set_slider(beta_key, float(beta[i]))

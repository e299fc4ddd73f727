"""Batchnorm by hand: a batch of twenty points, its scale and shift, and a bias before it."""

from dataclasses import replace

import numpy as np
import streamlit as st

from bnviz import figures
from bnviz.experiment.guesses import PointGuess
from bnviz.findings.story import Reveal
from bnviz.findings.story_measurements import batch_reveal
from bnviz.theory import walkthrough
from bnviz.theory.walkthrough import Array
from bnviz.ui import page
from bnviz.ui.components.guess import move_points
from bnviz.ui.components.live_chart import live_chart
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
    """Draw the batch before and after, to be moved about, with sliders for γ, β and a bias. Returns what it showed."""
    guess, original = stage.chapter.guess, batch_of_points()
    assert isinstance(guess, PointGuess)
    hand, picture, bias_place = st.columns(3, gap="medium")
    with hand:
        page.heading("Your batch", "Move the points: mean and deviation are reckoned anew from where they are.")
        handles = [(float(one), float(other)) for one, other in original]
        x = np.array(move_points("story_points", guess.x, guess.y, handles, ringed=RINGED))
        gamma, beta = _affine(x)
    walk = walkthrough.walk(x, gamma, beta)
    with picture:
        page.heading(*HEADINGS["points"])
        figure = figures.batch_points(x, walk.y, names=AXES, follow=RINGED)
        live_chart("chart_points", stage.guessed("points", figure))
    with bias_place:
        page.heading(*HEADINGS["bias"])
        bias = live_slider("Bias before batchnorm", -10, 10, 5, key="story_bias", step=0.1)
        changed = walkthrough.change_weights(bias=bias)
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
    reveal = batch_reveal(x[RINGED], _normalized(x)[RINGED], undone, bias, changed.largest_difference)
    asked = _normalized(original)[RINGED]  # the question was about the batch as it was at first
    return replace(reveal, truth=(float(asked[0]), float(asked[1])))


def _normalized(x: Array) -> Array:
    return walkthrough.walk(x, np.ones(2), np.zeros(2)).y


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

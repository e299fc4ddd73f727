"""Smoothness along the way: bands over the steps, scales and gaps, of a run whose landscape is watched."""

from collections.abc import Sequence

import numpy as np

from bnviz.analysis import smoothness
from bnviz.analysis.smoothness import SmoothnessCourse, newest_median, smoothness_course
from bnviz.experiment.wording import significant
from bnviz.figures.curves import x_axis
from bnviz.figures.logarithmic import log_axis
from bnviz.figures.style import (
    Figure,
    NetworkLook,
    axis,
    colored,
    faded,
    layout,
    line,
    network_color,
    network_looks,
    nice_ceiling,
)
from bnviz.records.frames import STEP_LENGTHS, Floats
from bnviz.records.history import View

__all__ = [
    "effective_learning_rate",
    "effective_smoothness",
    "generalization_gap",
    "gradient_predictiveness",
    "loss_band",
]

AHEAD = f"{STEP_LENGTHS[0]:g} to {STEP_LENGTHS[-1]:g} learning rates ahead"
RECENTLY = "newest quarter, median"


def loss_band(view: View, *, log: bool) -> Figure:
    """Draw the lowest and highest loss at the step lengths as a band for every network, and the loss here as a line."""
    data: list[Figure] = []
    courses = _courses(view)
    for look, found in zip(network_looks(view.experiment), courses, strict=True):
        data += _band(found.steps, found.loss_low, found.loss_high, look, "%{y:.3f} nats")
        here = {"hoverinfo": "skip", "line": {"width": 1.5}}
        data.append(line(found.steps, found.loss, look.color, f"{look.letter} here", **here))
    ends = np.concatenate([part for c in courses for part in (c.loss_low, c.loss_high)])
    y = axis("loss on the batch (nats)", **_scale(ends, log))
    words = [_each(view, [newest_median(c.range) for c in courses], f"range, {RECENTLY}")]
    return _over_steps(view, "Range of the loss ahead, over the steps", data, y, words)


def gradient_predictiveness(view: View, *, log: bool) -> Figure:
    """Draw the smallest and largest change of the gradient at the step lengths, as a band for every network."""
    data: list[Figure] = []
    courses = _courses(view)
    for look, found in zip(network_looks(view.experiment), courses, strict=True):
        data += _band(found.steps, found.change_low, found.change_high, look, "%{y:.3g}")
    ends = np.concatenate([part for c in courses for part in (c.change_low, c.change_high)])
    y = axis("‖g(w − ηg) − g(w)‖", **_scale(ends, log))
    words = [_each(view, [newest_median(c.change_high) for c in courses], f"largest, {RECENTLY}")]
    return _over_steps(view, "Change of the gradient ahead, over the steps", data, y, words)


def effective_smoothness(view: View, *, log: bool) -> Figure:
    """Draw the largest change of the gradient for the distance gone, one line per network."""
    courses = _courses(view)
    data = []
    for look, found in zip(network_looks(view.experiment), courses, strict=True):
        hover = f"{look.name}<br>step %{{x:,.0f}}<br>β %{{y:.3g}}<extra></extra>"
        data.append(line(found.steps, found.beta, look.color, look.letter, hovertemplate=hover))
    y = axis("effective β", **_scale(np.concatenate([c.beta for c in courses]), log))
    words = [_each(view, [newest_median(c.beta) for c in courses], RECENTLY)]
    return _over_steps(view, "Effective beta-smoothness over the steps", data, y, words)


def effective_learning_rate(view: View, words: Sequence[str] = ()) -> Figure:
    """Draw the learning rate over the squared norm of layer 1's weights, of the networks with batchnorm.

    words: what stands above the chart if there is such a network.
    """
    data, values = [], []
    for look, found in zip(network_looks(view.experiment), _courses(view), strict=True):
        if view.experiment.variants[look.place].batchnorm is None or not found.steps.size:
            continue
        rate = found.effective_rate
        hover = f"{look.name}<br>step %{{x:,.0f}}<br>%{{y:.3g}}<extra></extra>"
        data.append(line(found.steps, rate, look.color, look.letter, hovertemplate=hover))
        values.append(rate)
    y = axis("η / ‖W₁‖²", **_scale(np.concatenate(values or [np.ones(1)]), True))
    words = words if data else ["no network has batchnorm"]
    return _over_steps(view, "Effective learning rate of layer 1 over the steps", data, y, words)


def generalization_gap(view: View, words: Sequence[str] = ()) -> Figure:
    """Draw test loss minus training loss, both in eval mode. words: what stands above the chart besides the gaps."""
    data, values = [], []
    for look in network_looks(view.experiment):
        steps, found = smoothness.generalization_gap(view, look.place)
        hover = f"{look.name}<br>step %{{x:,.0f}}<br>%{{y:+.3f}} nats<extra></extra>"
        data.append(line(steps, found, look.color, look.letter, hovertemplate=hover))
        values.append(found)
    ends = np.concatenate([*values, np.zeros(1)])
    low, high = min(float(ends.min()), -0.02), max(float(ends.max()), 0.05)
    y = axis("test − training loss (nats)", range=[low * 1.15, high * 1.15])
    words = [_each(view, [float(v[-1]) if v.size else np.nan for v in values], "newest"), *words]
    return _over_steps(view, "Gap between test and training loss over the steps", data, y, words)


def _courses(view: View) -> list[SmoothnessCourse]:
    return [smoothness_course(view, i) for i in range(len(view.variants))]


def _band(steps: Floats, low: Floats, high: Floats, look: NetworkLook, value: str) -> list[Figure]:
    """The space between two curves, filled; gaps where either is no number."""
    known = np.isfinite(low) & np.isfinite(high)
    hover = f"{look.name}, {AHEAD}<br>step %{{x:,.0f}}<br>{value}<extra></extra>"
    edge = {"line": {"width": 0.75}, "hovertemplate": hover}
    bottom = line(steps[known], low[known], look.color, f"{look.letter} low", **edge)
    top = line(steps[known], high[known], look.color, f"{look.letter} high", **edge)
    return [bottom, top | {"fill": "tonexty", "fillcolor": faded(look.color, 0.25)}]


def _scale(values: Floats, log: bool) -> Figure:
    """Range of an axis: from zero, or over decades, without the few largest of all values."""
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return log_axis(-2, 1) if log else {"range": [0, 1]}
    top = float(np.quantile(positive, 0.995))
    if not log:
        return {"range": [0, nice_ceiling(top * 1.05)]}
    low = float(np.floor(2 * np.log10(np.quantile(positive, 0.005)) - 0.2) / 2)
    high = max(float(np.ceil(2 * np.log10(top) + 0.2) / 2), low + 1)
    return log_axis(low, high)


def _each(view: View, values: list[float], what: str) -> str:
    told = [colored(significant(v), network_color(view.experiment, i)) for i, v in enumerate(values) if np.isfinite(v)]
    return f"{' · '.join(told)} ({what})" if told else ""


def _over_steps(view: View, alt: str, data: list[Figure], y: Figure, words: Sequence[str]) -> Figure:
    training = view.experiment.training
    reached = max((int(f.step) for h in view.variants for f in h.frames[-1:]), default=0)
    where = f"steps 0 to {reached:,}" if reached else "before the first step: train to see the course"
    words = [*words, f"seed {training.seed}, {where}"]
    return {"data": data, "layout": layout(alt, 320, words, xaxis=x_axis(view, "steps"), yaxis=y)}

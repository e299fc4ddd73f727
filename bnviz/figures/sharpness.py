"""Sharpness over the steps, the largest learning rates, and what scales of weights and sizes of batches do."""

from collections.abc import Sequence

import numpy as np

from bnviz.experiment.config import Experiment
from bnviz.figures.landscape import empty_chart
from bnviz.figures.logarithmic import log_axis_around
from bnviz.figures.style import GUIDE, Figure, axis, faded, layout, line, network_looks, steps_axis
from bnviz.records.frames import Floats
from bnviz.records.landscape import NOISE_SIZES, WEIGHT_SCALES, BatchNoise, LargestRates, Scaling, Sharpness

__all__ = ["batch_noise", "gradient_by_scale", "largest_rates", "sharpness_over_steps"]

LEAST = 1e-6  # eigenvalues and gradients below this, zero included, are drawn here


def sharpness_over_steps(found: Sequence[Sharpness | str], experiment: Experiment, words: Sequence[str]) -> Figure:
    """Draw the largest Hessian eigenvalue over the steps, and the limit of stability of each step's learning rate."""
    known = [(i, each) for i, each in enumerate(found) if isinstance(each, Sharpness)]
    if not known:
        return empty_chart(words)
    data: list[Figure] = []
    looks = network_looks(experiment)
    for i, each in known:
        look = looks[i]
        hover = f"{look.name}<br>step %{{x:,.0f}}<br>λ<sub>max</sub> %{{y:.3g}}<extra></extra>"
        curve = line(each.steps, np.maximum(each.eigenvalue, LEAST), look.color, look.letter, hovertemplate=hover)
        data.append(curve | {"mode": "lines+markers", "marker": {"size": 5}})
    longest = max((each for _, each in known), key=lambda each: each.steps[-1])
    hover = "limit of stability<br>step %{x:,.0f}<br>%{y:.3g}<extra></extra>"
    limit = np.where(np.isfinite(longest.limit), longest.limit, np.nan)
    if np.isfinite(limit).any():
        data.append(line(longest.steps, limit, GUIDE, "limit", hovertemplate=hover, line={"dash": "dot", "width": 1.5}))
    # Towards a rate of 0 the limit grows without bounds: the eigenvalues keep most of the height.
    values = np.concatenate([np.maximum(e.eigenvalue, LEAST) for _, e in known])
    y = axis(
        "largest Hessian eigenvalue", **log_axis_around(np.concatenate([values, limit[limit < 100 * _top(values)]]))
    )
    end = float(longest.steps[-1]) or 1.0
    x = steps_axis(range=[-0.02 * end, 1.02 * end])
    alt = "Largest eigenvalue of the Hessian over the steps, beside the limit of stability of the learning rate"
    return {"data": data, "layout": layout(alt, 320, words, xaxis=x, yaxis=y)}


def _top(values: Floats) -> float:
    return float(np.max(values[np.isfinite(values)], initial=1.0))


def largest_rates(found: LargestRates, experiment: Experiment, words: Sequence[str]) -> Figure:
    """Draw one point per seed and a bar at the median, for every network."""
    data: list[Figure] = []
    looks = network_looks(experiment)
    for look, rates in zip(looks, found.rates, strict=True):
        x = np.full(len(rates), float(look.place)) + np.linspace(-0.12, 0.12, len(rates))
        hover = f"{look.name}<br>%{{y:.3g}}<extra></extra>"
        points = line(x, rates, look.color, look.letter, mode="markers", hovertemplate=hover)
        data.append(points | {"marker": {"size": 9, "color": look.color}})
        ends, median = [look.place - 0.25, look.place + 0.25], [float(np.median(rates))] * 2
        data.append(line(ends, median, faded(look.color, 0.6), "median", hoverinfo="skip"))
    places, names = [look.place for look in looks], [look.name for look in looks]
    x_axis = axis("network", tickvals=places, ticktext=names, range=[-0.6, len(looks) - 0.4])
    y = axis("largest rate that trains", **log_axis_around(found.rates))
    alt = "Largest learning rate that still trains, by network and seed"
    return {"data": data, "layout": layout(alt, 320, words, xaxis=x_axis, yaxis=y)}


def gradient_by_scale(found: Sequence[Scaling], experiment: Experiment, words: Sequence[str]) -> Figure:
    """Draw the gradient norm of a W over that of W, by a; dotted: 1/a."""
    scales = np.array(WEIGHT_SCALES)
    data = [line(scales, 1 / scales, GUIDE, "1/a", hoverinfo="skip", line={"dash": "dot", "width": 1.5})]
    for look, each in zip(network_looks(experiment), found, strict=False):
        hover = f"{look.name}<br>a = %{{x:.3g}}<br>gradient × %{{y:.3g}}<extra></extra>"
        curve = line(scales, np.maximum(each.gradient, LEAST), look.color, look.letter, hovertemplate=hover)
        data.append(curve | {"mode": "lines+markers", "marker": {"size": 6}})
    ticks = {"tickvals": list(WEIGHT_SCALES), "ticktext": ["⅛", "¼", "½", "1", "2", "4", "8"]}
    x = axis("scale a of the weights", type="log", range=_around(scales), **ticks)
    seen = [1 / scales, *(each.gradient for each in found)]
    y = axis("gradient, times that at a = 1", **log_axis_around(np.concatenate(seen)))
    return {"data": data, "layout": layout("Gradient norm by the scale of the weights", 320, words, xaxis=x, yaxis=y)}


def batch_noise(found: BatchNoise, color: str, words: Sequence[str]) -> Figure:
    """Draw the noise of a batch's mean and variance by its size; dotted: 1/sqrt(B)."""
    sizes = np.array(NOISE_SIZES, dtype=float)
    data = [
        line(sizes, 1 / np.sqrt(sizes), GUIDE, "1/√B", hoverinfo="skip", line={"dash": "dot", "width": 1.5}),
        _noise(sizes, found.mean, color, "mean", "solid"),
        _noise(sizes, found.variance, color, "variance", "dash"),
    ]
    x = axis("digits in a batch, B", type="log", range=_around(sizes), tickvals=list(NOISE_SIZES))
    seen = np.concatenate([1 / np.sqrt(sizes), found.mean, found.variance])
    y = axis("standard deviation over batches", **log_axis_around(seen))
    return {"data": data, "layout": layout("Noise of batch statistics by batch size", 320, words, xaxis=x, yaxis=y)}


def _noise(sizes: Floats, values: Floats, color: str, name: str, dash: str) -> Figure:
    hover = f"{name}<br>B = %{{x:.0f}}<br>%{{y:.3g}}<extra></extra>"
    curve = line(sizes, values, color, name, hovertemplate=hover, line={"dash": dash, "width": 2})
    return curve | {"mode": "lines+markers", "marker": {"size": 6, "color": color}}


def _around(values: Floats) -> list[float]:
    """Range of a logarithmic axis with a margin for the marks at both ends."""
    return [float(np.log10(values.min())) - 0.08, float(np.log10(values.max())) + 0.08]

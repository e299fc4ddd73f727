"""A batch before and after batchnorm."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bnviz.experiment.wording import decimals, listed
from bnviz.figures.style import (
    ACCENTS,
    GUIDE,
    STILL,
    Figure,
    axis,
    dot,
    layout,
    line,
    nice_ceiling,
    outline,
)

__all__ = ["batch_histograms", "batch_points"]

Array = npt.NDArray[np.floating[Any]]

BEFORE, AFTER = ACCENTS[1], ACCENTS[0]
DIMENSION_BINS = 40


def batch_points(x: Array, y: Array, *, names: Sequence[str], follow: int) -> Figure:
    """Draw every point of a batch (N, 2) before and after, and a thread between; crosses: mean ± one deviation."""
    limit = nice_ceiling(1.05 * max(np.abs(x).max(), np.abs(y).max()))
    gap = np.full(len(x), np.nan)
    across, up = (np.stack([x[:, i], y[:, i], gap], axis=1).ravel() for i in (0, 1))
    data = [line(across, up, GUIDE, "way", line={"width": 1}, opacity=0.35, hoverinfo="skip")]
    for values, color, name in ((x, BEFORE, "before"), (y, AFTER, "after")):
        hover = f"{name}: %{{x:.2f}}, %{{y:.2f}}<extra></extra>"
        dots = line(values[:, 0], values[:, 1], color, name, hovertemplate=hover)
        size = 9 if len(x) <= 50 else 5
        data.append(dots | {"mode": "markers", "marker": {"color": color, "size": size, "opacity": 0.85}})
        data.append(line(*_cross(values), color, f"{name}, mean and deviation", line={"width": 3}, hoverinfo="skip"))
    ring = {"size": 16, "color": "rgba(0,0,0,0)", "line": {"color": GUIDE, "width": 2}}
    followed = np.stack([x[follow], y[follow]])
    data.append(
        line(followed[:, 0], followed[:, 1], GUIDE, "followed", hoverinfo="skip") | {"mode": "markers", "marker": ring}
    )
    alt = f"{len(x)} points before batchnorm, {describe(x)}, and after it, {describe(y)}"
    words = [dot(BEFORE, f"before: {describe(x)}"), dot(AFTER, f"after: {describe(y)}")]
    span = [-limit, limit]
    return {
        "data": data,
        "layout": layout(
            alt,
            470,
            words,
            **STILL,
            xaxis=axis(names[0], range=span, zeroline=True, constrain="domain"),
            yaxis=axis(names[1], range=span, zeroline=True, scaleanchor="x", constrain="domain"),
        ),
    }


def batch_histograms(x: Array, y: Array, *, names: Sequence[str]) -> Figure:
    """Draw how the values of each of the two dimensions are spread, before and after."""
    limit = nice_ceiling(1.05 * max(np.abs(x).max(), np.abs(y).max()))
    edges = np.linspace(-limit, limit, DIMENSION_BINS + 1)
    data, top = [], 1.0
    for i in (0, 1):
        for values, color, name in ((x, BEFORE, "before"), (y, AFTER, "after")):
            counts, _ = np.histogram(values[:, i], edges)
            top = max(top, counts.max())
            data.append(outline(edges, counts, color, name) | {"xaxis": f"x{i + 1}"[: 1 + i], "yaxis": "y"})
    return {
        "data": data,
        "layout": layout(
            "Histograms of both dimensions before and after batchnorm",
            230,
            **STILL,
            xaxis=axis(names[0], range=[-limit, limit], domain=[0, 0.47], zeroline=True, nticks=5),
            xaxis2=axis(names[1], range=[-limit, limit], domain=[0.53, 1], zeroline=True, nticks=5),
            yaxis=axis("points a bin", range=[0, nice_ceiling(top)], nticks=5),
        ),
    }


def describe(values: Array) -> str:
    """Return 'mean 5.01 and −2.03, deviation 1.98 and 0.81'."""
    mean, deviation = (listed([decimals(v) for v in found]) for found in (values.mean(axis=0), values.std(axis=0)))
    return f"mean {mean}, deviation {deviation}"


def _cross(values: Array) -> tuple[Array, Array]:
    (mx, my), (sx, sy) = values.mean(axis=0), values.std(axis=0)
    return np.array([mx - sx, mx + sx, np.nan, mx, mx]), np.array([my, my, np.nan, my - sy, my + sy])

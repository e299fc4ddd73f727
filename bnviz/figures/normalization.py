"""A batch before and after batchnorm, and the axes that its statistics are taken over."""

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
    note,
    outline,
    typed,
)

__all__ = ["batch_histograms", "batch_points", "statistics_axes"]

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


def statistics_axes(dense: Array, convolutional: Array, *, channel: int) -> Figure:
    """Draw which values share one mean: dense (N, C) over N; convolutional (N, C, H, W) over N, H and W.

    Both are drawn as N rows and C columns of blocks; the block of a convolutional input is an H × W map. What is
    outlined belongs to the one mean of `channel`.
    """
    left, right = {"x": "x", "y": "y"}, {"x": "x2", "y": "y2"}
    data = _shaded_table(dense[:, :, None, None], channel, 0, left)
    data += _shaded_table(convolutional, channel, 1, right)
    shapes = _outlines(dense[:, :, None, None].shape, channel, 0, left)
    shapes += _outlines(convolutional.shape, channel, 1, right)
    words = [_averaged("dense", dense, (0,), channel), _averaged("convolutional", convolutional, (0, 2, 3), channel)]
    hidden = {"visible": False, "constrain": "domain"}
    down = hidden | {"autorange": "reversed", "scaleratio": 1}
    heads = [
        note(f"dense {dense.shape}", 0.12, 1.0, yanchor="bottom", xanchor="center"),
        note(f"convolutional {convolutional.shape}", 0.67, 1.0, yanchor="bottom", xanchor="center"),
        note("rows N, columns C", 0.12, 0, yanchor="top", xanchor="center", font={"size": 11}),
        note("rows N, columns C, each block H × W", 0.67, 0, yanchor="top", xanchor="center", font={"size": 11}),
    ]
    figure_layout = layout(
        ". ".join(words),
        400,
        words,
        **STILL,
        margin={"l": 8, "r": 8, "t": 28, "b": 28},
        xaxis=hidden | {"domain": [0, 0.24]},
        yaxis=down | {"scaleanchor": "x"},
        xaxis2=hidden | {"domain": [0.34, 1], "anchor": "y2"},
        yaxis2=down | {"scaleanchor": "x2", "anchor": "x2"},
        coloraxis={"cmin": -2.5, "cmax": 2.5, "showscale": False},
        shapes=shapes,
        annotations=heads,
    )
    figure_layout["meta"]["scale"] = "diverging"
    return {"data": data, "layout": figure_layout}


def _shaded_table(values: Array, channel: int, gap: int, axes: dict[str, str]) -> list[Figure]:
    """(N, C, H, W) as a table of blocks, `gap` cells apart: what is not of the channel is pale."""
    table, inside = _blocks(values, channel, gap)
    heat = {"type": "heatmap", "xaxis": axes["x"], "yaxis": axes["y"], "coloraxis": "coloraxis", "xgap": 1, "ygap": 1}
    heat |= {"hoverongaps": False, "hovertemplate": "%{z:.2f}<extra></extra>"}
    return [
        heat | {"z": typed(np.where(shown, table, np.nan)), "opacity": opacity}
        for shown, opacity in ((~inside, 0.3), (inside, 1.0))
    ]


def _outlines(shape: tuple[int, ...], channel: int, gap: int, axes: dict[str, str]) -> list[Figure]:
    """A frame around the values of the channel: one for all rows, or one for each block if blocks are apart."""
    count, _, height, width = shape
    left = channel * (width + gap) - 0.5
    tops = [n * (height + gap) - 0.5 for n in range(count if gap else 1)]
    style = {"type": "rect", "xref": axes["x"], "yref": axes["y"], "line": {"color": AFTER, "width": 3}}
    tall = height if gap else count
    return [style | {"x0": left, "x1": left + width, "y0": top, "y1": top + tall} for top in tops]


def describe(values: Array) -> str:
    """Return 'mean 5.01 and −2.03, deviation 1.98 and 0.81'."""
    mean, deviation = (listed([decimals(v) for v in found]) for found in (values.mean(axis=0), values.std(axis=0)))
    return f"mean {mean}, deviation {deviation}"


def _cross(values: Array) -> tuple[Array, Array]:
    (mx, my), (sx, sy) = values.mean(axis=0), values.std(axis=0)
    return np.array([mx - sx, mx + sx, np.nan, mx, mx]), np.array([my, my, np.nan, my - sy, my + sy])


def _blocks(values: Array, channel: int, gap: int) -> tuple[Array, npt.NDArray[np.bool_]]:
    """(N, C, H, W) as a table of N × C blocks with a gap between them, and which cells belong to the channel."""
    count, channels, height, width = values.shape
    table = np.full((count * (height + gap) - gap, channels * (width + gap) - gap), np.nan)
    inside = np.zeros(table.shape, dtype=bool)
    for n in range(count):
        for c in range(channels):
            top, left = n * (height + gap), c * (width + gap)
            table[top : top + height, left : left + width] = values[n, c]
            inside[top : top + height, left : left + width] = c == channel
    return table, inside


def _averaged(name: str, values: Array, axes: tuple[int, ...], channel: int) -> str:
    mean = values.mean(axis=axes)
    over = ", ".join("NCHW"[a] for a in axes)
    count = values.size // mean.size
    return (
        f"{name}: shape {values.shape}, mean over {over}: shape {mean.shape}; "
        f"column {channel + 1}: {decimals(mean[channel])} over {count} values"
    )

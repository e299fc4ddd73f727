"""The axes that each normalizer takes its statistics over: which values of an input share one mean."""

from typing import Any

import numpy as np
import numpy.typing as npt

from bnviz.experiment.wording import decimals
from bnviz.figures.normalization import AFTER
from bnviz.figures.style import STILL, Figure, layout, note, typed

__all__ = ["statistics_axes"]

Array = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]

GROUPS = 2  # of group norm, in the picture
# The axes that one statistic is over, and those of the array of all statistics; G are the groups.
AXES = {
    "batch": ("NHW", "C"),
    "layer": ("CHW", "N"),
    "group": ("CHW", "NG"),
    "instance": ("HW", "NC"),
    "rms": ("CHW", "N"),
    "weight": ("IHW", "C"),
}


def statistics_axes(dense: Array, convolutional: Array, *, channel: int, kind: str = "batch") -> Figure:
    """Draw which values share one statistic: of a dense input (N, C) and of a convolutional one (N, C, H, W).

    Both are drawn as N rows and C columns of blocks; the block of a convolutional input is an H × W map. What is
    outlined belongs to one statistic of the normalizer `kind`: that of `channel`, and of the first row if every digit
    has its own. For standardized weights the two stand for weights: rows are inputs, columns units.
    """
    left, right = {"x": "x", "y": "y"}, {"x": "x2", "y": "y2"}
    tables = ((dense[:, :, None, None], 0, left), (convolutional, 1, right))
    data, shapes = [], []
    for values, gap, axes in tables:
        shared = shared_with(kind, values.shape, channel)
        data += _shaded_table(values, shared, gap, axes)
        shapes += _outlines(shared, gap, axes)
    words = [_told("dense", dense, kind, channel), _told("convolutional", convolutional, kind, channel)]
    rows, columns, block = ("inputs", "units", "a kernel") if kind == "weight" else ("N", "C", "H × W")
    hidden = {"visible": False, "constrain": "domain"}
    down = hidden | {"autorange": "reversed", "scaleratio": 1}
    below: Figure = {"yanchor": "top", "xanchor": "center", "font": {"size": 11}}
    heads = [
        note(f"dense {dense.shape}", 0.12, 1.0, yanchor="bottom", xanchor="center"),
        note(f"convolutional {convolutional.shape}", 0.67, 1.0, yanchor="bottom", xanchor="center"),
        note(f"rows {rows}, columns {columns}", 0.12, 0, **below),
        note(f"rows {rows}, columns {columns}, each block {block}", 0.67, 0, **below),
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


def shared_with(kind: str, shape: tuple[int, ...], channel: int) -> Mask:
    """Return which values (N, C, H, W) share a statistic with those of the channel, in the first row if each has its
    own; none if a normalizer has no statistic there."""
    shared = np.zeros(shape, dtype=bool)
    width = shape[1] // GROUPS
    first = channel // width * width
    if kind in ("batch", "weight"):
        shared[:, channel] = True
    elif kind == "group":
        shared[0, first : first + width] = True
    elif kind == "instance":
        shared[0, channel] = shape[2] * shape[3] > 1
    else:
        shared[0] = True
    return shared


def _told(name: str, values: Array, kind: str, channel: int) -> str:
    """'dense: shape (6, 4), mean over N: shape (4,); column 3: 0.53 over 6 values'"""
    whole = values.reshape(*values.shape, 1, 1) if values.ndim == 2 else values
    shared = whole[shared_with(kind, whole.shape, channel)]
    if not shared.size:
        return f"{name}: one value for each unit and digit, and its deviation from its own mean is 0"
    over, kept = AXES[kind]
    sizes = dict(zip("NCHW", whole.shape, strict=True)) | {"G": GROUPS}
    words = ", ".join(over if values.ndim == 4 else over.strip("HW"))
    row, column, group = "row 1", f"column {channel + 1}", f"group {channel // (whole.shape[1] // GROUPS) + 1}"
    of = [{"N": row, "C": column, "G": group}[letter] for letter in kept]
    statistic = "root mean square" if kind == "rms" else "mean"
    value = np.sqrt(np.square(shared).mean()) if kind == "rms" else shared.mean()
    whose = " of a group" if kind == "group" else ""
    return (
        f"{name}: shape {values.shape}, {statistic} over {words}{whose}: shape {tuple(sizes[each] for each in kept)}; "
        f"{', '.join(of)}: {decimals(float(value))} over {shared.size} values"
    )


def _shaded_table(values: Array, shared: Mask, gap: int, axes: dict[str, str]) -> list[Figure]:
    """(N, C, H, W) as a table of blocks, `gap` cells apart: what is not shared is pale."""
    table, inside = _blocks(values, np.nan, gap), _blocks(shared, False, gap)
    heat = {"type": "heatmap", "xaxis": axes["x"], "yaxis": axes["y"], "coloraxis": "coloraxis", "xgap": 1, "ygap": 1}
    heat |= {"hoverongaps": False, "hovertemplate": "%{z:.2f}<extra></extra>"}
    return [
        heat | {"z": typed(np.where(shown, table, np.nan)), "opacity": opacity}
        for shown, opacity in ((~inside, 0.3), (inside, 1.0))
    ]


def _outlines(shared: Mask, gap: int, axes: dict[str, str]) -> list[Figure]:
    """A frame around what is shared: one if all blocks touch, else one for each block."""
    _, _, height, width = shared.shape
    style = {"type": "rect", "xref": axes["x"], "yref": axes["y"], "line": {"color": AFTER, "width": 3}}
    blocks = np.argwhere(shared.any((2, 3)))
    if not len(blocks):
        return []
    spans = [(at, at) for at in blocks] if gap else [(blocks.min(0), blocks.max(0))]
    return [
        style
        | {"x0": int(first[1]) * (width + gap) - 0.5, "x1": int(last[1]) * (width + gap) + width - 0.5}
        | {"y0": int(first[0]) * (height + gap) - 0.5, "y1": int(last[0]) * (height + gap) + height - 0.5}
        for first, last in spans
    ]


def _blocks(values: npt.NDArray[Any], between: float | bool, gap: int) -> npt.NDArray[Any]:
    """(N, C, H, W) as a table of N × C blocks with a gap between them."""
    count, channels, height, width = values.shape
    table = np.full((count * (height + gap) - gap, channels * (width + gap) - gap), between)
    for n in range(count):
        for c in range(channels):
            top, left = n * (height + gap), c * (width + gap)
            table[top : top + height, left : left + width] = values[n, c]
    return table

"""Internal covariate shift of the gradients: how much they change when only the layers before take a step."""

import math
from collections.abc import Sequence

import numpy as np

from bnviz.analysis.gradient_shift import mean_gradient_shift
from bnviz.experiment.wording import counted, decimals, significant
from bnviz.figures.logarithmic import log_axis
from bnviz.figures.style import Figure, NetworkLook, axis, faded, layout, line, network_looks, nice_ceiling
from bnviz.records.answers import GradientShift
from bnviz.records.frames import Floats
from bnviz.records.history import View

__all__ = ["gradient_shift"]

NAMED_COLUMNS = 10  # at most about; of more layers, every second or third is named
SPELLED_COLUMNS = 6  # up to so many are named "layer 2", more just "2"

Drawn = tuple[list[Figure], Floats]  # traces, and all finite values in them


def gradient_shift(view: View, measured: Sequence[Sequence[GradientShift]], *, until: int | None = None) -> Figure:
    """Draw Santurkar's measures, one column per layer, in which time runs from left to right: L2 above, cosine below.

    until: the last step that a column has room for.
    """
    until = until or view.experiment.training.steps
    data: list[Figure] = []
    differences: list[Floats] = [np.empty(0)]
    cosines: list[Floats] = [np.empty(0)]
    for look in network_looks(view.experiment):
        lost = view.latest is not None and view.latest.variants[look.place].diverged
        found = measured[look.place] if look.place < len(measured) and not lost else []
        depth = len(view.latest.variants[look.place].layers) if view.latest else 0
        difference, cosine = mean_gradient_shift(found)
        traces, values = _measure(found, "difference", difference, look, depth, until)
        data, differences = data + traces, [*differences, values]
        traces, values = _measure(found, "cosine", cosine, look, depth, until)
        data, cosines = data + traces, [*cosines, values]
    columns = max((len(v.layers) for v in view.latest.variants), default=1) if view.latest else 1
    shape = layout(
        _alt(view, measured),
        400,
        [_words(view, max((len(found) for found in measured), default=0))],
        xaxis=_column_axis(columns),
        yaxis=axis("L2 difference", domain=[0.54, 1], **log_axis(*_decades(np.concatenate(differences)))),
        yaxis2=axis("cosine", domain=[0, 0.46], nticks=4, range=_below_one(np.concatenate(cosines))),
    )
    return {"data": data, "layout": shape}


def _measure(
    found: Sequence[GradientShift], name: str, mean: Floats, look: NetworkLook, depth: int, until: int
) -> Drawn:
    """One measure of one network: its points column by column, and a bar at the mean of each column."""
    is_log, place = name == "difference", {"yaxis": "y" if name == "difference" else "y2"}
    what = "L2 difference %{y:.3g}" if is_log else "cosine %{y:.4f}"
    x, y = _in_columns(found, _per_layer(found, name), until)
    if is_log:  # a logarithm has no zero
        y, mean = np.where(y > 0, y, math.nan), np.where(mean > 0, mean, math.nan)
    sizes = np.where(np.isnan(np.append(x[1:], math.nan)), 10, 5)  # the last of each column is the newest
    thin, hover = {"width": 1}, f"{look.name}<br>{what}<extra></extra>"
    points = line(x, y, faded(look.color, 0.45), look.letter, line=thin, hovertemplate=hover, **place)
    points |= {"mode": "lines+markers", "marker": {"size": sizes.tolist(), "color": faded(look.color, 0.75)}}
    across = np.array([edge for k in range(depth) for edge in (k + 1.6, k + 2.4, math.nan)])
    level = np.repeat(mean, 3) if len(mean) else np.full(len(across), math.nan)
    hover = f"{look.name}, mean of {len(found)}<br>{what}<extra></extra>"
    bars = line(across, level, look.color, f"{look.letter} mean", line={"width": 3}, hovertemplate=hover, **place)
    return [points, bars], y[np.isfinite(y)]


def _per_layer(found: Sequence[GradientShift], name: str) -> Floats:
    """(measurements, layers after the first)"""
    values = [getattr(each, name)[1:] for each in found]
    return np.array(values, dtype=float) if values else np.empty((0, 0))


def _in_columns(found: Sequence[GradientShift], values: Floats, until: int) -> tuple[Floats, Floats]:
    """A line for each layer, side by side with gaps between: x from layer - 0.4 at step 0 to layer + 0.4 at the end."""
    if not values.size:
        return np.empty(0), np.empty(0)
    along = 0.8 * np.array([each.step for each in found]) / max(until, 1) - 0.4
    x = np.concatenate([np.append(along + k + 2, math.nan) for k in range(values.shape[1])])
    y = np.concatenate([np.append(values[:, k], math.nan) for k in range(values.shape[1])])
    return x, y


def _column_axis(columns: int) -> Figure:
    """The layers after the first, the output layer last; of many, some are named, with room before the output."""
    every = 1 + (columns - 1) // NAMED_COLUMNS
    named = [k for k in range(2, columns + 1, every) if columns + 1 - k >= every]
    spelled = columns <= SPELLED_COLUMNS
    return axis(
        "layer (each column from step 0 to the end)" if spelled else "layer",
        tickvals=[*named, columns + 1],
        ticktext=[*(f"layer {k}" if spelled else f"{k}" for k in named), "output"],
        tickangle=0,
        range=[1.45, columns + 1.55],
        showgrid=False,
        anchor="y2",
    )


def _decades(positive: Floats) -> tuple[float, float]:
    """Ends of the logarithmic axis, half decades apart."""
    if not len(positive):
        return -4.0, 0.0
    low, high = math.log10(positive.min()) - 0.2, math.log10(positive.max()) + 0.2
    return math.floor(2 * low) / 2, math.ceil(2 * high) / 2


def _below_one(cosines: Floats) -> list[float]:
    """A range that ends a little above 1, the cosine of gradients that did not turn."""
    least = min([1.0, *cosines.tolist()])
    low = 1 - nice_ceiling(1 - least) if least < 1 else 0.99
    return [low - (1 - low) * 0.05, 1 + (1 - low) * 0.05]


def _words(view: View, times: int) -> str:
    if not times:
        return "measuring …"
    many = f"{counted(times, 'measurement')}, early at the left, the newest large"
    names = ", ".join(look.html for look in network_looks(view.experiment))
    return f"{names}; points: {many if times > 1 else 'the one measurement'}; bars: the mean"


def _alt(view: View, measured: Sequence[Sequence[GradientShift]]) -> str:
    parts = []
    for look, found in zip(network_looks(view.experiment), measured, strict=False):
        difference, cosine = mean_gradient_shift(found)
        if len(difference):
            pairs = zip(difference.tolist(), cosine.tolist(), strict=True)
            parts.append(f"{look.name}: " + ", ".join(f"{significant(d)} and {decimals(c, 3)}" for d, c in pairs))
    return "Internal covariate shift, mean L2 difference and cosine of each layer after the first. " + "; ".join(parts)

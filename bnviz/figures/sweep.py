"""Results of a sweep, which sharpen while it runs: heat maps over two axes, lines over one."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from bnviz.experiment.settings import Value
from bnviz.experiment.sweep import Axis, Sweep
from bnviz.figures.style import (
    GUIDE,
    Figure,
    axis,
    color_bar,
    color_of,
    faded,
    layout,
    line,
    nice_ceiling,
    swatch,
    typed,
)
from bnviz.figures.sweep_marks import along, cell_frame, mark, nearest, ordered, spacing
from bnviz.records.frames import Floats
from bnviz.records.sweep import METRICS, Cells, Metric, SweepResults, batchnorm_gain, cells

__all__ = ["sweep_lines", "sweep_map", "sweep_panels", "sweep_place"]

Panel = Literal["off", "on", "gain"]
PANELS: dict[Panel, str] = {"off": "without batchnorm", "on": "with batchnorm", "gain": "batchnorm's gain"}
CELL_TICKS = 6  # at most, along an axis of cells
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 1000, 10_000)  # where colours of losses may end
_MOST_GAIN = 2.5  # nats: a little more than ln 10, so that a few wild cells do not bleach the rest
_MOST_LOSS = 10.0  # nats: where colours of losses end at most, for the same reason; far worse than knowing nothing
_BAR = 0.9  # length of a colour bar, as a share of its narrow panel


def sweep_panels(sweep: Sweep) -> list[Panel]:
    """Return the heat maps that a sweep over two axes has."""
    return ["off", "on", "gain"] if sweep.batchnorm == "both" else [sweep.batchnorm]


def sweep_map(
    sweep: Sweep, found: SweepResults, metric: Metric, panel: Panel, current: Sequence[Value | None] = (None, None)
) -> Figure:
    """Draw one cell per setting of two axes, with its mean over the seeds. Off and on share one scale; bright is good.

    A cross marks a cell with a network that diverged; a cell without colour has no value. current: the live lab's value
    on each axis; a frame marks the cell nearest to both, if it lies within them.
    """
    of = cells(sweep, found, metric)
    x, y = sweep.axes
    values = batchnorm_gain(of, metric) if panel == "gain" else of.mean[..., sweep.normalized.index(panel == "on")]
    percent = 100 if metric == "test_accuracy" else 1
    shown = values * percent if panel == "gain" or percent > 1 else np.log10(values)
    cell = f"{x.setting.title} %{{x}}<br>{y.setting.title} %{{y}}<br>"
    unit = " %" if percent > 1 else ""
    data: list[Figure] = [
        {
            "type": "heatmap",
            "z": typed(shown.T),
            "customdata": typed((values * percent).T),
            "x": x.labels,
            "y": y.labels,
            "coloraxis": "coloraxis",
            "hoverongaps": False,
            "hovertemplate": f"{cell}{PANELS[panel]}: {METRICS[metric]} %{{customdata:.4f}}{unit}<extra></extra>",
        },
        _crosses(sweep, of, panel),
    ]
    at = [nearest(axis, value) for axis, value in zip((x, y), current, strict=True)]
    framed = [place for place in at if place is not None]
    words = [f"<b>{_title(metric, panel)}</b>" + (" · framed: the live lab" if len(framed) == 2 else "")]
    axes = {"xaxis": _cell_axis(x), "yaxis": _cell_axis(y), "shapes": [cell_frame(*framed)] if len(framed) == 2 else []}
    margin = {"l": 64, "r": 14, "t": 12, "b": 110}
    picture = layout(_alt(sweep, of, metric, panel), 400, words, margin=margin, **axes)
    picture["coloraxis"] = _gain_colors(values, metric) if panel == "gain" else _colors(of.mean, metric)
    if panel == "gain":
        picture["meta"]["scale"] = "batchnorm"  # coloured by the theme
    return {"data": data, "layout": picture}


def sweep_lines(sweep: Sweep, found: SweepResults, metric: Metric, current: Value | None = None) -> Figure:
    """Draw the mean over the seeds along one axis, in a band of one standard deviation; crosses for what diverged.

    current: the value of the live lab, which is marked if it lies on the axis.
    """
    of = cells(sweep, found, metric)
    (x,) = sweep.axes
    is_accuracy = metric == "test_accuracy"
    order = ordered(x)
    y_range = {"range": [0, 100]} if is_accuracy else _loss_range(of)
    top = 100.0 if is_accuracy else 10 ** y_range["range"][1]
    data: list[Figure] = []
    for k, normalized in enumerate(sweep.normalized):
        mean, spread = ((100 if is_accuracy else 1) * values[order, k] for values in (of.mean, of.deviation))
        data += _curve(sweep, x, mean, spread, top, normalized=normalized, log=not is_accuracy)
        data.append(_lost(x, np.flatnonzero(of.diverged[order, k]), 0.96 - 0.06 * k, normalized=normalized))
    names = [swatch(color_of(normalized=n), PANELS["on" if n else "off"]) for n in sweep.normalized]
    legend = " &ensp; ".join([*names, *(["× diverged"] if of.diverged.any() else [])])
    return {
        "data": data,
        "layout": layout(
            _alt(sweep, of, metric, None),
            420,
            [legend],
            xaxis=axis(x.setting.title.lower(), **spacing(x)),
            yaxis=axis(METRICS[metric] + (" (%)" if is_accuracy else " (nats)"), **y_range),
            yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
            **mark(x, current),
        ),
    }


def _curve(
    sweep: Sweep, x: Axis, mean: Floats, spread: Floats, top: float, *, normalized: bool, log: bool
) -> list[Figure]:
    """The curve of the means, cut at `top`, and its band if there are several seeds."""
    color, name, at = color_of(normalized=normalized), PANELS["on" if normalized else "off"], along(x)
    many = sweep.seeds > 1
    seeds = f" ± %{{customdata[1]:.4f}} ({sweep.seeds} seeds)" if many else ""
    hover = f"{x.setting.title} %{{text}}<br>{name}: %{{customdata[0]:.4f}}{seeds}<extra></extra>"
    exact = {"customdata": typed(np.stack([mean, spread], 1)), "text": [x.labels[place] for place in ordered(x)]}
    curve = line([], np.minimum(mean, top), color, name, hovertemplate=hover, **exact)
    curve |= {"mode": "lines+markers", "marker": {"size": 6}, "x": at}
    return [*(_band(at, mean, spread, color, log=log) if many else []), curve]


def _lost(x: Axis, places: npt.NDArray[np.intp], height: float, *, normalized: bool) -> Figure:
    """Crosses near the top for networks that diverged, by their places from left to right."""
    name, at, order = PANELS["on" if normalized else "off"], along(x), ordered(x)
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [at[place] for place in places],
        "text": [x.labels[order[place]] for place in places],
        "y": [height] * len(places),
        "yaxis": "y2",
        "name": f"{name}, diverged",
        "marker": {"symbol": "x", "size": 9, "color": color_of(normalized=normalized)},
        "hovertemplate": f"{x.setting.title} %{{text}}<br>{name}: diverged<extra></extra>",
    }


def sweep_place(sweep: Sweep, x: object, y: object) -> tuple[int, ...] | None:
    """Return which place of the grid a click on a chart meant: a cell by its labels, else the nearest value."""
    first = sweep.axes[0]
    if sweep.kinds:
        return _place_along(sweep, x)
    if len(sweep.axes) == 2:
        labels = [axis.labels for axis in sweep.axes]
        return (labels[0].index(str(x)), labels[1].index(str(y))) if x in labels[0] and y in labels[1] else None
    if isinstance(x, int | float):
        return (min(range(len(first.values)), key=lambda i: abs(float(first.values[i]) - x)),)
    return (first.labels.index(str(x)),) if x in first.labels else None


def _place_along(sweep: Sweep, x: object) -> tuple[int, ...] | None:
    """The place of a click beside curves of normalizers, on the first of them."""
    other = sweep.other_axis
    if other is None:
        return (0,)
    if isinstance(x, int | float):
        at = min(range(len(other.values)), key=lambda i: abs(float(other.values[i]) - x))
    elif x in other.labels:
        at = other.labels.index(str(x))
    else:
        return None
    return tuple(at if axis is other else 0 for axis in sweep.axes)


def _band(at: Sequence[object], mean: Floats, spread: Floats, color: str, *, log: bool) -> list[Figure]:
    low, high = mean - spread, mean + spread
    if log:
        low = np.maximum(low, mean / 10)  # a logarithmic axis has no place for zero
    edge = {"type": "scatter", "mode": "lines", "x": list(at), "line": {"width": 0}, "hoverinfo": "skip"}
    return [
        edge | {"y": typed(low), "name": "low"},
        edge | {"y": typed(high), "name": "high", "fill": "tonexty", "fillcolor": faded(color, 0.18)},
    ]


def _crosses(sweep: Sweep, of: Cells, panel: Panel) -> Figure:
    x, y = sweep.axes
    which = slice(None) if panel == "gain" else [sweep.normalized.index(panel == "on")]
    count = of.diverged[..., which].sum(-1)
    places = np.argwhere(count)
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [x.labels[i] for i, _ in places],
        "y": [y.labels[j] for _, j in places],
        "customdata": [int(count[i, j]) for i, j in places],
        "text": [f"{x.setting.title} {x.labels[i]}<br>{y.setting.title} {y.labels[j]}" for i, j in places],
        "name": "diverged",
        "marker": {"symbol": "x-thin", "size": 8, "line": {"width": 2, "color": GUIDE}},
        "hovertemplate": "%{text}<br>%{customdata} diverged<extra></extra>",
    }


def _cell_axis(of: Axis) -> Figure:
    """Cells of one size, however far apart the values are; a few of them are named."""
    labels = of.labels
    every = 1 if of.setting.choices else math.ceil(len(labels) / CELL_TICKS)
    short = [f"{float(f'{v:.2g}'):g}" if isinstance(v, float) else of.setting.name_of(v) for v in of.values]
    return axis(
        of.setting.title.lower(),
        type="category",
        categoryorder="array",  # and a range: while no cell has a value, Plotly would know of no categories
        categoryarray=labels,
        range=[-0.5, len(labels) - 0.5],
        tickvals=labels[::every],
        ticktext=short[::every],
        showgrid=False,
        showline=True,
        mirror=True,
        automargin=True,
    )


def _colors(values: Floats, metric: Metric) -> Figure:
    """One scale for off and on. Losses by their logarithm, from one round number to another."""
    if metric == "test_accuracy":
        bar = color_bar(f"{METRICS[metric]} (%)", _BAR)
        return {"cmin": 0, "cmax": 100, "colorscale": "Viridis", "colorbar": bar}
    low, high = _round_ends(np.minimum(values, _MOST_LOSS))
    ticks = [v for v in _STEPS if low <= v <= high]
    marks = {"tickvals": [math.log10(v) for v in ticks], "ticktext": [f"{v:g}" for v in ticks]}
    bar = color_bar(f"{METRICS[metric]} (nats)", _BAR, **marks)
    ends = {"cmin": math.log10(low), "cmax": math.log10(high)}
    return ends | {"colorscale": "Viridis", "reversescale": True, "colorbar": bar}


def _gain_colors(values: Floats, metric: Metric) -> Figure:
    """Blue where batchnorm helps, orange where it harms."""
    accuracy = metric == "test_accuracy"
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0))
    top = nice_ceiling(largest * 100) if accuracy else min(nice_ceiling(largest), _MOST_GAIN)
    text = "accuracy gained (percentage points)" if accuracy else "loss spared (nats)"
    return {"cmin": -top, "cmax": top, "colorbar": color_bar(text, _BAR, nticks=5)}


def _round_ends(values: Floats) -> tuple[float, float]:
    """The round numbers of _STEPS around all finite values."""
    found = values[np.isfinite(values)]
    if not found.size:
        return 0.2, 5.0
    low = max((s for s in _STEPS if s <= found.min()), default=_STEPS[0])
    high = min((s for s in _STEPS if s >= found.max()), default=_STEPS[-1])
    return (low, high) if low < high else (low, low * 2)


def _loss_range(of: Cells) -> Figure:
    low, high = _round_ends(of.mean)
    ticks = [s for s in _STEPS if low <= s <= high]
    return {
        "type": "log",
        "range": [math.log10(low), math.log10(high)],
        "tickvals": ticks,
        "ticktext": [f"{s:g}" for s in ticks],
    }


def _title(metric: Metric, panel: Panel) -> str:
    name = METRICS[metric].capitalize()
    if panel != "gain":
        return f"{name} {PANELS[panel]}"
    return "Gain: accuracy on − off" if metric == "test_accuracy" else f"Gain: {METRICS[metric]} off − on"


def _alt(sweep: Sweep, of: Cells, metric: Metric, panel: Panel | None) -> str:
    names = " and ".join(a.setting.title.lower() for a in sweep.axes)
    known = of.mean[np.isfinite(of.mean)]
    best = f"from {known.min():.3g} to {known.max():.3g}" if known.size else "nothing known yet"
    lost = f", diverged: {int(of.diverged.sum())}" if of.diverged.any() else ""
    what = METRICS[metric].capitalize() if panel is None else _title(metric, panel)
    return f"{what} by {names}: {best}{lost}"

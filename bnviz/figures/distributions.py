"""Distributions over the course of training, one panel per network: ridges, snapshots or a heat map."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bnviz.analysis import shift
from bnviz.analysis.moments import snapshots
from bnviz.analysis.shift import DistributionCourse
from bnviz.experiment.naming import network_names
from bnviz.experiment.wording import decimals, percent
from bnviz.figures.style import (
    Figure,
    NetworkLook,
    axis,
    axis_suffix,
    faded,
    layout,
    line,
    network_looks,
    nice_ceiling,
    note,
    round_step,
    steps_axis,
    typed,
)
from bnviz.records.frames import BINS, Floats
from bnviz.records.history import View

__all__ = ["distributions_over_steps"]

Kind = Literal["ridges", "overlay", "heat"]
RIDGES = 16  # at most, beside the newest
OVERLAP = 2.2  # height of the highest ridge, in spaces between two
HEAT_MAP_COLUMNS = 100  # moments in a heat map, at most about
SHADES = (0.16, 0.3, 0.44, 0.58, 0.72)  # of the snapshots, from early to late
BEYOND = 0.002  # share of the values that a picture may leave out of its range


@dataclass(frozen=True)
class _Chart:
    """Traces of all panels, the axis of the values or steps below them, that on the left, and words."""

    data: list[Figure]
    x: Figure
    y: Figure
    words: list[str]


def distributions_over_steps(
    view: View, *, layer: int, place: str, kind: Kind, every: int = 200, until: int | None = None
) -> Figure:
    """Draw the histograms of a layer over the steps, one panel per network, on the same axes.

    every: steps between two snapshots of the overlay. until: the last step that the axis of steps has room for.
    """
    until = until or view.experiment.training.steps
    courses = shift.distribution_courses(view, layer, place)
    name = f"{shift.PLACES[place]}, layer {layer + 1}"
    values = axis(name, range=_span(courses))
    if kind == "ridges":
        chart = _ridge_chart(view, courses, values, until)
    elif kind == "overlay":
        chart = _snapshot_chart(view, courses, values, every)
    else:
        chart = _heat_chart(view, courses, values, until)
    axes, titles, height = _panels(view, chart.x, chart.y)
    alt = f"Distribution of the {name}, over the steps" + _newest(view, layer, place)
    words = [*chart.words, *_outside(view, courses)]
    return {"data": chart.data, "layout": layout(alt, height, words, annotations=titles) | axes}


def _ridge_chart(view: View, courses: Sequence[DistributionCourse], values: Figure, until: int) -> _Chart:
    ticks = list(range(0, until + 1, round(round_step(until, 8)) or 1))
    heights = steps_axis(range=[-0.03 * until, until * (1 + 1.1 * OVERLAP / RIDGES)], tickvals=ticks)
    peak, data = _peak(courses), []
    for look, found in zip(network_looks(view.experiment), courses, strict=True):
        data += _ridges(found, look, peak, until)
    return _Chart(data, values, heights, ["one ridge per kept moment; the strong one is the newest"])


def _snapshot_chart(view: View, courses: Sequence[DistributionCourse], values: Figure, every: int) -> _Chart:
    data: list[Figure] = []
    refusals: dict[str, None] = {}
    top = 5.0
    for look, found in zip(network_looks(view.experiment), courses, strict=True):
        kept = [frame.step for frame in view.variants[look.place].frames if frame.step in found.steps]
        try:
            at = snapshots(kept, every)
        except ValueError as error:
            at = list(range(len(kept)))
            refusals[f"Refused: {error}. Shown: all {len(kept)}."] = None
        traces, most = _snapshots(found, look, at)
        data, top = data + traces, max(top, most)
    words = list(refusals) or [f"a line every {every:,} steps: pale early, strong late; filled: the newest"]
    return _Chart(data, values, axis("values (% a bin)", range=[0, nice_ceiling(top)]), words)


def _heat_chart(view: View, courses: Sequence[DistributionCourse], values: Figure, until: int) -> _Chart:
    ceiling, data = nice_ceiling(max(5.0, _highest(courses))), []
    for look, found in zip(network_looks(view.experiment), courses, strict=True):
        data += _heat(found, look, ceiling)
    words = [f"colour: share of the values in a bin, from none to {ceiling:g}% or more"]
    return _Chart(data, steps_axis(range=[0, until]), values, words)


def _ridges(found: DistributionCourse, look: NetworkLook, peak: float, until: int) -> list[Figure]:
    """Two traces: all ridges but the newest, as polygons apart, and the newest."""
    if not found.steps:
        return []
    share = shift.bin_shares(found.counts)[:, 1:-1]
    x = shift.bin_centres(found.low, found.high)[1:-1]
    at = np.arange(0, len(found.steps) - 1, _stride(len(found.steps) - 1, RIDGES))
    scale = OVERLAP * until / RIDGES / peak
    old_x, old_y = _polygons(x, share[at], np.array(found.steps)[at], scale)
    new_x, new_y = _polygons(x, share[-1:], np.array(found.steps[-1:]), scale)
    common = {"fill": "toself", "hoverinfo": "skip"} | _panel(look.place)
    color, letter = look.color, look.letter
    return [
        line(old_x, old_y, faded(color, 0.7), letter, line={"width": 1}) | common | {"fillcolor": faded(color, 0.16)},
        line(new_x, new_y, color, f"{letter} newest", line={"width": 2}) | common | {"fillcolor": faded(color, 0.4)},
    ]


def _polygons(x: Floats, share: Floats, steps: Floats, scale: float) -> tuple[Floats, Floats]:
    """Closed outlines over their base lines, one after the other with a gap between."""
    ends = np.concatenate([x[:1], x, x[-1:], [math.nan]])
    base = steps[:, None].astype(float)
    outline = np.concatenate([base, base + share * scale, base, np.full_like(base, math.nan)], axis=1)
    return np.tile(ends, len(steps)), outline.ravel()


def _snapshots(found: DistributionCourse, look: NetworkLook, at: Sequence[int]) -> tuple[list[Figure], float]:
    """Traces of the frames at some places, early ones pale, and of the newest; and the highest share in per cent."""
    if not found.steps:
        return [], 0.0
    share = shift.bin_shares(found.counts)[:, 1:-1] * 100
    x = shift.bin_centres(found.low, found.high)[1:-1]
    groups = np.minimum(np.arange(len(at)) * len(SHADES) // max(len(at), 1), len(SHADES) - 1)
    traces = []
    for k, shade in enumerate(SHADES):
        rows = share[np.array(at, dtype=int)[groups == k]]
        lines = np.concatenate([rows, np.full((len(rows), 1), math.nan)], axis=1).ravel()
        along, color = np.tile(np.append(x, math.nan), len(rows)), faded(look.color, shade)
        traces.append(line(along, lines, color, f"{look.letter} {k}", line={"width": 1.2}, hoverinfo="skip"))
    hover = f"{look.name} newest: %{{y:.1f}} % at %{{x:.3g}}<extra></extra>"
    newest = line(x, share[-1], look.color, f"{look.letter} newest", hovertemplate=hover)
    traces.append(newest | {"fill": "tozeroy", "fillcolor": faded(look.color, 0.22)})
    return [trace | _panel(look.place) for trace in traces], float(np.nanmax(share, initial=0.0))


def _heat(found: DistributionCourse, look: NetworkLook, ceiling: float) -> list[Figure]:
    if not found.steps:
        return []
    share = shift.bin_shares(found.counts)[:, 1:-1] * 100
    at = list(range(0, len(found.steps), _stride(len(found.steps), HEAT_MAP_COLUMNS)))
    if at[-1] != len(found.steps) - 1:
        at.append(len(found.steps) - 1)
    width = (found.high - found.low) / BINS
    heat = {
        "type": "heatmap",
        "name": look.letter,
        "x": typed(np.array(found.steps)[at]),
        "y0": found.low + width / 2,
        "dy": width,
        "z": typed(share[at].T),
        "zmin": 0,
        "zmax": ceiling,
        "colorscale": [[0, faded(look.color, 0.0)], [1, faded(look.color, 1.0)]],
        "showscale": False,
        "hovertemplate": f"{look.name}, step %{{x:,.0f}}<br>%{{z:.1f}} % at %{{y:.2f}}<extra></extra>",
    }
    return [heat | _panel(look.place)]


def _panel(place: int) -> Figure:
    """The axes of one network's traces."""
    number = axis_suffix(place)
    return {"xaxis": f"x{number}", "yaxis": f"y{number}"}


def _panels(view: View, x: Figure, y: Figure) -> tuple[Figure, list[Figure], int]:
    """Axes of the networks' panels in two columns, their titles, and the height of all."""
    looks = network_looks(view.experiment)
    count = len(looks)
    columns = min(count, 2)
    rows = -(-count // columns)
    height = 90 + (350 if rows == 1 else 270 * rows)
    gap = 0.06 if columns > 1 else 0.0
    space = 70 / height if rows > 1 else 0.0
    tall = (1 - space * (rows - 1)) / rows
    wide = (1 - gap * (columns - 1)) / columns
    axes: Figure = {"margin": {"l": 56, "r": 14, "t": 26, "b": 44}}
    titles = []
    for look in looks:
        row, column = divmod(look.place, columns)
        number = axis_suffix(look.place)
        left, top = column * (wide + gap), 1 - row * (tall + space)
        axes[f"xaxis{number}"] = x | {"title": {"text": ""}, "domain": [left, left + wide], "anchor": f"y{number}"}
        axes[f"yaxis{number}"] = y | {"domain": [max(top - tall, 0), top], "anchor": f"x{number}"}
        if look.place:
            axes[f"xaxis{number}"] |= {"matches": "x"}
            axes[f"yaxis{number}"] |= {"matches": "y"}
        if column:
            axes[f"yaxis{number}"] |= {"showticklabels": False, "title": {"text": ""}}
        titles.append(note(look.html, left, top, yanchor="bottom", yshift=4))
    # One title for all: on a phone there is no room for two.
    titles.append(note(x["title"]["text"], 0.5, 0, xanchor="center", yshift=-22, font={"size": 14}))
    return axes, titles, height


def _span(courses: Sequence[DistributionCourse]) -> list[float]:
    """The range of all panels: of the bins, or the middle half or quarter if that holds nearly everything."""
    low, high = min(c.low for c in courses), max(c.high for c in courses)
    for part in (0.25, 0.5):
        left, right = (low + high - part * (high - low)) / 2, (low + high + part * (high - low)) / 2
        beyond = []
        for found in courses:
            at = shift.bin_centres(found.low, found.high)
            share = shift.bin_shares(found.counts)
            beyond += share[np.isfinite(share).all(1)][:, (at < left) | (at > right)].sum(1).tolist()
        if max(beyond, default=1.0) < BEYOND:
            return [left, right]
    return [low, high]


def _peak(courses: Sequence[DistributionCourse]) -> float:
    """The share that makes a ridge as high as it may be: not that of a lonely spike, beside which all is flat."""
    highest = np.concatenate(
        [shift.bin_shares(c.counts)[:, 1:-1].max(1, initial=0.0) for c in courses if c.steps] or [[1]]
    )
    highest = highest[np.isfinite(highest)]
    if not len(highest) or not highest.max() > 0:
        return 1.0
    return nice_ceiling(float(min(highest.max(), 3 * np.median(highest) or highest.max())))


def _highest(courses: Sequence[DistributionCourse]) -> float:
    """A share, in per cent, that few bins exceed; not that of a network whose values are all alike, beside which the
    others would be pale."""
    tops = [np.median(shift.bin_shares(c.counts)[:, 1:-1].max(1)) for c in courses if c.steps]
    finite = sorted(100 * float(top) for top in tops if math.isfinite(top))
    return min(finite[-1], 2 * finite[(len(finite) - 1) // 2]) if finite else 0.0


def _stride(count: int, most: int) -> int:
    """A power of two, so that what is drawn stays drawn while more comes."""
    return 1 << max(0, math.ceil(math.log2(max(count, 1) / most)))


def _outside(view: View, courses: Sequence[DistributionCourse]) -> list[str]:
    told = []
    for look, found in zip(network_looks(view.experiment), courses, strict=True):
        if view.latest is not None and view.latest.variants[look.place].diverged:
            told.append(f"{look.html} diverged: its values are no numbers")
        elif not found.steps:
            told.append(f"{look.html} has nothing here")
        elif found.outside >= 0.001:
            told.append(f"{look.html}: {percent(found.outside)} now outside the bins")
    return ["; ".join(told)] if told else []


def _newest(view: View, layer: int, place: str) -> str:
    """Mean and variance of the newest distributions, for a screen reader."""
    if view.latest is None:
        return "; nothing measured yet"
    parts = []
    for i, name in enumerate(network_names(view.experiment)):
        steps, found = shift.summaries(view, i, layer, place)
        if steps:
            mean, variance = decimals(found[-1].mean), decimals(found[-1].variance)
            parts.append(f"{name}: mean {mean}, variance {variance} at step {steps[-1]}")
    return f" up to {view.latest.step}. " + "; ".join(parts)

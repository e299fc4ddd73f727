"""Covariate shift: distributions over the course of training, percentiles of one unit, and the shift in numbers."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from bnviz import shift
from bnviz.figures.curves import LOG_TEXT, LOG_TICKS
from bnviz.figures.inference import calm_range
from bnviz.figures.style import COLORS, Figure, axis, colored, faded, layout, line, nice_ceiling, note, typed
from bnviz.history import View
from bnviz.records import BINS, PERCENTILES, Floats, GradientShift
from bnviz.shift import Course, Since

Kind = Literal["ridges", "overlay", "heat"]
RIDGES = 16  # at most, beside the newest
OVERLAP = 2.2  # height of the highest ridge, in spaces between two
POINTED = 40  # points of a line that are drawn as such, at most
COLUMNS = 100  # moments in a heat map, at most about
SHADES = (0.16, 0.3, 0.44, 0.58, 0.72)  # of the snapshots, from early to late
BEYOND = 0.002  # share of the values that a picture may leave out of its range
MOST_LAYERS = 6  # panels; of a deeper network, so many layers from the first to the last
MEASURES = {
    "distance": ("Wasserstein-1 distance", "W₁"),
    "relative": ("W₁ in standard deviations", "W₁ / σ"),
    "mean": ("drift of the mean", "Δμ"),
    "variance": ("drift of the variance", "Δσ²"),
}


def distributions(
    view: View, *, layer: int, place: str, kind: Kind, every: int = 200, until: int | None = None
) -> Figure:
    """The histograms of a layer over the steps, a panel a variant, on the same axes.

    every: steps between two snapshots of the overlay. until: the last step that the axis of steps has room for.
    """
    until = until or view.experiment.training.steps
    courses = [shift.course(view, i, layer, place) for i in range(len(view.variants))]
    span = _span(courses)
    count = len(courses)
    name = f"{shift.PLACES[place]}, layer {layer + 1}"
    data: list[Figure] = []
    words: list[str] = []
    if kind == "ridges":
        ticks = list(range(0, until + 1, round(nice_ceiling(until / 8)) or 1))
        heights = axis(
            "step (batches)",
            range=[-0.03 * until, until * (1 + 1.1 * OVERLAP / RIDGES)],
            tickvals=ticks,
            tickformat=",",
        )
        top = _peak(courses)
        for i, found in enumerate(courses):
            data += _ridges(found, i, view.experiment.letters[i], top, until)
        values, words = axis(name, range=span), ["one ridge per kept moment; the strong one is the newest"]
    elif kind == "overlay":
        top = 5.0
        for i, found in enumerate(courses):
            traces, most, refused = _snapshots(found, i, view, every)
            data += traces
            top = max(top, most)
            words = [*words, refused] if refused and refused not in words else words
        heights = axis("values (% a bin)", range=[0, nice_ceiling(top)])
        values = axis(name, range=span)
        words = words or [f"a line every {every:,} steps: pale early, strong late; filled: the newest"]
    else:
        top = max(5.0, *(_highest(c) for c in courses))
        ceiling = nice_ceiling(top)
        for i, found in enumerate(courses):
            data += _heat(found, i, view.experiment.letters[i], ceiling)
        values, heights = axis("step (batches)", tickformat=",", range=[0, until]), axis(name, range=span)
        words = [f"colour: share of the values in a bin, from none to {ceiling:g} %"]
    axes, titles, height = _panels(view, count, values, heights)
    alt = f"Distribution of the {name}, over the steps" + _told(view, courses)
    return {"data": data, "layout": layout(alt, height, [*words, *_outside(view, courses)], annotations=titles) | axes}


def unit_percentiles(view: View, *, layer: int, unit: int, until: int | None = None) -> Figure:
    """15th, 50th and 85th percentile of one unit's input over the steps, as in figure 1 of Ioffe and Szegedy 2015."""
    bands: list[Figure] = []
    medians: list[Figure] = []
    everything, words, missing = [], [], []
    for i, letter in enumerate(view.experiment.letters):
        steps, found = shift.percentiles(view, i, layer, unit)
        if not len(steps):
            missing.append(f"{colored(letter, i)}: nothing kept of such a unit")
        everything.append(found)
        hovers = [f"{letter}, {q}th percentile<br>step %{{x:,.0f}}<br>%{{y:.2f}}<extra></extra>" for q in PERCENTILES]
        low, middle, high = (
            line(steps, found[:, k], COLORS[i], f"{letter} {q}", hovertemplate=hovers[k])
            for k, q in enumerate(PERCENTILES)
        )
        low["line"] = high["line"] = {"color": COLORS[i], "width": 1}
        bands += [low, high | {"fill": "tonexty", "fillcolor": faded(COLORS[i], 0.14)}]
        medians.append(_pointed(middle, len(steps), COLORS[i]))
        if len(steps) and np.isfinite(found[-1]).all():
            listed = ", ".join(f"{value:.2f}" for value in found[-1]).replace("-", "−")
            words.append(f"{colored(letter, i)}: {listed}")
    values = np.concatenate([each.ravel() for each in everything])
    told = f" now {'; '.join(words)}" if words else ""
    alt = f"Percentiles of the input of unit {unit + 1} of layer {layer + 1} over the steps"
    shape = layout(
        alt,
        340,
        [f"unit {unit + 1}, {PERCENTILES[0]}th, {PERCENTILES[1]}th, {PERCENTILES[2]}th percentile{told}", *missing],
        xaxis=step_axis(until or view.experiment.training.steps),
        yaxis=axis("input of the activation", range=_bounds(values)),
    )
    return {"data": bands + medians, "layout": shape}


def distribution_shift(
    view: View, *, place: str, measure: str, since: Since, layer: int = 0, until: int | None = None
) -> Figure:
    """One measure of the drift over the steps, a panel a layer, a line a variant, on the same axes."""
    shown = _layers(view, layer)
    data: list[Figure] = []
    everything: list[Floats] = [np.zeros(1)]
    title, symbol = MEASURES[measure]
    for row, number in enumerate(shown):
        suffix = "" if row == 0 else str(row + 1)
        for i, letter in enumerate(view.experiment.letters):
            found = shift.drift(view, i, number, place, since)
            values = getattr(found, measure)
            everything.append(values)
            hover = f"{letter}, layer {number + 1}<br>step %{{x:,.0f}}<br>{symbol} %{{y:.3g}}<extra></extra>"
            drawn = line(found.steps, values, COLORS[i], letter, hovertemplate=hover, yaxis=f"y{suffix}")
            data.append(_pointed(drawn, len(values), COLORS[i]))
    bounds = _bounds(np.concatenate(everything))
    axes: Figure = {}
    gap = 0.05 if len(shown) > 1 else 0.0
    each = (1 - gap * (len(shown) - 1)) / len(shown)
    for row, number in enumerate(shown):
        suffix = "" if row == 0 else str(row + 1)
        top = 1 - row * (each + gap)
        axes[f"yaxis{suffix}"] = axis(
            f"{symbol}, layer {number + 1}", range=bounds, domain=[max(top - each, 0), top], nticks=5, zeroline=True
        )
    last = "" if len(shown) == 1 else str(len(shown))
    reference = "the kept frame before" if since == "before" else "the first frame"
    words = [f"{title}, against {reference}: {_letters(view)}"]
    if not any(len(values) for values in everything[1:]):
        words.append("nothing to compare yet: train, and it appears")
    alt = f"{title} of the {shift.PLACES[place]} over the steps, layers {', '.join(str(n + 1) for n in shown)}"
    height = 340 if len(shown) == 1 else 70 + 130 * len(shown)
    x = step_axis(until or view.experiment.training.steps) | {"anchor": f"y{last}"}
    return {"data": data, "layout": layout(alt, height, words, xaxis=x, **axes)}


def gradient_shift(view: View, measured: Sequence[Sequence[GradientShift]], *, until: int | None = None) -> Figure:
    """Santurkar's measures, a column a layer; in a column, time runs from left to right. Above L2, below the cosine."""
    until = until or view.experiment.training.steps
    columns = max((len(v.layers) for v in view.latest.variants), default=1) if view.latest else 1
    data: list[Figure] = []
    sizes: list[Floats] = []
    smallest = 1.0
    for i, letter in enumerate(view.experiment.letters):
        lost = view.latest is not None and view.latest.variants[i].diverged
        found = measured[i] if i < len(measured) and not lost else []
        depth = len(view.latest.variants[i].layers) if view.latest else 0
        means = shift.summary(found)
        for row, (values, mean) in enumerate(
            zip((_column(found, "difference"), _column(found, "cosine")), means, strict=True)
        ):
            axes = {"yaxis": "y" if row == 0 else "y2"}
            x, y = _in_columns(found, values, until)
            if row == 0:
                y = np.where(y > 0, y, math.nan)  # a logarithm has no zero
                mean = np.where(mean > 0, mean, math.nan)
                sizes.append(y[np.isfinite(y)])
            else:
                smallest = min([smallest, *y[np.isfinite(y)].tolist()])
            what = "L2 difference %{y:.3g}" if row == 0 else "cosine %{y:.4f}"
            hover = f"{letter}<br>{what}<extra></extra>"
            sizes_of = np.where(np.isnan(np.append(x[1:], math.nan)), 10, 5)  # the last of each column is the newest
            marker = {"size": sizes_of.tolist(), "color": faded(COLORS[i], 0.75)}
            data.append(line(x, y, faded(COLORS[i], 0.45), letter, line={"width": 1}, hovertemplate=hover, **axes))
            data[-1] |= {"mode": "lines+markers", "marker": marker}
            across = np.array([edge for k in range(depth) for edge in (k + 1.6, k + 2.4, math.nan)])
            level = np.repeat(mean, 3) if len(mean) else np.full(len(across), math.nan)
            average = f"{letter}, mean of {len(found)}<br>{what}<extra></extra>"
            data.append(
                line(across, level, COLORS[i], f"{letter} mean", line={"width": 3}, hovertemplate=average, **axes)
            )
    positive = np.concatenate(sizes) if sizes else np.empty(0)
    bounds = [-4.0, 0.0]
    if len(positive):
        low_high = math.log10(positive.min()) - 0.2, math.log10(positive.max()) + 0.2
        bounds = [math.floor(2 * low_high[0]) / 2, math.ceil(2 * low_high[1]) / 2]
    labels = [f"layer {k + 2}" if columns <= 6 else f"{k + 2}" for k in range(columns - 1)] + ["output"]
    low = 1 - nice_ceiling(1 - smallest) if smallest < 1 else 0.99
    times = max((len(found) for found in measured), default=0)
    words = [f"{_letters(view)}; points: {times} measurements, early at the left, the newest large; bars: their mean"]
    if not times:
        words = ["measuring …"]
    shape = layout(
        _gradient_alt(view, measured),
        400,
        words,
        xaxis=axis(
            "layer (each column from step 0 to the end)" if columns <= 6 else "layer",
            tickvals=list(range(2, columns + 2)),
            ticktext=labels,
            range=[1.45, columns + 1.55],
            showgrid=False,
            anchor="y2",
        ),
        yaxis=axis(
            "L2 difference",
            type="log",
            range=bounds,
            domain=[0.54, 1],
            **_decades(*bounds),
        ),
        yaxis2=axis("cosine", range=[low - (1 - low) * 0.05, 1 + (1 - low) * 0.05], domain=[0, 0.46], nticks=4),
    )
    return {"data": data, "layout": shape}


def step_axis(until: int) -> Figure:
    return axis("step (batches)", tickformat=",", range=[-0.01 * until, until * 1.01])


def _bounds(values: Floats) -> list[float]:
    """A calm range, also around values that are all the same."""
    low, high = calm_range(values)
    return [low, high] if low < high else [low, low + 0.1]


def _pointed(drawn: Figure, count: int, color: str) -> Figure:
    """A line with its points, while they are few: a point costs the browser as much as a line."""
    if count > POINTED:
        return drawn | {"name": f"{drawn['name']} (line)"}  # under another name, so that the chart is drawn anew
    return drawn | {"mode": "lines+markers", "marker": {"size": 4, "color": color}}


# -- the three kinds of panels ---------------------------------------------------------------------------------------


def _ridges(found: Course, i: int, letter: str, peak: float, until: int) -> list[Figure]:
    """Two traces: all ridges but the newest, as polygons apart, and the newest."""
    if not found.steps:
        return []
    share = shift.shares(found.counts)[:, 1:-1]
    x = shift.positions(found.low, found.high)[1:-1]
    at = np.arange(0, len(found.steps) - 1, _stride(len(found.steps) - 1, RIDGES))
    scale = OVERLAP * until / RIDGES / peak
    old_x, old_y = _polygons(x, share[at], np.array(found.steps)[at], scale)
    new_x, new_y = _polygons(x, share[-1:], np.array(found.steps[-1:]), scale)
    common = {"fill": "toself", "hoverinfo": "skip"} | _panel(i)
    color = COLORS[i]
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


def _snapshots(found: Course, i: int, view: View, every: int) -> tuple[list[Figure], float, str]:
    """Traces, the highest share in per cent, and why a number of snapshots is refused."""
    if not found.steps:
        return [], 0.0, ""
    share = shift.shares(found.counts)[:, 1:-1] * 100
    kept = [f.step for f in view.variants[i].frames if f.step in found.steps]
    refused = ""
    try:
        at = shift.snapshots(kept, every)
    except ValueError as error:
        at, refused = list(range(len(kept))), f"Refused: {error}. Shown: all {len(kept)}."
    x = shift.positions(found.low, found.high)[1:-1]
    letter, color = view.experiment.letters[i], COLORS[i]
    groups = np.minimum(np.arange(len(at)) * len(SHADES) // max(len(at), 1), len(SHADES) - 1)
    traces = []
    for k, shade in enumerate(SHADES):
        rows = share[np.array(at, dtype=int)[groups == k]]
        lines = np.concatenate([rows, np.full((len(rows), 1), math.nan)], axis=1).ravel()
        along = np.tile(np.append(x, math.nan), len(rows))
        traces.append(line(along, lines, faded(color, shade), f"{letter} {k}", line={"width": 1.2}, hoverinfo="skip"))
    hover = f"{letter} newest: %{{y:.1f}} % at %{{x:.2f}}<extra></extra>"
    traces.append(
        line(x, share[-1], color, f"{letter} newest", hovertemplate=hover)
        | {"fill": "tozeroy", "fillcolor": faded(color, 0.22)}
    )
    return [t | _panel(i) for t in traces], float(np.nanmax(share, initial=0.0)), refused


def _heat(found: Course, i: int, letter: str, ceiling: float) -> list[Figure]:
    if not found.steps:
        return []
    share = shift.shares(found.counts)[:, 1:-1] * 100
    at = list(range(0, len(found.steps), _stride(len(found.steps), COLUMNS)))
    if at[-1] != len(found.steps) - 1:
        at.append(len(found.steps) - 1)
    width = (found.high - found.low) / BINS
    return [
        {
            "type": "heatmap",
            "name": letter,
            "x": typed(np.array(found.steps)[at]),
            "y0": found.low + width / 2,
            "dy": width,
            "z": typed(share[at].T),
            "zmin": 0,
            "zmax": ceiling,
            "colorscale": [[0, faded(COLORS[i], 0.0)], [1, faded(COLORS[i], 1.0)]],
            "showscale": False,
            "hovertemplate": f"{letter}, step %{{x:,.0f}}<br>%{{z:.1f}} % at %{{y:.2f}}<extra></extra>",
        }
        | _panel(i)
    ]


def _panel(i: int) -> Figure:
    """The axes of one variant's traces."""
    number = "" if i == 0 else str(i + 1)
    return {"xaxis": f"x{number}", "yaxis": f"y{number}"}


def _panels(view: View, count: int, x: Figure, y: Figure) -> tuple[Figure, list[Figure], int]:
    """Axes of `count` panels in two columns, their titles, and the height of all."""
    columns = min(count, 2)
    rows = -(-count // columns)
    height = 90 + (350 if rows == 1 else 270 * rows)
    gap = 0.06 if columns > 1 else 0.0
    space = 70 / height if rows > 1 else 0.0
    tall = (1 - space * (rows - 1)) / rows
    wide = (1 - gap * (columns - 1)) / columns
    axes: Figure = {"margin": {"l": 56, "r": 14, "t": 26, "b": 44}}
    titles = []
    for i in range(count):
        row, column = divmod(i, columns)
        number = "" if i == 0 else str(i + 1)
        left, top = column * (wide + gap), 1 - row * (tall + space)
        axes[f"xaxis{number}"] = x | {"title": {"text": ""}, "domain": [left, left + wide], "anchor": f"y{number}"}
        axes[f"yaxis{number}"] = y | {"domain": [max(top - tall, 0), top], "anchor": f"x{number}"}
        if i:
            axes[f"xaxis{number}"] |= {"matches": "x"}
            axes[f"yaxis{number}"] |= {"matches": "y"}
        if column:
            axes[f"yaxis{number}"] |= {"showticklabels": False, "title": {"text": ""}}
        variant = view.experiment.variants[i]
        text = f"{colored(view.experiment.letters[i], i)} · {'batchnorm' if variant.batchnorm else 'no batchnorm'}"
        titles.append(note(text, left, top, yanchor="bottom", yshift=4))
    # One title for all: on a phone there is no room for two.
    titles.append(note(x["title"]["text"], 0.5, 0, xanchor="center", yshift=-22, font={"size": 14}))
    return axes, titles, height


def _span(courses: Sequence[Course]) -> list[float]:
    """The range of all panels: of the bins, or the middle half or quarter where that holds nearly everything."""
    low, high = min(c.low for c in courses), max(c.high for c in courses)
    for part in (0.25, 0.5):
        left, right = (low + high - part * (high - low)) / 2, (low + high + part * (high - low)) / 2
        beyond = []
        for found in courses:
            at = shift.positions(found.low, found.high)
            share = shift.shares(found.counts)
            beyond += share[np.isfinite(share).all(1)][:, (at < left) | (at > right)].sum(1).tolist()
        if max(beyond, default=1.0) < BEYOND:
            return [left, right]
    return [low, high]


def _peak(courses: Sequence[Course]) -> float:
    """The share that makes a ridge as high as it may be: not that of a lonely spike, beside which all is flat."""
    highest = np.concatenate([shift.shares(c.counts)[:, 1:-1].max(1, initial=0.0) for c in courses if c.steps] or [[1]])
    highest = highest[np.isfinite(highest)]
    if not len(highest) or not highest.max() > 0:
        return 1.0
    return nice_ceiling(float(min(highest.max(), 3 * np.median(highest) or highest.max())))


def _highest(found: Course) -> float:
    """A share, in per cent, that few bins exceed."""
    if not found.steps:
        return 0.0
    share = shift.shares(found.counts)[:, 1:-1] * 100
    tops = share.max(1)
    tops = tops[np.isfinite(tops)]
    return float(np.median(tops)) if len(tops) else 0.0


def _stride(count: int, most: int) -> int:
    """A power of two, so that what is drawn stays drawn while more comes."""
    return 1 << max(0, math.ceil(math.log2(max(count, 1) / most)))


# -- words -----------------------------------------------------------------------------------------------------------


def _letters(view: View) -> str:
    return ", ".join(
        f"{colored(letter, i)} {'batchnorm' if view.experiment.variants[i].batchnorm else 'no batchnorm'}"
        for i, letter in enumerate(view.experiment.letters)
    )


def _outside(view: View, courses: Sequence[Course]) -> list[str]:
    told = []
    for i, (letter, found) in enumerate(zip(view.experiment.letters, courses, strict=True)):
        if view.latest is not None and view.latest.variants[i].diverged:
            told.append(f"{colored(letter, i)} diverged: its values are no numbers")
        elif not found.steps:
            told.append(f"{colored(letter, i)} has nothing here")
        elif found.outside >= 0.001:
            told.append(f"{colored(letter, i)}: {found.outside:.1%} now outside the bins")
    return ["; ".join(told)] if told else []


def _told(view: View, courses: Sequence[Course]) -> str:
    if view.latest is None:
        return "; nothing measured yet"
    parts = []
    for letter, found in zip(view.experiment.letters, courses, strict=True):
        if found.steps:
            mean, variance = shift.moments(found.counts[-1], found.low, found.high)
            parts.append(f"{letter}: mean {mean:.2f}, variance {variance:.2f}")
    return f" up to {view.latest.step}. " + "; ".join(parts)


def _layers(view: View, layer: int) -> list[int]:
    """The layers with a panel: all, or of a deep network some from the first to the last, the chosen one among them."""
    depth = max((len(v.layers) for v in view.latest.variants), default=1) if view.latest else 1
    if depth <= MOST_LAYERS:
        return list(range(depth))
    spread = {round(k) for k in np.linspace(0, depth - 1, MOST_LAYERS)}
    if layer not in spread:
        nearest = min(spread - {0, depth - 1}, key=lambda k: abs(k - layer))
        spread = spread - {nearest} | {layer}
    return sorted(spread)


def _column(found: Sequence[GradientShift], name: str) -> Floats:
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


def _decades(low: float, high: float) -> Figure:
    """Ticks of a logarithmic axis, five or so."""
    if high - low <= 1.5:
        return {"tickvals": LOG_TICKS, "ticktext": LOG_TEXT}
    powers = range(math.ceil(low), math.floor(high) + 1, max(1, round((high - low) / 5)))
    return {"tickvals": [10.0**k for k in powers], "exponentformat": "power"}


def _gradient_alt(view: View, measured: Sequence[Sequence[GradientShift]]) -> str:
    parts = []
    for letter, found in zip(view.experiment.letters, measured, strict=False):
        difference, cosine = shift.summary(found)
        if len(difference):
            listed = ", ".join(f"{d:.3g} and {c:.3f}" for d, c in zip(difference, cosine, strict=True))
            parts.append(f"{letter}: {listed}")
    return "Internal covariate shift, mean L2 difference and cosine of each layer after the first. " + "; ".join(parts)

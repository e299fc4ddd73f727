"""Covariate shift in numbers: percentiles of one unit, drift of the distributions, shift of the gradients."""

import math
from collections.abc import Sequence

import numpy as np

from bnviz.analysis import shift
from bnviz.analysis.gradient_shift import mean_gradient_shift
from bnviz.analysis.shift import Since
from bnviz.experiment.naming import network_names
from bnviz.figures.inference import calm_range
from bnviz.figures.logarithmic import log_axis
from bnviz.figures.style import (
    Figure,
    axis,
    colored,
    colored_letter,
    faded,
    layout,
    line,
    network_color,
    nice_ceiling,
    steps_until,
)
from bnviz.records.answers import GradientShift
from bnviz.records.frames import PERCENTILES, Floats
from bnviz.records.history import View
from bnviz.wording import decimals

POINTED = 40  # points of a line that are drawn as such, at most
MOST_LAYERS = 6  # panels; of a deeper network, so many layers from the first to the last
MEASURES = {
    "distance": ("Wasserstein-1 distance", "W₁"),
    "relative": ("W₁ in standard deviations", "W₁ / σ"),
    "mean": ("drift of the mean", "Δμ"),
    "variance": ("drift of the variance", "Δσ²"),
}


def unit_percentiles(view: View, *, layer: int, unit: int, until: int | None = None) -> Figure:
    """15th, 50th and 85th percentile of one unit's input over the steps, as in figure 1 of Ioffe and Szegedy 2015."""
    bands: list[Figure] = []
    medians: list[Figure] = []
    everything, words, missing = [], [], []
    for i, letter in enumerate(view.experiment.letters):
        steps, found = shift.unit_percentiles(view, i, layer, unit)
        if not len(steps):
            missing.append(f"{colored_letter(view.experiment, i)}: nothing kept of such a unit")
        everything.append(found)
        hovers = [f"{letter}, {q}th percentile<br>step %{{x:,.0f}}<br>%{{y:.2f}}<extra></extra>" for q in PERCENTILES]
        low, middle, high = (
            line(steps, found[:, k], network_color(view.experiment, i), f"{letter} {q}", hovertemplate=hovers[k])
            for k, q in enumerate(PERCENTILES)
        )
        low["line"] = high["line"] = {"color": network_color(view.experiment, i), "width": 1}
        bands += [low, high | {"fill": "tonexty", "fillcolor": faded(network_color(view.experiment, i), 0.14)}]
        medians.append(_pointed(middle, len(steps), network_color(view.experiment, i)))
        lost = view.latest is not None and view.latest.variants[i].diverged
        if lost:
            missing.append(f"{colored_letter(view.experiment, i)} diverged: its values are no numbers")
        elif len(steps) and np.isfinite(found[-1]).all():
            words.append(f"{colored_letter(view.experiment, i)}: {', '.join(map(decimals, found[-1]))}")
    values = np.concatenate([each.ravel() for each in everything])
    told = f"; now {', '.join(words)}" if words else ""
    alt = f"Percentiles of the input of unit {unit + 1} of layer {layer + 1} over the steps"
    shape = layout(
        alt,
        340,
        [f"unit {unit + 1}, {PERCENTILES[0]}th, {PERCENTILES[1]}th, {PERCENTILES[2]}th percentile{told}", *missing],
        xaxis=steps_until(until or view.experiment.training.steps),
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
            drawn = line(
                found.steps, values, network_color(view.experiment, i), letter, hovertemplate=hover, yaxis=f"y{suffix}"
            )
            data.append(_pointed(drawn, len(values), network_color(view.experiment, i)))
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
    x = steps_until(until or view.experiment.training.steps) | {"anchor": f"y{last}"}
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
        means = mean_gradient_shift(found)
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
            marker = {"size": sizes_of.tolist(), "color": faded(network_color(view.experiment, i), 0.75)}
            data.append(
                line(
                    x,
                    y,
                    faded(network_color(view.experiment, i), 0.45),
                    letter,
                    line={"width": 1},
                    hovertemplate=hover,
                    **axes,
                )
            )
            data[-1] |= {"mode": "lines+markers", "marker": marker}
            across = np.array([edge for k in range(depth) for edge in (k + 1.6, k + 2.4, math.nan)])
            level = np.repeat(mean, 3) if len(mean) else np.full(len(across), math.nan)
            average = f"{letter}, mean of {len(found)}<br>{what}<extra></extra>"
            data.append(
                line(
                    across,
                    level,
                    network_color(view.experiment, i),
                    f"{letter} mean",
                    line={"width": 3},
                    hovertemplate=average,
                    **axes,
                )
            )
    positive = np.concatenate(sizes) if sizes else np.empty(0)
    bounds = [-4.0, 0.0]
    if len(positive):
        low_high = math.log10(positive.min()) - 0.2, math.log10(positive.max()) + 0.2
        bounds = [math.floor(2 * low_high[0]) / 2, math.ceil(2 * low_high[1]) / 2]
    every = 1 + (columns - 1) // 10
    named = range(2, columns + 1, every)
    labels = [f"layer {k}" if columns <= 6 else f"{k}" for k in named if columns + 1 - k >= every] + ["output"]
    low = 1 - nice_ceiling(1 - smallest) if smallest < 1 else 0.99
    times = max((len(found) for found in measured), default=0)
    words = ["measuring …"]
    if times:
        points = "the one measurement" if times == 1 else f"{times} measurements, early at the left, the newest large"
        words = [f"{_letters(view)}; points: {points}; bars: the mean"]
    shape = layout(
        _gradient_alt(view, measured),
        400,
        words,
        xaxis=axis(
            "layer (each column from step 0 to the end)" if columns <= 6 else "layer",
            tickvals=[k for k in named if columns + 1 - k >= every] + [columns + 1],
            ticktext=labels,
            tickangle=0,
            range=[1.45, columns + 1.55],
            showgrid=False,
            anchor="y2",
        ),
        yaxis=axis(
            "L2 difference",
            domain=[0.54, 1],
            **log_axis(*bounds),
        ),
        yaxis2=axis("cosine", range=[low - (1 - low) * 0.05, 1 + (1 - low) * 0.05], domain=[0, 0.46], nticks=4),
    )
    return {"data": data, "layout": shape}


def _bounds(values: Floats) -> list[float]:
    """A calm range, also around values that are all the same."""
    low, high = calm_range(values)
    return [low, high] if low < high else [low, low + 0.1]


def _pointed(drawn: Figure, count: int, color: str) -> Figure:
    """A line with its points, while they are few: a point costs the browser as much as a line."""
    if count > POINTED:
        return drawn | {"name": f"{drawn['name']} (line)"}  # under another name, so that the chart is drawn anew
    return drawn | {"mode": "lines+markers", "marker": {"size": 4, "color": color}}


def _letters(view: View) -> str:
    return ", ".join(
        colored(name, network_color(view.experiment, i)) for i, name in enumerate(network_names(view.experiment))
    )


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


def _gradient_alt(view: View, measured: Sequence[Sequence[GradientShift]]) -> str:
    parts = []
    for letter, found in zip(view.experiment.letters, measured, strict=False):
        difference, cosine = mean_gradient_shift(found)
        if len(difference):
            listed = ", ".join(f"{d:.3g} and {c:.3f}" for d, c in zip(difference, cosine, strict=True))
            parts.append(f"{letter}: {listed}")
    return "Internal covariate shift, mean L2 difference and cosine of each layer after the first. " + "; ".join(parts)

"""Covariate shift in numbers: percentiles of one unit, and how far the distributions of layers have moved."""

import numpy as np

from bnviz.analysis import shift
from bnviz.analysis.shift import Since
from bnviz.experiment.wording import decimals, listed
from bnviz.figures.style import (
    Figure,
    axis,
    axis_suffix,
    calm_range,
    faded,
    layout,
    line,
    network_looks,
    steps_until,
)
from bnviz.records.frames import PERCENTILES, Floats
from bnviz.records.history import View

__all__ = ["distribution_shift", "unit_percentiles"]

POINTED = 40  # points of a line that are drawn as such, at most
MOST_LAYERS = 6  # panels; of a deeper network, so many layers from the first to the last
PANEL_GAP = 0.05  # between two of them, of the height of all
MEASURES = {
    "distance": ("Wasserstein-1 distance", "W₁"),
    "relative": ("W₁ in standard deviations", "W₁ / σ"),
    "mean": ("drift of the mean", "Δμ"),
    "variance": ("drift of the variance", "Δσ²"),
}


def unit_percentiles(view: View, *, layer: int, unit: int, until: int | None = None) -> Figure:
    """Draw the 15th, 50th and 85th percentile of one unit's input over the steps (Ioffe and Szegedy 2015, figure 1).

    until: the last step that the axis of steps has room for.
    """
    bands: list[Figure] = []
    medians: list[Figure] = []
    everything, now, missing = [], [], []
    for look in network_looks(view.experiment):
        steps, found = shift.unit_percentiles(view, look.place, layer, unit)
        everything.append(found.ravel())
        low, middle, high = (
            line(
                steps,
                found[:, k],
                look.color,
                f"{look.letter} {q}",
                hovertemplate=f"{look.name}, {q}th percentile<br>step %{{x:,.0f}}<br>%{{y:.2f}}<extra></extra>",
            )
            for k, q in enumerate(PERCENTILES)
        )
        low["line"] = high["line"] = {"color": look.color, "width": 1}
        bands += [low, high | {"fill": "tonexty", "fillcolor": faded(look.color, 0.14)}]
        medians.append(_pointed(middle, len(steps), look.color))
        if not len(steps):
            missing.append(f"{look.html}: nothing kept of such a unit")
        if view.latest is not None and view.latest.variants[look.place].diverged:
            missing.append(f"{look.html} diverged: its values are no numbers")
        elif len(steps) and np.isfinite(found[-1]).all():
            now.append(f"{look.html}: {', '.join(map(decimals, found[-1]))}")
    words = f"unit {unit + 1}, {listed([f'{q}th' for q in PERCENTILES])} percentile"
    shape = layout(
        f"Percentiles of the input of unit {unit + 1} of layer {layer + 1} over the steps",
        340,
        ["; now ".join([words, *([", ".join(now)] if now else [])]), *missing],
        xaxis=steps_until(until or view.experiment.training.steps),
        yaxis=axis("input of the activation", range=_bounds(np.concatenate(everything))),
    )
    return {"data": bands + medians, "layout": shape}


def distribution_shift(
    view: View, *, place: str, measure: str, since: Since, layer: int = 0, until: int | None = None
) -> Figure:
    """Draw one measure of the drift over the steps, one panel per layer and one line per network, on the same axes.

    measure: of MEASURES. until: the last step that the axis of steps has room for.
    """
    layers = _shown_layers(view, layer)
    title, symbol = MEASURES[measure]
    data: list[Figure] = []
    everything: list[Floats] = [np.zeros(1)]
    for row, number in enumerate(layers):
        for look in network_looks(view.experiment):
            found = shift.drift(view, look.place, number, place, since)
            values = getattr(found, measure)
            everything.append(values)
            hover = f"{look.name}, layer {number + 1}<br>step %{{x:,.0f}}<br>{symbol} %{{y:.3g}}<extra></extra>"
            drawn = line(
                found.steps, values, look.color, look.letter, hovertemplate=hover, yaxis=f"y{axis_suffix(row)}"
            )
            data.append(_pointed(drawn, len(values), look.color))
    reference = "the kept frame before" if since == "before" else "the first frame"
    names = ", ".join(look.html for look in network_looks(view.experiment))
    words = [f"{title}, against {reference}: {names}"]
    if not any(len(values) for values in everything[1:]):
        words.append("nothing to compare yet: train, and it appears")
    shape = layout(
        f"{title} of the {shift.PLACES[place]} over the steps, layers {', '.join(str(n + 1) for n in layers)}",
        340 if len(layers) == 1 else 70 + 130 * len(layers),
        words,
        xaxis=steps_until(until or view.experiment.training.steps) | {"anchor": f"y{axis_suffix(len(layers) - 1)}"},
        **_rows([f"{symbol}, layer {number + 1}" for number in layers], _bounds(np.concatenate(everything))),
    )
    return {"data": data, "layout": shape}


def _rows(titles: list[str], bounds: list[float]) -> Figure:
    """Vertical axes of panels above one another."""
    gap = PANEL_GAP if len(titles) > 1 else 0.0
    each = (1 - gap * (len(titles) - 1)) / len(titles)
    tops = [1 - row * (each + gap) for row in range(len(titles))]
    return {
        f"yaxis{axis_suffix(row)}": axis(
            title, range=bounds, domain=[max(tops[row] - each, 0), tops[row]], nticks=5, zeroline=True
        )
        for row, title in enumerate(titles)
    }


def _bounds(values: Floats) -> list[float]:
    """A calm range, also around values that are all the same."""
    low, high = calm_range(values)
    return [low, high] if low < high else [low, low + 0.1]


def _pointed(drawn: Figure, count: int, color: str) -> Figure:
    """A line with its points, while they are few: a point costs the browser as much as a line."""
    if count > POINTED:
        return drawn | {"name": f"{drawn['name']} (line)"}  # under another name, so that the chart is drawn anew
    return drawn | {"mode": "lines+markers", "marker": {"size": 4, "color": color}}


def _shown_layers(view: View, layer: int) -> list[int]:
    """The layers with a panel: all, or of a deep network some from the first to the last, the chosen one among them."""
    depth = max((len(v.layers) for v in view.latest.variants), default=1) if view.latest else 1
    if depth <= MOST_LAYERS:
        return list(range(depth))
    spread = {round(k) for k in np.linspace(0, depth - 1, MOST_LAYERS)}
    if layer not in spread:
        nearest = min(spread - {0, depth - 1}, key=lambda k: abs(k - layer))
        spread = spread - {nearest} | {layer}
    return sorted(spread)

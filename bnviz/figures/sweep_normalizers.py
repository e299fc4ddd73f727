"""A sweep over normalizers: one curve each along another setting, or one mark each."""

import numpy as np

from bnviz.experiment.settings import NONE, Value
from bnviz.experiment.sweep import BATCH, Axis, Sweep
from bnviz.figures.style import (
    Figure,
    axis,
    color_of,
    colored,
    layout,
    nice_ceiling,
    typed,
)
from bnviz.figures.sweep_marks import along, mark, ordered, spacing
from bnviz.records.frames import Floats
from bnviz.records.sweep import METRICS, Metric, SweepResults, cells

__all__ = ["sweep_normalizers"]

TOP_LOSS = 3.0  # nats: a little more than ln 10; what is above is off the picture
# Marks tell those apart that share a colour: Plotly's symbol, and the same for the words above.
MARKS = {
    NONE: ("circle", "●"),
    BATCH: ("circle", "●"),
    "layer": ("square", "■"),
    "group": ("diamond", "◆"),
    "instance": ("cross", "✚"),
    "rms": ("triangle-up", "▲"),
    "weight": ("star", "★"),
}


def normalizer_color(kind: str, place: int = 1) -> str:
    """Return orange for none, blue for batchnorm, violet for another. place: among the others, for its shade."""
    return color_of(normalized={NONE: False, BATCH: True}.get(kind), place=None if kind in (NONE, BATCH) else place)


def sweep_normalizers(sweep: Sweep, found: SweepResults, metric: Metric, current: Value | None = None) -> Figure:
    """Draw the mean over the seeds, with its standard deviation, of every normalizer on its axis.

    current: the value of the live lab on the other axis, which is marked if it lies there. Networks that diverged have
    no mark.
    """
    percent = 100 if metric == "test_accuracy" else 1
    of, other = cells(sweep, found, metric), sweep.other_axis
    place = sweep.place_of_kinds
    mean, spread = (percent * np.moveaxis(values[..., 0], place, 0) for values in (of.mean, of.deviation))
    names = sweep.axes[place].labels
    data, words = [], []
    for k, kind in enumerate(sweep.kinds):
        color = normalizer_color(kind, k % 5)
        at = [names[k]] if other is None else along(other)
        values, error = (v[k] if other is None else v[k][ordered(other)] for v in (mean, spread))
        data.append(_curve(at, np.atleast_1d(values), np.atleast_1d(error), kind, names[k], color, sweep.seeds))
        words.append(colored(f"{MARKS[kind][1]} {names[k]}", color))
    known = mean[np.isfinite(mean)]
    top = 100.0 if percent > 1 else min(nice_ceiling(float(known.max(initial=0.1))), TOP_LOSS)
    lost = f"; diverged: {int(of.diverged.sum())}" if of.diverged.any() else ""
    best = f"from {known.min():.3g} to {known.max():.3g}" if known.size else "nothing known yet"
    by = "normalizer" if other is None else f"{other.setting.title.lower()}, a curve for each normalizer"
    marked = {} if other is None else mark(other, current)
    return {
        "data": data,
        "layout": layout(
            f"{METRICS[metric].capitalize()} by {by}: {best}{lost}",
            420,
            [" &ensp; ".join(words) + lost],
            xaxis=axis("normalizer" if other is None else other.setting.title.lower(), **_spacing(other)),
            yaxis=axis(METRICS[metric] + (" (%)" if percent > 1 else " (nats)"), range=[0, top]),
            **marked,
        ),
    }


def _spacing(other: Axis | None) -> Figure:
    return {"type": "category"} if other is None else spacing(other)


def _curve(
    at: list[float] | list[str], values: Floats, error: Floats, kind: str, name: str, color: str, seeds: int
) -> Figure:
    spread = {"error_y": {"type": "data", "array": typed(error), "thickness": 1, "width": 3}} if seeds > 1 else {}
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": at,
        "y": typed(values),
        "name": name,
        "line": {"color": color, "width": 2},
        "marker": {"symbol": MARKS[kind][0], "size": 9, "color": color},
        "hovertemplate": f"{name}, %{{x}}: %{{y:.4f}}<extra></extra>",
        **spread,
    }

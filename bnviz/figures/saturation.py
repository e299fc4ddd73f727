"""How saturated the units of one hidden layer are, a row of bars for each network."""

import numpy as np

from bnviz.experiment.choices import BOUNDED_OUTPUTS
from bnviz.experiment.config import Experiment
from bnviz.experiment.naming import network_names
from bnviz.experiment.wording import percent
from bnviz.figures.layer_rows import colored_name, networks_with, row_domain, words_for_others
from bnviz.figures.style import (
    Figure,
    axis,
    axis_suffix,
    layout,
    network_color,
    nice_ceiling,
    typed,
    unit_of,
)
from bnviz.records.frames import PROBED, Frame, LayerFrame

__all__ = ["saturation_bars"]

BARS = {"sorted": "saturated, sorted", "saturated": "saturated, by unit", "mean": "mean output"}


def saturation_bars(frame: Frame, experiment: Experiment, *, layer: int, bars: str) -> Figure:
    """Draw one bar per unit: the share of the probe digits at which it is saturated, or its mean output over them.

    bars: of BARS; sorted means the most saturated unit first, else unit by unit.
    """
    rows = networks_with(frame, layer)
    bounds = [0.0, 100.0] if bars != "mean" else _mean_bounds(rows, experiment)
    title = "mean output" if bars == "mean" else "digits (%)"
    data: list[Figure] = []
    axes: Figure = {}
    for row, (i, found) in enumerate(rows):
        suffix = axis_suffix(row)
        data.append(_bars(found, bars, network_names(experiment)[i], network_color(experiment, i)))
        data[-1]["yaxis"] = f"y{suffix}"
        axes[f"yaxis{suffix}"] = axis(
            title if len(rows) <= 3 else "", domain=row_domain(row, len(rows)), range=bounds, nticks=4, zeroline=True
        )
    widest = max((len(found.mean) for _, found in rows), default=1)
    order = ", the most saturated first" if bars == "sorted" else ""
    name = f"{unit_of(experiment, layer)}s of layer {layer + 1}{order}"
    axes["xaxis"] = axis(name, range=[0.4, widest + 0.6], anchor=f"y{axis_suffix(max(len(rows) - 1, 0))}")
    words = [_told(frame, experiment, i, found, layer) for i, found in rows if not frame.variants[i].diverged]
    words += words_for_others(frame, experiment, layer)
    height = max(300, 60 + 105 * len(rows))
    return {"data": data, "layout": layout(_alt(frame, experiment, layer), height, words, bargap=0.15, **axes)}


def _bars(found: LayerFrame, bars: str, name: str, color: str) -> Figure:
    values = found.mean if bars == "mean" else found.saturated * 100
    value = "mean output %{y:.2f}" if bars == "mean" else "saturated at %{y:.0f} % of digits"
    unit = "%{x}" if bars != "sorted" else "number %{x} by saturation"
    return {
        "type": "bar",
        "x0": 1,
        "dx": 1,
        "y": typed(np.sort(values)[::-1] if bars == "sorted" else values),
        "marker": {"color": color, "line": {"width": 0}},
        "xaxis": "x",
        "hovertemplate": f"{name}, unit {unit}<br>{value}<extra></extra>",
    }


def _told(frame: Frame, experiment: Experiment, i: int, found: LayerFrame, layer: int) -> str:
    """Say in one line how much of a network's layer is saturated, and how many units are dead."""
    share = f'<b class="bnviz-share">{percent(found.saturated.mean(), 0)}</b>'
    dead = f", {found.dead} of {len(found.mean)} {unit_of(experiment, layer)}s dead" if found.dead else ""
    return f"{colored_name(experiment, i)} {share} saturated{dead}"


def _mean_bounds(rows: list[tuple[int, LayerFrame]], experiment: Experiment) -> list[float]:
    if all(experiment.variants[i].network.activation in BOUNDED_OUTPUTS for i, _ in rows):
        return [-1.0, 1.0]
    largest = [np.abs(found.mean).max(initial=0, where=np.isfinite(found.mean)) for _, found in rows]
    limit = nice_ceiling(max(largest, default=1.0))
    return [-limit, limit]


def _alt(frame: Frame, experiment: Experiment, layer: int) -> str:
    unit = unit_of(experiment, layer)
    parts = [
        f"{network_names(experiment)[i]}: {percent(found.saturated.mean(), 0)} of outputs saturated, {found.dead} dead "
        f"{unit}s"
        for i, found in networks_with(frame, layer)
    ]
    return f"Saturation of layer {layer + 1} over {PROBED} at step {frame.step}: " + "; ".join(parts)

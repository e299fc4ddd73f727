"""The whole network in one chart: one strip per layer, one cell per neuron or, after a convolution, per channel."""

import numpy as np

from bnviz.experiment.choices import BOUNDED_OUTPUTS
from bnviz.experiment.config import Experiment
from bnviz.experiment.naming import network_names
from bnviz.experiment.wording import percent
from bnviz.figures.style import (
    GUIDE,
    Figure,
    axis,
    axis_suffix,
    color_bar,
    layout,
    nice_ceiling,
    note,
    title_of,
    typed,
    unit_of,
)
from bnviz.records.frames import Floats, Frame

__all__ = ["network_map"]

HEAD, GAP, FOOT = 26, 12, 84  # pixels: a variant's title, the room below its strips, axis title and colour bar


def network_map(frame: Frame, experiment: Experiment, *, quantity: str, layer: int) -> Figure:
    """Draw each network's layers from top to bottom, coloured by mean output ("mean") or by share ("saturated").

    `layer`, counted from 0, is framed. Cells carry their layer, from 1, as y: a click picks it.
    """
    rows = [len(v.layers) for v in frame.variants]
    strip = max(11, min(30, 220 // max(rows)))
    heights = [HEAD + GAP + strip * count for count in rows]
    total = sum(heights)
    data: list[Figure] = []
    annotations, shapes = [], []
    axes: Figure = {}
    units = " or ".join(dict.fromkeys(unit_of(experiment, k) for k in range(max(rows))))
    names = network_names(experiment)
    for i, variant in enumerate(frame.variants):
        suffix = axis_suffix(i)
        above = sum(heights[:i]) + HEAD
        domain = [max(1 - (above + strip * rows[i]) / total, 0), 1 - above / total]
        cells = _cells([getattr(found, quantity) for found in variant.layers])
        shown = cells if quantity == "mean" else cells * 100
        data.append(_strips(shown, suffix, names[i], quantity))
        last = i == len(rows) - 1  # its axis stands for all
        axes |= _axes(suffix, cells.shape, domain, unit=units if last else "", named=strip * rows[i] > 50)
        annotations.append(note(title_of(experiment, i), 0, domain[1], yanchor="bottom", yshift=2))
        if layer < rows[i]:
            shapes.append(_frame_of(layer, len(variant.layers[layer].mean), suffix))
    margin = {"l": 56, "r": 14, "t": 0, "b": FOOT}
    figure_layout = layout(_alt(frame, experiment), total + FOOT, margin=margin, annotations=annotations, shapes=shapes)
    figure_layout["meta"]["scale"] = "diverging" if quantity == "mean" else "sequential"  # coloured by the theme
    limits = (
        {"cmin": -(top := _limit(frame, experiment)), "cmax": top} if quantity == "mean" else {"cmin": 0, "cmax": 100}
    )
    title = "mean output" if quantity == "mean" else "saturated (%)"
    figure_layout["coloraxis"] = limits | {"colorbar": color_bar(title, nticks=5)}
    return {"data": data, "layout": figure_layout | axes}


def _cells(layers: list[Floats]) -> Floats:
    """(layers, units of the widest), NaN in place of the units that a narrower layer lacks."""
    cells = np.full((len(layers), max(map(len, layers))), np.nan)
    for row, values in zip(cells, layers, strict=True):
        row[: len(values)] = values
    return cells


def _strips(cells: Floats, suffix: str, name: str, quantity: str) -> Figure:
    value = "mean output %{z:.2f}" if quantity == "mean" else "%{z:.0f} % of digits saturated"
    return {
        "type": "heatmap",
        "z": typed(cells),
        "x0": 1,
        "dx": 1,
        "y0": 1,
        "dy": 1,
        "xaxis": f"x{suffix}",
        "yaxis": f"y{suffix}",
        "coloraxis": "coloraxis",
        "xgap": 1 if cells.shape[1] <= 160 else 0,
        "ygap": 1,
        "hovertemplate": f"{name}, layer %{{y}}, unit %{{x}}<br>{value}<extra></extra>",
    }


def _axes(suffix: str, shape: tuple[int, ...], domain: list[float], *, unit: str, named: bool) -> Figure:
    rows, units = shape
    x = axis(unit, anchor=f"y{suffix}", showgrid=False, showticklabels=bool(unit), range=[0.5, units + 0.5])
    y = axis(
        "layer" if named else "",
        anchor=f"x{suffix}",
        domain=domain,
        range=[rows + 0.5, 0.5],
        tickvals=list(range(1, rows + 1)) if rows <= 10 else [1, *range(5, rows + 1, 5)],
        showgrid=False,
        fixedrange=True,
    )
    return {f"xaxis{suffix}": x, f"yaxis{suffix}": y}


def _limit(frame: Frame, experiment: Experiment) -> float:
    """±1 for bounded activations; else a calm ceiling of what the frame shows, the same for every variant."""
    if all(v.network.activation in BOUNDED_OUTPUTS for v in experiment.variants):
        return 1.0
    largest = [
        np.abs(found.mean).max(initial=0, where=np.isfinite(found.mean)) for v in frame.variants for found in v.layers
    ]
    return nice_ceiling(max(largest, default=1.0))


def _frame_of(layer: int, units: int, suffix: str) -> Figure:
    return {
        "type": "rect",
        "xref": f"x{suffix}",
        "yref": f"y{suffix}",
        "x0": 0.5,
        "x1": units + 0.5,
        "y0": layer + 0.5,
        "y1": layer + 1.5,
        "line": {"width": 2, "color": GUIDE},
        "fillcolor": "rgba(0,0,0,0)",
    }


def _alt(frame: Frame, experiment: Experiment) -> str:
    parts = []
    for name, variant in zip(network_names(experiment), frame.variants, strict=True):
        shares = ", ".join(percent(found.saturated.mean(), 0) for found in variant.layers)
        parts.append(f"{name} has {shares} of its outputs saturated, layer by layer")
    return f"Network map at step {frame.step}: " + "; ".join(parts)

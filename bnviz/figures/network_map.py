"""The whole network in one picture: a strip a layer, a cell a neuron."""

import numpy as np

from bnviz.config import Experiment
from bnviz.figures.style import Figure, axis, layout, nice_ceiling, note, title_of, typed
from bnviz.records import BOUNDED, Frame

HEAD, GAP = 26, 12  # pixels above a variant's strips, for its title, and below them


def network_map(frame: Frame, experiment: Experiment, *, quantity: str, layer: int) -> Figure:
    """Each variant's layers from top to bottom, coloured by mean post-activation or by saturated share.

    `layer`, counted from 0, is framed. Cells carry their layer, from 1, as y: a click picks it.
    """
    rows = [len(v.layers) for v in frame.variants]
    strip = max(11, min(30, 220 // max(rows)))
    heights = [HEAD + GAP + strip * count for count in rows]
    foot = 84
    total = sum(heights)
    limit = _limit(frame, experiment) if quantity == "mean" else 1.0
    data: list[Figure] = []
    figure_layout = layout(_alt(frame, experiment), total + foot, margin={"l": 56, "r": 14, "t": 0, "b": foot})
    annotations, shapes, above = [], [], 0.0
    for i, variant in enumerate(frame.variants):
        top, bottom = 1 - (above + HEAD) / total, 1 - (above + HEAD + strip * rows[i]) / total
        above += heights[i]
        suffix = "" if i == 0 else str(i + 1)
        cells = np.array([getattr(found, quantity) for found in variant.layers])
        last = i == len(frame.variants) - 1
        data.append(
            {
                "type": "heatmap",
                "z": typed(cells * (1 if quantity == "mean" else 100)),
                "x0": 1,
                "dx": 1,
                "y0": 1,
                "dy": 1,
                "xaxis": f"x{suffix}",
                "yaxis": f"y{suffix}",
                "coloraxis": "coloraxis",
                "xgap": 1 if cells.shape[1] <= 160 else 0,
                "ygap": 1,
                "hovertemplate": _hover(experiment.letters[i], quantity),
            }
        )
        figure_layout[f"xaxis{suffix}"] = axis(
            "neuron" if last else "",
            anchor=f"y{suffix}",
            showgrid=False,
            showticklabels=last,
            range=[0.5, cells.shape[1] + 0.5],
        )
        figure_layout[f"yaxis{suffix}"] = axis(
            "layer" if strip * rows[i] > 50 else "",
            anchor=f"x{suffix}",
            domain=[max(bottom, 0), top],
            range=[rows[i] + 0.5, 0.5],
            tickvals=_ticks(rows[i]),
            showgrid=False,
            fixedrange=True,
        )
        annotations.append(note(title_of(experiment, i), 0, top, yanchor="bottom", yshift=2))
        if layer < rows[i]:
            shapes.append(_frame_of(layer, cells.shape[1], suffix))
    scale, title = ("diverging", "mean output") if quantity == "mean" else ("sequential", "saturated (%)")
    figure_layout["meta"]["scale"] = scale  # its colours belong to the light or dark theme
    figure_layout["coloraxis"] = {
        "cmin": -limit if quantity == "mean" else 0,
        "cmax": limit if quantity == "mean" else 100,
        "colorbar": {
            "title": {"text": title, "side": "top"},
            "orientation": "h",
            "thickness": 8,
            "len": 0.5,
            "x": 0.5,
            "yref": "container",
            "y": 0,
            "yanchor": "bottom",
            "ypad": 0,
            "outlinewidth": 0,
            "nticks": 5,
        },
    }
    return {"data": data, "layout": figure_layout | {"annotations": annotations, "shapes": shapes}}


def _limit(frame: Frame, experiment: Experiment) -> float:
    """±1 for bounded activations; else a calm ceiling of what the frame shows, the same for every variant."""
    if all(v.network.activation in BOUNDED for v in experiment.variants):
        return 1.0
    largest = [
        np.abs(found.mean).max(initial=0, where=np.isfinite(found.mean)) for v in frame.variants for found in v.layers
    ]
    return nice_ceiling(max(largest, default=1.0))


def _hover(letter: str, quantity: str) -> str:
    value = "mean output %{z:.2f}" if quantity == "mean" else "%{z:.0f} % of digits saturated"
    return f"{letter}, layer %{{y}}, neuron %{{x}}<br>{value}<extra></extra>"


def _ticks(rows: int) -> list[int]:
    return list(range(1, rows + 1)) if rows <= 10 else [1, *range(5, rows + 1, 5)]


def _frame_of(layer: int, units: int, suffix: str) -> Figure:
    return {
        "type": "rect",
        "xref": f"x{suffix}",
        "yref": f"y{suffix}",
        "x0": 0.5,
        "x1": units + 0.5,
        "y0": layer + 0.5,
        "y1": layer + 1.5,
        "line": {"width": 2, "color": "#8A9099"},
        "fillcolor": "rgba(0,0,0,0)",
    }


def _alt(frame: Frame, experiment: Experiment) -> str:
    parts = []
    for letter, variant in zip(experiment.letters, frame.variants, strict=True):
        shares = ", ".join(f"{found.saturated.mean():.0%}" for found in variant.layers)
        parts.append(f"{letter} has {shares} of its outputs saturated, layer by layer")
    return f"Network map at step {frame.step}: " + "; ".join(parts)

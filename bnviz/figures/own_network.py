"""A watched network of the user's own: its layers in one chart, its loss, one layer's values, gradients, statistics."""

from html import escape

import numpy as np
import numpy.typing as npt

from bnviz.figures.logarithmic import drawable, log_axis
from bnviz.figures.style import (
    ACCENTS,
    GUIDE,
    Figure,
    axis,
    color_bar,
    color_of,
    layout,
    line,
    nice_ceiling,
    outline,
    steps_until,
    swatch,
    typed,
)
from bnviz.records.own_network import BINS, Floats, LayerLook, Look, Network, NormalizationLook
from bnviz.records.watched_run import WatchedRun

__all__ = [
    "own_network_gradients",
    "own_network_histogram",
    "own_network_loss",
    "own_network_map",
    "own_network_saturation",
    "own_network_statistics",
]

REACH, MAP_CELLS = 3.0, 48  # of the map: standard deviations to each side, cells
MOST_NAMED = 24  # layers whose names stand beside the map
LONGEST_NAME = 18  # letters
MAP_HEIGHT, FOOT = (150, 560), 84
BATCH, POPULATION = ACCENTS[0], ACCENTS[2]


def _color(network: Network) -> str:
    return color_of(normalized=any(n.normalization and n.normalization.over_batch for n in network.layers))


def _decades(values: npt.ArrayLike) -> Figure:
    """A logarithmic axis around all positive values."""
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known) & (known > 0)]
    low, high = (float(np.log10(end(known))) for end in (np.min, np.max)) if known.size else (-2.0, 1.0)
    return log_axis(low - 0.15, high + 0.15)


def _short(name: str) -> str:
    return escape(name if len(name) <= LONGEST_NAME else "…" + name[1 - LONGEST_NAME :])


def own_network_map(network: Network, look: Look, layer: int) -> Figure:
    """Draw a strip for each layer, first to last: how its outputs are spread, in its own standard deviations.

    `layer`, counted from 0, is framed. Cells carry their layer, from 1, as y: a click picks it.
    """
    rows = len(network.layers)
    height = int(np.clip(20 * rows, *MAP_HEIGHT))
    cells = np.stack([_spread(found) for found in look.layers])
    data = [
        {
            "type": "heatmap",
            "z": typed(cells),
            "x0": -REACH + REACH / MAP_CELLS,
            "dx": 2 * REACH / MAP_CELLS,
            "y0": 1,
            "dy": 1,
            "coloraxis": "coloraxis",
            "ygap": 1 if rows <= 60 else 0,
            "hovertemplate": "layer %{y}<br>%{z:.0f} % of the values at %{x:.1f} σ<extra></extra>",
        }
    ]
    named = rows <= MOST_NAMED
    every = 1 if named else max(1, rows // 10)
    ticks = list(range(1, rows + 1, every))
    words = [_short(network.layers[tick - 1].name) for tick in ticks] if named else [str(tick) for tick in ticks]
    y = axis("" if named else "layer", range=[rows + 0.5, 0.5], tickvals=ticks, ticktext=words, showgrid=False)
    x = axis("output − its mean, in σ", range=[-REACH, REACH], showgrid=False)
    frame = {"type": "rect", "x0": -REACH, "x1": REACH, "y0": layer + 0.5, "y1": layer + 1.5}
    alt = f"Network map at step {look.step}: {rows} layers, each with the spread of its outputs"
    chosen = network.layers[layer]
    drawn = layout(
        alt,
        height + FOOT,
        [f"layer {layer + 1} is {escape(chosen.name)} · {escape(chosen.module)}"],
        margin={"l": 130 if named else 56, "r": 14, "t": 4, "b": FOOT},
        shapes=[frame | {"line": {"width": 2, "color": GUIDE}, "fillcolor": "rgba(0,0,0,0)"}],
        xaxis=x,
        yaxis=y | {"fixedrange": True},
        coloraxis={"cmin": 0, "cmax": 25, "colorbar": color_bar("% of the values", nticks=5)},
    )
    drawn["meta"]["scale"] = "sequential"
    return {"data": data, "layout": drawn}


def _spread(found: LayerLook) -> Floats:
    """The share of a layer's values in each cell of its strip, in per cent; what lies beyond is not in it."""
    total = found.counts.sum()
    if not total or not found.std > 0 or not np.isfinite(found.std):
        return np.full(MAP_CELLS, np.nan)
    edges = (np.linspace(found.low, found.high, BINS + 1) - found.mean) / found.std
    below = np.concatenate([[0], np.cumsum(found.counts)]) / total
    shares: Floats = np.diff(np.interp(np.linspace(-REACH, REACH, MAP_CELLS + 1), edges, below)) * 100
    return shares


def own_network_loss(run: WatchedRun, network: Network) -> Figure:
    """Draw the loss over the steps, each point the mean of its neighbours in a long run."""
    losses = drawable(run.losses, log=True)
    color = _color(network)
    data = [line(run.steps, losses, color, "loss", hovertemplate="loss %{y:.4g} at step %{x:,}<extra></extra>")]
    last = float(run.losses[-1]) if len(run.losses) else float("nan")
    alt = f"Loss until step {run.step}; the last one is {last:.3g}"
    y = axis("training loss") | _decades(losses)
    return {"data": data, "layout": layout(alt, 300, xaxis=steps_until(max(run.step, 1)), yaxis=y)}


def own_network_histogram(network: Network, look: Look, layer: int) -> Figure:
    """Draw the histogram of one layer's outputs, in bins that fit them."""
    found, told = look.layers[layer], network.layers[layer]
    total = max(int(found.counts.sum()), 1)
    shares = found.counts / total * 100
    data, words = [], [f"{escape(told.name)} · {escape(told.module)}"]
    if np.isfinite(found.low):
        edges = np.linspace(found.low, found.high, BINS + 1)
        data.append(outline(edges, shares, _color(network), "share"))
        words.append(f"mean {found.mean:.3g}, standard deviation {found.std:.3g}".replace("-", "−"))
    else:
        words.append("what passes through this layer is not seen")
    alt = f"Histogram of the outputs of {told.name} at step {look.step}"
    y = axis("% a bin", range=[0, nice_ceiling(float(shares.max(initial=5.0)))])
    x = axis("output") | ({"range": [found.low, found.high]} if np.isfinite(found.low) else {})
    return {"data": data, "layout": layout(alt, 300, words, xaxis=x, yaxis=y)}


def own_network_saturation(network: Network, look: Look) -> Figure:
    """Draw the saturated share of the values and the dead share of the units of every activation."""
    places = np.array([i for i, found in enumerate(network.layers, 1) if found.kind == "activation"])
    layers = [look.layers[i - 1] for i in places]
    names = [escape(network.layers[i - 1].name) for i in places]
    shares = {
        "saturated values": (ACCENTS[1], np.array([found.saturated for found in layers])),
        "dead units": (ACCENTS[3], np.array([found.dead for found in layers])),
    }
    data = [_points(places, 100 * share, names, color, name, "%{y:.0f} %") for name, (color, share) in shares.items()]
    words = [" ".join(swatch(color, name) for name, (color, _) in shares.items())]
    if not len(places):
        words = ["no activation is seen"]
    alt = f"Saturated and dead shares of {len(places)} activations at step {look.step}"
    y = axis("%", range=[-2, 102])
    return {"data": data, "layout": layout(alt, 280, words, xaxis=_layers_axis(network), yaxis=y)}


def own_network_gradients(network: Network, look: Look) -> Figure:
    """Draw, for every layer with weights, the norm of their gradient and how far a step moves them."""
    places = np.array([i for i, found in enumerate(network.layers, 1) if found.weights])
    names = [escape(network.layers[i - 1].name) for i in places]
    norms = drawable([look.layers[i - 1].gradient for i in places], log=True)
    ratios = drawable([look.layers[i - 1].update for i in places], log=True)
    told = ((ACCENTS[0], "gradient norm", norms), (ACCENTS[1], "step over spread of the weights", ratios))
    data = [_points(places, values, names, color, name, "%{y:.2g}") for color, name, values in told]
    words = [" ".join(swatch(color, name) for color, name, _ in told)]
    alt = f"Gradient norms and steps of {len(places)} layers at step {look.step}"
    y = axis("") | _decades(np.concatenate([norms, ratios]))
    return {"data": data, "layout": layout(alt, 280, words, xaxis=_layers_axis(network), yaxis=y)}


def _points(x: npt.ArrayLike, y: npt.ArrayLike, names: list[str], color: str, name: str, value: str) -> Figure:
    drawn = line(x, y, color, name, line={"width": 1.5}, hovertemplate=f"%{{text}}<br>{name} {value}<extra></extra>")
    return drawn | {"mode": "lines+markers", "marker": {"size": 5, "color": color}, "text": names}


def _layers_axis(network: Network) -> Figure:
    return axis("layer", range=[0, len(network.layers) + 1], tickformat="d", nticks=10)


def own_network_statistics(network: Network, look: Look, layer: int) -> Figure:
    """Draw mean and standard deviation of each channel: running, of the batch, and of the last batches together."""
    found, told = look.layers[layer].normalization, network.layers[layer]
    if found is None or not found.running_mean.size:
        alt = f"{told.name} has no running statistics"
        words = [f"{escape(told.name)} has no running statistics"]
        return {"data": [], "layout": layout(alt, 380, words, xaxis=axis(""), yaxis=axis(""))}
    data, deviations = [], []
    for name, color, mean, var in _statistics(found, _color(network)):
        channels = np.arange(1, len(mean) + 1)
        std = np.sqrt(np.maximum(var, 0))
        deviations.append(std)
        hover = f"{name}, channel %{{x}}: %{{y:.3g}}<extra></extra>"
        style = {"mode": "lines+markers", "marker": {"size": 5, "color": color}}
        data.append(line(channels, mean, color, name, line={"width": 1.5}, hovertemplate=hover) | style)
        data.append(
            line(channels, drawable(std, log=True), color, name, yaxis="y2", line={"width": 1.5}, hovertemplate=hover)
            | style
        )
    names = {name: color for name, color, *_ in _statistics(found, _color(network))}
    counter = "" if found.counter is None else f" · {found.counter:,} batches tracked"
    mode = "train mode" if found.training else "eval mode: frozen"
    words = [" ".join(swatch(color, name) for name, color in names.items()), f"{escape(told.name)} · {mode}{counter}"]
    alt = f"Running and batch statistics of {told.name} at step {look.step}, {len(found.running_mean)} channels"
    axes = {
        "xaxis": axis("channel", anchor="y2", tickformat="d"),
        "yaxis": axis("mean", domain=[0.55, 1]),
        "yaxis2": axis("standard deviation", domain=[0, 0.45]) | _decades(np.concatenate(deviations)),
    }
    return {"data": data, "layout": layout(alt, 380, words, **axes)}


def _statistics(found: NormalizationLook, color: str) -> list[tuple[str, str, Floats, Floats]]:
    """Name, colour, means and variances of the kinds of statistics that there are."""
    kinds = [("running", color, found.running_mean, found.running_var)]
    if len(found.batch_mean):
        kinds.append(("this batch", BATCH, found.batch_mean[-1], found.batch_var[-1]))
    if len(found.batch_mean) > 1 and found.population_mean.size:
        kinds.append(("all batches of this step", POPULATION, found.population_mean, found.population_var))
    return kinds

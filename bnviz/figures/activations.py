"""An activation function and its slope, above the inputs that it gets in one hidden layer."""

import numpy as np

from bnviz.experiment.choices import BOUNDED_OUTPUTS
from bnviz.experiment.config import Experiment
from bnviz.experiment.wording import percent
from bnviz.figures.histograms import histogram_outline
from bnviz.figures.layer_rows import colored_name, networks_with, words_for_others
from bnviz.figures.style import GUIDE, Figure, axis, faded, layout, line, network_color, nice_ceiling
from bnviz.records.frames import BINS, FLAT_SLOPE, Counts, Floats, Frame, bin_range
from bnviz.theory.activations import ACTIVATION_FUNCTIONS

__all__ = ["activation_function"]

INPUT_RANGE = 6.0  # of the picture; what lies beyond is drawn as one bar at its edge
EDGE = 0.5  # width of that bar


def activation_function(frame: Frame, experiment: Experiment, *, layer: int) -> Figure:
    """Draw the activation and its slope; under it, on the same axis, where the layer's inputs to it lie.

    Shaded: where the function is flat, its slope below FLAT_SLOPE of its steepest. The bar at either edge is the share
    of inputs that lie beyond the picture.
    """
    kinds = dict.fromkeys(experiment.variants[i].network.activation for i, _ in networks_with(frame, layer))
    x = np.linspace(-INPUT_RANGE, INPUT_RANGE, 121)
    data: list[Figure] = []
    for kind in kinds:
        function = ACTIVATION_FUNCTIONS[kind]
        data.append(line(x, function.f(x), GUIDE, kind, yaxis="y2", line={"width": 2.5}))
        dashed = {"width": 1.5, "dash": "dash"}
        data.append(line(x, function.slope(x), GUIDE, f"slope of {kind}", yaxis="y2", line=dashed))
    told, highest = [], 5.0
    for i, found in networks_with(frame, layer):
        counts = found.histograms.get(input_place(experiment, i, layer))
        if counts is None:  # a layer that was not in focus when the frame was made
            continue
        share = counts[1 : BINS + 1] / counts.sum() * 100
        begin, end = bin_range("pre_activation", "")
        share = np.where(np.abs(_centers(begin, end)) < INPUT_RANGE, share, 0.0)
        highest = max(highest, share.max())
        color, letter = network_color(experiment, i), experiment.letters[i]
        data.append(histogram_outline(share, begin, end, color, letter))
        data += _edge_bars(counts, begin, end, color, letter)
        if not frame.variants[i].diverged:
            outside = 1 - _share_within(counts, begin, end)
            told.append(f"{colored_name(experiment, i)}: {percent(outside, 0)} beyond ±{INPUT_RANGE:g}")
    highest = min(nice_ceiling(highest), 30.0)
    top = 1.0 if all(kind in BOUNDED_OUTPUTS for kind in kinds) else INPUT_RANGE / 2
    shares = f"; {', '.join(told)} of the inputs" if told else ""
    words = [f"solid: {', '.join(kinds)}, dashed: its slope, shaded: flat{shares}"]
    alt = f"Activation function of layer {layer + 1} above the distribution of its inputs at step {frame.step}"
    ends = INPUT_RANGE + EDGE
    return {
        "data": data,
        "layout": layout(
            alt,
            300,
            words + words_for_others(frame, experiment, layer),
            shapes=[shape for kind in kinds for shape in _flat_zones(kind)],
            xaxis=axis(f"input of the activation, layer {layer + 1}", range=[-ends, ends]),
            yaxis=axis("values (% a bin)", domain=[0, 0.4], range=[0, highest], nticks=4),
            yaxis2=axis("output, slope", domain=[0.48, 1], range=[-1.1 * min(top, 1.0), 1.1 * top], nticks=5),
        ),
    }


def input_place(experiment: Experiment, index: int, layer: int) -> str:
    """Return which histogram holds the inputs of a variant's activation function."""
    return experiment.variants[index].activation_input(layer)


def _flat_zones(kind: str) -> list[Figure]:
    """Shade the stretches of the picture where the slope is below FLAT_SLOPE of the steepest."""
    x = np.linspace(-INPUT_RANGE - EDGE, INPUT_RANGE + EDGE, 1301)
    slope = np.abs(ACTIVATION_FUNCTIONS[kind].slope(x))
    flat = slope < FLAT_SLOPE * slope.max()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flat, [False]]).astype(int)))
    shade = {"type": "rect", "yref": "paper", "y0": 0, "y1": 1, "layer": "below", "line": {"width": 0}}
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [
        shade | {"x0": float(x[begin]), "x1": float(x[end - 1]), "fillcolor": faded(GUIDE, 0.14)}
        for begin, end in pairs
    ]


def _edge_bars(counts: Counts, low: float, high: float, color: str, name: str) -> list[Figure]:
    """Draw the shares of inputs that lie beyond the picture as one bar at either edge."""
    centers, total = _centers(low, high), counts.sum()
    within = counts[1 : BINS + 1]
    below = float((counts[0] + within[centers < -INPUT_RANGE].sum()) / total * 100)
    above = float((counts[-2] + within[centers > INPUT_RANGE].sum()) / total * 100)
    bars = []
    for at, share, side in ((-INPUT_RANGE - EDGE, below, "below −"), (INPUT_RANGE, above, "above ")):
        x, y = [at, at, at + EDGE, at + EDGE], [0.0, share, share, 0.0]
        hover = f"{name}: {share:.1f} % {side}{INPUT_RANGE:g}<extra></extra>"
        bar = line(x, y, color, f"{name} {side}{INPUT_RANGE:g}", line={"width": 1.5}, hovertemplate=hover)
        bars.append(bar | {"fill": "tozeroy", "fillcolor": faded(color, 0.6)})
    return bars


def _centers(low: float, high: float) -> Floats:
    centers: Floats = np.linspace(low, high, BINS + 1)[:-1] + (high - low) / BINS / 2
    return centers


def _share_within(counts: Counts, low: float, high: float) -> float:
    """The share of the values within ±INPUT_RANGE."""
    return float(counts[1 : BINS + 1][np.abs(_centers(low, high)) < INPUT_RANGE].sum() / counts.sum())

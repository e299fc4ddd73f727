"""One hidden layer: its activation histograms, its saturation bars, and the activation function above its inputs."""

import numpy as np

from bnviz.experiment.choices import BOUNDED_OUTPUTS
from bnviz.experiment.config import Experiment
from bnviz.figures.style import (
    GUIDE,
    Figure,
    axis,
    colored_letter,
    faded,
    layout,
    line,
    network_color,
    nice_ceiling,
    typed,
    unit_of,
)
from bnviz.records.frames import BINS, PLACES, PROBED, Counts, Floats, Frame, LayerFrame, bin_range
from bnviz.theory.activations import ACTIVATION_FUNCTIONS

PLACE_NAMES = dict(zip(PLACES, ("pre-activation", "normalized", "batchnorm output", "post-activation"), strict=True))
INPUT_RANGE = 6.0  # of the activation function's picture


def activation_histograms(frame: Frame, experiment: Experiment, *, layer: int, place: str) -> Figure:
    """Share of values in each of the fixed bins, all variants over one another; what lies outside is counted."""
    data, notes, top = [], [], 5.0
    low, high = _shared_range(experiment, place)
    for i, found in _layers(frame, layer):
        counts = found.histograms.get(place)
        letter = colored_letter(experiment, i)
        if counts is None:
            notes.append(f"{letter} has no batchnorm: nothing here")
            continue
        begin, end = bin_range(place, experiment.variants[i].network.activation)
        share = counts[1 : BINS + 1] / counts.sum() * 100
        top = max(top, share.max())
        data.append(_steps(share, begin, end, network_color(experiment, i), experiment.letters[i]))
        notes.append(letter + _outside(counts, begin, end))
    notes += _without_layer(frame, experiment, layer)
    name = PLACE_NAMES[place]
    x = axis(f"{name}, layer {layer + 1}", range=[low, high])
    y = axis("values (% a bin)", range=[0, nice_ceiling(top)])
    alt = f"Histogram of the {name} of layer {layer + 1} at step {frame.step}"
    return {"data": data, "layout": layout(alt, 300, notes, xaxis=x, yaxis=y)}


def saturation_bars(frame: Frame, experiment: Experiment, *, layer: int, bars: str) -> Figure:
    """A bar a neuron: its mean post-activation over the probe digits, or the share of them that saturate it."""
    rows = _layers(frame, layer)
    data: list[Figure] = []
    height = max(300, 60 + 105 * len(rows))
    words = [
        f"{colored_letter(experiment, i)}: {found.saturated.mean():.0%} of outputs saturated, "
        f"{found.always_saturated} {unit_of(experiment, layer)}s always saturated, {found.dead} dead"
        for i, found in rows
        if not frame.variants[i].diverged
    ]
    words += _diverged(frame, experiment) + _without_layer(frame, experiment, layer)
    figure_layout = layout(_saturation_alt(frame, experiment, layer), height, words, bargap=0.15)
    limit = _mean_limit(rows, experiment)
    for row, (i, found) in enumerate(rows):
        suffix = "" if row == 0 else str(row + 1)
        top = 1 - row / len(rows) - 0.03
        bottom = 1 - (row + 1) / len(rows) + 0.05
        values = found.mean if bars == "mean" else found.saturated * 100
        unit = "mean output %{y:.2f}" if bars == "mean" else "%{y:.0f} % of digits"
        data.append(
            {
                "type": "bar",
                "x0": 1,
                "dx": 1,
                "y": typed(values),
                "marker": {"color": network_color(experiment, i), "line": {"width": 0}},
                "xaxis": "x",
                "yaxis": f"y{suffix}",
                "hovertemplate": f"{experiment.letters[i]}, unit %{{x}}<br>{unit}<extra></extra>",
            }
        )
        bounds = [-limit, limit] if bars == "mean" else [0, 100]
        title = "mean output" if bars == "mean" else "saturated (%)"
        figure_layout[f"yaxis{suffix}"] = axis(
            title if len(rows) <= 3 else "", domain=[max(bottom, 0), top], range=bounds, nticks=4, zeroline=True
        )
    widest, lowest = max((len(found.mean) for _, found in rows), default=1), len(rows) if len(rows) > 1 else ""
    name = f"{unit_of(experiment, layer)} of layer {layer + 1}"
    figure_layout["xaxis"] = axis(name, range=[0.4, widest + 0.6], anchor=f"y{lowest}")
    return {"data": data, "layout": figure_layout}


def activation_function(frame: Frame, experiment: Experiment, *, layer: int) -> Figure:
    """The activation and its slope; under it, on the same axis, where the layer's inputs to it lie."""
    kinds = dict.fromkeys(experiment.variants[i].network.activation for i, _ in _layers(frame, layer))
    x = np.linspace(-INPUT_RANGE, INPUT_RANGE, 121)
    data: list[Figure] = []
    for kind in kinds:
        function = ACTIVATION_FUNCTIONS[kind]
        data.append(line(x, function.f(x), GUIDE, kind, yaxis="y2", line={"width": 2.5}))
        dashed = {"width": 1.5, "dash": "dash"}
        data.append(line(x, function.slope(x), GUIDE, f"slope of {kind}", yaxis="y2", line=dashed))
    notes, highest = [], 5.0
    for i, found in _layers(frame, layer):
        counts = found.histograms[input_place(experiment, i)]
        share = counts[1 : BINS + 1] / counts.sum() * 100
        begin, end = bin_range("pre_activation", "")
        highest = max(highest, share.max())
        data.append(_steps(share, begin, end, network_color(experiment, i), experiment.letters[i]))
        shown = _share_within(counts, begin, end)
        if not frame.variants[i].diverged:
            notes.append(f"{colored_letter(experiment, i)}: {1 - shown:.0%} beyond ±{INPUT_RANGE:g}")
    top = 1.0 if all(kind in BOUNDED_OUTPUTS for kind in kinds) else INPUT_RANGE / 2
    shares = f"; {', '.join(notes)} of the inputs" if notes else ""
    notes = [f"solid: {', '.join(kinds)}, dashed: its slope{shares}", *_diverged(frame, experiment)]
    alt = f"Activation function of layer {layer + 1} above the distribution of its inputs at step {frame.step}"
    return {
        "data": data,
        "layout": layout(
            alt,
            300,
            notes,
            xaxis=axis(f"input of the activation, layer {layer + 1}", range=[-INPUT_RANGE, INPUT_RANGE]),
            yaxis=axis("values (% a bin)", domain=[0, 0.4], range=[0, nice_ceiling(highest)], nticks=4),
            yaxis2=axis("output, slope", domain=[0.48, 1], range=[-1.1 * min(top, 1.0), 1.1 * top], nticks=5),
        ),
    }


def input_place(experiment: Experiment, index: int) -> str:
    """Which histogram holds the inputs of a variant's activation function."""
    bn = experiment.variants[index].batchnorm
    return "batchnorm_output" if bn and bn.position == "before" else "pre_activation"


def _layers(frame: Frame, layer: int) -> list[tuple[int, LayerFrame]]:
    """The variants that have such a layer, with it."""
    return [(i, v.layers[layer]) for i, v in enumerate(frame.variants) if layer < len(v.layers)]


def _without_layer(frame: Frame, experiment: Experiment, layer: int) -> list[str]:
    names = (colored_letter(experiment, i) for i, v in enumerate(frame.variants) if layer >= len(v.layers))
    return [f"{name} has no layer {layer + 1}" for name in names]


def _diverged(frame: Frame, experiment: Experiment) -> list[str]:
    names = (colored_letter(experiment, i) for i, variant in enumerate(frame.variants) if variant.diverged)
    return [f"{name} diverged: its values are no numbers" for name in names]


def _steps(share: Floats, low: float, high: float, color: str, letter: str) -> Figure:
    """A histogram as one filled outline: cheaper to redraw than bars, and several lie readably over one another."""
    edges = np.repeat(np.linspace(low, high, BINS + 1), 2)[1:-1]
    hover = f"{letter}: %{{y:.1f}} % at %{{x:.2f}}<extra></extra>"
    style = {"width": 1.5}
    return line(edges, np.repeat(share, 2), color, letter, line=style, hovertemplate=hover) | {
        "fill": "tozeroy",
        "fillcolor": faded(color, 0.22),
    }


def _outside(counts: Counts, low: float, high: float) -> str:
    total = counts.sum()
    parts = [
        f"{count / total:.1%} {word}"
        for count, word in (
            (counts[0], f"below {low:g}"),
            (counts[-2], f"above {high:g}"),
            (counts[-1], "NaN or infinite"),
        )
        if count
    ]
    return ": " + ", ".join(parts) if parts else ": all inside"


def _shared_range(experiment: Experiment, place: str) -> tuple[float, float]:
    ranges = [bin_range(place, v.network.activation) for v in experiment.variants]
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _share_within(counts: Counts, low: float, high: float) -> float:
    """Share of the values within ±INPUT_RANGE."""
    centers = np.linspace(low, high, BINS + 1)[:-1] + (high - low) / BINS / 2
    return float(counts[1 : BINS + 1][np.abs(centers) < INPUT_RANGE].sum() / counts.sum())


def _mean_limit(rows: list[tuple[int, LayerFrame]], experiment: Experiment) -> float:
    if all(experiment.variants[i].network.activation in BOUNDED_OUTPUTS for i, _ in rows):
        return 1.0
    largest = [np.abs(found.mean).max(initial=0, where=np.isfinite(found.mean)) for _, found in rows]
    return nice_ceiling(max(largest, default=1.0))


def _saturation_alt(frame: Frame, experiment: Experiment, layer: int) -> str:
    unit = unit_of(experiment, layer)
    parts = [
        f"{experiment.letters[i]}: {found.saturated.mean():.0%} of outputs saturated, {found.dead} dead {unit}s"
        for i, found in _layers(frame, layer)
    ]
    return f"Saturation of layer {layer + 1} over {PROBED} at step {frame.step}: " + "; ".join(parts)

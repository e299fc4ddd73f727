"""Schemes side by side, derived scales and those around them, and the signs of gradients."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from bnviz.experiment.wording import exact, factor, percent, significant
from bnviz.figures.logarithmic import decades_around, drawable, log_axis
from bnviz.figures.style import (
    ACCENTS,
    STILL,
    Figure,
    axis,
    dot,
    layout,
    line,
    nice_ceiling,
    note,
    outline,
    typed,
)
from bnviz.records.initialization import INPUT_KINDS, Propagated, SignAgreement, activation_edges

__all__ = ["derived_scales", "scheme_histograms", "scheme_spreads", "sign_agreement"]

Array = npt.NDArray[np.floating[Any]]

SIGN_BINS = np.linspace(0.5, 1.0, 26)
SCALE_COLORS = {0.5: ACCENTS[1], 1.0: ACCENTS[0], 2.0: ACCENTS[2]}
INPUT_COLORS = dict(zip(INPUT_KINDS, (ACCENTS[1], ACCENTS[0], ACCENTS[3]), strict=True))
UNBOUNDED_TICKS = (-1000, -10, 0, 10, 1000)
INPUT_NAMES = {
    "raw": "raw pixels, 0 to 1",
    "standardized": "standardized with one mean",
    "centred": "each pixel minus its own mean",
}
_PANEL_MARGIN = {"l": 44, "r": 8, "t": 26, "b": 40}


def scheme_histograms(found: Mapping[str, Propagated], names: Mapping[str, str], activation: str) -> Figure:
    """Draw how activations are spread: one panel per scheme, one column per hidden layer. names: scheme -> title."""
    edges = activation_edges(activation)
    middles = (edges[:-1] + edges[1:]) / 2
    data: list[Figure] = []
    axes, heads, places = _panels(names)
    depth = 0
    for i, scheme in enumerate(names):
        counts = found[scheme].histograms
        depth = len(counts)
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) * 100
        data.append(
            {
                "type": "heatmap",
                "x": typed(np.arange(1, depth + 1)),
                "y": typed(middles),
                "z": typed(share.T),
                "coloraxis": "coloraxis",
                "hovertemplate": f"{names[scheme]}, layer %{{x}}<br>%{{z:.1f}} %<extra></extra>",
            }
            | places[i]
        )
    ticks: Figure = {"nticks": 3}
    if edges[-1] > 1:
        ticks = {
            "tickvals": np.arcsinh(UNBOUNDED_TICKS).tolist(),
            "ticktext": [exact(t) for t in UNBOUNDED_TICKS],
        }
    for i in range(len(names)):
        axes[f"yaxis{i + 1 if i else ''}"] |= ticks | {"range": [float(edges[0]), float(edges[-1])], "showgrid": False}
        if i % 3 == 0:
            axes[f"yaxis{i + 1 if i else ''}"]["title"] = {"text": "activation", "standoff": 4}
        axes[f"xaxis{i + 1 if i else ''}"] |= _few_layers(depth) | {"showgrid": False}
    bar: Figure = {
        "thickness": 10,
        "len": 0.36,
        "y": 0.2,
        "x": 0.78,
        "xanchor": "left",
        "outlinewidth": 0,
    }
    bar |= {"tickvals": [0, 4, 8, 12], "ticktext": ["0", "4", "8", "≥ 12"]}
    bar["title"] = {"text": "values<br>(% a bin)", "font": {"size": 11}}
    shares = {"cmin": 0, "cmax": 12, "colorbar": bar}
    alt = "Activations by layer for " + "; ".join(_last_layer_in_words(names[s], found[s]) for s in names)
    figure_layout = layout(alt, 430, **STILL, margin=_PANEL_MARGIN, annotations=heads, coloraxis=shares, **axes)
    figure_layout["meta"]["scale"] = "sequential"
    return {"data": data, "layout": figure_layout}


def scheme_spreads(
    found: Mapping[str, Propagated], names: Mapping[str, str], everyone: Mapping[str, Propagated]
) -> Figure:
    """Draw deviation of the activations and size of the gradient, one panel per scheme; one scale for `everyone`."""
    data: list[Figure] = []
    axes, heads, places = _panels(names)
    every = [drawable(values, True) for p in everyone.values() for values in (p.std, p.gradient)]
    low, high = decades_around(np.concatenate(every))
    depth = 0
    for i, scheme in enumerate(names):
        depth = len(found[scheme].std)
        for values, color, name in (
            (found[scheme].std, ACCENTS[0], "activations"),
            (found[scheme].gradient, ACCENTS[1], "gradient"),
        ):
            hover = f"{names[scheme]}, {name}, layer %{{x}}<br>%{{y:.2e}}<extra></extra>"
            x = np.arange(1, len(values) + 1)
            drawn = line(x, drawable(values, True), color, f"{scheme} {name}", hovertemplate=hover, **places[i])
            data.append(drawn | {"mode": "lines+markers", "marker": {"size": 4}})
    ticks = _few_layers(depth + 1)
    ticks["ticktext"] = [*map(str, ticks["tickvals"][:-1]), "out"]
    for i in range(len(names)):
        axes[f"yaxis{i + 1 if i else ''}"] |= log_axis(low, high)
        axes[f"xaxis{i + 1 if i else ''}"] |= ticks
    words = [
        dot(ACCENTS[0], "standard deviation of the activations") + ", " + dot(ACCENTS[1], "gradient going back"),
    ]
    alt = "Spread by layer for " + "; ".join(_last_layer_in_words(names[s], found[s]) for s in names)
    return {
        "data": data,
        "layout": layout(alt, 430, words, **STILL, margin=_PANEL_MARGIN, annotations=heads, **axes),
    }


def derived_scales(found: Mapping[float, Propagated], name: str) -> Figure:
    """Draw a derived scheme at its own scale and around it: activations forward, gradients back, by depth."""
    data: list[Figure] = []
    shown = []
    for scale, p in found.items():
        said = "as derived" if scale == 1 else f"× {scale:g}"
        for i, values in enumerate((p.std, p.gradient[:-1])):
            place = {} if i == 0 else {"xaxis": "x2", "yaxis": "y2"}
            values = drawable(values, True)
            shown.append((i, values))
            hover = f"{name} {said}, layer %{{x}}<br>%{{y:.2e}}<extra></extra>"
            style = {"width": 3 if scale == 1 else 2}
            layers = np.arange(1, len(values) + 1)
            data.append(
                line(layers, values, SCALE_COLORS[scale], f"{said} {i}", hovertemplate=hover, line=style, **place)
            )
    ranges = [decades_around(np.concatenate([v for k, v in shown if k == i])) for i in (0, 1)]
    depth = len(next(iter(found.values())).std)
    x = axis("layer", **_few_layers(depth))
    words = []
    for scale, p in found.items():
        called = f"{name} as derived" if scale == 1 else f"× {scale:g}"
        forward, back = factor(p.std[-1], p.std[0]), factor(p.gradient[0], p.gradient[-2])
        words.append(dot(SCALE_COLORS[scale], f"{called}: {forward} from layer 1 to {depth}, {back} back"))
    one = found[1.0]
    alt = (
        f"{name} as derived, by depth: standard deviation of the activations from {significant(float(one.std[0]))} to "
        f"{significant(float(one.std[-1]))}, gradient from {significant(float(one.gradient[-2]))} in the last hidden "
        f"layer to {significant(float(one.gradient[0]))} in the first"
    )
    return {
        "data": data,
        "layout": layout(
            alt,
            320,
            words,
            **STILL,
            margin={"l": 52, "r": 10, "t": 26, "b": 44},
            xaxis=x | {"domain": [0, 0.44]},
            xaxis2=x | {"domain": [0.56, 1], "anchor": "y2"},
            yaxis=axis("", **log_axis(*ranges[0])),
            yaxis2=axis("", anchor="x2", **log_axis(*ranges[1])),
            annotations=[
                note("standard deviation", 0, 1, yanchor="bottom", yshift=5),
                note("gradient going back", 0.56, 1, yanchor="bottom", yshift=5),
            ],
        ),
    }


def sign_agreement(found: SignAgreement, size: int) -> Figure:
    """Draw how many neurons have which share of gradients of one sign, for each way to feed the pixels."""
    data, words = [], []
    top = 1.0
    for kind in INPUT_KINDS:
        shares = found.shares[kind, size]
        counts, _ = np.histogram(shares, SIGN_BINS)
        bars = counts / max(len(shares), 1) * 100
        top = max(top, float(bars.max()))
        data.append(outline(SIGN_BINS * 100, bars, INPUT_COLORS[kind], kind))
        mean = f"{percent(shares.mean(), 0)} on average" if len(shares) else "no finite gradient but 0"
        words.append(dot(INPUT_COLORS[kind], f"{INPUT_NAMES[kind]}: {mean}"))
    return {
        "data": data,
        "layout": layout(
            f"Sign agreement of a neuron's weight gradients, {size} digits: {'; '.join(INPUT_KINDS)}",
            300,
            words,
            **STILL,
            xaxis=axis("weights of a neuron whose gradients have one sign (%)", range=[49, 101]),
            yaxis=axis("neurons (%)", range=[0, nice_ceiling(1.05 * top)], nticks=5),
        ),
    }


def _panels(names: Mapping[str, str]) -> tuple[Figure, list[Figure], list[dict[str, str]]]:
    """Axes, titles and places of up to six panels, three a row."""
    axes: Figure = {}
    heads, places = [], []
    for i, title in enumerate(names.values()):
        suffix = str(i + 1) if i else ""
        column, row = i % 3, i // 3
        left, top = column * 0.35, 1 - row * 0.56
        below = len(names) <= i + 3  # else the next panel's title is there
        axes[f"xaxis{suffix}"] = axis("layer" if below else "", domain=[left, min(left + 0.28, 1)], anchor=f"y{suffix}")
        axes[f"yaxis{suffix}"] = axis("", domain=[max(top - 0.42, 0), top], anchor=f"x{suffix}")
        heads.append(note(title, left, top, yanchor="bottom", yshift=5))
        places.append({"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"})
    return axes, heads, places


def _few_layers(depth: int) -> Figure:
    middle = (depth + 1) // 2
    ticks = sorted({1, middle, depth} if depth > 2 else {1, depth})
    return {"range": [0.5, depth + 0.5], "tickvals": ticks, "tickangle": 0}


def _last_layer_in_words(name: str, p: Propagated) -> str:
    return f"{name}: standard deviation {significant(float(p.std[-1]))} in the last layer, loss {significant(p.loss)}"

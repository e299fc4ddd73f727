"""Untrained networks: their weights, what goes through them forward and back, and what they answer."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bnviz.analysis.initialization import logit_spread, softmax
from bnviz.experiment.wording import counted, percent, significant
from bnviz.figures.logarithmic import decades_around, drawable, log_axis
from bnviz.figures.style import (
    ACCENTS,
    GUIDE,
    STILL,
    Figure,
    axis,
    axis_suffix,
    dot,
    layout,
    line,
    nice_ceiling,
    note,
    outline,
    typed,
)
from bnviz.records.initialization import InitialNetwork, Propagated, WeightHistogram
from bnviz.theory.propagation import Theory

__all__ = ["class_probabilities", "layer_propagation", "logit_means", "mean_probabilities", "weight_histogram"]

Array = npt.NDArray[np.floating[Any]]


def weight_histogram(
    found: WeightHistogram, law: tuple[Array, Array], *, layer: str, color: str, trained: bool
) -> Figure:
    """Draw the weights of one layer as a density, and the law that they were drawn from."""
    width = float(found.edges[1] - found.edges[0])
    heights = found.counts / max(float(found.counts.sum()) * width, 1e-300)
    data = [outline(found.edges, heights, color, "weights")]
    x, y = law
    if len(x):
        ends = np.concatenate([[x[0]], x, [x[-1]]]), np.concatenate([[0.0], y, [0.0]])  # a box has walls
        data.append(line(*ends, GUIDE, "law", line={"width": 3, "dash": "dash"}, hoverinfo="skip"))
    top = nice_ceiling(1.05 * max(float(heights.max(initial=0)), float(np.max(y, initial=0))))
    low, high = min(found.edges[0], np.min(x, initial=np.inf)), max(found.edges[-1], np.max(x, initial=-np.inf))
    pad = 0.04 * (high - low)
    said = (
        f"{found.counts.sum():,} weights, {found.fan_in} in, {found.fan_out} out: mean {significant(found.mean)}, "
        f"standard deviation {significant(found.std)}"
    )
    words = [dot(color, f"{layer}: {said}"), dot(GUIDE, "dashed: the law they were drawn from" * bool(len(x)))]
    if not len(x):
        words[1] = dot(GUIDE, "no density: all weights are one value")
    state = "trained" if trained else "untrained"
    x_axis = axis(f"weight, {layer}", range=[low - pad, high + pad], nticks=7, exponentformat="power")
    return {
        "data": data,
        "layout": layout(
            f"Histogram of the {state} weights of {layer}: {said}",
            320,
            words,
            **STILL,
            xaxis=x_axis,
            yaxis=axis("density", range=[0, top], nticks=6, exponentformat="power"),
        ),
    }


@dataclass(frozen=True)
class _Panel:
    """One of the four panels of `layer_propagation`: what is measured and expected at each layer, (layers,)."""

    name: str
    measured: Array
    expected: Array
    log: bool = False

    @property
    def drawn(self) -> tuple[Array, Array]:
        """Measured and expected values, with gaps for what cannot be drawn."""
        return drawable(self.measured, self.log), drawable(self.expected, self.log)


def layer_propagation(found: Propagated, theory: Theory, *, color: str, steps: int) -> Figure:
    """Draw mean, deviation and saturated share of every layer's activations and the size of its gradients, beside what
    theory says of a wide untrained network."""
    panels = [
        _Panel("mean of the activations", found.mean, theory.mean),
        _Panel("their standard deviation", found.std, theory.std, log=True),
        _Panel("saturated share (%)", found.saturated * 100, theory.saturated * 100),
        _Panel("gradient going back", found.gradient, theory.gradient, log=True),
    ]
    data: list[Figure] = []
    axes: Figure = {}
    heads = []
    for i, panel in enumerate(panels):
        across, up = [0.0, 0.44] if i % 2 == 0 else [0.56, 1.0], [0.57, 1.0] if i < 2 else [0.0, 0.43]
        data += _measured_and_expected(panel, i, color)
        axes |= _panel_axes(panel, i, len(found.std), across, up)
        heads.append(note(panel.name, across[0], up[1], yanchor="bottom", yshift=5))
    state = f"after {counted(steps, 'step')}" if steps else "untrained network"
    words = [dot(color, f"measured, {state}"), dot(GUIDE, "grey band: theory for the untrained network, wide layers")]
    words += [f"{p.name}: 0 in {_layers_at(p.measured == 0)}" for p in panels if p.log and (p.measured == 0).any()]
    words += [
        f"{p.name}: no finite number in {_layers_at(~np.isfinite(p.measured))}" for p in panels if _broken(p.measured)
    ]
    alt = (
        f"Layer by layer, measured and in theory, {state}: standard deviation of the activations from "
        f"{significant(float(found.std[0]))} to {significant(float(found.std[-1]))}, gradient from "
        f"{significant(float(found.gradient[-1]))} at the logits to {significant(float(found.gradient[0]))} in layer 1"
    )
    margin = {"l": 52, "r": 10, "t": 26, "b": 44}
    return {"data": data, "layout": layout(alt, 520, words, **STILL, margin=margin, annotations=heads, **axes)}


def _measured_and_expected(panel: _Panel, i: int, color: str) -> list[Figure]:
    """The measured line on a pale band, which still shows where the two lie on one another."""
    suffix, x = axis_suffix(i), np.arange(1, len(panel.measured) + 1)
    place = {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
    measured, expected = panel.drawn
    hover = f"{panel.name}, layer %{{x}}<br>%{{y:.3g}}"
    wide = {"line": {"width": 7}, "hovertemplate": f"{hover} (theory)<extra></extra>", "opacity": 0.45} | place
    thin = {"line": {"width": 2}, "hovertemplate": f"{hover} (measured)<extra></extra>"} | place
    points = {"mode": "lines+markers", "marker": {"size": 5}}
    return [
        line(x, expected, GUIDE, f"theory {i}", **wide),
        line(x, measured, color, f"measured {i}", **thin) | points,
    ]


def _panel_axes(panel: _Panel, i: int, depth: int, across: list[float], up: list[float]) -> Figure:
    suffix = axis_suffix(i)
    ticks, texts = _layer_ticks(depth, logits=len(panel.measured) > depth)
    x = axis("layer", domain=across, anchor=f"y{suffix}", range=[0.5, len(panel.measured) + 0.5], tickangle=0)
    y = axis("", domain=up, anchor=f"x{suffix}") | _range(i, *panel.drawn)
    return {f"xaxis{suffix}": x | {"tickvals": ticks, "ticktext": texts}, f"yaxis{suffix}": y}


def logit_means(found: InitialNetwork, *, color: str) -> Figure:
    """Draw the mean of each of the ten logits over the digits, and how far it spreads."""
    classes, values = np.arange(10), found.logits.astype(float)
    of = logit_spread(values)
    limit = nice_ceiling(
        1.1 * float(np.nanmax(np.where(np.isfinite(values), np.abs(of.mean) + of.std, 0), initial=1e-3))
    )
    bars = line(classes, drawable(of.mean, False), color, "logits", hovertemplate="class %{x}: %{y:.3g}<extra></extra>")
    bars |= {
        "mode": "markers",
        "marker": {"size": 9, "color": color},
        "error_y": {"type": "data", "array": typed(drawable(of.std, False)), "thickness": 2, "width": 5},
    }
    spread_by = (
        f"the ten means spread by {significant(of.between)}; the ten logits of one digit by {significant(of.within)}"
    )
    if not math.isfinite(of.between + of.within):
        spread_by = "some logits are no finite numbers"
    words = [dot(color, f"mean over {len(values)} digits ± one standard deviation"), spread_by]
    return {
        "data": [bars],
        "layout": layout(
            "Mean and spread of each logit. " + words[1],
            300,
            words,
            **STILL,
            xaxis=axis("class", tickvals=list(range(10)), range=[-0.5, 9.5]),
            yaxis=axis("logit", range=[-limit, limit], zeroline=True, nticks=6),
        ),
    }


def class_probabilities(found: InitialNetwork) -> Figure:
    """Draw the probabilities of the classes, one column per digit, the digits in the order of their labels."""
    order = np.argsort(found.labels, kind="stable")
    shares = softmax(found.logits)[order].T
    edges = np.searchsorted(found.labels[order], np.arange(11))
    middles = ((edges[:-1] + edges[1:] - 1) / 2).tolist()
    true = float(shares[found.labels[order], np.arange(len(order))].mean())
    average = f"{percent(true)} on average; chance is 10%" if math.isfinite(true) else "not a finite number"
    words = [f"probability of the right class: {average}"]
    walls = [
        {"type": "line", "x0": e - 0.5, "x1": e - 0.5, "y0": -0.5, "y1": 9.5, "line": {"color": GUIDE, "width": 1}}
        for e in edges[1:-1].tolist()
    ]
    heat = {
        "type": "heatmap",
        "z": typed(np.where(np.isfinite(shares), shares, np.nan)),
        "coloraxis": "coloraxis",
        "hovertemplate": "class %{y}: %{z:.1%}<extra></extra>",
    }
    figure_layout = layout(
        f"Probabilities of the ten classes for {len(order)} digits: {words[0]}",
        300,
        words,
        **STILL,
        xaxis=axis(
            "digits, by label", tickvals=middles, ticktext=[str(k) for k in range(10)], tickangle=0, showgrid=False
        ),
        yaxis=axis("class", tickvals=list(range(10)), autorange="reversed", showgrid=False),
        coloraxis={
            "cmin": 0,
            "cmax": 1,
            "colorbar": {"thickness": 10, "tickformat": ".0%", "nticks": 3, "outlinewidth": 0, "xpad": 4},
        },
        shapes=walls,
    )
    figure_layout["meta"]["scale"] = "sequential"
    return {"data": [heat], "layout": figure_layout}


def mean_probabilities(networks: Mapping[str, InitialNetwork]) -> Figure:
    """Draw the mean probability of each class over the digits: bars, one colour per network."""
    classes = list(range(10))
    data = []
    shares = {name: softmax(found.logits).mean(axis=0) * 100 for name, found in networks.items()}
    for (name, values), color in zip(shares.items(), ACCENTS, strict=False):
        hover = f"{name}<br>digit %{{x}}: %{{y:.1f}} %<extra></extra>"
        bars = {"type": "bar", "x": classes, "y": typed(drawable(values, False)), "name": name, "hovertemplate": hover}
        data.append(bars | {"marker": {"color": color}})
    top = max((float(np.nanmax(values)) for values in shares.values()), default=10.0)
    words = [" &ensp; ".join(dot(color, name) for name, color in zip(shares, ACCENTS, strict=False))]
    told = "; ".join(f"{name}: from {values.min():.1f} to {values.max():.1f}%" for name, values in shares.items())
    return {
        "data": data,
        "layout": layout(
            f"Mean probability of each of the ten digits. {told}",
            320,
            words,
            **STILL,
            barmode="group",
            xaxis=axis("digit", tickvals=classes),
            yaxis=axis("mean probability (%)", range=[0, nice_ceiling(max(top, 20.0))]),
        ),
    }


# -- axes -----------------------------------------------------------------------------------------------------------


def _layer_ticks(depth: int, *, logits: bool) -> tuple[list[int], list[str]]:
    inner = list(range(1, depth + 1)) if depth <= 10 else [1, *range(5, depth + 1, 5)]
    if logits and inner[-1] == depth and depth > 10:
        inner.pop()  # "out" needs the room
    return ([*inner, depth + 1], [*map(str, inner), "out"]) if logits else (inner, [*map(str, inner)])


def _range(panel: int, measured: Array, expected: Array) -> Figure:
    if panel == 2:
        return {"range": [-4, 104], "nticks": 5}
    both = np.concatenate([measured, expected])
    if panel == 0:
        finite = np.abs(both[np.isfinite(both)])
        limit = nice_ceiling(1.05 * max(float(finite.max(initial=0)), 0.2))
        return {"range": [-limit, limit], "zeroline": True, "nticks": 5}
    return log_axis(*decades_around(both))


def _broken(values: Array) -> bool:
    return bool((~np.isfinite(values)).any())


def _layers_at(where: npt.NDArray[np.bool_]) -> str:
    places = (np.flatnonzero(where) + 1).tolist()
    if len(places) == 1:
        return f"layer {places[0]}"
    return f"layers {places[0]} to {places[-1]}"

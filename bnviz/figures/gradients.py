"""How much gradient reaches each layer, and how far a step moves its weights."""

import numpy as np

from bnviz.experiment.config import Experiment
from bnviz.figures.curves import marked, x_axis
from bnviz.figures.logarithmic import decades_around, log_axis
from bnviz.figures.style import Figure, axis, guide, layout, line, network_looks, note
from bnviz.records.frames import Floats, Frame, VariantFrame
from bnviz.records.history import View

__all__ = ["gradient_flow", "gradient_reach", "layer_gradients"]

USUAL_RATIO = -3.0  # log10 of the update-to-data ratio that a common rule of thumb aims at
_MARKED = {"mode": "lines+markers", "marker": {"size": 7}}
NORM_FLOOR = 1e-12  # gradient norms below this, zero included, are drawn here


def layer_gradients(frame: Frame, experiment: Experiment) -> Figure:
    """Draw the L2 norm of the weights' gradient, left, and the update-to-data ratio, right, one point per layer."""
    data = []
    norms: list[Floats] = []
    count = max(len(v.gradient_norm) for v in frame.variants)
    for look, variant in zip(network_looks(experiment), frame.variants, strict=True):
        layers, norm = layer_places(variant, count), gradient_norms(variant)
        norms.append(norm)
        hover = f"{look.name}, layer %{{x}}<br>%{{y:.2e}}<extra></extra>"
        data.append(line(layers, norm, look.color, look.letter, hovertemplate=hover) | _MARKED)
        right = {
            "xaxis": "x2",
            "yaxis": "y2",
            "hovertemplate": f"{look.name}, layer %{{x}}<br>10^%{{y:.2f}}<extra></extra>",
        }
        data.append(line(layers, variant.update_ratio, look.color, look.letter, **right) | _MARKED)
    x = layer_axis(count)
    (shape,) = guide(USUAL_RATIO)
    words = [
        note("gradient norm", 0.0, 1.0, yanchor="bottom"),
        note("update-to-data ratio (log₁₀)", 0.57, 1.0, yanchor="bottom"),
    ]
    alt = f"Gradient norm and update-to-data ratio of every layer at step {frame.step}"
    return {
        "data": data,
        "layout": layout(
            alt,
            320,
            margin={"l": 56, "r": 14, "t": 26, "b": 44},
            xaxis=x | {"domain": [0, 0.45]},
            xaxis2=x | {"domain": [0.57, 1], "anchor": "y2"},
            yaxis=norm_axis("", np.concatenate(norms)),
            yaxis2=axis("", anchor="x2", range=[-6.2, 0.2]),
            shapes=[shape | {"xref": "x2 domain", "yref": "y2"}],
            annotations=words,
        ),
    }


def gradient_flow(view: View) -> Figure:
    """Draw the norm of every layer's weight gradient on one log axis: now, and dotted before the first step."""
    assert view.latest is not None
    data = []
    count = max(len(v.gradient_norm) for v in view.latest.variants)
    norms: list[Floats] = []
    for look, history, now in zip(network_looks(view.experiment), view.variants, view.latest.variants, strict=True):
        for frame, when, style in ((history.frames[:1], "at step 0", {"dash": "dot", "width": 1.5}), ((now,), "", {})):
            for found in frame:
                norms.append(gradient_norms(found))
                hover = f"{look.name}, layer %{{x}} {when}<br>%{{y:.2e}}<extra></extra>"
                at = layer_places(found, count)
                drawn = line(at, norms[-1], look.color, look.letter, line=style, hovertemplate=hover)
                data.append(drawn if when else drawn | _MARKED)
    alt = f"Gradient norm of every layer at step {view.latest.step}, and before training"
    return {
        "data": data,
        "layout": layout(
            alt,
            360,
            ["solid: now; dotted: before the first step"],
            xaxis=layer_axis(count),
            yaxis=norm_axis("gradient norm", np.concatenate(norms)),
        ),
    }


def gradient_reach(view: View) -> Figure:
    """Draw the first layer's gradient norm as a share of the output layer's, at every kept moment."""
    data, shares = [], []
    for look, history in zip(network_looks(view.experiment), view.variants, strict=True):
        newest = view.latest.variants[look.place : look.place + 1] if view.latest else ()
        frames = [f for f in history.frames if not f.diverged]
        frames += [f for f in newest if not f.diverged and (not frames or f.step > frames[-1].step)]
        ends = np.array([gradient_norms(f)[[0, -1]] for f in frames]).reshape(-1, 2)
        share = np.where(ends[:, 1] > NORM_FLOOR, ends[:, 0] / ends[:, 1], np.nan)  # a gap where none reaches either
        shares.append(np.maximum(share, NORM_FLOOR))
        hover = f"{look.name}, step %{{x:,}}<br>%{{y:.2e}}<extra></extra>"
        drawn = line([f.step for f in frames], shares[-1], look.color, look.letter, hovertemplate=hover)
        data.append(drawn | {"mode": "lines+markers", "marker": {"size": 4}})
    return {
        "data": data,
        "layout": layout(
            "Gradient norm of the first layer as a share of the output layer's, over the steps",
            360,
            ["dotted: as much as in the output layer"],
            xaxis=x_axis(view, "steps"),
            yaxis=norm_axis("first layer / output layer", np.concatenate(shares)),
        )
        | marked(view, "steps", guide(1)),
    }


def gradient_norms(frame: VariantFrame) -> Floats:
    """Return the norms of a network's weight gradients as they are drawn, (linear layers,); NaN is a gap."""
    norms: Floats = np.maximum(np.nan_to_num(frame.gradient_norm, nan=np.nan, posinf=np.nan), NORM_FLOOR)
    return norms


def layer_places(frame: VariantFrame, count: int) -> Floats:
    """Return the number of each layer; the output layers of all variants stand above one another."""
    layers = np.arange(1.0, len(frame.gradient_norm) + 1)
    layers[-1] = count
    return layers


def norm_axis(title: str, norms: Floats) -> Figure:
    """Return an axis of norms, from 0.01 to 1 at least."""
    low, high = decades_around(norms)
    return axis(title, **log_axis(min(low, -2), max(high, 0)))


def layer_axis(count: int) -> Figure:
    """Return an axis of layers: labels at all of a few, at every fifth of many, and at the last, the output."""
    inner = range(1, count) if count <= 8 else [1, *range(5, count - 1, 5)]
    return axis("layer", range=[0.5, count + 0.5], tickvals=[*inner, count], ticktext=[*map(str, inner), "out"])

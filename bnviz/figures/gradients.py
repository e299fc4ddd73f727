"""How much gradient reaches each layer, and how far a step moves its weights."""

import numpy as np

from bnviz.config import Experiment
from bnviz.figures.style import COLORS, GUIDE, Figure, axis, layout, line, note
from bnviz.records import Floats, Frame

HEALTHY = -3.0  # log10 of the update-to-data ratio that a common rule of thumb aims at
FLOOR = 1e-12  # gradient norms below this, zero included, are drawn here


def gradients(frame: Frame, experiment: Experiment) -> Figure:
    """Left the L2 norm of the weights' gradient, right the update-to-data ratio, a point a layer."""
    data = []
    norms: list[Floats] = []
    count = max(len(v.gradient_norm) for v in frame.variants)
    for i, variant in enumerate(frame.variants):
        layers = np.arange(1, len(variant.gradient_norm) + 1)
        layers[-1] = count  # the output layers of all variants stand above one another
        norm = np.maximum(np.nan_to_num(variant.gradient_norm, nan=np.nan, posinf=np.nan), FLOOR)
        norms.append(norm)
        letter, marker = experiment.letters[i], {"mode": "lines+markers", "marker": {"size": 7}}
        data.append(
            line(layers, norm, COLORS[i], letter, hovertemplate=f"{letter}, layer %{{x}}<br>%{{y:.2e}}<extra></extra>")
            | marker
        )
        hover = f"{letter}, layer %{{x}}<br>10^%{{y:.2f}}<extra></extra>"
        ratio = line(layers, variant.update_ratio, COLORS[i], letter, xaxis="x2", yaxis="y2", hovertemplate=hover)
        data.append(ratio | marker)
    low, high = _decades(np.concatenate(norms))
    ticks = {"tickvals": _ticks(count), "ticktext": [*(str(t) for t in _ticks(count)[:-1]), "out"]}
    x = axis("layer", range=[0.5, count + 0.5], **ticks)
    shape = {
        "type": "line",
        "xref": "x2 domain",
        "yref": "y2",
        "x0": 0,
        "x1": 1,
        "y0": HEALTHY,
        "y1": HEALTHY,
        "line": {"color": GUIDE, "width": 1, "dash": "dot"},
    }
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
            yaxis=axis("", type="log", range=[low, high], exponentformat="e", dtick=max(1, (high - low) // 4)),
            yaxis2=axis("", anchor="x2", range=[-6.2, 0.2]),
            shapes=[shape],
            annotations=words,
        ),
    }


def _decades(norms: Floats) -> tuple[float, float]:
    """Whole powers of ten around the values: an axis that moves only when a decade is crossed."""
    finite = norms[np.isfinite(norms)]
    if not len(finite):
        return -3.0, 1.0
    low, high = np.floor(np.log10(finite.min())), np.ceil(np.log10(finite.max()))
    return float(min(low, -2)), float(max(high, low + 1, 0))


def _ticks(count: int) -> list[int]:
    """Layers with a label: all of a few, every fifth of many, and the last, which is the output."""
    inner = range(1, count) if count <= 8 else [1, *range(5, count - 1, 5)]
    return [*inner, count]

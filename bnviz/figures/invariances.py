"""What batchnorm makes of a bias and of a scale before it, and of a gradient that leaves its statistics out."""

from typing import Any

import numpy as np
import numpy.typing as npt

from bnviz.experiment.wording import decimals, significant
from bnviz.figures.logarithmic import POWER_AXIS
from bnviz.figures.normalization import AFTER, BEFORE
from bnviz.figures.style import (
    GUIDE,
    STILL,
    Figure,
    axis,
    dot,
    layout,
    line,
    nice_ceiling,
    outline,
)

__all__ = ["bias_effect", "runaway_bias", "scale_effect", "scale_gradient"]

Array = npt.NDArray[np.floating[Any]]
Pair = tuple[Array, Array]

INPUT_REACH = 15.0  # of the inputs' picture
INPUT_BINS = 60


def bias_effect(before: Pair, after: Pair, *, bias: float, difference: float, gradient: float) -> Figure:
    """Draw the inputs of batchnorm without the bias (dotted) and with it, and the outputs, which are the same."""
    words = [
        f"Largest difference of the outputs from b = 0: {significant(difference)}",
        f"Gradient of the loss with respect to b: {significant(gradient)}",
    ]
    return _before_and_after(before, after, f"A bias of {bias:g} moves the inputs, not the outputs", words)


def scale_effect(before: Pair, after: Pair, *, scale: float, difference: float) -> Figure:
    """Draw the same as bias_effect, for weights scaled by a."""
    words = [f"Largest difference of the outputs from a = 1: {significant(difference)}"]
    alt = f"Weights scaled by {scale:g} stretch the inputs, and hardly change the outputs"
    return _before_and_after(before, after, alt, words)


def scale_gradient(scales: Array, norms: Array, *, scale: float, now: float, was: float) -> Figure:
    """Draw the norm of the weights' gradient for every scale a of the weights, and mark the present a."""
    words = [f"{significant(now / was)} × that at a = 1; 1/a = {significant(1 / scale)}"]
    curve = line(scales, norms, GUIDE, "norm", hovertemplate="a = %{x:.2f}: %{y:.3g}<extra></extra>")
    here = line([scale], [now], AFTER, "here", hoverinfo="skip")
    low, high = np.log10([scales[0], scales[-1]])
    bottom, top = np.log10([norms.min(), norms.max()])
    return {
        "data": [curve, here | {"mode": "markers", "marker": {"color": AFTER, "size": 12}}],
        "layout": layout(
            f"Gradient norm of the weights, by their scale; at {scale:.3g} it is {now / was:.3g} of that at 1",
            300,
            words,
            **STILL,
            xaxis=axis("scale a", range=[low - 0.05, high + 0.05], **POWER_AXIS),
            yaxis=axis("gradient norm", range=[bottom - 0.2, top + 0.2], **POWER_AXIS),
        ),
    }


def runaway_bias(bias: Pair, loss: Pair) -> Figure:
    """Draw bias and loss over the steps, with statistics kept out of the gradient and with gradient through them."""
    steps = np.arange(len(bias[0]))
    data = []
    for i, (values, fit) in enumerate(((bias, "bias b"), (loss, "loss"))):
        for series, color, name in zip(values, (BEFORE, AFTER), ("kept out", "through"), strict=True):
            dash = {"dash": "dash"} if i and color == AFTER else {}
            hover = f"{fit}, {name}<br>step %{{x}}: %{{y:.4g}}<extra></extra>"
            axes = {"xaxis": "x2", "yaxis": "y2"} if i else {}
            data.append(line(steps, series, color, f"{fit}, {name}", line=dash, hovertemplate=hover, **axes))
    words = [
        dot(color, f"{name}: bias {_moved(values)}; loss {fit[0]:.4f} → {fit[-1]:.4f}")
        for color, name, values, fit in (
            (BEFORE, "statistics kept out of the gradient", bias[0], loss[0]),
            (AFTER, "gradient through the statistics", bias[1], loss[1]),
        )
    ]
    top = nice_ceiling(float(max(np.abs(values).max() for values in bias)) * 1.05)
    x = axis("step", range=[0, max(len(steps) - 1, 1)])
    return {
        "data": data,
        "layout": layout(
            f"After {len(steps) - 1} steps the bias is {bias[0][-1]:.4g} where the statistics are kept out of the "
            f"gradient, and {bias[1][-1]:.2g} where they are not",
            320,
            words,
            **STILL,
            xaxis=x | {"domain": [0, 0.44]},
            xaxis2=x | {"domain": [0.57, 1], "anchor": "y2"},
            yaxis=axis("bias b", range=[-0.08 * top, top]),
            yaxis2=axis("loss", anchor="x2", range=[0, nice_ceiling(float(max(v.max() for v in loss)) * 1.2)]),
        ),
    }


def _moved(values: Array) -> str:
    last = float(values[-1])
    return f"0 → {decimals(last) if abs(last) >= 0.01 else significant(last)}"


def _before_and_after(before: Pair, after: Pair, alt: str, words: list[str]) -> Figure:
    edges = np.linspace(-INPUT_REACH, INPUT_REACH, INPUT_BINS + 1)
    near = np.linspace(-4, 4, INPUT_BINS // 2 + 1)
    data: list[Figure] = []
    top = 1.0
    for places, values, color, target in ((edges, before, BEFORE, {}), (near, after, AFTER, {"xaxis": "x2"})):
        for i, name in ((0, "unchanged"), (1, "changed")):
            counts, _ = np.histogram(values[i], places)
            top = max(top, counts.max())
            trace = outline(places, counts, color if i else GUIDE, name) | target
            if not i:
                trace |= {"fill": "none", "line": {"color": GUIDE, "width": 1.5, "dash": "dot"}}
            data.insert(0, trace) if i else data.append(trace)
    return {
        "data": data,
        "layout": layout(
            alt,
            300,
            words,
            **STILL,
            xaxis=axis("into batchnorm", range=[-INPUT_REACH, INPUT_REACH], domain=[0, 0.53], nticks=5),
            xaxis2=axis("out of batchnorm", range=[-4, 4], domain=[0.58, 1], nticks=5),
            yaxis=axis("values a bin", range=[0, nice_ceiling(top)], nticks=5),
        ),
    }

"""Ravine and bowl: contours of the loss in two weights, and the way gradient descent takes down to it."""

import math

import numpy as np

from bnviz.figures.logarithmic import POWER_AXIS
from bnviz.figures.style import ACCENTS, GUIDE, WITH, WITHOUT, Figure, axis, guide, layout, line, typed
from bnviz.records.frames import Floats
from bnviz.theory import ravine
from bnviz.theory.ravine import GOAL_LOSS, Descent, Kind, Point

__all__ = ["ravine_contours", "ravine_losses"]

WEIGHT_REACH = 3.0  # weights from -WEIGHT_REACH to WEIGHT_REACH
CONTOUR_POINTS = 61
STEP_AXIS_ENDS = (
    10,
    20,
    50,
    100,
    200,
    500,
    ravine.MOST_STEPS,
)  # of the axis of steps: it stands still while a slider moves
TRAIL_SECONDS = 1.6  # that a path takes to appear
CHART_KEYS: dict[Kind, str] = {
    "raw": "chart_ravine",
    "standardized": "chart_ravine_standardized",
    "batchnorm": "chart_ravine_batchnorm",
}
DESCENT_NAMES: dict[Kind, str] = {
    "raw": "raw inputs",
    "standardized": "standardized inputs",
    "batchnorm": "batchnorm layer",
}
DESCENT_COLORS: dict[Kind, str] = {"raw": WITHOUT[0], "standardized": ACCENTS[0], "batchnorm": WITH[1]}
LOWEST_CONTOUR, HIGHEST_CONTOUR = -2.0, 2.0  # log10 of the losses that have a contour
_FRAMES = 60  # moments of a path's appearance


def ravine_contours(found: Descent, ratio: float, momentum: float, rate: float) -> Figure:
    """Draw contours of the true loss, the minimum, and the path, which the browser draws step by step."""
    across = np.linspace(-WEIGHT_REACH, WEIGHT_REACH, CONTOUR_POINTS)
    x, y = np.meshgrid(across, across)
    height = np.log10(np.clip(ravine.loss(found.kind, ratio, x, y), 10**LOWEST_CONTOUR, 10**HIGHEST_CONTOUR))
    color, shown = DESCENT_COLORS[found.kind], np.clip(found.path, -50 * WEIGHT_REACH, 50 * WEIGHT_REACH)
    contours = {
        "type": "contour",
        "x": typed(across),
        "y": typed(across),
        "z": typed(height),
        "showscale": False,
        "autocontour": False,
        "contours": {"coloring": "none", "start": LOWEST_CONTOUR, "end": HIGHEST_CONTOUR, "size": 0.25},
        "line": {"color": GUIDE, "width": 1},
        "hovertemplate": "start here<br>w₁ %{x:.2f}, w₂ %{y:.2f}<br>loss 10^%{z:.2f}<extra></extra>",
    }
    path = line(shown[:, 0], shown[:, 1], color, "path", hoverinfo="skip", line={"width": 2.5})
    ends = [
        _mark(shown[0], color, "circle-open", "start") | {"cliponaxis": False},  # whole, also at the edge
        _mark(shown[-1], color, "circle", "after the last step"),
        _minimum(found.kind, ratio),
    ]
    words = [f"<b>{DESCENT_NAMES[found.kind]}</b>: {_verdict(found)}", _numbers(found, momentum, rate)]
    frame = layout(
        f"Gradient descent with {DESCENT_NAMES[found.kind]}, from {found.path[0, 0]:.2f}, {found.path[0, 1]:.2f}: "
        f"{_verdict(found)}",
        340,
        words,
        xaxis=axis("weight w₁", range=[-WEIGHT_REACH, WEIGHT_REACH], constrain="domain"),
        yaxis=axis(
            "weight w₂", range=[-WEIGHT_REACH, WEIGHT_REACH], constrain="domain", scaleanchor="x"
        ),  # a bowl is round
    )
    # The contours, while only the descent is another.
    frame["meta"]["still"] = found.kind if found.kind == "standardized" else f"{found.kind} {ratio}"
    frame["meta"]["trail"] = {"trace": 1, "at": _shares(shown), "seconds": TRAIL_SECONDS}
    return {"data": [contours, path, *ends], "layout": frame}


def ravine_losses(descents: list[Descent]) -> Figure:
    """Draw the three losses over the steps, down to the goal."""
    data, longest = [], 10
    for found in descents:
        steps = np.arange(len(found.loss))
        hover = f"{DESCENT_NAMES[found.kind]}<br>step %{{x}}: %{{y:.3g}}<extra></extra>"
        data.append(
            line(
                steps,
                np.clip(found.loss, 1e-6, 1e6),
                DESCENT_COLORS[found.kind],
                DESCENT_NAMES[found.kind],
                hovertemplate=hover,
            )
        )
        longest = max(longest, found.steps or (len(steps) if not found.diverged else 10))
    end = next((end for end in STEP_AXIS_ENDS if longest <= end), STEP_AXIS_ENDS[-1])
    names = ", ".join(f'<span style="color:{DESCENT_COLORS[k]}">●</span> {DESCENT_NAMES[k]}' for k in DESCENT_NAMES)
    frame = layout(
        "Loss over the steps of the three descents",
        260,
        [f"{names}; dotted: the goal, {GOAL_LOSS:g}"],
        xaxis=axis("step", range=[-0.01 * end, end]),
        yaxis=axis("loss", range=[-4.2, 2.2], **POWER_AXIS),
        shapes=guide(GOAL_LOSS),
    )
    return {"data": data, "layout": frame}


def _verdict(found: Descent) -> str:
    if found.diverged:
        return f"diverges within {len(found.loss) - 1} steps"
    if math.isnan(found.loss[-1]):
        return "at w = 0 there is nothing to normalize"
    if found.steps is None:
        return f"loss {found.loss[-1]:.2g} after {len(found.loss) - 1:,} steps"
    return f"loss below {GOAL_LOSS:g} after {found.steps:,} steps"


def _numbers(found: Descent, momentum: float, rate: float) -> str:
    limit = found.largest_rate(momentum)
    if found.kind == "batchnorm":
        if found.diverged or found.eigenvalues[1] <= 0:
            return "one flat direction: the scale of the weights"
        stable = "" if found.steps is None else f", stable to {limit:.3g}"  # only of a minimum
        return f"λ<sub>max</sub> {found.eigenvalues[1]:.3g} at the end{stable}; one flat way"
    exceeded = ": exceeded" if rate >= limit else ""
    return f"condition number {found.condition:.3g}; largest stable η {limit:.3g}{exceeded}"


def _minimum(kind: Kind, ratio: float) -> Figure:
    s1, s2 = ravine.scales(ratio, kind)
    best: Point = (ravine.TARGET_SLOPE / s1, ravine.TARGET_SLOPE / s2)
    if kind != "batchnorm":
        return _mark(np.array(best), GUIDE, "star", "minimum")
    far = 2 * WEIGHT_REACH / max(best)
    return line([0, best[0] * far], [0, best[1] * far], GUIDE, "minimum", hoverinfo="skip", line={"dash": "dash"})


def _mark(at: Floats, color: str, symbol: str, name: str) -> Figure:
    marker = {"color": color, "size": 11, "symbol": symbol, "line": {"width": 2}}
    return {
        "type": "scatter",
        "mode": "markers",
        "x": typed(at[:1]),
        "y": typed(at[1:]),
        "name": name,
        "marker": marker,
        "hovertemplate": f"{name}<br>%{{x:.2f}}, %{{y:.2f}}<extra></extra>",
    }


def _shares(path: Floats) -> list[float]:
    """The part of the path's length that has been gone at evenly spaced steps, 0 to 1."""
    gone = np.concatenate([[0], np.hypot(*np.diff(path, axis=0).T).cumsum()])
    at = np.linspace(0, len(path) - 1, _FRAMES).round().astype(int)
    return [round(float(share), 4) for share in gone[at] / max(gone[-1], 1e-12)]

"""Batchnorm's computational graph, node by node, and the gradients that three ways of computing give."""

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from bnviz.experiment.wording import significant
from bnviz.figures.style import (
    ACCENTS,
    GUIDE,
    STILL,
    Figure,
    axis,
    dot,
    faded,
    layout,
    line,
    nice_ceiling,
)

__all__ = ["computation_graph", "gradient_check"]

Array = npt.NDArray[np.floating[Any]]
Gradients = tuple[Array, Array, Array]  # dx (N, D), dgamma (D,), dbeta (D,)

PER_POINT, LEARNED, BACKWARD = ACCENTS[3], ACCENTS[0], "#C2267E"
CHECKED = {"∂L/∂x": PER_POINT, "∂L/∂γ": LEARNED, "∂L/∂β": ACCENTS[1]}
HALF_HEIGHT = 0.4  # of a node, in rows

# By name: column (0 left, 1 right), row, what is computed forward, and its gradient.
_NODES = {
    "x": (0, 0, "x", "∂x = ∂c + ∂μ / N"),
    "mean": (1, 0, "μ = mean(x)", "∂μ = −Σ ∂c"),
    "centered": (0, 1, "c = x − μ", "∂c = s ∂x̂ + 2c ∂q"),
    "squared": (1, 1, "q = c²", "∂q = ∂σ² / N"),
    "var": (1, 2, "σ² = mean(q)", "∂σ² = −½ s³ ∂s"),
    "x_hat": (0, 3, "x̂ = c · s", "∂x̂ = γ ∂z"),
    "inv_std": (1, 3, "s = 1 / √(σ² + ε)", "∂s = Σ c ∂x̂"),
    "scaled": (0, 4, "z = γ · x̂", "∂z = ∂y"),
    "gamma": (1, 4, "γ", "∂γ = Σ x̂ ∂z"),
    "y": (0, 5, "y = z + β", "∂y = y − t"),
    "beta": (1, 5, "β", "∂β = Σ ∂y"),
}
_EDGES = (
    ("x", "mean"),
    ("x", "centered"),
    ("mean", "centered"),
    ("centered", "squared"),
    ("squared", "var"),
    ("var", "inv_std"),
    ("centered", "x_hat"),
    ("inv_std", "x_hat"),
    ("x_hat", "scaled"),
    ("gamma", "scaled"),
    ("scaled", "y"),
    ("beta", "y"),
)
_COLUMNS = ((0.0, 0.45), (0.55, 1.0))


def computation_graph(nodes: Mapping[str, Array], *, backward: bool, follow: int) -> Figure:
    """Draw every node with its formula, shape and value; if it has a row for each point, the row of point `follow`.

    nodes: the values of the forward pass or, backward, the gradient of the loss at every node.
    """
    shapes: list[Figure] = []
    annotations: list[Figure] = []
    for name, (column, row, forward, gradient) in _NODES.items():
        value = nodes[name]
        left, right = _COLUMNS[column]
        color = PER_POINT if value.ndim == 2 else LEARNED if name in ("gamma", "beta") else GUIDE
        shapes.append(
            {
                "type": "rect",
                "x0": left,
                "x1": right,
                "y0": row - HALF_HEIGHT,
                "y1": row + HALF_HEIGHT,
                "line": {"color": color, "width": 1.5},
                "fillcolor": faded(color, 0.12),
            }
        )
        shown = value[follow] if value.ndim == 2 else value
        numbers = ",  ".join(significant(v) for v in shown)
        text = f"<b>{gradient if backward else forward}</b><br>{value.shape}<br>{numbers}"
        annotations.append(
            {"x": (left + right) / 2, "y": row, "text": text, "showarrow": False, "font": {"size": 13}, "name": name}
        )
    annotations += [_arrow(*(edge[::-1] if backward else edge), backward) for edge in _EDGES]
    way = "Backward: the gradient of the loss at every node" if backward else "Forward: the value of every node"
    alt = f"{way} of batchnorm's computational graph, for the point in row {follow + 1}. " + "; ".join(
        a["text"].replace("<b>", "").replace("</b>", "").replace("<br>", ", ") for a in annotations if "name" in a
    )
    hidden = {"visible": False, "fixedrange": True}
    return {
        "data": [],
        "layout": layout(
            alt,
            520,
            **STILL,
            margin={"l": 2, "r": 2, "t": 4, "b": 4},
            xaxis=hidden | {"range": [-0.005, 1.005]},
            yaxis=hidden | {"range": [5.5, -0.5]},
            shapes=shapes,
            annotations=annotations,
        ),
    }


def gradient_check(closed: Gradients, staged: Gradients, autograd: Gradients | None, waiting: str = "") -> Figure:
    """Draw the closed form across, the other two up: what agrees lies on the diagonal. Words tell the differences.

    waiting: why there is no answer of PyTorch's autograd, in plain words.
    """
    others = {"step by step": staged} | ({"PyTorch autograd": autograd} if autograd else {})
    limit = nice_ceiling(1.1 * max(float(np.abs(g).max()) for g in closed))
    data = [line([-limit, limit], [-limit, limit], GUIDE, "equal", line={"width": 1, "dash": "dot"}, hoverinfo="skip")]
    for way, gradients in others.items():
        for (name, color), ours, theirs in zip(CHECKED.items(), closed, gradients, strict=True):
            symbol = {"size": 13, "symbol": "circle-open", "color": color, "line": {"width": 1.5}}
            if way != "step by step":
                symbol = {"size": 6, "symbol": "circle", "color": color}
            hover = f"{name}<br>closed form %{{x:.4f}}<br>{way} %{{y:.4f}}<extra></extra>"
            dots = line(ours.ravel(), theirs.ravel(), color, f"{name}, {way}", hovertemplate=hover)
            data.append(dots | {"mode": "markers", "marker": symbol})
    differences = {
        way: [float(np.abs(a - b).max()) for a, b in zip(closed, found, strict=True)] for way, found in others.items()
    }
    words = [_table(differences)] + ([escape(waiting, quote=False)] if waiting else [])
    worst = {way: significant(max(found)) for way, found in differences.items()}
    alt = "Gradients of the closed form against " + " and ".join(
        f"{way}, largest difference {difference}" for way, difference in worst.items()
    )
    return {
        "data": data,
        "layout": layout(
            alt,
            300,
            words,
            **STILL,
            xaxis=axis("closed form", range=[-limit, limit]),
            yaxis=axis("○ step by step   ● autograd", range=[-limit, limit]),
        ),
    }


def _table(differences: Mapping[str, list[float]]) -> str:
    head = "".join(f'<th scope="col">{dot(color, name)}</th>' for name, color in CHECKED.items())
    rows = "".join(
        f'<tr><th scope="row">{way}</th>' + "".join(f"<td>{significant(d)}</td>" for d in found) + "</tr>"
        for way, found in differences.items()
    )
    return (
        '<table class="bnviz-table"><caption>Largest difference from the closed form</caption>'
        f"<tr><td></td>{head}</tr>{rows}</table>"
    )


def _arrow(start: str, end: str, backward: bool) -> Figure:
    (from_column, from_row, *_), (to_column, to_row, *_) = _NODES[start], _NODES[end]
    if from_row == to_row:  # between the columns
        x0, x1 = (0.45, 0.55) if from_column < to_column else (0.55, 0.45)
        y0 = y1 = float(from_row)
    elif from_column == to_column:  # down, or up
        sign = 1 if to_row > from_row else -1
        x0 = x1 = sum(_COLUMNS[from_column]) / 2
        y0, y1 = from_row + sign * HALF_HEIGHT, to_row - sign * HALF_HEIGHT
    else:  # from corner to corner
        sign = 1 if to_row > from_row else -1
        x0, x1 = (0.62, 0.38) if from_column else (0.38, 0.62)
        y0, y1 = from_row + sign * HALF_HEIGHT, to_row - sign * HALF_HEIGHT
    return {
        "x": x1,
        "y": y1,
        "ax": x0,
        "ay": y0,
        "axref": "x",
        "ayref": "y",
        "showarrow": True,
        "arrowhead": 2,
        "arrowwidth": 1.6,
        "arrowcolor": BACKWARD if backward else GUIDE,
        "text": "",
    }

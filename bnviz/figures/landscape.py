"""Slices of the loss landscape as contours, surface or line."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from bnviz.experiment.config import Experiment
from bnviz.experiment.wording import percent
from bnviz.figures.logarithmic import log_axis_around
from bnviz.figures.style import (
    DOTTED,
    GUIDE,
    Figure,
    axis,
    layout,
    line,
    network_color,
    network_looks,
    note,
    title_of,
    typed,
)
from bnviz.records.frames import Floats
from bnviz.records.landscape import Slice, Slices

__all__ = ["landscape_slices"]

Shape = Literal["contour", "surface"]
LOSS_FLOOR = 1e-4  # of a loss on the logarithmic scale
PANELS_IN_A_ROW = 3  # panels in a row
PANEL_GAP = 0.085  # between two of them, of the width of all
SURFACE_COLORS = [
    [0, "#4f9fd0"],
    [0.5, "#8f6fc0"],
    [1, "#c2267e"],
]  # seen on white and on dark, as no panel lies behind it
DIRECTIONS = {
    "random": ("direction 1", "direction 2"),
    "path": ("principal direction 1", "principal direction 2"),
}


def empty_chart(words: Sequence[str], height: int = 320) -> Figure:
    """Return a chart for which nothing has been measured yet; the words say why, or how far it is."""
    hidden = {"visible": False, "fixedrange": True}
    frame = {"type": "rect", "xref": "paper", "yref": "paper", "x0": 0, "x1": 1, "y0": 0, "y1": 1}
    shape = layout("Nothing measured yet", height, words, shapes=[frame | {"line": DOTTED}], xaxis=hidden, yaxis=hidden)
    return {"data": [], "layout": shape}


def progress_bar(done: float, what: str, left: float | None) -> str:
    """Return HTML of a bar and the part that is done, with the seconds that are left if they are known."""
    label = f"{what}: {percent(done, 0)}" + ("" if left is None else f", about {left:,.0f} s left")
    return f'<progress max="1" value="{done:.3f}" aria-label="{what}"></progress> {label}'


def landscape_slices(found: Slices, experiment: Experiment, *, shape: Shape, log: bool, words: Sequence[str]) -> Figure:
    """Draw all networks' slices on one scale of losses: one panel each, or lines in one chart."""
    known = {i: each for i, each in enumerate(found) if isinstance(each, Slice) and np.isfinite(each.loss).any()}
    if not known:
        return empty_chart(words)
    if next(iter(known.values())).kind == "line":
        return _lines(known, experiment, log, words)
    heights = {i: _height(each.loss, log) for i, each in known.items()}
    low, high = (float(f([f(h[np.isfinite(h)]) for h in heights.values()])) for f in (min, max))
    high = max(high, low + 1e-6)
    title = "log₁₀ loss" if log else "loss (nats)"
    bar = {"title": {"text": title, "side": "right"}, "thickness": 12, "len": 0.9}
    color: Figure = {"cmin": low, "cmax": high, "colorbar": bar}
    if shape == "surface":
        color["colorscale"] = SURFACE_COLORS
    alt = f"Loss around the weights of {len(known)} networks, from {low:.3g} to {high:.3g} {title}"
    data: list[Figure] = []
    axes: Figure = {}
    for k, (i, each) in enumerate(known.items()):
        number = "" if k == 0 else str(k + 1)
        if shape == "surface":
            data += _surface(each, heights[i], (low, high), network_color(experiment, i), f"scene{number}")
            axes[f"scene{number}"] = _scene(each, (low, high), title)
        else:
            data += _contour(each, heights[i], (low, high), network_color(experiment, i), number)
            axes |= _plane(each, number)
    heads = [f"{title_of(experiment, i)}, step {each.step:,}" for i, each in known.items()]
    flat = {"l": 56, "r": 14, "t": 30, "b": 44}
    axes["margin"] = flat if shape == "contour" else {"l": 8, "r": 14, "t": 8, "b": 8}
    beside, below = (_placed(axes, heads, columns) for columns in (min(len(known), PANELS_IN_A_ROW), 1))
    frame = layout(alt, 0, words, coloraxis=color) | beside
    # The browser, which alone knows its width, takes the place of each panel from meta.narrow on a phone.
    frame["meta"] |= {"narrow": below} | ({} if shape == "surface" else {"scale": "sequential"})
    return {"data": data, "layout": frame}


def _placed(axes: Figure, heads: Sequence[str], columns: int) -> Figure:
    """The panels in rows of so many, each below its head; axes and scenes are numbered from "" on."""
    rows = -(-len(heads) // columns)
    height = (420 if columns > 1 or rows == 1 else 330) * rows
    placed: Figure = axes | {"height": height, "annotations": []}
    inside = height - axes["margin"]["t"] - axes["margin"]["b"]
    wide, between = (1 - (columns - 1) * PANEL_GAP) / columns, 74 / inside  # room for the titles of axes, and for heads
    high = (1 - (rows - 1) * between) / rows
    for k, head in enumerate(heads):
        number, (row, column) = "" if k == 0 else str(k + 1), divmod(k, columns)
        x = [column * (wide + PANEL_GAP), column * (wide + PANEL_GAP) + wide]
        y = [1 - row * (high + between) - high, 1 - row * (high + between)]
        y[0] = max(y[0], 0.0)  # but for rounding
        if f"scene{number}" in axes:
            y[1] -= 24 / inside
            placed[f"scene{number}"] = axes[f"scene{number}"] | {"domain": {"x": x, "y": y}}
        else:
            placed[f"xaxis{number}"] = axes[f"xaxis{number}"] | {"domain": x}
            placed[f"yaxis{number}"] = axes[f"yaxis{number}"] | {"domain": y}
        placed["annotations"].append(note(head, x[0], y[1], yanchor="bottom"))
    return placed


def _height(loss: Floats, log: bool) -> Floats:
    return np.log10(np.maximum(loss, LOSS_FLOOR)) if log else loss


def _ends(values: Floats) -> list[float]:
    return [float(values.min()), float(values.max())]


def _plane(each: Slice, number: str) -> Figure:
    """The two axes of a panel, with the share of the path along each if the plane is that of a path."""
    shares = [f" ({percent(share, 0)})" for share in each.explained] or ["", ""]
    across, up = (name + share for name, share in zip(DIRECTIONS[each.kind], shares, strict=True))
    return {
        f"xaxis{number}": axis(across, anchor=f"y{number}", range=_ends(each.x)),
        f"yaxis{number}": axis(up, anchor=f"x{number}", range=_ends(each.y)),
    }


def _contour(each: Slice, z: Floats, span: tuple[float, float], color: str, number: str) -> list[Figure]:
    place = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
    contour = {
        "type": "contour",
        "x": typed(each.x),
        "y": typed(each.y),
        "z": typed(z),
        "coloraxis": "coloraxis",
        "contours": {"coloring": "heatmap", "start": span[0], "end": span[1], "size": (span[1] - span[0]) / 24},
        "autocontour": False,
        "line": {"width": 0.6, "color": GUIDE},
        "hovertemplate": "%{x:.3g}, %{y:.3g}<br>%{z:.4g}<extra></extra>",
    }
    data = [contour | place]
    if len(each.path):
        path = line(each.path[:, 0], each.path[:, 1], color, "path", mode="lines+markers", **place)
        hover = "step %{text}<extra>path</extra>"
        data.append(path | {"marker": {"size": 4}, "text": list(each.path_steps), "hovertemplate": hover})
    return [*data, _now(color) | place]


def _surface(each: Slice, z: Floats, span: tuple[float, float], color: str, scene: str) -> list[Figure]:
    hover = "%{x:.3g}, %{y:.3g}<br>%{z:.4g}<extra></extra>"
    where = {"x": typed(each.x), "y": typed(each.y), "z": typed(z)}
    data: list[Figure] = [{"type": "surface", "coloraxis": "coloraxis", "scene": scene, "hovertemplate": hover} | where]
    if len(each.path):
        style = {
            "line": {"color": color, "width": 5},
            "mode": "lines",
            "scene": scene,
            "hoverinfo": "skip",
        }
        data.append({"type": "scatter3d", "name": "path"} | _above(each, z, each.path, span) | style)
    now = _now(color) | {"type": "scatter3d", "scene": scene} | _above(each, z, np.zeros((1, 2)), span)
    now["marker"] = now["marker"] | {"size": 5, "line": {"width": 1, "color": "#ffffff"}}
    return [*data, now]


def _above(each: Slice, z: Floats, points: Floats, span: tuple[float, float]) -> Figure:
    """Places (k, 2) of a slice, as points a little above its surface."""
    rows, columns = (
        np.abs(across[None] - at[:, None]).argmin(1) for across, at in ((each.y, points[:, 1]), (each.x, points[:, 0]))
    )
    high = z[rows, columns] + 0.02 * (span[1] - span[0])
    return {"x": typed(points[:, 0]), "y": typed(points[:, 1]), "z": typed(high)}


def _scene(each: Slice, span: tuple[float, float], title: str) -> Figure:
    across, up = DIRECTIONS[each.kind]
    small = {"size": 11}
    size = {"tickfont": {"size": 10}, "nticks": 5}
    return {
        "xaxis": size | {"title": {"text": across, "font": small}, "range": _ends(each.x)},
        "yaxis": size | {"title": {"text": up, "font": small}, "range": _ends(each.y)},
        "zaxis": size
        | {"title": {"text": title, "font": small}, "range": [span[0], span[1] + 0.05 * (span[1] - span[0])]},
        "aspectmode": "manual",
        "aspectratio": {"x": 1, "y": 1, "z": 0.75},
        "camera": {"eye": {"x": 1.65, "y": 1.65, "z": 1.0}, "center": {"x": 0, "y": 0, "z": -0.1}},
    }


def _lines(known: dict[int, Slice], experiment: Experiment, log: bool, words: Sequence[str]) -> Figure:
    data, looks = [], network_looks(experiment)
    for i, each in known.items():
        look = looks[i]
        hover = f"{look.name}<br>%{{x:.2f}}<br>%{{y:.4g}} nats<extra></extra>"
        data.append(line(each.x, np.maximum(each.loss[0], LOSS_FLOOR), look.color, look.letter, hovertemplate=hover))
    values = np.concatenate([each.loss[0] for each in known.values()])
    top = float(np.nanmax(values[np.isfinite(values)]))
    floored = np.maximum(values[np.isfinite(values)], LOSS_FLOOR)
    y = axis("loss (nats)", **(log_axis_around(floored) if log else {"range": [0, top * 1.05]}))
    steps = sorted({each.step for each in known.values()})
    ends = [(-1, "first weights"), (0, f"weights at step {' and '.join(f'{step:,}' for step in steps)}")]
    guides = [
        {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": at, "x1": at, "line": {"color": GUIDE, "dash": "dot"}}
        for at, _ in ends
    ]
    names = [
        note(name, at, 1.0, xref="x", xanchor="left", font={"size": 11, "color": GUIDE}, xshift=4) for at, name in ends
    ]
    places = np.concatenate([each.x for each in known.values()])
    x = axis("place on the straight line through both", range=_ends(places))
    alt = "Loss along the straight line from the first weights to the later ones"
    return {"data": data, "layout": layout(alt, 380, words, xaxis=x, yaxis=y, shapes=guides, annotations=names)}


def _now(color: str) -> Figure:
    marker = {"color": color, "size": 10, "symbol": "circle", "line": {"width": 2, "color": "#ffffff"}}
    at = {"x": typed([0.0]), "y": typed([0.0])}
    return (
        {"type": "scatter", "mode": "markers", "marker": marker, "name": "now"}
        | at
        | {"hovertemplate": "the weights now<extra></extra>"}
    )

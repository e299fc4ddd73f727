"""Pictures of the landscape: slices as contours, surface or line; sharpness, learning rates, scales and noise."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from bnviz.config import LETTERS, Experiment
from bnviz.figures.style import COLORS, GUIDE, Figure, axis, colored, faded, layout, line, note, typed
from bnviz.landscape_records import NOISE_SIZES, SCALES, BatchNoise, LargestRates, Scaling, Sharpness, Slice, Slices
from bnviz.records import Floats

Shape = Literal["contour", "surface"]
FLOOR = 1e-4  # of a loss on the logarithmic scale
AXES = {
    "random": ("random direction 1", "random direction 2"),
    "path": ("principal direction 1", "principal direction 2"),
}


def empty(words: Sequence[str], height: int = 320) -> Figure:
    """A chart for which nothing has been measured yet; the words say why, or how far it is."""
    hidden = {"visible": False}
    return {"data": [], "layout": layout("Nothing measured yet", height, words, xaxis=hidden, yaxis=hidden)}


def progress(done: float, what: str) -> str:
    label = f"{what}: {done:.0%}"
    return f'<progress max="1" value="{done:.3f}" aria-label="{what}"></progress> {label}'


def slices(found: Slices, *, shape: Shape, log: bool, words: Sequence[str]) -> Figure:
    """All networks' slices on one scale of losses: a panel each, or lines in one chart."""
    known = {i: each for i, each in enumerate(found) if isinstance(each, Slice) and np.isfinite(each.loss).any()}
    if not known:
        return empty(words)
    if next(iter(known.values())).kind == "line":
        return _lines(known, log, words)
    heights = {i: _height(each.loss, log) for i, each in known.items()}
    low, high = (f([f(h[np.isfinite(h)]) for h in heights.values()]) for f in (min, max))
    title = "log₁₀ loss" if log else "loss (nats)"
    bar = {"title": {"text": title, "side": "right"}, "thickness": 12, "len": 0.9}
    color = {"cmin": float(low), "cmax": float(max(high, low + 1e-6)), "colorbar": bar}
    draw = _surfaces if shape == "surface" else _contours
    data, axes = draw(known, heights, (float(low), float(high)))
    alt = f"Loss around the weights of {len(known)} networks, from {low:.3g} to {high:.3g} {title}"
    frame = layout(alt, 420, words, coloraxis=color, **axes)
    frame["meta"]["scale"] = "sequential"
    return {"data": data, "layout": frame}


def _height(loss: Floats, log: bool) -> Floats:
    return np.log10(np.maximum(loss, FLOOR)) if log else loss


def _contours(
    known: dict[int, Slice], heights: dict[int, Floats], span: tuple[float, float]
) -> tuple[list[Figure], Figure]:
    data: list[Figure] = []
    axes: Figure = {"annotations": []}
    for k, (i, each) in enumerate(known.items()):
        number = "" if k == 0 else str(k + 1)
        place = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
        data.append(
            {
                "type": "contour",
                "x": typed(each.x),
                "y": typed(each.y),
                "z": typed(heights[i]),
                "coloraxis": "coloraxis",
                "contours": {"coloring": "heatmap", "start": span[0], "end": span[1], "size": (span[1] - span[0]) / 24},
                "autocontour": False,
                "line": {"width": 0.6, "color": GUIDE},
                "hovertemplate": "%{x:.3g}, %{y:.3g}<br>%{z:.4g}<extra></extra>",
            }
            | place
        )
        if len(each.path):
            path = line(each.path[:, 0], each.path[:, 1], COLORS[i], "path", mode="lines+markers", **place)
            hover = "step %{text}<extra>path</extra>"
            data.append(path | {"marker": {"size": 4}, "text": list(each.path_steps), "hovertemplate": hover})
        data.append(_now(COLORS[i]) | place)
        width = 1 / len(known)
        domain = [k * width + (0.04 if k else 0), (k + 1) * width - (0.02 if k < len(known) - 1 else 0)]
        across, up = AXES[each.kind]
        axes[f"xaxis{number}"] = axis(across, domain=domain, anchor=f"y{number}")
        axes[f"yaxis{number}"] = axis("" if k else up, anchor=f"x{number}")
        shares = " + ".join(f"{share:.0%}" for share in each.explained)
        head = f"{colored(LETTERS[i], i)} step {each.step:,}" + (f" ({shares} of the path)" if shares else "")
        axes["annotations"].append(note(head, domain[0], 1.0, yanchor="bottom"))
    return data, axes | {"margin": {"l": 56, "r": 14, "t": 30, "b": 44}}


def _surfaces(
    known: dict[int, Slice], heights: dict[int, Floats], span: tuple[float, float]
) -> tuple[list[Figure], Figure]:
    data: list[Figure] = []
    axes: Figure = {}
    for k, (i, each) in enumerate(known.items()):
        number = "" if k == 0 else str(k + 1)
        scene = f"scene{number}"
        z = heights[i]
        data.append(
            {
                "type": "surface",
                "x": typed(each.x),
                "y": typed(each.y),
                "z": typed(z),
                "coloraxis": "coloraxis",
                "scene": scene,
                "hovertemplate": "%{x:.3g}, %{y:.3g}<br>%{z:.4g}<extra></extra>",
            }
        )
        if len(each.path):
            rows, columns = (
                np.abs(a[None] - p[:, None]).argmin(1)
                for a, p in ((each.y, each.path[:, 1]), (each.x, each.path[:, 0]))
            )
            above = z[rows, columns] + 0.02 * (span[1] - span[0])
            style = {"line": {"color": COLORS[i], "width": 5}, "mode": "lines", "scene": scene, "hoverinfo": "skip"}
            track = {"x": typed(each.path[:, 0]), "y": typed(each.path[:, 1]), "z": typed(above)}
            data.append({"type": "scatter3d", "name": "path"} | track | style)
        width = 1 / len(known)
        axes[scene] = {
            "domain": {"x": [k * width, (k + 1) * width], "y": [0, 1]},
            "xaxis": {"title": {"text": f"{LETTERS[i]}, step {each.step:,}"}},
            "yaxis": {"title": {"text": ""}},
            "zaxis": {"title": {"text": ""}, "range": [span[0], span[1] + 0.05 * (span[1] - span[0])]},
            "aspectmode": "cube",
        }
    return data, axes | {"margin": {"l": 0, "r": 0, "t": 0, "b": 0}}


def _lines(known: dict[int, Slice], log: bool, words: Sequence[str]) -> Figure:
    data = []
    for i, each in known.items():
        hover = f"{LETTERS[i]}<br>%{{x:.2f}}<br>%{{y:.4g}} nats<extra></extra>"
        data.append(line(each.x, np.maximum(each.loss[0], FLOOR), COLORS[i], LETTERS[i], hovertemplate=hover))
    values = np.concatenate([each.loss[0] for each in known.values()])
    top = float(np.nanmax(values[np.isfinite(values)]))
    low = float(np.log10(max(np.nanmin(values[np.isfinite(values)]), FLOOR)))
    span = {"type": "log", "range": [low - 0.1, np.log10(top) + 0.1], "exponentformat": "power"}
    y = axis("loss (nats)", **(span if log else {"range": [0, top * 1.05]}))
    ends = [(-1, "first weights"), (0, "weights now")]
    guides = [
        {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": at, "x1": at, "line": {"color": GUIDE, "dash": "dot"}}
        for at, _ in ends
    ]
    names = [
        note(name, at, 1.0, xref="x", xanchor="left", font={"size": 11, "color": GUIDE}, xshift=4) for at, name in ends
    ]
    x = axis("place on the straight line through both")
    alt = "Loss along the straight line from the first weights to those now"
    return {"data": data, "layout": layout(alt, 380, words, xaxis=x, yaxis=y, shapes=guides, annotations=names)}


def _now(color: str) -> Figure:
    marker = {"color": color, "size": 10, "symbol": "circle", "line": {"width": 2, "color": "#ffffff"}}
    at = {"x": typed([0.0]), "y": typed([0.0])}
    return (
        {"type": "scatter", "mode": "markers", "marker": marker, "name": "now"}
        | at
        | {"hovertemplate": "the weights now<extra></extra>"}
    )


def sharpness(found: Sequence[Sharpness | str], experiment: Experiment, words: Sequence[str]) -> Figure:
    """Largest Hessian eigenvalue over the steps, and the limit of stability of each step's learning rate."""
    known = [(i, each) for i, each in enumerate(found) if isinstance(each, Sharpness)]
    if not known:
        return empty(words)
    data: list[Figure] = []
    for i, each in known:
        letter = experiment.letters[i]
        hover = f"{letter}<br>step %{{x:,.0f}}<br>λ_max %{{y:.3g}}<extra></extra>"
        curve = line(each.steps, np.maximum(each.eigenvalue, 1e-6), COLORS[i], letter, hovertemplate=hover)
        data.append(curve | {"mode": "lines+markers", "marker": {"size": 5}})
    longest = max((each for _, each in known), key=lambda each: each.steps[-1])
    hover = "limit of stability<br>step %{x:,.0f}<br>%{y:.3g}<extra></extra>"
    data.append(
        line(longest.steps, longest.limit, GUIDE, "limit", hovertemplate=hover, line={"dash": "dot", "width": 1.5})
    )
    values = np.concatenate([np.maximum(e.eigenvalue, 1e-6) for _, e in known] + [longest.limit])
    values = values[np.isfinite(values) & (values < 1e9)]
    span = [float(np.log10(values.min())) - 0.2, float(np.log10(values.max())) + 0.2]
    y = axis("largest Hessian eigenvalue", type="log", range=span, exponentformat="power")
    alt = "Largest eigenvalue of the Hessian over the steps, beside the stability limit two over the learning rate"
    return {"data": data, "layout": layout(alt, 320, words, xaxis=axis("step (batches)"), yaxis=y)}


def largest_rates(found: LargestRates, experiment: Experiment, words: Sequence[str]) -> Figure:
    """A point a seed and a bar at the median, of every network."""
    data: list[Figure] = []
    for i, rates in enumerate(found.rates):
        x = np.full(len(rates), float(i)) + np.linspace(-0.12, 0.12, len(rates))
        hover = f"{experiment.letters[i]}<br>%{{y:.3g}}<extra></extra>"
        points = line(x, rates, COLORS[i], experiment.letters[i], mode="markers", hovertemplate=hover)
        data.append(points | {"marker": {"size": 9, "color": COLORS[i]}})
        median = [float(np.median(rates))] * 2
        data.append(line([i - 0.25, i + 0.25], median, faded(COLORS[i], 0.6), "median", hoverinfo="skip"))
    low, high = np.log10(found.rates.min()), np.log10(found.rates.max())
    count = len(experiment.variants)
    x_axis = axis("network", tickvals=list(range(count)), ticktext=list(experiment.letters), range=[-0.6, count - 0.4])
    y = axis("largest rate that trains", type="log", range=[low - 0.3, high + 0.3], exponentformat="power")
    alt = "Largest learning rate that still trains, by network and seed"
    return {"data": data, "layout": layout(alt, 320, words, xaxis=x_axis, yaxis=y)}


def scaling(found: Sequence[Scaling], experiment: Experiment, words: Sequence[str]) -> Figure:
    """Gradient norm of a W over that of W, by a; dotted: 1/a."""
    scales = np.array(SCALES)
    data = [line(scales, 1 / scales, GUIDE, "1/a", hoverinfo="skip", line={"dash": "dot", "width": 1.5})]
    for i, each in enumerate(found):
        letter = experiment.letters[i]
        hover = f"{letter}<br>a = %{{x:.3g}}<br>gradient × %{{y:.3g}}<extra></extra>"
        curve = line(scales, np.maximum(each.gradient, 1e-6), COLORS[i], letter, hovertemplate=hover)
        data.append(curve | {"mode": "lines+markers", "marker": {"size": 6}})
    powers = {"type": "log", "exponentformat": "power"}
    ticks = {"tickvals": list(SCALES), "ticktext": ["⅛", "¼", "½", "1", "2", "4", "8"]}
    x, y = axis("scale a of the weights", **powers, **ticks), axis("gradient, times that at a = 1", **powers, dtick=1)
    return {"data": data, "layout": layout("Gradient norm by the scale of the weights", 320, words, xaxis=x, yaxis=y)}


def batch_noise(found: BatchNoise, index: int, words: Sequence[str]) -> Figure:
    """Noise of a batch's mean and variance by its size; dotted: 1/sqrt(B)."""
    sizes = np.array(NOISE_SIZES, dtype=float)
    data = [
        line(sizes, 1 / np.sqrt(sizes), GUIDE, "1/√B", hoverinfo="skip", line={"dash": "dot", "width": 1.5}),
        _noise(sizes, found.mean, COLORS[index], "mean", "solid"),
        _noise(sizes, found.variance, COLORS[index], "variance", "dash"),
    ]
    powers = {"type": "log", "exponentformat": "power"}
    x = axis("digits in a batch, B", tickvals=list(NOISE_SIZES), **powers)
    y = axis("standard deviation over batches", dtick=1, **powers)
    return {"data": data, "layout": layout("Noise of batch statistics by batch size", 320, words, xaxis=x, yaxis=y)}


def _noise(sizes: Floats, values: Floats, color: str, name: str, dash: str) -> Figure:
    hover = f"{name}<br>B = %{{x:.0f}}<br>%{{y:.3g}}<extra></extra>"
    curve = line(sizes, values, color, name, hovertemplate=hover, line={"dash": dash, "width": 2})
    return curve | {"mode": "lines+markers", "marker": {"size": 6, "color": color}}

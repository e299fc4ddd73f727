"""What batchnorm keeps for inference, what it stands for, and what follows for the answers."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from bnviz.analysis.inference import inference_frames, statistic_error
from bnviz.experiment.layers import LN_10
from bnviz.figures.curves import KNOWS_NOTHING, marked, x_axis
from bnviz.figures.style import (
    ACCENTS,
    GUIDE,
    Figure,
    axis,
    calm_range,
    faded,
    guide,
    layout,
    line,
    nice_ceiling,
    swatch,
    typed,
)
from bnviz.records.answers import Answers
from bnviz.records.frames import BATCH_SIZES, Floats, InferenceFrame
from bnviz.records.history import View

__all__ = [
    "bessel_correction",
    "digit_answers",
    "digit_image",
    "inference_losses",
    "running_statistics",
    "statistics_error",
]

RUNNING, POPULATION = ACCENTS[3], ACCENTS[0]
_SIZES = dict(zip(BATCH_SIZES, ("#B8488A", "#D98CBE", ACCENTS[2], GUIDE), strict=True))


def running_statistics(view: View, *, layer: int, unit: int) -> Figure:
    """Draw mean and variance of one unit over the steps: of the batch, the running average and the population."""
    steps, frames = _columns(view)
    data: list[Figure] = []
    axes: Figure = {}
    for row, what in enumerate(("mean", "var")):
        name, number = {"mean": "mean", "var": "variance"}[what], "" if row == 0 else "2"
        values = {
            kind: np.array([getattr(f.layers[layer], f"{kind}_{what}")[unit] for f in frames])
            for kind in ("batch", "population", "running")
        }
        place = {"yaxis": f"y{number}"}
        points = {"type": "scatter", "mode": "markers", "marker": {"color": faded(GUIDE, 0.7), "size": 4}}
        hover = f"<br>step %{{x:,.0f}}<br>{name} %{{y:.3f}}<extra></extra>"
        data += [
            points | place | {"x": typed(steps), "y": typed(values["batch"]), "hovertemplate": "one batch" + hover},
            line(steps, values["running"], RUNNING, "running", hovertemplate="running" + hover, **place),
            line(steps, values["population"], POPULATION, "population", hovertemplate="population" + hover, **place)
            | {"line": {"color": POPULATION, "width": 2, "dash": "dash"}},
        ]
        domain = [0.54, 1.0] if row == 0 else [0.0, 0.46]
        axes[f"yaxis{number}"] = axis(name, domain=domain, range=calm_range(np.concatenate(list(values.values()))))
    words = [
        f"unit {unit + 1} of layer {layer + 1}: {swatch(RUNNING, 'running average')}, "
        f"{swatch(POPULATION, 'population')} (what it should be), {swatch(GUIDE, 'one batch')}"
    ]
    alt = f"Running mean and variance of unit {unit + 1} over the steps, beside batch and population"
    shape = layout(alt, 380, words, xaxis=x_axis(view, "steps") | {"anchor": "y2"}, **axes)
    return {"data": data, "layout": shape | marked(view, "steps", [])}


def statistics_error(view: View, *, layer: int) -> Figure:
    """Draw how far running average and batch are from the population, root mean square over the layer's units."""
    steps, frames = _columns(view)
    data = []
    low, high = math.inf, 0.0
    for kind, color in (("batch", GUIDE), ("running", RUNNING)):
        for what, dash in (("mean", "solid"), ("var", "dot")):
            values = np.array([statistic_error(f.layers[layer], kind, what) for f in frames])
            name = f"{'one batch' if kind == 'batch' else 'running'}, {'mean' if what == 'mean' else 'variance'}"
            hover = f"{name}<br>step %{{x:,.0f}}<br>error %{{y:.3g}}<extra></extra>"
            data.append(line(steps, values, color, name, hovertemplate=hover, line={"color": color, "dash": dash}))
            positive = values[values > 0]
            low, high = min([low, *positive.tolist()]), max([high, *positive.tolist()])
    bounds = [math.floor(math.log10(low)), math.ceil(math.log10(high))] if high > 0 else [-2, 1]
    words = [
        f"{swatch(RUNNING, 'running average')}, {swatch(GUIDE, 'one batch')}; solid: mean, in standard deviations of "
        "the population; dotted: variance, relative"
    ]
    shape = layout(
        "Error of running and batch statistics against the population over the steps",
        340,
        words,
        xaxis=x_axis(view, "steps"),
        yaxis=axis("error", type="log", range=bounds, dtick=1, exponentformat="none"),
    )
    return {"data": data, "layout": shape | marked(view, "steps", [])}


def inference_losses(view: View) -> Figure:
    """Draw the test loss in eval mode, with population statistics, and in training mode in batches of several sizes."""
    steps, frames = _columns(view)
    styles = {str(size): (f"training mode, {size} digits", color, "solid") for size, color in _SIZES.items()}
    styles |= {"population": ("population statistics", POPULATION, "dash"), "eval": ("eval mode", RUNNING, "solid")}
    data, top = [], 2.6
    for key, (name, color, dash) in styles.items():
        values = np.array([f.losses[key] for f in frames])
        hover = f"{name}<br>step %{{x:,.0f}}<br>%{{y:.3f}} nats<extra></extra>"
        width = 3 if key == "eval" else 1.5
        data.append(line(steps, values, color, name, hovertemplate=hover, line={"width": width, "dash": dash}))
        data[-1]["line"]["color"] = color
        top = max([top, *values[np.isfinite(values)].tolist()])
    words = [" &ensp; ".join(swatch(color, name) for name, color, _ in reversed(styles.values())), KNOWS_NOTHING]
    shape = layout(
        "Test loss over the steps by the statistics that batchnorm uses",
        340,
        words,
        xaxis=x_axis(view, "steps"),
        yaxis=axis("test loss (nats)", range=[0, min(nice_ceiling(top), 20.0)]),
    )
    return {"data": data, "layout": shape | marked(view, "steps", guide(LN_10))}


def bessel_correction(estimates: Mapping[int, tuple[Floats, Floats]], step: int) -> Figure:
    """Draw how both variance estimates are distributed, by batch size, for the network at `step`; the truth is 1."""
    data, names = [], ("biased, divided by B", "unbiased, divided by B − 1")
    colors = (ACCENTS[1], RUNNING)
    for which, (name, color) in enumerate(zip(names, colors, strict=True)):
        drawn = [pair[which] for pair in estimates.values()]
        quartiles = np.array([np.percentile(values, (5, 25, 50, 75, 95)) for values in drawn]).T
        low, q1, median, q3, high = (row.round(4).tolist() for row in quartiles)
        data.append(
            {
                "type": "box",
                "name": name,
                "x": [str(size) for size in estimates],
                "lowerfence": low,
                "q1": q1,
                "median": median,
                "q3": q3,
                "upperfence": high,
                "mean": [round(float(values.mean()), 4) for values in drawn],
                "boxmean": True,
                "marker": {"color": color},
                "line": {"color": color, "width": 1.5},
                "hoverinfo": "y",
            }
        )
    legend = (
        f"{swatch(colors[0], names[0])}, {swatch(colors[1], names[1])}; dashed: their mean; grey: the true variance"
    )
    words = [legend]
    for size in list(estimates)[:1]:
        means = [values.mean() for values in estimates[size]]
        words.append(
            f"step {step}, batches of {size}: on average {means[0]:.2f} and {means[1]:.2f} of the true variance"
        )
    top = max(float(np.percentile(pair[1], 95)) for pair in estimates.values())
    shape = layout(
        "Distribution of biased and unbiased variance estimates by batch size",
        320,
        words,
        boxmode="group",
        xaxis=axis("batch size B (digits)", type="category"),
        yaxis=axis("estimate / true variance", range=[0, nice_ceiling(top * 1.05)]),
        shapes=guide(1.0),
    )
    return {"data": data, "layout": shape}


def digit_answers(found: Answers, words: Sequence[str], step: int) -> Figure:
    """Draw the class probabilities of one digit at `step`: eval mode as bars, every training batch as a point.

    words: the same in sentences, which stand above.
    """
    classes = np.arange(10)
    data: list[Figure] = [
        {
            "type": "bar",
            "x": typed(classes),
            "y": typed(found.evaluated[0] * 100),
            "marker": {"color": faded(RUNNING, 0.45), "line": {"color": RUNNING, "width": 1}},
            "hovertemplate": "eval mode<br>%{x}: %{y:.2f} %<extra></extra>",
        }
    ]
    offsets = np.linspace(-0.27, 0.27, len(found.trained))
    for (size, drawn), offset in zip(found.trained.items(), offsets, strict=True):
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": typed(np.tile(classes + offset, len(drawn))),
                "y": typed(drawn.ravel() * 100),
                "marker": {"color": _SIZES[size], "size": 5, "opacity": 0.75},
                "hovertemplate": f"training mode among {size - 1} others<br>%{{y:.2f}} %<extra></extra>",
            }
        )
    names = [swatch(RUNNING, "eval mode"), *(swatch(_SIZES[size], f"batch of {size}") for size in found.trained)]
    best = int(found.evaluated[0].argmax())
    shape = layout(
        f"Class probabilities of the digit; eval mode says {best}",
        320,
        [f"At step {step}:", *words, " &ensp; ".join(names)],
        bargap=0.15,
        xaxis=axis("class", tickvals=classes.tolist(), range=[-0.6, 9.6]),
        yaxis=axis("probability (%)", range=[0, 102]),
    )
    return {"data": data, "layout": shape}


def digit_image(pixels: npt.ArrayLike, words: str) -> Figure:
    """Draw a digit as the network gets it, (784,) or (28, 28), 0 to 255. words: what is known of it."""
    image = np.asarray(pixels, dtype=np.float32).reshape(28, 28)
    heat = {
        "type": "heatmap",
        "z": typed(image),
        "zmin": 0,
        "zmax": 255,
        "colorscale": [[0, faded(GUIDE, 0.12)], [1, RUNNING]],
        "showscale": False,
        "hovertemplate": "row %{y}, column %{x}: %{z:.0f}<extra></extra>",
    }
    hidden = {"visible": False, "showgrid": False}
    return {
        "data": [heat],
        "layout": layout(
            f"The digit, {words}",
            220,
            [words],
            margin={"l": 4, "r": 4, "t": 4, "b": 4},
            xaxis=hidden | {"range": [-0.5, 27.5], "constrain": "domain"},
            yaxis=hidden | {"range": [27.5, -0.5], "scaleanchor": "x", "constrain": "domain"},
        ),
    }


def _columns(view: View) -> tuple[Floats, list[InferenceFrame]]:
    found = inference_frames(view)
    return np.array([step for step, _ in found], dtype=np.float64), [frame for _, frame in found]

"""Training loss and test accuracy against steps or seconds."""

import math
from typing import Any

import numpy as np

from bnviz.experiment.layers import LN_10
from bnviz.figures.logarithmic import log_axis
from bnviz.figures.style import (
    GUIDE,
    Figure,
    axis,
    faded,
    guide,
    layout,
    line,
    network_color,
    nice_ceiling,
    steps_until,
    typed,
)
from bnviz.records.frames import Floats
from bnviz.records.history import VariantHistory, View

KNOWS_NOTHING = "dotted: ln 10 = 2.303, knows nothing"
SHOWN = 300  # points of one line; a chart is some 400 pixels wide
TOP = 20.0  # the linear loss axis ends here at the latest


def smooth(losses: Floats, window: int) -> Floats:
    """Mean of the last `window` points, or of as many as there are."""
    window = max(1, min(window, len(losses)))
    finite = np.isfinite(losses)  # of a network that diverged and was redrawn, some are not
    total = np.cumsum([np.where(finite, losses, 0.0), finite], axis=1)
    total[:, window:] -= total[:, :-window].copy()
    mean: Floats = np.divide(total[0], total[1], out=np.full(len(losses), np.nan), where=finite)
    return mean


def training_loss(view: View, *, smoothing: int, log: bool, x: str) -> Figure:
    """Raw loss as a shadow, its mean over the last `smoothing` steps as a line, test loss as points."""
    experiment = view.experiment
    data: list[Figure] = []
    top, bottom = LN_10, LN_10
    for i, history in enumerate(view.variants):
        letter, color = experiment.letters[i], network_color(experiment, i)
        if len(history.losses):
            at, losses, mean = _loss_line(history, smoothing, x)
            data.append(line(at, losses, faded(color, 0.25), "", line={"width": 1}, hoverinfo="skip"))
            data.append(line(at, mean, color, f"{letter} training", hovertemplate=_hover(letter, "training", x)))
            finite = mean[np.isfinite(mean)]
            top, bottom = max(top, *finite[:1], finite.max(initial=0)), min(bottom, finite.min(initial=LN_10))
        at, test = _test_points(view, i, x, "test_loss")
        data.append(_points(at, test, color, f"{letter} test", hovertemplate=_hover(letter, "test", x)))
        data.append(_initial(view, i, color, letter))
        top = max([top, *(f.next_loss for f in history.frames[:1] if math.isfinite(f.next_loss))])
    y = axis("cross-entropy loss (nats)")
    if log:
        low = math.floor(math.log10(max(bottom / 2, 1e-6)) * 4) / 4
        y |= log_axis(low, math.log10(top) + 0.1, fine=4)
    else:
        y |= {"range": [0, min(max(2.6, nice_ceiling(top * 1.02)), TOP)]}
    alt = "Training loss against " + x + _alt(view, "test loss", "test_loss")
    shape = layout(alt, 320, [KNOWS_NOTHING], xaxis=x_axis(view, x), yaxis=y)
    return {"data": data, "layout": shape | marked(view, x, guide(LN_10))}


def test_accuracy(view: View, *, x: str) -> Figure:
    """Share of test digits that are recognized, in per cent."""
    experiment = view.experiment
    data = []
    for i in range(len(view.variants)):
        at, values = _test_points(view, i, x, "test_accuracy")
        letter = experiment.letters[i]
        hover = _hover(letter, "test accuracy", x, "%{y:.1f} %")
        data.append(
            line(at, values * 100, network_color(experiment, i), letter, hovertemplate=hover)
            | {"mode": "lines+markers"}
        )
        data[-1]["marker"] = {"size": 5}
    y = axis("test accuracy (%)", range=[0, 101])
    alt = "Test accuracy against " + x + _alt(view, "accuracy", "test_accuracy")
    shape = layout(alt, 320, ["dotted: 10%, guessing"], xaxis=x_axis(view, x), yaxis=y)
    return {"data": data, "layout": shape | marked(view, x, guide(10))}


def _loss_line(history: VariantHistory, smoothing: int, x: str) -> tuple[Floats, Floats, Floats]:
    """Position, loss and smoothed loss, at most about SHOWN of each, always with the newest."""
    mean = smooth(history.losses, round(smoothing / history.stride))
    at = history.steps if x == "steps" else history.seconds
    every = 1 << max(0, math.ceil(math.log2(len(at) / SHOWN)))  # a power of two: drawn points stay the same points
    pick = np.arange(0, len(at), every)
    if pick[-1] != len(at) - 1:
        pick = np.append(pick, len(at) - 1)
    return at[pick], history.losses[pick], mean[pick]


def _test_points(view: View, i: int, x: str, name: str) -> tuple[Floats, Floats]:
    """The kept frames of a variant and, last, the newest look at the test digits, each where it was taken."""
    history = view.variants[i]
    kept = [(f, s) for f, s in zip(history.frames, history.frame_seconds, strict=True) if f.tested == f.step]
    at = [float(f.step) if x == "steps" else s for f, s in kept]
    values = [getattr(f, name) for f, _ in kept]
    newest = view.latest.variants[i] if view.latest else None
    if newest and (not kept or newest.tested > kept[-1][0].step):
        seconds = np.interp(newest.tested, history.steps, history.seconds) if len(history.steps) else 0.0
        at.append(float(newest.tested if x == "steps" else seconds))
        values.append(getattr(newest, name))
    return np.array(at), np.array(values, dtype=float)


def _points(at: Floats, values: Floats, color: str, name: str, **more: Any) -> Figure:
    marker = {"color": color, "size": 6, "symbol": "circle-open", "line": {"width": 1.5}}
    return {
        "type": "scatter",
        "mode": "markers",
        "x": typed(at),
        "y": typed(values),
        "name": name,
        "marker": marker,
    } | more


def _initial(view: View, i: int, color: str, letter: str) -> Figure:
    """Before the first step: the loss of the untrained network on the first batch."""
    frames = view.variants[i].frames[:1]
    shown = [f.next_loss for f in frames if f.step == 0]
    marker = {"color": color, "size": 9, "symbol": "diamond"}
    hover = f"{letter} before training<br>%{{y:.3f}} nats<extra></extra>"
    return {
        "type": "scatter",
        "mode": "markers",
        "x": typed([0.0] * len(shown)),
        "y": typed(shown),
        "marker": marker,
        "hovertemplate": hover,
    }


def x_axis(view: View, x: str) -> Figure:
    """Steps, or seconds of training."""
    if x == "seconds":
        longest = max((h.seconds[-1] for h in view.variants if len(h.seconds)), default=0.0)
        return axis("seconds of training", range=[0, nice_ceiling(max(longest, 1.0))])
    steps = view.experiment.training.steps
    reached = max((f.step for f in view.latest.variants), default=0) if view.latest else 0
    # A long run starts zoomed in and grows in calm steps; a short one has room for its whole course from the start.
    end = steps if steps <= 3000 else min(steps, nice_ceiling(max(reached * 1.1, 1000)))
    return steps_until(end)


def _hover(letter: str, what: str, x: str, value: str = "%{y:.3f} nats") -> str:
    at = "step %{x:,.0f}" if x == "steps" else "%{x:.1f} s"
    return f"{letter} {what}<br>{at}<br>{value}<extra></extra>"


def marked(view: View, x: str, shapes: list[Figure]) -> Figure:
    """Changes made with the weights kept, as labelled vertical lines."""
    lines = [
        {
            "type": "line",
            "yref": "paper",
            "x0": at,
            "x1": at,
            "y0": 0,
            "y1": 1,
            "line": {"color": GUIDE, "width": 1},
            "label": {
                "text": marker.label,
                "textangle": -90,
                "textposition": "middle",
                "font": {"color": GUIDE, "size": 10},
                "yanchor": "top",
            },
        }
        for marker in view.markers
        for at in sorted({place[0 if x == "steps" else 1] for place in marker.at.values()})
    ]
    return {"shapes": shapes + lines}


def _alt(view: View, what: str, name: str) -> str:
    if view.latest is None:
        return "; nothing measured yet"
    values = (f"{view.experiment.letters[i]} {getattr(v, name):.3f}" for i, v in enumerate(view.latest.variants))
    return f" at step {view.latest.step}: {what} " + ", ".join(values)

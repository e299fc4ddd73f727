"""Training and test loss against steps or seconds."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bnviz.experiment.layers import LN_10
from bnviz.experiment.naming import network_names
from bnviz.figures.curves import (
    GHOSTLY,
    KNOWS_NOTHING,
    curve_legend,
    earlier_parts,
    ghost_color,
    hover_text,
    marked,
    newest_values,
    points_of_results,
    result_on_all,
    x_axis,
)
from bnviz.figures.logarithmic import log_axis
from bnviz.figures.style import Figure, axis, faded, guide, layout, line, network_color, nice_ceiling, typed
from bnviz.records.frames import Floats
from bnviz.records.ghosts import Ghost
from bnviz.records.history import VariantHistory, View

__all__ = ["training_loss"]

LINE_POINTS = 300  # of one line; a chart is some 400 pixels wide
GUESSING_TOP = 2.6  # nats: the linear axis ends here if no loss is above it,
USUAL_TOP = 3.5  # here if one is only at first,
HIGHEST_TOP = 20.0  # and here at the latest
SETTLED = 0.03  # share of a run after which its losses decide where the axis ends


def smooth(losses: Floats, window: int) -> Floats:
    """Return at each point the mean of the last `window` points, or of as many as there are; NaN is left out."""
    window = max(1, min(window, len(losses)))
    finite = np.isfinite(losses)  # of a network that diverged and was redrawn, some are not
    total = np.cumsum([np.where(finite, losses, 0.0), finite], axis=1)
    total[:, window:] -= total[:, :-window].copy()
    mean: Floats = np.divide(total[0], total[1], out=np.full(len(losses), np.nan), where=finite)
    return mean


def training_loss(view: View, *, smoothing: int, log: bool, x: str, ghosts: Sequence[Ghost] = ()) -> Figure:
    """Draw the loss of each batch as a shadow, its mean over the last `smoothing` steps as a line, the test loss as
    points, and the ghosts' lines pale.

    Lines that lie on one another are both seen: every second network's is dashed while networks are equal.
    """
    experiment, names = view.experiment, network_names(view.experiment)
    data: list[Figure] = []
    for ghost in ghosts:
        at, _, mean = _loss_line(ghost.history, smoothing, x)
        look = hover_text(ghost.name, "training", x)
        data.append(line(at, mean, ghost_color(ghost), ghost.name, line=GHOSTLY, hovertemplate=look))
    means = [_loss_line(history, smoothing, x)[2] for history in view.variants if len(history.losses)]
    top, lowest = _highest(view, means), min((float(np.nanmin(m, initial=LN_10)) for m in means), default=LN_10)
    for i, history in enumerate(view.variants):
        letter, name, color = experiment.letters[i], names[i], network_color(experiment, i)
        dash = {"dash": "dash"} if _coincides(view, i) else {}
        if len(history.losses):
            at, losses, mean = _loss_line(history, smoothing, x)
            data.append(line(at, losses, faded(color, 0.25), "", line={"width": 1}, hoverinfo="skip"))
            look = hover_text(name, "training", x)
            data.append(line(at, mean, color, f"{letter} training", line=dash, hovertemplate=look))
            data += [line(*part, f"{letter} earlier", hoverinfo="skip") for part in earlier_parts(view, i, x, at, mean)]
        newest = view.latest.variants[i] if view.latest else None
        at, test = points_of_results(history, newest, x, "test_loss")
        data.append(_rings(at, test, color, 6 + 4 * i, f"{letter} test", hover_text(name, "test", x)))
        at, test = points_of_results(history, newest, x, "test_loss", on_all=True)
        data.append(result_on_all(at, test, color, letter, hover_text(name, "on all test digits", x)))
        data.append(_before_training(history, color, name, math.inf if log else top))
    y = axis("cross-entropy loss (nats)")
    if log:
        low = math.floor(math.log10(max(lowest / 2, 1e-6)) * 4) / 4
        y |= log_axis(low, math.log10(max([LN_10, *_first_losses(view), *(m[0] for m in means)])) + 0.1, fine=4)
    else:
        y |= {"range": [0, top]}
    alt = "Training loss against " + x + newest_values(view, "test loss", "test_loss")
    words = [curve_legend(view, ghosts), _below_the_legend(view, math.inf if log else top)]
    shape = layout(alt, 320, words, xaxis=x_axis(view, x), yaxis=y)
    return {"data": data, "layout": shape | marked(view, x, guide(LN_10))}


def _below_the_legend(view: View, top: float) -> str:
    """Say what the dotted line is, and where losses start that lie above the picture."""
    first = [history.frames[0] for history in view.variants if history.frames and history.frames[0].step == 0]
    above = [f"{frame.next_loss:.3g}" for frame in first if frame.next_loss > top]
    return f"{KNOWS_NOTHING}; starts at {', '.join(above)} ↑" if above else KNOWS_NOTHING


def _first_losses(view: View) -> list[float]:
    first = [history.frames[0].next_loss for history in view.variants if history.frames]
    return [loss for loss in first if math.isfinite(loss)]


def _highest(view: View, means: Sequence[Floats]) -> float:
    """Return the end of the linear axis: a high loss that only stands at the beginning must not press the rest flat."""
    settled = [float(np.nanmax(mean[int(SETTLED * len(mean)) + 1 :], initial=0.0)) for mean in means]
    top = max([0.0, *settled])
    if top > USUAL_TOP:
        return min(nice_ceiling(top * 1.02), HIGHEST_TOP)
    return GUESSING_TOP if max([top, *_first_losses(view)]) <= GUESSING_TOP else USUAL_TOP


def _coincides(view: View, i: int) -> bool:
    """Whether an earlier network has had the very same losses."""
    mine = view.variants[i].losses
    return len(mine) > 0 and any(
        len(other.losses) == len(mine) and np.array_equal(other.losses, mine, equal_nan=True)
        for other in view.variants[:i]
    )


def _loss_line(history: VariantHistory, smoothing: int, x: str) -> tuple[Floats, Floats, Floats]:
    """Position, loss and smoothed loss, at most about LINE_POINTS of each, always with the newest."""
    mean = smooth(history.losses, round(smoothing / history.stride))
    at = history.steps if x == "steps" else history.seconds
    every = 1 << max(0, math.ceil(math.log2(len(at) / LINE_POINTS)))  # a power of two: points that stay do not move
    pick = np.arange(0, len(at), every)
    if pick[-1] != len(at) - 1:
        pick = np.append(pick, len(at) - 1)
    return at[pick], history.losses[pick], mean[pick]


def _rings(at: Floats, values: Floats, color: str, size: int, name: str, hover: str) -> Figure:
    """Rings grow from network to network, so that none hides another."""
    marker: dict[str, Any] = {"color": color, "size": size, "symbol": "circle-open", "line": {"width": 1.5}}
    points = {"type": "scatter", "mode": "markers", "x": typed(at), "y": typed(values)}
    return points | {"name": name, "marker": marker, "hovertemplate": hover}


def _before_training(history: VariantHistory, color: str, name: str, top: float) -> Figure:
    """The loss of the untrained network on the first batch; at the upper edge if it lies above the picture."""
    first = [frame.next_loss for frame in history.frames[:1] if frame.step == 0]
    above = any(loss > top for loss in first)
    return {
        "type": "scatter",
        "mode": "markers",
        "x": typed([0.0] * len(first)),
        "y": typed([0.98 * top if loss > top else loss for loss in first]),
        "marker": {"color": color, "size": 9, "symbol": "triangle-up" if above else "diamond"},
        "customdata": typed(first),
        "hovertemplate": f"{name} before training<br>%{{customdata:.3f}} nats<extra></extra>",
    }

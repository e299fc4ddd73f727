"""What the chapters of the story measure: the numbers of their sentences, and the true answers to their guesses."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bnviz.analysis import shift
from bnviz.records.frames import QUANTILES, Floats, VariantFrame
from bnviz.records.history import View
from bnviz.records.sweep import Cells

SMOOTHED_STEPS = 30  # of the loss that a drawn curve is compared with, as the chart of the loss smooths it
MOVED_SHARE = 0.1  # of its own spread; a distribution that moved less than this stayed where it was


def loss_at(view: View, variant: int, steps: Sequence[float]) -> Floats:
    """Return the training loss at each of the steps, as the mean of the last SMOOTHED_STEPS; at 0 that of the first."""
    history = view.variants[variant]
    if not len(history.losses):
        return np.full(len(steps), math.nan)
    window = max(1, round(SMOOTHED_STEPS / history.stride))
    total = np.concatenate([[0.0], np.cumsum(history.losses)])
    end = np.arange(1, len(total))
    begin = np.maximum(end - window, 0)
    mean = (total[end] - total[begin]) / (end - begin)
    found: Floats = np.interp(steps, history.steps, mean)
    return found


def input_percentiles(view: View, variant: int, layer: int, percent: Sequence[float]) -> Floats:
    """Return percentiles of all inputs that a layer's activation function gets, at the newest kept moment."""
    _, found = shift.summaries(view, variant, layer, shift.ACTIVATION_INPUT)
    if not found:
        return np.full(len(percent), math.nan)
    middles = (np.arange(QUANTILES) + 0.5) / QUANTILES * 100
    values: Floats = np.interp(percent, middles, np.asarray(found[-1].quantiles, dtype=float))
    return values


@dataclass(frozen=True)
class Moved:
    """How one distribution changed from the first kept moment to the newest.

    relative: W1 over the first standard deviation. mean: how far it moved. deviations: the standard deviation then and
    now.
    """

    relative: float
    mean: float
    deviations: tuple[float, float]

    @property
    def kind(self) -> str:
        """'stay', 'spread' or 'move', by what changed most in units of the first standard deviation."""
        if self.relative < MOVED_SHARE:
            return "stay"
        before, after = self.deviations
        return "move" if abs(self.mean) > abs(after - before) else "spread"


def moved(view: View, variant: int, layer: int) -> Moved | None:
    """Return how the inputs of a layer's activation function moved; None if fewer than two moments are kept."""
    drift = shift.drift(view, variant, layer, shift.ACTIVATION_INPUT, "start")
    if not len(drift.steps) or not math.isfinite(drift.relative[-1]):
        return None
    _, found = shift.summaries(view, variant, layer, shift.ACTIVATION_INPUT)
    first, last = (math.sqrt(each.variance) for each in (found[0], found[-1]))
    return Moved(float(drift.relative[-1]), float(drift.mean[-1]), (first, last))


def kept_at(view: View, variant: int, step: int) -> VariantFrame | None:
    """Return what was kept of a network at a step, before any change that was made there."""
    return next((frame for frame in view.variants[variant].frames if frame.step == step), None)


def kept_gain(plain: float, normalized: float, noisy: float) -> float:
    """Return which share of the loss that batchnorm spares is spared with noise as well; NaN if it spares none."""
    gain = plain - normalized
    return (plain - noisy) / gain if gain > 0 else math.nan


def winners(found: Cells) -> list[str]:
    """Return who has the lower loss at each value of a sweep's one axis: 'without' or 'with'; '' if one is unknown."""
    names = []
    for without, with_ in found.mean:
        known = math.isfinite(without) and math.isfinite(with_)
        names.append(("with" if with_ < without else "without") if known else "")
    return names

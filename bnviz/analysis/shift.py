"""How the distributions of a network's layers move while it trains.

Charts are drawn from the histograms of all frames; distances and drifts are computed from the summaries of the kept
ones: a bin is wide compared with how far the values of a calm layer move.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bnviz.experiment.config import Experiment
from bnviz.records.frames import (
    BINS,
    QUANTILES,
    Counts,
    Floats,
    LayerFrame,
    Summary,
    VariantFrame,
    bin_range,
)
from bnviz.records.history import View

ACTIVATION_INPUT = "activation_input"  # batchnorm's output where it sits before the activation, else the pre-activation
PLACES = {
    ACTIVATION_INPUT: "input of the activation",
    "pre_activation": "pre-activation",
    "post_activation": "post-activation",
}
_NO_NUMBERS = Summary(math.nan, math.nan, np.full(QUANTILES, math.nan))

Since = Literal["before", "start"]  # a drift is counted from the kept frame before, or from the oldest one


@dataclass(frozen=True)
class DistributionCourse:
    """The distributions of one layer of one network over its steps: counts (frames, BINS + 3), as in LayerFrame.

    low, high: where the bins begin and end.
    """

    steps: tuple[int, ...]
    counts: Counts
    low: float
    high: float

    @property
    def outside(self) -> float:
        """The share of the newest distribution that lies outside the bins."""
        last = self.counts[-1]
        return float((last[0] + last[-2]) / max(last.sum(), 1))


def distribution_courses(view: View, layer: int, place: str) -> list[DistributionCourse]:
    """Return what the kept frames of each network hold, and last the newest frame; empty if there is no such layer.

    All have bins of the same width, as narrow as allows all to be seen that the usual bins show.
    """
    found = [list(_known(view, i, layer, place, newest=True)) for i in range(len(view.variants))]
    closest = min((each.magnification(name) for known in found for _, each, name in known), default=1)
    courses = []
    for variant, known in zip(view.experiment.variants, found, strict=True):
        steps, counts = [step for step, _, _ in known], [each.counts(name, closest) for _, each, name in known]
        low, high = (end / closest for end in bin_range(place, variant.network.activation))
        courses.append(DistributionCourse(tuple(steps), np.array(counts).reshape(-1, BINS + 3), low, high))
    return courses


def _known(view: View, variant: int, layer: int, place: str, *, newest: bool) -> Iterator[tuple[int, LayerFrame, str]]:
    """Step and layer of the frames that hold a place, and the name that the place has there."""
    since = _activation_since(view, variant) if place == "post_activation" else 0
    for frame in _frames(view, variant, newest):
        if layer < len(frame.layers) and frame.step >= since:
            name = _place(view.experiment, variant, frame, layer, place)
            if name in frame.layers[layer].histograms:
                yield frame.step, frame.layers[layer], name


def _frames(view: View, variant: int, newest: bool) -> list[VariantFrame]:
    frames = list(view.variants[variant].frames)
    if newest and view.latest is not None:
        last = view.latest.variants[variant]
        if not frames or last.step > frames[-1].step:
            frames.append(last)
    return frames


def _place(experiment: Experiment, variant: int, frame: VariantFrame, layer: int, place: str) -> str:
    """The name of a place in a frame."""
    if place != ACTIVATION_INPUT:
        return place
    found = experiment.variants[variant].activation_input(layer)
    return found if found in frame.layers[layer].histograms else "pre_activation"  # of a time before it was normalized


def _activation_since(view: View, variant: int) -> int:
    """The first step whose outputs are counted in the bins of today's activation; another one may have had others."""
    changed = f"{view.experiment.letters[variant]}: activation "
    return max((m.at[variant][0] + 1 for m in view.markers if variant in m.at and changed in m.label), default=0)


def bin_centres(low: float, high: float) -> Floats:
    """Return (BINS + 2,) places of the values: the centres of the bins, with one more on either side."""
    width = (high - low) / BINS
    return low + width * (np.arange(BINS + 2) - 0.5)


def bin_shares(counts: Counts) -> Floats:
    """Return shares (..., BINS + 2) of the values from counts (..., BINS + 3); NaN if one is not finite or none is."""
    whole = counts[..., :-1].sum(-1, keepdims=True).astype(float)
    whole[(counts[..., -1:] > 0) | (whole == 0)] = math.nan
    found: Floats = counts[..., :-1] / whole
    return found


def wasserstein(a: Floats, b: Floats) -> Floats:
    """Return the Wasserstein-1 distance of distributions, (..., QUANTILES) each: how far a value must move.

    W1(a, b) = integral over p from 0 to 1 of |Q_a(p) - Q_b(p)|, Q the quantile function: the least mean of |x - y| over
    all ways of pairing the values of a with those of b. Of quantiles that are means of equal parts it is a lower bound,
    exact unless the sorted values cross within a part. NaN if a quantile is.
    """
    found: Floats = np.abs(a - b).mean(-1)
    return found


@dataclass(frozen=True)
class Drift:
    """The distance of a layer's distribution from its own earlier one, at each of `steps`, all in the values' unit.

    mean: mu_t - mu_0. variance: sigma_t^2 - sigma_0^2, in the unit squared. distance: W1. relative: W1 / sigma_0.
    """

    steps: Floats
    mean: Floats
    variance: Floats
    distance: Floats
    relative: Floats


def summaries(view: View, variant: int, layer: int, place: str) -> tuple[list[int], list[Summary]]:
    """Return steps and summaries of the kept frames; one of NaN if a network diverged between two moments to keep."""
    steps, found = [], []
    for step, each, name in _known(view, variant, layer, place, newest=False):
        steps.append(step)
        found.append((each.summaries or {}).get(name, _NO_NUMBERS))
    return steps, found


def drift(view: View, variant: int, layer: int, place: str, since: Since) -> Drift:
    """Return the drift of one layer's distribution since the kept frame before, or since the start.

    Empty if fewer than two distributions are known.
    """
    steps, found = summaries(view, variant, layer, place)
    if len(steps) < 2:
        return Drift(*[np.empty(0)] * 5)
    mean, variance = np.array([(each.mean, each.variance) for each in found]).T
    quantiles = np.array([each.quantiles for each in found], dtype=float)
    first = slice(None, -1) if since == "before" else slice(0, 1)
    distance = wasserstein(quantiles[1:], quantiles[first])
    sigma = np.sqrt(variance[first])
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(sigma > 0, distance / sigma, math.nan)
    return Drift(
        np.array(steps[1:], dtype=float), mean[1:] - mean[first], variance[1:] - variance[first], distance, relative
    )


def unit_percentiles(view: View, variant: int, layer: int, unit: int) -> tuple[Floats, Floats]:
    """Return steps (frames,) and percentiles (frames, 3) of one unit's input to the activation; empty if none is."""
    found = [
        (frame.step, each[:, unit])
        for frame in view.variants[variant].frames
        if layer < len(frame.layers) and (each := frame.layers[layer].percentiles) is not None and unit < each.shape[1]
    ]
    return np.array([step for step, _ in found], dtype=float), np.array([p for _, p in found]).reshape(-1, 3)

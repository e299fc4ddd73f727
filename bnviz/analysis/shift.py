"""How the distributions of a network's layers move while it trains, and how the gradients shift.

Pictures are drawn from the histograms of all frames, distances and drifts reckoned from the summaries of the kept ones:
a bin is wide beside what the values of a calm layer move.
"""

import bisect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bnviz.experiment.config import Experiment
from bnviz.records.answers import GradientShift
from bnviz.records.frames import (
    BINS,
    QUANTILES,
    Counts,
    Floats,
    Frame,
    LayerFrame,
    Summary,
    VariantFrame,
    bin_range,
)
from bnviz.records.history import View

INPUT = "activation_input"  # batchnorm's output where it sits before the activation, else the pre-activation
PLACES = {INPUT: "input of the activation", "pre_activation": "pre-activation", "post_activation": "post-activation"}
MOST = 400  # measurements of the gradients that are kept
_LOST = Summary(math.nan, math.nan, np.full(QUANTILES, math.nan))

Since = Literal["before", "start"]  # a drift is counted from the kept frame before, or from the oldest one


# -- moments of a run ------------------------------------------------------------------------------------------------


def as_of(view: View, step: int) -> View:
    """The view as it was when its least advanced variant had taken `step` steps: nothing later is in it."""
    variants = []
    for history in view.variants:
        count = bisect.bisect_right([frame.step for frame in history.frames], step)
        points = step // history.stride
        kept = history.frames[:count], history.frame_seconds[:count]
        variants.append(type(history)(history.stride, history.losses[:points], history.seconds[:points], *kept))
    markers = tuple(m for m in view.markers if all(at <= step for at, _ in m.at.values()))
    newest = tuple(history.frames[-1] for history in variants if history.frames)
    latest = None
    if view.latest is not None and len(newest) == len(variants):
        seconds = max(history.frame_seconds[-1] for history in variants)
        latest = Frame(step, step, seconds, False, newest)
    return View(view.experiment, tuple(variants), latest, markers)


def kept_steps(view: View) -> list[int]:
    """The steps at which a frame of some variant was kept."""
    return sorted({frame.step for history in view.variants for frame in history.frames})


def kept_every(view: View) -> int:
    """Steps between two kept frames: those of the experiment, or more once a long history has been thinned."""
    first = kept_steps(view)[:2]
    own = view.experiment.training.keep_every
    return max(own, first[1] - first[0]) if len(first) == 2 else own


def snapshots(steps: Sequence[int], every: int) -> list[int]:
    """Places in `steps`, those of the kept frames, of a snapshot every so many steps: of the nearest that was kept.

    Raises ValueError, with the limit, where that would be more snapshots than are kept.
    """
    if not steps:
        return []
    wanted = range(steps[0], steps[-1] + 1, max(every, 1))
    if len(wanted) > len(steps):
        apart = math.ceil((steps[-1] - steps[0]) / (len(steps) - 1))
        raise ValueError(
            f"every {every:,} steps makes {len(wanted):,} snapshots, but {len(steps)} are kept: choose {apart:,} steps "
            "or more"
        )
    at = np.array(steps)
    return sorted({int(np.abs(at - step).argmin()) for step in wanted})


# -- distributions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Course:
    """The distributions of one layer of one network over its steps: counts (frames, BINS + 3), as in LayerFrame."""

    steps: tuple[int, ...]
    counts: Counts
    low: float
    high: float

    @property
    def outside(self) -> float:
        """Share of the newest distribution that lies outside the bins."""
        last = self.counts[-1]
        return float((last[0] + last[-2]) / max(last.sum(), 1))


def course(view: View, variant: int, layer: int, place: str) -> Course:
    """What the kept frames hold, and last the newest frame. Empty where there is no such layer."""
    found = list(_known(view, variant, layer, place, newest=True))
    steps, counts = [step for step, _, _ in found], [each.histograms[name] for _, each, name in found]
    low, high = bin_range(place, view.experiment.variants[variant].network.activation)
    return Course(tuple(steps), np.array(counts).reshape(-1, BINS + 3), low, high)


def _known(view: View, variant: int, layer: int, place: str, *, newest: bool) -> Iterator[tuple[int, LayerFrame, str]]:
    """Step and layer of the frames that hold a place, and the name that the place has there."""
    since = _activation_since(view, variant) if place == "post_activation" else 0
    for frame in _frames(view, variant, newest):
        if layer < len(frame.layers) and frame.step >= since:
            name = _place(view.experiment, variant, frame.layers[layer], place)
            if name in frame.layers[layer].histograms:
                yield frame.step, frame.layers[layer], name


def _frames(view: View, variant: int, newest: bool) -> list[VariantFrame]:
    frames = list(view.variants[variant].frames)
    if newest and view.latest is not None:
        last = view.latest.variants[variant]
        if not frames or last.step > frames[-1].step:
            frames.append(last)
    return frames


def _place(experiment: Experiment, variant: int, layer: LayerFrame, place: str) -> str:
    """The name of a place in a frame."""
    if place != INPUT:
        return place
    batchnorm = experiment.variants[variant].batchnorm
    before = batchnorm is not None and batchnorm.position == "before" and "batchnorm_output" in layer.histograms
    return "batchnorm_output" if before else "pre_activation"


def _activation_since(view: View, variant: int) -> int:
    """The first step whose outputs are counted in the bins of today's activation; another one may have had others."""
    changed = f"{view.experiment.letters[variant]}: activation "
    return max((m.at[variant][0] + 1 for m in view.markers if variant in m.at and changed in m.label), default=0)


def positions(low: float, high: float) -> Floats:
    """Where values lie: (BINS + 2,), the centres of the bins, with one more on either side."""
    width = (high - low) / BINS
    return low + width * (np.arange(BINS + 2) - 0.5)


def shares(counts: Counts) -> Floats:
    """(..., BINS + 3) -> (..., BINS + 2) shares of the values; NaN where one is no finite number, or there are none."""
    whole = counts[..., :-1].sum(-1, keepdims=True).astype(float)
    whole[(counts[..., -1:] > 0) | (whole == 0)] = math.nan
    found: Floats = counts[..., :-1] / whole
    return found


def wasserstein(a: Floats, b: Floats) -> Floats:
    """Wasserstein-1 distance of distributions, (..., QUANTILES) each, in the values' unit: how far a value must move.

    W1(a, b) = integral over p from 0 to 1 of |Q_a(p) - Q_b(p)|, Q the quantile function: the least mean of |x - y| over
    all ways of pairing the values of a with those of b. Of quantiles that are means of equal parts it is a lower bound,
    exact unless the sorted values cross within a part. NaN where a quantile is.
    """
    found: Floats = np.abs(a - b).mean(-1)
    return found


@dataclass(frozen=True)
class Drift:
    """How far a layer's distribution is from its own earlier one, at each of `steps`, all in the values' unit.

    mean: mu_t - mu_0. variance: sigma_t^2 - sigma_0^2, in the unit squared. distance: W1. relative: W1 / sigma_0.
    """

    steps: Floats
    mean: Floats
    variance: Floats
    distance: Floats
    relative: Floats


def summaries(view: View, variant: int, layer: int, place: str) -> tuple[list[int], list[Summary]]:
    """Steps and summaries of the kept frames; one of NaN where a network diverged between two moments to keep."""
    steps, found = [], []
    for step, each, name in _known(view, variant, layer, place, newest=False):
        steps.append(step)
        found.append((each.summaries or {}).get(name, _LOST))
    return steps, found


def drift(view: View, variant: int, layer: int, place: str, since: Since) -> Drift:
    """Empty where fewer than two distributions are known."""
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


def percentiles(view: View, variant: int, layer: int, unit: int) -> tuple[Floats, Floats]:
    """Steps (frames,) and percentiles (frames, 3) of one unit's input to the activation; empty without such a unit."""
    found = [
        (frame.step, each[:, unit])
        for frame in view.variants[variant].frames
        if layer < len(frame.layers) and (each := frame.layers[layer].percentiles) is not None and unit < each.shape[1]
    ]
    return np.array([step for step, _ in found], dtype=float), np.array([p for _, p in found]).reshape(-1, 3)


# -- internal covariate shift of the gradients -----------------------------------------------------------------------


Measured = dict[tuple[int, ...], list[GradientShift]]  # by the variants' steps, oldest first: one for each variant


def gathered(answer: list[GradientShift], known: Measured | None) -> Measured:
    """What is known once there is another answer; past MOST measurements, every second one goes."""
    found = (known or {}) | {tuple(each.step for each in answer): answer}
    return found if len(found) <= MOST else dict(list(found.items())[::2])


def until(measured: Measured, step: int | None) -> list[list[GradientShift]]:
    """A list for each variant, of its measurements up to a step."""
    columns = zip(*measured.values(), strict=True)
    return [[found for found in column if step is None or found.step <= step] for column in columns]


def summary(found: Sequence[GradientShift]) -> tuple[Floats, Floats]:
    """Mean difference and mean cosine of each linear layer after the first; NaN where none was a number."""
    if not found:
        return np.empty(0), np.empty(0)
    return _mean([g.difference[1:] for g in found]), _mean([g.cosine[1:] for g in found])


def relative(found: Sequence[GradientShift]) -> float:
    """Mean of ||G - G'|| / ||G|| over all measurements and layers after the first; NaN where none is a number."""
    parts = [each.difference[1:][each.norm[1:] > 0] / each.norm[1:][each.norm[1:] > 0] for each in found]
    every = np.concatenate(parts) if parts else np.empty(0)
    return float(every[np.isfinite(every)].mean()) if np.isfinite(every).any() else math.nan


def _mean(rows: Sequence[Floats]) -> Floats:
    values = np.array(rows)
    finite = np.isfinite(values)
    count = finite.sum(0)
    mean: Floats = np.where(count > 0, np.where(finite, values, 0).sum(0) / np.maximum(count, 1), math.nan)
    return mean

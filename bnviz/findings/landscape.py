"""What is said of slices, sharpness, learning rates, scales and noise, in plain sentences."""

import math
from collections.abc import Sequence

import numpy as np

from bnviz.analysis.comparison import ALIKE_WITHIN, compared_pair
from bnviz.analysis.learning import UNINFORMED_WITHIN
from bnviz.experiment.config import Experiment
from bnviz.experiment.layers import LN_10
from bnviz.experiment.naming import network_conditions, network_names
from bnviz.experiment.wording import at_least, listed, percent, significant, times
from bnviz.records.landscape import (
    LEARNED_BELOW,
    NOISE_SIZES,
    SEARCH_STEPS,
    WEIGHT_SCALES,
    BatchNoise,
    LargestRates,
    Scaling,
    Sharpness,
    Slice,
    Slices,
)

LOSS_ROUNDING = 1e-4  # of a loss: the single precision of many sums
CLIMB = 0.01  # share of the loss between two ends, by which a way must rise to be said to climb
RATE_SEARCH = (
    f"A rate trains if the loss stays finite for {SEARCH_STEPS} steps at that constant rate and is below "
    f"{LEARNED_BELOW:g} nats on average over the last fifth of them (a network that knows nothing has "
    f"ln 10 = {LN_10:.2f})."
)


def slice_findings(found: Slices, experiment: Experiment) -> list[str]:
    """Return what each slice shows, or why there is none, and which of several random slices is the flattest."""
    said = [f"{name}: {_slice(each)}" for name, each in zip(network_names(experiment), found, strict=False)]
    conditions = network_conditions(experiment)
    random = {conditions[i]: each for i, each in enumerate(found) if isinstance(each, Slice) and each.kind == "random"}
    return [*said, _flattest(random)] if len(random) > 1 else said


def sharpness_findings(found: Sequence[Sharpness | str], experiment: Experiment) -> list[str]:
    """Return the largest Hessian eigenvalue of each network beside its limit of stability, or why there is none."""
    named = zip(network_names(experiment), found, strict=False)
    return [f"{name}: {each if isinstance(each, str) else _against_the_limit(each)}" for name, each in named]


def rate_findings(found: LargestRates, experiment: Experiment) -> list[str]:
    """Return the largest learning rate of each network, and whether that with batchnorm is larger."""
    medians = np.median(found.rates, axis=1).tolist()
    said = [f"{name}: {_rate(found, rate)}" for name, rate in zip(network_names(experiment), medians, strict=True)]
    if (pair := compared_pair(experiment)) is not None:
        said.append(_larger(found, *(medians[i] for i in pair)))
    return said


def scaling_findings(found: Sequence[Scaling], experiment: Experiment) -> list[str]:
    """Return what weights that are several times as large do to the gradient and the logits of each network."""
    said, a = [], WEIGHT_SCALES[-1]
    for name, each in zip(network_names(experiment), found, strict=False):
        ratio = float(each.gradient[-1])
        if not math.isfinite(ratio):
            said.append(f"{name}: no gradient reaches these weights, or they are no numbers.")
            continue
        said.append(
            f"{name}: with weights {a:g} times as large the gradient is {significant(ratio)} times as large "
            f"(1/a = {significant(1 / a)}), and logits move by up to {significant(float(each.difference.max()), 2)}."
        )
    return said


def noise_findings(found: BatchNoise) -> list[str]:
    """Return how much less noise a batch eight times as large has."""
    first, last = (float(found.mean[NOISE_SIZES.index(size)]) for size in (32, 256))
    if not (first > 0 and last > 0):
        return ["The outputs of layer 1 are constant, or no numbers: their batch statistics have no noise."]
    return [
        f"Batch means of 32 digits are {significant(first, 2)} standard deviations off, of 256 digits "
        f"{significant(last, 2)}: {times(first / last)} less noise (√8 = 2.8)."
    ]


def _slice(each: Slice | str) -> str:
    if isinstance(each, str):
        return each
    values = each.loss[np.isfinite(each.loss)]
    if not values.size:
        return "no loss in this slice is a finite number."
    if each.kind == "path":
        return f"this plane holds {percent(sum(each.explained), 0)} of the squared distances of its path."
    if each.kind == "line":
        return _way(each)
    return f"from {significant(each.centre)} at the weights to {significant(float(values.max()))} within the slice."


def _way(found: Slice) -> str:
    """Whether the way from the initial weights goes down all the way."""
    between = (found.x >= -1 - 1e-9) & (found.x <= 1e-9)
    loss = found.loss[0][between]
    rise = float(np.nanmax(loss - np.fmin.accumulate(loss)))
    start, end = float(loss[0]), float(loss[-1])
    way = (
        f"the straight way from the first weights ({significant(start)}) to those at step {found.step:,} "
        f"({significant(end)})"
    )
    if not (math.isfinite(start) and math.isfinite(end)):
        return f"{way} has an end whose loss is no number."
    if rise > CLIMB * max(abs(start - end), 1e-9):
        return f"{way} climbs by up to {significant(rise)}."
    return f"{way} goes down all the way."


def _flattest(slices: dict[str, Slice]) -> str:
    """Which of the slices rises least, by what their networks have: 'without batchnorm'."""
    rises = {condition: _rise(each) for condition, each in slices.items()}
    known = {condition: rise for condition, rise in rises.items() if math.isfinite(rise)}
    if not known:
        return "No loss in these slices is a number."
    said = "Mean rise over the slice: " + ", ".join(f"{significant(rise)} {where}" for where, rise in rises.items())
    if guessing := [where for where in known if slices[where].centre > LN_10 - UNINFORMED_WITHIN]:
        return f"{said}. They are not compared: {listed(guessing)} the weights do no better than guessing."
    if len(known) < 2:
        return f"{said}."
    if below := [where for where, rise in known.items() if rise < 0]:
        return f"{said}; {listed(below)} the weights lie in no basin, because most of the slice is lower."
    least, most = min(known.values()), max(known.values())
    alike = [where for where, rise in known.items() if rise - least <= ALIKE_WITHIN * most]
    if len(alike) == len(known):
        return f"{said}; they are alike."
    return f"{said}; {'flatter' if len(known) == 2 else 'flattest'} {listed(alike)} here."


def _rise(found: Slice) -> float:
    """Mean loss over the slice above that at the weights; 0 for what is left of rounding."""
    if np.isnan(found.loss).all():
        return math.nan
    rise = float(np.nanmean(found.loss)) - found.centre
    return 0.0 if abs(rise) <= LOSS_ROUNDING * abs(found.centre) else rise


def _against_the_limit(found: Sharpness) -> str:
    value, limit, step = float(found.eigenvalue[-1]), float(found.limit[-1]), int(found.steps[-1])
    if not math.isfinite(value):
        return f"at step {step:,} the Hessian is no matrix of finite numbers, and has no largest eigenvalue."
    if math.isnan(limit):
        return f"λ<sub>max</sub> {significant(value)} at step {step:,}; Adam's steps have no limit in it alone."
    shares = found.eigenvalue / found.limit
    most = float(np.max(shares[np.isfinite(shares)], initial=-math.inf))
    much = f"{times(most)} it" if most >= 10 else f"{percent(most, 0)} of it"
    if math.isinf(limit):
        end = "where the learning rate is 0, and there is no limit"
    else:
        end = f"{'above' if value > limit else 'below'} the limit {significant(limit)}"
    return f"λ<sub>max</sub> {significant(value)} at step {step:,}, {end} (at most {much} on the way)."


def _rate(found: LargestRates, rate: float) -> str:
    if rate >= found.highest:
        return f"{found.highest:,.0f} or more"
    return significant(rate) if rate > found.lowest else f"none from {significant(found.lowest)} on trains"


def _larger(found: LargestRates, without: float, with_it: float) -> str:
    """Compare two rates. One at the upper bound of the search is known from below alone; at the lower one none trains,
    and there is nothing to divide by."""
    if without == with_it and not found.lowest < without < found.highest:
        return "Both are at the same bound of the search: they cannot be compared."
    if without <= found.lowest:
        return f"Without batchnorm no rate from {significant(found.lowest)} on trains, with batchnorm some do."
    if with_it <= found.lowest:
        return f"With batchnorm no rate from {significant(found.lowest)} on trains, without batchnorm some do."
    if with_it <= without:
        return "The largest rate that trains is <b>not</b> larger with batchnorm."
    write = times if with_it < found.highest else at_least
    return f"The largest rate that trains is {write(with_it / without)} as large with batchnorm."

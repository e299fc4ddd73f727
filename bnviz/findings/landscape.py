"""Plain sentences about slices, sharpness, learning rates, scales and noise."""

import math
from collections.abc import Sequence

import numpy as np

from bnviz.analysis.comparison import ALIKE_WITHIN, compared_pair
from bnviz.experiment.config import LETTERS, Experiment
from bnviz.experiment.naming import kind_of
from bnviz.records.landscape import (
    LEARNED,
    NOISE_SIZES,
    SCALES,
    SEARCH_STEPS,
    BatchNoise,
    LargestRates,
    Scaling,
    Sharpness,
    Slice,
    Slices,
)
from bnviz.wording import at_least, listed, significant, times

LOSS_ROUNDING = 1e-4  # of a loss: the single precision of many sums


def slice_findings(found: Slices) -> list[str]:
    """What each slice shows, and what there is none for."""
    said = [each for each in found if isinstance(each, str)]
    for i, each in enumerate(found):
        if isinstance(each, str):
            continue
        letter, values = LETTERS[i], each.loss[np.isfinite(each.loss)]
        if not values.size:
            said.append(f"{letter}: no loss in this slice is a finite number.")
        elif each.kind == "path":
            share = sum(each.explained)
            said.append(f"{letter}: this plane holds {share:.0%} of the squared distances of its path.")
        elif each.kind == "line":
            said.append(f"{letter}: {_hill(each)}")
        else:
            said.append(
                f"{letter}: from {significant(each.centre)} at the weights to {significant(float(values.max()))} "
                "within the slice."
            )
    two = [each for each in found if isinstance(each, Slice) and each.kind == "random"]
    if len(two) > 1:
        letters = [LETTERS[i] for i, each in enumerate(found) if isinstance(each, Slice)]
        said.append(_flattest({letter: _rise(each) for letter, each in zip(letters, two, strict=True)}))
    return said


def _rise(found: Slice) -> float:
    """Mean loss over the slice above that at the weights; 0 for what is left of rounding."""
    if np.isnan(found.loss).all():
        return math.nan
    rise = float(np.nanmean(found.loss)) - found.centre
    return 0.0 if abs(rise) <= LOSS_ROUNDING * abs(found.centre) else rise


def _flattest(rises: dict[str, float]) -> str:
    told = ", ".join(f"{significant(rise)} of {letter}" for letter, rise in rises.items())
    known = {letter: rise for letter, rise in rises.items() if math.isfinite(rise)}
    said = f"Mean rise over the slice: {told}"
    if not known:
        return "No loss in these slices is a number."
    if len(known) < 2:
        return f"{said}."
    if below := [letter for letter, rise in known.items() if rise < 0]:
        return f"{said}; below zero the slice is lower than the weights of {listed(below)}, which lie in no basin."
    least, most = min(known.values()), max(known.values())
    alike = [letter for letter, rise in known.items() if rise - least <= ALIKE_WITHIN * most]
    if len(alike) == len(known):
        return f"{said}; they are alike."
    how = "the flatter" if len(known) == 2 else "the flattest"
    return f"{said}; {listed(alike)} {'is' if len(alike) == 1 else 'are'} {how} here."


def _hill(found: Slice) -> str:
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
    if rise > 0.01 * max(abs(start - end), 1e-9):
        return f"{way} climbs by up to {significant(rise)}."
    return f"{way} goes down all the way."


def sharpness_findings(found: Sequence[Sharpness | str], experiment: Experiment) -> list[str]:
    said = [each for each in found if isinstance(each, str)]
    for i, each in enumerate(found):
        if isinstance(each, str):
            continue
        said.append(f"{experiment.letters[i]}: {_against_the_limit(each)}")
    return said


def _against_the_limit(found: Sharpness) -> str:
    value, limit, step = float(found.eigenvalue[-1]), float(found.limit[-1]), int(found.steps[-1])
    if not math.isfinite(value):
        return f"at step {step:,} the Hessian is no matrix of finite numbers, and has no largest eigenvalue."
    shares = found.eigenvalue / found.limit
    most = float(np.max(shares[np.isfinite(shares)], initial=-math.inf))
    much = f"{times(most)} it" if most >= 10 else f"{most:.0%} of it"
    if math.isinf(limit):
        end = "where the learning rate is 0, and there is no limit"
    else:
        end = f"{'above' if value > limit else 'below'} the limit {significant(limit)}"
    return f"λ<sub>max</sub> {significant(value)} at step {step:,}, {end} (at most {much} on the way)."


def rate_findings(found: LargestRates, experiment: Experiment) -> list[str]:
    medians = np.median(found.rates, axis=1)
    said = [
        f"{experiment.letters[i]} ({kind_of(experiment.variants[i])}): {_rate(found, float(rate))}"
        for i, rate in enumerate(medians)
    ]
    if (pair := compared_pair(experiment)) is not None:
        said.append(_larger(found, *(float(medians[i]) for i in pair)))
    return said


def _larger(found: LargestRates, without: float, with_it: float) -> str:
    """Rates at a bound of the search are known from one side: a comparison may still hold."""
    if without == with_it and not found.lowest < without < found.highest:
        return "Both are at the same bound of the search: they cannot be compared."
    if with_it <= without:
        return "The largest rate that trains is <b>not</b> larger with batchnorm."
    write = times if found.lowest < without and with_it < found.highest else at_least
    return f"The largest rate that trains is {write(with_it / without)} as large with batchnorm."


def _rate(found: LargestRates, rate: float) -> str:
    if rate >= found.highest:
        return f"{found.highest:,.0f} or more"
    return significant(rate) if rate > found.lowest else f"none from {found.lowest:.2g} trains"


def scaling_findings(found: Sequence[Scaling], experiment: Experiment) -> list[str]:
    said, a = [], SCALES[-1]
    for i, each in enumerate(found):
        letter, ratio = experiment.letters[i], float(each.gradient[-1])
        if not math.isfinite(ratio):
            said.append(f"{letter}: no gradient reaches these weights, or they are no numbers.")
            continue
        said.append(
            f"{letter} ({kind_of(experiment.variants[i])}): with weights {a:g} times as large the gradient is "
            f"{significant(ratio)} times as large (1/a = {significant(1 / a)}), and logits move by up to "
            f"{significant(float(each.difference.max()), 2)}."
        )
    return said


def noise_findings(found: BatchNoise) -> list[str]:
    sizes = [NOISE_SIZES.index(size) for size in (32, 256)]
    first, last = (float(found.mean[k]) for k in sizes)
    if not (first > 0 and last > 0):
        return ["The outputs of layer 1 are constant, or no numbers: their batch statistics have no noise."]
    return [
        f"Batch means of 32 digits are {significant(first, 2)} standard deviations off, of 256 digits "
        f"{significant(last, 2)}: {times(first / last)} less noise (√8 = 2.8)."
    ]


RATE_SEARCH = (
    f"A rate trains where the loss stays finite for {SEARCH_STEPS} steps at that constant rate and is below "
    f"{LEARNED:g} nats on average over the last fifth of them (a network that knows nothing has ln 10 = 2.30)."
)

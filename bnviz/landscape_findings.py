"""Plain sentences about slices, sharpness, learning rates, scales and noise, and the same as CSV files."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from bnviz.config import LETTERS, Experiment
from bnviz.history import View
from bnviz.landscape_records import (
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
from bnviz.ravine import Descent
from bnviz.records import STEP_LENGTHS


def of_slices(found: Slices) -> list[str]:
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
                f"{letter}: from {each.centre:.3g} at the weights to {float(values.max()):.3g} within the slice."
            )
    two = [each for each in found if isinstance(each, Slice) and each.kind == "random"]
    if len(two) > 1:
        rises = [float(np.nanmean(each.loss)) - each.centre for each in two]
        letters = [LETTERS[i] for i, each in enumerate(found) if isinstance(each, Slice)]
        flattest = int(np.nanargmin(rises)) if np.isfinite(rises).any() else 0
        told = ", ".join(f"{rise:.3g} of {letter}" for rise, letter in zip(rises, letters, strict=True))
        said.append(f"Mean rise over the slice: {told}; {letters[flattest]} is the flattest here.")
    return said


def _hill(found: Slice) -> str:
    """Whether the way from the initial weights goes down all the way."""
    between = (found.x >= -1 - 1e-9) & (found.x <= 1e-9)
    loss = found.loss[0][between]
    rise = float(np.nanmax(loss - np.fmin.accumulate(loss)))
    start, end = float(loss[0]), float(loss[-1])
    way = f"the straight way from the first weights ({start:.3g}) to those now ({end:.3g})"
    if rise > 0.01 * max(abs(start - end), 1e-9):
        return f"{way} climbs by up to {rise:.3g}."
    return f"{way} goes down all the way."


def of_sharpness(found: Sequence[Sharpness | str], experiment: Experiment) -> list[str]:
    said = [each for each in found if isinstance(each, str)]
    for i, each in enumerate(found):
        if isinstance(each, str):
            continue
        shares = each.eigenvalue / each.limit
        where = "above" if shares[-1] > 1 else "below"
        said.append(
            f"{experiment.letters[i]}: λ_max {each.eigenvalue[-1]:.3g} at step {int(each.steps[-1]):,}, "
            f"{where} the limit {each.limit[-1]:.3g} (at most {np.nanmax(shares):.0%} of it on the way)."
        )
    return said


def of_rates(found: LargestRates, experiment: Experiment) -> list[str]:
    medians = np.median(found.rates, axis=1)
    said = [
        f"{experiment.letters[i]} ({_named(experiment, i)}): {_rate(found, float(rate))}"
        for i, rate in enumerate(medians)
    ]
    norms = [variant.batchnorm is not None for variant in experiment.variants]
    if True in norms and False in norms:
        one, other = float(medians[norms.index(False)]), float(medians[norms.index(True)])
        more = f"{other / one:.1f} times as large with batchnorm" if other > one else "<b>not</b> larger with batchnorm"
        said.append(f"The largest rate that trains is {more}.")
    return said


def _rate(found: LargestRates, rate: float) -> str:
    if rate >= found.highest:
        return f"{found.highest:,.0f} or more"
    return f"{rate:.3g}" if rate > found.lowest else f"none from {found.lowest:.2g} trains"


def _named(experiment: Experiment, i: int) -> str:
    batchnorm = experiment.variants[i].batchnorm
    return "no batchnorm" if batchnorm is None else "noisy batchnorm" if batchnorm.noisy else "batchnorm"


def of_scaling(found: Sequence[Scaling], experiment: Experiment) -> list[str]:
    said, a = [], SCALES[-1]
    for i, each in enumerate(found):
        letter, times = experiment.letters[i], float(each.gradient[-1])
        if not math.isfinite(times):
            said.append(f"{letter}: no gradient reaches these weights, or they are no numbers.")
            continue
        said.append(
            f"{letter} ({_named(experiment, i)}): with weights {a:g} times as large the gradient is {times:.3g} times "
            f"as large (1/a = {1 / a:.3g}), and logits move by up to {float(each.difference.max()):.2g}."
        )
    return said


def of_noise(found: BatchNoise) -> list[str]:
    sizes = [NOISE_SIZES.index(size) for size in (32, 256)]
    first, last = (float(found.mean[k]) for k in sizes)
    return [
        f"Batch means of 32 digits are {first:.2g} standard deviations off, of 256 digits {last:.2g}: "
        f"{first / max(last, 1e-12):.1f} times less noise (√8 = 2.8)."
    ]


# -- files ----------------------------------------------------------------------------------------------------------


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


def smoothness_csv(view: View) -> str:
    """A row for each network, kept step and step length ahead; what does not depend on the length is repeated."""
    here = ("variant", "step", "learning_rate", "loss", "gradient_norm", "weights_norm_1", "test_minus_training_loss")
    return _csv(
        (*here, "length", "loss_ahead", "gradient_change"),
        (
            (letter, f.step, s.rate, s.loss, s.gradient, float(s.weights[0]), s.gap, *ahead)
            for letter, history in zip(view.experiment.letters, view.variants, strict=True)
            for f in history.frames
            if (s := f.smoothness) is not None
            for ahead in zip(STEP_LENGTHS, s.losses.tolist(), s.changes.tolist(), strict=True)
        ),
    )


def slices_csv(found: Slices) -> str:
    return _csv(
        ("variant", "step", "digits", "x", "y", "loss"),
        (
            (LETTERS[i], each.step, each.digits, float(x), float(y), float(each.loss[row, column]))
            for i, each in enumerate(found)
            if isinstance(each, Slice)
            for row, y in enumerate(each.y)
            for column, x in enumerate(each.x)
        ),
    )


def sharpness_csv(found: Sequence[Sharpness | str]) -> str:
    return _csv(
        ("variant", "step", "largest_eigenvalue", "stability_limit"),
        (
            (LETTERS[i], int(step), float(value), float(limit))
            for i, each in enumerate(found)
            if isinstance(each, Sharpness)
            for step, value, limit in zip(each.steps, each.eigenvalue, each.limit, strict=True)
        ),
    )


def rates_csv(found: LargestRates | None) -> str:
    rows = (
        ()
        if found is None
        else ((LETTERS[i], k, float(rate)) for i, rates in enumerate(found.rates) for k, rate in enumerate(rates))
    )
    return _csv(("variant", "seed_place", "largest_rate"), rows)


def scaling_csv(found: Sequence[Scaling]) -> str:
    return _csv(
        ("variant", "step", "scale", "gradient_over_that_at_1", "largest_change_of_a_logit"),
        (
            (LETTERS[i], each.step, a, float(each.gradient[k]), float(each.difference[k]))
            for i, each in enumerate(found)
            for k, a in enumerate(SCALES)
        ),
    )


def noise_csv(found: BatchNoise | None) -> str:
    columns = ("step", "batch_size", "mean", "variance")
    if found is None:
        return _csv(columns, ())
    rows = zip(NOISE_SIZES, found.mean.tolist(), found.variance.tolist(), strict=True)
    return _csv(columns, ((found.step, *row) for row in rows))


def ravine_csv(descents: Sequence[Descent]) -> str:
    return _csv(
        ("inputs", "step", "w1", "w2", "loss"),
        (
            (each.kind, step, *point, loss)
            for each in descents
            for step, (point, loss) in enumerate(zip(each.path.tolist(), each.loss.tolist(), strict=True))
        ),
    )


SEARCH = (
    f"A rate trains where the loss stays finite for {SEARCH_STEPS} steps at that constant rate and is below "
    f"{LEARNED:g} nats on average over the last fifth of them (a network that knows nothing has ln 10 = 2.30)."
)

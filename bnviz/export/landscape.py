"""What was measured of the loss landscape, as CSV files."""

from collections.abc import Sequence

from bnviz.experiment.config import LETTERS
from bnviz.export.tables import csv_text
from bnviz.records.frames import STEP_LENGTHS
from bnviz.records.history import View
from bnviz.records.landscape import (
    NOISE_SIZES,
    WEIGHT_SCALES,
    BatchNoise,
    LargestRates,
    Scaling,
    Sharpness,
    Slice,
    Slices,
)
from bnviz.theory.ravine import Descent


def smoothness_csv(view: View) -> str:
    """Return a row for each network, kept step and step length; what does not depend on the length is repeated."""
    here = ("variant", "step", "learning_rate", "loss", "gradient_norm", "weights_norm_1", "test_minus_training_loss")
    return csv_text(
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
    """Return a row for each point of every slice."""
    return csv_text(
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
    """Return a row for each network and measured step."""
    return csv_text(
        ("variant", "step", "largest_eigenvalue", "stability_limit"),
        (
            (LETTERS[i], int(step), float(value), float(limit))
            for i, each in enumerate(found)
            if isinstance(each, Sharpness)
            for step, value, limit in zip(each.steps, each.eigenvalue, each.limit, strict=True)
        ),
    )


def rates_csv(found: LargestRates | None) -> str:
    """Return a row for each network and seed; no rows before there is an answer."""
    rows = (
        ()
        if found is None
        else (
            (LETTERS[i], seed, float(rate))
            for i, rates in enumerate(found.rates)
            for seed, rate in zip(found.seeds, rates, strict=True)
        )
    )
    return csv_text(("variant", "seed", "largest_rate"), rows)


def scaling_csv(found: Sequence[Scaling]) -> str:
    """Return a row for each network and scale of its weights."""
    return csv_text(
        ("variant", "step", "scale", "gradient_over_that_at_1", "largest_change_of_a_logit"),
        (
            (LETTERS[i], each.step, a, float(each.gradient[k]), float(each.difference[k]))
            for i, each in enumerate(found)
            for k, a in enumerate(WEIGHT_SCALES)
        ),
    )


def noise_csv(found: BatchNoise | None) -> str:
    """Return a row for each batch size; no rows before there is an answer."""
    columns = ("step", "batch_size", "mean", "variance")
    if found is None:
        return csv_text(columns, ())
    rows = zip(NOISE_SIZES, found.mean.tolist(), found.variance.tolist(), strict=True)
    return csv_text(columns, ((found.step, *row) for row in rows))


def ravine_csv(descents: Sequence[Descent]) -> str:
    """Return a row for each kind of inputs and step of its descent."""
    return csv_text(
        ("inputs", "step", "w1", "w2", "loss"),
        (
            (each.kind, step, *point, loss)
            for each in descents
            for step, (point, loss) in enumerate(zip(each.path.tolist(), each.loss.tolist(), strict=True))
        ),
    )

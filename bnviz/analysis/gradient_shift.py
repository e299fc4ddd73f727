"""Internal covariate shift of the gradients: what has been measured of a run so far, and its means."""

import math
from collections.abc import Sequence

import numpy as np

from bnviz.records.answers import GradientShift
from bnviz.records.frames import Floats

MEASUREMENTS_KEPT = 400
Measurements = dict[tuple[int, ...], list[GradientShift]]  # by the variants' steps, oldest first: one for each variant


def with_measurement(answer: list[GradientShift], known: Measurements | None) -> Measurements:
    """Return the measurements with another one; of more than MEASUREMENTS_KEPT every second one is dropped."""
    found = (known or {}) | {tuple(each.step for each in answer): answer}
    return found if len(found) <= MEASUREMENTS_KEPT else dict(list(found.items())[::2])


def measured_until(measured: Measurements, step: int | None) -> list[list[GradientShift]]:
    """Return the measurements of each network up to a step, oldest first; of all steps if `step` is None."""
    columns = zip(*measured.values(), strict=True)
    return [[found for found in column if step is None or found.step <= step] for column in columns]


def mean_gradient_shift(found: Sequence[GradientShift]) -> tuple[Floats, Floats]:
    """Return mean difference and mean cosine of each linear layer after the first; NaN if none was a number."""
    if not found:
        return np.empty(0), np.empty(0)
    return _mean([g.difference[1:] for g in found]), _mean([g.cosine[1:] for g in found])


def relative_gradient_shift(found: Sequence[GradientShift]) -> float:
    """Return the mean of ||G - G'|| / ||G|| over measurements and layers after the first; NaN if none is a number."""
    parts = [each.difference[1:][each.norm[1:] > 0] / each.norm[1:][each.norm[1:] > 0] for each in found]
    every = np.concatenate(parts) if parts else np.empty(0)
    return float(every[np.isfinite(every)].mean()) if np.isfinite(every).any() else math.nan


def _mean(rows: Sequence[Floats]) -> Floats:
    values = np.array(rows)
    finite = np.isfinite(values)
    count = finite.sum(0)
    mean: Floats = np.where(count > 0, np.where(finite, values, 0).sum(0) / np.maximum(count, 1), math.nan)
    return mean

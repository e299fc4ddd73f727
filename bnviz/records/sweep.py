"""What a sweep has found so far: a row a network, float32, and what crosses from a worker to fill it."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from bnviz.experiment.config import TrainingConfig
from bnviz.experiment.sweep import Sweep
from bnviz.records.frames import Floats

SWEEP_POINTS = 60  # at most, of a network's training curve
Metric = Literal["train_loss", "test_loss", "test_accuracy"]
METRICS: dict[Metric, str] = {"train_loss": "training loss", "test_loss": "test loss", "test_accuracy": "test accuracy"}


def steps_per_point(training: TrainingConfig) -> int:
    """Return the number of steps whose mean loss is one point of a training curve."""
    return -(-training.steps // SWEEP_POINTS)


def is_tested_at(training: TrainingConfig, step: int) -> bool:
    """Tell whether test results are measured after so many steps.

    They are at the 1st, 2nd, 4th, 8th … kept step of the live lab, and at the end: so measuring takes a small part of
    the time, and every value is one that the live lab shows too.
    """
    kept, rest = divmod(step, training.keep_every)
    return step >= training.steps or (rest == 0 and kept > 0 and kept & (kept - 1) == 0)


@dataclass(frozen=True)
class SweepResults:
    """A row for each network, in the order of `Sweep.experiments`; NaN if nothing is known yet.

    steps: trained so far. train_loss: mean of the last TRAINING_LOSS_STEPS steps, for one that diverged of those
    before. test_loss and test_accuracy: as last measured, NaN for one that diverged. curves: (networks, SWEEP_POINTS)
    mean training loss of each `stride` steps.
    """

    steps: npt.NDArray[np.int32]
    diverged: npt.NDArray[np.bool_]
    train_loss: Floats
    test_loss: Floats
    test_accuracy: Floats
    curves: Floats

    @staticmethod
    def nothing(networks: int) -> "SweepResults":
        """Return the results of so many networks before any has trained."""

        def unknown(*shape: int) -> Floats:
            return np.full(shape, np.nan, np.float32)

        return SweepResults(
            steps=np.zeros(networks, np.int32),
            diverged=np.zeros(networks, np.bool_),
            train_loss=unknown(networks),
            test_loss=unknown(networks),
            test_accuracy=unknown(networks),
            curves=unknown(networks, SWEEP_POINTS),
        )

    def take(self, members: npt.NDArray[np.intp], news: "SweepResults") -> None:
        """Fill in the rows of some networks."""
        for name, values in vars(news).items():
            getattr(self, name)[members] = values

    def rows(self, members: npt.NDArray[np.intp]) -> "SweepResults":
        """Return the rows of some networks."""
        return replace(self, **{name: values[members] for name, values in vars(self).items()})

    def copy(self) -> "SweepResults":
        """Return results that later rows do not change."""
        return replace(self, **{name: values.copy() for name, values in vars(self).items()})


@dataclass(frozen=True)
class Cells:
    """One metric over the grid, (axes ..., batchnorm): mean and standard deviation over those seeds whose network has
    not diverged, and how many have."""

    mean: Floats
    deviation: Floats
    diverged: npt.NDArray[np.int64]


def cells(sweep: Sweep, found: SweepResults, metric: Metric) -> Cells:
    """Return one metric over the grid, from the results of every network."""
    values = getattr(found, metric).astype(np.float64).reshape(sweep.shape)
    diverged = found.diverged.reshape(sweep.shape)
    known = np.isfinite(values) & ~diverged
    count = known.sum(-1)
    values = np.where(known, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):  # where no seed has a value, NaN
        mean = values.sum(-1) / count
        deviation = np.sqrt((np.where(known, values - mean[..., None], 0.0) ** 2).sum(-1) / count)
    return Cells(mean, deviation, diverged.sum(-1))


def batchnorm_gain(cells: Cells, metric: Metric) -> Floats:
    """Return how much better the networks with batchnorm are, (axes ...): their lower loss or higher accuracy."""
    difference: Floats = cells.mean[..., 1] - cells.mean[..., 0]
    return difference if metric == "test_accuracy" else -difference

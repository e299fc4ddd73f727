"""Networks trained over several seeds, how they ended, and their figures in words and lines."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, variance

import numpy as np

from bnviz.experiment.config import BatchNormConfig, NetworkConfig, TrainingConfig, Variant, replace
from bnviz.experiment.wording import mean_and_deviation
from bnviz.records.frames import TEST_DIGITS, TRAINING_LOSS_STEPS, VariantFrame
from bnviz.records.reproduction import Line
from bnviz.training import probes
from bnviz.training.batches import Batches
from bnviz.training.trainer import Trainer

STUDENT_T = 2.776  # Student's t, 95 %, two-sided, 4 degrees of freedom: two sides of three seeds each
TWIN_NAMES = ("without batchnorm", "with batchnorm")


@dataclass(frozen=True)
class Outcome:
    """How one network ended, and its kept frames."""

    initial_loss: float
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    frames: tuple[VariantFrame, ...]


@dataclass(frozen=True)
class Bench:
    """What every experiment needs: the digits, the seeds, and whom to tell what is going on."""

    batches: Batches
    seeds: tuple[int, ...]
    quick: bool
    say: Callable[[str], None]

    def train(self, training: TrainingConfig, variants: Sequence[Variant]) -> list[list[Outcome]]:
        """Train all variants at once, one seed after the other. Returns [variant][seed]."""
        found = [self._train(replace(training, seed=seed), variants) for seed in self.seeds]
        return [list(column) for column in zip(*found, strict=True)]

    def _train(self, training: TrainingConfig, variants: Sequence[Variant]) -> list[Outcome]:
        trainer = Trainer(training, variants, self.batches)
        frames = [trainer.advance(steps=0)]
        while not trainer.finished:
            frames.append(trainer.advance())
        self.say(f"  {len(variants)} networks, {training.steps:,} steps, {trainer.seconds:.0f} s")
        outcomes = []
        for i in range(len(variants)):
            seen = tuple(frame.variants[i] for frame in frames)
            losses = np.concatenate([frame.losses for frame in seen])[-TRAINING_LOSS_STEPS:]
            last = seen[-1]
            images, labels = self.batches.train_sample(TEST_DIGITS, training.standardize)
            accuracy = probes.evaluate(trainer.copy_of(i), images, labels)[1][0]
            loss = math.nan if last.diverged else float(losses.mean())
            outcomes.append(Outcome(seen[0].next_loss, loss, float(accuracy), last.test_loss, last.test_accuracy, seen))
        return outcomes


def twins(network: NetworkConfig) -> list[Variant]:
    """Return a network without and with batchnorm, in the order of TWIN_NAMES."""
    return [Variant(network), Variant(network, BatchNormConfig())]


def mean(outcomes: Sequence[Outcome], name: str) -> float:
    """Return the mean over the seeds of the field `name` of their outcomes. Raises ValueError for no outcomes."""
    return fmean(getattr(outcome, name) for outcome in outcomes)


def clearly_higher(these: Sequence[Outcome], those: Sequence[Outcome], name: str) -> bool | None:
    """Return whether the mean of these lies above that of those, over the same three seeds; None if the difference is
    within STUDENT_T standard errors: the seeds alone would often bring it about."""
    sides = [[getattr(outcome, name) for outcome in side] for side in (these, those)]
    difference = fmean(sides[0]) - fmean(sides[1])
    error = math.sqrt(sum(variance(side) / len(side) for side in sides))
    return None if abs(difference) <= STUDENT_T * error else difference > 0


def mean_and_spread(outcomes: Sequence[Outcome], name: str) -> str:
    """Write '0.300 ± 0.004' or '94.8 ± 0.1%', the second the sample's standard deviation over the seeds."""
    values = [getattr(outcome, name) for outcome in outcomes]
    if name.endswith("accuracy"):
        return mean_and_deviation([100 * value for value in values], 1, "%")
    return mean_and_deviation(values, 3)


def lines(x: Sequence[float], sides: Sequence[Sequence[float]], *, thin: bool = False) -> tuple[Line, ...]:
    """Return two curves, without and with batchnorm; a gap if a value is no finite number."""
    return tuple(
        Line(name, tuple(x), tuple(round(v, 5) if math.isfinite(v) else None for v in values), bool(normalized), thin)
        for normalized, (name, values) in enumerate(zip(TWIN_NAMES, sides, strict=True))
    )

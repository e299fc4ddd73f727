"""A run whose changes are known beforehand: what is trained, and what is changed at which step."""

from dataclasses import dataclass
from itertools import pairwise

from bnviz.experiment.config import Experiment


@dataclass(frozen=True)
class Change:
    """The settings from `step` on: made before that step is trained, with the weights kept."""

    step: int
    experiment: Experiment


@dataclass(frozen=True)
class Scenario:
    """An experiment and the changes that are made to it, in the order of their steps.

    Raises ValueError for changes that are out of order, come before the first step or after the last, or that would
    start a network over: another number of networks or another seed.
    """

    experiment: Experiment
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        steps = [0, *(change.step for change in self.changes), self.experiment.training.steps]
        if any(one >= other for one, other in pairwise(steps)):
            raise ValueError(f"changes: give steps that grow, from 1 to {steps[-1] - 1}; got {steps[1:-1]}")
        for change in self.changes:
            same = change.experiment.training.seed == self.experiment.training.seed
            if not same or len(change.experiment.variants) != len(self.experiment.variants):
                raise ValueError(f"changes: the one at step {change.step} would start networks over")

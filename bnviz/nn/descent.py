"""One step of the optimizer, for the values of V networks."""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bnviz.experiment.choices import ADAM_EPS, SQUARED_DECAY, Optimizer
from bnviz.experiment.config import TrainingConfig


@dataclass(frozen=True)
class Descent:
    """One step of an optimizer, as torch.optim counts it. With g = gradient + weight_decay * w and momentum m:

        SGD       v <- m v + g;  w <- w - rate * v
        Nesterov  v <- m v + g;  w <- w - rate * (g + m v)      (Sutskever et al. 2013)
        Adam      v <- m v + (1 - m) g;  s <- b s + (1 - b) g^2;  t <- t + 1
                  w <- w - rate * v / (1 - m^t) / (sqrt(s / (1 - b^t)) + eps)      (Kingma and Ba 2015)

    rate and momentum are numbers if all networks share them, so that the rate is a factor inside the product that
    updates the weights; if they differ, columns (V, 1, 1). decays_all: biases, gamma and beta decay too.
    """

    rate: float | Tensor
    momentum: float | Tensor = 0.0
    weight_decay: float = 0.0
    optimizer: Optimizer = "sgd"
    decays_all: bool = False

    @staticmethod
    def by(training: TrainingConfig, rate: float | Tensor, momentum: float | Tensor | None = None) -> "Descent":
        """Return a step of an experiment's optimizer; momentum: where networks differ in it."""
        m = training.momentum if momentum is None else momentum
        return Descent(rate, m, training.weight_decay, training.optimizer, training.decayed == "all")

    def of(self, group: slice) -> "Descent":
        """Return the same step for some of the networks."""

        def own(value: float | Tensor) -> float | Tensor:
            return value[group] if isinstance(value, Tensor) else value

        return replace(self, rate=own(self.rate), momentum=own(self.momentum))

    @property
    def moves(self) -> bool:
        """Whether any network has a velocity to keep."""
        return self.optimizer == "adam" or isinstance(self.momentum, Tensor) or self.momentum > 0

    def momentum_for(self, values: Tensor) -> float | Tensor:
        """Return the momentum as it multiplies such values."""
        return column(self.momentum, values) if isinstance(self.momentum, Tensor) else self.momentum

    def subtract(self, value: Tensor, direction: Tensor) -> None:
        """Take the step: value <- value - rate * direction"""
        if isinstance(self.rate, Tensor):
            value.addcmul_(column(self.rate, value), direction, value=-1)
        else:
            value.sub_(direction, alpha=self.rate)

    def adams_direction(self, velocity: Tensor, square: Tensor, steps: Tensor) -> Tensor:
        """Return what `subtract` gets of Adam's two averages, (V, ...) each, after so many steps, (V, 1, ...)."""
        momentum = self.momentum_for(velocity)
        if isinstance(momentum, Tensor):
            logarithm: float | Tensor = momentum.log()
        else:
            logarithm = math.log(momentum) if momentum else -math.inf
        first = -torch.expm1(steps * logarithm)  # 1 - m^t, which is small at first: exact in single precision too
        second = -torch.expm1(steps * math.log(SQUARED_DECAY))
        deviation = square.sqrt().div_(second.sqrt()).add_(ADAM_EPS)
        return torch.div(velocity, deviation.mul_(first))


def begins_anew(before: TrainingConfig, after: TrainingConfig) -> bool:
    """Tell whether a changed optimizer can make nothing of what the one before it has kept.

    Adam's averages are of another scale than the velocity of SGD.
    """
    return before.optimizer != after.optimizer and "adam" in (before.optimizer, after.optimizer)


def column(values: Tensor, of: Tensor) -> Tensor:
    """A number a network with as many dimensions as the values that it multiplies."""
    return values.view(-1, *[1] * (of.dim() - 1))

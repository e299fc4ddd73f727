"""How smooth the loss was along the way of each network, over the steps of a run whose landscape is watched."""

from dataclasses import dataclass

import numpy as np

from bnviz.records.frames import Floats
from bnviz.records.history import View

NEWEST_SHARE = 0.25  # of the kept steps, that a median is taken over


@dataclass(frozen=True)
class SmoothnessCourse:
    """One network's smoothness over its k kept steps, (k,) each; NaN if it diverged or had no gradient.

    loss: L(w). loss_low, loss_high: over STEP_LENGTHS ahead, and change_low, change_high of ||g(w') - g(w)||.
    beta: effective beta-smoothness. rate: learning rate. gap: test minus training loss, at fewer steps. weights
    (k, layers): norm of each layer's weights.
    """

    steps: Floats
    loss: Floats
    loss_low: Floats
    loss_high: Floats
    change_low: Floats
    change_high: Floats
    gradient: Floats
    beta: Floats
    rate: Floats
    gap: Floats
    weights: Floats

    @property
    def range(self) -> Floats:
        """The highest loss ahead minus the lowest."""
        return self.loss_high - self.loss_low

    @property
    def ascent(self) -> Floats:
        """How far the highest loss ahead lies above the loss here; below zero if all of the way goes down."""
        return self.loss_high - self.loss

    @property
    def effective_rate(self) -> Floats:
        """The learning rate over the squared norm of layer 1's weights; NaN if that is zero."""
        squared = self.weights[:, 0] ** 2
        return np.divide(self.rate, squared, out=np.full_like(squared, np.nan), where=squared > 0)


def smoothness_course(view: View, variant: int) -> SmoothnessCourse:
    """Return what the kept frames of one network say of its smoothness."""
    known = [(f.step, f.smoothness) for f in view.variants[variant].frames if f.smoothness is not None]

    def numbers(values: list[float] | Floats) -> Floats:
        array = np.array(values, dtype=np.float64)
        return np.where(np.isfinite(array), array, np.nan)

    def rows(values: list[Floats]) -> Floats:
        return np.stack(values) if values else np.zeros((0, 1))

    found = [s for _, s in known]
    losses, changes = rows([s.losses for s in found]), rows([s.changes for s in found])
    return SmoothnessCourse(
        np.array([float(step) for step, _ in known]),
        numbers([s.loss for s in found]),
        numbers(losses.min(1)),
        numbers(losses.max(1)),
        numbers(changes.min(1)),
        numbers(changes.max(1)),
        numbers([s.gradient for s in found]),
        numbers([s.beta for s in found]),
        numbers([s.rate for s in found]),
        numbers([s.gap for s in found]),
        rows([s.weights for s in found]).astype(np.float64),
    )


def generalization_gap(view: View, variant: int) -> tuple[Floats, Floats]:
    """Return the steps at which test and training loss were looked at on equally many digits, and test minus training.

    The look at the last step is at all test digits, and left out.
    """
    found = smoothness_course(view, variant)
    looked = np.isfinite(found.gap) & (found.steps < view.experiment.training.steps)
    return found.steps[looked], found.gap[looked]


def newest_median(values: Floats) -> float:
    """Return the median of the newest quarter; NaN if nothing there is finite."""
    newest = values[-max(1, round(len(values) * NEWEST_SHARE)) :]
    newest = newest[np.isfinite(newest)]
    return float(np.median(newest)) if newest.size else np.nan

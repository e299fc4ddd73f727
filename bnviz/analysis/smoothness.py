"""What the frames of a watched run say of the landscape: bands over the steps, and sentences that follow from them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bnviz.experiment.config import Experiment
from bnviz.records.frames import Floats
from bnviz.records.history import View

RECENT = 0.25  # share of the kept frames that a sentence is about: the newest
LEAST = 4  # kept steps that are compared
LOOKS = 3  # at the gap between test and training loss, after step 0
NOISE = 0.01  # nats: gaps that differ by less are called alike
RANGE = "range of the loss"
EQUAL = 0.1  # two networks that differ by less than this share are called alike


@dataclass(frozen=True)
class Course:
    """One network's smoothness over its kept steps, (k,) each; NaN where it diverged or had no gradient.

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
        """Between the lowest and the highest loss ahead."""
        return self.loss_high - self.loss_low

    @property
    def ascent(self) -> Floats:
        """How far the highest loss ahead lies above the loss here; below zero where all of the way goes down."""
        return self.loss_high - self.loss

    @property
    def effective_rate(self) -> Floats:
        """Learning rate over the squared norm of layer 1's weights; NaN where that is zero."""
        squared = self.weights[:, 0] ** 2
        return np.divide(self.rate, squared, out=np.full_like(squared, np.nan), where=squared > 0)


def course(view: View, variant: int) -> Course:
    known = [(f.step, f.smoothness) for f in view.variants[variant].frames if f.smoothness is not None]

    def numbers(values: list[float] | Floats) -> Floats:
        array = np.array(values, dtype=np.float64)
        return np.where(np.isfinite(array), array, np.nan)

    def rows(values: list[Floats]) -> Floats:
        return np.stack(values) if values else np.zeros((0, 1))

    found = [s for _, s in known]
    losses, changes = rows([s.losses for s in found]), rows([s.changes for s in found])
    return Course(
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


def gap(view: View, variant: int) -> tuple[Floats, Floats]:
    """Steps and test minus training loss where both were looked at on equally many digits: not at the last step, whose
    look is at all test digits."""
    found = course(view, variant)
    looked = np.isfinite(found.gap) & (found.steps < view.experiment.training.steps)
    return found.steps[looked], found.gap[looked]


def pair(experiment: Experiment) -> tuple[int, int] | None:
    """The first network without batchnorm and the first with it and without noise; None where one is missing."""
    norms = [variant.batchnorm for variant in experiment.variants]
    without = [i for i, bn in enumerate(norms) if bn is None]
    with_it = [i for i, bn in enumerate(norms) if bn is not None and not bn.noisy and not bn.noise]
    return (without[0], with_it[0]) if without and with_it else None


def findings(view: View) -> list[str]:
    """What the newest quarter of the steps says of the two explanations, for this run; most telling first."""
    smooth = list(_compared(view))
    return [*_troubles(view), *smooth[:1], *_noisy(view), *smooth[1:]][:3]


def of_effective_rates(view: View) -> list[str]:
    """How far the effective learning rate of each network with batchnorm has come, and what brought it there."""
    said = []
    for i, variant in enumerate(view.experiment.variants):
        found = course(view, i)
        changed = max((marker.at[i][0] for marker in view.markers if i in marker.at), default=0)
        since = np.flatnonzero(np.isfinite(found.effective_rate) & (found.steps >= changed))
        if variant.batchnorm is None or len(since) < 2:
            continue
        ends = since[[0, -1]]
        (begin, end), (first, last) = found.steps[ends], found.effective_rate[ends]
        rate = found.rate[ends[1]] / found.rate[ends[0]] if found.rate[ends[0]] else math.nan
        square = (found.weights[ends[1], 0] / found.weights[ends[0], 0]) ** 2
        said.append(
            f"{view.experiment.letters[i]}: {first:.2g} at step {begin:,.0f}, {last:.2g} at step {end:,.0f}: "
            f"η is {rate:.2g} times what it was, ‖W₁‖² {square:.2g} times."
        )
    return said


def of_gaps(view: View) -> list[str]:
    """Whether the gap is smaller with batchnorm in this run, once there are some looks at trained networks."""
    if (two := pair(view.experiment)) is None:
        return []
    looks = [found[steps > 0] for steps, found in (gap(view, i) for i in two)]
    if min(map(len, looks)) < LOOKS:
        return []
    without, with_it = map(recent, looks)
    a, b = (view.experiment.letters[i] for i in two)
    if _alike(without, with_it, NOISE):
        verdict = "they are alike"
    else:
        verdict = f"{'smaller' if with_it < without else '<b>larger</b>'} with batchnorm"
    return [f"Gap over the newest quarter of the looks: {without:.3f} of {a}, {with_it:.3f} of {b}; {verdict}."]


def _alike(without: float, with_it: float, least: float = 0.0) -> bool:
    return abs(with_it - without) <= max(EQUAL * max(abs(with_it), abs(without)), least)


def _troubles(view: View) -> Iterator[str]:
    for i, history in enumerate(view.variants):
        letter = view.experiment.letters[i]
        if history.frames and history.frames[-1].diverged:
            yield f"{letter} diverged at step {history.frames[-1].step:,}: nothing is measured from there on."
        elif (found := course(view, i)).steps.size and found.gradient[-1] == 0:
            yield f"The gradient of {letter} is zero: there is no direction to look along."


def recent(values: Floats) -> float:
    """Median of the newest quarter; NaN where there is nothing."""
    newest = values[-max(1, round(len(values) * RECENT)) :]
    newest = newest[np.isfinite(newest)]
    return float(np.median(newest)) if newest.size else math.nan


def _compared(view: View) -> Iterator[str]:
    if (two := pair(view.experiment)) is None:
        yield "To compare, train one network without batchnorm and one with it."
        return
    without, with_it = (course(view, i) for i in two)
    a, b = (view.experiment.letters[i] for i in two)
    if (fewest := min(len(without.steps), len(with_it.steps))) < LEAST:
        so_far = f"{fewest} kept step{'s' if fewest != 1 else ''}"
        if view.latest is not None and view.latest.finished:
            yield f"This run has {so_far}, and a comparison takes {LEAST}: choose more steps to see how smooth it is."
        else:
            yield f"{so_far} so far, and a comparison takes {LEAST}: train to see how smooth the way is."
        return
    last = f"over the newest quarter of {int(min(without.steps[-1], with_it.steps[-1])):,} steps (medians)"
    measures = {
        "effective β-smoothness": (without.beta, with_it.beta),
        "largest change of the gradient": (without.change_high, with_it.change_high),
        RANGE: (without.range, with_it.range),
    }
    for name, values in measures.items():
        one, other = (recent(v) for v in values)
        if not (math.isfinite(one) and math.isfinite(other) and one > 0 and other > 0):
            continue
        numbers = f"{one:.3g} of {a}, {other:.3g} of {b} with batchnorm"
        # A range that lies below the loss here is how far down the way goes, and says nothing of roughness.
        down = name == RANGE and recent((without if one > other else with_it).ascent) < 0
        verdict = _downhill(one, other) if down else _verdict(one, other)
        yield f"{name[0].upper()}{name[1:]} {last}: {numbers}. {verdict}"


def _verdict(without: float, with_it: float) -> str:
    """In words; a smaller number is a smoother loss."""
    if _alike(without, with_it):
        return "They are alike."
    if with_it < without:
        return f"{without / with_it:.1f} times smoother with batchnorm, as Santurkar et al. 2018 found."
    return f"{with_it / without:.1f} times <b>less</b> smooth with batchnorm, unlike what Santurkar et al. 2018 found."


def _downhill(without: float, with_it: float) -> str:
    if _alike(without, with_it):
        return "They are alike."
    more = with_it > without
    times = max(with_it, without) / min(with_it, without)
    return f"The loss varies {times:.1f} times {'more' if more else 'less'} with batchnorm: most of it is descent."


def _noisy(view: View) -> Iterator[str]:
    """Whether a network with noisy batchnorm still trains better than one without."""
    noisy = [i for i, v in enumerate(view.experiment.variants) if v.batchnorm and v.batchnorm.noisy]
    plain = [i for i, v in enumerate(view.experiment.variants) if v.batchnorm is None]
    if not (noisy and plain):
        return
    one, other = (view.variants[i].losses for i in (noisy[0], plain[0]))
    if min(len(one), len(other)) < 20:
        return
    ours, theirs = recent(one), recent(other)
    a, b = view.experiment.letters[noisy[0]], view.experiment.letters[plain[0]]
    better = "still lower than" if ours < theirs else "<b>not</b> lower than"
    yield (
        f"Training loss of {a}, with noisy batchnorm: {ours:.3g}, {better} that of {b} without batchnorm, {theirs:.3g} "
        "(median of the newest quarter)."
    )

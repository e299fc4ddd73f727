"""Trains one stack of a sweep: networks of one architecture that differ in init, rates, batchnorm and seed.

A network here takes the same steps as alone in the live lab: the same initial weights, the same batches. One that
diverges leaves the stack, the others go on.
"""

import io
import time
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from bnviz.experiment.config import Experiment
from bnviz.experiment.sweep import Sweep, stacks
from bnviz.nn.descent import Descent
from bnviz.nn.layers import Parameter
from bnviz.nn.network import NetworkState, Stack
from bnviz.nn.stacked import BatchNormState
from bnviz.nn.stacked_normalizers import NormalizerState
from bnviz.records.frames import LAST_POPULATION_DIGITS, POPULATION_DIGITS, TEST_DIGITS, TRAINING_LOSS_STEPS
from bnviz.records.sweep import SweepResults, is_tested_at, steps_per_point
from bnviz.training import probes
from bnviz.training.batches import Batches, scaled
from bnviz.training.device import STACK_SIZE, moved

STEPS_BETWEEN_LOOKS = 10  # at the losses: networks that diverged leave then, and a pause or an end comes then


class SweepStack:
    """Networks `experiments`, each of one variant, that `bnviz.experiment.sweep.stacks` has put together."""

    def __init__(self, experiments: Sequence[Experiment], batches: Batches, saved: bytes | None = None) -> None:
        self._experiments, self._batches = experiments, batches
        self.training = experiments[0].training  # steps, batch size and the like are the same for all
        self._variants = [e.variants[0] for e in experiments]
        self._seeds = [e.training.seed for e in experiments]
        self.step = 0
        self._found = SweepResults.nothing(len(experiments))
        self._recent: deque[Tensor] = deque(maxlen=TRAINING_LOSS_STEPS)  # losses of the last steps, (networks,) each
        self._sum = np.zeros(len(experiments))  # of the losses since the last point of the curve
        states = dict(enumerate(NetworkState.fresh(e.variants[0], e.training.seed) for e in experiments if not saved))
        if saved:
            states = self._load(saved)
        self._build(states)

    @property
    def finished(self) -> bool:
        return self._stack is None or self.step >= self.training.steps

    @property
    def progress(self) -> float:
        return 1.0 if self.finished else self.step / self.training.steps

    @property
    def found(self) -> SweepResults:
        """What was found so far, a row a network."""
        found = self._found.copy()
        if self._recent:
            losses = torch.stack(list(self._recent)).double().numpy()
            found.train_loss[:] = np.where(found.diverged, found.train_loss, losses.mean(0))
        return found

    @property
    def nbytes(self) -> int:
        """The bytes of the weights, with room for what the optimizer keeps beside them."""
        if self._stack is None:
            return 0
        kept = 3 if self.training.optimizer == "adam" else 2
        return sum(kept * li.weight.value.numel() * li.weight.value.element_size() for li in self._stack.linears())

    def advance(self) -> None:
        """Train STEPS_BETWEEN_LOOKS steps, or fewer if a point of a curve or a look at the test digits comes first."""
        if self._stack is None or self.finished:
            return
        every, end = steps_per_point(self.training), self.step + 1
        while end % STEPS_BETWEEN_LOOKS and end % every and not is_tested_at(self.training, end):
            end += 1
        begin, stack = self.step, self._stack
        rates = self._steps(begin, end)
        losses = torch.stack(
            [self._train(stack, step, descent) for step, descent in zip(range(begin, end), rates, strict=True)]
        )
        self.step = end
        self._count(losses.cpu(), stack.members)
        if self._stack is not None:
            if end % every == 0:
                alive = ~self._found.diverged
                self._found.curves[alive, end // every - 1] = (self._sum / every)[alive]
                self._sum[:] = 0
            if is_tested_at(self.training, end):
                self._evaluate(self._stack)
            self._stack.forget()  # dozens of stacks wait for their turn

    def save(self) -> bytes:
        """Return all there is to go on with, in another process."""
        states = {}
        if self._stack is not None:
            states = {i: moved(self._stack.state(k), "cpu") for k, i in enumerate(self._stack.members)}
        found = {name: torch.from_numpy(values) for name, values in vars(self._found).items()}
        out = io.BytesIO()
        torch.save((self.step, found, list(self._recent), torch.from_numpy(self._sum), states), out)
        return out.getvalue()

    def _load(self, saved: bytes) -> dict[int, NetworkState]:
        """Take what was saved, perhaps in a database by now: nothing but tensors and these classes is made of it."""
        with torch.serialization.safe_globals([NetworkState, Parameter, BatchNormState, NormalizerState]):
            self.step, found, recent, total, states = torch.load(io.BytesIO(saved), weights_only=True)
        self._found = SweepResults(**{name: values.numpy() for name, values in found.items()})
        self._recent.extend(recent)
        self._sum = total.numpy()
        loaded: dict[int, NetworkState] = states
        return loaded

    def _build(self, states: dict[int, NetworkState]) -> None:
        """A stack of the networks that still train, with what differs between them as columns."""
        self._stack: Stack | None = None
        if not states:
            return
        device = self._batches.device
        padded = [moved(states[i], device) if i in states else None for i in range(len(self._experiments))]
        self._stack = Stack(sorted(states), self._variants, padded)  # type: ignore[arg-type]  # looks at members only
        trainings = [self._experiments[i].training for i in self._stack.members]
        self._schedules = list(dict.fromkeys((t.learning_rate, t.final_learning_rate) for t in trainings))
        self._rated = [self._schedules.index((t.learning_rate, t.final_learning_rate)) for t in trainings]
        self._raters = [
            next(t for t in trainings if (t.learning_rate, t.final_learning_rate) == s) for s in self._schedules
        ]
        momenta = [t.momentum for t in trainings]
        self._momentum = momenta[0] if len(set(momenta)) == 1 else torch.tensor(momenta, device=device).view(-1, 1, 1)
        self._own_seeds = [self._seeds[i] for i in self._stack.members]
        if len(set(self._own_seeds)) == 1:
            self._own_seeds = self._own_seeds[:1]

    def _steps(self, begin: int, end: int) -> Iterator[Descent]:
        by = partial(Descent.by, self.training, momentum=self._momentum)
        rates = [[t.rate(step) for t in self._raters] for step in range(begin, end)]
        if len(self._raters) == 1:
            return (by(rate) for (rate,) in rates)
        columns = torch.tensor(rates)[:, self._rated].to(self._batches.device)[..., None, None]
        return (by(column) for column in columns)

    def _train(self, stack: Stack, step: int, descent: Descent) -> Tensor:
        t, seeds = self.training, self._own_seeds
        if len(seeds) == 1:
            x, labels = self._batches.at(step, seed=seeds[0], size=t.batch_size, standardize=t.standardize)
        else:
            x, labels = self._batches.at_each(step, seeds=seeds, size=t.batch_size, standardize=t.standardize)
        loss = stack.losses(x, labels, "train")
        stack.update(descent)
        return loss

    def _count(self, losses: Tensor, members: list[int]) -> None:
        """Take in the losses of some steps, (steps, members); who has one that is not finite leaves the stack."""
        whole = torch.full((len(losses), len(self._experiments)), torch.nan)
        whole[:, members] = losses
        finite = losses.isfinite()
        lasted = finite.int().cumprod(0).sum(0).tolist()  # steps until the first that was not
        for i, steps in zip(members, lasted, strict=True):
            self._found.steps[i] += steps
            if steps < len(losses):
                before = [*(row[i] for row in self._recent), *whole[:steps, i]][-TRAINING_LOSS_STEPS:]
                self._found.train_loss[i] = torch.stack(before).double().mean() if before else torch.nan
                self._found.diverged[i] = True
                self._found.test_loss[i] = self._found.test_accuracy[i] = np.nan
        self._recent.extend(whole)
        self._sum += whole.double().sum(0).numpy()
        if not finite.all() and self._stack is not None:
            places = [k for k, i in enumerate(members) if not self._found.diverged[i]]
            self._build({members[k]: self._stack.state(k) for k in places})

    def _evaluate(self, stack: Stack) -> None:
        """Evaluate as the live lab does: the first test digits, at the end all of them."""
        t, last = self.training, self.step >= self.training.steps
        if any((bn := self._variants[i].batchnorm) and bn.inference == "population" for i in stack.members):
            digits = LAST_POPULATION_DIGITS if last else POPULATION_DIGITS
            stack.measure_population(self._batches.population(digits, size=t.batch_size, standardize=t.standardize))
        tests = self._batches.test_bytes(None if last else TEST_DIGITS)
        loss, accuracy = probes.evaluate(stack, *tests, prepared=partial(scaled, standardize=t.standardize))
        self._found.test_loss[stack.members] = loss
        self._found.test_accuracy[stack.members] = accuracy


def estimate(sweep: Sweep, batches: Batches, seconds: float = 0.1) -> float:
    """Return the seconds that a worker like this one needs for a sweep, by trying some of its stacks for a moment."""
    experiments = sweep.experiments()
    found = stacks(experiments, STACK_SIZE[batches.device])
    tried = sorted({round(k * (len(found) - 1) / 3) for k in range(4)})
    costs = []
    for k in tried:
        stack = SweepStack([experiments[i] for i in found[k]], batches)
        stack.advance()
        begin, before = time.perf_counter(), stack.step
        while not stack.finished and (stack.step == before or time.perf_counter() - begin < seconds):
            stack.advance()
        done = max(stack.step - before, 1)
        costs.append((time.perf_counter() - begin) / done * stack.training.steps / len(found[k]))
    each = np.interp(range(len(found)), tried, costs)
    return float(sum(cost * len(stack) for cost, stack in zip(each, found, strict=True)))

"""Trains all variants of an experiment in lockstep on the same batches, and says after each stretch what it saw."""

import math
import time
from collections.abc import Generator, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from bnviz.data import load
from bnviz.experiment.config import Experiment, Layer, TrainingConfig, Variant, Watch
from bnviz.experiment.edits import Edit, at_inference
from bnviz.nn.descent import Descent, begins_anew
from bnviz.nn.network import NetworkState, Stack
from bnviz.records.frames import (
    INFERENCE_DIGITS,
    LAST_POPULATION_DIGITS,
    MOVING_DIGITS,
    POPULATION_DIGITS,
    PROBE_DIGITS,
    TEST_DIGITS,
    Floats,
    Focus,
    Frame,
    Smoothness,
    VariantFrame,
)
from bnviz.training import path, probes, weight_space
from bnviz.training.batches import Batches, scaled
from bnviz.training.measurement_plan import MeasurementPlan, edit_needs_tests, is_kept, is_large, measurement_plan
from bnviz.training.smoothness import smoothness

EVERYTHING = Focus()
_UNSEEN = VariantFrame(0, np.empty(0), math.nan, math.nan, math.nan, (), np.empty(0), np.empty(0))


class Trainer:
    """Variants of one architecture train as one stack; different architectures are several stacks.

    A tick is one step of those variants that are least advanced: a variant that restarted catches up first, on the
    batches it missed, and then goes on in lockstep with the rest. Every tick is a pure function of the ticks and
    edits before it, so that the same experiment and the same edits at the same ticks give the same bits.
    """

    def __init__(
        self,
        training: TrainingConfig,
        variants: Sequence[Variant],
        batches: Batches,
        *,
        watch: Watch | None = None,
    ) -> None:
        self.training, self.variants, self.batches = training, tuple(variants), batches
        self._watch: Watch | None = watch
        self.paths = [path.Path() for _ in variants]  # of a run whose landscape is watched
        # Here and not in a weak dictionary by trainer: a generator holds its trainer, which then would never end.
        self.open_questions: dict[str, Generator[float, None, Any]] = {}  # of `bnviz.training.questions.gradual`
        self.tick, self.seconds = 0, 0.0
        self.steps = [0] * len(variants)
        self._diverged = [False] * len(variants)
        self._states = [NetworkState.fresh(v, training.seed) for v in variants]
        self._losses: list[list[float]] = [[] for _ in variants]  # since the last frame
        self._seen = [_UNSEEN for _ in variants]
        self._rehearsed: dict[Stack, list[float]] = {}  # losses of the next batch, whose gradients a stack holds
        self._stacks: list[Stack] = []  # the variants that moved last; their states in `_states` are out of date

    @property
    def finished(self) -> bool:
        return not self._moving()

    def advance(
        self,
        *,
        steps: int | None = None,
        seconds: float | None = None,
        evaluate: bool = True,
        focus: Focus = EVERYTHING,
    ) -> Frame:
        """Train for so many steps or seconds, whichever ends first, but not past the next kept frame.

        steps=0 looks without training. evaluate=False leaves the test results as they were, and layers out of focus
        get no histograms, except in frames that belong to the history.
        """
        start = time.perf_counter()
        left = math.inf if steps is None else steps
        until = math.inf if seconds is None else start + seconds
        while left > 0 and (moving := self._moving()):
            step = self._step(moving)
            left -= 1
            diverged = any(self._diverged[i] for i in moving)  # a frame must show it before the others go on
            if diverged or is_kept(self.training, self._watch, step) or time.perf_counter() >= until:
                break
        self.seconds += time.perf_counter() - start
        return self._frame(evaluate, focus)

    def edit(self, edit: Edit, *, focus: Focus = EVERYTHING) -> Frame:
        """Apply a live change; it takes effect at the next step."""
        self._unstack()
        old = self.steps, self._diverged, self._states, self._seen
        before = [at_inference(v) for v in self.variants]
        anew = begins_anew(self.training, edit.experiment.training)
        self.training, self.variants = edit.experiment.training, edit.experiment.variants
        self.steps, self._diverged, self._states, self._seen = [], [], [], []
        self.paths += [path.Path() for _ in range(len(self.variants) - len(self.paths))]
        for i, variant in enumerate(self.variants):
            restart = i in edit.restart or i >= len(old[0])
            fresh = restart or i in edit.redraw
            seed = self.training.seed
            state = NetworkState.fresh(variant, seed) if fresh else old[2][i].fit_normalizer(variant, seed)
            self.steps.append(0 if restart else old[0][i])
            self._diverged.append(False if fresh else old[1][i])
            self._states.append(state.forget_gradients() if anew else state)
            self._seen.append(_UNSEEN if restart else old[3][i])
            if fresh:
                self.paths[i] = path.Path()
        self._losses = [[] for _ in self.variants]
        fares_as_before = not (edit.restart or edit.redraw) and before == [at_inference(v) for v in self.variants]
        return self._frame(edit_needs_tests(self._watch, fares_as_before=fares_as_before), focus)

    def copy_of(self, variant: int) -> Stack:
        """Return a copy of one network as it is now, as a stack of its own."""
        state = self._states[variant]
        for stack in self._stacks:
            if variant in stack.members:
                state = stack.state(stack.members.index(variant))
        return Stack([0], [self.variants[variant]], [state])

    def copy(self) -> "Trainer":
        """Return a trainer that goes on from here by itself, to the bit as this one does."""
        twin = Trainer(self.training, self.variants, self.batches, watch=self._watch)
        twin.tick, twin.seconds = self.tick, self.seconds
        twin.steps, twin._diverged, twin._seen = list(self.steps), list(self._diverged), list(self._seen)
        twin._losses = [list(losses) for losses in self._losses]
        twin.paths = deepcopy(self.paths)
        twin._states = deepcopy(self._states)
        for stack in self._stacks:
            for place, i in enumerate(stack.members):
                twin._states[i] = stack.state(place)
        return twin

    def next_step(self, variant: int) -> tuple[Tensor, Tensor, Descent]:
        """Return images and labels of the batch that a network trains on next, and the step it takes."""
        step = self.steps[variant]
        return *self._batch(step), self._descent(step)

    # -- one tick ---------------------------------------------------------------------------------------------------

    def _moving(self) -> list[int]:
        """The variants of the next tick: of those that still train, the least advanced."""
        alive = [i for i, s in enumerate(self.steps) if s < self.training.steps and not self._diverged[i]]
        first = min((self.steps[i] for i in alive), default=0)
        return [i for i in alive if self.steps[i] == first]

    def _step(self, moving: list[int]) -> int:
        if moving != sorted(i for stack in self._stacks for i in stack.members):
            self._unstack()
            self._stacks = self._group(moving)
        step = self.steps[moving[0]]
        x, labels = self._batch(step)
        descent = self._descent(step)
        for stack in self._stacks:
            losses = self._rehearsed.pop(stack, None)
            if losses is None:
                losses = stack.losses(x, labels, "train").tolist()
            else:  # the last look has passed this very batch forward and backward, in probe mode
                for norm in stack.norms():
                    norm.track()
            stack.update(descent)
            for i, loss in zip(stack.members, losses, strict=True):
                self._losses[i].append(loss)
                self.steps[i] += 1
                self._diverged[i] = not math.isfinite(loss)
        self.tick += 1
        return step + 1

    def _batch(self, step: int) -> tuple[Tensor, Tensor]:
        t = self.training
        return self.batches.at(step, seed=t.seed, size=t.batch_size, standardize=t.standardize)

    def population(self, *, at_end: bool) -> Iterator[Tensor]:
        """Yield the training digits of the population in batches of the size that is trained on; at the end more."""
        count = LAST_POPULATION_DIGITS if at_end else POPULATION_DIGITS
        return self.batches.population(count, size=self.training.batch_size, standardize=self.training.standardize)

    def _descent(self, step: int) -> Descent:
        return Descent.by(self.training, self.training.rate(step))

    def _group(self, members: Sequence[int]) -> list[Stack]:
        """One stack for each architecture and step among the members."""
        groups: dict[tuple[int, tuple[Layer, ...], str], list[int]] = {}
        for i in members:
            net = self.variants[i].network
            groups.setdefault((self.steps[i], net.layers, net.activation), []).append(i)
        return [Stack(group, self.variants, self._states) for group in groups.values()]

    def _unstack(self) -> None:
        for stack in self._stacks:
            for place, i in enumerate(stack.members):
                self._states[i] = stack.state(place)
        self._stacks, self._rehearsed = [], {}

    # -- what a frame shows -----------------------------------------------------------------------------------------

    def _frame(self, evaluate: bool, focus: Focus) -> Frame:
        moved = {i for stack in self._stacks for i in stack.members}
        rest = [i for i, seen in enumerate(self._seen) if i not in moved and not (moved and seen.shows(focus))]
        for stack in [*self._stacks, *self._group(rest)]:
            self._look(stack, evaluate, focus)
        alive = [s for s, diverged in zip(self.steps, self._diverged, strict=True) if not diverged]
        frame = Frame(
            self.tick, min(alive) if alive else max(self.steps), self.seconds, self.finished, tuple(self._seen)
        )
        self._seen = [replace(v, losses=_UNSEEN.losses) for v in self._seen]  # each loss is told once
        return frame

    def _look(self, stack: Stack, evaluate: bool, focus: Focus) -> None:
        step = self.steps[stack.members[0]]
        standardize = self.training.standardize
        norms = [self.variants[i].batchnorm for i in stack.members]
        uses_population = any(bn and bn.inference == "population" for bn in norms)
        plan = measurement_plan(
            self.training,
            self._watch,
            step,
            evaluate=evaluate,
            diverged=any(self._diverged[i] for i in stack.members),
            uses_population=uses_population,
            large=is_large(self.variants[stack.members[0]].network),
        )
        seen = [self._seen[i] for i in stack.members]
        tested = np.array([v.test_loss for v in seen]), np.array([v.test_accuracy for v in seen])
        tested_at, on_all = [v.tested for v in seen], [v.tested_on_all for v in seen]
        inference = [v.inference for v in seen]
        if plan.population:
            stack.measure_population(self.population(at_end=plan.all_digits))
        if plan.test_results:
            digits = self.batches.test_bytes(None if plan.all_digits else TEST_DIGITS)
            prepared = partial(scaled, standardize=standardize)
            tested, tested_at = probes.evaluate(stack, *digits, prepared=prepared), [step] * len(stack)
            on_all = [plan.all_digits] * len(stack)
        if plan.inference:
            few = self.batches.test(INFERENCE_DIGITS, standardize)
            inference = probes.inference(stack, *few, self._batch(step)[0])
        activation = self.variants[stack.members[0]].network.activation
        layers = probes.layers(
            stack,
            self.batches.probe(MOVING_DIGITS if plan.few_digits else PROBE_DIGITS, standardize),
            activation,
            histograms=None if plan.all_histograms else focus.layers,
            summaries=plan.summaries,
        )
        gradients = probes.gradients(stack, *self._batch(step), self._descent(step))
        next_losses = gradients.loss.tolist()
        if stack in self._stacks and not any(norm.has_noise for norm in stack.norms()):
            self._rehearsed[stack] = next_losses
        smooth = self._ahead(stack, step, tested[0], plan) if plan.smoothness else None
        for place, i in enumerate(stack.members):
            self._seen[i] = VariantFrame(
                step=step,
                losses=np.array(self._losses[i]),
                next_loss=next_losses[place],
                test_loss=float(tested[0][place]),
                test_accuracy=float(tested[1][place]),
                layers=layers[place],
                gradient_norm=gradients.norm[place],
                update_ratio=gradients.update_ratio[place],
                diverged=self._diverged[i],
                inference=inference[place],
                smoothness=smooth[place] if smooth else None,
                tested_at=tested_at[place],
                tested_on_all=on_all[place],
            )
            self._losses[i] = []

    def _ahead(self, stack: Stack, step: int, test_losses: Floats, plan: MeasurementPlan) -> list[Smoothness]:
        """Measure how smooth the loss is from here; the weights become points of the networks' paths."""
        gaps = np.full(len(stack), math.nan)
        if plan.test_results:
            count = len(self.batches.test_labels) if plan.all_digits else TEST_DIGITS
            gaps = test_losses - probes.evaluate(stack, *self.batches.train_sample(count, self.training.standardize))[0]
        room = path.room(weight_space.megabytes(stack) / len(stack), len(self.variants))
        for place, i in enumerate(stack.members):
            self.paths[i].add(step, weight_space.flat(stack, place), room)
        return smoothness(stack, self.variants, *self._batch(step), self.training.rate(step), gaps.tolist())


def train(experiment: Experiment, batches: Batches | None = None) -> Iterator[Frame]:
    """Train an experiment to its end and yield its kept frames, the untrained networks first.

    >>> for frame in train(Experiment()):  # doctest: +SKIP
    ...     print(frame.step, [v.test_accuracy for v in frame.variants])
    """
    trainer = Trainer(experiment.training, experiment.variants, batches or Batches(load(experiment.training.data)))
    yield trainer.advance(steps=0)
    while not trainer.finished:
        yield trainer.advance()

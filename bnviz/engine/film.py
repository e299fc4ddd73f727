"""A film: what one recipe shows, recorded once for every run that trains the same.

It has one trainer, which any of its watchers moves on where no frame is left for it. Every frame is recorded, and each
watcher is shown all of them in their order, so that its history is what it would be alone. Of a long film the frames
between kept moments go after a while: who comes later sees fewer, and the same history.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from threading import Lock
from typing import Protocol

import numpy as np

from bnviz.engine.cluster import Engine
from bnviz.engine.counters import REPLAYS, STEPS
from bnviz.engine.replayed_trainer import ReplayedTrainer, freed_on_error
from bnviz.experiment.package import VERSION
from bnviz.records.frames import Floats, Focus, Frame, LayerFrame, VariantFrame
from bnviz.records.history import VariantHistory, View
from bnviz.records.kept_run import KeptRun
from bnviz.records.questions import A, Question
from bnviz.records.recipe import Recipe

MOST_FRAMES = 1200  # of one film: a minute of smooth motion
MOST_BYTES = 20_000_000  # of the frames of one film that no history keeps


class FilmLibrary(Protocol):
    """A library of films that nobody watches any more; asked by any thread."""

    def film(self, recipe: Recipe, until: int | None = None) -> KeptRun | None:
        """Return what a recipe shows from its last change on, to a tick or its end; None if it is not known."""

    def keep_film(self, recipe: Recipe, shown: Callable[[], KeptRun], until: int | None = None) -> None:
        """Keep what a recipe shows from its last change on, to a tick or its end; must not block."""


class Film:
    """The frames of a recipe from its last change on, and the trainer that makes more. Asked by any thread.

    Every method that trains raises WorkerLostError if the worker of the trainer is gone; then `recover` it.
    """

    def __init__(self, engine: Engine, recipe: Recipe, first: Frame, trainer: ReplayedTrainer | None) -> None:
        self.recipe = recipe
        self.may_be_kept = True  # unless a visitor has brought its first frame
        self.first = self.head = first  # the head: where the trainer is
        self.watchers: dict[object, Focus] = {}  # who they are, and what each looks at; kept by `Films`
        self.kept: set[int | None] = set()  # to which ticks other servers find it; None: to its end
        self._engine = engine
        self._trainer = trainer
        self._training = Lock()  # held while the trainer is called; a frame that is there is not waited for
        self._recording = Lock()
        self._frames, self._ticks = [first], [first.tick]
        self.bytes, self._spare_bytes = frame_bytes(first), 0  # of all frames, and of those that no history keeps

    @classmethod
    def recorded_before(
        cls, engine: Engine, recipe: Recipe, frames: Sequence[Frame], until: int | None = None
    ) -> "Film":
        """Return a film that is there from its beginning to its end, or to a tick."""
        film = cls(engine, recipe, frames[0], None)
        film.kept.add(until)
        for frame in frames[1:]:
            film._record(frame, trained=False)
        return film

    def shown(self, until: int | None = None) -> list[Frame]:
        """Return the frames up to a tick; None: all."""
        with self._recording:
            return self._frames[: None if until is None else bisect_right(self._ticks, until)]

    @property
    def lost(self) -> bool:
        """Whether the worker of its trainer is gone."""
        return (trainer := self._trainer) is not None and trainer.lost

    @property
    def worker(self) -> str | None:
        """The address of the worker that its trainer is on. Any thread may ask."""
        return trainer.worker if (trainer := self._trainer) is not None else None

    def recorded(self, after: Frame, steps: int | None) -> list[Frame]:
        """Return the recorded frames of the next so many steps after a frame; None: of all that follow."""
        with self._recording:
            begin = bisect_right(self._ticks, after.tick)
            end = len(self._ticks) if steps is None else bisect_right(self._ticks, after.tick + steps)
            found = self._frames[begin:end]
        return [_without_losses_until(after, found[0]), *found[1:]] if found else []

    def steps_to_next(self, seen: Frame) -> int:
        """Return how many steps after a frame the next recorded one is."""
        with self._recording:
            place = bisect_right(self._ticks, seen.tick)
            return self._ticks[place] - seen.tick if place < len(self._ticks) else 0

    def advance(
        self, seen: Frame, steps: int | None, interval: float | None, *, evaluate: bool, focus: Focus
    ) -> list[Frame]:
        """Return frames of the next so many steps after `seen`; none if the next one lies further ahead.

        Trains if none is recorded, as far as steps and interval say.
        """
        with self._training:
            if seen.tick < self.head.tick:  # another watcher has trained meanwhile
                return self.recorded(seen, steps)
            frame = self._ready().advance(steps, interval, evaluate=evaluate, focus=self._looked_at(focus))
            self._record(frame)
        return [frame]

    def look(self, seen: Frame, focus: Focus) -> list[Frame]:
        """Return a frame that shows what is in focus where `seen` is; none if others have trained on from there."""
        with self._training:
            if seen.tick != self.head.tick:
                return []
            frame = self._ready().advance(0, None, evaluate=True, focus=self._looked_at(focus))
            self._record(frame)
        return [frame]

    def inspect(self, seen: Frame, question: Question[A]) -> A:
        """Return the answer of the networks as they are. Raises LookupError if others have trained on from `seen`."""
        with self._training:
            if seen.tick != self.head.tick:
                raise LookupError
            return self._ready().inspect(question)

    def recover(self) -> None:
        """Bring another trainer to where the lost one was."""
        with self._training:
            if self._trainer is not None and self._trainer.lost:
                self._trainer.recover(self.head)
                REPLAYS.inc()

    def trainer_at(self, seen: Frame, *, take: bool) -> ReplayedTrainer:
        """Return a trainer that stands where `seen` is: the own one if it may be taken, a copy, or a replayed one."""
        with self._training:
            trainer = self._trainer
            if trainer is not None and not trainer.lost and seen.tick == self.head.tick:
                if not take:
                    return trainer.copy()
                self._trainer = None
                return trainer
        return self._replayed(seen, trainer)  # meanwhile the others go on

    def give_back(self, trainer: ReplayedTrainer) -> None:
        """Take back a trainer that was taken."""
        with self._training:
            if self._trainer is None:
                self._trainer = trainer
            else:
                trainer.stop()

    def stop(self) -> None:
        """Free the trainer; the frames stay, and another one is made if more are wanted."""
        with self._training:
            if self._trainer is not None:
                self._trainer.stop()
            self._trainer = None

    def _looked_at(self, focus: Focus) -> Focus:
        """What any of its watchers looks at."""
        layers = [wish.layers for wish in [focus, *list(self.watchers.values())]]
        return Focus(None if None in layers else tuple(sorted({layer for each in layers for layer in each or ()})))

    def _ready(self) -> ReplayedTrainer:
        if self._trainer is None:
            self._trainer = self._replayed(self.head)
        return self._trainer

    def _replayed(self, goal: Frame, like: ReplayedTrainer | None = None) -> ReplayedTrainer:
        """Return a new trainer that stands where `goal` is. like: one that was saved now and then on its way."""
        trainer = ReplayedTrainer(self._engine, self.recipe.watch)
        with freed_on_error(trainer):
            trainer.resume(self.recipe.experiment, self.recipe.changes, goal, like.saved if like is not None else None)
        return trainer

    def _record(self, frame: Frame, *, trained: bool = True) -> None:
        if trained:
            STEPS.inc(max(frame.tick - self.head.tick, 0))
        with self._recording:
            self.head = frame
            if frame.tick > self._ticks[-1]:
                size, is_kept = frame_bytes(frame), self._is_kept(frame, self._frames[-1])
                self.bytes += size
                self._spare_bytes += 0 if is_kept else size
                self._frames.append(frame)
                self._ticks.append(frame.tick)
            else:  # it shows more of the same moment
                self._frames[-1] = _with_losses_of(self._frames[-1], frame)
            if len(self._frames) > MOST_FRAMES or self._spare_bytes > MOST_BYTES:
                self._thin()

    def _thin(self) -> None:
        """Let go of every second frame of the older half that no history keeps; its losses go to the next one."""
        frames, half, spare = self._frames, len(self._frames) // 2, 0
        thinned = [frames[0]]
        for place, frame in enumerate(frames[1:], 1):
            is_kept = self._is_kept(frame, frames[place - 1])
            if place < half and place % 2 and not is_kept:
                frames[place + 1] = _with_losses_before(frame, frames[place + 1])
                self.bytes -= frame_bytes(frame)
            else:
                thinned.append(frames[place])
                spare += 0 if is_kept else frame_bytes(frame)
        self._frames, self._ticks, self._spare_bytes = thinned, [frame.tick for frame in thinned], spare

    def _is_kept(self, frame: Frame, before: Frame) -> bool:
        every = self.recipe.newest.training.kept_every(self.recipe.watch)
        moved = [v for v, old in zip(frame.variants, before.variants, strict=True) if v.step != old.step]
        return frame.finished or any(variant.step % every == 0 or variant.diverged for variant in moved)


def as_run(recipe: Recipe, frames: Sequence[Frame]) -> KeptRun:
    """Return frames of a film as a run: the first, the last, and those between that a history keeps.

    Its curves begin at the first frame, which may be that after a change.
    """
    newest, first, last = recipe.newest, frames[0], frames[-1]
    every = newest.training.kept_every(recipe.watch)
    found = []
    for i in range(len(newest.variants)):
        kept = [first]
        for frame in frames[1:]:
            variant = frame.variants[i]
            to_keep = variant.step % every == 0 or variant.diverged or frame is last
            if to_keep and variant.step > kept[-1].variants[i].step:
                kept.append(frame)
        shown = tuple(replace(frame.variants[i], losses=np.empty(0)) for frame in kept)
        losses = np.concatenate([np.empty(0), *(frame.variants[i].losses for frame in frames[1:])])
        at = np.linspace(first.seconds, last.seconds, len(losses) + 1)[1:]
        found.append(VariantHistory(1, losses, at, shown, tuple(frame.seconds for frame in kept)))
    return KeptRun(recipe, VERSION, View(newest, tuple(found), last, ()))


def frames_of(view: View) -> list[Frame]:
    """Return the frames of a film from the run that `as_run` made of it: whoever is shown them has its history.

    Empty if its curves are means of several steps, from which the losses of a frame do not follow.
    """
    if any(history.stride != 1 or not history.frames for history in view.variants) or view.latest is None:
        return []
    begins = [history.frames[0].step for history in view.variants]
    frames, seen = [], list(begins)
    seconds = {f.step: s for v in view.variants for f, s in zip(v.frames, v.frame_seconds, strict=True)}
    for step in sorted(step for step in seconds if step >= max(begins)):
        variants = []
        for i, history in enumerate(view.variants):
            found = next(frame for frame in reversed(history.frames) if frame.step <= step)
            variants.append(replace(found, losses=history.losses[seen[i] - begins[i] : found.step - begins[i]]))
            seen[i] = max(seen[i], found.step)
        steps = [v.step for v in variants if not v.diverged] or [step]
        ended = step == max(seconds) and view.latest.finished
        frames.append(Frame(step, min(steps), seconds[step], ended, tuple(variants)))
    return frames


def frame_bytes(frame: Frame) -> int:
    """Return about how much memory a frame takes."""
    return sum(variant.losses.nbytes + sum(map(_layer_bytes, variant.layers)) for variant in frame.variants)


def _layer_bytes(layer: LayerFrame) -> int:
    counts = sum(each.nbytes for each in layer.histograms.values())
    percentiles = 0 if layer.percentiles is None else layer.percentiles.nbytes
    summaries = sum(each.quantiles.nbytes for each in (layer.summaries or {}).values())
    return layer.mean.nbytes + layer.saturated.nbytes + counts + percentiles + summaries


def _with_losses_before(one: Frame, other: Frame) -> Frame:
    """The later frame with the losses of the one before it as well."""
    return _with_losses(other, [np.concatenate([v.losses, w.losses]) for v, w in _pairs(one, other)])


def _with_losses_of(one: Frame, other: Frame) -> Frame:
    """A frame of the same moment with the losses that were told of it."""
    return _with_losses(other, [v.losses for v, _ in _pairs(one, other)])


def _pairs(one: Frame, other: Frame) -> Iterable[tuple[VariantFrame, VariantFrame]]:
    return zip(one.variants, other.variants, strict=True)


def _with_losses(frame: Frame, losses: Sequence[Floats]) -> Frame:
    variants = zip(frame.variants, losses, strict=True)
    return replace(frame, variants=tuple(replace(variant, losses=own) for variant, own in variants))


def _without_losses_until(after: Frame, frame: Frame) -> Frame:
    """The frame less those losses that a watcher has seen already."""
    new = [max(w.step - v.step, 0) for v, w in _pairs(after, frame)]
    if all(len(variant.losses) <= count for variant, count in zip(frame.variants, new, strict=True)):
        return frame  # the same object for all who come from the frame before it
    unseen = (v.losses[len(v.losses) - count :] for v, count in zip(frame.variants, new, strict=True))
    return _with_losses(frame, list(unseen))

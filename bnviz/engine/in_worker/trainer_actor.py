"""The trainer on a worker, as a Dask actor. Importing this does not import torch; making an actor does."""

import math
import time
import uuid
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from bnviz.data import load
from bnviz.engine.rhythm import training_seconds
from bnviz.experiment.choices import DataName
from bnviz.experiment.config import Experiment, Watch
from bnviz.experiment.edits import Edit
from bnviz.records.frames import Focus, Frame
from bnviz.records.questions import A, Question

if TYPE_CHECKING:
    from bnviz.training.batches import Batches
    from bnviz.training.trainer import Trainer


TURN = 1.0  # seconds after its last turn for which a run counts as one that trains
MOST_COPIES = 8  # that wait for their actor at once
SAVED_BYTES = 8 * 2**20  # of weights and paths; a larger trainer is not saved, but replayed from its beginning

_copies: "dict[str, Trainer]" = {}  # by their tokens
_turns: "WeakKeyDictionary[TrainerActor, float]" = WeakKeyDictionary()  # when each live run last had its turn
_trained = -math.inf  # monotonic time at which a live run last trained in this process


def since_live() -> float:
    """Return the seconds since a live run trained in this process: a sweep gives way to it."""
    return time.monotonic() - _trained


@lru_cache(maxsize=4)
def batches(name: DataName, device: str = "cpu") -> "Batches":
    """Return the digits as tensors, shared by all runs of this process. Raises OSError, as `bnviz.data.load` does."""
    from bnviz.training.batches import Batches

    return Batches(load(name), device)


def _runs(one: "TrainerActor") -> int:
    """Count the live runs that take turns with this one, itself included."""
    now = time.monotonic()
    _turns[one] = now
    return sum(now - turn < TURN for turn in _turns.values())


class TrainerActor:
    """A Trainer that answers from another process; every answer but that of `inspect` is a Frame."""

    def __init__(self, begin: Experiment | str, watch: Watch | None = None) -> None:
        """`begin`: an experiment at step 0, or the token of a copy that another actor of this worker has left."""
        import torch

        from bnviz.training.trainer import Trainer

        torch.set_num_threads(1)  # the setting belongs to the calling thread, and actors have one of their own
        if isinstance(begin, str):
            self._trainer = _copies.pop(begin)
        else:
            self._trainer = Trainer(begin.training, begin.variants, batches(begin.training.data), watch=watch)
        self._cost = 0.0  # seconds that a frame takes beside training

    def advance(self, steps: int | None, interval: float | None, evaluate: bool, focus: Focus) -> Frame:
        """Train so many steps, or as many as fit between two frames that are `interval` seconds apart."""
        global _trained
        seconds = None if interval is None else training_seconds(interval, self._cost, _runs(self))
        begin, before = time.perf_counter(), self._trainer.seconds
        try:
            frame = self._trainer.advance(steps=steps, seconds=seconds, evaluate=evaluate, focus=focus)
        finally:
            _trained = time.monotonic()
        if not evaluate:
            cost = time.perf_counter() - begin - (self._trainer.seconds - before)
            self._cost += 0.3 * (min(cost, 2 * self._cost + 0.01) - self._cost)  # one slow moment counts little
        return frame

    def edit(self, edit: Edit, focus: Focus) -> Frame:
        self._trainer.batches = batches(edit.experiment.training.data)
        return self._trainer.edit(edit, focus=focus)

    def leave_copy(self) -> str:
        """Leave a copy of the trainer on this worker for another actor. Returns the token by which that finds it."""
        token = uuid.uuid4().hex
        _copies[token] = self._trainer.copy()
        while len(_copies) > MOST_COPIES:
            _copies.pop(next(iter(_copies)))  # whoever asked for the oldest has gone
        return token

    def save(self) -> bytes | None:
        """Return all that another actor needs to go on from here; None if that is too much to be sent around."""
        from bnviz.training import saving

        return saving.save(self._trainer, SAVED_BYTES)

    def restore(self, saved: bytes) -> Frame:
        """Go on where another actor was when it was saved."""
        from bnviz.training import saving

        self._trainer = saving.restored(saved, batches)
        return self._trainer.advance(steps=0, evaluate=False, focus=Focus(()))

    def inspect(self, question: Question[A]) -> A:
        """Return what `bnviz.training.questions.registry` says of the trainer, which stays as it was."""
        from bnviz.training.questions.registry import answer

        return answer(self._trainer, question)

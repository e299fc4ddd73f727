"""The trainer of one run, on whichever worker has it: if that worker is lost, replayed on another one to the bit."""

import logging
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from bnviz.engine.cluster import Engine, EngineUnavailableError
from bnviz.engine.in_worker.trainer_actor import TrainerActor
from bnviz.engine.remote import RemoteActor, WorkerLostError
from bnviz.experiment.config import Experiment, Watch
from bnviz.experiment.edits import Edit
from bnviz.records.frames import Focus, Frame
from bnviz.records.questions import A, Question
from bnviz.records.recipe import Changes

logger = logging.getLogger(__name__)

REPLAY_INTERVAL = 0.3  # seconds of training in one call while a run is replayed
NOTHING = Focus(())
SAVE_EVERY = 0.5  # seconds of training, which a replay takes at most where the trainer was saved


@dataclass(frozen=True)
class Saved:
    """A trainer as it was at a tick, after `trained` seconds of training, infinite if it grew too large, and so many
    changes."""

    state: bytes = b""
    tick: int = 0
    trained: float = 0.0
    changes: int = 0


@contextmanager
def freed_on_error(trainer: "ReplayedTrainer") -> Iterator[None]:
    """Free a trainer if what is done with it fails; until Python collects it, its worker would count it."""
    with ExitStack() as undo:
        undo.callback(trainer.stop)
        yield
        undo.pop_all()


class ReplayedTrainer:
    """A trainer, called from one thread. A call raises WorkerLostError if its worker is gone; then `recover` it."""

    def __init__(self, engine: Engine, watch: Watch | None) -> None:
        self._engine, self._watch = engine, watch
        self._actor = RemoteActor(engine)
        self._before = 0.0  # seconds of training that a replayed trainer does not count
        self._base: Experiment | None = None  # what the trainer began with ...
        self._log: Changes = ()  # ... and what was changed: all it takes to replay it
        self.saved = Saved()  # what saves most of a replay; any thread may ask

    @property
    def lost(self) -> bool:
        """Whether there is no trainer to ask."""
        return self._actor.lost

    def start(self, experiment: Experiment, focus: Focus) -> Frame:
        """Begin with `experiment` at step 0, and forget what there was."""
        frame = self._start(experiment, focus)
        self._base, self._log, self.saved = experiment, (), Saved()
        return frame

    def advance(self, steps: int | None, interval: float | None, *, evaluate: bool, focus: Focus) -> Frame:
        """Train so many steps, or as many as fit between two frames that are `interval` seconds apart."""
        if not math.isinf(self.saved.trained):  # else it is too large to be saved, and so to be moved
            with self._engine.moving_from(self.worker) as to_a_freer_worker:
                if to_a_freer_worker:
                    self._move()
        frame: Frame = self._actor.call("advance", steps, interval, evaluate, focus)
        self._save_now_and_then(frame)
        return self._timed(frame)

    def edit(self, tick: int, edit: Edit, focus: Focus) -> Frame:
        """Apply a live change at the tick at which the trainer is."""
        frame = self._timed(self._actor.call("edit", edit, focus))
        self._log = (*self._log, (tick, edit))
        return frame

    def resume(self, experiment: Experiment, changes: Changes, goal: Frame, saved: Saved | None = None) -> None:
        """Go to where a trainer of the same experiment and changes was at `goal`. saved: what that was at some tick."""
        self._base, self._log, self.saved = experiment, changes, Saved()
        if saved is not None and saved.tick <= goal.tick:
            self.saved = saved
        self.recover(goal)

    def copy(self) -> "ReplayedTrainer":
        """Return a trainer that goes on from here by itself, to the bit as this one would."""
        assert self._base is not None
        twin = ReplayedTrainer(self._engine, self._watch)
        twin._base, twin._log, twin._before, twin.saved = self._base, self._log, self._before, self.saved
        worker = self.worker
        assert worker is not None
        token = self._actor.call("leave_copy")
        twin._actor.start(lambda: self._engine.place(worker, TrainerActor, token, self._watch))
        return twin

    def inspect(self, question: Question[A]) -> A:
        """Return the answer of the networks as they are."""
        answer: A = self._actor.call("inspect", question)
        return answer

    def recover(self, goal: Frame) -> Frame:
        """Bring a new trainer to where the lost one was at `goal`. Returns its frame there."""
        assert self._base is not None
        frame, log = self._start(self._base, NOTHING), self._log
        if self.saved.state:
            frame, log = self._actor.call("restore", self.saved.state), log[self.saved.changes :]
        for tick, edit in log:
            frame = self._repeat(frame, tick)
            frame = self._actor.call("edit", edit, NOTHING)
        frame = self._repeat(frame, goal.tick)
        self._before = goal.seconds - frame.seconds
        return frame

    def stop(self) -> None:
        """Free the trainer."""
        self._actor.stop()

    @property
    def worker(self) -> str | None:
        """The address of the worker that it is on. Any thread may ask."""
        return self._actor.worker

    def _save_now_and_then(self, frame: Frame) -> None:
        if frame.seconds - self.saved.trained >= SAVE_EVERY:
            state: bytes | None = self._actor.call("save")
            self.saved = (
                Saved(state, frame.tick, frame.seconds, len(self._log))
                if state
                else replace(self.saved, trained=math.inf)
            )

    def _move(self) -> None:
        """Move to another worker if that is freer."""
        base, state, twin = self._base, self._actor.call("save"), RemoteActor(self._engine)
        if base is None or state is None:
            self.saved = replace(self.saved, trained=math.inf)
            return
        try:
            twin.start(lambda: self._engine.start(base, self._watch))
            twin.call("restore", state)
        except (WorkerLostError, EngineUnavailableError) as error:
            logger.warning("a trainer stays where it is: %s", error)
            twin.stop()
        else:
            self._actor.stop()
            self._actor = twin

    def _start(self, experiment: Experiment, focus: Focus) -> Frame:
        self._before = 0.0
        with freed_on_error(self):
            self._actor.start(lambda: self._engine.start(experiment, self._watch))
            frame: Frame = self._actor.call("advance", 0, None, True, focus)
        return frame

    def _repeat(self, frame: Frame, tick: int) -> Frame:
        while frame.tick < tick:
            frame = self._actor.call("advance", tick - frame.tick, REPLAY_INTERVAL, False, NOTHING)
        return frame

    def _timed(self, frame: Frame) -> Frame:
        return replace(frame, seconds=frame.seconds + self._before)

"""The trainer of one run, on whichever worker has it: if that worker is lost, replayed on another one to the bit."""

from dataclasses import replace

from bnviz.data import DataName
from bnviz.engine.cluster import Engine
from bnviz.engine.in_worker.trainer_actor import TrainerActor
from bnviz.engine.remote import RemoteActor
from bnviz.experiment.config import Experiment, Watch
from bnviz.experiment.edits import Edit
from bnviz.records.frames import Focus, Frame
from bnviz.records.questions import A, Question
from bnviz.records.recipe import Changes

REPLAY_INTERVAL = 0.3  # seconds of training in one call while a run is replayed
NOTHING = Focus(())


class ReplayedTrainer:
    """A trainer, called from one thread. A call raises WorkerLostError if its worker is gone; then `recover` it."""

    def __init__(self, engine: Engine, data: DataName, watch: Watch | None) -> None:
        self._engine, self._data, self._watch = engine, data, watch
        self._actor = RemoteActor(engine)
        self._before = 0.0  # seconds of training that a replayed trainer does not count
        self._base: Experiment | None = None  # what the trainer began with ...
        self._log: Changes = ()  # ... and what was changed: all it takes to replay it

    @property
    def lost(self) -> bool:
        """Whether there is no trainer to ask."""
        return self._actor.lost

    def start(self, experiment: Experiment, focus: Focus) -> Frame:
        """Begin with `experiment` at step 0, and forget what there was."""
        frame = self._start(experiment, focus)
        self._base, self._log = experiment, ()
        return frame

    def advance(self, steps: int | None, interval: float | None, *, evaluate: bool, focus: Focus) -> Frame:
        """Train so many steps, or as many as fit between two frames that are `interval` seconds apart."""
        return self._timed(self._actor.call("advance", steps, interval, evaluate, focus))

    def edit(self, tick: int, edit: Edit, focus: Focus) -> Frame:
        """Apply a live change at the tick at which the trainer is."""
        frame = self._timed(self._actor.call("edit", edit, focus))
        self._log = (*self._log, (tick, edit))
        return frame

    def resume(self, experiment: Experiment, changes: Changes, goal: Frame) -> None:
        """Go to where a trainer of the same experiment and changes was at `goal`."""
        self._base, self._log = experiment, changes
        self.recover(goal)

    def copy(self) -> "ReplayedTrainer":
        """Return a trainer that goes on from here by itself, to the bit as this one would."""
        assert self._base is not None
        twin = ReplayedTrainer(self._engine, self._data, self._watch)
        twin._base, twin._log, twin._before = self._base, self._log, self._before
        token = self._actor.call("leave_copy")
        twin._actor.start(lambda: self._engine.place(self._actor.worker, TrainerActor, token, self._data, self._watch))
        return twin

    def inspect(self, question: Question[A]) -> A:
        """Return the answer of the networks as they are."""
        answer: A = self._actor.call("inspect", question)
        return answer

    def recover(self, goal: Frame) -> Frame:
        """Bring a new trainer to where the lost one was at `goal`. Returns its frame there."""
        assert self._base is not None
        frame = self._start(self._base, NOTHING)
        for tick, edit in self._log:
            frame = self._repeat(frame, tick)
            frame = self._actor.call("edit", edit, NOTHING)
        frame = self._repeat(frame, goal.tick)
        self._before = goal.seconds - frame.seconds
        return frame

    def stop(self) -> None:
        """Free the trainer."""
        self._actor.stop()

    def _start(self, experiment: Experiment, focus: Focus) -> Frame:
        self._before = 0.0
        self._actor.start(lambda: self._engine.start(experiment, self._data, self._watch))
        frame: Frame = self._actor.call("advance", 0, None, True, focus)
        return frame

    def _repeat(self, frame: Frame, tick: int) -> Frame:
        while frame.tick < tick:
            frame = self._actor.call("advance", tick - frame.tick, REPLAY_INTERVAL, False, NOTHING)
        return frame

    def _timed(self, frame: Frame) -> Frame:
        return replace(frame, seconds=frame.seconds + self._before)

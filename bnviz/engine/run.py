"""A Run: one experiment being trained, pulled forward by one light thread in the web process.

Pulling gives pause, single steps, pacing and back-pressure for nothing. The thread alone talks to the actor; every
method of Run only leaves a message for it and returns at once.
"""

import logging
import math
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Any
from weakref import WeakSet

from bnviz.data import DataUnavailableError
from bnviz.engine.bell import Bell
from bnviz.engine.cluster import Engine, EngineUnavailableError
from bnviz.engine.films import Films
from bnviz.engine.pace import Pace, Rate
from bnviz.engine.pulse import NOTICE
from bnviz.engine.remote import WorkerLostError
from bnviz.engine.replayed_trainer import REPLAY_INTERVAL
from bnviz.engine.rhythm import Rhythm
from bnviz.experiment.config import Experiment, Watch
from bnviz.experiment.edits import Edit, plan
from bnviz.experiment.package import VERSION
from bnviz.experiment.scenario import Change, Scenario
from bnviz.records.frames import Focus, Frame
from bnviz.records.ghosts import MOST_PINS, Ghost, Pin, ghosts_of
from bnviz.records.history import History, View, new_id
from bnviz.records.kept_run import KeptRun
from bnviz.records.live import State, Status
from bnviz.records.notes import RunNote
from bnviz.records.questions import A, Question
from bnviz.records.recipe import Recipe

logger = logging.getLogger(__name__)

THREAD = "bnviz-run-"  # and a random id, by which the log tells runs apart
RETRIES = 5  # workers lost in a row, without a step in between, before a run gives up
RETRY_PAUSE = 1.0  # seconds until a lost worker is likely to be back
SILENT = "A training worker has not answered for two seconds. If it stays silent, the run goes on on another one."
SPEEDS: dict[str, float] = {"1": 1, "10": 10, "50": 50, "200": 200, "max": math.inf}  # steps a second


class Run:
    """One experiment being trained on a worker; any thread may give it orders, which come back at once, and view it."""

    def __init__(
        self,
        engine: Engine,
        experiment: Experiment,
        *,
        watch: Watch | None = None,
        changes: Sequence[Change] = (),
        films: Films | None = None,
        kept: KeptRun | None = None,
        note: RunNote | None = None,
    ) -> None:
        """`changes`: made by the run itself, with the weights kept, each before its step is trained.

        films: shared with the runs that may train the same; None: with no other run. kept: a run to go
        on with, whose experiment `experiment` is. note: where a run of an earlier server was, to be trained again up
        to there; it began with the experiment of `note`, and its last one is `experiment`.
        """
        self.watch: Watch | None = watch
        self.scenario = Scenario(experiment, tuple(changes))  # what is trained, as long as nobody edits it
        self.opened = kept  # what it goes on with, or nothing
        self.experiment = experiment  # as last asked for; the thread may be about to apply it
        self.history = History(experiment, watch=watch)
        self.ghosts: tuple[Ghost, ...] = ()  # what the last change replaced
        self.pins: tuple[Pin, ...] = ()
        self.speed = math.inf  # steps a second, as last asked for
        self.focus = Focus()  # what frames show in detail, as last asked for
        self.at_end: Callable[[], object] = lambda: None  # called when it has reached its end; must not block
        self.moved = Bell()  # rung after whatever changes its view or status, and by what else belongs to the run
        self._messages: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._state: State = "starting"
        self._playing = self._held = False
        self._notice, self._noticed = "", 0.0
        self._engine = engine
        self._trainer = (films or Films(engine)).trainer(watch, [change.step for change in changes])
        self._applied = experiment  # what the trainer runs now
        self._made = 0  # of the planned changes
        self._repeated = note  # what it is trained up to, until it is there
        self._frame: Frame | None = None
        self._rhythm = Rhythm()
        self._pace = Pace()
        self._rate = Rate()
        self._closing = Event()
        self._counting = Lock()
        self._told = self._heard = 0  # messages
        self._questions: WeakSet[Future[Any]] = WeakSet()
        if kept is not None:
            self._tell(lambda: self._resume(kept))
        elif note is not None:
            self._tell(lambda: self._repeat(note))
        else:
            self._tell(lambda: self._load(experiment))
        Thread(target=self._drive, name=f"{THREAD}{uuid.uuid4().hex[:8]}", daemon=True).start()

    # -- messages, from any thread ----------------------------------------------------------------------------------

    def play(self) -> None:
        self._tell(lambda: self._set_playing(True))

    def pause(self) -> None:
        self._tell(lambda: self._set_playing(False))

    def hold(self, held: bool) -> None:
        """Train no further while nobody looks; what is playing goes on where it was once it is let go."""
        self._tell(lambda: self._set_held(held))

    def step(self) -> None:
        """Train on one batch."""
        self._tell(self._single_step)

    def reset(self) -> None:
        """Go back to the same initial weights; planned changes are made once more."""
        if self.scenario.changes:
            self.experiment = self.scenario.experiment
        experiment = self.experiment
        self._tell(lambda: self._load(experiment))

    def set_speed(self, steps_per_second: float) -> None:
        self.speed = steps_per_second
        self._tell(lambda: self._set_speed(steps_per_second))

    def pin(self, view: View) -> Pin | None:
        """Pin the networks of a view for comparison; the oldest of MOST_PINS pins gives way. Returns the pin."""
        number = 1 + max((pin.number for pin in self.pins), default=0)
        # What goes on is kept once more, at its end.
        kept_as = self.history.kept_as if self._state == "finished" else new_id()
        if pin := Pin.of(view, number, kept_as):
            self.pins = (*self.pins, pin)[-MOST_PINS:]
        return pin

    def unpin(self, number: int) -> None:
        """Let go of one pin."""
        self.pins = tuple(pin for pin in self.pins if pin.number != number)

    def kept(self) -> KeptRun | None:
        """Return what it takes to keep the run as it is now; None while it begins or is being changed."""
        recipe, view = self._trainer.recipe, self.view()
        if recipe is None or view.latest is None or recipe.newest != view.experiment:
            return None
        return KeptRun(recipe, VERSION, view)

    def film_at(self, frame: Frame) -> Recipe | None:
        """Return what the run was made from, the same object for all that watch one film, if a frame is its newest.

        None for a run that was opened, whose history may lack what films have.
        """
        place = self._trainer.place
        return place[0] if place is not None and place[1] == frame.tick and self.opened is None else None

    def note(self) -> RunNote | None:
        """Return what it takes to bring a run to where this one is; None while it begins."""
        if self._repeated is not None or (place := self._trainer.place) is None:
            return self._repeated  # which it still has to become
        pins = tuple((pin.number, pin.kept_as) for pin in self.pins)
        return RunNote(*place, self._playing, self.speed, self.history.kept_as, pins)

    def refresh_every(self, seconds: float) -> None:
        """Say how far apart frames may be for whoever looks; forgotten after a second."""
        self._rhythm.wish(seconds)

    def focus_on(self, focus: Focus) -> None:
        """Have the next frame show other layers in detail; if none is due, one comes at once."""
        if self.focus != focus:
            self.focus = focus
            self._tell(self._refocus)

    def edit(self, experiment: Experiment, keep_weights: bool = False) -> None:
        """Go on with changed settings; while training, they take effect at the next step. Ends all planned changes."""
        self.experiment = experiment
        self.scenario = Scenario(experiment)
        self._tell(lambda: self._edit(experiment, keep_weights))

    def inspect(self, question: Question[A]) -> "Future[A]":
        """Ask about the networks as they are; nothing about the run changes.

        The answer is an error if the question was wrong, or if the run has failed or ended.
        """
        answer: Future[A] = Future()
        self._questions.add(answer)
        self._tell(lambda: self._inspect(answer, question))
        if self._state == "closed":
            answer.cancel()
        return answer

    def say(self, notice: str) -> None:
        """Show a sentence to whoever looks, at once: what it is said of may take a while."""
        self._notice, self._noticed = notice, time.monotonic()
        self.moved.ring()

    def close(self) -> None:
        self._closing.set()
        self._tell(lambda: None)  # wakes the thread

    def _tell(self, message: Callable[[], None]) -> None:
        with self._counting:
            self._told += 1
        self._messages.put(message)

    def view(self) -> View:
        return self.history.view()

    @property
    def status(self) -> Status:
        frame = self._frame
        behind = bool(frame) and any(v.step > frame.step and not v.diverged for v in frame.variants) if frame else False
        return Status(
            self._state,
            frame.step if frame else 0,
            self._rate.value,
            behind,
            self._heard < self._told and self._state != "closed",
            self._notice,
            self._noticed,
            self.speed,
        )

    # -- the thread -------------------------------------------------------------------------------------------------

    def _drive(self) -> None:
        logger.info("begins")
        with self._engine.faltered.heard_by(self._tell_of_silence):
            while not self._closing.is_set():
                try:
                    message = self._messages.get(timeout=self._patience())
                except Empty:
                    self._carry_out(self._advance)  # one stretch of training
                else:
                    self._carry_out(message)
                    self._heard += 1
                self.moved.ring()
        logger.info("is closed at step %d", self.status.step)
        self._playing = False
        self._state = "closed"
        self._drop_questions()
        self._trainer.stop()
        self.moved.ring()

    def _tell_of_silence(self) -> None:
        """Say that the worker of this run is silent, and no more once it is heard again; from the engine's thread."""
        waits = self._heard < self._told or (self._playing and not self._held)
        if waits and self._engine.silence(self._trainer.worker) >= NOTICE:
            self.say(SILENT)
        elif self._notice == SILENT:
            self.say("")

    def _carry_out(self, action: Callable[[], None]) -> None:
        try:
            self._insist(action)
        except (WorkerLostError, EngineUnavailableError, DataUnavailableError) as error:
            self._fail(f"Training stopped: {error}")
        except Exception as error:  # whatever the trainer raises, the user must hear of it
            if not self._closing.is_set():
                logger.exception("run failed")
                self._fail(f"Training stopped: {type(error).__name__}: {error}")

    def _patience(self) -> float | None:
        """Return the seconds to wait for a message; None: as long as it takes."""
        if not self._playing or self._held:
            return None
        self._rhythm.shares = self._engine.is_shared(self._trainer.worker)
        if self._lagging() or self._pace.due() is None:
            return self._rhythm.until_next() if self._rhythm.stands_back else 0.0
        return max(self._pace.until_due(), self._rhythm.until_next())

    def _insist(self, action: Callable[[], None]) -> None:
        """Carry out `action`, once more on another worker if its own is lost under it."""
        losses = 0
        while not self._closing.is_set():
            try:
                action()
                return
            except WorkerLostError as error:
                if self._closing.is_set():
                    return
                losses += 1
                logger.warning("run lost its worker (%d): %s", losses, error)
                if losses > RETRIES:
                    raise WorkerLostError(f"the worker was lost {losses} times in a row. Reset starts over.") from error
                self.say("A training worker stopped. The run is replayed on another one …")
                self._closing.wait(RETRY_PAUSE * (losses - 1))

    def _ask(self, steps: int) -> None:
        for frame in self._trainer.advance(steps, None, evaluate=True, focus=self.focus):
            self._take(frame)

    def _load(self, experiment: Experiment, repeated: RunNote | None = None) -> None:
        """Start over with `experiment` from step 0; goes on playing if it was. repeated: what it shall become again."""
        self._repeated = repeated
        frame = self._trainer.start(experiment, self.focus)
        history = History(experiment, watch=self.watch, kept_as=repeated.kept_as if repeated else "")
        history.add(frame)
        self._applied, self._made = experiment, 0
        self.history, self._frame, self.ghosts = history, frame, ()
        self._pace.rebase()
        self._rate.clear()
        self._settle()

    def _resume(self, kept: KeptRun) -> None:
        """Show a kept run as it was; it is trained again up to there only if more is wanted of it."""
        assert kept.view.latest is not None
        self.history = History.of(kept.view, watch=self.watch)
        self._frame = self._trainer.resume(kept.recipe, kept.view.latest)
        self._applied = kept.recipe.newest
        self._settle()

    def _repeat(self, note: RunNote) -> None:
        """Train a run of an earlier server again to where it was; planned changes it makes by itself."""
        self.say("The server no longer has this run. It is trained again to where it was …")
        self._load(note.recipe.experiment, note)
        for tick, edit in () if self.scenario.changes else note.recipe.changes:
            self._train_until(tick)
            self._change(edit)
        self._train_until(note.tick)
        self._repeated = None
        self._set_playing(note.playing)
        self.say(f"The run was trained again to step {self.status.step:,}, where it was.")

    def _train_until(self, tick: int) -> None:
        interval: float | None = REPLAY_INTERVAL
        while not self._closing.is_set() and self._frame is not None and self._frame.tick < tick:
            if self._frame.finished:  # a version that trains otherwise has noted where it was
                return
            self._make_planned_change()
            before = self._frame.tick
            self._train(tick - before, interval, evaluate=False)
            # Where the next frame of a film lies beyond: exactly so many steps, in a trainer of its own.
            interval = REPLAY_INTERVAL if self._frame.tick > before else None
            self.moved.ring()

    def _train(self, steps: int | None, interval: float | None, *, evaluate: bool) -> None:
        """Train so many steps, but not beyond the next planned change."""
        assert self._frame is not None
        if (change := self._next_change()) is not None:
            until = change.step - self._frame.step
            steps = until if steps is None else min(steps, until)
        for frame in self._trainer.advance(steps, interval, evaluate=evaluate, focus=self.focus):
            self._take(frame)

    def _advance(self) -> None:
        self._recover()
        self._make_planned_change()
        assert self._frame is not None
        steps = None if self._lagging() else self._pace.due()
        if steps == 0:
            return
        evaluate = self._rhythm.begin()
        before = self._frame
        self._train(steps, self._rhythm.interval, evaluate=evaluate)
        self._rhythm.end(self._frame.seconds - before.seconds, evaluated=evaluate)
        done = self._frame.tick - before.tick
        self._rate.add(done)
        if steps is not None:
            self._pace.count(done)

    def _single_step(self) -> None:
        if self._frame is None or self._frame.finished or self._state == "failed":
            return
        self._recover()
        self._make_planned_change()
        self._ask(1)

    def _inspect(self, answer: "Future[A]", question: Question[A]) -> None:
        if answer.cancelled():  # the run failed while the question waited
            return
        if self._frame is None or self._state == "failed":
            answer.set_exception(WorkerLostError("there is no trainer to ask"))
            return
        self._recover()
        try:
            answer.set_result(self._trainer.inspect(question))
        except (WorkerLostError, EngineUnavailableError):
            raise  # matters of the run: it is replayed, and the question is asked once more
        except ValueError as error:
            answer.set_exception(error)
        except Exception as error:  # a question changes nothing: whatever is wrong with it is no reason to stop the run
            logger.exception("no answer to %s", question)
            answer.set_exception(ValueError(f"the worker could not answer it: {type(error).__name__}: {error}"))

    def _drop_questions(self) -> None:
        for question in list(self._questions):
            question.cancel()  # without effect on those that have been answered

    def _take(self, frame: Frame) -> None:
        self.history.add(frame)
        self._frame = frame
        if frame.finished:
            self._set_playing(False)
            logger.info("ends at step %d", frame.step)
            self.at_end()

    def _edit(self, experiment: Experiment, keep_weights: bool) -> None:
        if (edit := plan(self._applied, experiment, keep_weights)) is not None:
            self._change(edit)
        elif self._state == "failed":  # back from one that could not begin
            self._load(experiment)

    def _change(self, edit: Edit) -> None:
        before = ghosts_of(self.history.view(), "{} before", edit.restart)
        if edit.restarts_all or self._frame is None:
            self._load(edit.experiment)
            self.ghosts = before
            return
        self._recover()
        self._playing |= self._state == "finished"  # a changed network goes on by itself, or catches up
        frame = self._trainer.edit(self._frame.tick, edit, self.focus)
        self._applied = edit.experiment
        self.history.edit(edit, frame)
        self.ghosts = before
        self._frame = frame
        self._pace.rebase()
        self._settle()

    def _next_change(self) -> Change | None:
        return next(iter(self.scenario.changes[self._made :]), None)

    def _make_planned_change(self) -> None:
        change = self._next_change()
        if change is None or self._frame is None or self._frame.step < change.step:
            return
        self._edit(change.experiment, keep_weights=True)
        self.experiment = change.experiment
        self._made += 1  # only now: if the worker is lost on the way, it is made again

    def _refocus(self) -> None:
        trains = self._playing and not self._held
        if self._frame is None or self._state == "failed" or trains or self._frame.shows(self.focus):
            return
        self._recover()
        self._ask(0)

    def _recover(self) -> None:
        """Bring a new trainer to where a lost one was; the history already holds what it repeats."""
        if not self._trainer.lost or self._frame is None:
            return
        frame = self._trainer.recover(self._frame)
        logger.info("is replayed to step %d", frame.step)
        self._pace.rebase()
        self._rate.clear()
        why = "" if self._state == "failed" else "A training worker stopped. "
        self.say(f"{why}The run was replayed to step {frame.step:,} and goes on.")

    def _lagging(self) -> bool:
        """Return whether a variant that restarted still catches up, which it does at full speed."""
        assert self._frame is not None
        return any(v.step > self._frame.step and not v.diverged for v in self._frame.variants)

    def _set_held(self, held: bool) -> None:
        self._held = held
        self._pace.rebase()
        self._rate.clear()

    def _set_playing(self, playing: bool) -> None:
        if self._state == "failed":
            return
        self._playing = playing
        self._pace.rebase()
        self._rate.clear()
        self._settle()
        frame = self._frame
        if not playing and frame and not frame.finished and any(v.tested < v.step for v in frame.variants):
            self._recover()
            self._ask(0)  # what stays on the screen is of this very step

    def _settle(self) -> None:
        finished = self._frame is not None and self._frame.finished
        self._playing = self._playing and not finished
        self._state = "finished" if finished else "playing" if self._playing else "paused"

    def _set_speed(self, steps_per_second: float) -> None:
        self._pace.set(steps_per_second)
        self._trainer.speed = steps_per_second

    def _fail(self, reason: str) -> None:
        self._playing = False
        self._state = "failed"
        self._drop_questions()
        self.say(reason)
        self._trainer.stop()

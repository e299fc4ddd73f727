"""A question to a run that takes seconds: asked of its worker a share at a time, with progress and an end on demand.

The run's own thread carries the shares, between two stretches of training; each is followed by a pause of its own
length while the run plays, so that training keeps more than half of its speed, however much is asked at once.
"""

import logging
import time
from concurrent.futures import CancelledError
from threading import Event, Lock, Thread
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from bnviz.engine.allowance import Allowance, TooFastError
from bnviz.engine.bell import Bell
from bnviz.engine.cluster import EngineUnavailableError
from bnviz.engine.counters import REFUSALS
from bnviz.engine.remote import WorkerLostError
from bnviz.engine.run import Run
from bnviz.experiment.config import Experiment
from bnviz.records.live import Moved
from bnviz.records.questions import Continue, Drop, GradualQuestion, Open, Share

logger = logging.getLogger(__name__)

A = TypeVar("A")
SHARE_SECONDS = 0.06
MOST_ASKED, ASKED_A_MINUTE = 20, 20.0  # questions of one kind and one visitor at once, and a minute from then on
ESTIMATED_FROM = 0.05  # part of a question after which the time that is left is estimated
_turns: WeakKeyDictionary[Run, Lock] = WeakKeyDictionary()  # of each run: one share at a time, its pause included


class LongQuestion(Generic[A]):
    """The newest answer to a gradual question, and how far the next one is; for any thread.

    done: the part that is answered, from 0 to 1, None if nothing is under way. problem: why there is no new answer.
    left: estimated seconds to the end, None if there is no saying. answer, experiment, asked: the newest answer, the
    experiment it was asked about, and the question itself. changes counts whatever has changed.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._allowance = Allowance(MOST_ASKED, ASKED_A_MINUTE)
        self._end = Event()
        self.done: float | None = None
        self.problem = ""
        self.answer: A | None = None
        self.experiment: Experiment | None = None
        self.asked: GradualQuestion[A] | None = None
        self.left: float | None = None
        self.changes = 0
        self._moved: Moved = Bell()  # that of the run that is asked

    def ask(self, run: Run, question: GradualQuestion[A]) -> None:
        """Ask anew; what is under way ends unanswered."""
        experiment = run.experiment
        with self._lock:
            try:
                self._allowance.take(None)
            except TooFastError as error:
                REFUSALS.labels("rate").inc()
                self.problem = str(error)
                self._change()
                return
            self._end.set()
            self._end = end = Event()
            self._moved = run.moved
            self.done, self.left, self.problem = 0.0, None, ""
            self._change()
        name = f"bnviz-{type(question).__name__}"
        Thread(target=self._work, args=(run, experiment, end, question), name=name, daemon=True).start()

    def cancel(self) -> None:
        """End what is under way; the newest answer stays."""
        with self._lock:
            self._end.set()
            self.done = None
            self._change()

    def _change(self) -> None:
        self.changes += 1
        self._moved.ring()

    def _work(self, run: Run, experiment: Experiment, end: Event, question: GradualQuestion[A]) -> None:
        start = time.monotonic()
        try:
            ticket = run.inspect(Open(question)).result()
            while not end.is_set():
                with _turns.setdefault(run, Lock()):
                    begin = time.monotonic()
                    share = run.inspect(Continue(ticket, SHARE_SECONDS)).result()
                    self._take(end, share, time.monotonic() - start, experiment, question)
                    if share.answer is not None:
                        return
                    if run.status.state == "playing":
                        end.wait(time.monotonic() - begin)
            run.inspect(Drop(ticket))
        except ValueError as error:
            self._fail(end, str(error))
        except (CancelledError, WorkerLostError, EngineUnavailableError):
            self._fail(end, "the run has stopped, started over or ended. Start it again.")

    def _take(
        self, end: Event, share: Share[A], gone: float, experiment: Experiment, question: GradualQuestion[A]
    ) -> None:
        """Take in what a share of the work brought, after `gone` seconds."""
        with self._lock:
            if end.is_set():
                return
            if share.answer is not None:
                self.done, self.left = None, None
                self.answer, self.experiment, self.asked = share.answer, experiment, question
            else:
                self.done = share.done
                self.left = gone * (1 / share.done - 1) if share.done > ESTIMATED_FROM else None
            self._change()

    def _fail(self, end: Event, why: str) -> None:
        logger.info("no answer to a long question: %s", why)
        with self._lock:
            if not end.is_set():
                self.done, self.problem = None, why
                self._change()

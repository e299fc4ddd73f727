"""A question to a run that takes seconds: asked of its worker a share at a time, with progress and an end on demand.

The run's own thread carries the shares, between two stretches of training; each is followed by a pause of its own
length while the run plays, so that training keeps more than half of its speed, however much is asked at once.
"""

import logging
import time
import uuid
from concurrent.futures import CancelledError
from threading import Event, Lock, Thread
from typing import Any
from weakref import WeakKeyDictionary

from bnviz.engine.cluster import EngineUnavailableError
from bnviz.engine.remote import WorkerLostError
from bnviz.engine.run import Run
from bnviz.experiment.config import Experiment

logger = logging.getLogger(__name__)

SHARE = 0.06  # seconds
SURE = 0.05  # part of a question after which the time that is left is estimated
_turns: WeakKeyDictionary[Run, Lock] = WeakKeyDictionary()  # of each run: one share at a time, its pause included


class LongQuestion:
    """One question of `bnviz.training.questions.long` and its newest answer; for any thread.

    done: the part that is answered, from 0 to 1, None where nothing is under way. problem: why there is no new answer.
    left: estimated seconds to the end, None where there is no saying. answer, experiment, asked: the newest answer, the
    experiment it was asked about, and with which arguments. changes counts whatever has changed.
    """

    def __init__(self, question: str) -> None:
        self._question = question
        self._lock = Lock()
        self._end = Event()
        self.done: float | None = None
        self.problem = ""
        self.answer: Any = None
        self.experiment: Experiment | None = None
        self.asked: dict[str, Any] = {}
        self.left: float | None = None
        self.changes = 0

    def ask(self, run: Run, **arguments: Any) -> None:
        """Ask anew; what is under way ends unanswered."""
        experiment = run.experiment
        with self._lock:
            self._end.set()
            self._end = end = Event()
            self.done, self.left, self.problem = 0.0, None, ""
            self.changes += 1
        Thread(
            target=self._work, args=(run, experiment, end, arguments), name=f"bnviz-{self._question}", daemon=True
        ).start()

    def cancel(self) -> None:
        with self._lock:
            self._end.set()
            self.done = None
            self.changes += 1

    def _work(self, run: Run, experiment: Experiment, end: Event, arguments: dict[str, Any]) -> None:
        name, start = uuid.uuid4().hex, time.monotonic()
        try:
            run.inspect("begin", name=name, long_question=self._question, **arguments).result()
            while not end.is_set():
                with _turns.setdefault(run, Lock()):
                    begin = time.monotonic()
                    done, answer = run.inspect("go_on", name=name, seconds=SHARE).result()
                    self._tell(end, done, time.monotonic() - start)
                    if answer is not None:
                        self._answer(end, answer, experiment, arguments)
                        return
                    if run.status.state == "playing":
                        end.wait(time.monotonic() - begin)
            run.inspect("drop", name=name)
        except ValueError as error:
            self._fail(end, str(error))
        except (CancelledError, WorkerLostError, EngineUnavailableError):
            self._fail(end, "the run has stopped, started over or ended. Start it again.")

    def _tell(self, end: Event, done: float, gone: float) -> None:
        with self._lock:
            if not end.is_set():
                self.done, self.left = done, gone * (1 / done - 1) if done > SURE else None
                self.changes += 1

    def _answer(self, end: Event, answer: Any, experiment: Experiment, asked: dict[str, Any]) -> None:
        with self._lock:
            if not end.is_set():
                self.done, self.left = None, None
                self.answer, self.experiment, self.asked = answer, experiment, asked
                self.changes += 1

    def _fail(self, end: Event, why: str) -> None:
        logger.info("no answer to %s: %s", self._question, why)
        with self._lock:
            if not end.is_set():
                self.done, self.problem = None, why
                self.changes += 1

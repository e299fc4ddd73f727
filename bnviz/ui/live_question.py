"""A question about a run's networks that a page keeps asking: once while they stand still, now and then in training."""

import pickle
import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import RLock
from typing import Any, Generic, TypeVar

from bnviz.edits import at_inference
from bnviz.engine.run import Run

ASK_EVERY = 1.0  # seconds between two questions while the networks train
COST = 10  # answers may take one part in so many of the time
Shown = TypeVar("Shown")


class LiveQuestion(Generic[Shown]):
    """One question of a session, and what is made of its newest answer; used by the threads that make the news.

    make(step, answer) is called once for each answer, of the network after `step` steps.
    """

    def __init__(self, question: str, make: Callable[[int, Any], Shown]) -> None:
        self._question, self._make = question, make
        self._lock = RLock()  # an answer that is already there is taken in by the very thread that asked
        self._words: object = None  # the question with all it depends on
        self._frame: object = None  # the moment at which it was asked
        self._pending: Future[Any] | None = None
        self._shown: Shown | None = None
        self._asked = self._took = 0.0
        self.count = 0  # answers so far: news whenever it changes

    def of(self, run: Run, **arguments: Any) -> Shown | None:
        """What the newest answer to this very question gave; None until there is one, which `count` then tells.

        Asks again where that is due, and never waits: a slider must not.
        """
        status, frame = run.status, run.view().latest
        training, variants = run.experiment.training, [at_inference(variant) for variant in run.experiment.variants]
        words = pickle.dumps((id(run), training.seed, training.batch_size, variants, arguments))
        still = status.state in ("paused", "finished")
        with self._lock:
            if words != self._words:
                self._words, self._shown, self._pending, self._frame = words, None, None, None
            rested = time.monotonic() - self._asked >= max(ASK_EVERY, COST * self._took)
            due = frame is not self._frame and (still or rested or self._shown is None)
            if frame is not None and due and self._pending is None and status.state != "failed":
                self._ask(run, frame, arguments)
            return self._shown

    def _ask(self, run: Run, frame: Any, arguments: dict[str, Any]) -> None:
        words, begin = self._words, time.monotonic()
        self._frame, self._asked = frame, begin
        self._pending = question = run.inspect(self._question, **arguments)

        def answered(question: "Future[Any]") -> None:
            with self._lock:
                self.count += 1
                if self._pending is question:
                    self._pending, self._took = None, time.monotonic() - begin
                if words == self._words and not question.cancelled() and question.exception() is None:
                    self._shown = self._make(*question.result())

        question.add_done_callback(answered)

"""A question about a run's networks that a page keeps asking: once while they stand still, now and then in training."""

import pickle
import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import RLock
from typing import Any, Generic, TypeVar

from bnviz.engine.run import Run
from bnviz.experiment.config import Experiment
from bnviz.experiment.edits import at_inference

ASK_EVERY = 1.0  # seconds between two questions while the networks train
COST = 10  # answers may take one part in so many of the time
Shown = TypeVar("Shown")


def inference(experiment: Experiment) -> object:
    """What answers in eval mode, and on a batch, depend on."""
    return experiment.training.seed, experiment.training.batch_size, [at_inference(v) for v in experiment.variants]


class LiveQuestion(Generic[Shown]):
    """One question of a session, and what is made of its answers; used by the threads that make the news.

    take(answer, known) is called once for each answer; known is what it has made of this question's answers so far.
    Another history of the run, another `about` of its experiment or other arguments make another question.
    """

    def __init__(
        self,
        question: str,
        take: Callable[[Any, Shown | None], Shown],
        about: Callable[[Experiment], object] = inference,
    ) -> None:
        self._question, self._take, self._about = question, take, about
        self._lock = RLock()  # an answer that is already there is taken in by the very thread that asked
        self._of: tuple[object, bytes] = (None, b"")  # the history, and all else that the question depends on
        self._frame: object = None  # the moment at which it was asked
        self._pending: Future[Any] | None = None
        self._shown: Shown | None = None
        self._asked = self._took = 0.0
        self.count = 0  # answers so far: news whenever it changes

    def of(self, run: Run, **arguments: Any) -> Shown | None:
        """What the answers to this very question gave; None until there is one, which `count` then tells.

        Asks again where that is due, and never waits: a slider must not.
        """
        status, frame, history = run.status, run.view().latest, run.history
        words = pickle.dumps((self._about(run.experiment), arguments))
        with self._lock:
            if self._of[0] is not history or self._of[1] != words:
                self._of = history, words
                self._shown, self._pending, self._frame, self._asked = None, None, None, 0.0
            still = status.state in ("paused", "finished")
            rested = time.monotonic() - self._asked >= max(ASK_EVERY, COST * self._took)
            due = frame is not self._frame and (still or rested)
            if frame is not None and due and self._pending is None and status.state != "failed":
                self._ask(run, frame, arguments)
            return self._shown

    def _ask(self, run: Run, frame: Any, arguments: dict[str, Any]) -> None:
        of, begin = self._of, time.monotonic()
        self._frame, self._asked = frame, begin
        self._pending = question = run.inspect(self._question, **arguments)

        def answered(question: "Future[Any]") -> None:
            with self._lock:
                self.count += 1
                if self._pending is question:
                    self._pending, self._took = None, time.monotonic() - begin
                if of is self._of and not question.cancelled() and question.exception() is None:
                    self._shown = self._take(question.result(), self._shown)

        question.add_done_callback(answered)

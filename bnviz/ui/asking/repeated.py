"""A question about a run's networks that a page keeps asking: once while they stand still, now and then in training."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import RLock
from typing import Generic, TypeVar

from bnviz.experiment.config import Experiment
from bnviz.experiment.edits import at_inference
from bnviz.records.live import AskedRun
from bnviz.records.questions import Question

ASK_EVERY = 1.0  # seconds between two questions while the networks train
REST_FACTOR = 10  # an answer that took t seconds is followed by this many t without a question
A = TypeVar("A")
Shown = TypeVar("Shown")


def inference(experiment: Experiment) -> object:
    """Return what answers in eval mode, and on a batch, depend on."""
    return experiment.training.seed, experiment.training.batch_size, [at_inference(v) for v in experiment.variants]


def newest(answer: A, _: A | None) -> A:
    """Return the answer itself, whatever was answered before."""
    return answer


class LiveQuestion(Generic[A, Shown]):
    """One question of a session, and what is made of its answers; used by the threads that make the news.

    take(answer, known) is called once for each answer; known is what it has made of this question's answers so far.
    Another history of the run, another `about` of its experiment or another question start from nothing.
    """

    def __init__(
        self, take: Callable[[A, Shown | None], Shown], about: Callable[[Experiment], object] = inference
    ) -> None:
        self._take, self._about = take, about
        self._lock = RLock()  # an answer that is already there is taken in by the very thread that asked
        self._of: tuple[object, object, object] = (None, None, None)  # history, experiment and question
        self._frame: object = None  # the moment at which it was asked
        self._pending: Future[A] | None = None
        self._shown: Shown | None = None
        self._asked = self._took = 0.0
        self.count = 0  # answers so far: news whenever it changes

    def of(self, run: AskedRun, question: Question[A]) -> Shown | None:
        """Return what the answers to this very question gave; None until there is one, which `count` then tells.

        Asks again if that is due, and never waits: a slider must not.
        """
        status, frame, history = run.status, run.view().latest, run.history
        about = self._about(run.experiment)
        with self._lock:
            if self._of[0] is not history or self._of[1:] != (about, question):
                self._of = history, about, question
                self._shown, self._pending, self._frame, self._asked = None, None, None, 0.0
            still = status.state in ("paused", "finished")
            rested = time.monotonic() - self._asked >= max(ASK_EVERY, REST_FACTOR * self._took)
            due = frame is not self._frame and (still or rested)
            if frame is not None and due and self._pending is None and status.state != "failed":
                self._frame = frame
                self._ask(run, question)
            return self._shown

    def _ask(self, run: AskedRun, question: Question[A]) -> None:
        of, begin = self._of, time.monotonic()
        self._asked = begin
        self._pending = pending = run.inspect(question)

        def answered(pending: "Future[A]") -> None:
            with self._lock:
                self.count += 1
                if self._pending is pending:
                    self._pending, self._took = None, time.monotonic() - begin
                if of is self._of and not pending.cancelled() and pending.exception() is None:
                    self._shown = self._take(pending.result(), self._shown)

        pending.add_done_callback(answered)

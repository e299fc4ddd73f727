"""Asks a run's networks for their covariate shift while a page shows it: no oftener than they can afford."""

import math
import time
from concurrent.futures import Future, wait
from threading import RLock

import streamlit as st

from bnviz.config import Experiment
from bnviz.engine.run import Run
from bnviz.history import History
from bnviz.records import GradientShift

ASK_EVERY = 2.0  # seconds between two questions while the networks train
COST = 10  # answers may take one part in so many of the time
PATIENCE = 3.0  # seconds that networks which stand still are waited for
MOST = 400  # measurements kept; past that, every second one goes

Answer = list[GradientShift]  # of all variants


class Measuring:
    """The measurements of one run, oldest first; used by the threads that make the news."""

    def __init__(self) -> None:
        self._lock = RLock()  # an answer that is already there is taken in by the very thread that asked
        self._of: tuple[History, Experiment] | None = None
        self._found: dict[tuple[int, ...], Answer] = {}  # by the variants' steps
        self._pending: Future[Answer] | None = None
        self._asked, self._took = -math.inf, 0.0

    def of(self, run: Run, until: int | None) -> list[list[GradientShift]]:
        """A list for each variant, of measurements up to step `until`; asks for another where one is due."""
        status, latest = run.status, run.view().latest
        still = status.state in ("paused", "finished")
        with self._lock:
            self._forget_another(run)
            rested = time.monotonic() - self._asked >= max(ASK_EVERY, COST * self._took)
            known = latest is None or tuple(v.step for v in latest.variants) in self._found
            if not known and self._pending is None and (still or (status.state == "playing" and rested)):
                self._ask(run)
            pending = self._pending
        if still and pending is not None:
            wait([pending], PATIENCE)
        with self._lock:
            answers = list(self._found.values())
            count = max(map(len, answers), default=0)
            return [
                [a[i] for a in answers if i < len(a) and (until is None or a[i].step <= until)] for i in range(count)
            ]

    def _forget_another(self, run: Run) -> None:
        """A run that started over, or was changed, is measured anew."""
        if self._of is None or self._of[0] is not run.history or self._of[1] != run.experiment:
            self._of = run.history, run.experiment
            self._found, self._pending, self._asked = {}, None, -math.inf

    def _ask(self, run: Run) -> None:
        asked_of, self._asked = self._of, time.monotonic()
        begin = self._asked
        self._pending = question = run.inspect("covariate_shift")

        def answered(question: Future[Answer]) -> None:
            with self._lock:
                if self._of is not asked_of:
                    return
                self._pending, self._took = None, time.monotonic() - begin
                if not question.cancelled() and question.exception() is None:
                    answer = question.result()
                    self._found[tuple(found.step for found in answer)] = answer
                    if len(self._found) > MOST:
                        self._found = dict(list(self._found.items())[::2])

        question.add_done_callback(answered)


@st.cache_resource(scope="session", show_spinner=False)
def measuring() -> Measuring:
    """This session's."""
    return Measuring()

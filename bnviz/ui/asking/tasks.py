"""Questions of a page to a worker that outlast a rerun: asked in the background, answered by another rerun.

A page says in every rerun what it wants to know. What is known is there at once; else the page goes on with what it
has, and runs again when the answer has come. A question that was overtaken by another of its kind is not asked.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Any, Generic, TypeVar, TypeVarTuple

import streamlit as st

from bnviz.engine.cluster import EngineUnavailableError, settled
from bnviz.ui.components.feed_reader import read_feed
from bnviz.ui.web.feed import Feed
from bnviz.ui.web.server import labs

logger = logging.getLogger(__name__)

TIMEOUT = 60.0  # seconds for an answer: the largest network, trained on a busy machine
LOOK = 0.05  # seconds between two looks whether a question is still wanted
KEPT = 64  # answers
REST = 0.2  # seconds a question without haste waits for a slider to come to rest

A = TypeVar("A")
Arguments = TypeVarTuple("Arguments")


@dataclass(frozen=True)
class Task(Generic[A]):
    """A call that a worker is to make; equal calls have one answer."""

    function: Callable[..., A]
    arguments: tuple[Hashable, ...]


def task(function: Callable[[*Arguments], A], *arguments: *Arguments) -> Task[A]:
    """Return the call of a function of `bnviz.engine.in_worker` with hashable arguments."""
    return Task(function, arguments)


class Inquiries:
    """The questions of one browser session, each kind with its newest wish; at most one a kind is on its way."""

    def __init__(self) -> None:
        self.feed = Feed()
        self._changed = Condition()
        self._answers: OrderedDict[Task[Any], Any] = OrderedDict()
        self._wanted: dict[str, Task[Any]] = {}
        self._failed: dict[str, tuple[Task[Any], str]] = {}
        self._working: set[str] = set()
        self._open: dict[str, Task[Any]] = {}  # what the page has gone on without since it last said follow
        self._arrived = 0
        self._running = False  # whether the page itself is on its way from begin to follow

    def begin(self) -> None:
        """Note that the page runs, from its first line: no answer need call for that."""
        with self._changed:
            self._running, self._open = True, {}

    def ask(self, kind: str, question: Task[A], *, wait: float = 0.0, haste: bool = False) -> A | None:
        """Return the answer if it is known or comes within `wait` seconds, else None."""
        with self._changed:
            self._wanted[kind] = question
            if self._failed.get(kind, (question,))[0] != question:
                del self._failed[kind]
            if question not in self._answers and kind not in self._failed:
                if kind not in self._working:
                    self._working.add(kind)
                    Thread(target=self._work, args=(kind, haste), name=f"bnviz-{kind}", daemon=True).start()
                self._changed.wait_for(lambda: question in self._answers or kind in self._failed, wait)
            self._open.pop(kind, None)
            if question in self._answers:
                self._answers.move_to_end(question)
            elif kind not in self._failed:
                self._open[kind] = question
            answer: A | None = self._answers.get(question)
            return answer

    def failure(self, kind: str) -> str:
        """Return why the last question of a kind has no answer; empty while there may be one yet."""
        with self._changed:
            return self._failed[kind][1] if kind in self._failed else ""

    def retry(self) -> None:
        """Ask again what has failed."""
        with self._changed:
            self._failed.clear()

    def follow(self) -> None:
        """Let the page run again when an answer has come; once a rerun, after all questions, outside fragments.

        A fragment that runs later by itself may ask as well.
        """
        with self._changed:
            waiting, self._open = self._open, {}
            self._running = False

        def news() -> dict[str, Any]:
            with self._changed:
                unanswered = [*waiting.items(), *self._open.items()]
                outdated = not self._running and any(map(self._is_settled, unanswered))
            return {"html": {}, "figures": {}, "rerun": outdated}

        self.feed.show(lambda: self._arrived, news)
        read_feed(self.feed.token, key="inquiries_follower")

    def _work(self, kind: str, haste: bool) -> None:
        while True:
            with self._changed:
                question = self._wanted[kind]
            if not haste:
                time.sleep(REST)
            answer, why = self._answer(kind, question, haste) if self._is_wanted(kind, question) else (None, "")
            with self._changed:
                if answer is not None:
                    self._answers[question] = answer
                    while len(self._answers) > KEPT:
                        self._answers.popitem(last=False)
                elif why:
                    self._failed[kind] = question, why
                if self._is_settled((kind, self._wanted[kind])):
                    self._working.discard(kind)
                    self._arrived += 1
                    self._changed.notify_all()
                    self.feed.moved.ring()
                    return

    def _is_settled(self, asked: tuple[str, Task[Any]]) -> bool:
        """Return whether a question has been answered or has failed."""
        kind, question = asked
        return question in self._answers or self._failed.get(kind, (None,))[0] == question

    def _is_wanted(self, kind: str, question: Task[Any]) -> bool:
        with self._changed:
            return self._wanted[kind] == question

    def _answer(self, kind: str, question: Task[Any], haste: bool) -> tuple[Any, str]:
        """Return the answer, or why there is none; neither if another question is wanted by now."""
        try:
            future = labs().engine.submit(question.function, *question.arguments, priority=int(haste))
            end, done = time.monotonic() + TIMEOUT, settled(future)
            while self._is_wanted(kind, question):
                if done.wait(LOOK):
                    return future.result(), ""
                if time.monotonic() > end:
                    future.cancel()
                    raise TimeoutError(f"no answer after {TIMEOUT:g} s")
            future.cancel()
        except EngineUnavailableError as error:
            return None, str(error)
        except Exception as error:  # whatever a task raises, the page must hear of it, and the thread must go on
            logger.warning("no answer to %s: %r", kind, error)
            return None, "The worker did not answer."
        return None, ""


@st.cache_resource(scope="session", show_spinner=False, on_release=lambda inquiries: inquiries.feed.close())
def _inquiries() -> Inquiries:
    return Inquiries()


def inquiries() -> Inquiries:
    """Return this session's inquiries, at the beginning of a page."""
    found = _inquiries()
    found.begin()
    return found

"""Questions to a worker: answered once and kept, the newest first, and a failure is told."""

import json
import threading
import time
from typing import Any

import pytest

from bnviz.engine.cluster import EngineUnavailableError
from bnviz.ui.asking import tasks as inquiries
from bnviz.ui.asking.tasks import Inquiries, task


class _Workers:
    """In place of the engine: answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.free = threading.Event()
        self.engine = self.client = self

    def submit(self, task: Any, argument: Any, **_: Any) -> "_Future":
        self.asked.append(argument)
        return _Future(self, task, argument)


class _Future:
    def __init__(self, workers: _Workers, task: Any, argument: Any) -> None:
        self._workers, self._task, self._argument = workers, task, argument

    def add_done_callback(self, tell: Any) -> None:
        def answer() -> None:
            self._workers.free.wait(10)
            tell(self)

        threading.Thread(target=answer, daemon=True).start()

    def result(self) -> Any:
        assert self._workers.free.is_set()
        return self._task(self._argument)

    def cancel(self) -> None:
        pass


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> _Workers:
    found = _Workers()
    monkeypatch.setattr(inquiries, "labs", lambda: found)
    return found


def until(condition: Any) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def news(found: Inquiries) -> Any:
    return json.loads(found.feed.news())


def double(number: int) -> int:
    return 2 * number


def broken(_: int) -> int:
    raise RuntimeError("the worker is gone")


def test_an_answer_in_time_is_there_at_once_and_is_kept(workers: _Workers) -> None:
    workers.free.set()
    found = Inquiries()
    assert found.ask("twice", task(double, 4), wait=10, haste=True) == 8
    assert found.ask("twice", task(double, 4)) == 8
    assert workers.asked == [4]
    found.feed.close()


def test_only_the_newest_of_several_questions_is_waited_for(workers: _Workers) -> None:
    found = Inquiries()
    for number in range(5):
        assert found.ask("twice", task(double, number), haste=True) is None
    until(lambda: 4 in workers.asked)
    workers.free.set()
    assert found.ask("twice", task(double, 4), wait=10) == 8
    assert task(double, 3) not in found._answers
    assert found.failure("twice") == ""
    found.feed.close()


def test_a_failure_is_told_and_can_be_tried_again(workers: _Workers) -> None:
    workers.free.set()
    found = Inquiries()
    assert found.ask("twice", task(broken, 1), wait=10, haste=True) is None
    assert found.failure("twice") == "The worker did not answer."
    found.retry()
    assert found.failure("twice") == ""
    assert found.ask("twice", task(double, 1), wait=10, haste=True) == 2
    found.feed.close()


def test_a_fragments_later_question_is_answered_by_a_rerun_too(
    workers: _Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Inquiries()
    monkeypatch.setattr("bnviz.ui.asking.tasks.read_feed", lambda *_, **__: None)
    found.follow()
    assert not news(found)["rerun"]
    assert found.ask("twice", task(double, 2), haste=True) is None  # the page itself does not run
    workers.free.set()
    until(lambda: news(found)["rerun"])
    assert found.ask("twice", task(double, 2)) == 4
    assert not news(found)["rerun"]
    workers.free.clear()
    found.begin()
    assert found.ask("twice", task(double, 3), haste=True) is None
    workers.free.set()
    until(lambda: task(double, 3) in found._answers)
    assert not news(found)["rerun"]  # the page is still running
    found.follow()
    assert news(found)["rerun"]
    found.feed.close()


def test_without_an_engine_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> None:
        raise EngineUnavailableError("No training worker answers at the cluster of this machine.")

    monkeypatch.setattr(inquiries, "labs", nobody)
    found = Inquiries()
    assert found.ask("twice", task(double, 1), wait=10, haste=True) is None
    assert found.failure("twice") == "No training worker answers at the cluster of this machine."
    found.feed.close()

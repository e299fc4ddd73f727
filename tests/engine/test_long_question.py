"""Long questions to a run on a real cluster: answered while it trains, ended on demand, told why where they fail."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from bnviz.engine import long_question
from bnviz.engine.cluster import Engine
from bnviz.engine.long_question import LongQuestion
from bnviz.engine.run import Run
from bnviz.records.landscape import Slice, Slices
from bnviz.records.questions import LargestLearningRates, LossSlices, SharpnessAlongPath
from tests.builders import twins
from tests.running import kill, played, record, wait_until, worker_of

A = TypeVar("A")
SCAN = LossSlices("random", 25, 1000, half_width=1.0, seed=0)
Start = Callable[[int], Run]


@pytest.fixture
def start(engine: Engine) -> Iterator[Start]:
    """Start runs whose landscape is watched; they are closed when the test ends."""
    runs: list[Run] = []

    def start(steps: int) -> Run:
        runs.append(Run(engine, twins(steps=steps), watch="landscape"))
        return runs[-1]

    yield start
    for run in runs:
        run.close()


def ended(question: LongQuestion[A]) -> LongQuestion[A]:
    wait_until(lambda: question.done is None, "the end of the question")
    return question


def answered(question: LongQuestion[A]) -> A:
    answer = ended(question).answer
    assert answer is not None
    return answer


def test_a_scan_is_answered_while_the_run_trains_and_changes_nothing_of_it(start: Start) -> None:
    left_alone = played(start(1500))
    asked, question = start(1500), LongQuestion[Slices]()
    asked.set_speed(float("inf"))
    asked.play()
    question.ask(asked, SCAN)
    wait_until(lambda: question.done, "the first shares")
    before = asked.status.step
    wait_until(lambda: asked.status.step > before, "steps between the shares")
    ended(question)
    assert question.problem == ""
    assert all(isinstance(each, Slice) for each in question.answer)
    assert question.experiment == asked.experiment
    wait_until(lambda: asked.status.state == "finished", "the end of the run")
    assert record(asked) == record(left_alone)


def test_a_cancelled_question_keeps_the_last_answer_and_the_run_goes_on(start: Start) -> None:
    run, question = start(100), LongQuestion[Slices]()
    question.ask(run, replace(SCAN, resolution=101))
    wait_until(lambda: question.done, "the first shares")
    wait_until(lambda: question.left, "an estimate of the time to the end")
    question.cancel()
    changes = question.changes
    assert question.done is None
    assert question.answer is None
    played(run)
    assert question.changes == changes
    question.ask(run, replace(SCAN, kind="line"))
    assert len(answered(question)) == 2


def test_what_has_no_answer_says_why(start: Start) -> None:
    run, question = start(100), LongQuestion[Slices]()
    question.ask(run, replace(SCAN, resolution=7))
    assert "resolution: give one of 25, 51, 75, 101, got 7" in ended(question).problem
    question.ask(run, replace(SCAN, kind="path"))
    assert "train some steps first" in str(answered(question)[0])
    run.close()
    wait_until(lambda: run.status.state == "closed", "the end of the run")
    question.ask(run, SCAN)
    assert "Start it again" in ended(question).problem


def test_a_question_that_goes_wrong_is_answered_and_the_run_goes_on(start: Start) -> None:
    run, question = start(100), LongQuestion[Slices]()
    question.ask(run, replace(SCAN, half_width=None))  # type: ignore[arg-type]
    assert "the worker could not answer it: TypeError" in ended(question).problem
    played(run)


def test_a_reset_ends_a_question_and_is_told_as_what_it_was(start: Start) -> None:
    run, question = start(100), LongQuestion[Slices]()
    question.ask(run, replace(SCAN, resolution=101))
    wait_until(lambda: question.done, "the first shares")
    run.reset()
    assert "the run started over" in ended(question).problem


def test_a_lost_worker_ends_a_question_and_not_the_run(start: Start, engine: Engine) -> None:
    run, question = start(100), LongQuestion[Slices]()
    question.ask(run, replace(SCAN, resolution=101))
    wait_until(lambda: question.done, "the first shares")
    kill(worker_of(engine))
    assert "Start it again" in ended(question).problem
    played(run)
    question.ask(run, replace(SCAN, kind="line"))
    assert len(answered(question)) == 2


def test_questions_take_turns(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_question, "SHARE_SECONDS", 0.0)  # else a fast machine answers in a share or two
    run = start(100)
    questions: list[LongQuestion[Any]] = [LongQuestion(), LongQuestion()]
    for question, asked in zip(questions, (SharpnessAlongPath(), LargestLearningRates()), strict=True):
        question.ask(run, asked)
    wait_until(lambda: all(question.changes > 3 for question in questions), "some shares of each")
    for question in questions:
        question.cancel()
    assert [question.problem for question in questions] == ["", ""]

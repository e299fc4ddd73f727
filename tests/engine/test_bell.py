"""Whoever listens to a run or a sweep, and looks at every ring, knows the newest of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from bnviz.engine.bell import Bell
from bnviz.engine.cluster import Engine
from bnviz.engine.long_question import LongQuestion
from bnviz.engine.run import Run
from bnviz.engine.sweeps import SweepRun
from bnviz.experiment.config import NetworkConfig, TrainingConfig, replace
from bnviz.experiment.sweep import Axis, Sweep
from bnviz.records.landscape import Slices
from bnviz.records.questions import DigitOfTestSet, LossSlices
from bnviz.ui.asking.repeated import LiveQuestion, newest
from tests.builders import twins
from tests.running import kill, reached, settled, wait_until, worker_of

TWINS = twins(steps=100_000)


@pytest.fixture
def listening() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listener(stack: ExitStack, bell: Bell, look: Callable[[], Any]) -> Callable[[], bool]:
    """Look once now and at every ring. Returns whether what was seen last is what there is."""
    seen = [look()]

    def hear() -> None:
        seen[:] = [look()]

    stack.enter_context(bell.heard_by(hear))
    return lambda: bool(seen[0] == look())


def state(run: Run) -> object:
    return id(run.view().latest), replace(run.status, busy=False)


def test_a_run_rings_after_whatever_moves_it(engine: Engine, listening: ExitStack) -> None:
    run = Run(engine, TWINS)
    listening.callback(run.close)
    knows = listener(listening, run.moved, lambda: state(run))
    asked: LiveQuestion[Any, Any] = LiveQuestion(newest)
    knows_answers = listener(listening, run.moved, lambda: asked.count)
    other = replace(TWINS, training=replace(TWINS.training, seed=7))
    orders: list[Callable[[], object]] = [
        lambda: run.set_speed(50.0),
        run.step,
        run.play,
        lambda: run.hold(True),
        lambda: run.hold(False),
        run.pause,
        lambda: asked.of(run, DigitOfTestSet(0)),
        lambda: run.edit(other),
        run.reset,
    ]
    for order in orders:
        order()
        settled(run)
        wait_until(knows, f"news after {order}", 10)
        wait_until(knows_answers, f"the count of answers after {order}", 10)
    assert asked.count == 1


def test_a_run_rings_for_a_lost_worker_before_it_is_replayed(engine: Engine, listening: ExitStack) -> None:
    run = Run(engine, TWINS)
    listening.callback(run.close)
    notices: list[str] = []
    run.play()
    reached(run, 20)
    listening.enter_context(run.moved.heard_by(lambda: notices.append(run.status.notice)))
    kill(worker_of(engine))
    wait_until(lambda: any("was replayed" in notice for notice in notices), "word of the replay")
    assert any("is replayed" in notice for notice in notices)


def test_a_run_rings_for_its_long_questions(engine: Engine, listening: ExitStack) -> None:
    run, question = settled(Run(engine, TWINS, watch="landscape")), LongQuestion[Slices]()
    listening.callback(run.close)
    knows = listener(listening, run.moved, lambda: (question.changes, question.done))
    question.ask(run, LossSlices("random", 25, 1000, half_width=1.0, seed=0))
    wait_until(lambda: question.changes > 2, "the first shares")
    wait_until(knows, "word of a share", 10)
    question.cancel()
    assert knows()


def test_a_sweep_rings_after_whatever_changes(engine: Engine, listening: ExitStack) -> None:
    sweep = Sweep(
        (Axis("learning_rate", 0.01, 1.0, 2, "log"),),
        training=TrainingConfig(steps=300),
        network=NetworkConfig(width=8),
    )
    run = SweepRun(engine, sweep)
    listening.callback(run.cancel)
    knows = listener(listening, run.moved, lambda: run.version)
    run.pause()
    assert knows()
    run.resume()
    assert run.wait(120)
    assert run.status.state == "finished"
    wait_until(knows, "word of the end", 10)

"""Runs that watch one film: one trainer on the workers, and histories to the bit as if each were alone."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bnviz.engine.cluster import Engine
from bnviz.engine.films import Films
from bnviz.engine.run import Run
from tests.builders import twins
from tests.running import ended, kill, played, reached, record, settled, wait_until, worker_of

EXPERIMENT = twins(steps=300)
OTHER = twins(steps=300, seed=1)
Start = Callable[..., Run]


@pytest.fixture
def start(engine: Engine) -> Iterator[Start]:
    """Start runs that share their films, and are closed when the test ends."""
    films, runs = Films(engine), list[Run]()

    def start(experiment: Any = EXPERIMENT) -> Run:
        runs.append(Run(engine, experiment, films=films))
        return settled(runs[-1])

    yield start
    for run in runs:
        run.close()


@pytest.fixture
def undisturbed(engine: Engine) -> Any:
    run = played(Run(engine, EXPERIMENT))
    run.close()
    return record(run)


def trainers(engine: Engine) -> int:
    return sum(engine.load().values())


def test_many_watch_one_trainer_each_at_a_pace_of_its_own(start: Start, engine: Engine, undisturbed: Any) -> None:
    runs = [start() for _ in range(5)]
    for run, speed in zip(runs, (float("inf"), 1000, 500, 300, 200), strict=True):
        run.set_speed(speed)
        run.play()
    assert trainers(engine) == 1
    assert [record(ended(run)) for run in runs] == [undisturbed] * 5


def test_who_comes_after_the_end_needs_no_trainer(start: Start, engine: Engine, undisturbed: Any) -> None:
    first = played(start())
    first.close()
    wait_until(lambda: trainers(engine) == 0, "the end of the trainer")
    assert record(played(start())) == undisturbed
    assert trainers(engine) == 0


def test_another_experiment_is_another_film(start: Start, undisturbed: Any) -> None:
    played(start())
    assert record(played(start(OTHER))) != undisturbed


def test_a_change_goes_on_from_the_step_where_its_watcher_is(start: Start, engine: Engine, undisturbed: Any) -> None:
    ahead, changed = played(start()), start()
    changed.set_speed(200)
    changed.play()
    reached(changed, 40)
    changed.pause()
    settled(changed)
    step = changed.status.step
    target = EXPERIMENT.with_variant(0, EXPERIMENT.variants[1])
    changed.edit(target, keep_weights=True)
    played(changed)

    alone = Run(engine, EXPERIMENT)
    while alone.status.step < step:
        alone.step()
        settled(alone)
    alone.edit(target, keep_weights=True)
    assert record(changed) == record(played(alone))
    alone.close()
    assert record(ahead) == undisturbed


def test_a_lost_worker_costs_none_of_them_anything(start: Start, engine: Engine, undisturbed: Any) -> None:
    runs = [start() for _ in range(3)]
    for run in runs:
        run.set_speed(100)
        run.play()
    reached(runs[0], 60)
    kill(worker_of(engine))
    assert [record(ended(run)) for run in runs] == [undisturbed] * 3

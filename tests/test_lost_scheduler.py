"""What happens when not a worker but the scheduler of the embedded cluster is killed."""

import os
import signal
from collections.abc import Iterator

import pytest

from bnviz.config import Experiment, NetworkConfig, TrainingConfig, Variant
from bnviz.engine.cluster import Engine
from bnviz.engine.run import Run
from tests.running import ended, played, reached, record

pytestmark = pytest.mark.slow

SMALL = Experiment(TrainingConfig(steps=600), (Variant(NetworkConfig(width=16)), Variant(NetworkConfig(width=16))))


@pytest.fixture
def engine() -> Iterator[Engine]:
    running = Engine()
    yield running
    running.close()


def test_a_run_goes_on_with_another_scheduler_as_if_nothing_had_happened(engine: Engine) -> None:
    undisturbed = record(played(Run(engine, SMALL, "MNIST sample")))
    run = Run(engine, SMALL, "MNIST sample")
    run.set_speed(200)
    run.play()
    reached(run, 50)
    os.kill(engine._cluster.scheduler.process.pid, signal.SIGKILL)
    run.set_speed(float("inf"))
    assert record(ended(run)) == undisturbed
    assert "was replayed to step" in run.status.notice
    fresh = played(Run(engine, SMALL, "MNIST sample"))
    assert record(fresh) == undisturbed

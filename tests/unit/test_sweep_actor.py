"""What a worker does of a sweep between two looks at the clock; in this process, with a clock of its own."""

import itertools

import pytest

from bnviz.engine.in_worker import sweep_actor
from bnviz.engine.in_worker.sweep_actor import SweepActor
from bnviz.experiment.config import NetworkConfig, TrainingConfig
from bnviz.experiment.sweep import Axis, Sweep, stacks
from bnviz.training.batches import Batches

SWEEP = Sweep(
    (Axis("learning_rate", 0.01, 1.0, 8, "log"), Axis("width", choices=(8, 16))),
    training=TrainingConfig(steps=20_000),
    network=NetworkConfig(width=8),
)


def test_live_runs_make_the_slices_of_a_sweep_short(batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    """On one worker both take turns in one thread."""
    clock = itertools.count()
    monkeypatch.setattr("bnviz.engine.in_worker.sweep_actor.time.perf_counter", lambda: next(clock) / 200)
    monkeypatch.setenv("BNVIZ_DEVICE", "cpu")
    actor = SweepActor("MNIST sample")

    def chunks(seconds_since: float) -> int:
        monkeypatch.setattr(sweep_actor, "since_live", lambda: seconds_since)
        before = next(clock)
        actor.advance()
        return next(clock) - before - 2  # but for the first look at the clock

    experiments = SWEEP.experiments()
    actor.add(0, [experiments[i] for i in stacks(experiments, 8)[0]], None)
    assert chunks(60.0) == pytest.approx(200 * sweep_actor.SLICE, abs=1)
    assert chunks(0.0) == pytest.approx(200 * sweep_actor.LIVE_SLICE, abs=1)
    other = SweepActor("MNIST sample")
    assert chunks(0.0) <= 3  # what a live run leaves is shared
    for one in (actor, other):
        one.forget()

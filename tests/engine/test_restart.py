"""A server that is killed: the next one goes on with all runs and the sweep that it had."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bnviz.engine.cluster import Engine
from bnviz.engine.labs import GRACE, Labs
from bnviz.experiment.config import Experiment, TrainingConfig, replace
from bnviz.experiment.sweep import Axis, Sweep
from bnviz.records.notes import RunNote, SweepNote
from bnviz.store.store import Store
from bnviz.ui.web.logbook import Logbook
from bnviz.ui.web.memory import Memory
from tests.builders import twins
from tests.running import kill, record, wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
RUNS = 10
AGAIN = "The run was trained again"
SWEEP = Sweep((Axis("learning_rate", 0.01, 1.0, 4, "log"),), training=TrainingConfig(steps=100_000))


def experiment(number: int) -> Experiment:
    begun = twins(steps=20_000)
    return replace(begun, training=replace(begun.training, seed=number))


def serve(url: str) -> None:
    """Be a server with ten runs and a sweep, which says when all have moved, and goes on until it is killed."""
    store = Store.open(url)
    labs = Labs(Engine(), GRACE, Memory(lambda: store))
    logbook = Logbook(labs.notes, lambda: store)
    runs = [labs.claim(f"tab {n}", f"owner {n}", experiment(n))[1] for n in range(RUNS)]
    for number, run in enumerate(runs):
        run.set_speed(200.0)
        run.play()
        wait_until(lambda run=run: run.status.step >= 10, "the run to move")  # type: ignore[misc]
        if number % 2:
            run.edit(replace(run.experiment, training=replace(run.experiment.training, learning_rate=0.05)), True)
    _, sweep = labs.start_sweep("tab 0", "owner 0", SWEEP)
    wait_until(lambda: sweep.status.progress > 0, "the sweep to move")
    print("ready", flush=True)
    sys.stdin.read()
    logbook.close()


@pytest.fixture
def closing() -> Iterator[Callable[[Labs], Labs]]:
    """Has labs closed when the test ends, also if it fails: the next ones have the same workers."""
    with ExitStack() as ends:

        def closing(labs: Labs) -> Labs:
            ends.callback(labs.close)
            return labs

        yield closing


def test_ten_runs_and_a_sweep_outlive_a_server_that_is_killed(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closing: Callable[[Labs], Labs]
) -> None:
    monkeypatch.setenv("BNVIZ_RUNS", "on")
    url = f"sqlite:///{tmp_path}/runs.sqlite"
    command = [sys.executable, "-c", f"from tests.engine.test_restart import serve; serve({url!r})"]
    server = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with server:
        assert server.stdout is not None
        store, seen = Store.open(url), list[RunNote | SweepNote | None]()

        def all_noted() -> bool:
            seen[:] = [store.notes.find(f"tab {n}", "live") for n in range(RUNS)]
            return all(isinstance(note, RunNote) and note.tick > 30 for note in seen)

        assert server.stdout.readline() == b"ready\n"
        wait_until(all_noted, "a note of each run")
        wait_until(lambda: store.notes.find("tab 0", "sweep") is not None, "a note of the sweep")
        kill(server.pid)
    assert all_noted()

    monkeypatch.setattr(engine, "close", lambda: None)
    labs, undisturbed = closing(Labs(engine, GRACE, Memory(lambda: store))), closing(Labs(engine, GRACE))
    runs = []
    for number, note in enumerate(seen):
        assert isinstance(note, RunNote)
        assert note.playing
        assert len(note.recipe.changes) == number % 2
        runs.append(labs.claim(f"tab {number}", "again", note.recipe.newest, noted=note)[1])
    noted = store.notes.find("tab 0", "sweep")
    assert isinstance(noted, SweepNote)
    labs.go_on_with_sweep("tab 0", "again", noted, "sweep")
    sweep = labs.find_sweep("tab 0", "again")
    assert sweep is not None
    wait_until(lambda: sweep.status.state == "running", "the sweep to go on")
    assert sweep.sweep == SWEEP
    sweep.cancel()
    for run, note in zip(runs, seen, strict=True):
        assert isinstance(note, RunNote)
        wait_until(lambda run=run, note=note: run.status.step >= note.tick, "the run to be where it was")  # type: ignore[misc]
        run.pause()
    for number in (0, 1):
        wait_until(lambda number=number: runs[number].status.state == "paused", "the run to rest")  # type: ignore[misc]
        note = runs[number].note()
        assert note is not None
        alone = undisturbed.claim(f"tab {number}", "alone", experiment(number), noted=note)[1]
        wait_until(lambda alone=alone: alone.status.notice.startswith(AGAIN), "the same run, undisturbed")  # type: ignore[misc]
        assert alone.note() == note
        assert record(alone) == record(runs[number])
    store.close()

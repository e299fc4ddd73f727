"""Sweeps on a real cluster: pause, cancel, workers and schedulers that are killed, workers of another version."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from dask import config
from distributed import Client

from bnviz.engine import sweeps
from bnviz.engine.cluster import Engine, EngineUnavailableError
from bnviz.engine.in_worker import sweep_actor
from bnviz.engine.sweeps import SweepRun
from bnviz.engine.versions import versions
from bnviz.experiment.config import NetworkConfig, TrainingConfig, replace
from bnviz.experiment.sweep import Axis, Sweep, stacks
from bnviz.records.sweep import SweepResults
from tests.running import kill, wait_until, worker_at

ROOT = Path(__file__).parents[2]
SHORT = Sweep(
    (Axis("learning_rate", 0.01, 1.0, 8, "log"), Axis("width", choices=(8, 16))),
    training=TrainingConfig(steps=800),
    network=NetworkConfig(width=8),
)
LONG = replace(SHORT, training=TrainingConfig(steps=20_000))

Start = Callable[..., SweepRun]


@pytest.fixture
def start(engine: Engine) -> Iterator[Start]:
    """Start sweeps that are cancelled when the test ends."""
    runs: list[SweepRun] = []

    def start(sweep: Sweep = SHORT) -> SweepRun:
        runs.append(SweepRun(engine, sweep))
        return runs[-1]

    yield start
    for run in runs:
        run.cancel()


def finished(run: SweepRun) -> SweepResults:
    wait_until(lambda: run.status.state in ("finished", "stopped"), "the end of the sweep")
    assert run.status.state == "finished", run.status.notice
    return run.found()


def running(run: SweepRun, progress: float = 0.0) -> SweepRun:
    wait_until(lambda: run.status.state == "running" and run.status.progress > progress, "the sweep to run")
    return run


def stands(run: SweepRun) -> None:
    """Wait until nothing is trained for a while; a sweep that goes on would never come to that before its end."""

    def rests() -> bool:
        steps = run.found().steps
        time.sleep(10 * sweep_actor.SLICE)
        return np.array_equal(run.found().steps, steps)

    wait_until(rests, "a rest")
    assert run.status.progress < 1


def same(a: SweepResults, b: SweepResults) -> None:
    for name, values in vars(a).items():
        np.testing.assert_array_equal(values, getattr(b, name), err_msg=name)


@pytest.fixture(scope="module")
def expected(mnist: Any) -> SweepResults:
    """What SHORT finds in this process, in the stacks that two workers cut."""
    from bnviz.training.sweep import SweepStack

    experiments, found = SHORT.experiments(), SweepResults.nothing(SHORT.count)
    for members in stacks(experiments, 8, workers=2):
        stack = SweepStack([experiments[i] for i in members], mnist)
        while not stack.finished:
            stack.advance()
        found.take(np.array(members), stack.found)
    return found


class TestASweep:
    def test_finds_on_the_cluster_what_one_process_finds(
        self, start: Start, expected: SweepResults, engine: Engine
    ) -> None:
        run = start()
        same(finished(run), expected)
        status = run.status
        assert (status.progress, status.notice) == (1.0, "")
        wait_until(lambda: not any(engine.load().values()), "the workers to be free")

    def test_shows_all_its_networks_learning_at_the_same_time(self, start: Start) -> None:
        run = start(LONG)
        wait_until(lambda: run.found().steps.min() > 0, "all networks to train")
        assert run.found().steps.max() < LONG.training.steps

    def test_goes_on_after_a_pause_as_if_there_had_been_none(self, start: Start, expected: SweepResults) -> None:
        run = running(start(), 0.1)
        run.pause()
        assert run.status.state == "paused"
        stands(run)
        run.resume()
        same(finished(run), expected)

    def test_trains_no_further_while_nobody_looks(self, start: Start, expected: SweepResults) -> None:
        run = running(start(), 0.1)
        run.hold(True)
        stands(run)
        run.hold(False)
        same(finished(run), expected)

    def test_that_is_cancelled_frees_the_workers_and_keeps_what_it_found(self, start: Start, engine: Engine) -> None:
        run = start(LONG)
        wait_until(lambda: run.found().steps.min() > 0, "all networks to train")
        begin = time.monotonic()
        run.cancel()
        wait_until(lambda: not any(engine.load().values()), "the workers to be free")
        assert time.monotonic() - begin < 5  # measured: 0.2 to 0.6 s, on a busy machine
        assert run.status.state == "cancelled"
        assert np.isfinite(run.found().train_loss).all()
        run.resume()
        assert run.status.state == "cancelled"

    def test_may_be_cancelled_before_it_has_begun(self, start: Start, engine: Engine) -> None:
        run = start(LONG)
        run.cancel()
        assert run.wait(60)
        wait_until(lambda: not any(engine.load().values()), "the workers to be free")

    def test_says_what_is_wrong_where_training_fails(self, engine: Engine) -> None:
        run = SweepRun(engine, replace(SHORT, training=replace(SHORT.training, data="KMNIST")))
        wait_until(lambda: run.status.state == "stopped", "the sweep to stop")
        assert "KMNIST is not on this machine" in run.status.notice
        run.cancel()


class TestAKilledWorker:
    @pytest.mark.parametrize("save_every", [0.0, 1000.0], ids=["resumed", "begun anew"])
    def test_changes_no_bit(
        self, start: Start, expected: SweepResults, engine: Engine, save_every: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sweeps, "SAVE_EVERY", save_every)
        run = running(start(), 0.3)
        worker = next(address for address, actors in engine.load().items() if actors)
        kill(worker_at(engine, worker))
        same(finished(run), expected)

    def test_that_comes_back_gets_its_share(self, start: Start, engine: Engine) -> None:
        run = running(start(LONG), 0.001)
        lost = next(iter(engine.load()))
        kill(worker_at(engine, lost))
        wait_until(lambda: lost not in engine.load(), "the worker to be gone")
        wait_until(lambda: len(engine.load()) == 2 and all(engine.load().values()), "a new worker to have its share")
        assert running(run).status.workers == 2


@pytest.mark.slow
def test_a_lost_scheduler_is_replaced_and_changes_no_bit(expected: SweepResults) -> None:
    engine = Engine()
    try:
        engine.client.wait_for_workers(2)
        run = running(SweepRun(engine, SHORT), 0.2)
        os.kill(engine._cluster.scheduler.process.pid, signal.SIGKILL)
        same(finished(run), expected)
    finally:
        engine.close()


@pytest.mark.slow
def test_a_question_after_the_scheduler_was_lost_is_answered_by_another() -> None:
    """Nothing else runs that would have noticed the loss."""
    engine = Engine()
    try:
        lost = engine._cluster.scheduler.process.pid
        os.kill(lost, signal.SIGKILL)
        wait_until(lambda: engine.client.status != "running", "Dask to notice")
        assert engine.submit(os.getpid).result(timeout=60) != lost
    finally:
        engine.close()


@contextmanager
def dask(*arguments: str, **environment: str) -> Iterator[None]:
    """A `dask` command in the background, ended with all its children."""
    path = os.pathsep.join(filter(None, [environment.pop("PATH_FIRST", ""), str(ROOT)]))
    where = {**os.environ, **environment, "PYTHONPATH": path}
    with subprocess.Popen([sys.executable, "-m", "dask", *arguments, "--no-dashboard"], env=where) as process:
        try:
            yield
        finally:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def scheduler(port: int) -> Iterator[str]:
    with dask("scheduler", "--host", "127.0.0.1", "--port", str(port)):
        wait_until(lambda: answers(port), "the scheduler")
        yield f"tcp://127.0.0.1:{port}"


@contextmanager
def worker(address: str, **environment: str) -> Iterator[None]:
    with dask("worker", address, "--nthreads", "1", "--preload", "bnviz.engine.worker", **environment):
        yield


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found


class TestASharedCluster:
    @pytest.mark.slow
    def test_that_is_lost_keeps_what_is_finished_and_the_rest_can_be_resumed(
        self, port: int, expected: SweepResults, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sweeps, "CLUSTER_PATIENCE", 0.5)
        monkeypatch.setattr("bnviz.engine.cluster.CONNECT_TIMEOUT", 2.0)
        with ExitStack() as after:
            with scheduler(port) as address, worker(address), worker(address):
                engine = Engine(address)
                after.callback(engine.close)
                engine.client.wait_for_workers(2, timeout=60)
                run = running(SweepRun(engine, SHORT), 0.2)
            wait_until(lambda: run.status.state == "stopped", "the sweep to notice")
            assert "The cluster was lost" in run.status.notice
            assert run.found().steps.max() > 0
            after.enter_context(scheduler(port))
            after.enter_context(worker(address))
            run.resume()
            same(finished(run), expected)

    def test_refuses_a_worker_of_another_version(self, port: int, tmp_path: Path) -> None:
        (tmp_path / "sitecustomize.py").write_text(
            "import importlib.metadata as m\n"
            "known = m.version\n"
            "m.version = lambda name: '2.0.1+cu121' if name == 'torch' else known(name)\n"
        )
        with scheduler(port) as address, ExitStack() as known, worker(address, PATH_FIRST=str(tmp_path)):
            known.enter_context(worker(address))
            with Client(address, set_as_default=False) as client:
                client.wait_for_workers(2, timeout=60)
            engine = Engine(address)
            assert len(engine.load()) == len(engine.refused) == 1
            found = finished(SweepRun(engine, replace(SHORT, training=TrainingConfig(steps=20))))
            assert found.steps.min() == 20
            known.close()
            wait_until(lambda: not engine.load(), "the other worker to be gone")
            engine.close()
            with pytest.raises(EngineUnavailableError) as refused:
                Engine(address)
            assert f"it has bnviz {versions()['bnviz']}, torch 2.0.1" in str(refused.value)
            assert f"this app has bnviz {versions()['bnviz']}, torch {versions()['torch']}" in str(refused.value)

    @pytest.mark.skipif(shutil.which("openssl") is None, reason="makes certificates with openssl")
    def test_may_speak_tls_with_dasks_own_settings(self, port: int, tmp_path: Path) -> None:
        ca, key, cert = (str(tmp_path / name) for name in ("ca.pem", "me.key", "me.pem"))
        for command in (
            f"req -x509 -newkey rsa:2048 -nodes -keyout {ca}.key -out {ca} -days 2 -subj /CN=authority",
            f"req -newkey rsa:2048 -nodes -keyout {key} -out {cert}.csr -subj /CN=bnviz",
            f"x509 -req -in {cert}.csr -CA {ca} -CAkey {ca}.key -CAcreateserial -out {cert} -days 2",
        ):
            subprocess.run(["openssl", *command.split()], check=True, capture_output=True)
        mine = ["--tls-ca-file", ca, "--tls-cert", cert, "--tls-key", key]
        address = f"tls://127.0.0.1:{port}"
        with (
            dask("scheduler", "--protocol", "tls", "--host", "127.0.0.1", "--port", str(port), *mine),
            dask("worker", address, "--nthreads", "1", "--preload", "bnviz.engine.worker", *mine),
        ):
            with pytest.raises(EngineUnavailableError, match="tls:// needs certificates"):
                Engine(address)
            own = {"tls.ca-file": ca, "tls.client.cert": cert, "tls.client.key": key, "require-encryption": True}
            with config.set({f"distributed.comm.{name}": value for name, value in own.items()}):
                wait_until(lambda: answers(port), "the scheduler")
                engine = Engine(address)
                assert list(engine.load().values()) == [0]
                engine.close()

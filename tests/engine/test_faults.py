"""Faults of the cluster under runs: workers that are lost, come back or hang, and a scheduler that is lost or hangs."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psutil
import pytest

from bnviz.engine import replayed_trainer
from bnviz.engine.cluster import Engine, EngineUnavailableError
from bnviz.engine.in_worker.trainer_actor import TrainerActor
from bnviz.engine.pulse import NOTICE
from bnviz.engine.replayed_trainer import ReplayedTrainer
from bnviz.engine.run import SILENT, Run
from bnviz.experiment.config import Experiment, replace
from bnviz.records.frames import Focus
from tests.builders import twins
from tests.running import kill, played, reached, record, settled, stepped, wait_until, worker_at, worker_of

TWINS = twins(steps=300)
LONG = twins(steps=100_000)
LOWER_RATE = replace(TWINS, training=replace(TWINS.training, learning_rate=0.05))
Start = Callable[..., Run]


@contextmanager
def runs_of(engine: Engine) -> Iterator[Start]:
    with ExitStack() as stack:

        def start(experiment: Experiment = TWINS, speed: float = 100) -> Run:
            run = Run(engine, experiment)
            stack.callback(run.close)
            run.set_speed(speed)
            return settled(run)

        yield start


@pytest.fixture
def start(engine: Engine) -> Iterator[Start]:
    with runs_of(engine) as start:
        yield start


@pytest.fixture
def undisturbed(start: Start) -> Any:
    run = played(start())
    run.close()
    wait_until(lambda: run.status.state == "closed", "the undisturbed run to close")
    return record(run)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that hangs, and goes on afterwards where it was."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGCONT)


def notices_of(run: Run) -> list[str]:
    """All that the run says from now on."""
    said: list[str] = []
    say = run.say

    def note(notice: str) -> None:
        said.append(notice)
        say(notice)

    run.say = note  # type: ignore[method-assign]
    return said


class TestAWorkerThatHangs:
    @pytest.mark.slow
    def test_is_told_of_and_left_and_nothing_of_what_it_says_late_counts(
        self, start: Start, engine: Engine, undisturbed: Any
    ) -> None:
        run = start()
        said = notices_of(run)
        run.play()
        reached(run, 60)
        with stopped(worker_of(engine)):
            wait_until(lambda: run.status.step >= 150, "the run to go on elsewhere")
            assert run.status.state == "playing"
            fresh = start()
            assert (fresh.status.state, fresh.status.step) == ("paused", 0)  # nobody waits with those who wait
        wait_until(lambda: list(engine.load().values()) == [1, 1], "the late worker to have let go of the run")
        assert said[0] == SILENT
        assert "The run is replayed on another one" in said[1]
        assert "replayed to step" in said[2]
        assert record(played(run)) == undisturbed
        assert record(played(fresh)) == undisturbed

    def test_for_a_moment_only_is_told_of_and_no_more_once_it_answers(self, start: Start, engine: Engine) -> None:
        run = start(LONG)
        run.play()
        reached(run, 1)
        with stopped(worker_of(engine)):
            wait_until(lambda: run.status.notice == SILENT, "the notice")
        wait_until(lambda: run.status.notice == "", "the worker to be heard again")
        reached(run, run.status.step + 20)
        assert run.status.notice == ""

    def test_says_nothing_to_a_run_that_waits_for_nothing(self, start: Start, engine: Engine) -> None:
        run = start()
        (worker,) = [address for address, count in engine.load().items() if count]
        with stopped(worker_of(engine)):
            wait_until(lambda: engine.silence(worker) >= NOTICE, "the silence")
            assert worker not in engine.load()
        wait_until(lambda: worker in engine.load(), "the worker to be heard again")
        assert run.status.notice == ""


class TestANanny:
    @pytest.mark.slow
    def test_that_dies_is_replaced_with_its_worker(self, start: Start, engine: Engine, undisturbed: Any) -> None:
        runs = [start(speed=20) for _ in range(2)]
        for run in runs:
            run.play()
            reached(run, 2)
        before = set(engine.load())
        kill(engine._cluster.workers[0].process.pid)
        wait_until(lambda: len(before & set(engine.load())) == 1, "the worker to end with its nanny")
        wait_until(lambda: len(engine.load()) == 2, "another one to come")
        for run in runs:
            assert record(played(run)) == undisturbed


class TestTheLoad:
    def test_after_a_lost_worker_goes_to_the_new_one_to_the_bit(
        self, start: Start, engine: Engine, undisturbed: Any
    ) -> None:
        runs = [start(speed=20) for _ in range(4)]
        for run in runs[:3]:
            run.play()
            reached(run, 2)
        kill(worker_at(engine, min(engine.load())))
        wait_until(lambda: list(engine.load().values()) in ([4], [0, 3], [3, 0], [0, 4], [4, 0]), "all on the survivor")
        stepped(runs[3], 1)
        wait_until(lambda: list(engine.load().values()) == [2, 2], "the new worker to have its share")
        for run in runs:
            assert record(played(run)) == undisturbed

    def test_counts_no_trainer_whose_worker_was_lost_before_it_was_made(self, engine: Engine) -> None:
        worker = max(engine.load())
        pid = worker_at(engine, worker)
        os.kill(pid, signal.SIGSTOP)
        future = engine.client.submit(TrainerActor, TWINS, None, actor=True, workers=[worker], allow_other_workers=True)
        kill(pid)
        wait_until(lambda: worker not in engine.load(), "the worker to be gone")
        wait_until(lambda: sum(engine.load().values()) == 1, "Dask to make it elsewhere")
        engine.stop(future)
        wait_until(lambda: not any(engine.load().values()), "it to count no more")

    def test_is_known_while_trainers_are_made(self, start: Start, engine: Engine) -> None:
        runs = [Run(engine, TWINS) for _ in range(6)]
        for run in runs:
            settled(run)
        assert list(engine.load().values()) == [3, 3]
        for run in runs:
            run.close()


class TestASavedTrainer:
    def test_spares_the_replay_and_changes_no_bit(
        self, start: Start, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(replayed_trainer, "SAVE_EVERY", 0.01)
        expected = stepped(start(), 40)
        expected.edit(LOWER_RATE, keep_weights=True)
        expected = played(expected)
        before = record(expected)
        expected.close()
        wait_until(lambda: not any(engine.load().values()), "the undisturbed run to be gone")

        run = stepped(start(), 40)
        run.edit(LOWER_RATE, keep_weights=True)
        run.play()
        reached(run, 120)
        trainer: Any = run._trainer._here()._trainer
        begun: list[int] = []
        repeat = trainer._repeat

        def note(frame: Any, tick: int) -> Any:
            begun.append(frame.tick)
            return repeat(frame, tick)

        trainer._repeat = note
        kill(worker_of(engine))
        wait_until(lambda: "replayed to" in run.status.notice, "the replay")
        assert begun[0] > 40  # and the change made before is no more repeated either
        assert len(begun) == 1
        assert record(played(run)) == before

    @pytest.mark.parametrize("tick", [100, 45])  # after the last time it was saved, and before
    def test_lets_another_one_begin_where_it_was(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch, tick: int
    ) -> None:
        monkeypatch.setattr(replayed_trainer, "SAVE_EVERY", 0.0)
        one, other = (ReplayedTrainer(engine, None) for _ in range(2))
        try:
            frames = [one.start(LONG, Focus())]
            while frames[-1].tick < 90:
                frames.append(one.advance(5, None, evaluate=False, focus=Focus()))
            saved = one.saved
            assert saved.tick == 90
            monkeypatch.setattr(replayed_trainer, "SAVE_EVERY", 1e9)
            goal = next((f for f in frames if f.tick == tick), None) or one.advance(
                10, None, evaluate=False, focus=Focus()
            )
            assert goal.tick == tick
            other.resume(LONG, (), goal, saved)
            assert other.saved.tick == (90 if tick > 90 else 0)
            expected = one.advance(5, None, evaluate=True, focus=Focus()) if tick > 90 else frames[tick // 5 + 1]
            found = other.advance(5, None, evaluate=tick > 90, focus=Focus())
            assert found.tick == expected.tick
            for mine, theirs in zip(found.variants, expected.variants, strict=True):
                assert mine.losses.tobytes() == theirs.losses.tobytes()
                assert mine.next_loss == theirs.next_loss
        finally:
            one.stop()
            other.stop()

    def test_that_is_too_large_is_replayed_from_its_beginning(
        self, start: Start, engine: Engine, undisturbed: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(replayed_trainer, "SAVE_EVERY", 0.01)
        engine.client.run(_set_most_saved, 0)
        try:
            run = start()
            run.play()
            reached(run, 60)
            kill(worker_of(engine))
            assert record(played(run)) == undisturbed
        finally:
            engine.client.run(_set_most_saved, 8 * 2**20)


def _set_most_saved(most: int) -> None:
    from bnviz.engine.in_worker import trainer_actor

    trainer_actor.SAVED_BYTES = most


class TestAScheduler:
    @pytest.mark.slow
    @pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["that dies", "that hangs"])
    def test_is_replaced_and_no_run_loses_anything(self, fault: int, undisturbed: Any) -> None:
        neighbours = set(psutil.Process().children(recursive=True))
        engine = Engine()
        with ExitStack() as stack:
            stack.callback(engine.close)
            start = stack.enter_context(runs_of(engine))
            runs = [start(speed=20) for _ in range(3)]
            said = notices_of(runs[0])
            for run in runs[:2]:
                run.play()
                reached(run, 10)
            lost = set(psutil.Process().children(recursive=True)) - neighbours
            begin = time.monotonic()
            os.kill(engine.client.run_on_scheduler(os.getpid), fault)
            wait_until(lambda: said, "the notice")
            wait_until(lambda: runs[0].status.step > 12, "the run to go on")
            assert time.monotonic() - begin < 40  # on an idle machine under eight, or ten where it hangs
            assert (said[0] == SILENT) == (fault == signal.SIGSTOP)
            for run in runs:
                assert record(played(run)) == undisturbed
            assert sum(engine.load().values()) == 3
            wait_until(lambda: not any(is_alive(process) for process in lost), "the lost cluster to end")
        with pytest.raises(EngineUnavailableError, match="closed"):
            engine.start(TWINS)


def is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False

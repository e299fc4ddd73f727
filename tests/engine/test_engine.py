"""Runs on a real cluster: what the transport does, live edits, workers that are killed, and where runs execute."""

import gc
import json
import logging
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from distributed import Client

from bnviz.engine import cluster as cluster_module
from bnviz.engine import rhythm
from bnviz.engine import run as run_module
from bnviz.engine.cluster import Engine, EngineUnavailableError
from bnviz.engine.run import Run
from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, Variant, replace
from bnviz.records.questions import InputsOfLayer
from tests.builders import twins
from tests.running import (
    ended,
    kill,
    played,
    reached,
    record,
    settled,
    stepped,
    wait_until,
    worker_at,
    worker_of,
)

ROOT = Path(__file__).parents[2]
TWINS = twins(steps=300)  # a frame is kept every 20 steps
LONG = twins(steps=100_000)
XAVIER = TWINS.with_variant(0, Variant(NetworkConfig(width=12, init="xavier_normal")))
LOWER_RATE = replace(TWINS, training=replace(TWINS.training, learning_rate=0.05))

ANSWER = 120  # seconds to wait for one
Start = Callable[..., Run]


@pytest.fixture
def start(engine: Engine) -> Iterator[Start]:
    """Start runs that are closed when the test ends."""
    runs: list[Run] = []

    def start(experiment: Experiment = TWINS, speed: float | None = None) -> Run:
        run = Run(engine, experiment)
        runs.append(run)
        if speed is not None:
            run.set_speed(speed)
        return settled(run)

    yield start
    for run in runs:
        run.close()


def losses(run: Run, place: int) -> np.ndarray:
    return run.view().variants[place].losses


def kept(run: Run, place: int) -> list[int]:
    return [frame.step for frame in run.view().variants[place].frames]


def markers(run: Run) -> list[tuple[str, dict[int, int]]]:
    """The label of each marker, and the step at which each variant has it."""
    return [(marker.label, {i: step for i, (step, _) in marker.at.items()}) for marker in run.view().markers]


class TestTransport:
    def test_a_run_opens_paused_at_step_0_with_a_frame(self, start: Start) -> None:
        run = start()
        latest = run.view().latest
        assert (run.status.state, run.status.step, run.status.notice) == ("paused", 0, "")
        assert latest is not None
        assert (latest.step, latest.tick, latest.finished) == (0, 0, False)
        for variant in latest.variants:
            assert len(variant.losses) == 0
            assert variant.next_loss > 0
            assert variant.test_loss > 0
            assert len(variant.layers) == 1
        assert [kept(run, place) for place in (0, 1)] == [[0], [0]]

    def test_it_plays_to_the_end_and_keeps_its_frames(self, start: Start) -> None:
        run = played(start())
        assert run.status.step == 300
        assert run.status.state not in ("starting", "playing")
        for place in (0, 1):
            assert kept(run, place) == list(range(0, 301, 20))
            assert len(losses(run, place)) == 300
            assert losses(run, place)[-50:].mean() < losses(run, place)[:50].mean()

    def test_pause_stops_it_between_two_steps(self, start: Start) -> None:
        run = start(speed=100)
        run.play()
        reached(run, 5).pause()
        step = settled(run).status.step
        assert run.status.state == "paused"
        assert run.status.state not in ("starting", "playing")
        latest = run.view().latest
        assert latest is not None
        assert [v.tested for v in latest.variants] == [step, step]  # what stays on the screen is of this very step
        stepped(run, 1)
        assert run.status.step == step + 1

    def test_a_single_step_is_one_batch(self, start: Start) -> None:
        run = start()
        for step in range(1, 4):
            stepped(run, 1)
            assert (run.status.state, run.status.step) == ("paused", step)
            assert len(losses(run, 0)) == len(losses(run, 1)) == step

    def test_single_steps_and_playing_give_the_same_losses(self, start: Start) -> None:
        experiment = twins(steps=30)
        assert record(stepped(start(experiment), 30)) == record(played(start(experiment)))

    def test_what_is_asked_of_it_while_it_starts_is_done_in_order(self, engine: Engine) -> None:
        run = Run(engine, TWINS)
        run.step()
        run.step()
        run.edit(LOWER_RATE, keep_weights=True)
        run.step()
        settled(run).close()
        assert run.status.step == 3
        assert markers(run) == [("learning rate 0.05", {0: 2, 1: 2})]

    def test_reset_goes_back_to_the_same_weights_and_batches(self, start: Start) -> None:
        run = played(start())
        before = record(run)
        run.reset()
        settled(run)
        assert (run.status.state, run.status.step) == ("paused", 0)
        assert kept(run, 0) == [0]
        assert len(losses(run, 0)) == 0
        assert record(played(run)) == before

    def test_reset_goes_on_playing(self, start: Start) -> None:
        run = start(speed=200)
        run.play()
        reached(run, 20).reset()
        settled(run)
        assert run.status.state == "playing"
        assert run.status.step < 300
        assert record(ended(run)) == record(played(start()))

    def test_a_paced_run_has_the_losses_of_one_at_full_speed(self, start: Start) -> None:
        paced = start(speed=200)
        paced.play()
        ended(paced)
        assert record(paced) == record(played(start()))

    def test_a_pace_holds_roughly(self, start: Start) -> None:
        run = start(LONG, speed=50)
        run.play()
        reached(run, 1)
        begin, step = time.monotonic(), run.status.step
        reached(run, step + 125)
        seconds = time.monotonic() - begin
        pace = (run.status.step - step) / seconds
        assert 25 < pace < 75
        assert 25 < run.status.steps_per_second < 75

    def test_a_new_pace_holds_from_then_on(self, start: Start) -> None:
        run = start(LONG, speed=1)
        run.play()
        reached(run, 1).set_speed(np.inf)
        reached(run, 2000).set_speed(1)
        settled(run)
        step = run.status.step
        reached(run, step + 1)
        assert run.status.step < step + 5

    def test_nothing_moves_a_finished_run_but_a_reset(self, start: Start) -> None:
        run = played(start())
        before = record(run)
        run.play()
        run.step()
        run.pause()
        settled(run)
        assert run.status.state == "finished"
        assert record(run) == before


class TestEdits:
    def test_a_changed_variant_restarts_and_catches_up_while_the_other_keeps_its_curve(self, start: Start) -> None:
        run = stepped(start(), 30)
        before = losses(run, 1)
        run.edit(XAVIER)
        settled(run)
        assert run.status.catching_up
        assert run.status.step == 0
        assert len(losses(run, 0)) == 0
        np.testing.assert_array_equal(losses(run, 1), before)
        played(run)
        assert markers(run) == []
        assert run.view().experiment == XAVIER
        fresh, plain = played(start(XAVIER)), played(start())
        np.testing.assert_allclose(losses(run, 0)[:50], losses(fresh, 0)[:50], rtol=0, atol=1e-4)
        np.testing.assert_allclose(losses(run, 1)[:50], losses(plain, 1)[:50], rtol=0, atol=1e-4)
        assert [len(losses(run, place)) for place in (0, 1)] == [300, 300]
        assert kept(run, 0) == kept(run, 1) == list(range(0, 301, 20))

    def test_an_edit_takes_effect_while_it_plays(self, start: Start) -> None:
        run = start(speed=200)
        run.play()
        reached(run, 40).edit(XAVIER)
        assert settled(run).status.state == "playing"
        ended(run)
        fresh = played(start(XAVIER))
        np.testing.assert_allclose(losses(run, 0)[:50], losses(fresh, 0)[:50], rtol=0, atol=1e-4)

    def test_keeping_the_weights_leaves_a_marker_and_both_curves(self, start: Start) -> None:
        run = stepped(start(), 30)
        before = [losses(run, place) for place in (0, 1)]
        run.edit(LOWER_RATE, keep_weights=True)
        settled(run)
        assert run.status.step == 30
        assert markers(run) == [("learning rate 0.05", {0: 30, 1: 30})]
        played(run)
        for place in (0, 1):
            np.testing.assert_array_equal(losses(run, place)[:30], before[place])
            assert len(losses(run, place)) == 300
        assert record(run) != record(played(start()))

    def test_batchnorm_can_be_switched_on_in_a_trained_network(self, start: Start) -> None:
        run = stepped(start(), 10)
        run.edit(TWINS.with_variant(0, Variant(NetworkConfig(width=12), BatchNormConfig())), keep_weights=True)
        played(run)
        assert markers(run) == [("A: batchnorm on", {0: 10, 1: 10})]
        assert "normalized" in run.view().variants[0].frames[-1].layers[0].histograms

    def test_changed_training_without_the_weights_restarts_all(self, start: Start) -> None:
        run = stepped(start(), 30)
        run.edit(LOWER_RATE)
        settled(run)
        assert (run.status.state, run.status.step) == ("paused", 0)
        assert markers(run) == []
        assert record(played(run)) == record(played(start(LOWER_RATE)))

    def test_a_variant_can_be_added_and_taken_away(self, start: Start) -> None:
        run = stepped(start(), 30)
        run.edit(replace(TWINS, variants=(*TWINS.variants, Variant(NetworkConfig(width=8)))))
        assert [len(v.losses) for v in settled(run).view().variants] == [30, 30, 0]
        run.edit(TWINS)
        assert [len(v.losses) for v in settled(run).view().variants] == [30, 30]
        assert record(played(run))[1:] == record(played(start()))[1:]

    def test_an_edit_that_changes_nothing_leaves_everything(self, start: Start) -> None:
        run = stepped(start(), 5)
        before = record(run)
        run.edit(TWINS)
        settled(run)
        assert record(run) == before

    def test_a_finished_run_goes_on_by_itself_with_a_changed_variant(self, start: Start) -> None:
        run = played(start())
        run.edit(XAVIER)
        assert settled(run).status.step < 300
        assert len(losses(ended(run), 0)) == 300

    def test_a_reset_after_an_edit_has_the_edited_settings(self, start: Start) -> None:
        run = stepped(start(), 5)
        run.edit(LOWER_RATE, keep_weights=True)
        run.reset()
        assert record(played(run)) == record(played(start(LOWER_RATE)))


EDITS = {"no edit": None, "weights kept": (LOWER_RATE, True), "one variant restarted": (XAVIER, False)}


class TestQuestions:
    def test_are_answered_while_training_and_change_nothing(
        self, start: Start, undisturbed: Callable[..., Any]
    ) -> None:
        expected = undisturbed()
        run = start()
        run.play()
        for _ in range(3):
            inputs = run.inspect(InputsOfLayer(1, 0, (0, 3), 40)).result(ANSWER)
            assert inputs.values.shape == (40, 2)
        assert record(played(run)) == expected

    def test_that_are_wrong_are_refused_and_stop_no_run(self, start: Start) -> None:
        run = start()
        with pytest.raises(ValueError, match="units: give 0 to 11"):
            run.inspect(InputsOfLayer(0, 0, (12,), 5)).result(ANSWER)
        played(run)

    def test_are_answered_by_another_worker_where_the_first_is_lost(self, start: Start, engine: Engine) -> None:
        run = stepped(start(), 5)
        before = run.inspect(InputsOfLayer(0, 0, (1,), 8)).result(ANSWER)
        kill(worker_of(engine))
        after = run.inspect(InputsOfLayer(0, 0, (1,), 8)).result(ANSWER)
        assert after.values.tobytes() == before.values.tobytes()

    def test_that_wait_when_the_run_fails_leave_its_reason_alone(
        self, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = stepped(start(), 1)

        def fails(*_: object) -> None:
            question = run.inspect(InputsOfLayer(0, 0, (1,), 8))
            questions.append(question)
            raise ArithmeticError("of the trainer's own")

        questions: list[Any] = []
        monkeypatch.setattr(run, "_single_step", fails)
        run.step()
        wait_until(lambda: run.status.state == "failed", "the failure")
        settled(run)
        assert questions[0].cancelled()
        assert run.status.notice == "Training stopped: ArithmeticError: of the trainer's own"

    def test_to_a_run_that_ends_are_not_left_open(self, start: Start) -> None:
        run = start()
        run.close()
        with pytest.raises((ConnectionError, CancelledError)):
            run.inspect(InputsOfLayer(0, 0, (1,), 8)).result(ANSWER)


@pytest.fixture
def undisturbed(start: Start) -> Callable[[tuple[Experiment, bool] | None], Any]:
    """The record of a run that was edited at step 30 and then went to its end on one worker."""

    def undisturbed(edit: tuple[Experiment, bool] | None = None) -> Any:
        run = stepped(start(), 30)
        if edit is not None:
            run.edit(*edit)
        before = record(played(run))
        run.close()
        wait_until(lambda: run.status.state == "closed", "the undisturbed run to close")
        return before

    return undisturbed


def assert_replayed(run: Run, step: int | None = None) -> None:
    assert "worker stopped" in run.status.notice
    assert "replayed to step" in run.status.notice
    assert run.status.noticed > 0
    if step is not None:
        assert f"replayed to step {step:,} " in run.status.notice
    for variant in run.view().variants:
        assert np.all(np.diff(variant.seconds) >= 0)
        assert np.all(np.diff(variant.frame_seconds) >= 0)


class TestALostWorker:
    @pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
    def test_in_mid_run_costs_nothing(
        self, start: Start, engine: Engine, undisturbed: Callable[..., Any], edit: tuple[Experiment, bool] | None
    ) -> None:
        expected = undisturbed(edit)
        run = stepped(start(speed=100), 30)
        if edit is not None:
            run.edit(*edit)
        run.play()
        reached(run, 60)
        kill(worker_of(engine))
        wait_until(lambda: "replayed to" in run.status.notice, "the replay")
        assert run.status.state == "playing"
        assert run.status.step < 300
        played(run)
        assert_replayed(run)
        assert record(run) == expected

    def test_of_a_paused_run_is_not_noticed_by_the_next_step(
        self, start: Start, engine: Engine, undisturbed: Callable[..., Any]
    ) -> None:
        expected = undisturbed()
        run = stepped(start(), 30)
        kill(worker_of(engine))
        stepped(run, 1)
        assert (run.status.state, run.status.step) == ("paused", 31)
        assert_replayed(run, 30)
        assert record(played(run)) == expected

    @pytest.mark.parametrize("edit", [EDITS["weights kept"], EDITS["one variant restarted"]], ids=list(EDITS)[1:])
    def test_in_the_moment_of_an_edit_loses_no_edit(
        self, start: Start, engine: Engine, undisturbed: Callable[..., Any], edit: tuple[Experiment, bool]
    ) -> None:
        expected = undisturbed(edit)
        run = stepped(start(), 30)
        worker = worker_of(engine)
        os.kill(worker, signal.SIGSTOP)  # the edit reaches it, and is never answered
        run.edit(*edit)
        wait_until(lambda: run._messages.empty(), "the edit to be sent")
        kill(worker)
        settled(run)
        assert_replayed(run, 30)
        assert run.view().experiment == edit[0]
        assert record(played(run)) == expected

    def test_during_the_replay_of_another_one_costs_nothing(
        self, start: Start, engine: Engine, undisturbed: Callable[..., Any]
    ) -> None:
        expected = undisturbed()
        run = stepped(start(), 30)
        lost: list[int] = []
        trainer: Any = run._trainer._here()._trainer
        repeat = trainer._repeat

        def lose_one_more(frame: Any, tick: int) -> Any:
            if len(lost) == 1:
                lost.append(worker_of(engine))
                kill(lost[-1])
            return repeat(frame, tick)

        trainer._repeat = lose_one_more
        lost.append(worker_of(engine))
        kill(lost[0])
        stepped(run, 1)
        assert len(set(lost)) == 2
        assert run.status.step == 31
        assert record(played(run)) == expected

    def test_together_with_all_the_others_only_takes_longer(
        self, start: Start, engine: Engine, undisturbed: Callable[..., Any]
    ) -> None:
        expected = undisturbed()
        runs = [stepped(start(speed=20), 30) for _ in range(3)]
        for run in runs:
            run.play()
            reached(run, 32)
        kill(*engine.client.run(os.getpid).values())
        for run in runs:
            assert record(played(run)) == expected
            assert_replayed(run)

    def test_time_and_again_ends_the_run_until_it_is_reset(
        self, start: Start, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(run_module, "RETRIES", 1)
        run = stepped(start(), 30)
        killed: list[int] = []

        def deadly() -> None:
            run._recover()
            killed.append(worker_of(engine))
            kill(killed[-1])
            run._ask(1)

        run._tell(deadly)
        settled(run)
        assert len(set(killed)) == 2
        assert run.status.state == "failed"
        assert run.status.notice == "Training stopped: the worker was lost 2 times in a row. Reset starts over."
        assert run.status.state not in ("starting", "playing")
        run.reset()
        settled(run)
        assert (run.status.state, run.status.step) == ("paused", 0)
        assert record(played(run)) == record(played(start()))


class TestARealError:
    @pytest.fixture(autouse=True)
    def quiet(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.CRITICAL, "distributed")

    @pytest.fixture
    def forged(self) -> Experiment:
        """Settings that pass for valid ones until a worker makes a network of them."""
        network = NetworkConfig(width=12)
        object.__setattr__(network, "activation", "bogus")
        return TWINS.with_variant(0, Variant(network))

    def test_stops_the_run_with_its_words_and_does_not_repeat(self, start: Start, forged: Experiment) -> None:
        run = start(speed=100)
        run.play()
        reached(run, 5).edit(forged)
        wait_until(lambda: run.status.state == "failed", "the run to fail")
        settled(run)
        assert run.status.notice.startswith("Training stopped: ")
        assert "bogus" in run.status.notice
        assert run.status.state not in ("starting", "playing")
        noticed, before = run.status.noticed, record(run)
        run.play()
        run.step()
        settled(run)
        assert run.status.state == "failed"
        assert run.status.noticed == noticed
        assert record(run) == before

    def test_leaves_nothing_on_the_worker(self, start: Start, engine: Engine, forged: Experiment) -> None:
        run = start()
        run.edit(forged)
        settled(run)
        wait_until(lambda: not any(engine.load().values()), "the trainer to be freed")
        assert run.status.state == "failed"

    def test_is_over_with_the_next_good_edit(self, start: Start, forged: Experiment) -> None:
        run = stepped(start(), 30)
        run.edit(forged)
        run.edit(XAVIER)
        settled(run)
        assert run.status.state == "paused"
        assert run.view().experiment == XAVIER
        played(run)
        expected = stepped(start(), 30)
        expected.edit(XAVIER)
        assert record(run) == record(played(expected))

    def test_at_the_start_is_over_with_the_next_good_edit_too(self, engine: Engine, forged: Experiment) -> None:
        run = settled(Run(engine, forged))
        assert run.status.state == "failed"
        assert run.view().latest is None
        run.edit(TWINS)
        settled(run).close()
        assert (run.view().experiment, kept(run, 0)) == (TWINS, [0])

    def test_may_be_that_the_worker_lacks_the_digits(self, engine: Engine) -> None:
        """Until they are there, or others are chosen."""
        run = settled(Run(engine, TWINS))
        run.edit(replace(TWINS, training=replace(TWINS.training, data="KMNIST")))
        settled(run)
        assert run.status.state == "failed"
        assert run.status.notice == (
            "Training stopped: KMNIST is not on this machine. Download it in the live lab, or with "
            "python -m bnviz data download KMNIST."
        )
        run.edit(TWINS)
        assert stepped(settled(run), 1).status.step == 1
        run.close()


class TestManyRuns:
    def test_ten_share_two_workers_evenly(self, start: Start, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rhythm, "UNWATCHED_INTERVAL", 0.02)  # many turns each in a few seconds
        runs = [start(LONG) for _ in range(10)]
        assert list(engine.load().values()) == [5, 5]
        for run in runs:
            run.play()
        for run in runs:
            reached(run, 1)
        begin = np.array([run.status.step for run in runs])
        wait_until(lambda: sum(run.status.step for run in runs) >= begin.sum() + 20_000, "ten runs to train a while")
        steps = np.array([run.status.step for run in runs]) - begin
        assert steps.min() >= steps.mean() / 2

    def test_a_closed_run_is_freed_without_garbage_collection(self, start: Start, engine: Engine) -> None:
        runs = [start(LONG) for _ in range(4)]
        for run in runs[:2]:
            run.play()
        assert sum(engine.load().values()) == 4
        gc.disable()
        try:
            for run in runs:
                run.close()
            wait_until(lambda: not any(engine.load().values()), "the scheduler to forget the trainers")
            wait_until(
                lambda: not any(engine.client.run(lambda dask_worker: len(dask_worker.state.actors)).values()),
                "the workers to free the trainers",
            )
        finally:
            gc.enable()
        wait_until(lambda: all(run.status.state == "closed" for run in runs), "the runs to close")
        for run in runs:
            assert run.status.state not in ("starting", "playing")

    def test_a_run_may_be_closed_before_it_has_started(self, engine: Engine) -> None:
        run = Run(engine, TWINS)
        run.close()
        wait_until(lambda: run.status.state == "closed", "the run to close")
        wait_until(lambda: not any(engine.load().values()), "its trainer to be freed")


class TestTheEmbeddedCluster:
    def test_trains_with_one_thread_a_worker_behind_everything_else(self, engine: Engine) -> None:
        def settings() -> tuple[int, int]:
            import torch

            return os.nice(0), torch.get_num_threads()

        assert list(engine.client.run(settings).values()) == [(10, 1)] * 2

    @pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="says how glibc reuses memory")
    def test_profiles_neither_its_workers_nor_its_scheduler(self, engine: Engine) -> None:
        def profiles(dask_worker: Any) -> bool:
            return "profile" in dask_worker.periodic_callbacks

        def profiler(dask_scheduler: Any) -> object:
            import dask

            return dask.config.get("distributed.worker.profile.enabled")

        assert not any(engine.client.run(profiles).values())
        assert engine.client.run_on_scheduler(profiler) is False

    def test_reuses_the_memory_of_activations(self, engine: Engine) -> None:
        """With Dask's own setting each of these pieces was new, and LeNet took four times as long."""

        def faults(pieces: int) -> int:
            import resource

            import torch

            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            for _ in range(pieces):
                torch.ones(8 * 2**20 // 4)
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

        first, others = (sum(engine.client.run(faults, pieces).values()) for pieces in (1, 50))
        assert others < 10 * max(first, 4_000)

    def test_has_the_digits_in_memory_before_a_run_asks_for_them(self, start: Start, engine: Engine) -> None:
        def sets() -> int:
            from bnviz.engine.in_worker.trainer_actor import batches

            return batches.cache_info().currsize

        start()
        start()
        assert list(engine.client.run(sets).values()) == [1, 1]

    def test_ends_no_worker_for_its_memory(self, engine: Engine) -> None:
        limits = engine.client.run(lambda dask_worker: dask_worker.memory_manager.memory_limit, nanny=True)
        assert list(limits.values()) == [None, None]

    def test_has_no_scheduler_that_hangs_when_nobody_reads_what_it_says(self, engine: Engine) -> None:
        assert engine.client.run_on_scheduler(os.path.sameopenfile, 1, 2)

    def test_says_when_it_cannot_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(EngineUnavailableError, match="the cluster of this machine"):
            Engine()

    def test_ends_when_its_owner_is_killed(self) -> None:
        script = (
            "import psutil, signal\n"
            "from bnviz.engine.cluster import Engine\n"
            "engine = Engine()\n"
            "engine.client.wait_for_workers(2)\n"
            "print(*(p.pid for p in psutil.Process().children(recursive=True)), flush=True)\n"
            "signal.pause()\n"
        )
        with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
            assert owner.stdout is not None
            processes = [psutil.Process(int(pid)) for pid in owner.stdout.readline().split()]
            assert len(processes) >= 5  # the scheduler, two nannies and their workers
            owner.kill()
            wait_until(lambda: not any(is_alive(process) for process in processes), "the cluster to end")

    def test_ends_also_where_dask_has_lost_count_of_its_workers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        neighbours = set(psutil.Process().children(recursive=True))
        engine = Engine()

        def is_unknown(op: str, worker: str) -> None:
            raise KeyError(worker)

        monkeypatch.setattr(engine._cluster, "_update_worker_status", is_unknown)  # as when a worker is removed twice
        processes = set(psutil.Process().children(recursive=True)) - neighbours
        assert len(processes) >= 5  # the scheduler, two nannies and their workers
        engine.close()
        wait_until(lambda: not any(is_alive(process) for process in processes), "the cluster to end")

    def test_leaves_torch_out_of_the_web_process(self) -> None:
        script = (
            "import sys\n"
            "from tests.builders import twins\n"
            "from tests.running import played\n"
            "from bnviz.engine.cluster import Engine\n"
            "from bnviz.engine.run import Run\n"
            "engine = Engine()\n"
            "run = played(Run(engine, twins(steps=50)))\n"
            "run.close()\n"
            "engine.close()\n"
            "print(run.status.step, [n for n in ('torch', 'torchvision', 'streamlit') if n in sys.modules])\n"
        )
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
        assert done.stdout == "50 []\n", done.stderr


def is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@contextmanager
def dask(*arguments: str) -> Iterator[None]:
    """A `dask` command in the background, ended with all its children."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-m", "dask", *arguments], env=environment) as process:
        try:
            yield
        finally:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()


class TestASharedCluster:
    def test_that_does_not_answer_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cluster_module, "CONNECT_TIMEOUT", 1.0)
        with pytest.raises(EngineUnavailableError, match=r"BNVIZ_SCHEDULER=tcp://127\.0\.0\.1:1\b"):
            Engine("tcp://127.0.0.1:1")

    def test_that_is_something_else_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cluster_module, "CONNECT_TIMEOUT", 1.0)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
            with pytest.raises(EngineUnavailableError, match=f"BNVIZ_SCHEDULER={address}"):
                Engine(address)

    @pytest.mark.parametrize("address", ["nonsense", "tcp://127.0.0.1:port", "http://127.0.0.1:8786"])
    def test_whose_address_is_none_is_named(self, address: str) -> None:
        with pytest.raises(EngineUnavailableError, match=f"BNVIZ_SCHEDULER={address}"):
            Engine(address)

    def test_that_does_not_answer_leaves_no_client_to_be_collected(self) -> None:
        def clients() -> int:
            return sum(type(thing) is Client for thing in gc.get_objects())

        before = clients()
        with pytest.raises(EngineUnavailableError):
            Engine("nonsense")
        assert clients() == before

    def test_trains_and_outlives_the_engine(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        contact = tmp_path / "scheduler.json"
        with ExitStack() as stack:
            quiet = ["--no-dashboard"]
            stack.enter_context(
                dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(contact), *quiet)
            )
            wait_until(contact.exists, "the scheduler")
            wait_until(lambda: contact.read_text().endswith("}"), "the scheduler's address")
            address = json.loads(contact.read_text())["address"]
            stack.enter_context(dask("worker", address, "--nthreads", "1", "--preload", "bnviz.engine.worker", *quiet))
            monkeypatch.setenv("BNVIZ_SCHEDULER", address)
            engine = Engine.from_environment()
            run = played(Run(engine, TWINS))
            assert kept(run, 1) == list(range(0, 301, 20))
            (worker,) = engine.load()
            pid = worker_at(engine, worker)
            run.close()
            engine.close()
            with Client(address, set_as_default=False) as client:
                assert client.run(os.getpid) == {worker: pid}
                wait_until(
                    lambda: not any(client.run(lambda dask_worker: len(dask_worker.state.actors)).values()),
                    "the shared worker to free the trainer",
                )

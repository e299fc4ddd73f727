"""What is under way is found again by another server: runs to the bit, sweeps without training a network twice."""

from collections.abc import Callable, Iterator
from typing import TypeVar, cast

import numpy as np
import pytest

from bnviz.engine import sweeps
from bnviz.engine.cluster import Engine
from bnviz.engine.labs import GRACE, Labs
from bnviz.engine.run import Run
from bnviz.engine.sweeps import SweepRun
from bnviz.experiment.config import TrainingConfig, replace
from bnviz.experiment.scenario import Scenario
from bnviz.experiment.sweep import Axis, Sweep
from bnviz.records.notes import RunNote, SweepNote
from bnviz.records.recipe import Recipe
from bnviz.records.sweep import SweepResults
from bnviz.store.notes import FRESH, Notes
from bnviz.store.store import Store
from bnviz.ui.web.memory import Memory
from tests.builders import twins
from tests.engine.test_scenario import SCENARIO
from tests.running import ended, plain, reached, record, settled, stepped, wait_until

TWINS = twins(steps=300)
SWEEP = Sweep((Axis("learning_rate", 0.01, 1.0, 4, "log"),), training=TrainingConfig(steps=400))
Reborn = Callable[[], Labs]
N = TypeVar("N", RunNote, SweepNote)


@pytest.fixture
def reborn(engine: Engine, monkeypatch: pytest.MonkeyPatch, store: Store) -> Iterator[Reborn]:
    """Labs of one server after another, with one memory and no film in common."""
    monkeypatch.setattr(engine, "close", lambda: None)
    made: list[Labs] = []

    def reborn() -> Labs:
        made.append(Labs(engine, GRACE, Memory(lambda: store)))
        return made[-1]

    yield reborn
    for labs in made:
        labs.close()


def through(store: Store, note: N | None) -> N:
    """The note as another process reads it."""
    assert note is not None
    store.notes.write({("tab", "live"): note})
    found = store.notes.find("tab", "live")
    assert found == note
    return found


def went_on(labs: Labs, note: RunNote) -> Run:
    _, run = labs.claim("tab", "owner", TWINS, noted=note)
    wait_until(lambda: run.status.notice.startswith("The run was trained again"), "the run to be where it was")
    return run


def test_a_run_that_was_changed_goes_on_where_it_was(reborn: Reborn, store: Store) -> None:
    _, run = reborn().claim("tab", "owner", TWINS)
    first = run.experiment.with_variant(0, replace(TWINS.variants[0], batchnorm=TWINS.variants[1].batchnorm))
    stepped(run, 37)
    run.edit(first, keep_weights=True)
    stepped(run, 44)
    run.edit(TWINS)  # the first network starts over
    stepped(run, 21)
    note = through(store, run.note())
    assert [tick for tick, _ in note.recipe.changes] == [37, 81]
    again = went_on(reborn(), note)
    assert record(again) == record(run)
    assert again.status.state == "paused"
    assert again.history.kept_as == run.history.kept_as
    assert [record(ended_at_full_speed(each)) for each in (run, again)][1] == record(run)


def ended_at_full_speed(run: Run) -> Run:
    run.set_speed(float("inf"))
    run.play()
    return ended(run)


def test_a_run_that_plays_goes_on_playing_at_its_speed(reborn: Reborn, store: Store) -> None:
    experiment = twins(steps=100_000)
    _, run = reborn().claim("tab", "owner", experiment)
    run.set_speed(50.0)
    run.play()
    reached(run, 60)
    note = through(store, run.note())
    again = went_on(reborn(), note)
    assert (again.speed, again.status.state) == (50.0, "playing")
    assert reached(again, note.tick + 10).status.step < note.tick + 1000


def test_a_run_goes_on_between_two_frames_of_a_film(reborn: Reborn, store: Store) -> None:
    _, first = reborn().claim("another tab", "another", TWINS)
    ended_at_full_speed(first)
    wait_until(lambda: count(store, "films") == 1, "the film")
    _, run = reborn().claim("tab", "owner", TWINS)
    stepped(run, 37)  # a frame is kept every 20 steps
    again = went_on(reborn(), through(store, run.note()))
    assert record(again) == record(run)
    assert again.status.step == 37


def test_a_run_that_is_trained_again_is_noted_as_what_it_was(reborn: Reborn, store: Store) -> None:
    recipe = Recipe(twins(steps=100_000))
    note = RunNote(recipe, 20_000, True, 200.0, "its-id")
    _, run = reborn().claim("tab", "owner", TWINS, noted=note)
    wait_until(lambda: run.status.step > 100, "steps")
    assert run.status.step < note.tick
    assert run.note() == note
    run.reset()
    wait_until(lambda: (now := run.note()) is not None and now.tick < 1000 and not run.status.busy, "the reset")


def test_a_run_that_is_over_is_there_again(reborn: Reborn, store: Store) -> None:
    _, run = reborn().claim("tab", "owner", TWINS)
    ended_at_full_speed(run)
    again = went_on(reborn(), through(store, run.note()))
    assert record(ended(again)) == record(run)


def test_a_run_with_changes_of_its_own_makes_them_again(reborn: Reborn, store: Store) -> None:
    _, run = reborn().stage("tab", "owner", SCENARIO)
    stepped(run, 170)
    note = through(store, run.note())
    labs = reborn()
    _, again = labs.stage("tab", "owner", SCENARIO, noted=note)
    wait_until(lambda: again.status.notice.startswith("The run was trained again"), "the run to be where it was")
    assert record(again) == record(run)
    for each in (run, again):
        ended_at_full_speed(each)
    assert record(again) == record(run)
    assert len(again.view().markers) == 2


def test_a_note_of_another_chapter_is_not_followed(reborn: Reborn, store: Store) -> None:
    _, run = reborn().stage("tab", "owner", SCENARIO)
    note = through(store, stepped(run, 5).note())
    _, other = reborn().stage("tab", "owner", Scenario(twins(steps=50)), noted=note)
    assert settled(other).status.step == 0


def test_another_tab_does_not_get_the_run(reborn: Reborn, store: Store) -> None:
    labs = reborn()
    _, run = labs.claim("tab", "owner", TWINS)
    note = through(store, stepped(run, 5).note())
    tab, copy = labs.claim("tab", "who copied the tab", TWINS, "inference", noted=note)
    assert tab != "tab"
    assert settled(copy).status.step == 0


def test_a_note_is_forgotten_after_a_while_or_when_it_is_not_understood(store: Store) -> None:
    now = [1000.0]
    notes = Notes(store._database, lambda: now[0])
    notes.write({("tab", "sweep"): SweepNote(SWEEP, "paused")})
    assert notes.find("tab", "sweep") == SweepNote(SWEEP, "paused")
    now[0] += FRESH + 1
    assert notes.find("tab", "sweep") is None
    notes.write({("tab", "live"): SweepNote(SWEEP, "running")})
    with store._database.writing() as connection:
        connection.exec_driver_sql('UPDATE live SET state = \'{"state": "flying"}\'')
    assert notes.find("tab", "live") is None


def finished(run: SweepRun) -> SweepResults:
    wait_until(lambda: run.status.state in ("finished", "stopped"), "the end of the sweep")
    assert run.status.state == "finished", run.status.notice
    return run.found()


def test_a_sweep_goes_on_at_its_checkpoints_and_is_not_trained_twice(
    reborn: Reborn, store: Store, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeps, "SAVE_EVERY", 0.0)
    monkeypatch.setattr("bnviz.engine.in_worker.sweep_actor.SLICE", 0.02)
    undisturbed = finished(SweepRun(engine, SWEEP))
    labs = reborn()
    _, run = labs.start_sweep("tab", "owner", SWEEP)
    wait_until(lambda: has_checkpoints(store) and run.status.progress > 0.1, "checkpoints")
    run.pause()
    note = run.note()
    assert note == SweepNote(SWEEP, "paused")
    run.cancel()

    labs = reborn()
    labs.go_on_with_sweep("tab", "owner", note, "sweep")
    again = labs.find_sweep("tab", "owner")
    assert again is not None
    wait_until(lambda: again.status.progress > 0, "the progress that the checkpoints have")
    assert again.status.state == "paused"
    again.resume()
    assert plain(finished(again)) == plain(undisturbed)
    wait_until(lambda: not has_checkpoints(store), "the end of the checkpoints")

    _, third = reborn().start_sweep("another", "stranger", SWEEP)
    assert plain(finished(third)) == plain(undisturbed)
    assert not third._pool  # nothing was handed to a worker
    assert "8 of the networks were trained before" in third.status.notice


def has_checkpoints(store: Store) -> bool:
    return count(store, "checkpoints") > 0


def count(store: Store, table: str) -> int:
    with store._database.reading() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


def test_part_of_a_sweep_is_known_from_another_one(reborn: Reborn, store: Store) -> None:
    _, small = reborn().start_sweep("one", "one", replace(SWEEP, axes=(replace(SWEEP.axes[0], count=2),)))
    ends = finished(small)
    wait_until(lambda: count(store, "networks") == 4, "what was learned")
    _, large = reborn().start_sweep("two", "two", SWEEP)
    found = finished(large)
    assert "4 of the networks were trained before" in large.status.notice
    at = [0, 1, 6, 7]  # the lowest and the highest rate, without and with batchnorm
    assert np.array_equal(found.train_loss[at], ends.train_loss)


class Nobody:
    """An engine without workers."""

    def workers(self) -> list[str]:
        return []


def test_a_sweep_that_is_known_as_a_whole_takes_no_workers(store: Store) -> None:
    memory, nobody = Memory(lambda: store), cast(Engine, Nobody())
    experiments = SWEEP.experiments()
    ends = SweepResults.nothing(len(experiments))
    ends.steps[:] = np.arange(len(experiments))
    memory.learn(experiments, "cuda", ends)
    memory.learn(experiments[1:], "cpu", SweepResults.nothing(len(experiments) - 1))
    wait_until(lambda: len(memory.recall(experiments, ["cuda"])[0]) == len(experiments), "what was learned")
    run = SweepRun(nobody, SWEEP, memory=memory)
    assert run.wait(60)
    assert run.status.state == "finished"
    assert run.found().steps.tolist() == ends.steps.tolist()  # all of one device
    cancelled = SweepRun(nobody, SWEEP, memory=memory, state="cancelled")
    wait_until(lambda: cancelled.found().steps.any(), "what is known, to be looked at")
    assert cancelled.status.state == "cancelled"


@pytest.mark.parametrize("other", ["digits", "another version", "seed", "device"])
def test_a_network_of_other_digits_another_version_or_device_is_another_one(
    other: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory(lambda: store)
    experiments = SWEEP.experiments()[:2]
    memory.learn(experiments, "cpu", SweepResults.nothing(2))
    wait_until(lambda: len(memory.recall(experiments, ["cuda", "cpu"])[0]) == 2, "what was learned")
    memory.save(experiments, "cpu", b"saved", 0.5)
    wait_until(lambda: memory.checkpoint(experiments, ["mps", "cpu"]) == (b"saved", 0.5), "the checkpoint")
    device = "cpu"
    if other == "another version":
        monkeypatch.setattr("bnviz.ui.web.memory.made_by", lambda: "another")
    elif other == "device":
        device = "cuda"
    elif other == "seed":
        experiments = [replace(e, training=replace(e.training, seed=9)) for e in experiments]
    else:
        experiments = [replace(e, training=replace(e.training, data="MNIST sample")) for e in experiments]
    found, results = memory.recall(experiments, [device])
    assert len(found) == len(results.steps) == 0
    assert memory.checkpoint(experiments, [device]) is None

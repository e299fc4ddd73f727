"""A run that makes changes of its own: each at its step, to the bit, and once more after a reset or a lost worker."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bnviz.engine.cluster import Engine
from bnviz.engine.labs import GRACE, Labs
from bnviz.engine.run import Run
from bnviz.experiment.config import BatchNormConfig, Experiment, Watch, replace
from bnviz.experiment.scenario import Change, Scenario
from tests.builders import rehearsed, twins
from tests.running import ended, kill, played, record, settled, stepped, wait_until, worker_of

if TYPE_CHECKING:
    from bnviz.training.batches import Batches

TWINS = twins(steps=300)  # a frame is kept every 20 steps


def switched(experiment: Experiment) -> Experiment:
    variants = (replace(v, batchnorm=None if v.batchnorm else BatchNormConfig()) for v in experiment.variants)
    return replace(experiment, variants=tuple(variants))


SWITCHED = switched(TWINS)
LATE = replace(SWITCHED, training=replace(TWINS.training, learning_rate=0.05))
SCENARIO = Scenario(TWINS, (Change(130, SWITCHED), Change(200, LATE)))  # the first between two kept frames
Start = Callable[[], Run]


@pytest.fixture
def start(engine: Engine) -> Iterator[Start]:
    runs: list[Run] = []

    def start() -> Run:
        runs.append(Run(engine, SCENARIO.experiment, changes=SCENARIO.changes))
        return settled(runs[-1])

    yield start
    for run in runs:
        run.close()


@pytest.fixture(scope="module")
def expected(mnist: "Batches") -> list[np.ndarray]:
    """The losses of the same scenario in a trainer that no run drives."""
    _, history = rehearsed(SCENARIO, mnist)
    return [variant.losses for variant in history.view().variants]


def assert_as_expected(run: Run, expected: list[np.ndarray]) -> None:
    view = run.view()
    assert [v.losses.tobytes() for v in view.variants] == [losses.tobytes() for losses in expected]
    assert view.experiment == run.experiment == LATE
    assert [[step for step, _ in marker.at.values()] for marker in view.markers] == [[130, 130], [200, 200]]


class TestPlannedChanges:
    def test_are_made_at_their_steps_at_full_speed(self, start: Start, expected: list[np.ndarray]) -> None:
        assert_as_expected(played(start()), expected)

    def test_are_made_at_their_steps_at_a_chosen_speed(self, start: Start, expected: list[np.ndarray]) -> None:
        run = start()
        run.set_speed(997.0)
        run.play()
        assert_as_expected(ended(run), expected)

    def test_are_made_by_single_steps(self, start: Start, expected: list[np.ndarray]) -> None:
        run = start()
        run.set_speed(float("inf"))
        run.play()
        wait_until(lambda: run.status.step >= 100, "step 100")
        run.pause()
        stepped(run, max(0, 128 - settled(run).status.step))
        for step in range(settled(run).status.step, 134):
            assert (run.experiment == TWINS) is (step <= 130)
            stepped(run, 1)
        assert_as_expected(played(run), expected)

    def test_are_made_again_after_a_reset(self, start: Start, expected: list[np.ndarray]) -> None:
        run = played(start())
        run.reset()
        assert settled(run).experiment == TWINS
        assert run.view().markers == ()
        assert_as_expected(played(run), expected)

    @pytest.mark.parametrize("step", [130, 131])
    def test_outlive_a_lost_worker(self, start: Start, engine: Engine, expected: list[np.ndarray], step: int) -> None:
        run = stepped(start(), step)
        kill(worker_of(engine))
        assert_as_expected(played(run), expected)

    def test_end_with_an_edit_by_hand(self, start: Start) -> None:
        run = stepped(start(), 5)
        other = replace(TWINS, training=replace(TWINS.training, learning_rate=0.2))
        run.edit(other, keep_weights=True)
        assert played(run).view().experiment == other
        assert len(run.view().markers) == 1


class TestStaging:
    @pytest.fixture
    def labs(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Labs]:
        monkeypatch.setattr(engine, "close", lambda: None)
        labs = Labs(engine, GRACE)
        yield labs
        labs.close()

    def test_finds_the_run_of_the_same_scenario_again(self, labs: Labs) -> None:
        tab, run = labs.stage("tab", "owner", SCENARIO)
        assert tab == "tab"
        stepped(run, 3)
        labs.leave("owner")
        assert labs.stage("tab", "later", SCENARIO) == ("tab", run)
        assert run.status.step == 3

    @pytest.mark.parametrize(("scenario", "watch"), [(Scenario(TWINS), None), (SCENARIO, "inference")])
    def test_puts_a_run_of_another_one_in_its_place(self, labs: Labs, scenario: Scenario, watch: Watch | None) -> None:
        _, old = labs.stage("tab", "owner", SCENARIO)
        _, new = labs.stage("tab", "owner", scenario, watch)
        assert new is not old
        assert len(labs) == 1
        wait_until(lambda: old.status.state == "closed", "the old run to close")
        assert (new.scenario, new.watch) == (scenario, watch)

    def test_leaves_the_live_lab_its_run(self, labs: Labs) -> None:
        _, live = labs.claim("tab", "owner", TWINS)
        labs.stage("tab", "owner", SCENARIO)
        labs.stage("tab", "owner", Scenario(TWINS))
        assert labs.claim("tab", "owner", TWINS) == ("tab", live)
        assert record(played(live))

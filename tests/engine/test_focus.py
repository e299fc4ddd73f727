"""What a page shows in detail: the next frame has it, at once, and the history does not depend on it."""

from collections.abc import Callable, Iterator

import pytest

from bnviz.engine.cluster import Engine
from bnviz.engine.run import Run
from bnviz.experiment.config import NetworkConfig, replace
from bnviz.records.frames import Focus
from tests.builders import twins
from tests.running import played, reached, record, settled, stepped, wait_until

DEEP = twins(NetworkConfig(hidden_layers=3, width=12), steps=300)
Start = Callable[[], Run]


@pytest.fixture
def start(engine: Engine) -> Iterator[Start]:
    runs: list[Run] = []

    def start() -> Run:
        runs.append(Run(engine, DEEP))
        return settled(runs[-1])

    yield start
    for run in runs:
        run.close()


def counted(run: Run) -> list[list[int]]:
    """For each network, the layers of which the newest frame holds histograms."""
    frame = run.view().latest
    assert frame is not None
    return [[k for k, layer in enumerate(variant.layers) if layer.histograms] for variant in frame.variants]


def test_a_run_that_stands_still_shows_another_layer_at_once(start: Start) -> None:
    run = start()
    run.focus_on(Focus((1,)))
    assert counted(stepped(run, 1)) == [[1], [1]]
    run.focus_on(Focus((2,)))
    assert counted(settled(run)) == [[2], [2]]
    assert run.status.step == 1
    run.focus_on(Focus((1, 5)))  # no network is so deep
    assert counted(settled(run)) == [[1], [1]]


def test_a_run_that_trains_shows_another_layer_with_its_next_frames(start: Start) -> None:
    run = start()
    run.set_speed(50)
    run.focus_on(Focus((0,)))
    run.play()
    reached(run, 5)
    run.focus_on(Focus((2,)))
    wait_until(lambda: counted(run) == [[2], [2]], "histograms of the layer now in focus")
    assert run.status.state == "playing"


def test_a_network_that_waits_for_another_one_shows_the_layer_too(start: Start) -> None:
    run = start()
    run.focus_on(Focus((0,)))
    stepped(run, 30)
    other = DEEP.variants[0].network
    run.edit(DEEP.with_variant(0, replace(DEEP.variants[0], network=replace(other, init="xavier_normal"))))
    run.focus_on(Focus((2,)))
    assert counted(stepped(run, 1)) == [[2], [2]]  # only the restarted one has moved
    assert run.status.step == 1


def test_the_history_is_the_same_whatever_was_shown(start: Start) -> None:
    whole, focused = start(), start()
    focused.focus_on(Focus(()))
    for layer in (2, 0, 1):
        stepped(focused, 7)
        focused.focus_on(Focus((layer,)))
    assert record(played(focused)) == record(played(whole))
    kept = focused.view().variants[1].frames
    assert all(layer.histograms and layer.summaries for frame in kept for layer in frame.layers)

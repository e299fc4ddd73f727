"""How many runs a server has at once, and who gives way: visitors that come and go never lock others out."""

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnviz.engine import capacity
from bnviz.engine import labs as module
from bnviz.engine.capacity import MAX_RUNS, TooManyRunsError, most_runs
from bnviz.engine.labs import Labs
from tests.builders import twins

TABS = [f"tab-{i}" for i in range(6)]
PLACES = 3


class Run:
    """In place of a run: knows whether it lives, and what it was told."""

    living = 0

    def __init__(self, *_: Any, **__: Any) -> None:
        Run.living += 1
        self.closed, self.told = False, ""

    def close(self) -> None:
        assert not self.closed
        self.closed = True
        Run.living -= 1

    def say(self, notice: str) -> None:
        self.told = notice

    def set_speed(self, _: float) -> None:
        pass

    def hold(self, held: bool) -> None:
        assert not self.closed


class Engine:
    def close(self) -> None:
        pass


@pytest.fixture
def make_labs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Labs]]:
    """Labs of such runs, with room for PLACES."""
    monkeypatch.setattr(module, "Run", Run)
    monkeypatch.setenv(MAX_RUNS, str(PLACES))
    made: list[Labs] = []

    def make() -> Labs:
        for labs in made:
            labs.close()
        made[:] = [Labs(Engine())]  # type: ignore[arg-type]
        Run.living = 0
        return made[0]

    yield make
    for labs in made:
        labs.close()


@settings(deadline=None)
@given(visits=st.lists(st.sampled_from(TABS), max_size=40))
def test_whoever_comes_is_let_in_unless_all_places_are_looked_at(visits: list[str]) -> None:
    """Each tab comes, if it is away, or leaves; the fixture's labs would be one for all examples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "Run", Run)
        patch.setenv(MAX_RUNS, str(PLACES))
        Run.living = 0
        labs = Labs(Engine())  # type: ignore[arg-type]
        here: dict[str, Any] = {}
        held: dict[str, Any] = {}  # in the order in which they were left
        for tab in visits:
            if tab in here:
                labs.leave(tab)
                held[tab] = here.pop(tab)
            elif len(here) == PLACES and tab not in held:
                with pytest.raises(TooManyRunsError, match=f"{PLACES} experiments.*{MAX_RUNS}"):
                    labs.claim(tab, tab, twins())
            else:
                run: Any = labs.claim(tab, tab, twins())[1]
                kept = held.pop(tab, None)
                assert kept is None or run is kept
                here[tab] = run
                while len(here) + len(held) > PLACES:
                    assert held.pop(next(iter(held))).closed
            assert not any(run.closed for run in [*here.values(), *held.values()])
            assert len(labs) == Run.living == len(here) + len(held) <= PLACES
        labs.close()


def test_a_tab_is_told_once_that_its_run_gave_way(make_labs: Callable[[], Labs]) -> None:
    labs = make_labs()
    labs.claim("away", "away", twins())
    labs.leave("away")
    for tab in TABS[:PLACES]:
        labs.claim(tab, tab, twins())
    labs.leave(TABS[0])
    again: Any = labs.claim("away", "back", twins())[1]
    assert again.told == module.GAVE_WAY
    assert not labs.gave_way("away", "live")


def test_what_is_remembered_of_those_that_gave_way_is_bounded(
    make_labs: Callable[[], Labs], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 5)
    labs = make_labs()
    for i in range(PLACES + 8):
        labs.claim(f"tab-{i}", f"{i}", twins())
        labs.leave(f"{i}")
    assert [i for i in range(8) if labs.gave_way(f"tab-{i}", "live")] == [3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("cores", "gib", "most", "why"),
    [(2, 64, 64, "each of its cores"), (8, 64, 256, "each of its cores"), (8, 2, 32, "2.0 GiB"), (1, 0.01, 1, "GiB")],
)
def test_the_limit_follows_cores_and_memory(
    cores: int, gib: float, most: int, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(MAX_RUNS, raising=False)
    monkeypatch.setattr(capacity, "CPU_COUNT", cores)
    monkeypatch.setattr(capacity, "MEMORY_LIMIT", int(gib * 2**30))
    assert most_runs()[0] == most
    assert why in most_runs()[1]


@pytest.mark.parametrize("told", ["none", "0", "-3", "1.5"])
def test_a_limit_that_is_no_number_is_named_and_not_used(
    told: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv(MAX_RUNS, raising=False)
    without = most_runs()
    monkeypatch.setenv(MAX_RUNS, told)
    with caplog.at_level(logging.WARNING):
        assert most_runs() == without
    assert f"{MAX_RUNS}={told}" in caplog.text


@pytest.mark.parametrize(
    ("cores", "told", "workers"), [(1, "", 2), (2, "", 2), (16, "", 16), (16, "3", 3), (2, "1", 1)]
)
def test_there_is_a_worker_for_each_core_but_two_at_least(
    cores: int, told: str, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "CPU_COUNT", cores)
    monkeypatch.setenv(capacity.WORKERS, told)
    assert capacity.workers() == workers


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize("hard", [4096, 500])
def test_a_process_may_open_as_many_files_as_the_system_lets_it(hard: int) -> None:
    code = (
        "import resource as r; from bnviz.engine.capacity import raise_descriptor_limit as up;"
        f"r.setrlimit(r.RLIMIT_NOFILE, (256, {hard})); up(); print(*r.getrlimit(r.RLIMIT_NOFILE))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == [str(hard)] * 2

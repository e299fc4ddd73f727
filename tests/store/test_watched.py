"""Watched runs in databases of every kind: written look by look, read meanwhile, and kept within bounds."""

import os
import socket
from collections.abc import Iterator

import numpy as np
import pytest

from bnviz.export.own_network import look_to_bytes
from bnviz.records.own_network import Layer, LayerLook, Look, Network
from bnviz.store import watched
from bnviz.store.database import Database
from bnviz.store.errors import StoreError
from bnviz.store.rows import SMALL_CURVE_POINTS
from bnviz.store.watched import (
    SILENT_AFTER,
    WatchedStore,
    curve_from_bytes,
    curve_to_bytes,
    small_curve_to_bytes,
)

NETWORK = Network("mine", (Layer("0", "linear", "Linear", weights=True),), model="Sequential", parameters=72)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(url: str, clock: Clock) -> Iterator[WatchedStore]:
    opened = WatchedStore(Database(url), clock)
    yield opened
    opened.close()


def look(step: int) -> bytes:
    return look_to_bytes(Look(step, (LayerLook(mean=float(step)),), loss=1 / step))


def test_looks_come_back_by_their_steps_with_the_curve_of_the_loss(store: WatchedStore) -> None:
    store.begin("run", "mine")
    store.look("run", 1, look(1), [], network=NETWORK, step=1)
    curve = curve_to_bytes(np.array([1.0, 2.0]), np.array([1.0, 0.5]))
    store.look("run", 2, look(2), [1], network=None, step=2, curve=curve)
    run = store.get("run")
    assert run is not None
    assert (run.name, run.step, run.looks, run.network) == ("mine", 2, (2,), NETWORK)
    assert (run.steps.tolist(), run.losses.tolist()) == ([1, 2], [1.0, 0.5])
    assert store.a_look("run", 1) is None
    found = store.a_look("run", 2)
    assert found is not None
    assert found.layers[0].mean == 2
    assert store.size("run") == len(look(2))


def test_a_list_has_small_curves_with_the_last_loss_and_of_older_rows_the_whole_one(store: WatchedStore) -> None:
    count = 1 + 50 * (SMALL_CURVE_POINTS - 1)
    steps, losses = np.arange(1.0, count + 1), np.linspace(2.0, 0.0, count, dtype=np.float32).astype(float)
    whole, small = curve_to_bytes(steps, losses), small_curve_to_bytes(steps, losses)
    store.begin("older", "mine")
    store.alive("older", curve=whole)
    store.begin("newer", "mine")
    store.alive("newer", curve=whole, small=small)
    found = {run.id: run for run in store.listed(curves=True)}
    assert len(found["newer"].losses) == SMALL_CURVE_POINTS
    assert len(small) < len(whole) / 10
    assert found["newer"].losses[-1] == losses[-1]
    assert found["newer"].losses[:-1].mean() == pytest.approx(losses[:-1].mean(), rel=1e-3)
    assert found["older"].losses.tolist() == losses.tolist()
    assert all(run.losses.size == 0 for run in store.listed())
    run = store.get("newer")
    assert run is not None
    assert run.losses.tolist() == losses.tolist()
    for count in (3, SMALL_CURVE_POINTS):
        few = small_curve_to_bytes(steps[:count], losses[:count])
        assert curve_from_bytes(few)[1].tolist() == losses[:count].tolist()
    more = curve_from_bytes(small_curve_to_bytes(steps[: SMALL_CURVE_POINTS + 1], losses[: SMALL_CURVE_POINTS + 1]))
    assert len(more[1]) == SMALL_CURVE_POINTS


def test_a_run_that_gives_no_sign_of_life_has_ended_without_a_word(store: WatchedStore, clock: Clock) -> None:
    store.begin("run", "mine")
    assert [run.state for run in store.listed()] == ["training"]
    clock.now += SILENT_AFTER + 0.1
    assert [run.state for run in store.listed()] == ["silent"]
    store.alive("run")
    assert [run.state for run in store.listed()] == ["training"]


def test_a_run_whose_process_is_gone_has_ended_without_a_word(
    store: WatchedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 2**22 + 1)  # above the largest that Linux gives
    store.begin("run", "mine")
    assert [run.state for run in store.listed()] == ["silent"]
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    assert [run.state for run in store.listed()] == ["training"]


@pytest.mark.parametrize("ending", ["finished", "failed"])
def test_a_run_that_said_how_it_ended_stays_so(store: WatchedStore, clock: Clock, ending: watched.Ending) -> None:
    store.begin("run", "mine")
    store.end("run", ending, "why")
    clock.now += 1e6
    assert [(run.state, run.problem) for run in store.listed()] == [(ending, "why")]


def test_the_oldest_runs_give_way(store: WatchedStore, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "MOST_KEPT", 3)
    for number in range(5):
        clock.now += 1
        store.begin(f"run {number}", "")
        store.look(f"run {number}", 1, look(1), [], network=NETWORK)
    assert [run.id for run in store.listed()] == ["run 4", "run 3", "run 2"]
    assert store.get("run 1") is None
    assert store.a_look("run 1", 1) is None
    assert store.a_look("run 2", 1) is not None


def test_damaged_bytes_are_told_as_a_damaged_database(store: WatchedStore) -> None:
    store.begin("run", "net")
    store.look("run", 1, b"no look", [], network=None, curve=b"no curve")
    with pytest.raises(StoreError, match="damaged"):
        store.get("run")
    with pytest.raises(StoreError, match="damaged"):
        store.a_look("run", 1)


def test_a_run_that_gave_way_leaves_no_looks(store: WatchedStore) -> None:
    store.look("gone", 1, b"look", [], network=None)
    assert store.size("gone") == 0

"""Runs are kept behind the back of whoever trains them."""

import logging
import time
from dataclasses import replace
from pathlib import Path
from threading import Event, get_ident

import pytest

from bnviz.records.history import new_id
from bnviz.records.recipe import Recipe
from bnviz.store import errors, keeper
from bnviz.store.errors import StoreError
from bnviz.store.keeper import MOST_WAITING, Keeper
from bnviz.store.store import Store
from tests.keeping import made_up_run, with_steps
from tests.running import plain, wait_until

RUN = made_up_run()
ME = "my-id"


def test_what_was_handed_over_is_kept_when_it_is_closed(url: str) -> None:
    made = Keeper(lambda: Store.open(url))
    ids = [new_id() for _ in range(5)]
    for k, run_id in enumerate(ids):
        made.keep(run_id, RUN, ME, name=str(k), pinned=k == 0)
    made.close()
    assert made.problem == ""
    store = Store.open(url)
    assert [row.name for row in store.listed(ME, sort="name")] == list("01234")
    assert [row.id for row in store.listed(ME) if row.pinned] == ids[:1]
    assert plain(store.get(ids[4])) == plain(RUN)
    store.close()


class Blocked(Store):
    """A store that keeps nothing until it is let."""

    def __init__(self) -> None:
        self.entered, self.let, self.kept = Event(), Event(), list[tuple[str | None, object, str, bool]]()

    def keep(self, run: object, owner: str, *, run_id: str | None = None, name: str = "", pinned: bool = False) -> str:
        self.thread = get_ident()
        self.entered.set()
        assert self.let.wait(60)
        self.kept.append((run_id, run, name, pinned))
        return run_id or ""

    def close(self) -> None:
        pass


def test_nobody_waits_for_a_store_that_blocks() -> None:
    store = Blocked()
    made = Keeper(lambda: store)
    made.keep("first", RUN, ME)
    assert store.entered.wait(60)
    begin = time.monotonic()
    for k in range(50):
        made.keep(str(k), RUN, ME)
    assert time.monotonic() - begin < 1
    assert store.kept == []
    assert store.thread != get_ident()
    store.let.set()
    made.close()
    assert [run_id for run_id, *_ in store.kept] == ["first", *map(str, range(50))]


def test_of_a_run_that_waits_the_newest_state_is_kept_with_what_was_said_of_it() -> None:
    store = Blocked()
    made = Keeper(lambda: store)
    made.keep("first", RUN, ME)
    assert store.entered.wait(60)
    later = made_up_run(with_steps(60))
    made.keep("second", RUN, ME, name="mine", pinned=True)
    made.keep("second", later, ME)
    store.let.set()
    made.close()
    assert store.kept == [("first", RUN, "", False), ("second", later, "mine", True)]


def test_too_many_that_wait_cost_the_oldest() -> None:
    store = Blocked()
    made = Keeper(lambda: store)
    made.keep("first", RUN, ME)
    assert store.entered.wait(60)
    for k in range(MOST_WAITING + 3):
        made.keep(str(k), RUN, ME)
    assert "too slow" in made.problem
    store.let.set()
    made.close()
    assert [run_id for run_id, *_ in store.kept] == ["first", *(str(k) for k in range(3, MOST_WAITING + 3))]


def test_a_problem_is_told_once_and_is_over_when_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = tmp_path / "data"
    place.write_text("a file where a folder should be")
    made = Keeper(lambda: Store.open(f"sqlite:///{place}/runs.sqlite"))
    with caplog.at_level(logging.WARNING, keeper.logger.name):
        for k in range(3):
            made.keep(str(k), RUN, ME)
            wait_until(lambda: made.problem and not made._waiting, "the problem")
        assert made.problem == errors.CLOSED
        place.unlink()
        made.keep("later", RUN, ME)
        wait_until(lambda: not made.problem, "the end of the problem")
        made.close()
    assert [record.getMessage() for record in caplog.records] == [f"a run was not kept: {errors.CLOSED}"]
    store = Store.open(f"sqlite:///{place}/runs.sqlite")
    assert [row.id for row in store.listed(ME)] == ["later"]
    store.close()


def test_a_run_that_cannot_be_kept_costs_no_other(tmp_path: Path) -> None:
    made = Keeper(lambda: Store.open(f"sqlite:///{tmp_path}/runs.sqlite"))
    made.keep("wrong", replace(RUN, recipe=Recipe(with_steps(31))), ME)
    made.keep("right", RUN, ME)
    made.close()
    store = Store.open(f"sqlite:///{tmp_path}/runs.sqlite")
    assert [row.id for row in store.listed(ME)] == ["right"]
    store.close()


def test_runs_off_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BNVIZ_RUNS", "off")

    def never() -> Store:
        raise StoreError("It was opened.")

    made = Keeper(never)
    made.keep("first", RUN, ME)
    made.close()
    assert made.problem == ""
    assert not keeper.runs_are_kept()

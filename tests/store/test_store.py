"""Runs that are kept, found, named and deleted: the same in every kind of database."""

import math
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import sqlalchemy as sa

from bnviz.experiment.config import Experiment, NetworkConfig
from bnviz.export.run_file import from_bytes, to_bytes, unpacked_size
from bnviz.records.history import History, new_id
from bnviz.records.kept_run import KeptRun
from bnviz.records.recipe import Recipe
from bnviz.store import opened as opened_module
from bnviz.store import store as store_module
from bnviz.store.errors import LATER, StoreError
from bnviz.store.rows import SMALL_CURVE_POINTS
from bnviz.store.store import SORTS, UNDO, Sort, Store
from tests.builders import twins
from tests.keeping import SMALL, made_up_run, with_steps
from tests.running import plain

ROOT = Path(__file__).parents[2]
RUN = made_up_run()
ME, YOU = "my-id", "your-id"


class Clock:
    """Seconds that pass where a test says so."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def clock(store: Store, monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(store, "_clock", made)
    return made


def names(store: Store, owner: str = ME, search: str = "", sort: Sort = "newest") -> list[str]:
    return [row.name for row in store.listed(owner, search=search, sort=sort)]


class TestAKeptRun:
    def test_is_found_by_its_id_to_the_bit(self, store: Store) -> None:
        run_id = store.keep(RUN, ME)
        found = store.get(run_id)
        assert plain(found) == plain(RUN)

    def test_outlives_its_store(self, url: str) -> None:
        first = Store.open(url)
        run_id = first.keep(RUN, ME, name="mine")
        first.close()
        again = Store.open(url)
        assert plain(again.get(run_id)) == plain(RUN)
        assert names(again) == ["mine"]
        again.close()

    def test_has_an_id_that_nobody_guesses(self, store: Store) -> None:
        ids = {store.keep(RUN, ME) for _ in range(5)}
        assert len(ids) == 5
        assert all(len(run_id) == 22 for run_id in ids)

    @pytest.mark.parametrize("run_id", ["", "x", "%", "_" * 22, "' OR 1=1 --", "\x00", "\ud800", "x" * 10_000])
    def test_is_not_found_by_another_id(self, store: Store, run_id: str) -> None:
        store.keep(RUN, ME)
        assert store.get(run_id) is None
        assert not store.rename(run_id, ME, "found")

    def test_is_replaced_by_a_later_state_and_keeps_what_was_written_on_it(self, store: Store, clock: Clock) -> None:
        run_id = store.keep(RUN, ME, name="mine", pinned=True)
        store.annotate(run_id, ME, "look at layer 2")
        store.tag(run_id, ME, ["lecture"])
        (before,) = store.listed(ME)
        later = made_up_run(with_steps(60), seed=1)
        assert store.keep(later, ME, run_id=run_id) == run_id
        assert plain(store.get(run_id)) == plain(later)
        (after,) = store.listed(ME)
        assert (after.name, after.note, after.tags, after.pinned) == ("mine", "look at layer 2", ("lecture",), True)
        assert (after.created, after.special) == (before.created, "steps 60, width 4")
        assert names(store, search="layer lecture") == ["mine"]
        assert store.size() == after.size

    def test_is_not_replaced_by_somebody_else(self, store: Store) -> None:
        run_id = store.keep(RUN, ME)
        with pytest.raises(StoreError, match="somebody else's"):
            store.keep(RUN, YOU, run_id=run_id)
        assert names(store, YOU) == []

    def test_that_was_deleted_stays_so_while_it_goes_on(self, store: Store) -> None:
        run_id = store.keep(RUN, ME)
        assert store.delete(run_id, ME)
        store.keep(RUN, ME, run_id=run_id)
        assert store.get(run_id) is None
        assert names(store) == []

    def test_that_is_no_run_is_refused(self, store: Store) -> None:
        with pytest.raises(StoreError, match="not those of its experiment"):
            store.keep(replace(RUN, recipe=Recipe(with_steps(31))), ME)
        assert store.size() == 0


class TestARow:
    def test_tells_what_the_run_came_to(self, store: Store) -> None:
        losses = np.repeat([3.0, 1.0], 40)
        view = RUN.view
        assert view.latest is not None
        ends = (
            replace(view.latest.variants[0], test_loss=1.5, test_accuracy=0.4),
            replace(view.latest.variants[1], test_loss=math.nan, test_accuracy=math.nan),
        )
        first = replace(view.variants[0], losses=losses, seconds=np.arange(80.0))
        run = replace(
            RUN, view=replace(view, variants=(first, view.variants[1]), latest=replace(view.latest, variants=ends))
        )
        store.keep(run, ME, name="mine")
        (row,) = store.listed(ME)
        plain_network, normalized = row.networks
        assert (plain_network.name, normalized.name) == ("no batchnorm", "batchnorm")
        assert (plain_network.test_loss, plain_network.accuracy) == (1.5, 0.4)
        assert math.isnan(normalized.test_loss)
        assert math.isnan(normalized.accuracy)
        assert plain_network.saturated == float(ends[0].layers[0].saturated.mean())
        assert len(plain_network.curve) == SMALL_CURVE_POINTS
        assert plain_network.curve[:20] == (3.0,) * 20
        assert plain_network.curve[20:] == (1.0,) * 20
        assert (row.special, row.data, row.steps) == ("steps 30, width 4", "MNIST", 30)

    def test_tells_of_a_run_that_has_shown_nothing(self, store: Store) -> None:
        store.keep(replace(RUN, view=History(SMALL).view()), ME)
        (row,) = store.listed(ME)
        assert row.steps == 0
        assert [network.curve for network in row.networks] == [(), ()]


class TestTheList:
    def test_holds_nobody_elses_runs(self, store: Store) -> None:
        store.keep(RUN, ME, name="mine")
        store.keep(RUN, YOU, name="yours")
        assert (names(store), names(store, YOU), names(store, "")) == (["mine"], ["yours"], [])

    def test_is_sorted_as_asked(self, store: Store, clock: Clock) -> None:
        assert RUN.view.latest is not None
        for name, loss, steps in (("b", 2.0, 10), ("C", math.nan, 30), ("a", 1.0, 20)):
            ends = tuple(replace(v, test_loss=loss, test_accuracy=1 - loss / 3) for v in RUN.view.latest.variants)
            latest = replace(RUN.view.latest, variants=ends, step=steps)
            store.keep(replace(RUN, view=replace(RUN.view, latest=latest)), ME, name=name)
        orders = {sort: "".join(names(store, sort=sort)) for sort in SORTS}
        del orders["size"]  # all alike
        assert orders == {
            "newest": "aCb",
            "oldest": "bCa",
            "name": "abC",
            "steps": "Cab",
            "test loss": "abC",
            "accuracy": "abC",
        }

    def test_comes_in_parts(self, store: Store, clock: Clock) -> None:
        for k in range(5):
            store.keep(RUN, ME, name=str(k))
        assert [row.name for row in store.listed(ME, limit=2, offset=1)] == ["3", "2"]

    @pytest.mark.parametrize(
        ("search", "found"),
        [
            ("", True),
            ("MINE", True),
            ("straße", True),
            ("STRASSE", True),
            ("learning", True),
            ("lecture 100%", True),
            ("width 4", True),
            ("mine lecture", True),
            ("mine other", False),
            ("%", True),
            ("_", False),
            ("100_", False),
            ("'", False),
            ("\\", False),
            ("\x00", True),
        ],
    )
    def test_is_searched_for_every_word(self, store: Store, search: str, found: bool) -> None:
        run_id = store.keep(RUN, ME, name="Mine in der Straße")
        store.annotate(run_id, ME, "Learning slowly")
        store.tag(run_id, ME, ["lecture", "100%"])
        assert bool(store.listed(ME, search=search)) is found


class TestWritingOnARun:
    def test_is_for_its_owner_alone(self, store: Store) -> None:
        run_id = store.keep(RUN, ME, name="mine")
        before = store.listed(ME)
        assert not store.rename(run_id, YOU, "yours")
        assert not store.annotate(run_id, YOU, "yours")
        assert not store.tag(run_id, YOU, ["yours"])
        assert not store.pin(run_id, YOU)
        assert not store.delete(run_id, YOU)
        assert not store.restore(run_id, YOU)
        assert store.listed(ME) == before

    def test_changes_what_it_says(self, store: Store) -> None:
        run_id = store.keep(RUN, ME, name="old")
        assert store.rename(run_id, ME, "new")
        assert store.annotate(run_id, ME, "two\nlines")
        assert store.tag(run_id, ME, ["b", "a", "b", " "])
        assert store.pin(run_id, ME)
        (row,) = store.listed(ME)
        assert (row.name, row.note, row.tags, row.pinned) == ("new", "two\nlines", ("b", "a"), True)
        assert store.pin(run_id, ME, False)
        assert not store.listed(ME)[0].pinned
        assert names(store, search="old") == []

    @pytest.mark.parametrize("text", ["\x00", "\ud800", "a\x00b" * 10_000, "☃" * 10_000])
    def test_takes_any_text(self, store: Store, text: str) -> None:
        run_id = store.keep(RUN, ME, name=text)
        assert store.rename(run_id, ME, text)
        assert store.annotate(run_id, ME, text)
        assert store.tag(run_id, ME, [text] * 100)
        (row,) = store.listed(ME)
        assert len(row.name) <= 200
        assert len(row.note) <= 4000

    def test_deletes_and_restores_within_an_hour(self, store: Store, clock: Clock) -> None:
        run_id = store.keep(RUN, ME, name="mine")
        assert store.delete(run_id, ME)
        assert not store.delete(run_id, ME)
        assert store.get(run_id) is None
        assert names(store) == []
        assert not store.rename(run_id, ME, "new")
        clock.now += UNDO - 10
        assert store.restore(run_id, ME)
        assert names(store) == ["mine"]

    def test_deletes_for_good_after_an_hour(self, store: Store, clock: Clock) -> None:
        run_id = store.keep(RUN, ME)
        store.delete(run_id, ME)
        assert store.size() > 0
        clock.now += UNDO
        assert not store.restore(run_id, ME)
        store.pin("another", ME)  # whatever is written
        assert store.size() == 0


class TestTheRoom:
    @pytest.fixture
    def three(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> int:
        """Room for three runs and a half; the bytes of one."""
        store.keep(RUN, YOU, run_id="first")
        size = store.size()
        monkeypatch.setattr(store, "_room", int(3.5 * size))
        return size

    def test_is_made_by_the_oldest_run(self, store: Store, clock: Clock, three: int) -> None:
        for k in range(5):
            store.keep(RUN, ME, name=str(k))
        assert names(store) == ["4", "3", "2"]
        assert store.get("first") is None
        assert store.size() == 3 * three

    def test_is_made_by_deleted_runs_first_and_never_by_pinned_ones(
        self, store: Store, clock: Clock, three: int
    ) -> None:
        store.pin("first", YOU)
        old, new = store.keep(RUN, ME, name="old"), store.keep(RUN, ME, name="new")
        store.delete(new, ME)
        store.keep(RUN, ME, name="newest")
        assert names(store) == ["newest", "old"]
        assert not store.restore(new, ME)
        assert store.get("first") is not None
        assert store.get(old) is not None

    def test_is_refused_where_everything_is_pinned_and_nothing_is_lost(self, store: Store, three: int) -> None:
        store.pin("first", YOU)
        for k in range(2):
            store.keep(RUN, ME, name=str(k), pinned=True)
        with pytest.raises(StoreError, match="pinned runs take the rest"):
            store.keep(RUN, ME)
        assert len(names(store)) == 2
        assert store.size() == 3 * three

    def test_is_never_enough_for_what_is_larger(self, store: Store, three: int) -> None:
        many = made_up_run(frames=60)
        with pytest.raises(StoreError, match="larger than BNVIZ_RUNS_MB allows"):
            store.keep(many, ME)
        assert store.get("first") is not None

    @pytest.mark.parametrize(("text", "said"), [("0", True), ("many", True), ("-5", True), ("1.5", True), ("5", False)])
    def test_is_what_the_variable_says(self, url: str, monkeypatch: pytest.MonkeyPatch, text: str, said: bool) -> None:
        monkeypatch.setenv("BNVIZ_RUNS_MB", text)
        if said:
            with pytest.raises(StoreError, match="BNVIZ_RUNS_MB is not a whole number"):
                Store.open(url)
        else:
            store = Store.open(url)
            assert store._room == 5_000_000
            store.close()


class TestSeveralAtOnce:
    def test_threads_keep_and_list(self, store: Store) -> None:
        def work(k: int) -> str:
            run_id = store.keep(RUN, ME, name=str(k))
            assert store.get(run_id) is not None
            assert store.rename(run_id, ME, f"renamed {k}")
            return run_id

        with ThreadPoolExecutor(8) as pool:
            ids = [*pool.map(work, range(24))]
        assert len(set(ids)) == 24
        assert sorted(names(store)) == sorted(f"renamed {k}" for k in range(24))

    def test_processes_open_a_new_database_and_keep_in_it(self, url: str) -> None:
        found = together(url, PROCESS, 4)
        assert found == [("kept 6", 0)] * 4
        store = Store.open(url)
        assert len(store.listed(ME)) == 24
        assert all(store.get(row.id) for row in store.listed(ME))
        store.close()

    def test_a_killed_writer_leaves_nothing_half_written(self, url: str) -> None:
        store = Store.open(url)
        before = store.keep(RUN, ME, name="whole", run_id="same")
        assert together(url, KILLED, 1) == [("begun", -signal.SIGKILL)]
        assert names(store) == ["whole"]
        assert plain(store.get(before)) == plain(RUN)
        store.keep(RUN, ME, name="next")
        assert len(names(store)) == 2
        store.close()


PROCESS = """
import sys
from bnviz.records.recipe import Recipe
from bnviz.store.store import Store
from tests.keeping import made_up_run
input()
store = Store.open(sys.argv[1], patience=60)
ids = [store.keep(made_up_run(), "my-id") for _ in range(6)]
print("kept", len(ids), end="")
"""
KILLED = """
import os, sys
import sqlalchemy as sa
from bnviz.store import store as module
from tests.keeping import made_up_run
input()
store = module.Store.open(sys.argv[1])
print("begun", end="", flush=True)
sa.event.listen(store._database._engine, "after_cursor_execute",
    lambda c, cursor, statement, *rest: os.kill(os.getpid(), 9) if statement.startswith("INSERT INTO files") else None)
store.keep(made_up_run(seed=1), "my-id", run_id="same")
print("kept", end="")
"""


def together(url: str, program: str, count: int) -> list[tuple[str, int]]:
    """What so many processes print that begin at the same moment, and how they end."""
    pipe = subprocess.PIPE
    made = [
        subprocess.Popen([sys.executable, "-c", program, url], cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        for _ in range(count)
    ]
    for process in made:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    return [(process.communicate(timeout=120)[0], process.returncode) for process in made]


def test_a_database_of_a_later_version_is_left_alone(url: str) -> None:
    store = Store.open(url)
    store.keep(RUN, ME)
    store.close()
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '99'"))
    with pytest.raises(StoreError) as said:
        Store.open(url)
    assert str(said.value) == LATER
    with engine.begin() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM runs")).scalar_one() == 1
    engine.dispose()


def test_a_file_that_was_spoiled_is_refused_and_the_rest_is_there(store: Store, url: str) -> None:
    run_id, other = store.keep(RUN, ME), store.keep(RUN, ME)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE files SET content = :c WHERE run_id = :id"), {"c": b"spoiled", "id": run_id})
    engine.dispose()
    with pytest.raises(StoreError, match="no zip, or a damaged one"):
        store.get(run_id)
    assert store.get(other) is not None


def test_whoever_opens_the_same_run_gets_the_same_object_until_it_is_another_one(store: Store) -> None:
    run_id = store.keep(made_up_run(), ME)
    opened = store.get(run_id)
    assert store.get(run_id) is opened
    store.keep(made_up_run(seed=1), ME, run_id=run_id)
    assert plain(store.get(run_id)) == plain(made_up_run(seed=1))
    seeds = range(2, 2 + opened_module.MOST_OPENED)
    others = [store.keep(made_up_run(seed=seed), ME) for seed in seeds]
    assert [plain(store.get(other)) for other in others] == [plain(made_up_run(seed=seed)) for seed in seeds]
    assert store.get(others[0]) is store.get(others[0])
    assert len(store._opened._opened) == opened_module.MOST_OPENED
    store.delete(run_id, ME)
    assert store.get(run_id) is None


def test_runs_in_memory_are_bounded_by_their_bytes_and_go_when_they_are_deleted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = unpacked_size(to_bytes(RUN))
    monkeypatch.setattr(opened_module, "MOST_OF_ONE", int(1.5 * one))
    monkeypatch.setattr(opened_module, "MOST_BYTES", int(2.5 * one))
    first, second, third = (store.keep(RUN, ME) for _ in range(3))
    opened = [store.get(run_id) for run_id in (first, second, third)]
    assert store._opened.size() == 2 * one
    assert store.get(third) is opened[2]
    assert store.get(second) is opened[1]
    assert store.get(first) is not opened[0]
    store.delete(first, ME)
    store.delete(second, ME)
    assert store._opened.size() == 0
    large = store.keep(made_up_run(frames=8), ME)
    assert plain(store.get(large)) == plain(made_up_run(frames=8))
    assert store._opened.size() == 0


def test_a_run_that_takes_long_to_read_holds_up_those_alone_who_open_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, fast = store.keep(made_up_run(seed=1), ME), store.keep(RUN, ME)
    begun, go_on, read = Event(), Event(), list[int]()

    def slowly(content: bytes) -> KeptRun:
        run = from_bytes(content)
        if plain(run) == plain(made_up_run(seed=1)):
            read.append(1)
            begun.set()
            assert go_on.wait(60)
        return run

    monkeypatch.setattr(opened_module, "from_bytes", slowly)
    with ThreadPoolExecutor(3) as pool:
        one, same = pool.submit(store.get, slow), pool.submit(store.get, slow)
        try:
            assert begun.wait(60)
            assert plain(pool.submit(store.get, fast).result(20)) == plain(RUN)
        finally:
            go_on.set()
        assert one.result(60) is same.result(60)
    assert len(read) == 1


def test_the_columns_of_the_code_are_those_of_the_migrations(url: str) -> None:
    Store.open(url).close()
    engine = sa.create_engine(url)
    found = {table: {c["name"] for c in sa.inspect(engine).get_columns(table)} for table in ("runs", "files")}
    engine.dispose()
    assert found == {t.name: {c.name for c in t.columns} for t in (store_module._RUNS, store_module._FILES)}


def test_ids_are_made_of_128_random_bits() -> None:
    assert len({new_id() for _ in range(1000)}) == 1000


def test_special_is_whatever_the_default_experiment_has_not(store: Store) -> None:
    other = twins(NetworkConfig(width=4, init="normal"), steps=30)
    uneven = other.with_variant(0, replace(other.variants[0], network=NetworkConfig(width=4)))
    store.keep(made_up_run(Experiment(uneven.training, uneven.variants)), ME)
    (row,) = store.listed(ME)
    assert row.special == "steps 30, width 4, B: init N(0,1)"

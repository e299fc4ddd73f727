"""What goes wrong with a database, made to happen: one clear sentence each, and nothing is lost."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from bnviz.store import errors
from bnviz.store.errors import StoreError
from bnviz.store.store import Store
from tests.keeping import made_up_run
from tests.running import plain
from tests.store.conftest import PostgreSQL

ROOT = Path(__file__).parents[2]
RUN = made_up_run()
ME = "my-id"
WRITES: dict[str, Callable[[Store], object]] = {
    "keep": lambda store: store.keep(RUN, ME),
    "rename": lambda store: store.rename("first", ME, "new"),
    "annotate": lambda store: store.annotate("first", ME, "new"),
    "tag": lambda store: store.tag("first", ME, ["new"]),
    "pin": lambda store: store.pin("first", ME),
    "delete": lambda store: store.delete("first", ME),
    "restore": lambda store: store.restore("first", ME),
}
READS: dict[str, Callable[[Store], object]] = {
    "get": lambda store: store.get("first"),
    "listed": lambda store: store.listed(ME),
    "size": lambda store: store.size(),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database of one run."""
    made = tmp_path / "data" / "runs.sqlite"
    store = Store.open(f"sqlite:///{made}")
    store.keep(RUN, ME, run_id="first", name="whole")
    store.close()
    return made


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{file}", patience=0.2)
    yield opened
    opened.close()


def said(action: Callable[[], object]) -> str:
    with pytest.raises(StoreError) as told:
        action()
    sentence = str(told.value)
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def whole(file: Path) -> bool:
    """Whether the one run is still there, and nothing else."""
    store = Store.open(f"sqlite:///{file}")
    try:
        return [row.name for row in store.listed(ME)] == ["whole"] and plain(store.get("first")) == plain(RUN)
    finally:
        store.close()


@pytest.mark.parametrize("write", WRITES)
def test_a_database_that_somebody_else_writes_to(store: Store, file: Path, write: str) -> None:
    other = sqlite3.connect(file)
    other.execute("BEGIN IMMEDIATE")
    assert said(lambda: WRITES[write](store)) == errors.BUSY
    assert [row.name for row in store.listed(ME)] == ["whole"]  # who only reads need not wait
    other.rollback()
    other.close()
    WRITES[write](store)


def test_a_database_that_is_locked_when_it_is_opened(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "runs.sqlite")
    other.execute("BEGIN EXCLUSIVE")
    assert said(lambda: Store.open(f"sqlite:///{tmp_path}/runs.sqlite", patience=0.2)) == errors.BUSY
    other.close()


@pytest.mark.parametrize("write", WRITES)
def test_a_database_that_can_only_be_read(file: Path, write: str) -> None:
    store = Store.open(f"sqlite:///file:{file}?mode=ro&uri=true")
    assert said(lambda: WRITES[write](store)) == errors.READ_ONLY
    assert plain(store.get("first")) == plain(RUN)
    store.close()
    assert whole(file)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """By a user who may not; root may everywhere, and is somebody else for this."""
    program = (
        "import os, sys\n"
        "from bnviz.store.store import Store\n"
        "from bnviz.store.errors import StoreError\n"
        "if not os.geteuid(): os.setuid(65534)\n"
        "try: Store.open(sys.argv[1])\n"
        "except StoreError as error: print(error)\n"
    )
    tmp_path.chmod(0o555)
    for place in (f"{tmp_path}/runs.sqlite", f"{tmp_path}/folder/runs.sqlite"):
        command = [sys.executable, "-c", program, f"sqlite:///{place}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == errors.CLOSED
    tmp_path.chmod(0o755)


def test_a_disk_that_is_full(store: Store, file: Path) -> None:
    """SQLite is told the size of the disk, and finds itself at its end."""
    pages = len(file.read_bytes()) // 4096 + 1
    sa.event.listen(store._database._engine, "begin", lambda c: c.exec_driver_sql(f"PRAGMA max_page_count = {pages}"))
    assert said(lambda: store.keep(made_up_run(frames=20), ME)) == errors.FULL
    assert [row.name for row in store.listed(ME)] == ["whole"]
    store.rename("first", ME, "whole")
    store.close()
    assert whole(file)


def test_a_disk_that_takes_no_more(file: Path) -> None:
    """The system refuses to write beyond a size, in the middle of a transaction."""
    program = (
        "import resource, signal, sys\n"
        "from bnviz.store.store import Store\n"
        "from bnviz.store.errors import StoreError\n"
        "from tests.keeping import made_up_run\n"
        "store = Store.open(sys.argv[1])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: store.keep(made_up_run(frames=60), 'my-id')\n"
        "except StoreError as error: print(error)\n"
    )
    command = [sys.executable, "-c", program, f"sqlite:///{file}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in (errors.FULL, errors.FAILED)
    assert whole(file)


@pytest.mark.parametrize("use", WRITES | READS)
def test_a_database_that_vanishes(store: Store, file: Path, use: str) -> None:
    kept = file.with_suffix(".kept")
    file.rename(kept)
    assert said(lambda: (WRITES | READS)[use](store)) == errors.GONE
    assert not file.exists()
    kept.rename(file)
    assert plain(store.get("first")) == plain(RUN)  # as soon as it is there again


def test_a_folder_that_vanishes_with_its_database(store: Store, file: Path) -> None:
    shutil.rmtree(file.parent)
    assert said(lambda: store.keep(RUN, ME)) == errors.GONE
    assert not file.exists()


@pytest.mark.parametrize("content", [b"not a database" * 1000, b"SQLite format 3\x00" + bytes(5000)])
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "runs.sqlite").write_bytes(content)
    assert said(lambda: Store.open(f"sqlite:///{tmp_path}/runs.sqlite")) == errors.DAMAGED
    assert (tmp_path / "runs.sqlite").read_bytes() == content


def test_a_database_that_was_damaged(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    file.write_bytes(content)
    said(lambda: Store.open(f"sqlite:///{file}").listed(ME))


@pytest.mark.parametrize("table", ["runs", "files"])
def test_a_database_without_one_of_its_tables(store: Store, file: Path, table: str) -> None:
    with sqlite3.connect(file) as other:
        other.execute(f"DROP TABLE {table}")
    other.close()
    assert said(lambda: store.keep(RUN, ME)) == errors.FAILED
    assert said(lambda: store.get("first")) == errors.FAILED


@pytest.mark.parametrize(
    "url", ["", "nonsense", "runs.sqlite", "mongodb://host/db", "oracle://host/db", "postgresql+no://x"]
)
def test_an_address_that_leads_nowhere(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BNVIZ_DATABASE", url)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    if url:
        assert said(Store.open) == errors.ADDRESS
    else:  # as if it were not set
        Store.open().close()
        assert (tmp_path / "bnviz" / "runs.sqlite").exists()


def test_a_server_that_does_not_answer() -> None:
    assert said(lambda: Store.open("postgresql://user:secret@127.0.0.1:1/bnviz")) == errors.UNREACHABLE


class TestPostgreSQL:
    @pytest.fixture
    def opened(self, postgresql: PostgreSQL) -> Iterator[Store]:
        store = Store.open(postgresql.new_database(), patience=0.5)
        store.keep(RUN, ME, run_id="first", name="whole")
        yield store
        store.close()

    def test_that_stops_is_told_and_found_again(self, postgresql: PostgreSQL, opened: Store) -> None:
        postgresql.stop()
        try:
            for use in (WRITES | READS).values():
                assert said(lambda use=use: use(opened)) == errors.UNREACHABLE  # type: ignore[misc]
        finally:
            postgresql.start()
        assert plain(opened.get("first")) == plain(RUN)

    def test_that_drops_a_connection_is_asked_on_another_one(self, postgresql: PostgreSQL, opened: Store) -> None:
        opened.size()
        postgresql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test%'")
        assert plain(opened.get("first")) == plain(RUN)

    @pytest.mark.parametrize("write", WRITES)
    def test_that_somebody_else_writes_to(self, postgresql: PostgreSQL, opened: Store, write: str) -> None:
        with opened._database.writing():
            assert said(lambda: WRITES[write](opened)) == errors.BUSY
            assert [row.name for row in opened.listed(ME)] == ["whole"]
        WRITES[write](opened)

    @pytest.mark.parametrize("write", WRITES)
    def test_that_can_only_be_read(self, postgresql: PostgreSQL, write: str) -> None:
        url = postgresql.new_database()
        store = Store.open(url)
        store.keep(RUN, ME, run_id="first")
        store.close()
        postgresql.execute(f'ALTER DATABASE "{sa.make_url(url).database}" SET default_transaction_read_only = on')
        assert said(lambda: WRITES[write](store)) == errors.READ_ONLY
        assert store.get("first") is not None
        store.close()

    def test_without_that_database(self, postgresql: PostgreSQL) -> None:
        url = postgresql.new_database().replace("test_", "other_")
        assert said(lambda: Store.open(url)) in (errors.CLOSED, errors.UNREACHABLE)

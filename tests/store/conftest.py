"""Databases of every kind that runs are kept in: an SQLite file, and a PostgreSQL server that the tests start."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bnviz.store.store import Store
from tests.running import wait_until


class PostgreSQL:
    """A server with an empty cluster in a temporary folder, reached by a socket in it."""

    def __init__(self, programs: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="bnviz-pg-"))  # not pytest's, into which only this user may look
        self._programs = programs
        self._user: str | None = None
        if os.geteuid() == 0:  # as whom PostgreSQL refuses to run
            names = {entry.pw_name for entry in pwd.getpwall()}
            self._user = "postgres" if "postgres" in names else "nobody"
            shutil.chown(self._folder, self._user)
        data = ("-D", str(self._folder / "data"))
        made = self._start("initdb", *data, "-U", "bnviz", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        assert made.wait() == 0, (self._folder / "log").read_text()
        self._data = data
        self.start()

    def start(self) -> None:
        options = ("-k", str(self._folder), "-c", "listen_addresses=", "-c", "fsync=off")
        self._process = self._start("postgres", *self._data, *options)
        wait_until(self._answers, "PostgreSQL")

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)  # which waits for no connection
        self._process.wait(60)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def new_database(self) -> str:
        """The address of an empty one."""
        name = f"test_{uuid.uuid4().hex}"
        self.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql+psycopg://bnviz@/{name}?host={self._folder}"

    def execute(self, command: str) -> None:
        with psycopg.connect(dbname="postgres", user="bnviz", host=str(self._folder), autocommit=True) as connection:
            connection.execute(command.encode())

    def _start(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [self._programs / program, *arguments], cwd=self._folder, user=self._user, stdout=log, stderr=log
            )

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._folder / "log").read_text()
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


@pytest.fixture(autouse=True)
def runs_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests keep nothing."""
    monkeypatch.delenv("BNVIZ_RUNS")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """Debian keeps its programs off the PATH."""
    found = [*sorted(Path("/usr/lib/postgresql").glob("*/bin")), *map(Path, os.environ.get("PATH", "").split(":"))]
    programs = next((folder for folder in found if (folder / "initdb").exists()), None)
    if programs is None:
        if os.environ.get("BNVIZ_REQUIRE_BROWSER"):
            pytest.fail("no PostgreSQL found, and BNVIZ_REQUIRE_BROWSER is set")
        pytest.skip("no PostgreSQL found")
    server = PostgreSQL(programs)
    yield server
    server.remove()


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database that nobody has opened yet."""
    if request.param == "SQLite":
        return f"sqlite:///{tmp_path}/data/runs.sqlite"
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return server.new_database()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A store that was just made."""
    opened = Store.open(url)
    yield opened
    opened.close()

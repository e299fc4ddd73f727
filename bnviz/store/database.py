"""Opens a database, and brings it to the form that this version knows."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text

from bnviz.store.errors import GONE, LATER, StoreError, told

DATABASE = "BNVIZ_DATABASE"
LOCK_PATIENCE = 10.0  # seconds for a lock that somebody else holds
_MIGRATIONS = Path(__file__).with_name("migrations")
_LOCK = 0x626E7669  # PostgreSQL's advisory locks have numbers


def default_url() -> str:
    """Return what BNVIZ_DATABASE says, or a file in the user's data directory."""
    own = f"sqlite:///{platformdirs.user_data_path('bnviz', appauthor=False) / 'runs.sqlite'}"
    return os.environ.get(DATABASE) or own


class Database:
    """A database of runs in the newest form. Its methods raise StoreError, with one sentence, and nothing else."""

    @told()
    def __init__(self, url: str, patience: float = LOCK_PATIENCE) -> None:
        self._url = make_url(url)
        self._file = _file_of(self._url)
        if self._file:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        self._engine = _engine(self._url, patience)
        self._identity: tuple[int, int] | None = None
        _migrate(self)
        self._identity = self._seen()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one moment of the database."""
        with told():
            self._check()
            with self._engine.begin() as connection:
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose changes are made together, or not at all; nobody else writes meanwhile."""
        with told():
            self._check()
            with self._engine.execution_options(bnviz_writes=True).begin() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
                yield connection

    @told()
    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def _check(self) -> None:
        """SQLite goes on writing to a file that was deleted, and nobody would find that again."""
        if self._identity is not None and self._seen() != self._identity:
            raise StoreError(GONE)

    def _seen(self) -> tuple[int, int] | None:
        if self._file is None:
            return None
        try:
            found = self._file.stat()
        except FileNotFoundError:
            return -1, -1
        return found.st_dev, found.st_ino


def _file_of(url: URL) -> Path | None:
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database.removeprefix("file:"))


def _engine(url: URL, patience: float) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": patience})
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        return engine
    limits = {"connect_timeout": max(2, round(patience)), "options": f"-c lock_timeout={patience * 1000:.0f}"}
    return create_engine(url, pool_pre_ping=True, connect_args=limits if url.get_backend_name() == "postgresql" else {})


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin` says, and not where sqlite3 would begin them
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {64 * 2**20}")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("bnviz_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _migrate(database: Database) -> None:
    script = ScriptDirectory(_MIGRATIONS, version_locations=[_MIGRATIONS])
    newest = script.get_current_head()
    with database.reading() as connection:
        if _form(connection) == newest:
            return
    with database.writing() as connection:  # of several processes that open it at once, one makes the steps
        if _form(connection) not in {None, *(step.revision for step in script.walk_revisions())}:
            raise StoreError(LATER)
        with EnvironmentContext(Config(), script, fn=lambda form, _: script._upgrade_revs("head", form)) as environment:
            environment.configure(connection=connection)
            environment.run_migrations()


def _form(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()

"""The store of runs: kept by whoever trained them, found again by their owner's list or by their id."""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, get_args

import sqlalchemy as sa

from bnviz.export.run_file import RunFileError, to_bytes
from bnviz.records.history import new_id
from bnviz.records.kept_run import KeptRun
from bnviz.store.database import LOCK_PATIENCE, Database, default_url
from bnviz.store.errors import StoreError
from bnviz.store.films import StoredFilms
from bnviz.store.networks import Networks
from bnviz.store.notes import Notes
from bnviz.store.opened import OpenedRuns
from bnviz.store.room import oldest_beyond
from bnviz.store.rows import RunRow, run_row, searched, summary, words

Sort = Literal["newest", "oldest", "name", "steps", "test loss", "accuracy", "size"]
SORTS: tuple[Sort, ...] = get_args(Sort)

ROOM = "BNVIZ_RUNS_MB"
USUAL_ROOM = 2000  # MB
UNDO = 3600.0  # seconds until what was deleted is gone
MOST_SEARCHED = 10  # words

_RUNS = sa.table(
    "runs",
    *map(
        sa.column,
        (
            *("id", "owner", "created", "deleted", "name", "note", "tags", "special", "searched"),
            *("data", "steps", "loss", "accuracy", "networks", "size"),
        ),
    ),
    sa.column("pinned", sa.Boolean),
)
_FILES = sa.table("files", sa.column("run_id"), sa.column("content", sa.LargeBinary))
_R = _RUNS.c
_ORDER: dict[Sort, Any] = {
    "newest": _R.created.desc(),
    "oldest": _R.created,
    "name": sa.func.lower(_R.name),
    "steps": _R.steps.desc(),
    "test loss": _R.loss.nulls_last(),
    "accuracy": _R.accuracy.desc().nulls_last(),
    "size": _R.size.desc(),
}


_LONGEST = {"id": 64, "owner": 64, "name": 200, "note": 4000, "tag": 40, "search": 200}
_MOST_TAGS = 20


class Store:
    """Runs in a database; any thread may use it. Its methods raise StoreError, with one sentence, and nothing else."""

    def __init__(self, database: Database, room: int, clock: Callable[[], float] = time.time) -> None:
        """Take a database that is open. room: bytes of all files. clock: seconds since 1970."""
        self._database, self._room, self._clock = database, room, clock
        self._opened = OpenedRuns()
        self.notes, self.networks = Notes(database, clock), Networks(database, clock)
        self.films = StoredFilms(database, room, clock)

    @classmethod
    def open(cls, url: str | None = None, *, patience: float = LOCK_PATIENCE) -> "Store":
        """Open the database of that address or else of BNVIZ_DATABASE; it is made, or brought up to date, if need be.

        patience: seconds to wait for others who are writing.
        """
        return cls(Database(url or default_url(), patience), _room())

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def keep(self, run: KeptRun, owner: str, *, run_id: str | None = None, name: str = "", pinned: bool = False) -> str:
        """Keep a run and return its id. One that is there already is replaced; what its owner wrote on it stays.

        The oldest runs that are not pinned go if there is no room, those first that were deleted.
        """
        try:
            content = to_bytes(run)
        except RunFileError as error:
            raise StoreError(str(error)) from error
        run_id, owner, name = _text("id", run_id or new_id()), _text("owner", owner), _text("name", name)
        with self._writing() as connection:
            before = connection.execute(sa.select(_RUNS).where(_R.id == run_id)).one_or_none()
            if before is not None and before.owner != owner:
                raise StoreError("This run is somebody else's.")
            note, tags = (before.note, json.loads(before.tags)) if before else ("", [])
            name = name or (before.name if before else "")
            row = summary(run) | {
                "id": run_id,
                "owner": owner,
                "created": before.created if before else self._clock(),
                "deleted": before.deleted if before else None,
                "pinned": pinned or bool(before and before.pinned),
                "name": name,
                "note": note,
                "tags": json.dumps(tags),
                "size": len(content),
            }
            row["searched"] = searched(name, note, tags, row["special"])
            self._drop(connection, [run_id])
            self._make_room(connection, len(content))
            connection.execute(sa.insert(_RUNS).values(row))
            connection.execute(sa.insert(_FILES).values(run_id=run_id, content=content))
        return run_id

    def get(self, run_id: str) -> KeptRun | None:
        """Return the run with that id, whoever's it is; None if there is none."""
        asked = sa.select(_FILES.c.content).join_from(_FILES, _RUNS, _R.id == _FILES.c.run_id)
        run_id = _text("id", run_id)
        with self._database.reading() as connection:
            content = connection.execute(asked.where(_R.id == run_id, _R.deleted.is_(None))).scalar_one_or_none()
        try:
            return None if content is None else self._opened.run_of(run_id, content)
        except RunFileError as error:
            raise StoreError(str(error)) from error

    def listed(
        self, owner: str, *, search: str = "", sort: Sort = "newest", limit: int = 100, offset: int = 0
    ) -> list[RunRow]:
        """Return somebody's runs that have every word of `search` in their name, note, tags or special settings."""
        wanted = words(_text("search", search))
        has = [_R.searched.contains(word, autoescape=True) for word in wanted[:MOST_SEARCHED]]
        mine = sa.select(_RUNS).where(_R.owner == _text("owner", owner), _R.deleted.is_(None), *has)
        with self._database.reading() as connection:
            found = connection.execute(
                mine.order_by(_ORDER[sort if sort in _ORDER else "newest"], _R.created.desc(), _R.id)
                .limit(limit)
                .offset(offset)
            )
            return [run_row(columns) for columns in found]

    def rename(self, run_id: str, owner: str, name: str) -> bool:
        """Give a run of this owner another name. Returns whether there is one."""
        return self._write(run_id, owner, name=_text("name", name))

    def annotate(self, run_id: str, owner: str, note: str) -> bool:
        """Write a note on a run of this owner. Returns whether there is one."""
        return self._write(run_id, owner, note=_text("note", note))

    def tag(self, run_id: str, owner: str, tags: Sequence[str]) -> bool:
        """Give a run of this owner these tags and no others. Returns whether there is one."""
        known = list(dict.fromkeys(tag for tag in (_text("tag", tag).strip() for tag in tags) if tag))
        return self._write(run_id, owner, tags=json.dumps(known[:_MOST_TAGS]))

    def pin(self, run_id: str, owner: str, pinned: bool = True) -> bool:
        """Have a run of this owner stay, or go when there is no room. Returns whether there is one."""
        return self._write(run_id, owner, pinned=pinned)

    def delete(self, run_id: str, owner: str) -> bool:
        """Delete a run of this owner, which is gone in an hour or when room is needed. Returns whether there is one."""
        if deleted := self._write(run_id, owner, deleted=self._clock()):
            self._opened.forget([_text("id", run_id)])
        return deleted

    def restore(self, run_id: str, owner: str) -> bool:
        """Bring a deleted run back. Returns whether it was still there."""
        lost = sa.and_(*_own(run_id, owner), _R.deleted > self._clock() - UNDO)
        with self._writing() as connection:
            return bool(connection.execute(sa.update(_RUNS).where(lost).values(deleted=None)).rowcount)

    def size(self) -> int:
        """Return the bytes of all files, also of those that can still be restored."""
        with self._database.reading() as connection:
            return _size(connection)

    def _write(self, run_id: str, owner: str, **values: Any) -> bool:
        with self._writing() as connection:
            mine = sa.and_(*_own(run_id, owner), _R.deleted.is_(None))
            row = connection.execute(sa.select(_RUNS).where(mine)).one_or_none()
            if row is None:
                return False
            now = row._asdict() | values
            values["searched"] = searched(now["name"], now["note"], json.loads(now["tags"]), now["special"])
            connection.execute(sa.update(_RUNS).where(mine).values(values))
            return True

    def _make_room(self, connection: sa.Connection, wanted: int) -> None:
        if wanted > self._room:
            raise StoreError(f"This run is larger than {ROOM} allows.")
        over = _size(connection) + wanted - self._room
        if over <= 0:
            return
        deleted_first = (_R.deleted.is_(None), _R.created)
        oldest = sa.select(_R.id, _R.size).where(sa.or_(_R.deleted.is_not(None), _R.pinned.is_(False)))
        known = ((run_id, size) for run_id, size in connection.execute(oldest.order_by(*deleted_first)))
        going, over = oldest_beyond(known, over)
        if over > 0:
            raise StoreError(f"There is no room for this run within {ROOM}: pinned runs take the rest.")
        self._drop(connection, going)

    def _drop(self, connection: sa.Connection, run_ids: Sequence[str]) -> None:
        connection.execute(sa.delete(_FILES).where(_FILES.c.run_id.in_(run_ids)))
        connection.execute(sa.delete(_RUNS).where(_R.id.in_(run_ids)))
        self._opened.forget(run_ids)

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """One transaction, in which what was deleted long ago goes."""
        with self._database.writing() as connection:
            gone = connection.execute(sa.select(_R.id).where(_R.deleted <= self._clock() - UNDO)).scalars().all()
            if gone:
                self._drop(connection, gone)
            yield connection


def _size(connection: sa.Connection) -> int:
    return int(connection.execute(sa.select(sa.func.coalesce(sa.func.sum(_R.size), 0))).scalar_one())


def _own(run_id: str, owner: str) -> tuple[sa.ColumnElement[bool], ...]:
    return _R.id == _text("id", run_id), _R.owner == _text("owner", owner)


def _text(what: str, text: str) -> str:
    """Return what a database of any kind can hold of a stranger's text."""
    return "".join(letter for letter in text if letter.isprintable() or letter == "\n")[: _LONGEST[what]]


def _room() -> int:
    text = os.environ.get(ROOM) or str(USUAL_ROOM)
    if not text.isdecimal() or not int(text):
        raise StoreError(f"{ROOM} is not a whole number of megabytes, at least 1.")
    return int(text) * 10**6

"""The store of watched runs: written by the process that trains, read by the page, also after that process is gone."""

import os
import socket
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import sqlalchemy as sa

from bnviz.export.own_network import look_from_bytes, network_from_bytes, network_to_bytes
from bnviz.records.own_network import Floats, Look, Network
from bnviz.records.watched_run import State, WatchedRun
from bnviz.store.database import LOCK_PATIENCE, Database, default_url
from bnviz.store.errors import DAMAGED, StoreError
from bnviz.store.rows import SMALL_CURVE_POINTS

Ending = Literal["finished", "failed"]
SILENT_AFTER = 4.0  # seconds without a sign of life; one comes each second
MOST_KEPT = 100  # runs, of at most some 10 MB; the oldest give way when another one begins

_W = sa.table(
    "watched",
    *map(sa.column, ("id", "name", "host", "process", "started", "heard", "ending", "problem", "step")),
    sa.column("network", sa.LargeBinary),
    sa.column("curve", sa.LargeBinary),
    sa.column("small", sa.LargeBinary),
)
_L = sa.table("looks", sa.column("run_id"), sa.column("step"), sa.column("content", sa.LargeBinary))


class WatchedStore:
    """Watched runs in the database of runs; any thread may use it. Its methods raise StoreError and nothing else."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        """Take a database that is open. clock: seconds since 1970."""
        self._database, self._clock = database, clock

    @classmethod
    def open(cls, url: str | None = None, *, patience: float = LOCK_PATIENCE) -> "WatchedStore":
        """Open the database of that address or else of BNVIZ_DATABASE; it is made if need be."""
        return cls(Database(url or default_url(), patience))

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def begin(self, run_id: str, name: str) -> None:
        """Tell of a run that this process begins; the oldest ones that are too many go."""
        now = self._clock()
        row = {"id": run_id, "name": name, "host": socket.gethostname(), "process": os.getpid()}
        row |= {"started": now, "heard": now, "ending": "", "problem": "", "step": 0}
        newest = sa.select(_W.c.id).order_by(_W.c.started.desc()).offset(MOST_KEPT - 1)
        with self._database.writing() as connection:
            going = connection.execute(newest).scalars().all()
            connection.execute(sa.delete(_L).where(_L.c.run_id.in_(going)))
            connection.execute(sa.delete(_W).where(_W.c.id.in_(going)))
            connection.execute(sa.insert(_W).values(row))

    def alive(self, run_id: str, **changed: Any) -> None:
        """Give a sign of life, and tell what has changed of the run's row."""
        with self._database.writing() as connection:
            self._tell(connection, run_id, changed)

    def look(
        self, run_id: str, at: int, content: bytes, going: Sequence[int], *, network: Network | None, **changed: Any
    ) -> None:
        """Keep a look at step `at`. going: steps of looks that are no longer kept. network: of the first look."""
        if network is not None:
            changed["network"] = network_to_bytes(network)
        with self._database.writing() as connection:
            if going:
                connection.execute(sa.delete(_L).where(_L.c.run_id == run_id, _L.c.step.in_(going)))
            if self._tell(connection, run_id, changed):  # else it gave way to newer runs, and has no place any more
                connection.execute(sa.insert(_L).values(run_id=run_id, step=at, content=content))

    def end(self, run_id: str, ending: Ending, problem: str = "") -> None:
        """Say that a run is at its end."""
        self.alive(run_id, ending=ending, problem=problem)

    def listed(self, *, curves: bool = False) -> list[WatchedRun]:
        """Return the newest runs, without their networks, and if asked to with small curves, whose last points are
        those of the whole ones."""
        columns: list[sa.ColumnElement[Any]] = [c for c in _W.c if c.name not in ("network", "curve", "small")]
        if curves:  # the whole one for rows that were written before there were small ones
            columns.append(sa.func.coalesce(_W.c.small, _W.c.curve).label("curve"))
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(*columns).order_by(_W.c.started.desc()).limit(MOST_KEPT)).all()
        with _read():
            return [self._run(row, None, row.curve if curves else None, ()) for row in rows]

    def get(self, run_id: str) -> WatchedRun | None:
        """Return a run with all but its looks; None if there is none."""
        with self._database.reading() as connection:
            row = connection.execute(sa.select(_W).where(_W.c.id == run_id)).one_or_none()
            steps = connection.execute(sa.select(_L.c.step).where(_L.c.run_id == run_id).order_by(_L.c.step))
            looks = tuple(steps.scalars())
        with _read():
            return self._run(row, row.network, row.curve, looks) if row else None

    def a_look(self, run_id: str, step: int) -> Look | None:
        """Return the look at a step, None if it is no longer kept."""
        asked = sa.select(_L.c.content).where(_L.c.run_id == run_id, _L.c.step == step)
        with self._database.reading() as connection:
            content = connection.execute(asked).scalar_one_or_none()
        with _read():
            return None if content is None else look_from_bytes(content)

    def size(self, run_id: str) -> int:
        """Return the bytes of a run's looks."""
        asked = sa.select(sa.func.coalesce(sa.func.sum(sa.func.length(_L.c.content)), 0)).where(_L.c.run_id == run_id)
        with self._database.reading() as connection:
            return int(connection.execute(asked).scalar_one())

    def _tell(self, connection: sa.Connection, run_id: str, changed: dict[str, Any]) -> bool:
        told_of = sa.update(_W).where(_W.c.id == run_id).values(heard=self._clock(), **changed)
        return bool(connection.execute(told_of).rowcount)

    def _run(self, row: Any, network: bytes | None, curve: bytes | None, looks: tuple[int, ...]) -> WatchedRun:
        steps, losses = curve_from_bytes(curve) if curve else (np.empty(0), np.empty(0))
        state: State = row.ending or ("silent" if self._is_silent(row) else "training")
        known = network_from_bytes(network) if network else None
        return WatchedRun(
            row.id,
            row.name,
            state,
            row.started,
            row.heard,
            row.step,
            known,
            steps.astype(np.int64),
            losses,
            looks,
            row.problem,
        )

    def _is_silent(self, row: Any) -> bool:
        """Whether the process is gone, as this machine knows of its own, or has not been heard of for too long."""
        if row.host == socket.gethostname() and not _is_running(row.process):
            return True
        return bool(self._clock() - row.heard > SILENT_AFTER)


@contextmanager
def _read() -> Iterator[None]:
    """Turn what damaged bytes, or those of another version, lead to into a StoreError."""
    try:
        yield
    except (zlib.error, ValueError, TypeError, KeyError) as error:
        raise StoreError(DAMAGED) from error


def curve_to_bytes(steps: Floats, losses: Floats) -> bytes:
    """Return a loss curve, compressed."""
    return zlib.compress(np.stack([steps, losses]).astype(np.float32).tobytes(), 1)


def small_curve_to_bytes(steps: Floats, losses: Floats) -> bytes:
    """Return a loss curve at no more than SMALL_CURVE_POINTS points, compressed.

    Those of a longer one are means of neighbours, and the last one as it is.
    """
    if len(steps) > SMALL_CURVE_POINTS:
        parts = np.array_split(np.arange(len(steps) - 1), SMALL_CURVE_POINTS - 1)
        steps, losses = (np.array([*(x[part].mean() for part in parts), x[-1]]) for x in (steps, losses))
    return curve_to_bytes(steps, losses)


def curve_from_bytes(content: bytes) -> tuple[Floats, Floats]:
    """Return steps and losses that `curve_to_bytes` wrote."""
    steps, losses = np.frombuffer(zlib.decompress(content), np.float32).reshape(2, -1).astype(np.float64)
    return steps, losses


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


__all__ = ["StoreError", "WatchedStore"]

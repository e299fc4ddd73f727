"""Keeps runs in the background: whoever hands one over goes on at once, whatever the database does."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Thread

from bnviz.records.kept_run import KeptRun
from bnviz.store.errors import StoreError
from bnviz.store.store import Store

logger = logging.getLogger(__name__)

RUNS = "BNVIZ_RUNS"
MOST_WAITING = 100  # runs; the oldest gives way, because a view is megabytes


def runs_are_kept() -> bool:
    """Return whether this machine keeps runs: BNVIZ_RUNS=off says that it does not."""
    return os.environ.get(RUNS, "on").lower() not in ("off", "0", "no")


@dataclass(frozen=True)
class _Order:
    run: KeptRun
    owner: str
    name: str
    pinned: bool


class Keeper:
    """A thread that keeps what it is handed, the newest state of each run. problem: why it cannot, or empty.

    A problem is logged when it comes up, not for each run that it costs.
    """

    def __init__(self, open_store: Callable[[], Store] = Store.open) -> None:
        self.problem = ""
        self._open_store = open_store
        self._store: Store | None = None
        self._waiting: dict[str, _Order] = {}
        self._changed = Condition()
        self._closing = False
        self._thread = Thread(target=self._drive, name="bnviz-keeper", daemon=True)
        self._on = runs_are_kept()
        if self._on:
            self._thread.start()

    def keep(self, run_id: str, run: KeptRun, owner: str, *, name: str = "", pinned: bool = False) -> None:
        """Hand a run over; what was handed over before under this id, and still waits, need not be kept any more."""
        if not self._on:
            return
        with self._changed:
            before = self._waiting.pop(run_id, None)
            if before:
                name, pinned = name or before.name, pinned or before.pinned
            self._waiting[run_id] = _Order(run, owner, name, pinned)
            if len(self._waiting) > MOST_WAITING:
                del self._waiting[next(iter(self._waiting))]
                self._tell("The database of runs is too slow for all of them.")
            self._changed.notify()

    def close(self) -> None:
        """Wait until all that was handed over is kept, or could not be."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._on:
            self._thread.join()

    def _drive(self) -> None:
        while (order := self._next()) is not None:
            run_id, told = order
            try:
                store = self._store = self._store or self._open_store()
                store.keep(told.run, told.owner, run_id=run_id, name=told.name, pinned=told.pinned)
                self._tell("")
            except StoreError as error:
                self._tell(str(error))
        if self._store:
            self._store.close()

    def _next(self) -> tuple[str, _Order] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            run_id = next(iter(self._waiting), None)
            return None if run_id is None else (run_id, self._waiting.pop(run_id))

    def _tell(self, problem: str) -> None:
        if problem and problem != self.problem:
            logger.warning("a run was not kept: %s", problem)
        self.problem = problem

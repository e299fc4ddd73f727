"""The logbook of this server: where every run and sweep is, so that the next server can go on with them."""

import logging
import time
from collections.abc import Callable, Mapping
from threading import Event, Thread

from bnviz.engine.labs import Place
from bnviz.records.notes import RunNote, SweepNote
from bnviz.store.errors import StoreError
from bnviz.store.keeper import runs_are_kept
from bnviz.store.store import Store

logger = logging.getLogger(__name__)

ENTRY_EVERY = 0.5  # seconds between two entries: so much, and the time to write one, may be lost with the server
ANEW = 600.0  # seconds until what has not moved is written once more, as still being there
CLOSING_TIMEOUT = 5.0  # seconds for the last entry
PAUSE = 30.0  # seconds without a question to a database that did not answer

Note = RunNote | SweepNote
Key = tuple[str, Place]


class Logbook:
    """Writes down where everything is, and finds it again. A database that does not answer costs runs nothing."""

    def __init__(self, notes: Callable[[], Mapping[Key, Note]], open_store: Callable[[], Store]) -> None:
        """notes: where everything is now, by tab and place. open_store: raises StoreError."""
        self._notes, self._open_store = notes, open_store
        self._written: dict[Key, tuple[Note, float]] = {}
        self._failed = float("-inf")  # monotonic time at which the database last did not answer
        self._closing = Event()
        self._thread = Thread(target=self._drive, name="bnviz-logbook", daemon=True)
        if runs_are_kept():
            self._thread.start()

    def find(self, tab: str, place: Place) -> Note | None:
        """Return where that of a tab was when it was last written down; None if nothing is known."""
        if not runs_are_kept() or time.monotonic() - self._failed < PAUSE:
            return None
        try:
            return self._open_store().notes.find(tab, place)
        except StoreError as error:
            self._fail(error)
            return None

    def close(self) -> None:
        """Write the last entry."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join(CLOSING_TIMEOUT)

    def _drive(self) -> None:
        while not self._closing.wait(ENTRY_EVERY):
            self._write()
        self._write()

    def _write(self) -> None:
        now = time.monotonic()
        if now - self._failed < PAUSE:
            return
        current = self._notes()
        moved = {key: note for key, note in current.items() if self._is_news(key, note, now)}
        if not moved:
            return
        try:
            self._open_store().notes.write(moved)
        except StoreError as error:
            self._fail(error)
            return
        except Exception:  # whatever one note holds, the next entries must be written
            logger.exception("where the runs are was not written down")
            self._failed = now
            return
        self._written |= {key: (note, now) for key, note in moved.items()}
        self._written = {key: told for key, told in self._written.items() if key in current}

    def _is_news(self, key: Key, note: Note, now: float) -> bool:
        before, at = self._written.get(key, (None, 0.0))
        return before != note or now - at > ANEW

    def _fail(self, error: StoreError) -> None:
        logger.warning("where the runs are was not written down: %s", error)
        self._failed = time.monotonic()

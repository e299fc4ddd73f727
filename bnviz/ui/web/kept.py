"""The store of this server, opened by whoever needs it first, and the thread that keeps runs in it."""

import time
from threading import Lock

from bnviz.records.ghosts import Pin
from bnviz.records.notes import RunNote
from bnviz.store.errors import StoreError
from bnviz.store.keeper import Keeper
from bnviz.store.store import Store
from bnviz.store.watched import WatchedStore

PAUSE = 2.0  # seconds after a failure in which the database is not tried again

_lock = Lock()
_failures: list[tuple[StoreError, float]] = []  # none or one: the last, and its monotonic time
_stores: list[Store] = []  # none or one; a database that could not be opened is tried again
_watched: list[WatchedStore] = []  # the same
_keepers: list[Keeper] = []  # none or one


def store() -> Store:
    """Return the store of this server. Raises StoreError."""
    with _lock:
        if not _stores:
            _open()
        return _stores[0]


def _open() -> None:
    """Open the database; if that has just failed, the next ones to ask are told at once and need not wait too."""
    for error, at in _failures:
        if time.monotonic() - at < PAUSE:
            raise StoreError(str(error))
    try:
        _stores.append(Store.open())
        _failures.clear()
    except StoreError as error:
        _failures[:] = [(error, time.monotonic())]
        raise


def watched_store() -> WatchedStore:
    """Return the store of watched networks of this server. Raises StoreError."""
    with _lock:
        if not _watched:
            _watched.append(WatchedStore.open())
        return _watched[0]


def keeper() -> Keeper:
    """Return what keeps runs in the background."""
    with _lock:
        if not _keepers:
            _keepers.append(Keeper(store))
        return _keepers[0]


def pins_of(note: RunNote) -> tuple[Pin, ...]:
    """Return the pins of a run that an earlier server had, of what is kept of them."""
    try:
        found = ((number, kept_as, store().get(kept_as)) for number, kept_as in note.pins)
        return tuple(pin for number, kept_as, kept in found if kept and (pin := Pin.of(kept.view, number, kept_as)))
    except StoreError:
        return ()


def close() -> None:
    """Wait until all that was handed over is kept, and let go of the database."""
    with _lock:
        keepers, _keepers[:] = list(_keepers), []
    for each in keepers:
        each.close()
    with _lock:
        _failures.clear()
        _stores.clear()
        _watched.clear()

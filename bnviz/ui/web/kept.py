"""The store of this server, opened by whoever needs it first, and the thread that keeps runs in it."""

from threading import Lock

from bnviz.store.keeper import Keeper
from bnviz.store.store import Store
from bnviz.store.watched import WatchedStore

_lock = Lock()
_stores: list[Store] = []  # none or one; a database that could not be opened is tried again
_watched: list[WatchedStore] = []  # the same
_keepers: list[Keeper] = []  # none or one


def store() -> Store:
    """Return the store of this server. Raises StoreError."""
    with _lock:
        if not _stores:
            _stores.append(Store.open())
        return _stores[0]


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


def close() -> None:
    """Wait until all that was handed over is kept, and let go of the database."""
    with _lock:
        keepers, _keepers[:] = list(_keepers), []
    for each in keepers:
        each.close()
    with _lock:
        _stores.clear()
        _watched.clear()

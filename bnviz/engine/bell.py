"""A bell that says that something has moved, so that nobody needs to look every few milliseconds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

Listener = Callable[[], None]


class Bell:
    """Rung by any thread after it has changed something; that thread calls whoever listens, who must not block.

    Who listens first and looks then misses nothing: what changes after the look rings.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._listeners: tuple[Listener, ...] = ()  # never changed in place: the ringing thread takes no lock

    def ring(self) -> None:
        """Call whoever listens now."""
        for listener in self._listeners:
            listener()

    def listen(self, listener: Listener) -> None:
        """Call `listener` at every ring from now on."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

    @contextmanager
    def heard_by(self, listener: Listener) -> Iterator[None]:
        """Call `listener` at every ring while the context lasts."""
        self.listen(listener)
        try:
            yield
        finally:
            with self._lock:
                self._listeners = tuple(each for each in self._listeners if each != listener)

"""The kept runs that were opened last, read once for all who open the same one."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock
from weakref import WeakValueDictionary

from bnviz.export.run_file import from_bytes, unpacked_size
from bnviz.records.kept_run import KeptRun

MOST_OPENED = 4  # runs in memory, of some 15 MB, for those who open the same one after each other
MOST_BYTES = 64 * 2**20  # of all of them
MOST_OF_ONE = MOST_BYTES // 2  # a larger one is read by each who opens it


@dataclass(frozen=True)
class _Opened:
    digest: bytes
    size: int
    run: KeptRun


class OpenedRuns:
    """Runs by their ids, bounded by their number and by the bytes of their numbers; any thread may use them."""

    def __init__(self) -> None:
        self._lock = Lock()  # of what follows; never held while a file is read, which may take seconds
        self._opened = OrderedDict[str, _Opened]()  # last the newest
        self._reading = WeakValueDictionary[bytes, Lock]()  # of those who read the same file now, by its digest

    def run_of(self, run_id: str, content: bytes) -> KeptRun:
        """Return the run of a file, the same object for all who open it. Raises RunFileError for one that is spoiled.

        run_id: whose file it is now; what that one held before is forgotten.
        """
        digest = sha256(content).digest()
        with self._lock:
            reading = self._reading.setdefault(digest, Lock())
        with reading:
            with self._lock:
                if (known := self._opened.get(run_id)) is not None and known.digest == digest:
                    self._opened.move_to_end(run_id)
                    return known.run
            run = from_bytes(content)
            read = _Opened(digest, unpacked_size(content), run)
            with self._lock:
                self._keep(run_id, read)
            return run

    def forget(self, run_ids: Iterable[str]) -> None:
        """Let go of runs that are kept no longer, or are kept anew."""
        with self._lock:
            for run_id in run_ids:
                self._opened.pop(run_id, None)

    def size(self) -> int:
        """Return the bytes of all runs that are held."""
        with self._lock:
            return self._size()

    def _keep(self, run_id: str, read: _Opened) -> None:
        self._opened.pop(run_id, None)
        if read.size > MOST_OF_ONE:
            return
        self._opened[run_id] = read
        while len(self._opened) > MOST_OPENED or self._size() > MOST_BYTES:
            self._opened.popitem(last=False)

    def _size(self) -> int:
        return sum(each.size for each in self._opened.values())

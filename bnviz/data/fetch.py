"""Download a data set with torchvision, only when somebody asks for it."""

import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from threading import Lock
from types import TracebackType
from urllib.error import HTTPError, URLError

from bnviz.data import files
from bnviz.data.files import Downloaded

SILENCE_SECONDS = 30.0  # a server that sends nothing for so long is given up
_ONE_AT_A_TIME = Lock()


class DownloadError(Exception):
    """Raised if a set cannot be downloaded; the message says which file, what each host answered, and what to do."""


@dataclass(frozen=True)
class DownloadProgress:
    """Progress of one of the files that have to be fetched."""

    file: str  # as the server names it, with .gz
    number: int  # 1 to `file_count`
    file_count: int
    received: int = 0  # compressed bytes
    total: int | None = None  # compressed bytes; None until the server has said, or if it never does
    done: bool = False  # checksum verified, in place


Report = Callable[[DownloadProgress], None]


def download(name: Downloaded, report: Report | None = None, mirrors: Sequence[str] | None = None) -> None:
    """Fetch the files of a set that the data directory lacks, check them, and put them where `load` finds them.

    Blocks until done: call it in the background. `report` is called in this thread. `mirrors` are base addresses
    (http or https) tried in turn, each with a folder for each set that is called as torchvision's class is; without
    them those in $BNVIZ_DATA_MIRROR (separated by spaces), else torchvision's. A file enters the data directory only
    whole and checked, so an interrupted download is resumed file by file.

    Raises DownloadError.
    """
    from torchvision import datasets

    source, raw = files.SOURCES[name], files.folder_of(name)
    given = _base_addresses(mirrors or os.environ.get("BNVIZ_DATA_MIRROR", "").split())
    addresses = [f"{mirror}{source.torchvision}/" for mirror in given] or getattr(datasets, source.torchvision).mirrors
    with _ONE_AT_A_TIME:
        lacking = [file.name for file in files.check(name) if not file.ok]
        for number, file in enumerate(lacking, start=1):
            progress = _Progress(file, number, len(lacking), report)
            try:
                raw.mkdir(parents=True, exist_ok=True)
                # On the same file system as `raw`, so that the move is atomic.
                with tempfile.TemporaryDirectory(prefix=".download-", dir=raw.parent) as folder:
                    _fetch(addresses, file, source.md5[list(files.SHAPES).index(file)], Path(folder), progress)
                    os.replace(Path(folder, file), raw / file)
            except OSError as error:
                raise DownloadError(
                    f"Could not write to {raw}: {error.strerror or error}. Set BNVIZ_DATA_DIR to a directory that can "
                    "be written."
                ) from error
            progress.finish()


def _base_addresses(mirrors: Sequence[str]) -> list[str]:
    for mirror in mirrors:
        if not mirror.startswith(("http://", "https://")):
            raise DownloadError(f"A mirror must begin with http:// or https://, unlike {mirror!r}.")
    return [mirror.rstrip("/") + "/" for mirror in mirrors]


def _fetch(addresses: Sequence[str], name: str, md5: str, folder: Path, progress: "_Progress") -> None:
    """Download one file into `folder` from the first address that has it. Raises DownloadError."""
    from torchvision.datasets.utils import download_url

    failures = []
    for address in addresses:
        try:
            with _torchvision_reports_to(progress):
                download_url(address + name, str(folder), filename=name, md5=md5)
            return
        except (OSError, RuntimeError, HTTPException) as error:
            failures.append(f"{_host(address)}: {_reason(error)}")
    raise DownloadError(
        f"Could not download {name} ({'; '.join(failures)}). Check the network connection, or set BNVIZ_DATA_MIRROR to "
        "another mirror."
    )


def _host(address: str) -> str:
    return address.split("/")[2].rpartition("@")[2]  # a password in the address is not for messages


def _reason(error: BaseException) -> str:
    if isinstance(error, HTTPError):  # "HTTP Error 404: Not Found"
        return str(error)
    if isinstance(error, URLError) and isinstance(error.reason, BaseException):
        return _reason(error.reason)
    if isinstance(error, TimeoutError):
        return f"no answer within {SILENCE_SECONDS:g} s"
    if type(error) is RuntimeError:  # torchvision's only word for a checksum that differs
        return "what it sent is incomplete or has the wrong checksum"
    return (isinstance(error, OSError) and error.strerror) or str(error)


class _Progress:
    """Stands where torchvision expects tqdm: the same three calls, turned into `DownloadProgress` records."""

    def __init__(self, file: str, number: int, file_count: int, report: Report | None) -> None:
        self._file, self._number, self._file_count, self._report = file, number, file_count, report
        self._received = 0
        self._total: int | None = None
        self._tell()

    def __call__(self, *, total: int | None, **_style: object) -> "_Progress":
        """Begin a transfer, perhaps a second one after the first mirror failed."""
        self._received, self._total = 0, total
        return self

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def update(self, byte_count: int) -> None:
        self._received += byte_count
        self._tell()

    def finish(self) -> None:
        self._tell(done=True)

    def _tell(self, done: bool = False) -> None:
        if self._report is not None:
            self._report(
                DownloadProgress(self._file, self._number, self._file_count, self._received, self._total, done)
            )


@contextmanager
def _torchvision_reports_to(progress: _Progress) -> Iterator[None]:
    """Lend torchvision a progress bar and the default timeout, because it offers neither a callback nor a timeout.

    Both are shared by the process, which is why only one download runs at a time. The timeout reaches sockets that
    other threads open meanwhile, unless they set their own or are non-blocking, as those of event loops are.
    """
    from torchvision.datasets import utils

    tqdm, timeout = utils.tqdm, socket.getdefaulttimeout()
    utils.tqdm = progress
    socket.setdefaulttimeout(SILENCE_SECONDS)
    try:
        yield
    finally:
        utils.tqdm = tqdm
        socket.setdefaulttimeout(timeout)

"""The four files of MNIST: where they lie, what they must contain, and whether they do."""

import gzip
import hashlib
import math
import os
import shutil
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, cast

_BLOCK = 1 << 20  # bytes read at a time


@dataclass(frozen=True)
class MnistFile:
    """One file in the idx format: a magic number, one big-endian 32-bit length per axis, then the values as bytes."""

    name: str
    shape: tuple[int, ...]  # (digits, 28, 28) for images, (digits,) for labels
    md5: str  # of the unpacked file

    @property
    def header_count(self) -> int:
        """Bytes before the values."""
        return 4 + 4 * len(self.shape)

    @property
    def byte_count(self) -> int:
        return self.header_count + math.prod(self.shape)


FILES: tuple[MnistFile, ...] = (
    MnistFile("train-images-idx3-ubyte", (60_000, 28, 28), "6bbc9ace898e44ae57da46a324031adb"),
    MnistFile("train-labels-idx1-ubyte", (60_000,), "a25bea736e30d166cdddb491f175f624"),
    MnistFile("t10k-images-idx3-ubyte", (10_000, 28, 28), "2646ac647ad5339dbf082846283269ea"),
    MnistFile("t10k-labels-idx1-ubyte", (10_000,), "27ae3e4e09519cfbb04c329615203637"),
)


@dataclass(frozen=True)
class FileStatus:
    """State of one file: "ok", "missing", "damaged: <why>" or "unreadable: <why>"."""

    name: str
    state: str
    path: Path | None = None  # the file itself or its .gz; None if missing

    @property
    def ok(self) -> bool:
        return self.state == "ok"


def data_directory() -> Path:
    """Return `$BNVIZ_DATA_DIR`, or `bnviz` in the user's cache directory; it need not exist."""
    chosen = os.environ.get("BNVIZ_DATA_DIR")
    if not chosen:
        chosen = os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "bnviz")
    # os.path rather than Path.expanduser, which raises for a user without a home directory.
    return Path(os.path.expanduser(chosen))


def raw_folder(directory: Path) -> Path:
    """Return the folder below its root directory in which torchvision keeps the four files."""
    return directory / "MNIST" / "raw"


def check_files(folder: Path) -> tuple[FileStatus, ...]:
    """Return the state of the four files in `folder`; each is read once, and again if its size or time changes."""
    return tuple(check_file(folder, file) for file in FILES)


def check_file(folder: Path, file: MnistFile) -> FileStatus:
    """Return the state of one file; if both exist, an intact .gz makes up for a damaged unpacked file."""
    found = FileStatus(file.name, "missing")
    for path in (folder / file.name, folder / f"{file.name}.gz"):
        state = _state(path, file)
        if state == "ok":
            return FileStatus(file.name, state, path)
        if state != "missing" and found.path is None:
            found = FileStatus(file.name, state, path)
    return found


def copy_unpacked(files: Iterable[FileStatus], folder: Path) -> None:
    """Copy checked files into `folder`, unpacking those that are packed. Raises OSError."""
    for file in files:
        assert file.path is not None, f"{file.name} is {file.state}"
        with _open_unpacked(file.path) as source, open(folder / file.name, "wb") as target:
            shutil.copyfileobj(source, target, _BLOCK)


def values_of(folder: Path, file: MnistFile) -> bytes:
    """Return the values of one file of `folder`, digit after digit. Raises OSError if it is missing or damaged."""
    found = check_file(folder, file)
    if not found.ok or found.path is None:
        raise OSError(f"{found.name} is {found.state}")
    with _open_unpacked(found.path) as source:
        return source.read()[file.header_count :]


def _state(path: Path, file: MnistFile) -> str:
    try:
        facts = path.stat()
        return _content_state(path, facts.st_size, facts.st_mtime_ns, file)
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except OSError as error:
        return f"unreadable: {error.strerror or error}"


@lru_cache(maxsize=64)
def _content_state(path: Path, size: int, mtime_ns: int, file: MnistFile) -> str:
    """Return the state of an existing file. `size` and `mtime_ns` are there to key the cache.

    OSError passes through uncached: a file that becomes readable keeps its size and modification time.
    """
    try:
        byte_count, md5 = _measure(path)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return "damaged: not a complete gzip file"
    if byte_count != file.byte_count:
        return f"damaged: {byte_count:,} bytes instead of {file.byte_count:,}"
    return "ok" if md5 == file.md5 else "damaged: the checksum differs"


def _measure(path: Path) -> tuple[int, str]:
    """Return the length in bytes and the md5 of a file, unpacked."""
    digest, byte_count = hashlib.md5(usedforsecurity=False), 0
    with _open_unpacked(path) as source:
        while block := source.read(_BLOCK):
            digest.update(block)
            byte_count += len(block)
    return byte_count, digest.hexdigest()


def _open_unpacked(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix == ".gz" else open(path, "rb")

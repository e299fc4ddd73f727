"""The files of each data set, four in the idx format as .gz: where they lie, what they must be, and what they hold."""

import gzip
import hashlib
import os
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Downloaded = Literal["Fashion-MNIST", "KMNIST"]

BUNDLED = Path(__file__).with_name("mnist")
SHAPES: dict[str, tuple[int, ...]] = {  # of the four files of a set, whichever it is
    "train-images-idx3-ubyte.gz": (60_000, 28, 28),
    "train-labels-idx1-ubyte.gz": (60_000,),
    "t10k-images-idx3-ubyte.gz": (10_000, 28, 28),
    "t10k-labels-idx1-ubyte.gz": (10_000,),
}
_BLOCK = 1 << 20  # bytes read at a time


@dataclass(frozen=True)
class Source:
    """What torchvision knows of a set: the class it comes from, and the MD5 of the four files as they are served."""

    torchvision: str
    md5: tuple[str, str, str, str]


# A copy, because torchvision brings torch along, which whoever only asks what is there has no use for; a test compares.
SOURCES: dict[Downloaded, Source] = {
    "Fashion-MNIST": Source(
        "FashionMNIST",
        (
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
    ),
    "KMNIST": Source(
        "KMNIST",
        (
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134",
        ),
    ),
}


@dataclass(frozen=True)
class FileStatus:
    """State of one file: "ok", "missing", "damaged" or "unreadable: <why>"."""

    name: str
    state: str

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


def folder_of(name: Downloaded) -> Path:
    """Return the folder of the data directory in which torchvision keeps the files of a set."""
    return data_directory() / SOURCES[name].torchvision / "raw"


def check(name: Downloaded) -> tuple[FileStatus, ...]:
    """Return the state of a set's four files; each is read once, and again if its size or time changes."""
    folder = folder_of(name)
    return tuple(
        FileStatus(file, _state(folder / file, md5)) for file, md5 in zip(SHAPES, SOURCES[name].md5, strict=True)
    )


def read(path: Path, count: int | None = None) -> NDArray[np.uint8]:
    """Return the values of one of the four files, read-only, of its shape in `SHAPES`; `count`: the first alone.

    Raises OSError if they are not there: idx has a magic number, one big-endian 32-bit length per axis, then the bytes.
    """
    shape = SHAPES[path.name]
    header = np.array([0x800 + len(shape), *shape], ">u4").tobytes()
    values = np.empty((shape[0] if count is None else count, *shape[1:]), np.uint8)
    into, got = values.data.cast("B"), 0  # in place: read() would need as much memory again
    try:
        with gzip.open(path, "rb") as file:
            found = file.read(len(header))
            while more := file.readinto(into[got:]):
                got += more
    except (EOFError, zlib.error, gzip.BadGzipFile):
        found = b""
    if found != header or got != values.size:
        raise OSError(f"{path} is damaged")
    values.setflags(write=False)
    return values


def _state(path: Path, md5: str) -> str:
    try:
        facts = path.stat()
        return "ok" if _md5(path, facts.st_size, facts.st_mtime_ns) == md5 else "damaged"
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except OSError as error:
        return f"unreadable: {error.strerror or error}"


@lru_cache(maxsize=64)
def _md5(path: Path, size: int, mtime_ns: int) -> str:
    """Return the MD5 of an existing file. `size` and `mtime_ns` are there to key the cache.

    OSError passes through uncached: a file that becomes readable keeps its size and modification time.
    """
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as source:
        while block := source.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()

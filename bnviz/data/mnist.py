"""The digits that a network learns from: the full MNIST if it is intact, else the bundled sample."""

import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bnviz.data import files
from bnviz.data.files import FileStatus

DataName = Literal["MNIST", "MNIST sample"]

SAMPLE_FILE = Path(__file__).with_name("mnist_sample.npz")
SAMPLE_TRAIN_COUNT = 10_000
SAMPLE_TEST_COUNT = 2_000
COUNTS: dict[DataName, tuple[int, int]] = {  # training and test digits
    "MNIST": (files.FILES[0].shape[0], files.FILES[2].shape[0]),
    "MNIST sample": (SAMPLE_TRAIN_COUNT, SAMPLE_TEST_COUNT),
}


@dataclass(frozen=True, eq=False)  # two sets are compared by identity: arrays have no single truth value
class Digits:
    """A training and a test set of handwritten digits.

    Images are uint8 of shape (digits, 784), row by row, 0 paper to 255 ink; labels are uint8 of shape (digits,),
    0 to 9. The arrays are read-only because every run in a process shares them: copy them into tensors with
    `torch.tensor`. `notice` is one sentence when a full MNIST was found but could not be used, otherwise empty.
    """

    name: DataName
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]
    notice: str = ""

    def __post_init__(self) -> None:
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            array.setflags(write=False)


@dataclass(frozen=True)
class DataStatus:
    """The digits that `load` uses, how many they are, and the state of each file of the full set."""

    directory: Path
    in_use: DataName
    train_count: int
    test_count: int
    files: tuple[FileStatus, ...]
    notice: str = ""


def load(name: DataName | None = None) -> Digits:
    """Return the full MNIST of the data directory if all four files are intact, else the bundled sample.

    Loaded once in a process, and again when the state of a file changes, as it does after a download. Only the full
    set imports torchvision (and torch). name="MNIST sample" asks for the sample whatever else there is, so that a run
    that began with it can be replayed.
    """
    if name == "MNIST sample":
        return _read_sample("")
    directory = files.data_directory()
    return _load(directory, files.check_files(files.raw_folder(directory)))


def as_npz(name: DataName) -> bytes:
    """Return the digits of that name as a .npz file with the arrays of `Digits`, without torch.

    Raises OSError if the full set is asked for and no longer intact.
    """
    if name == "MNIST sample":
        return SAMPLE_FILE.read_bytes()
    folder = files.raw_folder(files.data_directory())
    train, train_labels, test, test_labels = (
        np.frombuffer(files.values_of(folder, file), np.uint8).reshape(file.shape) for file in files.FILES
    )
    out = io.BytesIO()
    np.savez_compressed(
        out,
        train_images=train.reshape(len(train), -1),
        train_labels=train_labels,
        test_images=test.reshape(len(test), -1),
        test_labels=test_labels,
    )
    return out.getvalue()


def status() -> DataStatus:
    """Return what `load` finds, without torch. The first call reads a full set's files, later ones look at them."""
    directory = files.data_directory()
    found = files.check_files(files.raw_folder(directory))
    if all(file.ok for file in found):
        train, _, test, _ = (file.shape[0] for file in files.FILES)
        return DataStatus(directory, "MNIST", train, test, found)
    return DataStatus(directory, "MNIST sample", *COUNTS["MNIST sample"], found, _notice(directory, found))


def read_full(found: Sequence[FileStatus]) -> Digits:
    """Read four checked files with torchvision. Raises OSError when there is no room to unpack them."""
    from torchvision.datasets import MNIST

    # torchvision gets a directory of its own: the data directory may be read-only and hold only .gz files, or hold
    # the processed/*.pt files of old versions, which torchvision prefers and whose content nobody checked.
    with tempfile.TemporaryDirectory(prefix="bnviz-") as directory:
        raw = files.raw_folder(Path(directory))
        raw.mkdir(parents=True)
        files.copy_unpacked(found, raw)
        train, test = (MNIST(directory, train=train, download=False) for train in (True, False))
    return Digits(
        "MNIST",
        train.data.numpy().reshape(len(train), -1),
        train.targets.numpy().astype(np.uint8),
        test.data.numpy().reshape(len(test), -1),
        test.targets.numpy().astype(np.uint8),
    )


@lru_cache(maxsize=1)
def _load(directory: Path, found: tuple[FileStatus, ...]) -> Digits:
    if not all(file.ok for file in found):
        return _read_sample(_notice(directory, found))
    try:
        return read_full(found)
    except OSError as error:
        return _read_sample(_sentence(directory, str(error)))


def _read_sample(notice: str) -> Digits:
    with np.load(SAMPLE_FILE, allow_pickle=False) as arrays:
        return Digits(
            "MNIST sample",
            arrays["train_images"],
            arrays["train_labels"],
            arrays["test_images"],
            arrays["test_labels"],
            notice,
        )


def _notice(directory: Path, found: Sequence[FileStatus]) -> str:
    """Return why an incomplete or damaged set is not used; empty if there is nothing at all, which is normal."""
    if all(file.state == "missing" for file in found):
        return ""
    reasons = [
        f"{file.path.name if file.path else file.name} is {_in_words(file.state)}" for file in found if not file.ok
    ]
    return _sentence(directory, ", ".join(reasons))


def _in_words(state: str) -> str:
    kind, _, why = state.partition(": ")
    return f"{kind} ({why})" if why else kind


def _sentence(directory: Path, reason: str) -> str:
    return (
        f"The MNIST files in {files.raw_folder(directory)} cannot be used: {reason}; the bundled sample of "
        f"{SAMPLE_TRAIN_COUNT:,} training and {SAMPLE_TEST_COUNT:,} test digits is used instead."
    )

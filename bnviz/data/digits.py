"""The digits that a network learns from: MNIST, which comes with the code, and sets of its shape that were fetched."""

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from bnviz.data import files
from bnviz.experiment.choices import DataName

DATA_NAMES: tuple[DataName, ...] = get_args(DataName)
SAMPLE = (10_000, 2_000)  # the first training and test digits of MNIST, which earlier versions came with
# Training and test digits.
COUNTS: dict[DataName, tuple[int, int]] = {n: SAMPLE if n == "MNIST sample" else (60_000, 10_000) for n in DATA_NAMES}


class DataUnavailableError(OSError):
    """Raised for a data set whose files are not there; the message says which, and what to do."""


@dataclass(frozen=True, eq=False)  # two sets are compared by identity: arrays have no single truth value
class Digits:
    """A training and a test set of handwritten digits, or of other pictures of ten classes.

    Images are uint8 of shape (digits, 784), row by row, 0 paper to 255 ink; labels are uint8 of shape (digits,),
    0 to 9. The arrays are read-only because every run in a process shares them: copy them with `torch.tensor`.
    """

    name: DataName
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]

    def __post_init__(self) -> None:
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            array.setflags(write=False)


def load(name: DataName = "MNIST") -> Digits:
    """Return the digits of that name, read once in a process. Raises DataUnavailableError, and OSError if damaged."""
    require(name)
    return _read(name, str(files.data_directory()))


def require(name: DataName) -> None:
    """Raise DataUnavailableError, with what to do, if a set is not there as it must be."""
    if name not in files.SOURCES:
        return
    found = files.check(name)
    if all(file.ok for file in found):
        return
    faults = ", ".join(f"{file.name} is {file.state}" for file in found if not file.ok)
    why = "is not on this machine" if all(file.state == "missing" for file in found) else f"cannot be used: {faults}"
    raise DataUnavailableError(
        f"{name} {why}. Download it in the live lab, or with python -m bnviz data download {name}."
    )


def as_npz(name: DataName) -> bytes:
    """Return the digits of that name as a .npz file with the arrays of `Digits`. Raises as `load` does."""
    digits, out = load(name), io.BytesIO()
    np.savez_compressed(
        out,
        train_images=digits.train_images,
        train_labels=digits.train_labels,
        test_images=digits.test_images,
        test_labels=digits.test_labels,
    )
    return out.getvalue()


@lru_cache(maxsize=4)
def _read(name: DataName, directory: str) -> Digits:
    """`directory` is there to key the cache."""
    folder = files.folder_of(name) if name in files.SOURCES else files.BUNDLED
    train, test = COUNTS[name]
    images, labels, test_images, test_labels = (
        files.read(folder / file, count) for file, count in zip(files.SHAPES, (train, train, test, test), strict=True)
    )
    return Digits(name, images.reshape(train, -1), labels, test_images.reshape(test, -1), test_labels)

"""Digits in memory as tensors: a batch is one index into it, and a pure function of (seed, batch size, step)."""

import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bnviz.data import Digits
from bnviz.experiment.layers import MEAN_PIXEL, STD_PIXEL
from bnviz.records.frames import EVALUATION_CHUNK


@lru_cache(maxsize=64)
def _order(seed: int, epoch: int, count: int) -> Tensor:
    # Each epoch has a generator of its own, so that any step's batch can be had without drawing those before it.
    # NumPy's, because torch's on the CPU takes only 32 bits of a seed: seeds 4,096 apart would share their batches.
    return torch.from_numpy(np.random.default_rng((seed, epoch)).permutation(count))


class Batches:
    """Digits as tensors: labels (N,) int64; images (N, 784) as bytes, of which a batch becomes float32 at a time.

    A network gets pixels in [0, 1], or standardized. As bytes 70,000 digits take 55 MB, as float32 four times that.
    """

    def __init__(self, digits: Digits, device: str = "cpu") -> None:
        self.name, self.device = digits.name, device
        self.train_images = _shared(digits.train_images).to(device)
        self.train_labels = torch.tensor(digits.train_labels).long().to(device)
        self.test_images = _shared(digits.test_images).to(device)
        self.test_labels = torch.tensor(digits.test_labels).long().to(device)

    def at(self, step: int, *, seed: int, size: int, standardize: bool) -> tuple[Tensor, Tensor]:
        """Return the batch of one step, (size, 784) and (size,). An epoch's last, incomplete batch is left out."""
        index = self._index(step, seed, size)
        return scaled(self.train_images.index_select(0, index), standardize), self.train_labels[index]

    def at_each(self, step: int, *, seeds: Sequence[int], size: int, standardize: bool) -> tuple[Tensor, Tensor]:
        """Return the batches of one step of several seeds, (seeds, size, 784) and (seeds, size)."""
        index = torch.cat([self._index(step, seed, size) for seed in seeds])
        images = scaled(self.train_images.index_select(0, index), standardize)
        return images.view(len(seeds), size, -1), self.train_labels[index].view(len(seeds), size)

    def _index(self, step: int, seed: int, size: int) -> Tensor:
        epoch, place = divmod(step, len(self.train_labels) // size)
        return _order(seed, epoch, len(self.train_labels))[place * size : (place + 1) * size].to(self.device)

    def population(self, count: int, *, size: int, standardize: bool) -> Iterator[Tensor]:
        """Yield the first `count` training digits in batches (size, 784), without a last, incomplete one."""
        images = self.train_images[:count]
        for batch in images[: len(images) // size * size].split(size):
            yield scaled(batch, standardize)

    def mean_digit(self) -> Tensor:
        """Return the mean of each pixel, from 0 to 1, over all training digits, (784,)."""
        parts = [part.sum(0, dtype=torch.float64) for part in self.train_images.split(EVALUATION_CHUNK)]
        return torch.stack(parts).sum(0).div_(255 * len(self.train_images)).float()

    def probe(self, count: int, standardize: bool) -> Tensor:
        return scaled(self.train_images[:count], standardize)

    def train_sample(self, count: int, standardize: bool) -> tuple[Tensor, Tensor]:
        """Return the first training digits with their labels."""
        return scaled(self.train_images[:count], standardize), self.train_labels[:count]

    def test_bytes(self, count: int | None) -> tuple[Tensor, Tensor]:
        """Return the first test digits, or all, as they are kept: what `scaled` takes, a part at a time."""
        return self.test_images[:count], self.test_labels[:count]

    def test(self, count: int | None, standardize: bool) -> tuple[Tensor, Tensor]:
        return scaled(self.test_images[:count], standardize), self.test_labels[:count]


def _shared(images: NDArray[np.uint8]) -> Tensor:
    """Return read-only images as a tensor over the same memory, which nobody may write to."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(images)


def scaled(images: Tensor, standardize: bool) -> Tensor:
    """Return images, of pixels from 0 to 255, as the networks get them: float32."""
    pixels = images / 255
    return pixels.sub_(MEAN_PIXEL).div_(STD_PIXEL) if standardize else pixels

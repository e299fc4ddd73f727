"""Many small tensors, brought to NumPy in one transfer from the device they are on."""

import numpy as np
import torch
from torch import Tensor

from bnviz.records.own_network import Floats


class Transfer:
    """Tensors that wait on their device. Between `put` and `fetch` nothing is synchronised."""

    def __init__(self) -> None:
        self._waiting: list[Tensor] = []
        self._shapes: list[tuple[int, ...]] = []

    def put(self, tensor: Tensor) -> int:
        """Take a tensor and return the place that it will have."""
        self._waiting.append(tensor.detach().to(torch.float32).flatten())
        self._shapes.append(tuple(tensor.shape))
        return len(self._shapes) - 1

    def fetch(self) -> list[Floats]:
        """Return all of them as float64, each in its shape."""
        if not self._waiting:
            return []
        device = self._waiting[0].device
        together = torch.cat([t.to(device, non_blocking=True) for t in self._waiting]).cpu().numpy()
        sizes = [int(np.prod(shape)) for shape in self._shapes]
        parts = np.split(together.astype(np.float64), np.cumsum(sizes)[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)]

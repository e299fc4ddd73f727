"""Convolution for V networks at once, forward and backward written out.

Shapes: V networks, B digits, C input channels and O output channels, maps of H × W values, a kernel of k × k. Weights
are matrices (V, C k k, O), as those of a dense layer, so that whatever looks at weights need not know the difference.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from bnviz.nn.descent import Descent
from bnviz.nn.layers import Linear, exchanged


@dataclass
class Convolution(Linear):
    """y = W * x + b, stride 1: x (V, B, C, H, W) -> y (V, B, O, H', W')."""

    kernel: int = 5
    padding: int = 0

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        if self.standardized is not None:
            of, norm = self.standardized
            norm.forward(self.weight.value[of])
        weights, biases = self._kernels(), self.bias.value.flatten(1)
        if self._is_shared(x):  # the networks' kernels as the channels of one convolution, in half of the time
            y = functional.conv2d(x[0], weights.flatten(0, 1), biases.flatten(), padding=self.padding)
            self.y = y.unflatten(1, (len(x), -1)).transpose(0, 1)
        else:
            maps = [functional.conv2d(*one, padding=self.padding) for one in zip(x, weights, biases, strict=True)]
            self.y = torch.stack(maps)
        return self.y

    def backward(self, delta: Tensor, *, to_input: bool = True) -> Tensor | None:
        self.delta = delta
        if not to_input:
            return None
        each = zip(delta, self._kernels(), strict=True)
        return torch.stack([functional.conv_transpose2d(d, w, padding=self.padding) for d, w in each])

    def gradient(self) -> Tensor:
        """Return dL/dW, (V, C k k, O): the convolution of a layer's input with `delta`, digits taken for channels; for
        LeNet's two layers in four fifths of the time of PyTorch's own backward pass."""
        if self._is_shared(self.x):
            found = self._correlated(self.x[0], self.delta.transpose(0, 1).flatten(1, 2))
            return self._through_standardization(torch.stack(found.chunk(len(self.x), 1)))
        each = [self._correlated(x, d) for x, d in zip(self.x, self.delta, strict=True)]
        return self._through_standardization(torch.stack(each))

    def update(self, descent: Descent) -> None:
        self.weight.descend(self.gradient(), descent, decays=True)
        self.bias.descend(self.delta.sum((1, 3, 4)).unsqueeze(1), descent, decays=descent.decays_all)

    def _kernels(self) -> Tensor:
        """(V, O, C, k, k)"""
        weights = self.weight.value
        if self.standardized is not None:
            of, norm = self.standardized
            weights = exchanged(weights, [(of, norm.standardized)])
        by_channel = weights.transpose(1, 2).contiguous()
        return by_channel.view(*by_channel.shape[:2], -1, self.kernel, self.kernel)

    @staticmethod
    def _is_shared(x: Tensor) -> bool:
        """Whether every network sees the same maps: one tensor, expanded."""
        return len(x) > 1 and x.stride(0) == 0

    def _correlated(self, x: Tensor, delta: Tensor) -> Tensor:
        """x (B, C, H, W) and delta (B, O, H', W') -> (C k k, O)"""
        found = functional.conv2d(x.transpose(0, 1), delta.transpose(0, 1), padding=self.padding)
        return found.permute(0, 2, 3, 1).flatten(0, 2)

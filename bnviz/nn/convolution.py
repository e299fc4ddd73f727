"""Convolution and average pooling for V networks at once, forward and backward written out.

Shapes: V networks, B digits, C input channels and O output channels, maps of H × W values, a kernel of k × k. Weights
are matrices (V, C k k, O), as those of a dense layer, so that whatever looks at weights need not know the difference.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from bnviz.nn.layers import Linear, Sgd

_convolution_backward = torch.ops.aten.convolution_backward


@dataclass
class Convolution(Linear):
    """y = W * x + b, stride 1: x (V, B, C, H, W) -> y (V, B, O, H', W')."""

    kernel: int = 5
    padding: int = 0

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
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
        each = zip(delta, self.x, self._kernels(), strict=True)
        return torch.stack([self._backward(d, x, w, to_input=True) for d, x, w in each])

    def gradient(self) -> Tensor:
        """dL/dW, (V, C k k, O)."""
        kernels = self._kernels()
        if self._is_shared(self.x):
            delta = self.delta.transpose(0, 1).flatten(1, 2)
            found = self._backward(delta, self.x[0], kernels.flatten(0, 1), to_input=False).view_as(kernels)
        else:
            each = zip(self.delta, self.x, kernels, strict=True)
            found = torch.stack([self._backward(d, x, w, to_input=False) for d, x, w in each])
        matrices: Tensor = found.flatten(2).transpose(1, 2)
        return matrices

    def update(self, sgd: Sgd) -> None:
        gradient = self.gradient()
        if sgd.weight_decay:
            gradient = gradient.add(self.weight.value, alpha=sgd.weight_decay)
        self.weight.descend(gradient, sgd)
        self.bias.descend(self.delta.sum((1, 3, 4)).unsqueeze(1), sgd)

    def _kernels(self) -> Tensor:
        """(V, O, C, k, k)"""
        by_channel = self.weight.value.transpose(1, 2).contiguous()
        return by_channel.view(*by_channel.shape[:2], -1, self.kernel, self.kernel)

    @staticmethod
    def _is_shared(x: Tensor) -> bool:
        """Whether every network sees the same maps: one tensor, expanded."""
        return len(x) > 1 and x.stride(0) == 0

    def _backward(self, delta: Tensor, x: Tensor, kernels: Tensor, *, to_input: bool) -> Tensor:
        """dL/dx or dL/dkernels of one convolution, x (B, C, H, W) and kernels (O, C, k, k)."""
        sides = [1, 1], [self.padding, self.padding], [1, 1], False, [0, 0], 1
        found = _convolution_backward(delta, x, kernels, None, *sides, [to_input, not to_input, False])
        gradient: Tensor = found[0 if to_input else 1]
        return gradient


def pool(x: Tensor) -> Tensor:
    """The mean of each 2 × 2 values, (..., H, W) -> (..., H / 2, W / 2); an eighth of the time of avg_pool2d."""
    rows = x[..., 0::2, :] + x[..., 1::2, :]
    return (rows[..., 0::2] + rows[..., 1::2]).mul_(0.25)


def pool_backward(delta: Tensor) -> Tensor:
    """dL/dx from dL/dy for y = pool(x)."""
    return (delta * 0.25).repeat_interleave(2, -2).repeat_interleave(2, -1)

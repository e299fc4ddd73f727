"""Normalizers that take no statistics over the batch, for a stack of networks, forward and backward written out.

Shapes: V networks, B digits, C units or channels; x (V, B, C), after a convolution (V, B, C, H, W). Every digit is
normalized by itself, so that training and inference are one, and a batch of one digit is as good as any.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bnviz.experiment.config import Layer, NormalizerConfig
from bnviz.nn.affine import Affine
from bnviz.nn.layers import Parameter


@dataclass
class NormalizerState:
    """What one layer of one network has learned: gamma, and beta unless its kind has none.

    Each (1, C) or, for feature maps, (1, C, 1, 1); (1, C, H, W) for layer and RMS norm, as torch's layers have it.
    """

    kind: str
    gamma: Parameter
    beta: Parameter | None

    @staticmethod
    def fresh(config: NormalizerConfig, layer: Layer) -> "NormalizerState | None":
        """Return the state of a new layer; None if the kind normalizes nothing there."""
        if not config.is_in(layer):
            return None
        shape: tuple[int, ...] = (1, layer.units)
        if layer.kernel and config.kind != "weight":
            shape += (layer.size, layer.size) if config.kind in ("layer", "rms") else (1, 1)
        beta = None if config.kind in ("rms", "weight") else Parameter(torch.zeros(shape))
        return NormalizerState(config.kind, Parameter(torch.ones(shape)), beta)


class _Normalizer(Affine):
    """One layer of V networks of one kind, each with its own epsilon."""

    def __init__(self, configs: Sequence[NormalizerConfig], states: Sequence[NormalizerState]) -> None:
        super().__init__([c.affine for c in configs], [s.gamma for s in states], [s.beta for s in states])
        self.kind, self.groups = configs[0].kind, configs[0].groups
        self.eps = self.gamma.value.new_tensor([c.eps for c in configs])

    def take(self, index: int) -> NormalizerState:
        """Return a copy of one network's state."""
        beta = None if self.beta is None else self.beta.take(index)
        return NormalizerState(self.kind, self.gamma.take(index), beta)


class StackedGroupNorm(_Normalizer):
    """Layer, group, instance or RMS norm of V networks of one kind and number of groups.

    A digit's C units or channels are parted into G groups in their order: 1 for layer and RMS norm, C for instance
    norm. With n values in a group, those of its maps included:

        mu = mean_n(x);  sigma^2 = mean_n((x - mu)^2);  x_hat = (x - mu) / sqrt(sigma^2 + eps);  y = gamma x_hat + beta

    (Wu and He 2018, section 3.1.) RMS norm has mu = 0 and no beta (Zhang and Sennrich 2019, equation 4).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map x to y of the same shape."""
        grouped = self._grouped(x)
        centred = grouped if self.kind == "rms" else grouped - grouped.mean(-1, keepdim=True)
        mean_square = centred.square().mean(-1, keepdim=True)
        self.inverse_std = torch.rsqrt(mean_square + self.eps.view(-1, 1, 1, 1))  # (V, B, G, 1)
        self.x_hat = (centred * self.inverse_std).reshape(x.shape)
        self.y = self.applied(self.x_hat)
        return self.y

    def forget(self) -> None:
        """Let go of what the last forward pass left."""
        self.x_hat = self.y = self.inverse_std = torch.empty(0)

    def backward(self, delta: Tensor) -> Tensor:
        """dL/dx from dL/dy, through the statistics of every digit's groups.

        dL/dx = (d - mean_n(d) - x_hat mean_n(d x_hat)) / sqrt(sigma^2 + eps),  d = gamma dL/dy

        RMS norm, which takes no mean away, has no mean_n(d).
        """
        shared = [1, *(dim for dim in range(2, delta.dim()) if self.gamma.value.shape[dim] == 1 != delta.shape[dim])]
        self.delta_gamma = (delta * self.x_hat).sum(shared, keepdim=True)
        if self.beta is not None:
            self.delta_beta = delta.sum(shared, keepdim=True)
        d, x_hat = self._grouped(delta * self.gamma.value), self._grouped(self.x_hat)
        through = x_hat * (d * x_hat).mean(-1, keepdim=True)
        if self.kind != "rms":
            through += d.mean(-1, keepdim=True)
        return d.sub_(through).mul_(self.inverse_std).reshape(delta.shape)

    def _grouped(self, x: Tensor) -> Tensor:
        """(V, B, C, ...) -> (V, B, G, n)"""
        count = {"group": self.groups, "instance": x.shape[2]}.get(self.kind, 1)
        return x.reshape(*x.shape[:2], count, math.prod(x.shape[2:]) // count)


class StackedWeightStandardization(_Normalizer):
    """Standardized weights of V networks, W (V, I, O) of I inputs and O units; a kernel's window counts as inputs.

        c = W - mean_I(W);  w_hat = c / sqrt(sum_I(c^2) + eps);  y = gamma w_hat

    (Qiao et al. 2019, equation 5, over sqrt(I), as Brock et al. 2021 scale it: a unit's weights have length gamma.)
    """

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weights that the layer goes by; they stay in `standardized`.

        In as few passes over the weights as there may be: they are what a step takes most of its time for.
        """
        self.centred = weight - weight.mean(1, keepdim=True)
        if self.centred.requires_grad:  # the length has no second derivative at 0, its square has
            squares = self.centred.square().sum(1, keepdim=True)
        else:
            squares = torch.linalg.vector_norm(self.centred, dim=1, keepdim=True).square()
        self.inverse_length = torch.rsqrt(squares + self.eps.view(-1, 1, 1))
        self.standardized = self.centred * (self.gamma.value * self.inverse_length)
        return self.standardized

    def backward(self, delta: Tensor) -> Tensor:
        """dL/dW from dL/dy, (V, I, O) each, which it writes over.

        dL/dW = (d - mean_I(d) - w_hat sum_I(d w_hat)) / sqrt(sum_I(c^2) + eps),  d = gamma dL/dy
        """
        along = (delta * self.centred).sum(1, keepdim=True).mul_(self.inverse_length)
        self.delta_gamma = along
        delta.sub_(delta.mean(1, keepdim=True)).addcmul_(self.centred, along * self.inverse_length, value=-1)
        return delta.mul_(self.gamma.value * self.inverse_length)

    def forget(self) -> None:
        """Let go of what the last forward pass left."""
        self.centred = self.inverse_length = self.standardized = torch.empty(0)

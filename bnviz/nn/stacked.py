"""Batch normalization for a stack of networks, forward and backward written out.

mu = mean_B(x);  sigma^2 = mean_B((x - mu)^2);  x_hat = (x - mu) / sqrt(sigma^2 + eps);  y = gamma x_hat + beta

(Ioffe and Szegedy 2015, algorithm 1.) In eval mode mu and sigma^2 are the running statistics. Following PyTorch,
running <- (1 - momentum) * running + momentum * batch, and the running variance takes the unbiased estimate
(Bessel's correction, B / (B - 1)). Shapes: V networks, B digits, C units; x (V, B, C), every statistic (V, 1, C).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from bnviz.config import BatchNormConfig
from bnviz.nn.layers import Parameter, Sgd

Mode = Literal["train", "probe", "eval"]  # probe: batch statistics, but the running statistics stay as they are


@dataclass
class BatchNormState:
    """What one layer of one network has learned: gamma, beta, running mean and running variance, each (1, C)."""

    gamma: Parameter
    beta: Parameter
    running_mean: Tensor
    running_var: Tensor

    @staticmethod
    def fresh(units: int) -> "BatchNormState":
        one, zero = torch.ones(1, units), torch.zeros(1, units)
        return BatchNormState(Parameter(one), Parameter(zero), zero.clone(), one.clone())


class StackedBatchNorm:
    """One batchnorm layer of V networks, each with its own settings."""

    def __init__(self, configs: Sequence[BatchNormConfig], states: Sequence[BatchNormState]) -> None:
        def column(values: list[float]) -> Tensor:
            return torch.tensor(values).view(-1, 1, 1)

        self.eps = column([c.eps for c in configs])
        self.momentum = column([c.momentum for c in configs])
        # A layer that is not affine keeps gamma = 1 and beta = 0: its gradients are masked.
        self.affine = None if all(c.affine for c in configs) else column([float(c.affine) for c in configs])
        self.gamma = Parameter.stack([s.gamma for s in states])
        self.beta = Parameter.stack([s.beta for s in states])
        self.running_mean = torch.stack([s.running_mean for s in states])
        self.running_var = torch.stack([s.running_var for s in states])

    def take(self, index: int) -> BatchNormState:
        """A copy of one network's state."""
        return BatchNormState(
            self.gamma.take(index),
            self.beta.take(index),
            self.running_mean[index].clone(),
            self.running_var[index].clone(),
        )

    def forward(self, x: Tensor, mode: Mode) -> Tensor:
        """(V, B, C) -> (V, B, C). Raises ValueError for a batch of one in train or probe mode."""
        if mode == "eval":
            mean, var = self.running_mean, self.running_var
        else:
            batch = x.shape[1]
            if batch < 2:
                raise ValueError(f"batch statistics need a batch of at least 2 digits, got {batch}; use eval mode")
            var, mean = torch.var_mean(x, 1, keepdim=True, correction=0)
            if mode == "train":
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(var * (batch / (batch - 1)), self.momentum)
        self.inverse_std = torch.rsqrt(var + self.eps)
        self.x_hat = (x - mean).mul_(self.inverse_std)
        return torch.addcmul(self.beta.value, self.x_hat, self.gamma.value)

    def backward(self, delta: Tensor) -> Tensor:
        """dL/dx from dL/dy, through the batch statistics.

        dL/dx = gamma / sqrt(sigma^2 + eps) * (dL/dy - mean_B(dL/dy) - x_hat mean_B(dL/dy x_hat))
        """
        self.delta_beta = delta.sum(1, keepdim=True)
        self.delta_gamma = (delta * self.x_hat).sum(1, keepdim=True)
        batch = delta.shape[1]
        through_statistics = torch.addcmul(self.delta_beta, self.x_hat, self.delta_gamma)
        return delta.sub(through_statistics, alpha=1 / batch).mul_(self.gamma.value * self.inverse_std)

    def update(self, sgd: Sgd) -> None:
        if self.affine is not None:
            for gradient, velocity in ((self.delta_gamma, self.gamma.velocity), (self.delta_beta, self.beta.velocity)):
                gradient.mul_(self.affine)
                if velocity is not None:  # of a layer that was affine until now
                    velocity.mul_(self.affine)
        self.gamma.descend(self.delta_gamma, sgd)
        self.beta.descend(self.delta_beta, sgd)

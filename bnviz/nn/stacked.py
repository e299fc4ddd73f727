"""Batch normalization for a stack of networks, forward and backward written out.

mu = mean_B(x);  sigma^2 = mean_B((x - mu)^2);  x_hat = (x - mu) / sqrt(sigma^2 + eps);  y = gamma x_hat + beta

(Ioffe and Szegedy 2015, algorithm 1.) In eval mode mu and sigma^2 are the running statistics. Following PyTorch,
running <- (1 - momentum) * running + momentum * batch, and the running variance takes the unbiased estimate
(Bessel's correction, B / (B - 1)). Shapes: V networks, B digits, C units; x (V, B, C), every statistic (V, 1, C).
After a convolution C are channels, x is (V, B, C, H, W), and a statistic, (V, 1, C, 1, 1), is taken over the B H W
values of a channel (section 3.2 of the paper), which then stand wherever B is written below.

The options of `BatchNormConfig` are columns, (V, 1, 1) or (V, 1, 1, 1, 1), so that networks with different ones share a
stack. A column is None if no network departs from the usual, and then costs nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from bnviz.experiment.config import BatchNormConfig
from bnviz.nn.affine import Affine
from bnviz.nn.batchnorm import NOISY_MEAN, NOISY_RADIUS, NOISY_STD
from bnviz.nn.layers import Parameter

# probe: batch statistics, but the running ones stay as they are, and no noise. rehearsal: what train would say of the
# next batch, noise and all, and nothing changes. population: eval mode with population statistics.
Mode = Literal["train", "probe", "rehearsal", "eval", "population"]


@dataclass
class BatchNormState:
    """What one layer of one network has learned: gamma, beta, running mean and running variance, each (1, C), or
    (1, C, 1, 1) after a convolution.

    batches counts the training batches it has seen. seed says which noise it gets.
    """

    gamma: Parameter
    beta: Parameter
    running_mean: Tensor
    running_var: Tensor
    batches: int = 0
    seed: tuple[int, ...] = (0,)

    @staticmethod
    def fresh(units: int, seed: tuple[int, ...] = (0,), *, maps: bool = False) -> "BatchNormState":
        """Return the state of a new layer. maps: it normalizes feature maps, and its units are channels."""
        one, zero = (full(1, units, *[1, 1] if maps else []) for full in (torch.ones, torch.zeros))
        return BatchNormState(Parameter(one), Parameter(zero), zero.clone(), one.clone(), seed=seed)


class StackedBatchNorm(Affine):
    """One batchnorm layer of V networks, each with its own settings."""

    def __init__(self, configs: Sequence[BatchNormConfig], states: Sequence[BatchNormState]) -> None:
        super().__init__([c.affine for c in configs], [s.gamma for s in states], [s.beta for s in states])
        ones = [1] * states[0].running_mean.dim()

        def column(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, device=states[0].running_mean.device).view(-1, *ones)

        def unusual(values: Sequence[float]) -> Tensor | None:
            return column(values) if any(values) else None

        self.over = (1, *range(3, 1 + len(ones)))  # the dimensions that a statistic is taken over
        self.eps = column([c.eps for c in configs])
        self.momentum = column([c.momentum for c in configs])
        self.cumulative = unusual([c.cumulative for c in configs])
        self.running_std = unusual([c.running == "std" for c in configs])
        self.from_population = unusual([c.inference == "population" for c in configs])
        self.from_batch = unusual([c.inference == "batch" for c in configs])
        self.bessel = unusual([c.bessel for c in configs])
        self.detach = unusual([c.detach for c in configs])
        self.noise = unusual([c.noise for c in configs])
        self.noisy = [c.noisy for c in configs]
        self.stretch: Tensor | None = None  # of the outputs in the last forward pass, where a network is noisy
        self.running_mean = torch.stack([s.running_mean for s in states])
        self.running_var = torch.stack([s.running_var for s in states])
        self.batches = [s.batches for s in states]
        self.seeds = [s.seed for s in states]
        self.population: tuple[Tensor, Tensor] | None = None  # mean and variance, once measured

    def take(self, index: int) -> BatchNormState:
        """Return a copy of one network's state."""
        assert self.beta is not None
        return BatchNormState(
            self.gamma.take(index),
            self.beta.take(index),
            self.running_mean[index].clone(),
            self.running_var[index].clone(),
            self.batches[index],
            self.seeds[index],
        )

    def forward(self, x: Tensor, mode: Mode) -> Tensor:
        """Map x to y of the same shape. Raises ValueError for a batch of one in train or probe mode."""
        if mode in ("eval", "population"):
            measured = self.population if mode == "population" else None
            mean, var = measured or self._at_inference(x)
            self.inverse_std = torch.rsqrt(var + self.eps)
            self.x_hat = (x - mean).mul_(self.inverse_std)
        else:
            count = self._count(x)
            mean, centred, var = self._moments(x)
            unbiased = var * (count / (count - 1))
            if mode == "train":
                self._track(mean, unbiased)
            if self.bessel is not None:
                var = torch.where(self.bessel, unbiased, var)
            self.mean, self.unbiased = mean, unbiased  # for whoever averages them over batches
            if self.noise is not None and mode != "probe":
                self._disturbed(x, mean, var, self._batch(mode))
            else:
                self.inverse_std = torch.rsqrt(var + self.eps)
                # Autograd, where it is asked for second derivatives, still needs what the usual pass overwrites.
                x_hat = torch.mul if centred.requires_grad else Tensor.mul_
                self.x_hat = self.clean = x_hat(centred, self.inverse_std)
        self.stretch = None
        self.y = self.applied(self.x_hat)
        if any(self.noisy) and mode in ("train", "rehearsal"):
            offset, self.stretch = self._resampled(x, self._batch(mode))
            self.y.mul_(self.stretch).add_(offset)
        return self.y

    def track(self) -> None:
        """Count the batch of the last forward pass in the running statistics, if that was a pass in probe mode."""
        self._track(self.mean, self.unbiased)

    @property
    def has_noise(self) -> bool:
        """Whether a pass in train mode gives other outputs than one in probe mode."""
        return self.noise is not None or any(self.noisy)

    def forget(self) -> None:
        """Let go of what the last forward pass left, statistics excepted."""
        self.x_hat = self.clean = self.y = torch.empty(0)
        self.stretch = None

    def forward_in_batches(self, x: Tensor, size: int) -> Tensor:
        """x -> y of the same shape: B / size batches at once, each with its own statistics, as in probe mode."""
        batches = x.unflatten(1, (-1, size))
        count = self._count(batches[:, 0])
        _, centred, var = self._moments(batches, after=1)
        if self.bessel is not None:
            var = var * (1 + self.bessel.unsqueeze(1) / (count - 1))
        x_hat = centred.mul_(torch.rsqrt(var + self.eps.unsqueeze(1)))
        assert self.beta is not None
        return (x_hat * self.gamma.value.unsqueeze(1)).add_(self.beta.value.unsqueeze(1)).flatten(1, 2)

    def backward(self, delta: Tensor) -> Tensor:
        """dL/dx from dL/dy, through the batch statistics.

        dL/dx = gamma / sqrt(sigma^2 + eps) * (dL/dy - mean_B(dL/dy) - x_hat mean_B(dL/dy x_hat))

        With Bessel's correction the last mean divides by B - 1; detached statistics leave dL/dy alone.
        """
        if self.stretch is not None:
            delta = delta * self.stretch
        self.delta_beta = delta.sum(self.over, keepdim=True)
        self.delta_gamma = (delta * self.x_hat).sum(self.over, keepdim=True)
        count, from_variance = self._count(delta), self.delta_gamma
        if self.bessel is not None:
            from_variance = from_variance * (1 + self.bessel / (count - 1))  # B / (B - 1) where it is used
        through_statistics = (self.clean * from_variance).add_(self.delta_beta)
        if self.detach is not None:
            through_statistics *= ~self.detach
        return delta.sub(through_statistics, alpha=1 / count).mul_(self.gamma.value * self.inverse_std)

    def _track(self, mean: Tensor, unbiased: Tensor) -> None:
        """One batch more in the running statistics."""
        self.batches = [count + 1 for count in self.batches]
        momentum = self.momentum
        if self.cumulative is not None:
            share = mean.new_tensor([1 / count for count in self.batches]).view_as(momentum)
            momentum = torch.where(self.cumulative, share, momentum)
        self.running_mean.lerp_(mean, momentum)
        if self.running_std is None:
            self.running_var.lerp_(unbiased, momentum)
        else:
            of_std = self.running_var.sqrt().lerp(unbiased.sqrt(), momentum).square_()
            self.running_var = torch.where(self.running_std, of_std, self.running_var.lerp(unbiased, momentum))

    def _at_inference(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, var = self.running_mean, self.running_var
        if self.from_population is not None and self.population is not None:
            mean = torch.where(self.from_population, self.population[0], mean)
            var = torch.where(self.from_population, self.population[1], var)
        if self.from_batch is not None:
            count = self._count(x)
            batch_mean, _, batch_var = self._moments(x)
            if self.bessel is not None:
                batch_var = batch_var * (1 + self.bessel / (count - 1))
            mean, var = torch.where(self.from_batch, batch_mean, mean), torch.where(self.from_batch, batch_var, var)
        return mean, var

    def _batch(self, mode: Mode) -> list[int]:
        """The number of this batch, from which each network's noise is drawn."""
        return self.batches if mode == "train" else [count + 1 for count in self.batches]

    def _disturbed(self, x: Tensor, mean: Tensor, var: Tensor, batches: Sequence[int]) -> None:
        """mu' = mu + noise * sigma * e1;  sigma'^2 = sigma^2 * exp(2 * noise * e2), with e1, e2 ~ N(0, 1) a unit.

        The offset and the factor count as constants for the gradient. Drawn
        from (seed, batch), so that a replayed run gets the same.
        """
        assert self.noise is not None
        drawn = [
            np.random.default_rng((*seed, count)).standard_normal((2, *mean.shape[1:]))
            for seed, count in zip(self.seeds, batches, strict=True)
        ]
        shift, stretch = torch.from_numpy(np.stack(drawn, 1)).to(x) * self.noise
        factor = torch.exp(2 * stretch)
        self.inverse_std = torch.rsqrt(var * factor + self.eps)
        self.x_hat = (x - mean - shift * var.sqrt()).mul_(self.inverse_std)
        self.clean = (x - mean) * (self.inverse_std * factor)

    def _resampled(self, x: Tensor, batches: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Noisy batchnorm (Santurkar et al. 2018, section 2.1 and appendix): m and s, of x's shape, of s y + m.

        mu ~ U(-n_mu, n_mu) and sigma ~ U(1, n_sigma), for each unit and batch; m ~ U(mu - r_mu, mu + r_mu) and
        s ~ N(sigma, r_sigma), for each digit as well. 0 and 1 for networks that are not noisy.
        """
        drawn = np.empty((2, *x.shape))
        drawn[0], drawn[1] = 0, 1
        units = self.gamma.value.shape[1:]
        for place, noisy in enumerate(self.noisy):
            if noisy:
                generator = np.random.default_rng((*self.seeds[place], batches[place], 1))
                mu, sigma = generator.uniform(-NOISY_MEAN, NOISY_MEAN, units), generator.uniform(1, NOISY_STD, units)
                drawn[0, place] = generator.uniform(mu - NOISY_RADIUS, mu + NOISY_RADIUS, x.shape[1:])
                drawn[1, place] = generator.normal(sigma, NOISY_RADIUS, x.shape[1:])
        offset, stretch = torch.from_numpy(drawn).to(x.dtype)
        return offset, stretch

    def _moments(self, x: Tensor, after: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """mean, x - mean and the biased variance. after: so many dimensions stand before those of `over`.

        In two passes: exact, and a seventh of the time of torch.var_mean.
        """
        over = [after + dim for dim in self.over]
        mean = x.mean(over, keepdim=True)
        centred = x - mean
        return mean, centred, centred.square().mean(over, keepdim=True)

    def _count(self, x: Tensor) -> int:
        """The values that a statistic is taken over. Raises ValueError if there is only one."""
        count: int = math.prod(x.shape[dim] for dim in self.over)
        if count < 2:
            raise ValueError(f"batch statistics need a batch of at least 2 digits, got {count}; use running statistics")
        return count

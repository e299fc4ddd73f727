"""Batch normalization as a torch module with the variants people ask about, and the paper's population statistics."""

import math
from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

NOISY_MEAN, NOISY_STD, NOISY_RADIUS = 0.5, 1.25, 0.1  # n_mu, n_sigma, and r_mu = r_sigma

Running = Literal["variance", "standard deviation"]
Collected = list[tuple[Tensor, Tensor, Tensor]]  # a batch each: mean, biased variance, values m; all per channel (C,)


class BatchNorm(nn.Module):
    """Batch normalization over every axis but the second, for inputs (N, C), (N, C, L) and (N, C, H, W).

    With m the values per channel of one batch: N, N L or N H W,

        mu = mean(x);  sigma^2 = mean((x - mu)^2);  x_hat = (x - mu) / sqrt(sigma^2 + eps);  y = gamma x_hat + beta

    (Ioffe and Szegedy 2015, algorithm 1; a channel per feature map: their section 3.2). gamma is `weight`, beta is
    `bias`, both (C,). In train mode mu and sigma^2 are those of the batch, in eval mode the running statistics:

        running <- (1 - momentum) running + momentum batch,   of mu and of the unbiased variance m / (m - 1) sigma^2

    momentum=None averages all batches alike (1 / batches so far). track_running_stats=False keeps no running
    statistics: eval mode takes those of the batch as well. affine=False is "naive" batchnorm, without gamma and beta.
    Parameters, buffers, state_dict and results are those of torch.nn.BatchNorm1d and 2d. What those do not have:

    bessel: normalize with the batch's unbiased variance, not with sigma^2; eval mode divides by `running_var` anyway.
    running: "standard deviation" averages the unbiased standard deviation instead of the variance. `running_var`
        still holds what eval mode divides by: the square of that average.
    detach: mu and sigma^2 are constants to the gradient, so that dL/dx = gamma / sqrt(sigma^2 + eps) dL/dy. The
        parameters can then grow without end (Ioffe and Szegedy 2015, section 2).
    noise: in train mode each forward pass draws e1, e2 ~ N(0, 1) per channel from `generator` (None: torch's global
        one) and normalizes with mu + noise sigma e1 and sigma^2 exp(2 noise e2). The offset and the factor are
        constants to the gradient; running statistics take the undisturbed values.
    noisy: in train mode each forward pass draws for every channel mu ~ U(-0.5, 0.5) and sigma ~ U(1, 1.25), and for
        every value m ~ U(mu - 0.1, mu + 0.1) and s ~ N(sigma, 0.1), and returns s y + m: the noisy batchnorm of
        Santurkar et al. 2018 (section 2.1, parameters of their appendix), made to increase covariate shift.

    `frozen` (see `set_population_statistics`) is a setting like the above, so it is not in the state_dict.

    Raises ValueError for settings out of range; and, before anything changes, for an input of another shape, empty,
    not of floating point, more precise than the layer, or with m = 1 where statistics of the batch are needed.
    """

    weight: nn.Parameter | None
    bias: nn.Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        *,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        bessel: bool = False,
        running: Running = "variance",
        detach: bool = False,
        noise: float = 0.0,
        noisy: bool = False,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if num_features < 1:
            raise ValueError(f"num_features must be at least 1, got {num_features}")
        if not 0 < eps < math.inf:
            raise ValueError(f"eps must be above 0 and finite, got {eps}")
        if momentum is not None and not 0 <= momentum <= 1:
            raise ValueError(f"momentum must be from 0 to 1, or None for the cumulative average, got {momentum}")
        if not 0 <= noise < math.inf:
            raise ValueError(f"noise must be 0 or above and finite, got {noise}")
        if running not in ("variance", "standard deviation"):
            raise ValueError(f"running must be 'variance' or 'standard deviation', got {running!r}")
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.bessel, self.running, self.detach = bessel, running, detach
        self.noise, self.noisy, self.generator = noise, noisy, generator
        self.frozen = False
        self._collected: Collected | None = None  # a list while population_statistics runs

        empty, count = torch.empty(num_features, device=device, dtype=dtype), torch.tensor(0, device=device)
        for name in ("weight", "bias"):
            self.register_parameter(name, nn.Parameter(empty.clone()) if affine else None)
        for name, buffer in (("running_mean", empty), ("running_var", empty), ("num_batches_tracked", count)):
            self.register_buffer(name, buffer.clone() if track_running_stats else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Go back to mean 0, variance 1 and no batches tracked; unfreezes."""
        self.unfreeze()
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Set gamma to 1, beta to 0, and the running statistics as at first."""
        self.reset_running_stats()
        if self.weight is not None and self.bias is not None:
            nn.init.ones_(self.weight)
            nn.init.zeros_(self.bias)

    def set_population_statistics(self, mean: Tensor, var: Tensor) -> None:
        """Take mean and var, each (C,), as the running statistics and freeze them there.

        Eval mode uses them. Train mode goes on normalizing with the statistics of the batch, but no longer updates
        the running ones, nor counts the batch. `unfreeze` and `reset_running_stats` undo this.

        Raises ValueError for other shapes, a negative variance, or a layer without running statistics.
        """
        if self.running_mean is None or self.running_var is None:
            raise ValueError("a layer with track_running_stats=False has no place for population statistics")
        for name, value in (("mean", mean), ("var", var)):
            if value.shape != (self.num_features,):
                raise ValueError(f"{name} must have shape ({self.num_features},), got {tuple(value.shape)}")
        if not (var >= 0).all():
            raise ValueError(f"var must be 0 or above, got {var.min().item()}")
        with torch.no_grad():
            self.running_mean.copy_(mean)
            self.running_var.copy_(var)
        self.frozen = True

    def unfreeze(self) -> None:
        """Let train mode update the running statistics again, from where they are."""
        self.frozen = False

    def extra_repr(self) -> str:
        """Say what torch's layer says, and the options that differ from it."""
        always = ["eps", "momentum", "affine", "track_running_stats"]
        options = {
            "bessel": False,
            "running": "variance",
            "detach": False,
            "noise": 0.0,
            "noisy": False,
            "frozen": False,
        }
        shown = always + [name for name, usual in options.items() if getattr(self, name) != usual]
        return ", ".join([str(self.num_features), *(f"{name}={getattr(self, name)!r}" for name in shown)])

    def forward(self, x: Tensor) -> Tensor:
        """Return normalized x, of its shape and dtype."""
        of_batch = self.training or self.running_mean is None or self._collected is not None
        self._check_input(x, of_batch)
        y = self._fused(x, of_batch) if self._is_standard(of_batch) else self._written_out(x, of_batch)
        if self._updates() and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        return self._resampled(y) if self.training and self.noisy else y

    def _check_input(self, x: Tensor, of_batch: bool) -> None:
        shape, allowed = tuple(x.shape), "(N, C), (N, C, L) or (N, C, H, W)"
        if x.dim() not in (2, 3, 4):
            raise ValueError(f"x must have shape {allowed}, got {shape}; a single sample needs a batch axis: x[None]")
        if x.shape[1] != self.num_features:
            raise ValueError(f"x must have num_features = {self.num_features} channels on its axis 1, got {shape}")
        if not x.is_floating_point():
            raise ValueError(f"x must be of floating point, got {x.dtype}; convert it, as with x.float()")
        if x.numel() == 0:
            raise ValueError(f"x must not be empty, got {shape}; leave out the empty batch")
        own = self.weight if self.weight is not None else self.running_mean
        if own is not None and torch.promote_types(x.dtype, own.dtype) != own.dtype:
            raise ValueError(f"x is {x.dtype} and the layer {own.dtype}; convert one, as with layer.to(x.dtype)")
        if of_batch and x.numel() == self.num_features:
            advice = "take a larger batch" if self.running_mean is None else "take a larger batch or eval mode"
            raise ValueError(f"x must have 2 values per channel for statistics of the batch, got {shape}; {advice}")

    def _updates(self) -> bool:
        return self.training and self.track_running_stats and self.running_mean is not None and not self.frozen

    def _share(self) -> float:
        """The weight of this batch in the running statistics."""
        if self.momentum is None and self._updates() and self.num_batches_tracked is not None:
            return 1 / (float(self.num_batches_tracked) + 1)
        return self.momentum or 0.0

    def _is_standard(self, of_batch: bool) -> bool:
        """Whether the fused kernel of torch computes just this; eval mode with running statistics is always so."""
        other_average = self._updates() and self.running != "variance"
        disturbed = self.training and self.noise > 0
        varied = self.bessel or self.detach or disturbed or other_average or self._collected is not None
        return not (of_batch and varied)

    def _fused(self, x: Tensor, of_batch: bool) -> Tensor:
        mean, var = (self.running_mean, self.running_var) if self._updates() or not of_batch else (None, None)
        return functional.batch_norm(x, mean, var, self.weight, self.bias, of_batch, self._share(), self.eps)

    def _written_out(self, x: Tensor, of_batch: bool) -> Tensor:
        per_channel = (1, -1, *[1] * (x.dim() - 2))
        wide = x.to(torch.promote_types(x.dtype, torch.float32))  # as the kernel does for half precision
        if of_batch or self.running_mean is None or self.running_var is None:
            mean, var = self._batch_statistics(wide)
        else:
            mean, var = self.running_mean, self.running_var
        y = (wide - mean.view(per_channel)) * torch.rsqrt(var.view(per_channel) + self.eps)
        if self.weight is not None and self.bias is not None:
            y = y * self.weight.view(per_channel) + self.bias.view(per_channel)
        return y.to(x.dtype)

    def _batch_statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What x (N, C, ...) is normalized with, each (C,); the running statistics are updated on the way."""
        axes, m = [axis for axis in range(x.dim()) if axis != 1], x.numel() // self.num_features
        mean = x.mean(axes, keepdim=True)
        var = (x - mean).square().mean(axes)
        mean, bessel = mean.flatten(), m / (m - 1)
        if self._collected is not None:
            self._collected.append((mean.detach(), var.detach(), torch.full_like(var, m)))
        if self._updates() and self.running_mean is not None and self.running_var is not None:
            self.running_mean.lerp_(mean.detach().to(self.running_mean.dtype), self._share())
            unbiased = (var.detach() * bessel).to(self.running_var.dtype)
            if self.running == "variance":
                self.running_var.lerp_(unbiased, self._share())
            else:
                self.running_var.sqrt_().lerp_(unbiased.sqrt(), self._share()).square_()
        if self.bessel:
            var = var * bessel
        if self.detach:
            mean, var = mean.detach(), var.detach()
        return self._disturbed(mean, var) if self.training and self.noise > 0 else (mean, var)

    def _disturbed(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        source = var.device if self.generator is None else self.generator.device
        draws = torch.randn(2, self.num_features, generator=self.generator, device=source, dtype=var.dtype)
        e1, e2 = draws.to(var.device)
        return mean + self.noise * var.detach().sqrt() * e1, var * torch.exp(2 * self.noise * e2)

    def _resampled(self, y: Tensor) -> Tensor:
        source = y.device if self.generator is None else self.generator.device
        kind: dict[str, Any] = {
            "generator": self.generator,
            "device": source,
            "dtype": torch.promote_types(y.dtype, torch.float32),
        }
        of_channel = (1, -1, *[1] * (y.dim() - 2))
        mu = (torch.rand(self.num_features, **kind) * 2 - 1).mul_(NOISY_MEAN).view(of_channel)
        sigma = torch.rand(self.num_features, **kind).mul_(NOISY_STD - 1).add_(1).view(of_channel)
        m = (torch.rand(y.shape, **kind) * 2 - 1).mul_(NOISY_RADIUS).add_(mu)
        s = torch.randn(y.shape, **kind).mul_(NOISY_RADIUS).add_(sigma)
        return y * s.to(y) + m.to(y)


def population_statistics(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Give each BatchNorm of a trained network the statistics of a whole dataset, and freeze them there.

    Batches k of m_k values per channel with mean mu_k and biased variance sigma^2_k give

        E[x] = sum_k m_k mu_k / sum_k m_k;   Var[x] = sum_k m_k sigma^2_k / sum_k (m_k - 1)

    For batches of one size this is E[x] = mean_k(mu_k) and Var[x] = m / (m - 1) mean_k(sigma^2_k) (Ioffe and Szegedy
    2015, algorithm 2, steps 8 to 11). A smaller last batch is weighted by its values and its degrees of freedom: so
    E[x] is the mean over all values, and Var[x] is unbiased however the data falls into batches.

    One pass without gradients: each BatchNorm normalizes with the statistics of the batch (without noise), all other
    layers work as in eval mode. Modes are restored, after an exception too, and then nothing has changed. Layers
    without running statistics, or that no batch reaches, stay as they are; ValueError if that is all of them.
    A batch of one sample is refused as in train mode: leave it out or choose another batch size.
    """
    layers = [each for each in network.modules() if isinstance(each, BatchNorm) and each.running_mean is not None]
    modes = [(module, module.training) for module in network.modules()]
    collected: list[Collected] = [[] for _ in layers]
    try:
        network.eval()
        for layer, statistics in zip(layers, collected, strict=True):
            layer._collected = statistics
        with torch.no_grad():
            for x in batches:
                network(x)
    finally:
        for layer in layers:
            layer._collected = None
        for module, training in modes:
            module.training = training
    if not any(collected):
        raise ValueError("no batch reached a BatchNorm with running statistics: is `batches` empty or used up?")
    for layer, statistics in zip(layers, collected, strict=True):
        if statistics:
            means, variances, sizes = (torch.stack(each) for each in zip(*statistics, strict=True))  # (K, C) each
            mean = (sizes / sizes.sum(0) * means).sum(0)
            var = (sizes / (sizes - 1).sum(0) * variances).sum(0)
            layer.set_population_statistics(mean, var)

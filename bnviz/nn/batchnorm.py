"""Batch normalization as a torch module with the variants people ask about, and the paper's population statistics."""

import math
from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from bnviz.nn.derivatives import derive_further

NOISY_MEAN, NOISY_STD, NOISY_RADIUS = 0.5, 1.25, 0.1  # n_mu, n_sigma, and r_mu = r_sigma
Running = Literal["variance", "standard deviation"]
Collected = list[tuple[Tensor, Tensor, Tensor]]  # a batch each: mean, biased variance, values m; all per channel (C,)


class BatchNorm(_BatchNorm):
    """Batch normalization over every axis but the second, for inputs (N, C) and (N, C, ...) with up to three more.

    With m the values per channel of one batch, N times the places of a map:

        mu = mean(x);  sigma^2 = mean((x - mu)^2);  x_hat = (x - mu) / sqrt(sigma^2 + eps);  y = gamma x_hat + beta

    (Ioffe and Szegedy 2015, algorithm 1; a channel per feature map: their section 3.2). gamma is `weight`, beta is
    `bias`, both (C,). In train mode mu and sigma^2 are those of the batch, in eval mode the running statistics:

        running <- (1 - momentum) running + momentum batch,   of mu and of the unbiased variance m / (m - 1) sigma^2

    momentum=None averages all batches alike (1 / batches so far). track_running_stats=False keeps no running
    statistics: eval mode takes those of the batch as well. affine=False is "naive" batchnorm, without gamma and beta.
    It is one of torch's own: arguments, parameters, buffers, state_dict and results are those of torch.nn.BatchNorm1d,
    2d and 3d, and whatever looks for `_BatchNorm` finds it. Its own are:

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

    `freeze()`: as in eval mode, whatever the mode of the network. Derivatives of any order are right (torch stops at
    two). `torch.fx` sees one module, `torch.compile` one graph, cut by momentum=None (torch's too) and a `generator`.

    Raises ValueError for settings out of range (an eps of 0 or less in the first pass, as torch); and, before anything
    changes, for an input of another shape, not of floating point, of another precision (half ones go through a layer
    of single), or with m = 1 where statistics of the batch are needed. An empty batch is counted, and moves nothing.
    """

    frozen = False
    _version = 3  # in 3 a state says whether the layer is frozen; torch's own, 2 or less, says nothing of it

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        *,
        bias: bool = True,
        bessel: bool = False,
        running: Running = "variance",
        detach: bool = False,
        noise: float = 0.0,
        noisy: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        if num_features < 1:
            raise ValueError(f"num_features must be at least 1, got {num_features}")
        if not math.isfinite(eps):
            raise ValueError(f"eps must be positive and finite, got {eps}")
        if momentum is not None and not 0 <= momentum <= 1:
            raise ValueError(f"momentum must be from 0 to 1, or None for the cumulative average, got {momentum}")
        if not 0 <= noise < math.inf:
            raise ValueError(f"noise must be 0 or above and finite, got {noise}")
        if running not in ("variance", "standard deviation"):
            raise ValueError(f"running must be 'variance' or 'standard deviation', got {running!r}")
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype)
        if not bias:  # not handed on: an older torch has no such argument
            self.register_parameter("bias", None)
        self.bessel, self.running, self.detach = bessel, running, detach
        self.noise, self.noisy, self.generator = noise, noisy, generator
        self._collected: Collected | None = None  # a list while population_statistics runs

    def reset_running_stats(self) -> None:
        """Go back to mean 0, variance 1 and no batches tracked; unfreezes."""
        self.unfreeze()
        if self.running_mean is not None:
            super().reset_running_stats()

    def freeze(self) -> None:
        """Normalize with the running statistics in train mode too, and leave them as they are.

            y = gamma (x - running_mean) / sqrt(running_var + eps) + beta

        so that dL/dx = gamma / sqrt(running_var + eps) dL/dy; gamma and beta go on learning. The state_dict has one
        entry more, `frozen`, and freezes the layer that loads it. `unfreeze` and `reset_running_stats` undo this, so
        `update_bn` does; `SyncBatchNorm` does not take it over. ValueError for a layer without running statistics.
        """
        if self.running_mean is None:
            raise ValueError("a layer with track_running_stats=False has no running statistics to be frozen at")
        self.frozen = True

    def unfreeze(self) -> None:
        """Let train mode normalize with the batch and update the running statistics again, from where they are."""
        self.frozen = False

    def set_population_statistics(self, mean: Tensor, var: Tensor) -> None:
        """Take mean and var, each (C,), as the running statistics, and freeze the layer there.

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
        self.freeze()

    def extra_repr(self) -> str:
        """Say what torch's layer says, and the options that differ from it."""
        usual = {"bessel": False, "running": "variance", "detach": False, "noise": 0.0, "noisy": False, "frozen": False}
        options = (f"{name}={own!r}" for name in usual if (own := getattr(self, name)) != usual[name])
        return ", ".join([super().extra_repr(), *options])  # type: ignore[no-untyped-call]

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.frozen:  # an entry of its own only then, so that torch's layer loads all others
            destination[f"{prefix}frozen"] = torch.tensor(True)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *others: Any
    ) -> None:
        by_us = (local_metadata.get("version") or 0) >= 3
        frozen = state_dict.pop(f"{prefix}frozen", self.frozen and not by_us)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *others)
        self.frozen = bool(frozen) and self.running_mean is not None

    def forward(self, input: Tensor) -> Tensor:
        """Return the input normalized, of its shape and dtype."""
        if isinstance(x := input, fx.Proxy) and isinstance(x.tracer, fx.Tracer):
            traced: Any = x.tracer.create_proxy("call_module", x.tracer.path_of_module(self), (x,), {})
            return traced
        of_batch = self._learns or self.running_mean is None or self._collected is not None
        self._check_input(x, of_batch)
        way = self._fused if x.numel() == 0 or self._is_standard(of_batch) else self._written_out
        y = way(x, of_batch)
        if self._updates() and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        return self._resampled(y) if self._learns and self.noisy else y

    def _check_input(self, x: Tensor, of_batch: bool) -> None:
        shape, allowed = tuple(x.shape), "(N, C), (N, C, L), (N, C, H, W) or (N, C, D, H, W)"
        if not 2 <= x.dim() <= 5:
            raise ValueError(f"x must have shape {allowed}, got {shape}; a single sample needs a batch axis: x[None]")
        if x.shape[1] != self.num_features:
            raise ValueError(f"x must have num_features = {self.num_features} channels on its axis 1, got {shape}")
        if not x.is_floating_point():
            raise ValueError(f"x must be of floating point, got {x.dtype}; convert it, as with x.float()")
        own = self.weight if self.weight is not None else self.running_mean
        halved = own is not None and own.dtype == torch.float32 and x.dtype in (torch.float16, torch.bfloat16)
        if own is not None and x.dtype != own.dtype and not halved:
            raise ValueError(f"x is {x.dtype} and the layer {own.dtype}; convert one, as with layer.to(x.dtype)")
        if of_batch and not self.eps > 0:
            raise ValueError(f"eps must be positive and finite, got {self.eps}")
        if of_batch and x.numel() == self.num_features:
            advice = "take a larger batch" if self.running_mean is None else "take a larger batch or eval mode"
            raise ValueError(f"x must have 2 values per channel for statistics of the batch, got {shape}; {advice}")

    @property
    def _learns(self) -> bool:
        return self.training and not self.frozen

    def _updates(self) -> bool:
        return self._learns and self.track_running_stats and self.running_mean is not None

    def _share(self) -> float:
        """The weight of this batch in the running statistics."""
        if self.momentum is None and self._updates() and self.num_batches_tracked is not None:
            return 1 / (float(self.num_batches_tracked) + 1)
        return self.momentum or 0.0

    def _is_standard(self, of_batch: bool) -> bool:
        """Whether the fused kernel of torch computes just this; eval mode with running statistics is always so."""
        other_average = self._updates() and self.running != "variance"
        disturbed = self._learns and self.noise > 0
        varied = self.bessel or self.detach or disturbed or other_average or self._collected is not None
        return not (of_batch and varied)

    def _fused(self, x: Tensor, of_batch: bool) -> Tensor:
        mean, var = (self.running_mean, self.running_var) if self._updates() or not of_batch else (None, None)
        y = functional.batch_norm(x, mean, var, self.weight, self.bias, of_batch, self._share(), self.eps)
        return y if x.numel() == 0 else derive_further(y, self.eps, of_batch)

    def _written_out(self, x: Tensor, of_batch: bool) -> Tensor:
        per_channel = (1, -1, *[1] * (x.dim() - 2))
        wide = x.to(torch.promote_types(x.dtype, torch.float32))  # as the kernel does for half precision
        if of_batch or self.running_mean is None or self.running_var is None:
            mean, var = self._batch_statistics(wide)
        else:
            mean, var = self.running_mean, self.running_var
        y = (wide - mean.view(per_channel)) * torch.rsqrt(var.view(per_channel) + self.eps)
        if self.weight is not None:
            y = y * self.weight.view(per_channel)
        if self.bias is not None:
            y = y + self.bias.view(per_channel)
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
        return self._disturbed(mean, var) if self._learns and self.noise > 0 else (mean, var)

    def _disturbed(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        source = var.device if self.generator is None else self.generator.device
        draws = torch.randn(2, self.num_features, generator=self.generator, device=source, dtype=var.dtype)
        e1, e2 = draws.to(var.device)
        return mean + self.noise * var.detach().sqrt() * e1, var * torch.exp(2 * self.noise * e2)

    def _resampled(self, y: Tensor) -> Tensor:
        source = y.device if self.generator is None else self.generator.device
        wide = torch.promote_types(y.dtype, torch.float32)
        kind: dict[str, Any] = {"generator": self.generator, "device": source, "dtype": wide}
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

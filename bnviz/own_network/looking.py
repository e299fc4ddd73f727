"""What a sight of a model has collected, as records."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bnviz.own_network.layers import is_compiled, normalization_of, slopes_at
from bnviz.own_network.sight import Sight, Use
from bnviz.own_network.transfer import Transfer
from bnviz.records.own_network import (
    BINS,
    QUANTILES,
    Floats,
    Layer,
    LayerLook,
    Look,
    Network,
    NormalizationLook,
)

Buffers = dict[nn.Module, dict[str, Tensor]]


def network_of(
    sight: Sight, name: str, optimizer: torch.optim.Optimizer | None, *, last_batch: int | None, classes: int | None
) -> Network:
    """Return what the passes showed of the model's layers, in their order, and what of them cannot be seen."""
    reached = {use.module for use in sight.uses.values()}
    missed = [path for module, (path, _) in sight.layers.items() if module not in reached]
    unseen = []
    if is_compiled(sight.model):
        unseen.append("The model is compiled: activations and the statistics of batches are not seen.")
    elif sight.compiled:
        unseen.append(
            f"Parts of the model are compiled: activations and the statistics of batches are not seen of "
            f"{_first(sight.layers[module][0] for module in sight.compiled)}."
        )
    if missed:
        unseen.append(f"Not called in a forward pass, so what goes through is not seen: {_first(missed)}.")
    if sight.functions:
        unseen.append(
            f"Activations called as functions are not seen: {sight.functions} places. Modules, such as "
            "torch.nn.ReLU, are."
        )
    return Network(
        name,
        tuple(_layer(use, optimizer) for use in sight.uses.values()),
        tuple(unseen),
        classes,
        last_batch,
        type(sight.model).__name__,
        sum(p.numel() for p in sight.model.parameters()),
    )


def _first(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")


def _layer(use: Use, optimizer: torch.optim.Optimizer | None) -> Layer:
    module = use.module
    return Layer(
        use.name if not use.nth else f"{use.name} (use {use.nth + 1})",
        use.kind,
        type(module).__name__,
        use.takes,
        use.kind in ("linear", "convolution") and getattr(module, "bias", None) is not None,
        float(getattr(module, "p", 0.0)) if use.kind == "dropout" else 0.0,
        use.kind in ("linear", "convolution"),
        normalization_of(module, optimizer) if use.kind == "normalization" else None,
    )


def statistics_now(model: nn.Module) -> Buffers:
    """Return copies of the running statistics of every module that has some."""
    names = ("running_mean", "running_var", "num_batches_tracked")
    return {
        module: {n: b.detach().clone() for n in names if (b := module._buffers.get(n)) is not None}
        for module in model.modules()
        if "running_mean" in module._buffers
    }


class Collected:
    """A look on its way: `put` hands its tensors to the transfer, `look` makes the record when that has arrived."""

    def __init__(self, sight: Sight, statistics: Buffers, channels: int | None = None) -> None:
        """channels: most that are kept of a normalization layer, None for all of them."""
        self._transfer, self._channels = Transfer(), channels
        self._arrays: list[Floats] | None = None
        self._sight = sight
        self._places = [self._put(use, statistics.get(use.module, {})) for use in sight.uses.values()]
        self._extra: dict[str, int] = {}

    def put(self, name: str, tensor: Tensor) -> None:
        """Send one more number along."""
        self._extra[name] = self._transfer.put(tensor)

    def fetch(self) -> list[Floats]:
        """Bring all of it over, once."""
        if self._arrays is None:
            self._arrays = self._transfer.fetch()
        return self._arrays

    def look(self, step: int, gradients: dict[Any, str], updates: dict[Any, str], **losses: Any) -> Look:
        """Return the record. gradients, updates: under which name a module's was put."""
        arrays = self.fetch()
        extra = {name: float(arrays[place]) for name, place in self._extra.items()}
        layers = []
        for use, places in zip(self._sight.uses.values(), self._places, strict=True):
            had = {name: arrays[place] for name, place in places.items()}
            gradient = extra.get(gradients.get(use.module, ""), math.nan)
            layers.append(_layer_look(use, had, gradient, extra.get(updates.get(use.module, ""), math.nan)))
        known = {name: extra[value] if isinstance(value, str) else value for name, value in losses.items()}
        return Look(step, tuple(layers), examples=self._sight.examples, **known)

    def _put(self, use: Use, statistics: dict[str, Tensor]) -> dict[str, int]:
        put, places = self._transfer.put, {}
        if use.sample is not None:
            places["sample"] = put(use.sample)
        if use.saturated is not None:
            places["saturated"] = put(use.saturated)
        if use.extremes is not None:
            slopes = torch.stack([slopes_at(use.module, row) for row in use.extremes])
            places["dead"] = put((slopes == 0).all(dim=0).float().mean())
        weight = getattr(use.module, "weight", None)
        if use.kind in ("linear", "convolution") and isinstance(weight, Tensor):
            places["unfit"] = put((~torch.isfinite(weight.detach())).sum())
        if use.kind == "normalization":
            places |= self._put_normalization(use, statistics)
        return places

    def _put_normalization(self, use: Use, statistics: dict[str, Tensor]) -> dict[str, int]:
        put, places = self._transfer.put, {}
        mean, var = statistics.get("running_mean"), statistics.get("running_var")
        if mean is not None and var is not None:
            places["unfit_channels"] = put((~(torch.isfinite(mean) & torch.isfinite(var) & (var >= 0))).sum())
            places["running_mean"], places["running_var"] = put(self._some(mean)), put(self._some(var))
        if (counter := statistics.get("num_batches_tracked")) is not None:
            places["counter"] = put(counter)
        for name, key in (("gamma", "weight"), ("beta", "bias")):
            parameter = getattr(use.module, key, None)
            if isinstance(parameter, Tensor):
                places[name] = put(self._some(parameter.detach().flatten()))
        if use.batches:
            places["batch_mean"] = put(torch.stack([self._some(mean) for mean, _, _ in use.batches]))
            places["batch_var"] = put(torch.stack([self._some(var) for _, var, _ in use.batches]))
        return places

    def _some(self, channels: Tensor) -> Tensor:
        if self._channels is None or channels.numel() <= self._channels:
            return channels
        return channels[:: -(-channels.numel() // self._channels)]


def _layer_look(use: Use, had: dict[str, Floats], gradient: float, update: float) -> LayerLook:
    def number(name: str) -> float:
        return float(had[name]) if name in had else math.nan

    sample = had.get("sample", np.empty(0))
    fit = sample[np.isfinite(sample)]
    counts, low, high = np.zeros(BINS, np.int64), math.nan, math.nan
    if fit.size:
        low, high = float(fit.min()), float(fit.max())
        high = high if high > low else low + max(abs(low), 1e-30) * 1e-6
        counts = np.histogram(fit, BINS, (low, high))[0]
    with np.errstate(invalid="ignore"):  # of infinities; what comes of it is told as it is
        mean, std = (float(sample.mean()), float(sample.std())) if sample.size else (math.nan, math.nan)
    return LayerLook(
        mean,
        std,
        np.quantile(fit, QUANTILES) if fit.size else np.full(len(QUANTILES), math.nan),
        counts,
        low,
        high,
        number("saturated"),
        number("dead"),
        gradient,
        update,
        int(had.get("unfit", 0)),
        _normalization_look(use, had) if use.kind == "normalization" else None,
    )


def _normalization_look(use: Use, had: dict[str, Floats]) -> NormalizationLook:
    nothing, no_batches = np.empty(0), np.empty((0, 0))
    means, variances = had.get("batch_mean", no_batches), had.get("batch_var", no_batches)
    values = np.array([values for _, _, values in use.batches], np.int64)
    population_mean, population_var = nothing, nothing
    if len(means):
        degrees = np.maximum(values - 1, 0)
        population_mean = values @ means / values.sum()
        population_var = degrees @ variances / degrees.sum() if degrees.sum() else np.zeros_like(population_mean)
    return NormalizationLook(
        use.training,
        int(had["counter"]) if "counter" in had else None,
        had.get("running_mean", nothing),
        had.get("running_var", nothing),
        had.get("gamma", nothing),
        had.get("beta", nothing),
        means,
        variances,
        values,
        population_mean,
        population_var,
        int(had.get("unfit_channels", 0)),
        use.uses,
    )

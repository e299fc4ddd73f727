"""A network of the user's own as its rules see it: each layer with what a look saw of it."""

import math
from dataclasses import dataclass, field

from bnviz.findings.own_network.table import RULES
from bnviz.records.own_network import (
    Finding,
    Layer,
    LayerLook,
    Look,
    Network,
    Normalization,
    NormalizationLook,
    Severity,
)


@dataclass(frozen=True)
class Seen:
    """A layer, and what a look saw of it."""

    layer: Layer
    look: LayerLook


@dataclass(frozen=True)
class SeenNormalization(Seen):
    """A normalization layer, how it normalizes, and its statistics."""

    how: Normalization
    now: NormalizationLook

    @property
    def averages(self) -> bool:
        """Whether it has running statistics of batches."""
        return self.how.over_batch and self.how.tracked and self.now.running_mean.size > 0

    @property
    def untouched(self) -> bool:
        """Whether its running statistics are those that it began with."""
        begun = bool((self.now.running_mean == 0).all() and (self.now.running_var == 1).all())
        return self.averages and self.now.counter == 0 and begun

    @property
    def beginning(self) -> float:
        """The weight that mean 0 and variance 1 still have in the running statistics; NaN if that is not known."""
        if not self.averages or not self.now.counter or self.how.momentum is None:
            return math.nan
        return float((1 - self.how.momentum) ** self.now.counter)


@dataclass(frozen=True)
class Whole:
    """The network and all its layers."""

    network: Network
    look: Look
    seen: list[Seen]
    normalizations: list[SeenNormalization]
    by_name: dict[str, Layer] = field(init=False)

    def __post_init__(self) -> None:
        """Find layers by their names."""
        object.__setattr__(self, "by_name", {layer.name: layer for layer in self.network.layers})


def found(rule: str, severity: Severity, layer: Layer | None, text: str, threshold: str, **numbers: float) -> Finding:
    """Return what a rule found. threshold: what the numbers were compared with, in words."""
    known = RULES[rule]
    return Finding(
        rule,
        severity,
        layer.name if layer else "",
        numbers,
        threshold,
        text,
        known.meaning,
        known.advice,
        known.lab,
        known.source,
        known.instead,
    )

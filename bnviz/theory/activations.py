"""Every activation function f and its slope f', in NumPy: what figures draw, theory integrates and a script exports.

The networks train with PyTorch's own (`bnviz.nn.layers`); a test holds the two equal.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bnviz.experiment.choices import LEAK
from bnviz.records.frames import FLAT_SLOPE

Array = npt.NDArray[np.float64]
AT_ZERO = np.zeros(1)


@dataclass(frozen=True)
class ActivationFunction:
    """An activation function f of a pre-activation z.

    f, slope: f(z) and f'(z), of an array of any shape. steepest: the largest f'. bends: the places between which f is
    a smooth curve that a quadrature of few points integrates. module: PyTorch's layer, as an exported script names it.
    """

    f: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    module: str
    steepest: float = 1.0
    bends: Array = field(default_factory=lambda: np.empty(0))

    @property
    def is_never_negative(self) -> bool:
        """Whether no output lies below 0."""
        return bool((self.f(np.linspace(-10, 10, 201)) >= 0).all())


def _sigmoid(z: Array) -> Array:
    return 0.5 * (1 + np.tanh(z / 2))  # unlike 1 / (1 + exp(-z)), it never overflows


def normal_distribution(z: Array) -> Array:
    """Return Phi(z), the standard normal distribution function, to 1e-7 (Abramowitz and Stegun 1964, 26.2.17)."""
    t = 1 / (1 + 0.2316419 * np.abs(z))
    series = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    tail = normal_density(z) * series
    return np.where(z > 0, 1 - tail, tail)


def normal_density(z: Array) -> Array:
    """Return phi(z) = exp(-z^2 / 2) / sqrt(2 pi), the standard normal density."""
    return np.asarray(np.exp(-np.square(z) / 2) / math.sqrt(2 * math.pi))


def _both_sides(places: Array) -> Array:
    """The places, of which the first is 0, and their mirror images."""
    return np.concatenate([-places[:0:-1], places])


_TANH_BENDS = _both_sides(np.array([0, 0.5, 1, 1.5, math.atanh(math.sqrt(1 - FLAT_SLOPE)), 3, 4.5, 8, 16]))
ACTIVATION_FUNCTIONS: dict[str, ActivationFunction] = {
    "tanh": ActivationFunction(np.tanh, lambda z: 1 - np.tanh(z) ** 2, "nn.Tanh()", bends=_TANH_BENDS),
    "sigmoid": ActivationFunction(
        _sigmoid,
        lambda z: _sigmoid(z) * _sigmoid(-z),
        "nn.Sigmoid()",
        steepest=0.25,
        bends=2 * _TANH_BENDS,  # sigmoid(z) = (1 + tanh(z / 2)) / 2
    ),
    "relu": ActivationFunction(lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float), "nn.ReLU()", bends=AT_ZERO),
    "leaky_relu": ActivationFunction(
        lambda z: np.where(z > 0, z, LEAK * z),
        lambda z: np.where(z > 0, 1.0, LEAK),
        f"nn.LeakyReLU({LEAK})",
        bends=AT_ZERO,
    ),
    "gelu": ActivationFunction(
        lambda z: z * normal_distribution(z),
        lambda z: normal_distribution(z) + z * normal_density(z),
        "nn.GELU()",
        steepest=1.1289,
        bends=_both_sides(np.array([0, 0.5, 0.75, 1, 1.5, 2, 3, 5])),
    ),
    "none": ActivationFunction(lambda z: z, np.ones_like, "nn.Identity()"),
}

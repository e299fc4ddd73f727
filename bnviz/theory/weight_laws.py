"""The law that each scheme draws its weights from: mean, variance and density.

With n_in = fan_in and n_out = fan_out of the layer, and every drawn weight multiplied by the scale s. Formulas and
sources are those of `bnviz.experiment.inits`.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bnviz.experiment.inits import SCHEMES, Init

Array = npt.NDArray[np.float64]
DENSITY_POINTS = 201


@dataclass(frozen=True)
class WeightLaw:
    """The mean and variance of a weight; low and high: its density ends there, or little of it lies beyond. bias: the
    variance of a bias, whose mean is 0."""

    mean: float
    variance: float
    low: float
    high: float
    bias: float = 0.0

    @property
    def second_moment(self) -> float:
        """The mean square E[w^2], which the variance of a layer's pre-activations is proportional to."""
        return self.variance + self.mean**2


def law(scheme: Init, fan_in: int, fan_out: int, scale: float = 1.0) -> WeightLaw:
    """Return the law of a scheme's weights. U[0, b) has mean b / 2 and variance b^2 / 12, U[-b, b) variance b^2 / 3."""
    shape = SCHEMES[scheme].shape
    variance = SCHEMES[scheme].variance(fan_in, fan_out) * scale**2
    deviation = math.sqrt(variance)
    if shape == "from zero":
        end = math.sqrt(12) * deviation
        return WeightLaw(end / 2, variance, 0.0, end)
    end = math.sqrt(3) * deviation if shape == "uniform" else 4 * deviation
    if shape == "orthogonal":
        end = min(end, scale)  # no entry of a vector of length 1 is larger than 1
    return WeightLaw(0.0, variance, -end, end, variance if SCHEMES[scheme].draws_biases else 0.0)


def density(scheme: Init, fan_in: int, fan_out: int, scale: float = 1.0) -> tuple[Array, Array]:
    """Return points from one end of the law to the other, and its density there; none for zeros, which has no density.

    An entry u of a random orthonormal matrix is a coordinate of a point drawn evenly from the unit sphere in N
    dimensions, N = max(n_in, n_out): its density is proportional to (1 - u^2)^((N - 3) / 2).
    """
    shape, found = SCHEMES[scheme].shape, law(scheme, fan_in, fan_out, scale)
    if not found.variance:
        return np.empty(0), np.empty(0)
    w = np.linspace(found.low, found.high, DENSITY_POINTS)
    if shape in ("from zero", "uniform"):
        return w, np.full(DENSITY_POINTS, 1 / (found.high - found.low))
    if shape == "orthogonal":
        dimensions = max(fan_in, fan_out)
        if dimensions < 4:
            return np.empty(0), np.empty(0)  # the density is infinite at its ends
        log_height = math.lgamma(dimensions / 2) - math.lgamma((dimensions - 1) / 2) - math.log(math.pi) / 2
        inside = np.clip(1 - (w / scale) ** 2, 0, 1)
        return w, np.asarray(math.exp(log_height) * inside ** ((dimensions - 3) / 2) / scale)
    return w, np.exp(-(w**2) / (2 * found.variance)) / math.sqrt(2 * math.pi * found.variance)

"""The law that each scheme draws its weights from: mean, variance, density and formula.

With n_in = fan_in and n_out = fan_out of the layer, and every drawn weight multiplied by the scale s.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
POINTS = 201  # of a density's curve


@dataclass(frozen=True)
class WeightLaw:
    """Mean and variance of a weight; low and high are where its density ends, or where little of it is left."""

    mean: float
    variance: float
    low: float
    high: float

    @property
    def second_moment(self) -> float:
        """E[w^2], what the variance of a layer's pre-activations is proportional to."""
        return self.variance + self.mean**2


def law(scheme: str, fan_in: int, fan_out: int, scale: float = 1.0) -> WeightLaw:
    """Raises KeyError for a scheme that is not one of bnviz.config.INITS."""
    if scheme in ("rand", "rand_fan_in"):
        top = scale if scheme == "rand" else scale / math.sqrt(fan_in)
        return WeightLaw(top / 2, top**2 / 12, 0.0, top)
    variance = {
        "normal": 1.0,
        "xavier_normal": 2 / (fan_in + fan_out),
        "xavier_uniform": 2 / (fan_in + fan_out),
        "he_normal": 2 / fan_in,
        "he_uniform": 2 / fan_in,
        "lecun_normal": 1 / fan_in,
        "orthogonal": 1 / max(fan_in, fan_out),
        "zeros": 0.0,
    }[scheme] * scale**2
    end = math.sqrt(variance) * (math.sqrt(3) if scheme.endswith("uniform") else 4.0)
    if scheme == "orthogonal":
        end = min(end, scale)  # no entry of a vector of length 1 is larger than 1
    return WeightLaw(0.0, variance, -end, end)


def density(scheme: str, fan_in: int, fan_out: int, scale: float = 1.0) -> tuple[Array, Array]:
    """Points from one end of the law to the other, and its density there; empty for zeros, which has none.

    An entry u of a random orthonormal matrix is a coordinate of a point drawn evenly from the unit sphere in N
    dimensions, N = max(n_in, n_out): its density is proportional to (1 - u^2)^((N - 3) / 2).
    """
    found = law(scheme, fan_in, fan_out, scale)
    if not found.variance:
        return np.empty(0), np.empty(0)
    w = np.linspace(found.low, found.high, POINTS)
    if scheme.startswith("rand") or scheme.endswith("uniform"):
        return w, np.full(POINTS, 1 / (found.high - found.low))
    if scheme == "orthogonal":
        dimensions = max(fan_in, fan_out)
        if dimensions < 4:
            return np.empty(0), np.empty(0)  # the density is infinite at its ends
        log_height = math.lgamma(dimensions / 2) - math.lgamma((dimensions - 1) / 2) - math.log(math.pi) / 2
        inside = np.clip(1 - (w / scale) ** 2, 0, 1)
        return w, np.asarray(math.exp(log_height) * inside ** ((dimensions - 3) / 2) / scale)
    return w, np.exp(-(w**2) / (2 * found.variance)) / math.sqrt(2 * math.pi * found.variance)


@dataclass(frozen=True)
class Formula:
    """LaTeX of a scheme at scale 1, what its author wanted, and where."""

    latex: str
    idea: str


FORMULAS = {
    "rand": Formula(r"w\sim U[0,1)", "Every weight is positive, so a unit's inputs add up instead of cancelling out."),
    "rand_fan_in": Formula(
        r"w\sim\frac{U[0,1)}{\sqrt{n_{in}}}",
        "The spread is scaled to the number of inputs, but every weight is still positive.",
    ),
    "normal": Formula(r"w\sim N(0,\,1)", "Centred, but the variance of a sum of $n_{in}$ inputs grows with $n_{in}$."),
    "xavier_normal": Formula(
        r"w\sim N\!\Big(0,\,\frac{2}{n_{in}+n_{out}}\Big)",
        "Keeps the variance on the way forward and back, as far as both can be had (Glorot and Bengio 2010, eq. 12).",
    ),
    "xavier_uniform": Formula(
        r"w\sim U\!\Big[\pm\sqrt{\tfrac{6}{n_{in}+n_{out}}}\Big]",
        "The same variance as Xavier normal, with an end (Glorot and Bengio 2010, eq. 16).",
    ),
    "he_normal": Formula(
        r"w\sim N\!\Big(0,\,\frac{2}{n_{in}}\Big)",
        "Twice the variance, because a ReLU loses half of it (He et al. 2015, eq. 10).",
    ),
    "he_uniform": Formula(
        r"w\sim U\!\Big[\pm\sqrt{\tfrac{6}{n_{in}}}\Big]",
        "The same variance as He normal, with an end (He et al. 2015, eq. 10).",
    ),
    "lecun_normal": Formula(
        r"w\sim N\!\Big(0,\,\frac{1}{n_{in}}\Big)",
        "A sum of $n_{in}$ inputs of variance 1 has variance 1 (LeCun et al. 1998, section 4.6).",
    ),
    "orthogonal": Formula(
        r"W^{\mathsf T}W=I\ \text{ or }\ WW^{\mathsf T}=I",
        "A square matrix keeps the length of every vector, not only on average (Saxe et al. 2014).",
    ),
    "zeros": Formula(
        r"w=0", "Every unit of a layer is the same, and gets the same gradient: nothing tells them apart."
    ),
}

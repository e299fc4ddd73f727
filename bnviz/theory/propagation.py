r"""What theory says of an untrained network: how far activations spread on the way forward, and gradients back.

Weights are independent, with mean mu and variance s^2. Biases have mean 0 and variance b^2, which is 0 except in
PyTorch's default. f is the activation, n the units of a layer. For one digit the pre-activations z of a layer are sums
of many terms, so nearly Gaussian over the draw of the weights:

    E[z] = mu * sum_i h_i,    Var[z] = s^2 * sum_i h_i^2 + b^2                                      (1)

which for mu = b = 0 is fan_in * Var[w] * E[h^2] (Glorot and Bengio 2010, eq. 5; He et al. 2015, eq. 7). The next sums
are n E[f(z)] and n E[f(z)^2] under that Gaussian: the mean-field recursion (Poole et al. 2016, eq. 3). On the way back,
with delta = dL/dz of the layer above, T1 = sum_j delta_j and T2 = sum_j delta_j^2,

    E[(dL/dh_i)^2] = s^2 T2 + mu^2 T1^2,    dL/dz_i = f'(z_i) dL/dh_i                                (2)

which for mu = 0 is fan_out * Var[w] * E[delta^2] * E[f'(z)^2] (Glorot and Bengio 2010, eq. 6; He et al. 2015,
section 2.2).

Batch normalization exchanges (1): a unit's values have mean 0 and variance V / (V + eps) over the digits, where V is
the variance over the digits before it. On the way back it divides by sqrt(V + eps); that it also takes the mean out of
the gradient and its correlation with the values is left away, a part of 1 / B for independent gradients (Yang et al.
2019 do without this). All of it holds for wide layers; a narrow one scatters around it.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from bnviz.experiment.config import CLASSES, PIXELS, BatchNormConfig, NetworkConfig
from bnviz.records.frames import FLAT_SLOPE
from bnviz.records.initialization import Inputs
from bnviz.theory.activations import ACTIVATION_FUNCTIONS, normal_density
from bnviz.theory.weight_laws import WeightLaw, law

Array = npt.NDArray[np.float64]

GAUSSIAN_REACH = 8.5  # standard deviations; what lies beyond weighs less than 1e-16
LEGENDRE_NODES, LEGENDRE_WEIGHTS = np.polynomial.legendre.leggauss(8)
HERMITE_NODES, HERMITE_WEIGHTS = np.polynomial.hermite_e.hermegauss(64)
_EVEN = np.array([-GAUSSIAN_REACH, -5, -3, -2, -1, 0, 1, 2, 3, 5, GAUSSIAN_REACH])


@dataclass(frozen=True)
class Moments:
    """The moments E[f], E[f^2], E[f'], E[f'^2] and the share of saturated units under N(mean, std^2), of one shape."""

    f: Array
    f2: Array
    slope: Array
    slope2: Array
    flat: Array


def moments(activation: str, mean: npt.ArrayLike, std: npt.ArrayLike) -> Moments:
    """Integrate by Gauss-Legendre quadrature between the places at which f bends.

    Gauss-Hermite nodes, the usual choice, lie too far apart to see tanh's slope once z spreads over ten or more.
    """
    kind = ACTIVATION_FUNCTIONS[activation]
    mean, std = np.broadcast_arrays(np.atleast_1d(mean).astype(float), np.atleast_1d(std).astype(float))
    bends = np.clip((kind.bends - mean[:, None]) / np.maximum(std, 1e-30)[:, None], -GAUSSIAN_REACH, GAUSSIAN_REACH)
    ends = np.sort(np.concatenate([np.broadcast_to(_EVEN, (len(mean), len(_EVEN))), bends], axis=1), axis=1)
    half = np.diff(ends, axis=1)[..., None] / 2
    u = (ends[:, :-1, None] + half + half * LEGENDRE_NODES).reshape(len(mean), -1)
    weight = (half * LEGENDRE_WEIGHTS).reshape(len(mean), -1) * normal_density(u)
    weight /= weight.sum(axis=1, keepdims=True)
    z = mean[:, None] + std[:, None] * u
    f, slope = kind.f(z), kind.slope(z)
    flat = np.abs(slope) < FLAT_SLOPE * kind.steepest
    return Moments(*((weight * g).sum(axis=1) for g in (f, f * f, slope, slope * slope, flat)))


def covariance(activation: str, std: float, correlation: float) -> float:
    """Return Cov[f(u), f(v)] for u, v ~ N(0, std^2) of a given correlation, by Gauss-Hermite quadrature."""
    if not correlation or not std:
        return 0.0
    f, weight = ACTIVATION_FUNCTIONS[activation].f, HERMITE_WEIGHTS / HERMITE_WEIGHTS.sum()
    common = math.sqrt(correlation) * HERMITE_NODES
    values = f(std * (common[:, None] + math.sqrt(max(1 - correlation, 0)) * HERMITE_NODES))
    given = values @ weight
    return float(max(weight @ given**2 - (weight @ given) ** 2, 0.0))


@dataclass(frozen=True)
class Theory:
    """What theory says of a wide network, over digits and units.

    mean, std, saturated: of the activations of every hidden layer, and their saturated share. gradient: root mean
    square of dL/dz of one digit at every linear layer, the logits last.
    """

    mean: Array
    std: Array
    saturated: Array
    gradient: Array


def laws(network: NetworkConfig) -> list[WeightLaw]:
    """Return the law of every linear layer's weights."""
    sizes = [PIXELS, *[network.width] * network.hidden_layers, CLASSES]
    return [law(network.init, i, o, network.init_scale) for i, o in pairwise(sizes)]


def propagate(network: NetworkConfig, inputs: Inputs, logit_gradient: Array, *, batchnorm: bool) -> Theory:
    """Follow every digit through the layers and back. logit_gradient: (digits,) sum of the ten (dL/dz)^2."""
    weights = laws(network)
    with np.errstate(over="ignore", invalid="ignore"):  # a network that explodes ends in inf or NaN, as in the worker
        if batchnorm:
            layers, divisors = _normalized(network, inputs, weights)
        else:
            layers, divisors = _plain(network, inputs, weights), [1.0] * network.hidden_layers
        gradient = _back(network.width, layers, divisors, weights, logit_gradient)
        mean = np.array([m.f.mean() for m in layers])
        std = np.sqrt([max(m.f2.mean() - m.f.mean() ** 2, 0.0) for m in layers])
    return Theory(mean, std, np.array([m.flat.mean() for m in layers]), gradient)


def _plain(network: NetworkConfig, inputs: Inputs, weights: list[WeightLaw]) -> list[Moments]:
    """Equation (1), layer by layer, for each digit."""
    layers: list[Moments] = []
    sums, squares = inputs.sums, inputs.squares
    for w in weights[:-1]:
        found = moments(network.activation, w.mean * sums, np.sqrt(w.variance * squares + w.bias))
        layers.append(found)
        sums, squares = network.width * found.f, network.width * found.f2
    return layers


def _normalized(network: NetworkConfig, inputs: Inputs, weights: list[WeightLaw]) -> tuple[list[Moments], list[float]]:
    """Moments of every layer after batchnorm, and what batchnorm divided by.

    The variance over the digits, s^2 sum_i Var[h_i] + mu^2 Var[sum_i h_i], has a part that all units share where
    mu is not 0; it correlates them, which the next sum needs.
    """
    eps, n = BatchNormConfig().eps, network.width
    layers, divisors = [], []
    own, shared = inputs.spread, float(inputs.sums.var())
    for w in weights[:-1]:
        common = w.mean**2 * shared
        variance = w.variance * own + common
        std = math.sqrt(variance / (variance + eps))
        found = moments(network.activation, 0.0, std)
        layers.append(found)
        divisors.append(math.sqrt(variance + eps))
        spread = max(float(found.f2[0] - found.f[0] ** 2), 0.0)  # not below it by rounding
        both = covariance(network.activation, std, common / variance if variance else 0.0)
        own, shared = n * spread, n * spread + n * (n - 1) * both
    return layers, divisors


def _back(
    n: int, layers: list[Moments], divisors: list[float], weights: list[WeightLaw], logit_gradient: Array
) -> Array:
    """Equation (2), from the logits, whose gradients sum to 0, to the first layer."""
    second, first = logit_gradient, np.zeros_like(logit_gradient)  # T2 and T1^2
    found = [math.sqrt(second.mean() / CLASSES)]
    for m, divisor, w in zip(reversed(layers), reversed(divisors), reversed(weights[1:]), strict=True):
        own, common = w.variance * second, w.mean**2 * first
        second = n * m.slope2 * (own + common) / divisor**2
        first = (n * m.slope2 * own + common * (n * m.slope2 + n * (n - 1) * m.slope**2)) / divisor**2
        found.append(math.sqrt(second.mean() / n))
    return np.array(found[::-1])

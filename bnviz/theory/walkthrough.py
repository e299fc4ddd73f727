"""What the page "Inside batchnorm" computes: one batch through the layer and back, and three experiments with it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from bnviz.theory import batchnorm

Array = npt.NDArray[np.floating[Any]]

EPS = batchnorm.EPS
SAMPLE_POINTS = 20
COORDINATE_LIMIT = 20.0  # a coordinate that is typed in lies between -COORDINATE_LIMIT and COORDINATE_LIMIT
MOST_POINTS = 200
SHOWN_SCALES = np.geomspace(0.1, 10, 21)  # of the weights, whose gradient norms make a curve
LINEAR_BATCH = (64, 3)  # inputs of the linear unit of `change_weights`


@dataclass(frozen=True)
class Walk:
    """One batch on its way through the layer and back. x, y, target, dout, dx (N, D); gamma, beta, dgamma, dbeta (D,).

    values and gradients hold every node of the computational graph by its name. The loss is L = 1/2 sum (y - target)^2.
    """

    x: Array
    gamma: Array
    beta: Array
    eps: float
    y: Array
    dout: Array
    values: dict[str, Array]
    gradients: dict[str, Array]  # by the staged backward pass
    closed: tuple[Array, Array, Array]  # dx, dgamma, dbeta by the closed form

    @property
    def largest_change(self) -> float:
        """The largest absolute difference between output and input."""
        return float(np.abs(self.y - self.x).max())

    @property
    def gradient_sum(self) -> float:
        """The largest absolute sum of dx over the points: 0 but for rounding, as a shift of the batch does nothing."""
        return float(np.abs(self.closed[0].sum(axis=0)).max())


def hashable(array: Array) -> tuple[Any, ...]:
    """Return an array of one or two dimensions as (nested) tuples."""
    return tuple(tuple(row) if isinstance(row, list) else row for row in array.tolist())


def sample_points(seed: int) -> Array:
    """Return SAMPLE_POINTS points (n, 2): both coordinates N(5, 2), the second scaled by 0.4 and shifted by -4."""
    return np.round(np.random.default_rng(seed).normal(5, 2, (SAMPLE_POINTS, 2)) * [1, 0.4] + [0, -4], 2)


def problems(columns: Sequence[str], rows: Sequence[Sequence[float | None]]) -> list[str]:
    """Return what keeps typed-in points from being a batch, by the name of the field and with the allowed range."""
    found, allowed = [], f"from {-COORDINATE_LIMIT:g} to {COORDINATE_LIMIT:g}"
    if not 2 <= len(rows) <= MOST_POINTS:
        found.append(f"Points: {len(rows)} given; a batch here has from 2 to {MOST_POINTS}.")
    for number, row in enumerate(rows[:MOST_POINTS], 1):
        for name, value in zip(columns, row, strict=True):
            if value is None or np.isnan(value):
                found.append(f"Row {number}, {name}: empty; give a number {allowed}.")
            elif not -COORDINATE_LIMIT <= value <= COORDINATE_LIMIT:
                found.append(f"Row {number}, {name}: {value:g} is not allowed; give one {allowed}.")
    return found


def walk(x: Array, gamma: Array, beta: Array) -> Walk:
    """Go forward and back in double precision. Every point is pulled towards a random target of its own, N(0, 1)."""
    target = np.random.default_rng(len(x)).normal(size=x.shape)
    y, cache = batchnorm.batchnorm_forward(x, gamma, beta, {"mode": "train"})
    dout = y - target
    staged = batchnorm.batchnorm_backward_staged(dout, cache)
    values = {
        "x": cache.x,
        "mean": cache.mean,
        "centered": cache.centered,
        "squared": cache.centered**2,
        "var": cache.var,
        "inv_std": cache.inv_std,
        "x_hat": cache.x_hat,
        "gamma": gamma,
        "scaled": gamma * cache.x_hat,
        "beta": beta,
        "y": y,
    }
    gradients = {name: getattr(staged, f"d{name}") for name in values if name != "y"} | {"y": dout}
    return Walk(x, gamma, beta, cache.eps, y, dout, values, gradients, batchnorm.batchnorm_backward(dout, cache))


def undoing(x: Array) -> tuple[Array, Array]:
    """Return the gamma and beta that give x back: sqrt(sigma^2 + eps) and mu (Ioffe and Szegedy 2015, section 3)."""
    return np.sqrt(x.var(axis=0) + EPS), x.mean(axis=0)


def example_inputs() -> tuple[Array, Array]:
    """Return a dense (N, C) = (6, 4) and a convolutional (N, C, H, W) = (3, 4, 4, 4) batch, to show their axes."""
    rng = np.random.default_rng(0)
    offsets = np.array([-1.0, -0.3, 0.3, 1.0])
    return rng.normal(size=(6, 4)) + offsets, rng.normal(size=(3, 4, 4, 4)) + offsets[:, None, None]


@dataclass(frozen=True)
class ChangedWeights:
    """A linear unit before batchnorm, as it was and changed: what goes into batchnorm (N,), and what comes out (N,)."""

    before: tuple[Array, Array]
    after: tuple[Array, Array]
    gradients: tuple[Array, Array]  # of the loss, with respect to all weights, then the bias: (4,)

    @property
    def weight_gradient_norms(self) -> tuple[float, float]:
        """The L2 norms of the gradient with respect to the weights alone: before and changed."""
        before, changed = (float(np.linalg.norm(gradient[:-1])) for gradient in self.gradients)
        return before, changed

    @property
    def bias_gradient(self) -> float:
        """The gradient of the loss with respect to the changed bias."""
        return float(self.gradients[1][-1])

    @property
    def largest_difference(self) -> float:
        """The largest absolute difference of the outputs."""
        return float(np.abs(self.after[1] - self.after[0]).max())


def change_weights(*, bias: float = 0.0, scale: float = 1.0) -> ChangedWeights:
    """Compute BN(W u) and BN(scale W u + bias), for one unit and a fixed batch u (64, 3)."""
    rng = np.random.default_rng(0)
    u, weights, target = rng.normal(size=LINEAR_BATCH), rng.normal(size=(3, 1)), rng.normal(size=(64, 1))
    before, after, gradients = [], [], []
    for a, b in ((1.0, 0.0), (scale, bias)):
        z = u @ (a * weights) + b
        y, cache = batchnorm.batchnorm_forward(z, np.ones(1), np.zeros(1), {"mode": "train"})
        dz, _, _ = batchnorm.batchnorm_backward((y - target) / len(y), cache)
        before.append(z[:, 0])
        after.append(y[:, 0])
        gradients.append(np.append(u.T @ dz, dz.sum()))
    return ChangedWeights((before[0], before[1]), (after[0], after[1]), (gradients[0], gradients[1]))


def gradient_norms(scales: Array) -> Array:
    """Return the L2 norm of the gradient with respect to the weights a W, for every a."""
    return np.array([change_weights(scale=float(a)).weight_gradient_norms[1] for a in scales])


@dataclass(frozen=True)
class Descent:
    """The course of two units that differ in their gradient alone: (steps + 1,) each."""

    bias: tuple[Array, Array]  # statistics kept out of the gradient; gradient through the statistics
    loss: tuple[Array, Array]


def descend(steps: int, rate: float, *, learn_beta: bool) -> Descent:
    """Descend on the bias b of x = u + b before batchnorm, with target values whose mean is not 0.

    Ioffe and Szegedy 2015, section 2: if the gradient ignores that the mean depends on b, b grows for ever, while
    neither the output nor the loss changes. Both units are columns of one batch: they do not know of each other.
    """
    rng = np.random.default_rng(0)
    u, noise = rng.normal(size=(32, 1)), rng.normal(size=(32, 1))
    target = 1 + 0.5 * u + 0.3 * noise
    bias, beta = np.zeros(2), np.zeros(2)
    biases, losses = np.empty((steps + 1, 2)), np.empty((steps + 1, 2))
    for step in range(steps + 1):
        y, cache = batchnorm.batchnorm_forward(u + bias, np.ones(2), beta, {"mode": "train"})
        biases[step], losses[step] = bias, ((y - target) ** 2).mean(axis=0) / 2
        dout = (y - target) / len(u)
        constant, _, _ = batchnorm.batchnorm_backward(
            dout, replace(cache, mode="test")
        )  # as if mu and sigma were given
        through, _, dbeta = batchnorm.batchnorm_backward(dout, cache)
        bias = bias - rate * np.array([constant[:, 0].sum(), through[:, 1].sum()])
        if learn_beta:
            beta = beta - rate * dbeta
    return Descent((biases[:, 0], biases[:, 1]), (losses[:, 0], losses[:, 1]))

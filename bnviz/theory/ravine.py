"""Ravine and bowl: gradient descent on two weights, whose loss is known in closed form.

A linear unit sees two independent features u of mean 0 and variance 1, of which one comes in small and one large,
x_j = s_j u_j with s = (1/sqrt(ratio), sqrt(ratio)), and learns t = (u_1 + u_2) / sqrt(2):

    raw           L(w) = 1/2 E (w.x - t)^2          = 1/2 sum_j (s_j w_j - c)^2,   c = 1/sqrt(2)
    standardized  L(w) = 1/2 E (w.u - t)^2          = 1/2 sum_j (w_j - c)^2
    batchnorm     L(w) = 1/2 E (BN(w.x) - t)^2      = 1 - c sum_j s_j w_j / ||(s_1 w_1, s_2 w_2)||

BN divides by the standard deviation over all data (gamma 1, beta 0, no epsilon): its loss depends on the direction of
w alone. The first two are quadratic with eigenvalues s_j^2 and 1; gradient descent with heavy-ball momentum m on a
quadratic is stable for rates below 2 (1 + m) / lambda_max.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bnviz.records.frames import Floats

Kind = Literal["raw", "standardized", "batchnorm"]
KINDS: tuple[Kind, ...] = ("raw", "standardized", "batchnorm")
TARGET_SLOPE = 1 / math.sqrt(2)  # c above
GOAL_LOSS = 1e-3
MOST_STEPS = 1000  # of a descent
DIVERGED_BEYOND = 1e6  # a weight beyond this has diverged

Point = tuple[float, float]


@dataclass(frozen=True)
class Descent:
    """A descent of k steps: path (k + 1, 2) and loss (k + 1,).

    steps: how many it took to GOAL_LOSS; None if it did not get there.
    eigenvalues: of the Hessian, the smaller first: everywhere of a quadratic, at the last weights with batchnorm.
    """

    kind: Kind
    path: Floats
    loss: Floats
    steps: int | None
    diverged: bool
    eigenvalues: Point

    @property
    def condition(self) -> float:
        """The condition number of the Hessian; infinite if a direction is flat."""
        low, high = self.eigenvalues
        return high / low if low > 1e-9 * high else math.inf

    def largest_rate(self, momentum: float) -> float:
        """Return the learning rate below which descent is stable; infinite if no curvature limits it."""
        return 2 * (1 + momentum) / self.eigenvalues[1] if self.eigenvalues[1] > 0 else math.inf


def scales(ratio: float, kind: Kind) -> Point:
    """Return the factors s of the two features as the weights see them."""
    return (1.0, 1.0) if kind == "standardized" else (1 / math.sqrt(ratio), math.sqrt(ratio))


def loss(kind: Kind, ratio: float, w1: Floats, w2: Floats) -> Floats:
    """Return the loss L of every pair of weights, w1 and w2 of any one shape; NaN for batchnorm at w = 0."""
    (s1, s2), found = scales(ratio, kind), None
    a, b = s1 * np.asarray(w1), s2 * np.asarray(w2)
    if kind == "batchnorm":
        with np.errstate(divide="ignore", invalid="ignore"):
            found = 1 - TARGET_SLOPE * (a + b) / np.hypot(a, b)
    else:
        found = 0.5 * ((a - TARGET_SLOPE) ** 2 + (b - TARGET_SLOPE) ** 2)
    return found


def gradient(kind: Kind, ratio: float) -> Callable[[float, float], Point]:
    """Return the function (w1, w2) -> dL/dw; zero at w = 0, as batchnorm has nothing to normalize there."""
    s1, s2 = scales(ratio, kind)

    def quadratic(w1: float, w2: float) -> Point:
        return s1 * (s1 * w1 - TARGET_SLOPE), s2 * (s2 * w2 - TARGET_SLOPE)

    def normalized(w1: float, w2: float) -> Point:
        a, b = s1 * w1, s2 * w2
        cube = math.hypot(a, b) ** 3
        if cube == 0:
            return 0.0, 0.0
        turn = TARGET_SLOPE * (a - b) / cube  # dL/d(a, b) = turn (b, -a)
        return s1 * b * turn, -s2 * a * turn

    return normalized if kind == "batchnorm" else quadratic


def descend(kind: Kind, ratio: float, rate: float, momentum: float, start: Point) -> Descent:
    """Descend with heavy-ball momentum m, v <- m v + g and w <- w - rate v, until the loss is far below GOAL_LOSS."""
    slope = gradient(kind, ratio)
    w1, w2 = start
    v1 = v2 = 0.0
    path = [start]
    diverged = False
    for _ in range(MOST_STEPS):
        g1, g2 = slope(w1, w2)
        v1, v2 = momentum * v1 + g1, momentum * v2 + g2
        w1, w2 = w1 - rate * v1, w2 - rate * v2
        path.append((w1, w2))
        if diverged := not (abs(w1) < DIVERGED_BEYOND and abs(w2) < DIVERGED_BEYOND):
            break
        if abs(g1) + abs(g2) + rate * (abs(v1) + abs(v2)) < 1e-4 and len(path) > 20:
            break
    points = np.array(path)
    losses = loss(kind, ratio, points[:, 0], points[:, 1])
    there = np.flatnonzero(losses <= GOAL_LOSS)
    # Momentum may pass the goal and leave again: it counts from where it stays.
    away = np.flatnonzero(~(losses <= GOAL_LOSS))
    steps = None if diverged or not len(there) or losses[-1] > GOAL_LOSS else int(away[-1]) + 1 if len(away) else 0
    return Descent(kind, points, losses, steps, diverged, _eigenvalues(kind, ratio, points[-1]))


def _eigenvalues(kind: Kind, ratio: float, at: Floats) -> Point:
    if kind != "batchnorm":
        low, high = sorted(s * s for s in scales(ratio, kind))
        return low, high
    slope, (w1, w2) = gradient(kind, ratio), (float(at[0]), float(at[1]))
    h = 1e-5 * max(math.hypot(w1, w2), 1e-9)
    rows = [np.subtract(slope(w1 + d1, w2 + d2), slope(w1 - d1, w2 - d2)) / (2 * h) for d1, d2 in ((h, 0.0), (0.0, h))]
    hessian = np.array(rows)
    low, high = np.linalg.eigvalsh((hessian + hessian.T) / 2).tolist()
    return low, high

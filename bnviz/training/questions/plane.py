"""Lines and planes through weight space: which directions a picture of the landscape is taken along, and how far."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bnviz.nn.network import Stack
from bnviz.records.frames import Floats
from bnviz.records.landscape import Plane
from bnviz.training import weight_space
from bnviz.training.path import PLANE_POINTS

PATH_MARGIN = 0.25  # of a path's extent, around it
LINE_ENDS = (-1.25, 0.25)  # from beyond the first weights, -1, to beyond those now, 0

Way = list[tuple[int, Tensor]]  # steps and points (D,), the oldest first


@dataclass(frozen=True)
class Grid:
    """Points origin + x directions[0] + y directions[1]; x (n,), y (m,). A line has one direction, and y = [0].

    path (k, 2), path_steps, explained: as in `Slice`.
    """

    origin: Tensor
    directions: tuple[Tensor, ...]
    x: Floats
    y: Floats
    path: Floats
    path_steps: tuple[int, ...] = ()
    explained: tuple[float, ...] = ()


def grid(
    stack: Stack, kind: Plane, way: Way, step: int, *, resolution: int, half_width: float = 1.0, seed: int = 0
) -> Grid:
    """Choose where to look, around the one network of a stack. Raises ValueError, with a reason, if that is nowhere.

    half_width: how far a random plane goes from the weights, in both directions. The network's weights are a point of
    the grid, in the middle of a random plane and at 0 of the other two.
    """
    here = weight_space.flat(stack)
    if kind == "random":
        generator = torch.Generator().manual_seed(seed)
        directions = tuple(filter_normalized(stack, generator) for _ in range(2))
        if not all(direction.any() for direction in directions):
            raise ValueError("all its weights are zero, and so is every filter-normalized direction.")
        across = np.linspace(-half_width, half_width, resolution)
        return Grid(here, directions, across, across, np.zeros((0, 2)))
    points = [*way, *([(step, here)] if not way or way[-1][0] < step else [])]
    if not way:
        raise ValueError("its path was not kept: three points of its weights take more memory than the limit allows.")
    if kind == "line":
        if len(points) < 2 or torch.equal(points[0][1], here):
            raise ValueError("there is one point of its path so far: train some steps first.")
        return Grid(here, (here - points[0][1],), _with_zero(*LINE_ENDS, resolution), np.zeros(1), np.zeros((0, 2)))
    if len(points) < PLANE_POINTS:
        many = "is one point" if len(points) == 1 else "are two points"
        raise ValueError(f"there {many} of its path so far, and a plane needs three: train some steps first.")
    directions, path, explained = principal(torch.stack([point for _, point in points]), here)
    x, y = (_with_zero(*_around(path[:, k]), resolution) for k in range(2))
    return Grid(here, directions, x, y, path, tuple(at for at, _ in points), explained)


def filter_normalized(stack: Stack, generator: torch.Generator) -> Tensor:
    """Return a random direction (D,) whose every filter is as long as the network's own (Li et al. 2018, section 4).

    d_j <- d_j / ||d_j|| ||w_j|| for the weights w_j into one neuron or one feature map; biases, gamma and beta stay.
    """
    weight = {id(layer.weight) for layer in stack.linears()}
    found = []
    for _, parameter in weight_space.parameters(stack):
        value = parameter.value[0]
        if id(parameter) in weight:
            drawn = torch.randn(value.shape, generator=generator)
            found.append(drawn * (value.norm(dim=0) / drawn.norm(dim=0).clamp_min(1e-12)))
        else:
            found.append(torch.zeros_like(value))
    return torch.cat([part.flatten() for part in found])


def principal(points: Tensor, origin: Tensor) -> tuple[tuple[Tensor, Tensor], Floats, tuple[float, float]]:
    """Return the first two principal directions of points (k, D) seen from an origin, each (D,) and of length 1.

    Also the points' coordinates along them (k, 2), and the shares of the squared distances that they explain (Li et al.
    2018, section 7: of the matrix of differences from the last weights).

    By the eigenvectors of the k x k matrix of scalar products, which has the singular values squared.
    """
    away = points - origin
    wide = away.double()
    products = wide @ wide.T
    if not products.isfinite().all():
        raise ValueError("its weights are too large for a picture.")
    squares, vectors = (part.flip(-1) for part in torch.linalg.eigh(products))
    if not squares[0] > 0:
        raise ValueError("its weights have not moved: there is no path to see.")
    lengths = squares.clamp_min(0).sqrt()
    first, second = (
        (away.T @ vectors[:, k].float()) / lengths[k].clamp_min(1e-12 * float(lengths[0])).float() for k in range(2)
    )
    coordinates = (vectors[:, :2] * lengths[:2]).numpy()
    total = float(squares.clamp_min(0).sum())
    return (first, second), coordinates, (float(squares[0]) / total, float(squares[1].clamp_min(0)) / total)


def _around(values: Floats) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = PATH_MARGIN * (high - low) or 1e-3
    return low - margin, high + margin


def _with_zero(low: float, high: float, count: int) -> Floats:
    """Evenly spaced values from about low to about high, of which one is exactly 0."""
    step = (high - low) / (count - 1)
    before = round(-low / step)
    found: Floats = np.arange(-before, count - before) * step
    return found

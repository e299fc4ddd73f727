"""Sharpness: the largest eigenvalue of the loss's Hessian, by Lanczos iteration on Hessian-vector products."""

from collections.abc import Callable, Generator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bnviz.experiment.config import TrainingConfig
from bnviz.nn.network import Stack
from bnviz.records.frames import Floats
from bnviz.records.landscape import SHARPNESS_DIGITS, Sharpness
from bnviz.records.questions import SharpnessAlongPath
from bnviz.training import weight_space
from bnviz.training.questions.slices import SCAN_MIB, activations
from bnviz.training.trainer import Trainer

ITERATIONS = 40  # Hessian-vector products for one eigenvalue, at most
TOLERANCE = 1e-3  # of the eigenvalue
CONVERGED_AFTER = 3  # products
ZERO_RATE = 1e-12  # a learning rate below this is 0, but for rounding
PATH_MOMENTS = 18  # moments of a path that are measured

Product = Callable[[Tensor], Tensor]


def along_the_path(trainer: Trainer, asked: SharpnessAlongPath) -> Generator[float, None, tuple[Sharpness | str, ...]]:
    """Measure how sharp every network is now and at moments of its path; yields the share that is done."""
    t, (images, labels) = trainer.training, trainer.batches.train_sample(SHARPNESS_DIGITS, trainer.training.standardize)
    now = []
    for i, way in enumerate(trainer.paths):
        stack = trainer.copy_of(i)
        points = list(zip(way.steps, way.points, strict=True))
        points = points[:: max(1, -(-len(points) // PATH_MOMENTS))]
        if not points or points[-1][0] < trainer.steps[i]:
            points.append((trainer.steps[i], weight_space.flat(stack)))
        now.append((stack, points))
    found: list[Sharpness | str] = []
    for i, (stack, points) in enumerate(now):
        known = [(step, point) for step, point in points if torch.isfinite(point).all()]
        if not known:
            found.append("it has diverged, and its weights are no numbers.")
            continue
        if (needed := 4 * activations(stack, images) + weight_space.megabytes(stack) * (ITERATIONS + 8)) > SCAN_MIB:
            found.append(f"this takes {needed:,.0f} MiB, and the limit is {SCAN_MIB:,.0f} MiB.")
            continue
        values = []
        for k, (_, point) in enumerate(known):
            weight_space.place_at(stack, point)
            generator = largest_eigenvalue(*hessian(stack, images, labels))
            try:
                while True:
                    within = next(generator)
                    yield (i + (k + within) / len(known)) / len(now)
            except StopIteration as end:
                values.append(end.value)
        steps = np.array([step for step, _ in known])
        rates = np.array([t.rate(min(step, t.steps - 1)) for step in steps.tolist()])
        found.append(Sharpness(steps, np.array(values), stability_limits(t, rates)))
    return tuple(found)


def stability_limits(training: TrainingConfig, rates: Floats) -> Floats:
    """Return the curvature above which each rate is unstable on a quadratic; inf for a rate of 0, NaN for Adam.

    2 (1 + m) / rate with momentum m, and with Nesterov's 2 (1 + m) / ((1 + 2 m) rate) (Cohen et al. 2021, section 2).
    Adam's steps are not proportional to gradients, and what limits them is not the Hessian alone (Cohen et al. 2022).
    """
    m = training.momentum
    if training.optimizer == "adam":
        return np.full(len(rates), np.nan)
    most = 2 * (1 + m) / (1 + 2 * m if training.optimizer == "nesterov" else 1)
    found: Floats = np.divide(most, rates, out=np.full(len(rates), np.inf), where=rates > ZERO_RATE)
    return found


def hessian(stack: Stack, images: Tensor, labels: Tensor) -> tuple[Product, int]:
    """Return v -> H v, and the length D of v, for the loss of the only network of a stack on these digits with their
    statistics; H is its second derivative with respect to all parameters that are trained.

    Two passes of autograd: H v is the gradient of the scalar product of v with the gradient.
    """
    every, trained = weight_space.parameters(stack), weight_space.trained(stack)
    held = [parameter for parameter, moves in zip(every, trained, strict=True) if moves]
    leaves = []
    for _, parameter in held:
        parameter.value = parameter.value.detach().clone().requires_grad_()
        leaves.append(parameter.value)
    loss = functional.cross_entropy(stack.forward(images, "probe")[0], labels)
    gradient = torch.autograd.grad(loss, leaves, create_graph=True)
    for _, parameter in held:
        parameter.value = parameter.value.detach()
    sizes = [leaf.numel() for leaf in leaves]

    def product(v: Tensor) -> Tensor:
        parts = [part.view_as(leaf) for part, leaf in zip(v.split(sizes), leaves, strict=True)]
        found = torch.autograd.grad(gradient, leaves, parts, retain_graph=True, allow_unused=True)
        return torch.cat(
            [torch.zeros(n) if f is None else f.detach().flatten() for f, n in zip(found, sizes, strict=True)]
        )

    return product, sum(sizes)


def largest_eigenvalue(product: Product, size: int, *, seed: int = 0) -> Generator[float, None, float]:
    """Find the algebraically largest eigenvalue of a symmetric matrix, to TOLERANCE, from its products with vectors.

    Lanczos iteration with full reorthogonalization, from a random start: the largest eigenvalue of the tridiagonal
    matrix is within |beta s| of one of the matrix, where s is the last entry of its eigenvector. That may still be
    another than the largest: it must have stood still for CONVERGED_AFTER products. Yields after each of at most
    ITERATIONS.
    """
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(size, generator=generator)
    basis, diagonal, beside = [v / v.norm()], [], []
    value, still = 0.0, 0
    for k in range(min(ITERATIONS, size)):
        w = product(basis[-1])
        diagonal.append(float(w @ basis[-1]))
        for _ in range(2):  # once leaves rounding errors that bring found eigenvalues back
            q = torch.stack(basis)
            w = w - q.T @ (q @ w)
        beside.append(float(w.norm()))
        tridiagonal = np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1)
        values, vectors = np.linalg.eigh(tridiagonal)
        before, value = value, float(values[-1])
        yield (k + 1) / ITERATIONS
        near = beside[-1] * abs(vectors[-1, -1]) <= TOLERANCE * abs(value)
        still = still + 1 if near and abs(value - before) <= TOLERANCE * abs(value) else 0
        if still >= CONVERGED_AFTER or not np.isfinite(value) or beside[-1] <= 1e-6 * max(map(abs, diagonal)):
            break
        basis.append(w / beside[-1])
    return value

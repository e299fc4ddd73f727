"""Pictures of the loss around the weights of a network: many points of its weight space at once, as one stack."""

from collections.abc import Generator, Iterator

import numpy as np
import torch
from torch import Tensor

from bnviz.experiment.config import Variant
from bnviz.nn.layers import cross_entropy
from bnviz.nn.network import Stack
from bnviz.records.frames import Floats
from bnviz.records.landscape import RESOLUTIONS, SLICE_DIGITS, Slice, Slices
from bnviz.records.questions import LossSlices
from bnviz.training import weight_space
from bnviz.training.questions.plane import Grid, grid
from bnviz.training.trainer import Trainer

SCAN_MIB = 512.0  # MiB that a scan may take
STACK_MIB = 8.0  # MiB of activations in one stack of points: those of many more leave the processor's cache


def loss_slices(trainer: Trainer, question: LossSlices) -> Generator[float, None, Slices]:
    """Take a slice through every network's weights as they are now; yields the share that is done.

    random: along two random directions, filter-normalized. path: the plane of the first two principal components of the
    network's path, as far as the path goes. line: from its first weights to those now.
    Raises ValueError for a resolution or a number of digits that is not offered.
    """
    kind, digits = question.kind, question.digits
    for name, value, allowed in (("resolution", question.resolution, RESOLUTIONS), ("digits", digits, SLICE_DIGITS)):
        if value not in allowed:
            raise ValueError(f"{name}: give one of {', '.join(map(str, allowed))}, got {value}")
    # All of the same moment: the run may go on between two shares.
    now = [(trainer.copy_of(i), trainer.steps[i], _way(trainer, i)) for i in range(len(trainer.variants))]
    variants, standardize = trainer.variants, trainer.training.standardize
    images, labels = trainer.batches.train_sample(digits, standardize)
    found: list[Slice | str] = []
    for i, (stack, step, way) in enumerate(now):
        try:
            _check(stack, images, len(way))
            where = grid(
                stack,
                kind,
                way,
                step,
                resolution=question.resolution,
                half_width=question.half_width,
                seed=question.seed,
            )
        except ValueError as error:
            found.append(str(error))
            continue
        points = Points(variants[i], stack, images, labels, where)
        loss: list[Floats] = []
        for part in points.losses():
            loss.append(part)
            done = sum(map(len, loss)) / (len(where.x) * len(where.y))
            yield (i + done) / len(now)
        surface = np.concatenate(loss).reshape(len(where.y), len(where.x))
        centre = float(surface[np.abs(where.y).argmin(), np.abs(where.x).argmin()])
        found.append(
            Slice(
                kind,
                step,
                digits,
                where.x,
                where.y,
                surface,
                centre,
                where.path,
                where.path_steps,
                where.explained,
            )
        )
    return tuple(found)


class Points:
    """The loss of one network at the points of a grid, on fixed digits with their statistics, without noise."""

    def __init__(self, variant: Variant, stack: Stack, images: Tensor, labels: Tensor, where: Grid) -> None:
        self._images, self._labels, self._grid = images, labels, where
        across, up = np.meshgrid(where.x, where.y)
        self._at = torch.tensor(np.stack([across.ravel(), up.ravel()][: len(where.directions)], 1), dtype=torch.float32)
        self._count = max(1, min(len(self._at), int(STACK_MIB / activations(stack, images))))
        self._many = weight_space.copies(stack, [variant], self._count)
        self._parts = [weight_space.split(stack, part) for part in (where.origin, *where.directions)]
        # The first layer is linear in its weights, and all points show it the same digits: one product for each
        # direction serves every point, and its weights there need not be written at all.
        self._first = [_first(stack, parts, images) for parts in self._parts]

    def losses(self) -> Iterator[Floats]:
        """Yield the points' losses, x running first, some points at a time."""
        first = self._many.linears()[0]
        rest = weight_space.parameters(self._many)[2:]
        for at in self._at.split(self._count):
            # The last ones may be fewer than the stack has room for: the rest of it repeats a point.
            full = torch.cat([at, at[-1:].expand(self._count - len(at), -1)])
            first.forward = lambda _, full=full: _mixed(self._first, full)  # type: ignore[method-assign, misc]
            for k, (_, parameter) in enumerate(rest, start=2):
                parameter.value = _mixed([parts[k] for parts in self._parts], full)
            logits = self._many.forward(self._images, "probe")
            found: Floats = cross_entropy(logits, self._labels)[0][: len(at)].numpy()
            yield found


def activations(stack: Stack, images: Tensor) -> float:
    """Estimate the MiB that a forward pass of one network keeps of these digits, and needs on its way."""
    stack.forward(images[:2], "probe")
    values = sum(layer.y[0, 0].numel() for layer in stack.linears())
    return 6 * values * len(images) * 4 / 2**20


def _check(stack: Stack, images: Tensor, kept: int) -> None:
    """Raises ValueError if there is no landscape, or if it would take too much memory."""
    if not torch.isfinite(weight_space.flat(stack)).all():
        raise ValueError("it has diverged, and there is no landscape around weights that are no numbers.")
    needed = activations(stack, images) + weight_space.megabytes(stack) * (kept + 6)
    if needed > SCAN_MIB:
        raise ValueError(
            f"this takes {needed:,.0f} MiB, and the limit is {SCAN_MIB:,.0f} MiB: "
            "choose fewer digits, layers or neurons."
        )


def _way(trainer: Trainer, variant: int) -> list[tuple[int, Tensor]]:
    return list(zip(trainer.paths[variant].steps, trainer.paths[variant].points, strict=True))


def _first(stack: Stack, parts: list[Tensor], images: Tensor) -> Tensor:
    """What the first layer says of the digits with these weights and biases, (1, B, ...)."""
    layer = stack.linears()[0]
    kept = layer.weight.value, layer.bias.value
    layer.weight.value, layer.bias.value = parts[0], parts[1]
    stack.forward(images, "probe")
    layer.weight.value, layer.bias.value = kept
    return layer.y


def _mixed(parts: list[Tensor], at: Tensor) -> Tensor:
    """parts[0] + at[:, 0] parts[1] + at[:, 1] parts[2]: (1, ...) each -> (P, ...)"""
    column = [at[:, k].view(-1, *[1] * (parts[0].dim() - 1)) for k in range(at.shape[1])]
    found = torch.addcmul(parts[0], parts[1], column[0])
    for part, factor in zip(parts[2:], column[1:], strict=True):
        found.addcmul_(part, factor)
    return found

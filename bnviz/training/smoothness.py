"""How smooth the loss is along the way that training takes: loss and gradient at several step lengths ahead."""

import torch
from torch import Tensor

from bnviz.experiment.config import Variant
from bnviz.nn.network import Stack
from bnviz.records.frames import STEP_LENGTHS, Smoothness
from bnviz.training.weight_space import copies, gradients, megabytes, norms, parameters

COPIES_MIB = 128.0  # MiB that the weights of the points ahead may take at once


def smoothness(
    stack: Stack, variants: tuple[Variant, ...], x: Tensor, labels: Tensor, rate: float, gaps: list[float]
) -> list[Smoothness]:
    """Look from every network of the stack at STEP_LENGTHS times the rate along its own gradient; by place.

    (Santurkar et al. 2018, section 3.2 and figure 4.) From the weights as they are, on the one batch: not from
    networks that were trained with other learning rates. All points of all networks are one stack, as many at a time
    as the memory allows. The networks' last forward and backward pass is now that of this batch.
    """
    losses = stack.losses(x, labels, "probe")
    here = gradients(stack)
    size = norms(stack, here)
    at_once = max(1, min(len(STEP_LENGTHS), int(COPIES_MIB / max(megabytes(stack), 1e-9))))
    found = [
        _ahead(stack, variants, here, x, labels, torch.tensor(STEP_LENGTHS[i : i + at_once]) * rate)
        for i in range(0, len(STEP_LENGTHS), at_once)
    ]
    ahead, changes = (torch.cat(parts, 1).numpy() for parts in zip(*found, strict=True))
    weights = torch.stack([layer.weight.value.flatten(1).norm(dim=1) for layer in stack.linears()], 1).numpy()
    return [
        Smoothness(rate, float(losses[k]), float(size[k]), ahead[k], changes[k], weights[k].copy(), gaps[k])
        for k in range(len(stack))
    ]


def _ahead(
    stack: Stack, variants: tuple[Variant, ...], here: list[Tensor], x: Tensor, labels: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor]:
    """Loss there and change of the gradient, each (V, lengths)."""
    count = len(lengths)
    many = copies(stack, variants, count)
    for (_, parameter), gradient in zip(parameters(many), here, strict=True):
        points = parameter.value.unflatten(0, (-1, count))
        points.addcmul_(gradient[:, None], lengths.view(-1, *[1] * (gradient.dim() - 1)), value=-1)
    losses = many.losses(x, labels, "probe")
    changes = gradients(many)
    for there, gradient in zip(changes, here, strict=True):
        there.unflatten(0, (-1, count)).sub_(gradient[:, None])
    return losses.view(-1, count), norms(many, changes).view(-1, count)

"""The weights of a network as one point in space: its coordinates, its gradient, and many points as one stack."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from bnviz.experiment.config import Variant
from bnviz.nn.layers import Parameter
from bnviz.nn.network import NetworkState, Stack


def parameters(stack: Stack) -> list[tuple[slice, Parameter]]:
    """Return weight and bias of every linear layer, then gamma and beta of every normalizing layer: what is trained.

    Each with the places of the stack whose networks have it.
    """
    linear = [(slice(0, len(stack)), p) for layer in stack.linears() for p in (layer.weight, layer.bias)]
    return linear + [(of, p) for of, norm in stack.placed() for p in norm.parameters()]


def gradients(stack: Stack) -> list[Tensor]:
    """Return the loss gradient of every parameter, in order, after `Stack.losses`; zero for what is not trained."""
    found = []
    for layer in stack.linears():
        over = (1, *range(3, layer.delta.dim()))  # digits, and the places of a feature map
        found += [layer.gradient(), layer.delta.sum(over).view_as(layer.bias.value)]
    for _, norm in stack.placed():
        found += norm.gradients()
    return found


def trained(stack: Stack) -> list[bool]:
    """Return whether training moves each parameter: not gamma and beta if no network of the stack learns them."""
    learned = [norm.affine is None or bool(norm.affine.any()) for _, norm in stack.placed() for _ in norm.parameters()]
    return [True] * (2 * len(stack.linears())) + learned


def norms(stack: Stack, tensors: Sequence[Tensor]) -> Tensor:
    """Return (V,) the Euclidean length of each network's part of tensors in the order of its parameters."""
    total = torch.zeros(len(stack), dtype=torch.float64)
    for (of, _), tensor in zip(parameters(stack), tensors, strict=True):
        total[of] += torch.linalg.vector_norm(tensor.flatten(1), dim=1).double().square()
    return total.sqrt()


def flat(stack: Stack, place: int = 0) -> Tensor:
    """Return the coordinates of the network at one place, (D,): a copy."""
    mine = [(of, p) for of, p in parameters(stack) if of.start <= place < of.stop]
    return torch.cat([p.value[place - of.start].flatten() for of, p in mine])


def split(stack: Stack, point: Tensor) -> list[Tensor]:
    """Undo `flat` for a stack of equal networks: a view of each parameter, (1, ...)."""
    shapes = [p.value.shape[1:] for _, p in parameters(stack)]
    parts = point.split([math.prod(shape) for shape in shapes])
    return [part.view(1, *shape) for part, shape in zip(parts, shapes, strict=True)]


def place_at(stack: Stack, point: Tensor) -> None:
    """Move the only network of a stack to other coordinates."""
    for (_, parameter), part in zip(parameters(stack), split(stack, point), strict=True):
        parameter.value = part.clone()


def copies(stack: Stack, variants: Sequence[Variant], count: int) -> Stack:
    """Return a stack with `count` copies of every network of another, side by side in the same order."""
    states: list[NetworkState] = [stack.state(0)] * len(variants)
    for place, i in enumerate(stack.members):
        states[i] = stack.state(place)
    return Stack([i for i in stack.members for _ in range(count)], variants, states)


def megabytes(stack: Stack) -> float:
    """Return the MiB of all parameters."""
    return sum(p.value.numel() * p.value.element_size() for _, p in parameters(stack)) / 2**20

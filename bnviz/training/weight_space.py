"""The weights of a network as one point in space: its coordinates, its gradient, and many points as one stack."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from bnviz.experiment.config import Variant
from bnviz.nn.layers import Parameter
from bnviz.nn.network import NetworkState, Stack
from bnviz.nn.stacked import StackedBatchNorm


def parameters(stack: Stack) -> list[tuple[slice, Parameter]]:
    """Return weight and bias of every linear layer, then gamma and beta of every batchnorm layer: what training moves.

    Each with the places of the stack whose networks have it.
    """
    linear = [(slice(0, len(stack)), p) for layer in stack.linears() for p in (layer.weight, layer.bias)]
    return linear + [(of, p) for of, norm in _norms(stack) for p in (norm.gamma, norm.beta)]


def gradients(stack: Stack) -> list[Tensor]:
    """Return the loss gradient of every parameter, in order, after `Stack.losses`; zero for what is not trained."""
    found = []
    for layer in stack.linears():
        over = (1, *range(3, layer.delta.dim()))  # digits, and the places of a feature map
        found += [layer.gradient(), layer.delta.sum(over).view_as(layer.bias.value)]
    for _, norm in _norms(stack):
        trained = 1.0 if norm.affine is None else norm.affine
        found += [norm.delta_gamma * trained, norm.delta_beta * trained]
    return found


def trained(stack: Stack) -> list[bool]:
    """Return whether training moves each parameter: not gamma and beta if no network of the stack learns them."""
    learned = [norm.affine is None or bool(norm.affine.any()) for _, norm in _norms(stack)]
    return [True] * (2 * len(stack.linears())) + [each for each in learned for _ in range(2)]


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


def _norms(stack: Stack) -> Iterator[tuple[slice, StackedBatchNorm]]:
    """The stack's batchnorm layers, each with its networks' places."""
    for hidden in stack.hidden:
        for of, norm in ((stack.before, hidden.before), (stack.after, hidden.after)):
            if norm is not None:
                yield of, norm

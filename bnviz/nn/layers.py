"""Linear layers, activations and the loss for V networks at once, forward and backward written out.

Shapes: V networks, B digits, I inputs and O outputs. A layer keeps what its backward pass needs from the last
forward pass; `delta` is the gradient of the loss with respect to the layer's output, (V, B, O).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bnviz.experiment.choices import LEAK

if TYPE_CHECKING:
    from bnviz.nn.stacked_normalizers import StackedWeightStandardization

aten = torch.ops.aten


@dataclass(frozen=True)
class Sgd:
    """One step of stochastic gradient descent, as torch.optim.SGD counts it.

    v <- momentum * v + gradient + weight_decay * w;  w <- w - rate * v

    rate and momentum are numbers if all networks share them, so that the rate is a factor inside the product that
    updates the weights; if they differ, columns (V, 1, 1).
    """

    rate: float | Tensor
    momentum: float | Tensor = 0.0
    weight_decay: float = 0.0

    def of(self, group: slice) -> "Sgd":
        """Return the same step for some of the networks."""

        def own(value: float | Tensor) -> float | Tensor:
            return value[group] if isinstance(value, Tensor) else value

        return Sgd(own(self.rate), own(self.momentum), self.weight_decay)

    @property
    def moves(self) -> bool:
        """Whether any network has momentum."""
        return isinstance(self.momentum, Tensor) or self.momentum > 0

    def subtract(self, value: Tensor, direction: Tensor) -> None:
        """Take the step: value <- value - rate * direction"""
        if isinstance(self.rate, Tensor):
            value.addcmul_(_column(self.rate, value), direction, value=-1)
        else:
            value.sub_(direction, alpha=self.rate)


def _column(column: Tensor, values: Tensor) -> Tensor:
    """A number a network with as many dimensions as the values that it multiplies."""
    return column.view(-1, *[1] * (values.dim() - 1))


@dataclass
class Parameter:
    """Values of one parameter and, once momentum is used, their velocity."""

    value: Tensor
    velocity: Tensor | None = None

    def moving(self) -> Tensor:
        if self.velocity is None:
            self.velocity = torch.zeros_like(self.value)
        return self.velocity

    def part(self, of: slice) -> "Parameter":
        """Return a view of some of the networks' values and velocity."""
        return Parameter(self.value[of], None if self.velocity is None else self.velocity[of])

    def descend(self, gradient: Tensor, sgd: Sgd, *, decays: bool = False) -> None:
        """Take a step. decays: with weight decay, which biases, gamma and beta do not get."""
        if decays and sgd.weight_decay:
            gradient = gradient.add(self.value, alpha=sgd.weight_decay)
        if sgd.moves:
            momentum = _column(sgd.momentum, gradient) if isinstance(sgd.momentum, Tensor) else sgd.momentum
            gradient = self.moving().mul_(momentum).add_(gradient)
        sgd.subtract(self.value, gradient)

    @staticmethod
    def stack(parameters: "list[Parameter]") -> "Parameter":
        velocity = None
        if any(p.velocity is not None for p in parameters):
            velocity = torch.stack([p.moving() for p in parameters])
        return Parameter(torch.stack([p.value for p in parameters]), velocity)

    def take(self, index: int) -> "Parameter":
        """Return a copy of one network's own values."""
        return Parameter(self.value[index].clone(), None if self.velocity is None else self.velocity[index].clone())


@dataclass
class Linear:
    """y = x W + b for every network. weight (V, I, O), bias (V, 1, O).

    standardized: a slice of the networks that go by standardized weights, and how. They take ways of their own, so that
    the others' stay as short as they are.
    """

    weight: Parameter
    bias: Parameter
    x: Tensor = field(default_factory=lambda: torch.empty(0))  # (V, B, I), input of the last forward pass
    y: Tensor = field(default_factory=lambda: torch.empty(0))  # (V, B, O), its output
    delta: Tensor = field(default_factory=lambda: torch.empty(0))  # (V, B, O), set by backward
    standardized: "tuple[slice, StackedWeightStandardization] | None" = field(default=None, kw_only=True)

    def forward(self, x: Tensor) -> Tensor:
        self.x, w, b = x, self.weight.value, self.bias.value
        if self.standardized is None:
            self.y = torch.baddbmm(b, x, w)
        else:
            of, norm = self.standardized
            norm.forward(w[of])
            self.y = torch.cat([torch.baddbmm(b[part], x[part], used) for part, used in self._parts()])
        return self.y

    def forget(self) -> None:
        """Let go of what the last passes left."""
        self.x = self.y = self.delta = torch.empty(0)

    def backward(self, delta: Tensor, *, to_input: bool = True) -> Tensor | None:
        """Return dL/dx = delta W^T; None for the first layer, of which nobody asks for it."""
        self.delta = delta
        if not to_input:
            return None
        if self.standardized is None:
            return torch.bmm(delta, self.weight.value.transpose(1, 2))
        return torch.cat([torch.bmm(delta[part], used.transpose(1, 2)) for part, used in self._parts()])

    def gradient(self) -> Tensor:
        """Return dL/dW = x^T delta, (V, I, O); a dense layer's `update` does without it as a tensor of its own."""
        return self._through_standardization(torch.bmm(self.x.transpose(1, 2), self.delta))

    def direction(self, gradient: Tensor, sgd: Sgd) -> Tensor:
        """Return what `update` would subtract from the weights, over the rate, given `gradient()`."""
        v = gradient.add(self.weight.value, alpha=sgd.weight_decay) if sgd.weight_decay else gradient
        if sgd.moves and self.weight.velocity is not None:
            v = v + self.weight.velocity * sgd.momentum
        return v

    def update(self, sgd: Sgd) -> None:
        """Take the SGD step, fused into the product x^T delta: no gradient tensor is written and read again.

        Standardized weights alone need theirs.
        """
        w = self.weight
        if sgd.moves:
            w.moving()
        if self.standardized is None:
            _fused_step(w, self.x, self.delta, sgd)
        else:
            of, norm = self.standardized
            for part, _ in self._parts():
                x, delta = self.x[part], self.delta[part]
                if part != of:
                    _fused_step(w.part(part), x, delta, sgd.of(part))
                else:
                    w.part(of).descend(norm.backward(torch.bmm(x.transpose(1, 2), delta)), sgd.of(of), decays=True)
        self.bias.descend(self.delta.sum(1, keepdim=True), sgd)

    def _parts(self) -> list[tuple[slice, Tensor]]:
        """Slices of the networks in their order, and the weights that each goes by, after a forward pass."""
        assert self.standardized is not None
        of, norm = self.standardized
        w = self.weight.value
        parts = [(part, w[part]) for part in (slice(0, of.start), slice(of.stop, len(w))) if part.start < part.stop]
        return sorted([*parts, (of, norm.standardized)], key=lambda part: int(part[0].start))

    def _through_standardization(self, gradient: Tensor) -> Tensor:
        """dL/dW of the weights themselves from that of those gone by; may write to what it gets."""
        if self.standardized is not None:
            of, norm = self.standardized
            gradient[of] = norm.backward(gradient[of])
        return gradient


def _fused_step(w: Parameter, x: Tensor, delta: Tensor, sgd: Sgd) -> None:
    x_t = x.transpose(1, 2)
    if sgd.moves:
        if isinstance(sgd.momentum, Tensor):
            v = w.moving().mul_(sgd.momentum).baddbmm_(x_t, delta)
        else:
            v = w.moving().baddbmm_(x_t, delta, beta=sgd.momentum)
        if sgd.weight_decay:
            v.add_(w.value, alpha=sgd.weight_decay)
        sgd.subtract(w.value, v)
    elif isinstance(sgd.rate, Tensor):
        if sgd.weight_decay:
            w.value.mul_(1 - sgd.rate * sgd.weight_decay)
        w.value.baddbmm_(x_t, delta * -sgd.rate)
    else:
        w.value.baddbmm_(x_t, delta, beta=1 - sgd.rate * sgd.weight_decay, alpha=-sgd.rate)


def exchanged(whole: Tensor, parts: Sequence[tuple[slice, Tensor]]) -> Tensor:
    """Return `whole` with slices of networks exchanged, given in their order, as a new tensor; a part that is the whole
    itself."""
    if not parts:
        return whole
    pieces, end = [], 0
    for of, part in parts:
        pieces += [whole[end : of.start], part] if of.start > end else [part]
        end = of.stop
    pieces += [whole[end:]] if end < len(whole) else []
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces)


@dataclass(frozen=True)
class Activation:
    """f, and backward(delta, x, y) = delta * f'(x) for y = f(x); steepest is the largest slope of f."""

    f: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor, Tensor], Tensor]
    steepest: float = 1.0

    def slope(self, x: Tensor, y: Tensor) -> Tensor:
        """Return f'(x) for y = f(x); not to be written to."""
        return self.backward(y.new_ones(()).expand_as(y), x, y)


ACTIVATION: dict[str, Activation] = {
    "tanh": Activation(torch.tanh, lambda d, x, y: aten.tanh_backward(d, y)),
    "sigmoid": Activation(torch.sigmoid, lambda d, x, y: aten.sigmoid_backward(d, y), steepest=0.25),
    "relu": Activation(torch.relu, lambda d, x, y: aten.threshold_backward(d, y, 0)),
    "leaky_relu": Activation(
        lambda x: torch.nn.functional.leaky_relu(x, LEAK), lambda d, x, y: aten.leaky_relu_backward(d, x, LEAK, False)
    ),
    "gelu": Activation(torch.nn.functional.gelu, lambda d, x, y: aten.gelu_backward(d, x), steepest=1.1289),
    "none": Activation(lambda x: x, lambda d, x, y: d),
}


def cross_entropy(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean softmax cross-entropy of every network, in nats, and its gradient.

    logits (V, B, 10), labels (B,) or (V, B) -> loss (V,), dL/dlogits (V, B, 10) = (softmax - one-hot) / B
    """
    batch = logits.shape[1]
    index = labels.view(-1, batch, 1).expand(logits.shape[0], batch, 1)
    log_p = torch.log_softmax(logits, 2)
    loss = -log_p.gather(2, index).mean((1, 2))
    delta = log_p.exp_()
    delta.scatter_add_(2, index, delta.new_full((1, 1, 1), -1.0).expand_as(index))
    return loss, delta.div_(batch)

"""Linear layers, activations and the loss for V networks at once, forward and backward written out.

Shapes: V networks, B digits, I inputs and O outputs. A layer keeps what its backward pass needs from the last
forward pass; `delta` is the gradient of the loss with respect to the layer's output, (V, B, O).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bnviz.experiment.choices import LEAK, SQUARED_DECAY
from bnviz.nn.descent import Descent

if TYPE_CHECKING:
    from bnviz.nn.stacked_normalizers import StackedWeightStandardization

aten = torch.ops.aten


@dataclass
class Parameter:
    """Values of one parameter and, once they are used, what an optimizer keeps of its gradients: the velocity, and of
    Adam the mean square and the number of steps, (V, 1, ...)."""

    value: Tensor
    velocity: Tensor | None = None
    square: Tensor | None = None
    steps: Tensor | None = None

    def moving(self) -> Tensor:
        if self.velocity is None:
            self.velocity = torch.zeros_like(self.value)
        return self.velocity

    def part(self, of: slice) -> "Parameter":
        """Return a view of some of the networks' values and of what is kept beside them."""
        return self._each(lambda tensor: tensor[of])

    def forget_gradients(self) -> None:
        """Begin anew with what is kept beside the values."""
        self.velocity = self.square = self.steps = None

    def descend(self, gradient: Tensor, descent: Descent, *, decays: bool = False) -> None:
        """Take a step by a gradient of the values' shape. decays: with weight decay, as weights alone usually have."""
        if decays and descent.weight_decay:
            gradient = gradient.add(self.value, alpha=descent.weight_decay)
        momentum = descent.momentum_for(gradient)
        if descent.optimizer == "adam":
            square, steps = self._averages()
            self.moving().lerp_(gradient, 1 - momentum)
            square.mul_(SQUARED_DECAY).addcmul_(gradient, gradient, value=1 - SQUARED_DECAY)
            gradient = descent.adams_direction(self.moving(), square, steps.add_(1))
        elif descent.moves:
            v = self.moving().mul_(momentum).add_(gradient)
            gradient = gradient + momentum * v if descent.optimizer == "nesterov" else v
        descent.subtract(self.value, gradient)

    def direction(self, gradient: Tensor, descent: Descent) -> Tensor:
        """Return what `descend` with weight decay would subtract, over the rate, in the gradient's shape."""
        if descent.weight_decay:
            gradient = gradient.add(self.value, alpha=descent.weight_decay)
        if not descent.moves:
            return gradient
        momentum = descent.momentum_for(gradient)
        velocity = torch.zeros_like(gradient) if self.velocity is None else self.velocity
        if descent.optimizer == "adam":
            square, steps = self.part(slice(None))._averages()
            mean = square * SQUARED_DECAY + gradient.square() * (1 - SQUARED_DECAY)
            return descent.adams_direction(velocity.lerp(gradient, 1 - momentum), mean, steps + 1)
        v = gradient + velocity * momentum
        return gradient + momentum * v if descent.optimizer == "nesterov" else v

    def _averages(self) -> tuple[Tensor, Tensor]:
        if self.square is None or self.steps is None:
            self.square = torch.zeros_like(self.value)
            self.steps = self.value.new_zeros(len(self.value), *[1] * (self.value.dim() - 1))
        return self.square, self.steps

    @staticmethod
    def stack(parameters: "list[Parameter]") -> "Parameter":
        velocity = square = steps = None
        if any(p.velocity is not None for p in parameters):
            velocity = torch.stack([p.moving() for p in parameters])
        if any(p.square is not None for p in parameters):
            pairs = [p._averages() for p in parameters]
            square = torch.stack([each for each, _ in pairs])
            steps = torch.stack([each[:1] for _, each in pairs])
        return Parameter(torch.stack([p.value for p in parameters]), velocity, square, steps)

    def take(self, index: int) -> "Parameter":
        """Return a copy of one network's own values."""
        return self._each(lambda tensor: tensor[index].clone())

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Parameter":
        kept = (self.velocity, self.square, self.steps)
        return Parameter(change(self.value), *(None if each is None else change(each) for each in kept))


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

    def direction(self, gradient: Tensor, descent: Descent) -> Tensor:
        """Return what `update` would subtract from the weights, over the rate, given `gradient()`."""
        return self.weight.direction(gradient, descent)

    def update(self, descent: Descent) -> None:
        """Take the step. That of SGD is fused into the product x^T delta: no gradient tensor is written and read again.

        Standardized weights, and other optimizers, need theirs.
        """
        w = self.weight
        if descent.optimizer != "sgd":
            w.descend(self.gradient(), descent, decays=True)
        else:
            if descent.moves:
                w.moving()
            if self.standardized is None:
                _fused_step(w, self.x, self.delta, descent)
            else:
                self._step_by_parts(descent)
        self.bias.descend(self.delta.sum(1, keepdim=True), descent, decays=descent.decays_all)

    def _step_by_parts(self, descent: Descent) -> None:
        assert self.standardized is not None
        of, norm = self.standardized
        for part, _ in self._parts():
            x, delta = self.x[part], self.delta[part]
            if part != of:
                _fused_step(self.weight.part(part), x, delta, descent.of(part))
            else:
                gradient = norm.backward(torch.bmm(x.transpose(1, 2), delta))
                self.weight.part(of).descend(gradient, descent.of(of), decays=True)

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


def _fused_step(w: Parameter, x: Tensor, delta: Tensor, descent: Descent) -> None:
    x_t = x.transpose(1, 2)
    if descent.moves:
        if isinstance(descent.momentum, Tensor):
            v = w.moving().mul_(descent.momentum).baddbmm_(x_t, delta)
        else:
            v = w.moving().baddbmm_(x_t, delta, beta=descent.momentum)
        if descent.weight_decay:
            v.add_(w.value, alpha=descent.weight_decay)
        descent.subtract(w.value, v)
    elif isinstance(descent.rate, Tensor):
        if descent.weight_decay:
            w.value.mul_(1 - descent.rate * descent.weight_decay)
        w.value.baddbmm_(x_t, delta * -descent.rate)
    else:
        w.value.baddbmm_(x_t, delta, beta=1 - descent.rate * descent.weight_decay, alpha=-descent.rate)


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

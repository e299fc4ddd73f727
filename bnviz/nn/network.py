"""V networks of one architecture, trained as one: activations (V, B, units), weights (V, in, out).

The activations of a convolution are maps, (V, B, channels, H, W); its weights are a matrix too (`nn/convolution.py`).

The networks of a stack may differ in batchnorm. They are kept in the order [batchnorm before the activation, after
it, none], so that each kind is one contiguous slice of every tensor.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bnviz.experiment.config import SIDE, Layer, Variant
from bnviz.nn.convolution import Convolution, pool, pool_backward
from bnviz.nn.initialization import draw
from bnviz.nn.layers import ACTIVATION, Linear, Parameter, Sgd, cross_entropy
from bnviz.nn.stacked import BatchNormState, Mode, StackedBatchNorm
from bnviz.records.frames import MAP_DIGITS

_ORDER = {"before": 0, "after": 1, None: 2}


@dataclass
class NetworkState:
    """All that training changes in one network: weights (I, O) and biases (1, O) of every linear layer, and the
    batchnorm state of every hidden layer, None without batchnorm."""

    weights: list[Parameter]
    biases: list[Parameter]
    batchnorm: list[BatchNormState] | None

    @staticmethod
    def fresh(variant: Variant, seed: int) -> "NetworkState":
        """Draw the weights from the seed alone: two variants with one init start from the same weights."""
        generator = torch.Generator().manual_seed(seed)
        net = variant.network
        state = NetworkState(
            [Parameter(draw(net.init, layer, net.init_scale, generator)) for layer in net.layers],
            [Parameter(torch.zeros(1, layer.units)) for layer in net.layers],
            None,
        )
        return state.fit_batchnorm(variant, seed)

    def fit_batchnorm(self, variant: Variant, seed: int) -> "NetworkState":
        """Insert fresh batchnorm layers, or drop them, as the variant says; layers that stay keep what they learned."""
        if variant.batchnorm is None:
            self.batchnorm = None
        elif self.batchnorm is None:
            layers = enumerate(variant.network.hidden)
            self.batchnorm = [BatchNormState.fresh(la.units, (seed, i), maps=la.kernel > 0) for i, la in layers]
        return self


@dataclass
class HiddenLayer:
    """What one hidden layer computed in the last forward pass; x_hat and batchnorm output of the slice that has it."""

    linear: Linear
    before: StackedBatchNorm | None
    after: StackedBatchNorm | None

    @property
    def pooled(self) -> bool:
        return isinstance(self.linear, Convolution)


@dataclass(frozen=True)
class Trace:
    """One hidden layer of one network: what the histograms and saturation bars are made from.

    Each (B, units); after a convolution (B H W, channels), of the first MAP_DIGITS digits.
    """

    activation_input: Tensor
    post_activation: Tensor
    places: dict[str, Tensor]


class Stack:
    """The networks `members` (indices into the caller's list of variants), which share one architecture."""

    def __init__(self, members: Sequence[int], variants: Sequence[Variant], states: Sequence[NetworkState]) -> None:
        kind = {i: _ORDER[bn.position if (bn := variants[i].batchnorm) else None] for i in members}
        self.members = sorted(members, key=lambda i: (kind[i], i))
        mine = [states[i] for i in self.members]
        before = [i for i in self.members if kind[i] == 0]
        after = [i for i in self.members if kind[i] == 1]
        self.before = slice(0, len(before))
        self.after = slice(len(before), len(before) + len(after))
        network = variants[self.members[0]].network
        self.activation = ACTIVATION[network.activation]

        def linear(place: int, layer: Layer) -> Linear:
            weight = Parameter.stack([s.weights[place] for s in mine])
            bias = Parameter.stack([s.biases[place] for s in mine])
            if layer.kernel:
                return Convolution(weight, bias, kernel=layer.kernel, padding=layer.padding)
            return Linear(weight, bias)

        def batchnorm(which: list[int], layer: int) -> StackedBatchNorm | None:
            found = [
                (bn, kept[layer]) for i in which if (bn := variants[i].batchnorm) and (kept := states[i].batchnorm)
            ]
            return StackedBatchNorm([bn for bn, _ in found], [state for _, state in found]) if found else None

        self.hidden = [
            HiddenLayer(linear(i, layer), batchnorm(before, i), batchnorm(after, i))
            for i, layer in enumerate(network.hidden)
        ]
        self.output = linear(len(self.hidden), network.layers[-1])
        self._saved: list[tuple[Tensor, Tensor]] = []  # a layer each: input and output of the activation

    def __len__(self) -> int:
        return len(self.members)

    def state(self, place: int) -> NetworkState:
        """Return a copy of the network at one place of the stack."""
        linears, norms = self.linears(), [norm.take(k) for norm, k in self.norms_of(place)]
        return NetworkState(
            [li.weight.take(place) for li in linears], [li.bias.take(place) for li in linears], norms or None
        )

    def linears(self) -> list[Linear]:
        return [*(h.linear for h in self.hidden), self.output]

    def norms(self) -> list[StackedBatchNorm]:
        return [norm for h in self.hidden for norm in (h.before, h.after) if norm is not None]

    def norms_of(self, place: int) -> list[tuple[StackedBatchNorm, int]]:
        """Return the batchnorm layers of the network at one place, each with the network's place in that layer."""
        if place < self.before.stop:
            return [(h.before, place) for h in self.hidden if h.before]
        if place < self.after.stop:
            return [(h.after, place - self.after.start) for h in self.hidden if h.after]
        return []

    def measure_population(self, batches: Iterable[Tensor]) -> None:
        """Take the population statistics of every batchnorm layer, for eval mode, from batches (B, 784) of one size.

        E[x] = mean of the batch means, Var[x] = B / (B - 1) * mean of the batch variances (Ioffe and Szegedy 2015,
        algorithm 2, step 10).
        """
        norms, count = self.norms(), 0
        sums = [norm.running_mean.new_zeros(2, *norm.running_mean.shape) for norm in norms]
        for x in batches:
            self.forward(x, "probe")
            count += 1
            for total, norm in zip(sums, norms, strict=True):
                total += torch.stack([norm.mean, norm.unbiased])
        for total, norm in zip(sums, norms, strict=True):
            mean, var = total / count
            norm.population = mean, var

    def forward(self, x: Tensor, mode: Mode | int) -> Tensor:
        """Map x (B, 784), or (V, B, 784) if each network has a batch of its own, to logits (V, B, 10).

        A number as mode: in batches of that size, each with its own statistics.
        """
        h = x.expand(len(self), *x.shape[-2:])
        if self.hidden[0].pooled:
            h = h.unflatten(2, (1, SIDE, SIDE))
        self._saved = []
        for layer in self.hidden:
            z = layer.linear.forward(h if layer.pooled else h.flatten(2))
            if layer.before is not None:
                z = self._replace(z, self.before, _normalized(layer.before, z[self.before], mode))
            y = self.activation.f(z)
            self._saved.append((z, y))
            h = y
            if layer.after is not None:
                h = self._replace(y, self.after, _normalized(layer.after, y[self.after], mode))
            if layer.pooled:
                h = pool(h)
        return self.output.forward(h)

    def forget(self) -> None:
        """Let go of what the last passes left: for a thousand digits it is as much as the weights."""
        self._saved = []
        for linear in self.linears():
            linear.forget()
        for norm in self.norms():
            norm.forget()

    def backward(self, delta: Tensor) -> None:
        """Go back from the gradient at the logits to that at every linear layer's output."""
        d = self.output.backward(delta)
        for i in reversed(range(len(self.hidden))):
            layer, (z, y) = self.hidden[i], self._saved[i]
            assert d is not None
            if layer.pooled:
                d = pool_backward(d.view(*y.shape[:3], y.shape[3] // 2, y.shape[4] // 2))
            if layer.after is not None:
                d = self._replace(d, self.after, layer.after.backward(d[self.after]))
            d = self.activation.backward(d, z, y)
            if layer.before is not None:
                d = self._replace(d, self.before, layer.before.backward(d[self.before]))
            d = layer.linear.backward(d, to_input=i > 0)

    def losses(self, x: Tensor, labels: Tensor, mode: Mode) -> Tensor:
        """Pass x forward and backward without an update. Returns the loss of every network, (V,)."""
        loss, delta = cross_entropy(self.forward(x, mode), labels)
        self.backward(delta)
        return loss

    def update(self, sgd: Sgd) -> None:
        for layer in self.hidden:
            layer.linear.update(sgd)
            for norm, group in ((layer.before, self.before), (layer.after, self.after)):
                if norm is not None:
                    norm.update(sgd.of(group))
        self.output.update(sgd)

    def trace(self, x: Tensor) -> list[list[Trace]]:
        """Pass x forward as in training, but change nothing: [place in the stack][hidden layer]."""
        self.forward(x, "rehearsal")
        return [[self.trace_of(layer, place) for layer in range(len(self.hidden))] for place in range(len(self))]

    def trace_of(self, index: int, place: int) -> Trace:
        """Return what one hidden layer of one network computed in the last forward pass, as rows."""
        rows = {name: _rows(values) for name, values in self.places(index, place).items()}
        z, _ = self._saved[index]
        return Trace(_rows(z[place]), rows["post_activation"], rows)

    def activations(self, index: int) -> tuple[Tensor, Tensor]:
        """Return input and output of one hidden layer's activation function in the last forward pass, of all networks.

        Each (V, B, units); after a convolution (V, B, channels, H, W), of the first MAP_DIGITS digits.
        """
        z, y = self._saved[index]
        return (z, y) if z.dim() == 3 else (z[:, :MAP_DIGITS], y[:, :MAP_DIGITS])

    def places(self, index: int, place: int) -> dict[str, Tensor]:
        """Return what one hidden layer of one network computed in the last pass: (B, units) or (B, C, H, W) each."""
        layer, (_, y) = self.hidden[index], self._saved[index]
        found = {"pre_activation": layer.linear.y[place], "post_activation": y[place]}
        for norm, k in self.norms_of(place)[index : index + 1]:
            found["normalized"] = norm.x_hat[k]
            found["batchnorm_output"] = norm.y[k]
        return found

    def _replace(self, whole: Tensor, group: slice, part: Tensor) -> Tensor:
        """`whole` with one slice exchanged, as a new tensor; the part itself if it is the whole."""
        if part.shape[0] == whole.shape[0]:
            return part
        pieces = (whole[: group.start], part, whole[group.stop :])
        return torch.cat([p for p in pieces if p.shape[0]])


def _normalized(norm: StackedBatchNorm, x: Tensor, mode: Mode | int) -> Tensor:
    return norm.forward_in_batches(x, mode) if isinstance(mode, int) else norm.forward(x, mode)


def _rows(values: Tensor) -> Tensor:
    """One row a digit, or a digit and position: (B, units) as it is, maps (B, C, H, W) -> (MAP_DIGITS H W, C)."""
    return values if values.dim() == 2 else values[:MAP_DIGITS].permute(0, 2, 3, 1).flatten(0, 2)

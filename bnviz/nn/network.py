"""V networks of one architecture, trained as one: activations (V, B, units), weights (V, in, out).

The activations of a convolution are maps, (V, B, channels, H, W); its weights are a matrix too (`nn/convolution.py`).

The networks of a stack may differ in batchnorm, or have another normalizer in its place. They are kept in the order
[batchnorm before the activation, after it, other normalizers by kind, none], so that each kind is one contiguous slice
of every tensor.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import torch
from torch import Tensor

from bnviz.experiment.config import SIDE, Layer, Variant
from bnviz.nn.convolution import Convolution
from bnviz.nn.descent import Descent
from bnviz.nn.initialization import draw, draw_bias
from bnviz.nn.layers import ACTIVATION, Linear, Parameter, cross_entropy, exchanged
from bnviz.nn.pooling import AveragePooling, MaxPooling, pooling
from bnviz.nn.stacked import BatchNormState, Mode, StackedBatchNorm
from bnviz.nn.stacked_normalizers import NormalizerState, StackedGroupNorm, StackedWeightStandardization
from bnviz.records.frames import MAP_DIGITS

OfActivations = StackedBatchNorm | StackedGroupNorm
Norm = OfActivations | StackedWeightStandardization
Placed = tuple[slice, OfActivations]  # which networks of a stack, and what normalizes their activations


def _kind(variant: Variant) -> tuple[int, str, str, int]:
    """What networks share that are normalized as one; their order."""
    if bn := variant.batchnorm:
        return (0 if bn.position == "before" else 1), "", "", 0
    if norm := variant.normalizer:
        return 2, norm.kind, norm.position, norm.groups
    return 3, "", "", 0


@dataclass
class NetworkState:
    """All that training changes in one network: weights (I, O) and biases (1, O) of every linear layer, and the
    batchnorm state of every hidden layer, None without batchnorm; so of another normalizer, None in a layer without."""

    weights: list[Parameter]
    biases: list[Parameter]
    batchnorm: list[BatchNormState] | None
    normalizer: list[NormalizerState | None] | None = None

    @staticmethod
    def fresh(variant: Variant, seed: int) -> "NetworkState":
        """Draw the weights from the seed alone: two variants with one init start from the same weights."""
        generator = torch.Generator().manual_seed(seed)
        net = variant.network
        drawn = [
            [each(net.init, layer, net.init_scale, generator) for each in (draw, draw_bias)] for layer in net.layers
        ]
        state = NetworkState([Parameter(w) for w, _ in drawn], [Parameter(b) for _, b in drawn], None)
        return state.fit_normalizer(variant, seed)

    def fit_normalizer(self, variant: Variant, seed: int) -> "NetworkState":
        """Insert fresh normalizing layers, or drop them, as the variant says; what stays keeps what it learned."""
        if variant.batchnorm is None:
            self.batchnorm = None
        elif self.batchnorm is None:
            layers = enumerate(variant.network.hidden)
            self.batchnorm = [BatchNormState.fresh(la.units, (seed, i), maps=la.kernel > 0) for i, la in layers]
        if (other := variant.normalizer) is None:
            self.normalizer = None
        elif {kept.kind for kept in self.normalizer or [] if kept} != {other.kind}:
            self.normalizer = [NormalizerState.fresh(other, layer) for layer in variant.network.hidden]
        return self

    def forget_gradients(self) -> "NetworkState":
        """Let an optimizer begin anew."""
        learned = [p for norm in self.batchnorm or [] for p in (norm.gamma, norm.beta)]
        learned += [p for norm in self.normalizer or [] if norm for p in (norm.gamma, norm.beta) if p]
        for parameter in (*self.weights, *self.biases, *learned):
            parameter.forget_gradients()
        return self


@dataclass
class HiddenLayer:
    """One hidden layer: its linear map, and what normalizes activations before and after the activation function."""

    linear: Linear
    pooling: AveragePooling | MaxPooling | None = None
    before: list[Placed] = field(default_factory=list)
    after: list[Placed] = field(default_factory=list)

    def placed(self) -> list[tuple[slice, Norm]]:
        """Return all that normalizes here, each with its networks' places."""
        return [*([self.linear.standardized] if self.linear.standardized else []), *self.before, *self.after]


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
        self.members = sorted(members, key=lambda i: (_kind(variants[i]), i))
        mine = [states[i] for i in self.members]
        network = variants[self.members[0]].network
        self.activation = ACTIVATION[network.activation]

        def linear(place: int, layer: Layer) -> Linear:
            weight = Parameter.stack([s.weights[place] for s in mine])
            bias = Parameter.stack([s.biases[place] for s in mine])
            if layer.kernel:
                return Convolution(weight, bias, kernel=layer.kernel, padding=layer.padding)
            return Linear(weight, bias)

        self.hidden = [
            HiddenLayer(linear(i, layer), pooling(layer.pooling) if layer.pooling else None)
            for i, layer in enumerate(network.hidden)
        ]
        for _, alike in groupby(range(len(self)), lambda place: _kind(variants[self.members[place]])):
            places = list(alike)
            self._normalize(slice(places[0], places[-1] + 1), variants, states)
        self.output = linear(len(self.hidden), network.layers[-1])
        self._saved: list[tuple[Tensor, Tensor]] = []  # a layer each: input and output of the activation

    def _normalize(self, of: slice, variants: Sequence[Variant], states: Sequence[NetworkState]) -> None:
        """Give a slice of networks, which are normalized alike, their normalizing layers."""
        which = self.members[of]
        for place, layer in enumerate(self.hidden):
            placed = layer.before if variants[which[0]].normalizes == "pre_activation" else layer.after
            bns = [(bn, s[place]) for i in which if (bn := variants[i].batchnorm) and (s := states[i].batchnorm)]
            others = [
                (norm, state)
                for i in which
                if (norm := variants[i].normalizer) and (own := states[i].normalizer) and (state := own[place])
            ]
            if bns:
                placed.append((of, StackedBatchNorm([bn for bn, _ in bns], [state for _, state in bns])))
            elif others:
                configs, kept = [norm for norm, _ in others], [state for _, state in others]
                if configs[0].kind == "weight":
                    layer.linear.standardized = of, StackedWeightStandardization(configs, kept)
                else:
                    placed.append((of, StackedGroupNorm(configs, kept)))

    def __len__(self) -> int:
        return len(self.members)

    def state(self, place: int) -> NetworkState:
        """Return a copy of the network at one place of the stack."""
        linears, batchnorms = self.linears(), [norm.take(k) for norm, k in self.norms_of(place)]
        found = [self._norm_at(layer, place) for layer in self.hidden]
        others = [norm.take(k) if norm and not isinstance(norm, StackedBatchNorm) else None for norm, k in found]
        return NetworkState(
            [li.weight.take(place) for li in linears],
            [li.bias.take(place) for li in linears],
            batchnorms or None,
            others if any(others) else None,
        )

    def linears(self) -> list[Linear]:
        return [*(h.linear for h in self.hidden), self.output]

    def norms(self) -> list[StackedBatchNorm]:
        """Return the batchnorm layers: all that have running statistics."""
        return [norm for _, norm in self.placed() if isinstance(norm, StackedBatchNorm)]

    def placed(self) -> list[tuple[slice, Norm]]:
        """Return everything that normalizes, each with its networks' places."""
        return [each for layer in self.hidden for each in layer.placed()]

    def norms_of(self, place: int) -> list[tuple[StackedBatchNorm, int]]:
        """Return the batchnorm layers of the network at one place, each with the network's place in that layer."""
        found = [self._norm_at(layer, place) for layer in self.hidden]
        return [(norm, k) for norm, k in found if isinstance(norm, StackedBatchNorm)]

    @staticmethod
    def _norm_at(layer: HiddenLayer, place: int) -> tuple[Norm | None, int]:
        """What normalizes the network at one place in a hidden layer, and the network's place in it."""
        return next(((norm, place - of.start) for of, norm in layer.placed() if of.start <= place < of.stop), (None, 0))

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
        if self.hidden[0].pooling:
            h = h.unflatten(2, (1, SIDE, SIDE))
        self._saved = []
        for layer in self.hidden:
            z = layer.linear.forward(h if layer.pooling else h.flatten(2))
            z = exchanged(z, [(of, _normalized(norm, z[of], mode)) for of, norm in layer.before])
            y = self.activation.f(z)
            self._saved.append((z, y))
            h = exchanged(y, [(of, _normalized(norm, y[of], mode)) for of, norm in layer.after])
            if layer.pooling:
                h = layer.pooling.forward(h)
        return self.output.forward(h)

    def forget(self) -> None:
        """Let go of what the last passes left: for a thousand digits it is as much as the weights."""
        self._saved = []
        pools = [layer.pooling for layer in self.hidden if layer.pooling]
        for each in (*self.linears(), *pools, *(norm for _, norm in self.placed())):
            each.forget()

    def backward(self, delta: Tensor) -> None:
        """Go back from the gradient at the logits to that at every linear layer's output."""
        d = self.output.backward(delta)
        for i in reversed(range(len(self.hidden))):
            layer, (z, y) = self.hidden[i], self._saved[i]
            assert d is not None
            if layer.pooling:
                d = layer.pooling.backward(d.view(*y.shape[:3], y.shape[3] // 2, y.shape[4] // 2))
            d = exchanged(d, [(of, norm.backward(d[of])) for of, norm in layer.after])
            d = self.activation.backward(d, z, y)
            d = exchanged(d, [(of, norm.backward(d[of])) for of, norm in layer.before])
            d = layer.linear.backward(d, to_input=i > 0)

    def losses(self, x: Tensor, labels: Tensor, mode: Mode) -> Tensor:
        """Pass x forward and backward without an update. Returns the loss of every network, (V,)."""
        loss, delta = cross_entropy(self.forward(x, mode), labels)
        self.backward(delta)
        return loss

    def update(self, descent: Descent) -> None:
        for layer in self.hidden:
            layer.linear.update(descent)
            for of, norm in layer.placed():
                norm.update(descent.of(of))
        self.output.update(descent)

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
        norm, k = self._norm_at(layer, place)
        if isinstance(norm, OfActivations):
            found["normalized"] = norm.x_hat[k]
            found["batchnorm_output"] = norm.y[k]
        return found


def _normalized(norm: OfActivations, x: Tensor, mode: Mode | int) -> Tensor:
    if isinstance(norm, StackedGroupNorm):  # the same in every mode
        return norm.forward(x)
    return norm.forward_in_batches(x, mode) if isinstance(mode, int) else norm.forward(x, mode)


def _rows(values: Tensor) -> Tensor:
    """One row a digit, or a digit and position: (B, units) as it is, maps (B, C, H, W) -> (MAP_DIGITS H W, C)."""
    return values if values.dim() == 2 else values[:MAP_DIGITS].permute(0, 2, 3, 1).flatten(0, 2)

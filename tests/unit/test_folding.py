"""Folded batchnorm gives the answers of the network in eval mode, with fewer layers; what cannot be folded is told."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrizations import orthogonal
from torchvision.models import resnet18

from bnviz.nn.batchnorm import BatchNorm
from bnviz.nn.folding import fold


def moved(network: nn.Module, seed: int = 0) -> Any:
    """Every batchnorm with statistics, scale and shift of its own, and the network in eval mode."""
    generator = torch.Generator().manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, _BatchNorm):
            for tensor in (layer.running_mean, layer.running_var, layer.weight, layer.bias):
                if tensor is not None:
                    with torch.no_grad():
                        tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.2)
    return network.eval()


def normal(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=dtype)


def norms(network: nn.Module) -> int:
    return sum(isinstance(layer, _BatchNorm) for layer in network.modules())


DENSE, MAPS, PLACES = (4, 6), (4, 6, 9, 9), (4, 6, 9)
FOLDED = {
    "linear": (DENSE, nn.Sequential(nn.Linear(6, 5), BatchNorm(5), nn.Tanh())),
    "linear without bias": (DENSE, nn.Sequential(nn.Linear(6, 5, bias=False), nn.BatchNorm1d(5))),
    "not affine": (DENSE, nn.Sequential(nn.Linear(6, 5), BatchNorm(5, affine=False))),
    "without beta": (DENSE, nn.Sequential(nn.Linear(6, 5), BatchNorm(5, bias=False))),
    "convolution": (MAPS, nn.Sequential(nn.Conv2d(6, 4, 3, padding=1), BatchNorm(4), nn.ReLU())),
    "of one dimension": (PLACES, nn.Sequential(nn.Conv1d(6, 4, 3, stride=2), nn.BatchNorm1d(4))),
    "grouped": (MAPS, nn.Sequential(nn.Conv2d(6, 9, 3, groups=3), BatchNorm(9))),
    "transposed": (MAPS, nn.Sequential(nn.ConvTranspose2d(6, 8, 3), BatchNorm(8))),
    "transposed and grouped": (MAPS, nn.Sequential(nn.ConvTranspose2d(6, 8, 3, groups=2), BatchNorm(8))),
    "after the activation": (DENSE, nn.Sequential(nn.Linear(6, 5), nn.Tanh(), BatchNorm(5), nn.Linear(5, 3))),
    "after it, through dropout": (DENSE, nn.Sequential(nn.Tanh(), BatchNorm(6), nn.Dropout(), nn.Linear(6, 3, False))),
    "after it, into a convolution": (
        MAPS,
        nn.Sequential(nn.Tanh(), BatchNorm(6), nn.AvgPool2d(2), nn.Conv2d(6, 4, 3, groups=2)),
    ),
    "after it, into one that pads with what is there": (
        MAPS,
        nn.Sequential(nn.Tanh(), BatchNorm(6), nn.Conv2d(6, 4, 3, padding=1, padding_mode="reflect")),
    ),
    "after it, through pooling and flattening": (
        MAPS,
        nn.Sequential(nn.Tanh(), BatchNorm(6), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 3)),
    ),
    "before and after one layer": (DENSE, nn.Sequential(BatchNorm(6), nn.Linear(6, 5), BatchNorm(5))),
    "nested": (DENSE, nn.Sequential(nn.Sequential(nn.Linear(6, 5)), nn.Sequential(BatchNorm(5), nn.Tanh()))),
}


@pytest.mark.parametrize("name", FOLDED)
def test_folded_answers_are_the_same_and_no_batchnorm_is_left(name: str) -> None:
    shape, network = FOLDED[name]
    network, x = moved(copy.deepcopy(network).double()), normal(*shape)
    before = copy.deepcopy(network.state_dict())
    folded = fold(network)
    torch.testing.assert_close(folded(x), network(x), rtol=1e-10, atol=1e-10)
    assert norms(folded) == 0
    assert not folded.training
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)


KEPT = {
    "into a convolution that pads with zeros": (
        MAPS,
        nn.Sequential(nn.Tanh(), BatchNorm(6), nn.Conv2d(6, 4, 3, padding=1)),
    ),
    "through max pooling": (MAPS, nn.Sequential(nn.Tanh(), BatchNorm(6), nn.MaxPool2d(2), nn.Conv2d(6, 4, 3))),
    "through pooling that pads": (
        MAPS,
        nn.Sequential(nn.Tanh(), BatchNorm(6), nn.AvgPool2d(2, padding=1), nn.Conv2d(6, 4, 3)),
    ),
    "at the end": (DENSE, nn.Sequential(nn.Tanh(), BatchNorm(6))),
    "over positions, not units": (PLACES, nn.Sequential(nn.Linear(9, 5), BatchNorm(6))),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_no_neighbour_can_take_in_stays(name: str) -> None:
    shape, network = KEPT[name]
    network, x = moved(copy.deepcopy(network).double()), normal(*shape)
    folded = fold(network)
    assert norms(folded) == 1
    torch.testing.assert_close(folded(x), network(x), rtol=0, atol=0)


class Shared(nn.Module):
    """One linear layer, once with batchnorm behind it and once without."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 6)
        self.norm: nn.Module = BatchNorm(6)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(torch.tanh(self.norm(self.linear(x))))
        return y


class Branches(Shared):
    """A linear layer whose output goes through batchnorm and past it."""

    def forward(self, x: Tensor) -> Tensor:
        z = self.linear(x)
        y: Tensor = self.norm(z) + z
        return y


class Tied(Shared):
    """A linear layer whose weights are read again behind batchnorm."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(torch.tanh(self.norm(self.linear(x))), self.linear.weight.t())


class Hooked(Shared):
    """A linear layer whose output a hook doubles."""

    def __init__(self) -> None:
        super().__init__()
        self.linear.register_forward_hook(lambda *call: 2 * call[2])

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.linear(x))
        return y


class Parametrized(Hooked):
    """A linear layer whose weight is computed anew at every pass."""

    def __init__(self) -> None:
        Shared.__init__(self)
        orthogonal(self.linear)


class TwiceNamed(Shared):
    """Layers that the network knows by names of its own and as a sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(self.linear, self.norm, nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return y


class Named(Shared):
    """Batchnorm that is given its input by name."""

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(input=self.linear(x))
        return y


class NamedOfTorch(Named):
    """The same with torch's own layer."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(6)


@pytest.mark.parametrize("kind", [TwiceNamed, Named, NamedOfTorch])
def test_a_network_is_folded_however_it_names_its_layers(kind: type[Shared]) -> None:
    network, x = moved(kind().double()), normal(*DENSE)
    folded = fold(network)
    assert norms(folded) == 0
    torch.testing.assert_close(folded(x), network(x), rtol=1e-10, atol=1e-10)


class Counting(Shared):
    """A network that asks how many samples there are."""

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.linear(x)) / len(x)
        return y


def test_a_network_that_cannot_be_traced_is_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match=r"^network: torch\.fx cannot trace it: .*len"):
        fold(moved(Counting()))


@pytest.mark.parametrize("kind", [Shared, Branches, Tied, Hooked, Parametrized])
def test_a_layer_that_others_use_too_stays_as_it_is(kind: type[Shared]) -> None:
    network, x = moved(kind().double()), normal(*DENSE)
    assert norms(fold(network)) == 1
    assert torch.equal(fold(network)(x), network(x))


def test_a_resnet_is_folded_whole() -> None:
    network, x = moved(resnet18()), normal(2, 3, 64, 64, dtype=torch.float32)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):  # as the scale of the moved statistics would have it grow
            nn.init.kaiming_normal_(layer.weight, generator=torch.Generator().manual_seed(2))
    folded = fold(network)
    assert norms(folded) == 0
    with torch.no_grad():
        expected = network(x)
        torch.testing.assert_close(folded(x), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


class TestReport:
    """mmcv#747, onnx/optimizer#255: convolution and batchnorm fused "differ"."""

    def layers(self) -> Any:
        generator = torch.Generator().manual_seed(0)
        network = nn.Sequential(nn.Conv2d(3, 16, 3), BatchNorm(16))
        for parameter in network[0].parameters():
            nn.init.normal_(parameter, std=27**-0.5, generator=generator)
        for _ in range(50):
            network(torch.randn(16, 3, 16, 16, generator=generator))
        return network

    def test_the_equation_is_the_one_of_the_paper(self) -> None:
        conv, norm = self.layers().eval().double()
        (folded, _) = fold(nn.Sequential(conv, norm))
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        torch.testing.assert_close(folded.weight, conv.weight * scale.view(-1, 1, 1, 1))
        torch.testing.assert_close(folded.bias, norm.bias + (conv.bias - norm.running_mean) * scale)

    def test_the_largest_difference_is_float_rounding_and_the_sum_is_the_wrong_measure(self) -> None:
        network, x = self.layers().eval(), normal(64, 3, 32, 32, dtype=torch.float32)
        apart = (fold(network)(x) - network(x)).detach().abs()
        assert float(apart.max()) < 4e-6
        assert float(apart.sum()) > 1e4 * float(apart.max())

    def test_in_train_mode_the_answers_are_others(self) -> None:
        network, x = self.layers().eval(), normal(16, 3, 16, 16, dtype=torch.float32)
        folded = fold(network)
        assert float((folded(x) - network.train()(x)).detach().abs().max()) > 0.05


class TestRefuses:
    def test_train_mode(self) -> None:
        with pytest.raises(ValueError, match=r"1: in train mode it normalizes with the batch, .*; call eval\(\)"):
            fold(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)))

    def test_but_not_of_a_frozen_layer(self) -> None:
        network, x = moved(nn.Sequential(nn.Linear(6, 6), BatchNorm(6)).double()).train(), normal(*DENSE)
        network[1].freeze()
        torch.testing.assert_close(fold(network)(x), network(x))

    def test_no_running_statistics(self) -> None:
        with pytest.raises(ValueError, match="1: without running statistics it normalizes with the batch"):
            fold(nn.Sequential(nn.Linear(3, 3), BatchNorm(3, track_running_stats=False)).eval())

    def test_batchnorm_alone(self) -> None:
        with pytest.raises(ValueError, match="network: give one that has layers beside its batchnorm"):
            fold(BatchNorm(3).eval())

    def test_a_forward_pass_that_depends_on_its_input(self) -> None:
        class Either(Shared):
            def forward(self, x: Tensor) -> Tensor:
                y: Tensor = self.linear(x) if x.sum() > 0 else x
                return y

        with pytest.raises(ValueError, match="control flow"):
            fold(Either().eval())

"""Weights are drawn as the formulas say, as torch.nn.init draws them, and from the seed alone."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor, nn

from bnviz.experiment.choices import Architecture, Position
from bnviz.experiment.config import (
    CLASSES,
    INITS,
    PIXELS,
    BatchNormConfig,
    Init,
    Layer,
    NetworkConfig,
    Variant,
    replace,
)
from bnviz.experiment.inits import SCHEMES
from bnviz.nn.initialization import _DRAW, draw
from bnviz.nn.network import NetworkState
from tests.builders import row_of, rows_missing

sizes = st.integers(60, 300)
seeds = st.integers(0, 2**31 - 1)

# Variance of an entry; U[0, b) has mean b / 2 and variance b^2 / 12.
VARIANCE: dict[Init, Callable[[int, int], float]] = {
    "rand": lambda fan_in, fan_out: 1 / 12,
    "rand_fan_in": lambda fan_in, fan_out: 1 / 12 / fan_in,
    "normal": lambda fan_in, fan_out: 1.0,
    "xavier_normal": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "xavier_uniform": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "he_normal": lambda fan_in, fan_out: 2 / fan_in,
    "he_uniform": lambda fan_in, fan_out: 2 / fan_in,
    "lecun_normal": lambda fan_in, fan_out: 1 / fan_in,
    "orthogonal": lambda fan_in, fan_out: 1 / max(fan_in, fan_out),
    "torch_default": lambda fan_in, fan_out: 1 / 3 / fan_in,
    "zeros": lambda fan_in, fan_out: 0.0,
}
RANGE: dict[Init, Callable[[int, int], tuple[float, float]]] = {
    "rand": lambda fan_in, fan_out: (0.0, 1.0),
    "rand_fan_in": lambda fan_in, fan_out: (0.0, 1 / math.sqrt(fan_in)),
    "xavier_uniform": lambda fan_in, fan_out: (-math.sqrt(6 / (fan_in + fan_out)), math.sqrt(6 / (fan_in + fan_out))),
    "he_uniform": lambda fan_in, fan_out: (-math.sqrt(6 / fan_in), math.sqrt(6 / fan_in)),
    "torch_default": lambda fan_in, fan_out: (-1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in)),
}
TORCHS: dict[Init, Callable[[Tensor, Generator], Tensor]] = {
    "rand": lambda w, g: nn.init.uniform_(w, generator=g),
    "rand_fan_in": lambda w, g: nn.init.uniform_(w, generator=g) / math.sqrt(w.shape[1]),
    "normal": lambda w, g: nn.init.normal_(w, generator=g),
    "xavier_normal": lambda w, g: nn.init.xavier_normal_(w, generator=g),
    "xavier_uniform": lambda w, g: nn.init.xavier_uniform_(w, generator=g),
    "he_normal": lambda w, g: nn.init.kaiming_normal_(w, nonlinearity="relu", generator=g),
    "he_uniform": lambda w, g: nn.init.kaiming_uniform_(w, nonlinearity="relu", generator=g),
    "lecun_normal": lambda w, g: nn.init.normal_(w, std=1 / math.sqrt(w.shape[1]), generator=g),
    "orthogonal": lambda w, g: nn.init.orthogonal_(w, generator=g),
    "torch_default": lambda w, g: nn.init.kaiming_uniform_(w, a=math.sqrt(5), generator=g),
    "zeros": lambda w, g: nn.init.zeros_(w),
}


def seeded(seed: int) -> Generator:
    return torch.Generator().manual_seed(seed)


def test_every_scheme_has_its_formula_here() -> None:
    tables = {"Init": INITS, "SCHEMES": SCHEMES, "_DRAW": _DRAW, "VARIANCE": VARIANCE, "TORCHS": TORCHS}
    assert rows_missing(tables) == {}
    bounded = {init for init, scheme in SCHEMES.items() if scheme.shape in ("from zero", "uniform")}
    assert rows_missing({"RANGE": RANGE, "SCHEMES": bounded}) == {}


@pytest.mark.parametrize("scheme", INITS)
@given(sizes, sizes, seeds)
def test_the_mean_and_the_variance_are_those_of_the_formula(scheme: Init, fan_in: int, fan_out: int, seed: int) -> None:
    weights = draw(scheme, Layer(fan_in, fan_out), 1.0, seeded(seed)).double()
    count, variance = weights.numel(), row_of(VARIANCE, scheme, "VARIANCE")(fan_in, fan_out)
    mean = row_of(RANGE, scheme, "RANGE")(fan_in, fan_out)[1] / 2 if scheme.startswith("rand") else 0.0
    # Six standard errors; a normal sample's variance has sqrt(2 / count), the others have less.
    assert weights.mean().item() == pytest.approx(mean, abs=6 * math.sqrt(variance / count))
    assert (weights - mean).square().mean().item() == pytest.approx(variance, rel=6 * math.sqrt(2 / count))


@pytest.mark.parametrize("scheme", RANGE)
@given(sizes, sizes, seeds)
def test_uniform_entries_fill_their_range_and_do_not_leave_it(
    scheme: Init, fan_in: int, fan_out: int, seed: int
) -> None:
    weights = draw(scheme, Layer(fan_in, fan_out), 1.0, seeded(seed))
    low, high = RANGE[scheme](fan_in, fan_out)
    rounding = 1e-6 * high
    assert low - rounding <= weights.min().item() < low + 0.02 * (high - low)
    assert high - 0.02 * (high - low) < weights.max().item() <= high + rounding


@pytest.mark.parametrize("scheme", INITS)
@given(st.integers(1, 40), st.integers(1, 40), seeds)
def test_a_torch_layer_gets_the_same_weights_from_the_same_generator(
    scheme: Init, fan_in: int, fan_out: int, seed: int
) -> None:
    ours = draw(scheme, Layer(fan_in, fan_out), 1.0, seeded(seed))
    theirs = row_of(TORCHS, scheme, "TORCHS")(torch.empty(fan_out, fan_in), seeded(seed))  # torch's layout
    assert ours.shape == (fan_in, fan_out)
    assert torch.equal(ours, theirs.T)


@given(st.integers(1, 40), st.integers(1, 40), seeds)
def test_an_orthogonal_matrix_has_orthonormal_rows_or_columns(fan_in: int, fan_out: int, seed: int) -> None:
    weights = draw("orthogonal", Layer(fan_in, fan_out), 1.0, seeded(seed))
    short = weights if fan_in <= fan_out else weights.T
    torch.testing.assert_close(short @ short.T, torch.eye(len(short)), rtol=0, atol=1e-5)


@given(st.integers(1, 20), st.integers(1, 20))
def test_zeros_are_zeros(fan_in: int, fan_out: int) -> None:
    assert torch.equal(draw("zeros", Layer(fan_in, fan_out), 1.0, seeded(0)), torch.zeros(fan_in, fan_out))


@pytest.mark.parametrize("scheme", INITS)
@given(st.floats(1e-4, 100.0), seeds)
def test_every_drawn_weight_is_multiplied_by_the_scale(scheme: Init, scale: float, seed: int) -> None:
    plain, scaled = (draw(scheme, Layer(8, 6), factor, seeded(seed)) for factor in (1.0, scale))
    torch.testing.assert_close(scaled, plain * scale)


class TestAFreshNetwork:
    def test_has_zero_biases_and_a_weight_matrix_for_every_layer(self) -> None:
        state = NetworkState.fresh(Variant(NetworkConfig(hidden_layers=3, width=7)), seed=0)
        assert [tuple(p.value.shape) for p in state.weights] == [(PIXELS, 7), (7, 7), (7, 7), (7, CLASSES)]
        assert all(not p.value.any() for p in state.biases)
        assert not any(p.velocity is not None for p in (*state.weights, *state.biases))

    @pytest.mark.parametrize("architecture", ["mlp", "lenet", "cnn"])
    def test_by_pytorchs_default_is_what_torch_makes_of_the_same_seed(self, architecture: Architecture) -> None:
        network = NetworkConfig(2, 7, init="torch_default", architecture=architecture)
        state = NetworkState.fresh(Variant(network), seed=5)
        torch.manual_seed(5)
        for layer, weight, bias in zip(network.layers, state.weights, state.biases, strict=True):
            kernel = layer.kernel
            made = nn.Conv2d(layer.inputs, layer.units, kernel) if kernel else nn.Linear(layer.inputs, layer.units)
            assert torch.equal(made.weight.flatten(1).T, weight.value)
            assert made.bias is not None
            assert torch.equal(made.bias, bias.value[0])

    @pytest.mark.parametrize("init", INITS)
    @pytest.mark.parametrize("position", ["before", "after"])
    def test_has_the_same_weights_with_and_without_batchnorm(self, init: Init, position: Position) -> None:
        plain = Variant(NetworkConfig(hidden_layers=2, width=6, init=init))
        normalized = replace(plain, batchnorm=BatchNormConfig(position=position))
        a, b = (NetworkState.fresh(variant, seed=3) for variant in (plain, normalized))
        assert all(torch.equal(x.value, y.value) for x, y in zip(a.weights, b.weights, strict=True))
        assert a.batchnorm is None
        assert b.batchnorm is not None
        assert len(b.batchnorm) == 2

    def test_begins_batchnorm_as_the_identity_on_standardized_values(self) -> None:
        state = NetworkState.fresh(Variant(NetworkConfig(width=4), BatchNormConfig()), seed=0)
        assert state.batchnorm is not None
        (norm,) = state.batchnorm
        for ones in (norm.gamma.value, norm.running_var):
            assert torch.equal(ones, torch.ones(1, 4))
        for zeros in (norm.beta.value, norm.running_mean):
            assert torch.equal(zeros, torch.zeros(1, 4))

    @given(seeds, seeds)
    def test_has_other_weights_for_another_seed(self, first: int, second: int) -> None:
        a, b = (NetworkState.fresh(Variant(NetworkConfig(width=2)), seed) for seed in (first, second))
        assert torch.equal(a.weights[0].value, b.weights[0].value) is (first == second)

    def test_neither_reads_nor_moves_the_global_random_generator(self) -> None:
        torch.manual_seed(1)
        first = NetworkState.fresh(Variant(NetworkConfig(width=3)), seed=5)
        torch.manual_seed(2)
        before = torch.get_rng_state()
        second = NetworkState.fresh(Variant(NetworkConfig(width=3)), seed=5)
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.equal(first.weights[0].value, second.weights[0].value)

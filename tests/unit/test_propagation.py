"""What theory says of untrained networks, against networks that torch draws and differentiates by itself."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bnviz.experiment.config import ACTIVATIONS, CLASSES, INITS, PIXELS, Activation, Init, Layer, NetworkConfig
from bnviz.nn.initialization import draw, draw_bias
from bnviz.records.initialization import Inputs
from bnviz.theory import propagation
from bnviz.theory.weight_laws import density, law
from tests.builders import torchs_activation

DIGITS = 64


def a_batch(standardized: bool = True) -> Tensor:
    """Made-up digits: a share of the pixels inked, another share in each digit."""
    generator = torch.Generator().manual_seed(7)
    x = torch.rand(DIGITS, PIXELS, generator=generator, dtype=torch.float64)
    share = 0.1 + 0.2 * torch.rand(DIGITS, 1, generator=generator, dtype=torch.float64)
    x = x * (torch.rand(x.shape, generator=generator) < share)
    return (x - x.mean()) / x.std() if standardized else x


def inputs_of(x: Tensor) -> Inputs:
    return Inputs(x.sum(1).numpy(), x.square().sum(1).numpy(), float(x.var(0, correction=0).sum()))


class Drawn:
    """One network written with autograd alone: activations and the gradients of L = sum_k c_k z_k of the logits."""

    def __init__(self, network: NetworkConfig, x: Tensor, seed: int, *, batchnorm: bool) -> None:
        generator = torch.Generator().manual_seed(seed)
        sizes = [PIXELS, *[network.width] * network.hidden_layers, CLASSES]
        f, h = torchs_activation(network.activation), x
        self.activations, outputs = [], []
        for depth, (i, o) in enumerate(pairwise(sizes)):
            layer = network.init, Layer(i, o), network.init_scale, generator
            weight, bias = draw(*layer).double(), draw_bias(*layer).double()
            z = (h @ weight + bias).requires_grad_()
            outputs.append(z)
            if depth < network.hidden_layers:
                normalized = nn.functional.batch_norm(z, None, None, training=True, eps=1e-5) if batchnorm else z
                h = f(normalized)
                self.activations.append(h.detach())
        # As the softmax's, the ten gradients of a digit sum to 0.
        pull = torch.randn(len(x), CLASSES, generator=generator, dtype=torch.float64)
        self.pull = pull - pull.mean(1, keepdim=True)
        found = torch.autograd.grad((outputs[-1] * self.pull).sum(), outputs)
        self.gradient_squares = [float(g.square().mean()) for g in found]


def averaged(network: NetworkConfig, x: Tensor, *, batchnorm: bool, draws: int) -> tuple[np.ndarray, ...]:
    """Mean, std and gradient size over several draws, and the mean gradient at the logits, (digits,)."""
    nets = [Drawn(network, x, seed, batchnorm=batchnorm) for seed in range(draws)]
    layers = [torch.cat([net.activations[k].flatten() for net in nets]) for k in range(network.hidden_layers)]
    gradient = np.sqrt(np.mean([net.gradient_squares for net in nets], axis=0))
    pull = torch.stack([net.pull.square().sum(1) for net in nets]).mean(0).numpy()
    return (
        np.array([float(h.mean()) for h in layers]),
        np.array([float(h.std(correction=0)) for h in layers]),
        gradient,
        pull,
    )


# -- the integrals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ACTIVATIONS)
@settings(max_examples=20)
@given(st.floats(-4, 4), st.floats(1e-3, 50))
def test_moments_are_those_of_a_fine_sum(activation: str, mean: float, std: float) -> None:
    z = torch.linspace(mean - 9 * std, mean + 9 * std, 100_001, dtype=torch.float64).requires_grad_()
    weight = torch.exp(-(((z.detach() - mean) / std) ** 2) / 2)
    weight /= weight.sum()
    y = torchs_activation(activation)(z)
    (slope,) = torch.autograd.grad(y.sum(), z)
    found = propagation.moments(activation, mean, std)
    for ours, theirs in ((found.f, y), (found.f2, y**2), (found.slope, slope), (found.slope2, slope**2)):
        expected = float((weight * theirs.detach()).sum())
        assert float(ours[0]) == pytest.approx(expected, rel=2e-4, abs=2e-5 * max(1.0, std))


def test_saturated_tanh_units_are_those_beyond_0_97() -> None:
    std = 1.7
    beyond = math.erfc(math.atanh(0.97) / std / math.sqrt(2))
    assert float(propagation.moments("tanh", 0.0, std).flat[0]) == pytest.approx(beyond, rel=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_constant_is_a_distribution_too(activation: str) -> None:
    found = propagation.moments(activation, 0.5, 0.0)
    y = float(torchs_activation(activation)(torch.tensor(0.5, dtype=torch.float64)))
    assert float(found.f[0]) == pytest.approx(y, abs=1e-6)
    assert float(found.f2[0]) == pytest.approx(y * y, abs=1e-6)


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
@pytest.mark.parametrize("correlation", [0.0, 0.4, 0.9])
def test_the_covariance_of_two_units_is_that_of_many_samples(activation: str, correlation: float) -> None:
    generator = torch.Generator().manual_seed(0)
    common, one, other = torch.randn(3, 2_000_000, generator=generator, dtype=torch.float64)
    own = math.sqrt(1 - correlation)
    u, v = (torchs_activation(activation)(math.sqrt(correlation) * common + own * each) for each in (one, other))
    sampled = float((u * v).mean() - u.mean() * v.mean())
    assert propagation.covariance(activation, 1.0, correlation) == pytest.approx(sampled, abs=2e-3)


# -- the recursion --------------------------------------------------------------------------------------------------

CENTRED = [init for init in INITS if not init.startswith("rand") and init != "zeros"]


@pytest.mark.slow
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("init", CENTRED)
@pytest.mark.parametrize("batchnorm", [False, True])
def test_theory_agrees_with_networks_that_torch_draws(activation: Activation, init: Init, batchnorm: bool) -> None:
    network = NetworkConfig(4, 192, activation, init)
    x = a_batch()
    mean, std, gradient, pull = averaged(network, x, batchnorm=batchnorm, draws=6)
    theory = propagation.propagate(network, inputs_of(x), pull, batchnorm=batchnorm)
    np.testing.assert_allclose(theory.std, std, rtol=0.12)
    np.testing.assert_allclose(theory.mean, mean, atol=0.15 * std.max())
    np.testing.assert_allclose(theory.gradient, gradient, rtol=0.2)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("init", ["rand", "rand_fan_in"])
def test_positive_weights_add_up_as_the_mean_terms_say(activation: Activation, init: Init) -> None:
    network = NetworkConfig(3, 192, activation, init)
    x = a_batch(standardized=False)
    mean, std, gradient, pull = averaged(network, x, batchnorm=False, draws=6)
    theory = propagation.propagate(network, inputs_of(x), pull, batchnorm=False)
    np.testing.assert_allclose(theory.mean, mean, rtol=0.05)
    np.testing.assert_allclose(theory.std, std, rtol=0.15, atol=1e-6)
    if activation == "relu":  # a saturated tanh passes next to nothing, and which unit does so is chance
        np.testing.assert_allclose(theory.gradient, gradient, rtol=0.25)


def test_zeros_let_nothing_through() -> None:
    network = NetworkConfig(3, 16, "relu", "zeros")
    theory = propagation.propagate(network, inputs_of(a_batch()), np.ones(DIGITS), batchnorm=False)
    assert not theory.std.any()
    assert not theory.gradient[:-1].any()
    np.testing.assert_array_equal(theory.saturated, np.ones(3))


def test_he_keeps_the_mean_square_of_a_relu_network_and_its_gradient() -> None:
    network = NetworkConfig(20, 256, "relu", "he_normal")
    theory = propagation.propagate(network, inputs_of(a_batch()), np.ones(DIGITS), batchnorm=False)
    np.testing.assert_allclose(theory.std, theory.std[0], rtol=1e-9)
    np.testing.assert_allclose(theory.gradient[:-1], theory.gradient[0], rtol=1e-9)


def test_xavier_keeps_both_where_the_activation_is_the_identity() -> None:
    network = NetworkConfig(20, 256, "none", "xavier_normal")
    theory = propagation.propagate(network, inputs_of(a_batch()), np.ones(DIGITS), batchnorm=False)
    np.testing.assert_allclose(theory.std, theory.std[0], rtol=1e-9)
    np.testing.assert_allclose(theory.gradient[:-1], theory.gradient[0], rtol=1e-9)


def test_batchnorm_multiplies_a_relu_networks_gradient_by_pi_over_pi_minus_1_a_layer() -> None:
    """Var[f'] / Var[f] = (1/2) / (1/2 - 1/(2 pi)) for ReLU (Yang et al. 2019)."""
    network = NetworkConfig(6, 256, "relu", "he_normal")
    theory = propagation.propagate(network, inputs_of(a_batch()), np.ones(DIGITS), batchnorm=True)
    inner = theory.gradient[1:-1]
    np.testing.assert_allclose((inner[:-1] / inner[1:])[:-1] ** 2, math.pi / (math.pi - 1), rtol=1e-3)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("scale", [1e-4, 100.0])
@pytest.mark.parametrize("batchnorm", [False, True])
@pytest.mark.filterwarnings("error")
def test_no_setting_breaks_the_recursion(activation: Activation, init: Init, scale: float, batchnorm: bool) -> None:
    network = NetworkConfig(20, 256, activation, init, scale)
    theory = propagation.propagate(network, inputs_of(a_batch()), np.ones(DIGITS), batchnorm=batchnorm)
    assert theory.mean.shape == theory.std.shape == theory.saturated.shape == (20,)
    assert theory.gradient.shape == (21,)
    shares = theory.saturated[np.isfinite(theory.saturated)]
    assert ((shares >= 0) & (shares <= 1 + 1e-9)).all()


# -- the laws -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", INITS)
@pytest.mark.parametrize(("fan_in", "fan_out"), [(784, 128), (128, 128), (128, 10)])
def test_laws_have_the_moments_of_what_is_drawn(scheme: Init, fan_in: int, fan_out: int) -> None:
    generator = torch.Generator().manual_seed(1)
    drawn = torch.stack([draw(scheme, Layer(fan_in, fan_out), 1.5, generator) for _ in range(20)]).double()
    found = law(scheme, fan_in, fan_out, 1.5)
    count = drawn.numel()
    assert float(drawn.mean()) == pytest.approx(found.mean, abs=6 * math.sqrt(found.variance / count))
    assert float(drawn.var(correction=0)) == pytest.approx(found.variance, rel=6 * math.sqrt(2 / count))
    assert found.second_moment == pytest.approx(found.variance + found.mean**2)


@pytest.mark.parametrize("scheme", [init for init in INITS if init != "zeros"])
def test_densities_are_those_of_what_is_drawn(scheme: Init) -> None:
    fan_in, fan_out = 40, 30
    generator = torch.Generator().manual_seed(1)
    drawn = (
        torch.stack([draw(scheme, Layer(fan_in, fan_out), 2.0, generator) for _ in range(400)])
        .double()
        .flatten()
        .numpy()
    )
    w, height = density(scheme, fan_in, fan_out, 2.0)
    step = w[1] - w[0]
    assert float((height[:-1] + height[1:]).sum() * step / 2) == pytest.approx(1.0, abs=1e-3)
    edges = np.linspace(w[0], w[-1], 21)
    measured, _ = np.histogram(drawn, edges)
    cumulative = np.concatenate([[0], np.cumsum((height[:-1] + height[1:]) * step / 2)])
    expected = np.diff(np.interp(edges, w, cumulative)) * len(drawn)
    assert np.abs(measured - expected).max() < 8 * math.sqrt(expected.max())


def test_zeros_have_no_density() -> None:
    assert density("zeros", 4, 5)[0].size == 0

"""The options of the stacked layer, against formulas written out and differentiated by autograd. All in float64."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bnviz.experiment.choices import Inference
from bnviz.experiment.config import BatchNormConfig, NetworkConfig, Variant
from bnviz.nn.batchnorm import BatchNorm
from bnviz.nn.network import NetworkState, Stack
from bnviz.nn.stacked import BatchNormState, StackedBatchNorm

UNITS = 3


@pytest.fixture(autouse=True, scope="module")
def _double_precision() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


CONFIG = st.builds(
    BatchNormConfig,
    eps=st.floats(1e-6, 1.0),
    momentum=st.floats(0.001, 1.0),
    cumulative=st.booleans(),
    running=st.sampled_from(["variance", "std"]),
    bessel=st.booleans(),
    detach=st.booleans(),
    noise=st.sampled_from([0.0, 0.3]),
    noisy=st.booleans(),
)
CONFIGS = st.lists(CONFIG, min_size=1, max_size=4)


def values(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 2 + 1


def layer(configs: list[BatchNormConfig]) -> StackedBatchNorm:
    states = [BatchNormState.fresh(UNITS, (7, v)) for v in range(len(configs))]
    for v, state in enumerate(states):
        state.gamma.value, state.beta.value = values(1, UNITS, seed=v), values(1, UNITS, seed=v + 10)
    return StackedBatchNorm(configs, states)


def noisy(shape: tuple[int, int], seed: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """s and m of noisy batchnorm, (B, C), as Santurkar et al. 2018 describe them: n_mu 0.5, n_sigma 1.25, r 0.1."""
    generator = np.random.default_rng((*seed, 1))
    mu, sigma = generator.uniform(-0.5, 0.5, shape[1]), generator.uniform(1.0, 1.25, shape[1])
    m = generator.uniform(mu - 0.1, mu + 0.1, shape)
    return torch.from_numpy(generator.normal(sigma, 0.1, shape)), torch.from_numpy(m)


def written_out(x: Tensor, config: BatchNormConfig, gamma: Tensor, beta: Tensor, seed: tuple[int, ...]) -> Tensor:
    """Training mode of one network, x (B, C), in operations that autograd knows."""
    deviates = np.random.default_rng(seed).standard_normal((2, x.shape[1]))
    mean, var = x.mean(0), x.var(0, correction=1 if config.bessel else 0)
    shift, stretch = torch.from_numpy(deviates) * config.noise
    offset = (shift * var.sqrt()).detach()
    if config.detach:
        mean, var = mean.detach(), var.detach()
    y: Tensor = (x - mean - offset) / torch.sqrt(var * torch.exp(2 * stretch) + config.eps) * gamma + beta
    if not config.noisy:
        return y
    s, m = noisy((x.shape[0], x.shape[1]), seed)
    return s * y + m


@given(CONFIGS, st.integers(2, 6), st.integers(0, 1000))
def test_training_mode_and_its_gradients_are_those_of_autograd(
    configs: list[BatchNormConfig], batch: int, seed: int
) -> None:
    ours = layer(configs)
    x, delta = values(len(configs), batch, UNITS, seed=seed), values(len(configs), batch, UNITS, seed=seed + 1)
    out, to_input = ours.forward(x, "train"), ours.backward(delta)
    for v, config in enumerate(configs):
        leaves = [t.clone().requires_grad_() for t in (x[v], ours.gamma.value[v, 0], ours.beta.value[v, 0])]
        expected = written_out(leaves[0], config, leaves[1], leaves[2], (7, v, 1))
        torch.testing.assert_close(out[v], expected, rtol=1e-9, atol=1e-9)
        expected.backward(delta[v])
        scale = float(ours.inverse_std.max())
        torch.testing.assert_close(to_input[v], leaves[0].grad, rtol=1e-9, atol=1e-9 * max(scale, 1))
        torch.testing.assert_close(ours.delta_gamma[v, 0], leaves[1].grad, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(ours.delta_beta[v, 0], leaves[2].grad, rtol=1e-9, atol=1e-9)


@given(CONFIGS, st.integers(0, 1000))
def test_running_statistics_average_what_they_are_told_to(configs: list[BatchNormConfig], seed: int) -> None:
    ours = layer(configs)
    mean, kept = torch.zeros(len(configs), UNITS), torch.ones(len(configs), UNITS)  # kept: variance, or its root
    for count in range(1, 5):
        x = values(len(configs), 4, UNITS, seed=seed + count)
        ours.forward(x, "train")
        for v, config in enumerate(configs):
            share = 1 / count if config.cumulative else config.momentum
            spread = x[v].std(0) if config.running == "std" else x[v].var(0)
            mean[v] = (1 - share) * mean[v] + share * x[v].mean(0)
            kept[v] = (1 - share) * kept[v] + share * spread
    variance = torch.stack([k**2 if c.running == "std" else k for k, c in zip(kept, configs, strict=True)])
    torch.testing.assert_close(ours.running_mean[:, 0], mean)
    torch.testing.assert_close(ours.running_var[:, 0], variance)


def test_a_cumulative_average_is_the_plain_mean_over_all_batches() -> None:
    ours = layer([BatchNormConfig(cumulative=True, momentum=0.5)])
    batches = [values(1, 8, UNITS, seed=seed) for seed in range(5)]
    for x in batches:
        ours.forward(x, "train")
    torch.testing.assert_close(ours.running_mean[0, 0], torch.stack([x[0].mean(0) for x in batches]).mean(0))


@given(CONFIGS)
def test_a_network_has_the_same_noise_alone_and_beside_others(configs: list[BatchNormConfig]) -> None:
    together = layer(configs)
    x = values(len(configs), 4, UNITS, seed=1)
    alone = StackedBatchNorm(configs[-1:], [together.take(len(configs) - 1)])
    for _ in range(2):
        out = together.forward(x, "train")[-1:]
        torch.testing.assert_close(alone.forward(x[-1:], "train"), out)


def test_noise_differs_from_batch_to_batch_and_is_absent_outside_training() -> None:
    ours, x = layer([BatchNormConfig(noise=0.5)]), values(1, 4, UNITS, seed=1)
    first, second = ours.forward(x, "train"), ours.forward(x, "train")
    assert not torch.allclose(first, second)
    plain = layer([BatchNormConfig()])
    assert torch.equal(ours.forward(x, "probe"), plain.forward(x, "probe"))


@given(CONFIGS, st.integers(0, 1000))
def test_a_rehearsal_says_what_the_next_training_batch_will_say_and_changes_nothing(
    configs: list[BatchNormConfig], seed: int
) -> None:
    ours, x = layer(configs), values(len(configs), 5, UNITS, seed=seed)
    before = ours.running_mean.clone(), ours.running_var.clone(), list(ours.batches)
    rehearsed = ours.forward(x, "rehearsal")
    assert torch.equal(rehearsed, ours.forward(x, "rehearsal"))
    assert torch.equal(ours.running_mean, before[0])
    assert torch.equal(ours.running_var, before[1])
    assert ours.batches == before[2]
    assert torch.equal(rehearsed, ours.forward(x, "train"))


def test_noisy_batchnorm_shifts_every_unit_anew_with_every_batch() -> None:
    noisy = StackedBatchNorm([BatchNormConfig(noisy=True)], [BatchNormState.fresh(200, (3,))])
    x = values(1, 500, 200, seed=1)
    seen = torch.stack([noisy.forward(x, "train")[0] for _ in range(20)])
    mean, std = seen.mean(1), seen.std(1)  # (20, 200): of every batch and unit
    assert mean.abs().max() < 0.5 + 0.05
    assert mean.std(0).mean() == pytest.approx(1 / 12**0.5, rel=0.05)  # U(-0.5, 0.5)
    assert std.mean() == pytest.approx(1.125, rel=0.02)  # U(1, 1.25)
    assert torch.corrcoef(mean[:2])[0, 1].abs() < 0.3
    plain = StackedBatchNorm([BatchNormConfig()], [BatchNormState.fresh(200, (3,))])
    assert torch.equal(noisy.forward(x, "probe"), plain.forward(x, "probe"))


def test_eval_mode_of_a_layer_without_running_statistics_uses_the_batch_at_hand() -> None:
    ours, x = layer([BatchNormConfig(inference="batch"), BatchNormConfig()]), values(2, 5, UNITS, seed=2)
    trained = ours.forward(x, "probe")
    evaluated = ours.forward(x, "eval")
    torch.testing.assert_close(evaluated[0], trained[0])
    assert not torch.allclose(evaluated[1], trained[1])


def test_eval_mode_over_the_batch_at_hand_is_that_of_a_layer_that_tracks_nothing() -> None:
    configs = [BatchNormConfig(inference="batch", bessel=bessel) for bessel in (False, True)]
    ours, x = layer(configs), values(2, 5, UNITS, seed=3)
    out = ours.forward(x, "eval")
    for v, config in enumerate(configs):
        theirs = BatchNorm(UNITS, track_running_stats=False, bessel=config.bessel).eval()
        with torch.no_grad():
            theirs.weight.copy_(ours.gamma.value[v, 0])
            theirs.bias.copy_(ours.beta.value[v, 0])
        torch.testing.assert_close(out[v], theirs(x[v]))
    with pytest.raises(ValueError, match="at least 2 digits, got 1"):
        ours.forward(x[:, :1], "eval")


def stack(inference: Inference) -> Stack:
    batchnorm = BatchNormConfig(inference=inference)
    variants = [Variant(NetworkConfig(hidden_layers=2, width=5), batchnorm), Variant(NetworkConfig(2, 5))]
    return Stack([0, 1], variants, [NetworkState.fresh(v, 3) for v in variants])


def test_population_statistics_of_the_first_layer_are_those_of_all_digits() -> None:
    net, images = stack("population"), values(24, 784, seed=4)
    net.measure_population(images.split(8))
    inputs = torch.baddbmm(
        net.hidden[0].linear.bias.value, images.expand(2, 24, 784), net.hidden[0].linear.weight.value
    )
    (norm, _), *_ = net.norms_of(0)
    assert norm.population is not None
    mean, var = norm.population
    torch.testing.assert_close(mean[0, 0], inputs[0].mean(0))
    within = torch.stack([part.var(0) for part in inputs[0].split(8)]).mean(0)
    torch.testing.assert_close(var[0, 0], within)  # the mean of unbiased batch variances, m / (m - 1) corrected


def test_eval_mode_takes_the_population_statistics_once_they_are_measured() -> None:
    net, images = stack("population"), values(24, 784, seed=5)
    before = net.forward(images, "eval")
    running = [norm.running_mean.clone() for norm in net.norms()]
    net.measure_population(images.split(12))
    after = net.forward(images, "eval")
    assert not torch.allclose(before[0], after[0])
    torch.testing.assert_close(before[1], after[1])  # the network without batchnorm
    assert all(torch.equal(norm.running_mean, old) for norm, old in zip(net.norms(), running, strict=True))
    usual = stack("running")
    usual.measure_population(images.split(12))
    torch.testing.assert_close(usual.forward(images, "eval"), before)


@given(CONFIGS, st.sampled_from([2, 3, 6]))
def test_many_batches_at_once_are_normalized_like_one_after_the_other(
    configs: list[BatchNormConfig], size: int
) -> None:
    ours, x = layer(configs), values(len(configs), 12, UNITS, seed=6)
    one_by_one = torch.cat([ours.forward(batch, "probe") for batch in x.split(size, 1)], 1)
    torch.testing.assert_close(ours.forward_in_batches(x, size), one_by_one)


def test_the_usual_settings_carry_no_column_at_all() -> None:
    ours = layer([BatchNormConfig(eps=0.1, momentum=0.3)] * 3)
    columns = (ours.cumulative, ours.running_std, ours.from_population, ours.from_batch, ours.bessel, ours.detach)
    assert (*columns, ours.noise, ours.affine) == (None,) * 8

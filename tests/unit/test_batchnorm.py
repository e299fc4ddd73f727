"""BatchNorm is torch.nn.BatchNorm1d, 2d and 3d bit for bit, and each of its options does what its equation says."""

import copy
import io
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call

from bnviz.nn.batchnorm import BatchNorm, population_statistics

pytestmark = pytest.mark.usefixtures("one_thread")  # sums in one order: equal bits

DOUBLE = torch.float64


class WrittenOut(BatchNorm):
    """The same layer, never on torch's fused kernel."""

    def _is_standard(self, of_batch: bool) -> bool:
        return False


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = DOUBLE) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=dtype)


@dataclass(frozen=True)
class Case:
    """Settings that torch has too, the batches seen one after another, and the gradient of the loss for each output."""

    settings: dict[str, Any]
    inputs: tuple[Tensor, ...]
    delta: Tensor
    seed: int

    @property
    def channels(self) -> int:
        return self.delta.shape[1]

    def torchs(self) -> nn.Module:
        """torch's layer, as it is some time into training."""
        kind = {4: nn.BatchNorm2d, 5: nn.BatchNorm3d}.get(self.delta.dim(), nn.BatchNorm1d)
        layer = kind(self.channels, dtype=self.delta.dtype, **self.settings)
        generator = seeded(self.seed)
        with torch.no_grad():
            for tensor in [*layer.parameters(), *layer.buffers()]:
                if tensor.is_floating_point():
                    tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
        return layer

    def ours(self, kind: type[BatchNorm] = BatchNorm, **options: Any) -> BatchNorm:
        layer = kind(self.channels, dtype=self.delta.dtype, **self.settings, **options)
        layer.load_state_dict(self.torchs().state_dict(), strict=True)
        return layer


@st.composite
def cases(draw: st.DrawFn, /, dtypes: Sequence[torch.dtype] = (torch.float32, DOUBLE), **fixed: Any) -> Case:
    chosen = {
        "eps": draw(st.sampled_from([1e-5, 1e-3, 0.5])),
        "momentum": draw(st.none() | st.floats(0, 1)),
        "affine": draw(st.booleans()),
        "bias": draw(st.booleans()),
        "track_running_stats": draw(st.booleans()),
    }
    rest = draw(st.lists(st.integers(1, 4), max_size=3))
    least = 2 if math.prod(rest) == 1 else 1
    shape = (draw(st.integers(least, 6)), draw(st.integers(1, 4)), *rest)
    dtype, seed = draw(st.sampled_from(dtypes)), draw(st.integers(0, 2**31 - 1))
    spread, center = draw(st.sampled_from([0.1, 1.0, 10.0])), draw(st.sampled_from([0.0, -3.0]))
    inputs = tuple(normal(*shape, seed=seed + n, dtype=dtype) * spread + center for n in range(3))
    return Case(chosen | fixed, inputs, normal(*shape, seed=seed + 3, dtype=dtype), seed)


def run(layer: nn.Module, case: Case) -> Iterator[dict[str, Tensor]]:
    """All that a pass over each batch gives and leaves: output, gradients, parameters and buffers."""
    for batch in case.inputs:
        x = batch.clone().requires_grad_()
        layer.zero_grad()
        y = layer(x)
        y.backward(case.delta)
        gradients = {f"d{name}": gradient(p) for name, p in layer.named_parameters()}
        yield {"y": y.detach(), "dx": gradient(x), **gradients, **state(layer)}


def gradient(tensor: Tensor) -> Tensor:
    assert tensor.grad is not None
    return tensor.grad.clone()


def state(layer: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in layer.state_dict().items()}


def assert_same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def statistics(x: Tensor, correction: int) -> tuple[Tensor, Tensor]:
    """Mean and variance of every channel, (C,)."""
    flat = x.transpose(0, 1).flatten(1)
    return flat.mean(1), flat.var(1, correction=correction)


def along(x: Tensor, per_channel: Tensor) -> Tensor:
    """(C,) -> (C, 1, ...), as it is broadcast against x."""
    return per_channel.view(-1, *[1] * (x.dim() - 2))


class TestWithStandardSettings:
    @given(cases())
    def test_train_mode_is_that_of_torch_over_several_batches(self, case: Case) -> None:
        for ours, theirs in zip(run(case.ours(), case), run(case.torchs(), case), strict=True):
            assert_same(ours, theirs)

    @given(cases())
    def test_eval_mode_is_that_of_torch(self, case: Case) -> None:
        for ours, theirs in zip(run(case.ours().eval(), case), run(case.torchs().eval(), case), strict=True):
            assert_same(ours, theirs)

    @given(cases())
    def test_eval_mode_leaves_running_statistics_untouched(self, case: Case) -> None:
        layer = case.ours().eval()
        before = state(layer)
        list(run(layer, case))
        assert_same(state(layer), before)

    @given(cases())
    def test_state_dicts_are_exchanged_both_ways(self, case: Case) -> None:
        ours, theirs = case.ours(), case.torchs()
        list(run(ours, case))
        theirs.load_state_dict(ours.state_dict(), strict=True)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        assert_same(state(ours), state(theirs))
        for one, other in zip(run(ours, case), run(theirs, case), strict=True):
            assert_same(one, other)

    @given(cases())
    def test_a_new_layer_and_a_reset_one_are_as_a_new_one_of_torch(self, case: Case) -> None:
        theirs = type(case.torchs())(case.channels, **case.settings)
        new = BatchNorm(case.channels, **case.settings)
        assert_same(state(new), state(theirs))
        used = case.ours().float()
        used.reset_parameters()
        assert_same(state(used), state(theirs))

    def test_reset_running_stats_leaves_gamma_and_beta(self) -> None:
        layer = BatchNorm(3)
        assert layer.weight is not None
        nn.init.constant_(layer.weight, 2.0)
        layer(normal(4, 3, dtype=torch.float32))
        layer.reset_running_stats()
        zeros, ones = torch.zeros(3), torch.ones(3)
        assert_same(
            state(layer),
            {
                "weight": 2 * ones,
                "bias": zeros,
                "running_mean": zeros,
                "running_var": ones,
                "num_batches_tracked": torch.tensor(0),
            },
        )

    def test_a_half_trained_network_continues_identically_with_torchs_layers_swapped_for_ours(self) -> None:
        theirs = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 4))
        theirs.extend([nn.BatchNorm1d(4, momentum=None), nn.Linear(4, 2)])
        train(theirs, steps=5)
        ours = copy.deepcopy(theirs)
        ours[1], ours[5] = BatchNorm(3), BatchNorm(4, momentum=None)
        ours.load_state_dict(theirs.state_dict(), strict=True)
        assert train(ours, steps=5) == train(theirs, steps=5)
        assert_same(state(ours), state(theirs))
        x = normal(4, 1, 6, 6, dtype=torch.float32)
        assert torch.equal(ours.eval()(x), theirs.eval()(x))

    def test_half_precision_goes_through_a_layer_of_single_precision(self) -> None:
        x = normal(4, 3, dtype=torch.bfloat16)
        for layer in (BatchNorm(3), WrittenOut(3)):
            assert layer(x).dtype == torch.bfloat16
            assert layer.running_mean.dtype == torch.float32
            torch.testing.assert_close(layer(x), nn.BatchNorm1d(3)(x))

    def test_says_what_it_is(self) -> None:
        assert repr(BatchNorm(3)) == repr(nn.BatchNorm1d(3)).replace("1d", "")
        options = repr(BatchNorm(3, bessel=True, running="standard deviation", detach=True, noise=0.5))
        assert options.endswith("bessel=True, running='standard deviation', detach=True, noise=0.5)")


def train(network: nn.Module, steps: int) -> list[float]:
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        loss = network(normal(8, 1, 6, 6, seed=step, dtype=torch.float32)).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


class TestWrittenOut:
    @pytest.mark.parametrize("training", [True, False])
    @given(cases())
    def test_is_the_fused_kernel(self, training: bool, case: Case) -> None:
        relative = 1e-4 if case.delta.dtype == torch.float32 else 1e-10
        steep = case.settings["eps"] ** -0.5  # the most that 1 / sqrt(sigma^2 + eps) can be
        fused, written_out = case.ours().train(training), case.ours(WrittenOut).train(training)
        for theirs, ours in zip(run(fused, case), run(written_out, case), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=relative, atol=relative * max(1.0, steep))

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"bessel": True},
            {"running": "standard deviation"},
            {"bessel": True, "track_running_stats": False},
            {"bessel": True, "affine": False},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("shape", [(4, 3), (2, 3, 3), (2, 2, 2, 2)])
    def test_gradients_are_those_of_finite_differences(self, shape: tuple[int, ...], options: dict[str, Any]) -> None:
        layer = WrittenOut(shape[1], dtype=DOUBLE, **options)
        names = [name for name, _ in layer.named_parameters()]

        def forward(x: Tensor, *parameters: Tensor) -> Tensor:
            y: Tensor = functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))
            return y

        inputs = [normal(*shape), *(normal(shape[1], seed=n) for n, _ in enumerate(names, 1))]
        assert torch.autograd.gradcheck(forward, [each.requires_grad_() for each in inputs])


class TestBessel:
    @given(cases([DOUBLE], affine=False))
    def test_divides_by_the_unbiased_deviation(self, case: Case) -> None:
        x = case.inputs[0]
        mean, var = statistics(x, correction=1)
        expected = (x - along(x, mean)) / (along(x, var) + case.settings["eps"]).sqrt()
        torch.testing.assert_close(case.ours(bessel=True)(x), expected)

    @given(cases([DOUBLE]))
    def test_leaves_eval_mode_and_what_the_running_statistics_take_as_they_are(self, case: Case) -> None:
        layer, theirs = case.ours(bessel=True), case.torchs()
        for x in case.inputs:
            layer(x), theirs(x)
        torch.testing.assert_close(state(layer), state(theirs))
        if layer.track_running_stats:
            torch.testing.assert_close(layer.eval()(x), theirs.eval()(x))


class TestRunningStandardDeviation:
    def test_is_averaged_in_place_of_the_variance(self) -> None:
        layer = BatchNorm(1, momentum=0.25, running="standard deviation", dtype=DOUBLE)
        layer(torch.tensor([[0.0], [18**0.5]], dtype=DOUBLE))  # unbiased variance 9, standard deviation 3
        assert layer.running_var.item() == pytest.approx(1.5**2)  # 0.75 * 1 + 0.25 * 3 = 1.5

    @given(cases([DOUBLE], track_running_stats=True))
    def test_follows_its_equation_over_several_batches(self, case: Case) -> None:
        layer, theirs = case.ours(running="standard deviation"), case.torchs()
        std = layer.running_var.sqrt()
        for n, x in enumerate(case.inputs, 1):
            layer(x), theirs(x)
            share = layer.momentum if layer.momentum is not None else 1 / n
            std = (1 - share) * std + share * statistics(x, correction=1)[1].sqrt()
        torch.testing.assert_close(layer.running_var, std**2)
        torch.testing.assert_close(layer.running_mean, theirs.running_mean)
        assert layer.num_batches_tracked == theirs.num_batches_tracked

    @given(cases([DOUBLE], track_running_stats=True))
    def test_its_square_is_what_eval_mode_divides_by_in_our_layer_and_in_torchs(self, case: Case) -> None:
        layer, theirs = case.ours(running="standard deviation"), case.torchs()
        list(run(layer, case))
        theirs.load_state_dict(layer.state_dict(), strict=True)
        assert torch.equal(layer.eval()(case.inputs[0]), theirs.eval()(case.inputs[0]))

    @given(cases([DOUBLE]))
    def test_leaves_the_output_as_it_is(self, case: Case) -> None:
        layer = case.ours(running="standard deviation")
        for ours, theirs in zip(run(layer, case), run(case.torchs(), case), strict=True):
            torch.testing.assert_close((ours["y"], ours["dx"]), (theirs["y"], theirs["dx"]), rtol=1e-8, atol=1e-8)


class TestDetach:
    @pytest.mark.parametrize("bessel", [False, True])
    @given(cases([DOUBLE]))
    def test_the_gradient_is_gamma_over_the_deviation_times_that_of_the_output(self, bessel: bool, case: Case) -> None:
        layer = case.ours(detach=True, bessel=bessel)
        gamma = torch.ones(case.channels, dtype=DOUBLE) if layer.weight is None else layer.weight.detach()
        _, var = statistics(case.inputs[0], correction=int(bessel))
        scale = along(case.delta, gamma / (var + layer.eps).sqrt())
        torch.testing.assert_close(next(run(layer, case))["dx"], scale * case.delta)

    @given(cases([DOUBLE]))
    def test_leaves_all_but_the_gradient_of_the_input_as_it_is(self, case: Case) -> None:
        for ours, theirs in zip(run(case.ours(detach=True), case), run(case.torchs(), case), strict=True):
            torch.testing.assert_close(ours | {"dx": None}, theirs | {"dx": None}, rtol=1e-8, atol=1e-8)


class TestNoise:
    def recovered(self, layer: BatchNorm, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """e1 and e2 (C,) from the output of a layer without gamma and beta: y = (x - mu') / sigma'."""
        var = statistics(x, correction=int(layer.bessel))[1]
        deviation = (statistics(x, 0)[1] / statistics(y, 0)[1]).sqrt()
        e1 = -statistics(y, 0)[0] * deviation / (layer.noise * var.sqrt())
        return e1, torch.log((deviation**2 - layer.eps) / var) / (2 * layer.noise)

    @pytest.mark.parametrize("bessel", [False, True])
    def test_disturbs_mean_and_log_variance_by_independent_standard_normals(self, bessel: bool) -> None:
        channels = 20_000
        layer = BatchNorm(channels, affine=False, noise=0.3, generator=seeded(1), bessel=bessel, dtype=DOUBLE)
        x = normal(8, channels) * 3 + 5
        drawn = [each for _ in range(2) for each in self.recovered(layer, x, layer(x))]  # of two forward passes
        tolerance = 4 / channels**0.5
        for e in drawn:
            assert e.mean().item() == pytest.approx(0, abs=tolerance)
            assert e.std().item() == pytest.approx(1, abs=tolerance)
            assert (e.abs() < 1).double().mean().item() == pytest.approx(0.6827, abs=tolerance)
        for one, other in itertools.combinations(drawn, 2):
            assert (one * other).mean().item() == pytest.approx(0, abs=tolerance)

    def reference(self, layer: BatchNorm, e1: Tensor, e2: Tensor, at: Tensor) -> Callable[..., Tensor]:
        """The layer as a function of x, gamma and beta, with its offset at one input and its factor as numbers."""
        correction = int(layer.bessel)
        offset = layer.noise * e1 * statistics(at.detach(), correction)[1].sqrt()
        factor = torch.exp(2 * layer.noise * e2)

        def function(x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
            mean, var = statistics(x, correction)
            x_hat = (x - along(x, mean + offset)) / (along(x, var * factor) + layer.eps).sqrt()
            return along(x, gamma) * x_hat + along(x, beta)

        return function

    @pytest.mark.parametrize("bessel", [False, True])
    @given(cases([DOUBLE], eps=1e-3, affine=True, bias=True))
    def test_offset_and_factor_are_constants_to_the_gradient(self, bessel: bool, case: Case) -> None:
        first = case.inputs[0].clone().requires_grad_()
        plain = BatchNorm(case.channels, eps=1e-3, affine=False, noise=0.4, bessel=bessel, dtype=DOUBLE)
        plain.generator = seeded(case.seed)
        e1, e2 = self.recovered(plain, first.detach(), plain(first.detach()))
        layer = case.ours(noise=0.4, generator=seeded(case.seed), bessel=bessel)
        gamma, beta = layer.parameters()
        expected = self.reference(layer, e1, e2, first)(first, gamma, beta)
        dx, dgamma, dbeta = torch.autograd.grad(expected, [first, gamma, beta], case.delta)
        found = next(run(layer, case))
        ours = [found[name] for name in ("y", "dx", "dweight", "dbias")]
        torch.testing.assert_close(ours, [expected.detach(), dx, dgamma, dbeta], rtol=1e-6, atol=1e-6)

    @pytest.mark.parametrize("bessel", [False, True])
    @pytest.mark.parametrize("shape", [(4, 3), (2, 3, 3), (2, 2, 2, 2)])
    def test_that_gradient_is_that_of_finite_differences(self, shape: tuple[int, ...], bessel: bool) -> None:
        channels = shape[1]
        layer = BatchNorm(channels, noise=0.4, bessel=bessel)
        e1, e2, gamma, beta = normal(4, channels, seed=1)
        x = normal(*shape)
        inputs = [each.clone().requires_grad_() for each in (x, gamma, beta)]
        assert torch.autograd.gradcheck(self.reference(layer, e1, e2, x), inputs)

    def test_with_detach_leaves_gamma_over_the_disturbed_deviation(self) -> None:
        layer, x = BatchNorm(2, noise=0.4, detach=True, dtype=DOUBLE, generator=seeded(7)), normal(6, 2)
        y = layer(x.requires_grad_())
        (gradient,) = torch.autograd.grad(y.sum(), x)
        slope = (y[0] - y[1]) / (x[0] - x[1])  # of y over x, channel by channel a straight line
        torch.testing.assert_close(gradient, slope.detach().expand_as(x))

    @given(cases([DOUBLE], track_running_stats=True))
    def test_running_statistics_take_the_undisturbed_values(self, case: Case) -> None:
        layer, theirs = case.ours(noise=2.0, generator=seeded(case.seed)), case.torchs()
        for x in case.inputs:
            layer(x), theirs(x)
        torch.testing.assert_close(state(layer), state(theirs))

    @given(cases())
    def test_eval_mode_has_none(self, case: Case) -> None:
        ours, theirs = case.ours(noise=2.0).eval(), case.torchs().eval()
        assert torch.equal(ours(case.inputs[0]), theirs(case.inputs[0]))

    def test_comes_from_its_generator_alone(self) -> None:
        x, seed_before = normal(4, 3), torch.get_rng_state()
        layer = BatchNorm(3, noise=0.5, generator=seeded(1), dtype=DOUBLE)
        twin = copy.deepcopy(layer)
        first = layer(x)
        assert torch.equal(twin(x), first)
        assert not torch.equal(layer(x), first)
        layer.generator.manual_seed(1)
        assert torch.equal(layer(x), first)
        assert torch.equal(torch.get_rng_state(), seed_before)

    def test_without_a_generator_comes_from_torchs_global_one(self) -> None:
        layer, x = BatchNorm(3, noise=0.5, dtype=DOUBLE), normal(4, 3)
        with torch.random.fork_rng():
            torch.manual_seed(1)
            first = layer(x)
            torch.manual_seed(1)
            assert torch.equal(layer(x), first)


class TestNoisyBatchnorm:
    """Santurkar et al. 2018, section 2.1: s y + m, with a mean and a spread of their own for each channel and batch."""

    def test_moves_and_stretches_what_the_layer_says(self) -> None:
        layer = BatchNorm(400, noisy=True, generator=seeded(1))
        x = normal(300, 400, dtype=torch.float32)
        y = layer(x).detach()
        mean, std = y.mean(0), y.std(0)
        assert 0.4 < float(mean.abs().max()) < 0.55
        assert float(mean.std()) == pytest.approx(1 / 12**0.5, rel=0.1)  # U(-0.5, 0.5)
        assert float(std.mean()) == pytest.approx(1.125, rel=0.03)  # U(1, 1.25)
        torch.testing.assert_close(layer.running_mean, 0.1 * x.mean(0))  # undisturbed

    def test_differentiates_like_s_y_plus_m(self) -> None:
        x, delta = normal(6, 3), normal(6, 3, seed=1)
        at, plain = x.clone().requires_grad_(), x.clone().requires_grad_()
        layer = BatchNorm(3, noisy=True, generator=seeded(2), dtype=DOUBLE)
        y = layer(at)
        clean = BatchNorm(3, dtype=DOUBLE)(plain)
        other = BatchNorm(3, noisy=True, generator=seeded(2), dtype=DOUBLE)  # the same noise on twice the output
        with torch.no_grad():
            other.weight.mul_(2)
            stretch = (other(x) - y) / clean
        y.backward(delta)
        clean.backward(delta * stretch)
        torch.testing.assert_close(at.grad, plain.grad)

    def test_is_absent_in_eval_mode(self) -> None:
        layer = BatchNorm(3, noisy=True).eval()
        assert torch.equal(layer(normal(4, 3).float()), BatchNorm(3).eval()(normal(4, 3).float()))


def deep(**options: Any) -> Any:  # a Sequential knows of its layers only that they are modules
    """Two batchnorm layers, the second of which sees what the first makes of the batch; dropout between them."""
    layers = [nn.Linear(3, 4), BatchNorm(4, **options), nn.Tanh(), nn.Dropout(), nn.Linear(4, 2), BatchNorm(2)]
    network = nn.Sequential(*layers).double()
    generator = seeded(5)
    for parameter in network.parameters():
        nn.init.normal_(parameter, generator=generator)
    return network


class TestPopulationStatistics:
    def test_of_one_batch_are_mean_and_unbiased_variance_of_the_dataset_in_every_layer(self) -> None:
        network, data = deep(), normal(50, 3)
        population_statistics(network, [data])
        x = network[0](data)
        assert_population(network[1], *statistics(x, correction=1))
        mean, var = statistics(x, correction=0)
        x = (x - mean) / (var + 1e-5).sqrt() * network[1].weight + network[1].bias
        assert_population(network[5], *statistics(network[4](torch.tanh(x)), correction=1))

    def test_of_equal_batches_are_those_of_the_paper(self) -> None:
        network, batches = deep(), normal(6, 8, 3).unbind()
        population_statistics(network, batches)
        found = [statistics(network[0](batch), correction=0) for batch in batches]
        mean = torch.stack([mean for mean, _ in found]).mean(0)
        var = 8 / 7 * torch.stack([var for _, var in found]).mean(0)
        assert_population(network[1], mean, var)

    def test_the_mean_is_that_of_the_dataset_with_a_smaller_last_batch_too(self) -> None:
        network, data = deep(), normal(50, 3)
        population_statistics(network, data.split(16))  # 16, 16, 16 and 2
        torch.testing.assert_close(network[1].running_mean, network[0](data).mean(0).detach())

    def test_the_variance_is_unbiased_with_a_smaller_last_batch_too(self) -> None:
        """Over all ways to divide six digits into a batch of four and one of two, it averages to the unbiased one."""
        layer, data = BatchNorm(3, dtype=DOUBLE), normal(6, 3)
        found = []
        for last in itertools.combinations(range(6), 2):
            first = [n for n in range(6) if n not in last]
            population_statistics(layer, [data[first], data[list(last)]])
            found.append(layer.running_var.clone())
        torch.testing.assert_close(torch.stack(found).mean(0), data.var(0, correction=1))

    def test_of_a_feature_map_count_every_place(self) -> None:
        layer, data = BatchNorm(2, dtype=DOUBLE), normal(5, 2, 3, 4)
        population_statistics(layer, [data])
        assert_population(layer, *statistics(data, correction=1))

    def test_are_what_eval_mode_normalizes_with(self) -> None:
        network, data = deep(), normal(50, 3)
        population_statistics(network, [data])
        y = network[:2].eval()(data)
        expected = (network[0](data) - network[1].running_mean) / (network[1].running_var + 1e-5).sqrt()
        torch.testing.assert_close(y, expected * network[1].weight + network[1].bias)

    def test_do_not_depend_on_modes_noise_dropout_or_on_what_was_there(self) -> None:
        plain, other = deep(), deep(noise=1.0, generator=seeded(1), momentum=None)
        train_mode_pass(other)
        plain.eval()
        for network in (plain, other):
            population_statistics(network, normal(6, 8, 3).unbind())
        for n in (1, 5):
            assert_population(other[n], plain[n].running_mean, plain[n].running_var)

    @pytest.mark.parametrize("fails", [False, True])
    def test_leave_all_else_as_it_was(self, fails: bool) -> None:
        network = deep(noise=0.5, generator=seeded(1))
        train_mode_pass(network)
        network[3].eval()  # no one mode for all
        modes, before = [m.training for m in network.modules()], state(network)
        noise_before, momentum = network[1].generator.get_state(), network[1].momentum
        if fails:
            with pytest.raises(RuntimeError, match="the data ended"):
                population_statistics(network, failing_batches())
            assert_same(state(network), before)
            assert not network[1].frozen
        else:
            population_statistics(network, [normal(8, 3)])
            kept = [name for name in before if not name.endswith(("running_mean", "running_var"))]
            assert_same({name: state(network)[name] for name in kept}, {name: before[name] for name in kept})
            assert network[1].frozen
        assert [m.training for m in network.modules()] == modes
        assert torch.equal(network[1].generator.get_state(), noise_before)
        assert network[1].momentum == momentum
        assert all(parameter.grad is None for parameter in network.parameters())
        network[1].unfreeze()
        network(normal(8, 3))  # train mode is itself again
        assert network[1].num_batches_tracked == before["1.num_batches_tracked"] + 1

    def test_a_last_batch_of_one_is_refused_and_nothing_changes(self) -> None:
        network = deep()
        before = state(network)
        with pytest.raises(ValueError, match="2 values per channel"):
            population_statistics(network, normal(9, 3).split(8))
        assert_same(state(network), before)

    def test_are_taken_without_recording_gradients(self) -> None:
        network, recorded = deep(), []
        network.register_forward_hook(lambda _network, _x, y: recorded.append(y.requires_grad))
        population_statistics(network, normal(2, 8, 3).unbind())
        assert recorded == [False, False]

    def test_layers_that_keep_none_or_that_no_batch_reaches_stay_as_they_are(self) -> None:
        network = deep()
        network.insert(0, BatchNorm(3, track_running_stats=False, dtype=DOUBLE))
        network[1].unused = BatchNorm(7)
        population_statistics(network, [normal(8, 3)])
        assert network[2].frozen
        assert not network[0].frozen
        assert not network[1].unused.frozen

    @pytest.mark.parametrize("network", [deep(), nn.Linear(3, 3), BatchNorm(3, track_running_stats=False)])
    def test_without_a_layer_reached_there_are_none(self, network: nn.Module) -> None:
        with pytest.raises(ValueError, match="no batch reached a BatchNorm"):
            population_statistics(network, [])


def assert_population(layer: BatchNorm, mean: Tensor, var: Tensor) -> None:
    assert layer.frozen
    torch.testing.assert_close((layer.running_mean, layer.running_var), (mean.detach(), var.detach()))


def train_mode_pass(network: nn.Module) -> None:
    with torch.random.fork_rng():
        network.train()(normal(8, 3, seed=9))


def failing_batches() -> Iterator[Tensor]:
    yield normal(8, 3)
    raise RuntimeError("the data ended")


def two_layers() -> Any:
    return nn.Sequential(BatchNorm(3), BatchNorm(3))


class TestFrozen:
    @given(cases(track_running_stats=True))
    def test_train_mode_is_eval_mode_and_nothing_moves(self, case: Case) -> None:
        layer, theirs = case.ours(), case.torchs().eval()
        layer.freeze()
        before = state(layer)
        for ours, expected in zip(run(layer, case), run(theirs, case), strict=True):
            del ours["frozen"]
            assert_same(ours, expected)
        assert_same(state(layer), before)

    @pytest.mark.parametrize(
        "options",
        [{"bessel": True}, {"running": "standard deviation"}, {"noise": 0.1}, {"noisy": True}, {"momentum": None}],
        ids=str,
    )
    def test_holds_with_every_option(self, options: dict[str, Any]) -> None:
        layer = BatchNorm(3, dtype=DOUBLE, generator=seeded(1), **options)
        layer.set_population_statistics(normal(3), normal(3).square())
        before, x = state(layer), normal(4, 3)
        assert torch.equal(layer(x), copy.deepcopy(layer).eval()(x))
        assert_same(state(layer), before)

    def test_unfreeze_goes_on_from_there(self) -> None:
        layer = BatchNorm(3, momentum=0.5, dtype=DOUBLE)
        layer.set_population_statistics(normal(3), normal(3).square())
        layer.unfreeze()
        x = normal(4, 3, seed=1)
        assert torch.equal(layer(x), nn.BatchNorm1d(3, dtype=DOUBLE)(x))
        torch.testing.assert_close(layer.running_mean, (normal(3) + x.mean(0)) / 2)

    def test_gamma_and_beta_go_on_learning(self) -> None:
        layer = BatchNorm(3, dtype=DOUBLE)
        layer.freeze()
        layer(normal(4, 3)).sum().backward()
        assert gradient(layer.bias).tolist() == [4, 4, 4]

    def test_reset_running_stats_unfreezes(self) -> None:
        layer = BatchNorm(3, dtype=DOUBLE)
        layer.set_population_statistics(normal(3), normal(3).square())
        layer.reset_running_stats()
        layer(normal(4, 3))
        assert not layer.frozen
        assert layer.num_batches_tracked == 1

    def test_is_saved_with_the_state_and_loaded_with_it(self) -> None:
        saved, loaded = two_layers(), two_layers()
        saved[1].freeze()
        assert "frozen=True" in repr(saved)
        assert saved.state_dict().keys() - nn.Sequential(nn.BatchNorm1d(3), nn.BatchNorm1d(3)).state_dict().keys() == {
            "1.frozen"
        }
        file = io.BytesIO()
        torch.save(saved.state_dict(), file)
        file.seek(0)
        loaded[0].freeze()  # the other way round
        loaded.load_state_dict(torch.load(file), strict=True)
        assert [layer.frozen for layer in loaded] == [False, True]

    def test_a_layer_that_is_not_frozen_has_a_state_that_torchs_own_loads(self) -> None:
        layer = BatchNorm(3)
        layer.freeze()
        layer.unfreeze()
        nn.BatchNorm1d(3).load_state_dict(layer.state_dict(), strict=True)

    def test_a_state_of_torch_says_nothing_of_it_and_leaves_it(self) -> None:
        layer = BatchNorm(3)
        for frozen in (True, False):
            layer.frozen = frozen
            layer.load_state_dict(nn.BatchNorm1d(3).state_dict(), strict=True)
            assert layer.frozen is frozen

    def test_population_statistics_are_checked(self) -> None:
        layer = BatchNorm(3)
        with pytest.raises(ValueError, match=r"mean must have shape \(3,\), got \(2,\)"):
            layer.set_population_statistics(torch.zeros(2), torch.ones(3))
        with pytest.raises(ValueError, match=r"var must have shape \(3,\), got \(\)"):
            layer.set_population_statistics(torch.zeros(3), torch.tensor(1.0))
        with pytest.raises(ValueError, match="var must be 0 or above, got -1"):
            layer.set_population_statistics(torch.zeros(3), -torch.ones(3))
        assert not layer.frozen

    def test_there_must_be_statistics_to_be_frozen_at(self) -> None:
        layer = BatchNorm(3, track_running_stats=False)
        with pytest.raises(ValueError, match="track_running_stats=False has no running statistics to be frozen at"):
            layer.freeze()
        with pytest.raises(ValueError, match="track_running_stats=False"):
            layer.set_population_statistics(torch.zeros(3), torch.ones(3))


class TestRefuses:
    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ({"num_features": 0}, "num_features must be at least 1, got 0"),
            ({"eps": math.nan}, "eps must be positive and finite, got nan"),
            ({"eps": math.inf}, "eps must be positive and finite, got inf"),
            ({"momentum": -0.1}, "momentum must be from 0 to 1, or None for the cumulative average, got -0.1"),
            ({"momentum": 1.1}, "momentum must be from 0 to 1"),
            ({"momentum": math.nan}, "momentum must be from 0 to 1"),
            ({"noise": -0.1}, "noise must be 0 or above and finite, got -0.1"),
            ({"noise": math.inf}, "noise must be 0 or above and finite"),
            ({"noise": math.nan}, "noise must be 0 or above and finite"),
            ({"running": "std"}, "running must be 'variance' or 'standard deviation', got 'std'"),
        ],
        ids=str,
    )
    def test_settings_out_of_range(self, setting: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            BatchNorm(**{"num_features": 3} | setting)

    @pytest.mark.parametrize("kind", [BatchNorm, WrittenOut])
    @pytest.mark.parametrize("training", [True, False])
    @pytest.mark.parametrize(
        ("x", "message"),
        [
            (torch.zeros(3), r"x must have shape .*\(N, C, D, H, W\), got \(3,\); .* x\[None\]"),
            (torch.zeros(2, 3, 1, 1, 1, 1), r"got \(2, 3, 1, 1, 1, 1\)"),
            (torch.zeros(2, 4), r"num_features = 3 channels on its axis 1, got \(2, 4\)"),
            (torch.zeros(2, 3, dtype=torch.long), r"floating point, got torch.int64; .* x.float\(\)"),
            (torch.zeros(2, 3, dtype=torch.complex64), "floating point, got torch.complex64"),
            (
                torch.zeros(2, 3, dtype=DOUBLE),
                r"x is torch.float64 and the layer torch.float32; .* layer.to\(x.dtype\)",
            ),
        ],
        ids=str,
    )
    def test_inputs_it_is_not_for_in_both_modes(
        self, kind: type[BatchNorm], training: bool, x: Tensor, message: str
    ) -> None:
        layer = kind(3).train(training)
        before = state(layer)
        with pytest.raises(ValueError, match=message):
            layer(x)
        assert_same(state(layer), before)

    @pytest.mark.parametrize("kind", [BatchNorm, WrittenOut])
    @pytest.mark.parametrize("eps", [0.0, -1.0])
    def test_an_eps_that_torch_refuses_where_torch_does(self, kind: type[BatchNorm], eps: float) -> None:
        layer, x = kind(3, eps), normal(4, 3).float()
        with pytest.raises(ValueError, match=f"eps must be positive and finite, got {eps}"):
            layer(x)
        if eps == 0:
            assert torch.equal(layer.eval()(x), x)

    def test_half_precision_goes_through_no_layer_of_double(self) -> None:
        with pytest.raises(ValueError, match=r"x is torch.float16 and the layer torch.float64; .* layer.to\(x.dtype\)"):
            BatchNorm(3, dtype=DOUBLE)(torch.zeros(4, 3, dtype=torch.half))

    @pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1), (1, 3, 1, 1), (1, 3, 1, 1, 1)])
    @pytest.mark.parametrize("kind", [BatchNorm, WrittenOut])
    def test_one_value_per_channel_where_batch_statistics_are_needed(
        self, kind: type[BatchNorm], shape: tuple[int, ...]
    ) -> None:
        layer, x = kind(3), torch.ones(shape)
        before = state(layer)
        with pytest.raises(ValueError, match=r"2 values per channel.*take a larger batch or eval mode"):
            layer(x)
        assert_same(state(layer), before)
        torch.testing.assert_close(layer.eval()(x), x / (1 + 1e-5) ** 0.5)
        with pytest.raises(ValueError, match=r"take a larger batch$"):
            kind(3, track_running_stats=False).eval()(x)

    def test_nothing_of_one_sample_with_several_places(self) -> None:
        x = normal(1, 3, 2, 2)
        assert torch.equal(BatchNorm(3, dtype=DOUBLE)(x), nn.BatchNorm2d(3, dtype=DOUBLE)(x))

"""The stacked batchnorm layer is torch.nn.BatchNorm1d, for several networks at once. All in float64."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from bnviz.experiment.config import BatchNormConfig, replace
from bnviz.nn.descent import Descent
from bnviz.nn.layers import Parameter
from bnviz.nn.stacked import BatchNormState, Mode, StackedBatchNorm


@pytest.fixture(autouse=True, scope="module")
def _double_precision() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@dataclass(frozen=True)
class Case:
    """V networks' settings, and the batches (V, B, C) they see one after another."""

    configs: tuple[BatchNormConfig, ...]
    units: int
    inputs: tuple[Tensor, ...]
    delta: Tensor
    seed: int


@st.composite
def cases(draw: st.DrawFn, least: int = 1) -> Case:
    config = st.builds(
        BatchNormConfig,
        eps=st.floats(1e-12, 1.0),
        momentum=st.floats(0.001, 1.0),
        affine=st.booleans(),
    )
    configs = tuple(draw(st.lists(config, min_size=least, max_size=3)))
    batch, units, seed = draw(st.integers(2, 9)), draw(st.integers(1, 5)), draw(st.integers(0, 2**31 - 1))
    spread, center = draw(st.sampled_from([1e-2, 1.0, 1e2])), draw(st.sampled_from([0.0, 1.0, -30.0]))
    generator = torch.Generator().manual_seed(seed)
    shape = (len(configs), batch, units)
    inputs = tuple(torch.randn(shape, generator=generator) * spread + center for _ in range(3))
    return Case(configs, units, inputs, torch.randn(shape, generator=generator), seed)


def learned(case: Case) -> list[BatchNormState]:
    """States as they are some time into training; a layer that is not affine has learned no gamma and beta."""
    generator = torch.Generator().manual_seed(case.seed + 1)

    def state(config: BatchNormConfig) -> BatchNormState:
        found = BatchNormState.fresh(case.units)
        found.running_mean = torch.randn(1, case.units, generator=generator)
        found.running_var = torch.rand(1, case.units, generator=generator) + 0.1
        if config.affine:
            found.gamma = Parameter(torch.randn(1, case.units, generator=generator))
            found.beta = Parameter(torch.randn(1, case.units, generator=generator))
        return found

    return [state(config) for config in case.configs]


def torchs(config: BatchNormConfig, state: BatchNormState) -> nn.BatchNorm1d:
    units = state.gamma.value.shape[1]
    layer = nn.BatchNorm1d(units, eps=config.eps, momentum=config.momentum, affine=config.affine)
    with torch.no_grad():
        layer.running_mean.copy_(state.running_mean[0])
        layer.running_var.copy_(state.running_var[0])
        if config.affine:
            layer.weight.copy_(state.gamma.value[0])
            layer.bias.copy_(state.beta.value[0])
    return layer


def pair(case: Case) -> tuple[StackedBatchNorm, list[nn.BatchNorm1d]]:
    states = learned(case)
    theirs = [torchs(config, state) for config, state in zip(case.configs, states, strict=True)]
    return StackedBatchNorm(case.configs, states), theirs


def assert_near(ours: Tensor, theirs: Tensor | None, scale: float = 1.0) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9 * scale)


def everything(layer: StackedBatchNorm) -> list[Tensor]:
    found = (layer.gamma.value, layer.beta.value, layer.running_mean, layer.running_var)
    return [tensor.clone() for tensor in found]


def assert_unchanged(layer: StackedBatchNorm, before: list[Tensor]) -> None:
    assert all(torch.equal(a, b) for a, b in zip(everything(layer), before, strict=True))


class TestInTrainMode:
    @given(cases())
    def test_the_output_is_that_of_torch(self, case: Case) -> None:
        ours, theirs = pair(case)
        out = ours.forward(case.inputs[0], "train")
        for v, layer in enumerate(theirs):
            assert_near(out[v], layer(case.inputs[0][v]))

    @given(cases())
    def test_running_statistics_follow_torch_over_several_batches(self, case: Case) -> None:
        ours, theirs = pair(case)
        for x in case.inputs:
            ours.forward(x, "train")
            for v, layer in enumerate(theirs):
                layer(x[v])
        for v, layer in enumerate(theirs):
            assert_near(ours.running_mean[v, 0], layer.running_mean)
            assert_near(ours.running_var[v, 0], layer.running_var)

    def test_the_running_variance_takes_the_unbiased_estimate(self) -> None:
        layer = StackedBatchNorm([BatchNormConfig(momentum=1.0)], [BatchNormState.fresh(1)])
        layer.forward(torch.tensor([[[1.0], [3.0]]]), "train")
        assert layer.running_mean.item() == 2.0
        assert layer.running_var.item() == 2.0  # ((1 - 2)^2 + (3 - 2)^2) / (2 - 1), not / 2

    @given(cases())
    def test_gradients_are_those_of_autograd(self, case: Case) -> None:
        ours, theirs = pair(case)
        ours.forward(case.inputs[0], "train")
        delta_x = ours.backward(case.delta)
        for v, layer in enumerate(theirs):
            x = case.inputs[0][v].clone().requires_grad_()
            layer(x).backward(case.delta[v])
            steep = float(ours.inverse_std[v].max())  # the terms that cancel are this large
            assert_near(delta_x[v], x.grad, scale=max(1.0, steep))
            if layer.affine:
                assert_near(ours.delta_gamma[v, 0], layer.weight.grad)
                assert_near(ours.delta_beta[v, 0], layer.bias.grad)

    @given(cases())
    def test_the_normalized_values_have_mean_zero_and_variance_one_less_the_share_of_eps(self, case: Case) -> None:
        ours, _ = pair(case)
        x = case.inputs[0]
        ours.forward(x, "train")
        eps = torch.tensor([config.eps for config in case.configs]).view(-1, 1, 1)
        variance = x.var(1, keepdim=True, correction=0)
        assert_near(ours.x_hat.mean(1), torch.zeros(len(x), case.units), scale=1e3)
        assert_near(ours.x_hat.var(1, keepdim=True, correction=0), variance / (variance + eps), scale=1e3)

    def test_a_unit_that_never_varies_is_normalized_to_beta(self) -> None:
        layer = StackedBatchNorm([BatchNormConfig(eps=1e-12)], [BatchNormState.fresh(2)])
        out = layer.forward(torch.full((1, 4, 2), 3.0), "train")
        assert torch.equal(out, torch.zeros(1, 4, 2))
        assert layer.backward(torch.randn(1, 4, 2)).isfinite().all()


class TestInEvalMode:
    @given(cases())
    def test_the_output_is_that_of_torch(self, case: Case) -> None:
        ours, theirs = pair(case)
        out = ours.forward(case.inputs[0], "eval")
        for v, layer in enumerate(theirs):
            assert_near(out[v], layer.eval()(case.inputs[0][v]), scale=1e3)

    @given(cases())
    def test_running_statistics_stay_as_they_are(self, case: Case) -> None:
        ours, _ = pair(case)
        before = everything(ours)
        ours.forward(case.inputs[0], "eval")
        assert_unchanged(ours, before)

    def test_a_batch_of_one_is_enough(self) -> None:
        layer = StackedBatchNorm([BatchNormConfig()], [BatchNormState.fresh(3)])
        x = torch.randn(1, 1, 3)
        assert_near(layer.forward(x, "eval"), x / (1 + 1e-5) ** 0.5)


class TestInProbeMode:
    @given(cases())
    def test_the_output_is_that_of_train_mode(self, case: Case) -> None:
        probed, trained = pair(case)[0], pair(case)[0]
        assert torch.equal(probed.forward(case.inputs[0], "probe"), trained.forward(case.inputs[0], "train"))

    @given(cases())
    def test_running_statistics_stay_as_they_are(self, case: Case) -> None:
        ours, _ = pair(case)
        before = everything(ours)
        ours.forward(case.inputs[0], "probe")
        ours.backward(case.delta)
        assert_unchanged(ours, before)


@pytest.mark.parametrize("mode", ["train", "probe"])
def test_a_batch_of_one_has_no_statistics(mode: Mode) -> None:
    layer = StackedBatchNorm([BatchNormConfig()], [BatchNormState.fresh(3)])
    before = everything(layer)
    with pytest.raises(ValueError, match="at least 2 digits, got 1"):
        layer.forward(torch.randn(1, 1, 3), mode)
    assert_unchanged(layer, before)


class TestAStack:
    @given(cases(least=2))
    def test_gives_each_network_its_own_settings(self, case: Case) -> None:
        together = StackedBatchNorm(case.configs, learned(case))
        alone = [StackedBatchNorm([c], [s]) for c, s in zip(case.configs, learned(case), strict=True)]
        for x in case.inputs:
            out = together.forward(x, "train")
            for v, layer in enumerate(alone):
                assert_near(out[v], layer.forward(x[v : v + 1], "train")[0])
        delta = together.backward(case.delta)
        for v, layer in enumerate(alone):
            steep = max(1.0, float(layer.inverse_std.max()))
            assert_near(delta[v], layer.backward(case.delta[v : v + 1])[0], scale=steep)
            assert_near(together.running_mean[v], layer.running_mean[0])
            assert_near(together.running_var[v], layer.running_var[0])

    @given(
        cases(),
        st.sampled_from(
            [Descent(0.1), Descent(0.1, 0.9), Descent(0.1, 0.9, 0.5, decays_all=True), Descent(0.1, 0.9, 0, "adam")]
        ),
    )
    def test_moves_gamma_and_beta_of_affine_layers_only(self, case: Case, descent: Descent) -> None:
        layer = StackedBatchNorm(case.configs, learned(case))
        before = everything(layer)
        for x in case.inputs:
            layer.forward(x, "train")
            layer.backward(case.delta)
            layer.update(descent)
        for v, config in enumerate(case.configs):
            assert torch.equal(layer.gamma.value[v], before[0][v]) is not config.affine
            assert torch.equal(layer.beta.value[v], before[1][v]) is not config.affine

    @given(cases(), st.sampled_from([Descent(0.1, 0.9), Descent(0.1, 0.9, 0.5, "adam", decays_all=True)]))
    def test_freezes_gamma_and_beta_at_once_when_affine_is_switched_off(self, case: Case, descent: Descent) -> None:
        """Also with momentum, whose velocity would carry them on for a while."""
        affine = [replace(config, affine=True) for config in case.configs]
        moving = StackedBatchNorm(affine, learned(case))
        moving.forward(case.inputs[0], "train")
        moving.backward(case.delta)
        moving.update(descent)
        frozen = StackedBatchNorm(
            [replace(config, affine=False) for config in case.configs],
            [moving.take(v) for v in range(len(case.configs))],
        )
        before = everything(frozen)
        frozen.forward(case.inputs[1], "train")
        frozen.backward(case.delta)
        frozen.update(descent)
        assert torch.equal(frozen.gamma.value, before[0])
        assert torch.equal(frozen.beta.value, before[1])

    def test_hands_out_copies_of_a_network_that_training_does_not_reach(self) -> None:
        layer = StackedBatchNorm([BatchNormConfig()], [BatchNormState.fresh(2)])
        taken = layer.take(0)
        layer.forward(torch.randn(1, 5, 2) + 3, "train")
        layer.backward(torch.randn(1, 5, 2))
        layer.update(Descent(0.5))
        assert torch.equal(taken.gamma.value, torch.ones(1, 2))
        assert torch.equal(taken.beta.value, torch.zeros(1, 2))
        assert torch.equal(taken.running_mean, torch.zeros(1, 2))
        assert torch.equal(taken.running_var, torch.ones(1, 2))

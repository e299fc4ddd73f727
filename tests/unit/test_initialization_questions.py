"""Untrained networks are measured as autograd and plain sums say, and the same network in every init."""

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from bnviz.experiment.config import INITS, NetworkConfig, replace
from bnviz.nn.network import NetworkState, Stack
from bnviz.records.frames import PROBE_DIGITS
from bnviz.records.initialization import ACTIVATION_BINS, DERIVED_SCALES, InitialSetting
from bnviz.training.questions import initialization as initial
from bnviz.training.trainer import Trainer

if TYPE_CHECKING:
    from bnviz.training.batches import Batches

TANH = InitialSetting(NetworkConfig(3, 24, "tanh", "xavier_normal"), batchnorm=False, standardize=True, seed=5)


@pytest.mark.parametrize("batchnorm", [False, True])
def test_what_is_measured_is_what_autograd_and_plain_sums_say(batches: "Batches", batchnorm: bool) -> None:
    setting = replace(TANH, batchnorm=batchnorm)
    found = initial.measure(setting, batches)
    state = NetworkState.fresh(setting.variant, setting.seed)
    h = batches.probe(PROBE_DIGITS, True).double()
    outputs, activations = [], []
    for k, weight in enumerate(p.value.double() for p in state.weights):
        outputs.append((h @ weight).requires_grad_())
        z = outputs[-1]
        if batchnorm:
            z = torch.nn.functional.batch_norm(z, None, None, training=True)
        if k < 3:
            h = torch.tanh(z)
            activations.append(h)
    labels = batches.train_labels[:PROBE_DIGITS]
    losses = torch.nn.functional.cross_entropy(outputs[-1], labels, reduction="none")
    gradients = torch.autograd.grad(losses.sum(), outputs)
    p = found.propagated
    assert p.loss == pytest.approx(float(losses.mean().detach()), rel=1e-4)
    np.testing.assert_allclose(p.mean, [float(a.detach().mean()) for a in activations], atol=1e-5)
    np.testing.assert_allclose(p.std, [float(a.detach().std(correction=0)) for a in activations], rtol=1e-4)
    np.testing.assert_allclose(p.saturated, [float((a.abs() > 0.97).double().mean()) for a in activations], atol=1e-3)
    np.testing.assert_allclose(p.gradient, [float(g.square().mean().sqrt()) for g in gradients], rtol=1e-3)
    np.testing.assert_allclose(found.logits, outputs[-1].detach().numpy(), atol=1e-4)
    assert p.histograms.shape == (3, ACTIVATION_BINS)
    assert (p.histograms.sum(axis=1) == PROBE_DIGITS * 24).all()


def test_weights_are_all_counted(batches: "Batches") -> None:
    found = initial.measure(TANH, batches)
    assert [(w.fan_in, w.fan_out) for w in found.weights] == [(784, 24), (24, 24), (24, 24), (24, 10)]
    for w in found.weights:
        assert w.counts.sum() == w.fan_in * w.fan_out


def test_training_is_the_trainers(batches: "Batches") -> None:
    setting = replace(TANH, steps=30)
    trainer = Trainer(setting.training, [setting.variant], batches)
    while trainer.steps[0] < 30:
        trainer.advance(steps=30 - trainer.steps[0])
    expected = trainer.copy_of(0).forward(batches.probe(PROBE_DIGITS, True), "probe")[0].numpy()
    found = initial.measure(setting, batches)
    assert found.steps == 30
    np.testing.assert_array_equal(found.logits, expected)
    assert found.propagated.loss < initial.measure(TANH, batches).propagated.loss


def test_schemes_are_the_same_network_drawn_ten_ways(batches: "Batches") -> None:
    found = initial.schemes(TANH, batches)
    assert tuple(found) == INITS
    alone = initial.measure(TANH, batches).propagated
    np.testing.assert_array_equal(found["xavier_normal"].std, alone.std)
    assert not found["zeros"].std.any()
    assert found["rand"].saturated[-1] > 0.9


def test_derived_scales_keep_what_half_and_double_do_not(batches: "Batches") -> None:
    found = initial.scales(replace(TANH, network=replace(TANH.network, width=128)), batches)
    for scheme in ("xavier_normal", "he_normal"):
        half, one, double = (found[scheme, scale] for scale in DERIVED_SCALES)
        assert half.gradient[0] < one.gradient[0] / 100
        assert double.gradient[0] > 10 * one.gradient[0]
        assert half.std[-1] < one.std[-1] / 100
        assert 0.1 < one.std[-1] / one.std[0] < 2
        assert 0.1 < one.gradient[0] / one.gradient[-2] < 2


class TestSigns:
    def test_of_one_digit_on_raw_pixels_all_agree(self, batches: "Batches") -> None:
        found = initial.signs(TANH, batches)
        assert (found.shares["raw", 1] == 1).all()
        assert found.shares["raw", 32].mean() > found.shares["standardized", 32].mean()

    def test_do_not_depend_on_a_shift_of_the_inputs_under_batchnorm(self, batches: "Batches") -> None:
        found = initial.signs(replace(TANH, batchnorm=True), batches)
        assert not any(size == 1 for _, size in found.shares)
        assert found.shares["raw", 256].mean() == pytest.approx(found.shares["centred", 256].mean(), abs=0.01)

    def test_are_counted_without_zeros(self) -> None:
        gradient = torch.tensor([[1.0, -1.0, 0.0], [2.0, 1.0, 0.0], [0.0, 3.0, 0.0]])
        assert initial.sign_agreement(gradient).tolist() == pytest.approx([1.0, 2 / 3])

    def test_leave_the_network_as_it_was(self, batches: "Batches") -> None:
        net = Stack([0], [TANH.variant], [NetworkState.fresh(TANH.variant, TANH.seed)])
        before = [li.weight.value.clone() for li in net.linears()]
        initial.signs(TANH, batches)
        assert all(torch.equal(a, li.weight.value) for a, li in zip(before, net.linears(), strict=True))

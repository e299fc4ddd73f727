"""Layer, group, instance and RMS norm and standardized weights of a stack are torch's, for several networks at once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from bnviz.experiment.config import (
    CLASSES,
    PIXELS,
    BatchNormConfig,
    Experiment,
    Layer,
    NetworkConfig,
    NormalizerConfig,
    TrainingConfig,
    Variant,
    replace,
)
from bnviz.nn.descent import Descent
from bnviz.nn.layers import Parameter
from bnviz.nn.network import NetworkState, Stack
from bnviz.nn.stacked_normalizers import NormalizerState, StackedGroupNorm, StackedWeightStandardization
from bnviz.training.batches import Batches
from bnviz.training.saving import restored, save
from bnviz.training.sweep import SweepStack
from bnviz.training.trainer import Trainer
from tests.builders import torchs_activation

WIDTH = 12
OF_ACTIVATIONS = ("layer", "group", "instance", "rms")
PRECISION = {torch.float64: 1e-9, torch.float32: 3e-4}


@dataclass(frozen=True)
class Case:
    """V networks' settings of one kind, their layer, and a batch (V, B, C) or (V, B, C, H, W) with its gradient."""

    configs: tuple[NormalizerConfig, ...]
    layer: Layer
    x: Tensor
    delta: Tensor


@st.composite
def cases(draw: st.DrawFn) -> Case:
    kind = draw(st.sampled_from(OF_ACTIVATIONS))
    maps = kind == "instance" or draw(st.booleans())
    groups, each = draw(st.integers(1, 3)), draw(st.integers(2, 3))
    size = draw(st.integers(2, 4)) if maps else 1
    layer = Layer(3, groups * each, kernel=5 if maps else 0, size=size)
    eps = st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=3)
    configs = tuple(NormalizerConfig(kind, groups, e, affine=draw(st.booleans())) for e in draw(eps))  # type: ignore[arg-type]
    dtype = draw(st.sampled_from(list(PRECISION)))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31 - 1)))
    shape = (len(configs), draw(st.integers(1, 5)), layer.units, *[size, size] * maps)
    spread, center = draw(st.sampled_from([0.1, 1.0, 30.0])), draw(st.sampled_from([0.0, 1.0, -3.0]))
    x = (torch.randn(shape, generator=generator, dtype=dtype) + center) * spread
    return Case(configs, layer, x, torch.randn(shape, generator=generator, dtype=dtype))


def learned(config: NormalizerConfig, layer: Layer, seed: int, dtype: torch.dtype) -> NormalizerState:
    """A state as it is some time into training; a layer that is not affine has learned no gamma and beta."""
    state = NormalizerState.fresh(config, layer)
    assert state is not None
    generator = torch.Generator().manual_seed(seed)
    for parameter in [p for p in (state.gamma, state.beta) if p is not None]:
        moved = torch.randn(parameter.value.shape, generator=generator, dtype=dtype) * config.affine
        parameter.value = parameter.value.to(dtype) + moved
    return state


def torchs(config: NormalizerConfig, layer: Layer, state: NormalizerState) -> nn.Module:
    """torch's own layer with what a state has learned."""
    shape = [layer.units, *[layer.size, layer.size] * (layer.kernel > 0)]
    eps, affine = config.eps, config.affine
    made: nn.Module
    if config.kind == "layer":
        made = nn.LayerNorm(shape, eps, elementwise_affine=affine)
    elif config.kind == "rms":
        made = nn.RMSNorm(shape, eps, elementwise_affine=affine)
    elif config.kind == "group":
        made = nn.GroupNorm(config.groups, layer.units, eps, affine)
    else:
        made = nn.InstanceNorm2d(layer.units, eps, affine=affine)
    made = made.to(state.gamma.value.dtype)
    with torch.no_grad():
        for name, parameter in (("weight", state.gamma), ("bias", state.beta)):
            if affine and parameter is not None:
                own = getattr(made, name)
                own.copy_(parameter.value.view_as(own))
    return made


def assert_near(ours: Tensor, theirs: Tensor | None) -> None:
    assert theirs is not None
    near = PRECISION[ours.dtype]
    scale = max(1.0, float(theirs.detach().abs().max())) if theirs.numel() else 1.0
    torch.testing.assert_close(ours, theirs.view_as(ours), rtol=near, atol=near * scale)


class TestANormalizerOfActivations:
    @given(cases())
    def test_has_torchs_outputs_and_gradients(self, case: Case) -> None:
        states = [learned(c, case.layer, k, case.x.dtype) for k, c in enumerate(case.configs)]
        ours = StackedGroupNorm(case.configs, states)
        y, dx = ours.forward(case.x), ours.backward(case.delta)
        for v, (config, state) in enumerate(zip(case.configs, states, strict=True)):
            theirs, x = torchs(config, case.layer, state), case.x[v].clone().requires_grad_()
            out = theirs(x)
            out.backward(case.delta[v])
            assert_near(y[v], out)
            assert_near(dx[v], x.grad)
            for parameter, gradient in zip(theirs.parameters(), ours.gradients(), strict=False):
                assert_near(gradient[v], parameter.grad)

    @given(cases())
    def test_says_the_same_of_a_digit_alone(self, case: Case) -> None:
        states = [learned(c, case.layer, k, case.x.dtype) for k, c in enumerate(case.configs)]
        ours = StackedGroupNorm(case.configs, states)
        assert_near(ours.forward(case.x)[:, :1].clone(), ours.forward(case.x[:, :1]))

    def test_leaves_gamma_and_beta_as_they_are_if_it_is_not_affine(self) -> None:
        configs = [NormalizerConfig("layer", affine=affine) for affine in (True, False)]
        layer = Layer(3, 4)
        ours = StackedGroupNorm(configs, [learned(c, layer, 1, torch.float32) for c in configs])
        ours.forward(torch.randn(2, 5, 4))
        ours.backward(torch.randn(2, 5, 4))
        ours.update(Descent(0.5, 0.9))
        fresh, moved = ours.take(1), ours.take(0)
        assert fresh.beta is not None
        assert torch.equal(fresh.gamma.value, torch.ones(1, 4))
        assert torch.equal(fresh.beta.value, torch.zeros(1, 4))
        assert not torch.equal(moved.gamma.value, learned(configs[0], layer, 1, torch.float32).gamma.value)


class TestStandardizedWeights:
    @given(st.integers(1, 3), st.integers(2, 7), st.integers(1, 5), st.sampled_from(list(PRECISION)), st.booleans())
    def test_and_their_gradients_are_autograds(
        self, networks: int, inputs: int, units: int, dtype: torch.dtype, affine: bool
    ) -> None:
        config, layer = NormalizerConfig("weight", eps=1e-3, affine=affine), Layer(inputs, units)
        states = [learned(config, layer, k, dtype) for k in range(networks)]
        ours = StackedWeightStandardization([config] * networks, states)
        weight, delta = torch.randn(2, networks, inputs, units, dtype=dtype)
        found, gradient = ours.forward(weight), ours.backward(delta.clone())
        leaf, gamma = weight.clone().requires_grad_(), ours.gamma.value.clone().requires_grad_()
        var, mean = torch.var_mean(leaf, 1, correction=0, keepdim=True)
        expected = gamma * (leaf - mean) / (inputs * var + config.eps).sqrt()
        expected.backward(delta)
        assert_near(found, expected)
        assert_near(gradient, leaf.grad)
        assert_near(ours.delta_gamma, gamma.grad)

    def test_have_no_mean_and_length_one_whatever_the_init_scale(self) -> None:
        for scale in (0.01, 1.0, 100.0):
            config = NormalizerConfig("weight")
            fresh = NormalizerState.fresh(config, Layer(PIXELS, 5))
            assert fresh is not None
            weight = torch.rand(1, PIXELS, 5, generator=torch.Generator().manual_seed(3)) * scale
            found = StackedWeightStandardization([config], [fresh]).forward(weight)[0]
            np.testing.assert_allclose(found.sum(0), 0, atol=1e-4)
            np.testing.assert_allclose(found.norm(dim=0), 1, rtol=1e-2)


# -- whole networks ---------------------------------------------------------------------------------------------------

DENSE = NetworkConfig(2, WIDTH, "tanh", init="xavier_normal")
LENET = NetworkConfig(architecture="lenet", activation="relu", init="xavier_normal")
OTHERS = (
    NormalizerConfig("weight"),
    NormalizerConfig("layer", eps=1e-3),
    None,
    NormalizerConfig("rms", position="after"),
    NormalizerConfig("group", groups=2),
    NormalizerConfig("layer", position="after", affine=False),
)


def mixed(network: NetworkConfig) -> list[Variant]:
    """Networks of every normalizer, as a caller may list them."""
    found = [Variant(network, normalizer=norm) for norm in OTHERS]
    found[3:3] = [Variant(network, BatchNormConfig()), Variant(network, BatchNormConfig(position="after"))]
    instance = [Variant(network, normalizer=NormalizerConfig("instance"))] if network.architecture == "lenet" else []
    return found + instance


class _Standardized(nn.Module):
    """Standardized weights as torch's own parametrization, with gamma as a parameter (units,)."""

    def __init__(self, gamma: Tensor, eps: float) -> None:
        super().__init__()
        self.gamma, self.eps = nn.Parameter(gamma.clone()), eps

    def forward(self, weight: Tensor) -> Tensor:
        rows = weight.flatten(1)
        centred = rows - rows.mean(1, keepdim=True)
        length = (centred.square().sum(1, keepdim=True) + self.eps).sqrt()
        return (self.gamma[:, None] * centred / length).view_as(weight)


def twin(variant: Variant, state: NetworkState) -> nn.Sequential:
    """The same network in torch's own layers."""
    net, norm = variant.network, variant.batchnorm or variant.normalizer
    modules: list[nn.Module] = [nn.Unflatten(1, (1, 28, 28))] if net.architecture == "lenet" else []
    for i, (layer, weight) in enumerate(zip(net.layers, state.weights, strict=True)):
        linear: nn.Linear | nn.Conv2d = (
            nn.Conv2d(layer.inputs, layer.units, layer.kernel, padding=layer.padding)
            if layer.kernel
            else nn.Linear(layer.inputs, layer.units)
        )
        with torch.no_grad():
            linear.weight.copy_(weight.value.T.reshape(linear.weight.shape))
            linear.bias.copy_(state.biases[i].value[0])
        modules += [nn.Flatten()] if not layer.kernel and i and net.layers[i - 1].kernel else []
        modules.append(linear)
        if i == len(net.hidden):
            break
        both: list[nn.Module] = [torchs_activation(net.activation)]
        kept = state.normalizer[i] if state.normalizer else None
        if isinstance(norm, BatchNormConfig):
            both.append((nn.BatchNorm2d if layer.kernel else nn.BatchNorm1d)(layer.units))
        elif norm and kept and norm.kind == "weight":
            own = _Standardized(kept.gamma.value[0], norm.eps)
            nn.utils.parametrize.register_parametrization(linear, "weight", own)
        elif norm and kept:
            both.append(torchs(norm, layer, kept))
        modules += both[::-1] if norm and norm.position == "before" else both
        modules += [nn.AvgPool2d(2)] if layer.kernel else []
    return nn.Sequential(*modules)


@pytest.fixture
def double_precision() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("network", [DENSE, LENET], ids=["dense", "LeNet"])
@pytest.mark.parametrize("each_its_own", [False, True], ids=["one batch", "a batch each"])
def test_a_stack_of_every_normalizer_learns_as_torchs_networks_do(network: NetworkConfig, each_its_own: bool) -> None:
    """Three steps with momentum and weight decay."""
    variants = mixed(network)
    states = [NetworkState.fresh(v, seed) for seed, v in enumerate(variants)]
    stack = Stack(range(len(variants)), variants, states)
    theirs = [twin(variants[i], stack.state(place)) for place, i in enumerate(stack.members)]
    optimizers = [torch.optim.SGD(decaying(net), lr=0.1, momentum=0.9) for net in theirs]
    generator = torch.Generator().manual_seed(5)
    for _ in range(3):
        x = torch.rand(*[len(stack)] * each_its_own, 6, PIXELS, generator=generator)
        labels = torch.randint(CLASSES, x.shape[:-1], generator=generator)
        losses = stack.losses(x, labels, "train")
        stack.update(Descent(0.1, 0.9, 0.01))
        for v, (net, optimizer) in enumerate(zip(theirs, optimizers, strict=True)):
            own = (x[v], labels[v]) if each_its_own else (x, labels)
            loss = nn.functional.cross_entropy(net(own[0]), own[1])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            torch.testing.assert_close(losses[v], loss.detach(), rtol=1e-8, atol=1e-10)
    x = torch.rand(9, PIXELS, generator=generator)
    logits = stack.forward(x, "eval")
    for v, net in enumerate(theirs):
        torch.testing.assert_close(logits[v], net.eval()(x).detach(), rtol=1e-7, atol=1e-8)


def decaying(network: nn.Module) -> list[dict[str, object]]:
    """Weights decay; biases, gamma and beta do not."""
    weights = [p for p in network.parameters() if p.dim() in (2, 4) and not (p.dim() == 4 and p.shape[2] != 5)]
    norms = [p for m in network.modules() if isinstance(m, nn.LayerNorm | nn.RMSNorm) for p in m.parameters()]
    weights = [w for w in weights if not any(w is p for p in norms)]
    others = [p for p in network.parameters() if not any(p is w for w in weights)]
    return [{"params": weights, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]


@pytest.mark.parametrize("network", [DENSE, LENET], ids=["dense", "LeNet"])
def test_inference_is_training_without_batchnorm(network: NetworkConfig) -> None:
    variants = [v for v in mixed(network) if v.batchnorm is None]
    stack = Stack(range(len(variants)), variants, [NetworkState.fresh(v, 1) for v in variants])
    x = torch.rand(8, PIXELS, generator=torch.Generator().manual_seed(6))
    trained = stack.forward(x, "train").clone()
    for mode in ("eval", "population", "probe", 4):
        assert torch.equal(stack.forward(x, mode), trained)
    assert stack.norms() == []


def test_a_network_keeps_what_it_learned_unless_the_kind_changes() -> None:
    layer, rms = (Variant(DENSE, normalizer=NormalizerConfig(kind)) for kind in ("layer", "rms"))
    state = NetworkState.fresh(layer, 1)
    assert state.normalizer is not None
    for kept in state.normalizer:
        assert kept is not None
        kept.gamma = Parameter(torch.full((1, WIDTH), 7.0))
    moved = replace(layer, normalizer=NormalizerConfig("layer", position="after"))
    assert all(k and (k.gamma.value == 7).all() for k in state.fit_normalizer(moved, 1).normalizer or [])
    assert all(
        k and k.beta is None and (k.gamma.value == 1).all() for k in state.fit_normalizer(rms, 1).normalizer or []
    )
    assert state.fit_normalizer(Variant(DENSE, BatchNormConfig()), 1).normalizer is None
    assert state.batchnorm is not None
    assert state.fit_normalizer(layer, 1).batchnorm is None


def test_a_network_learns_the_same_alone_and_beside_others(batches: Batches) -> None:
    training, variants = TrainingConfig(batch_size=8, steps=4), mixed(DENSE)
    together = Trainer(training, variants, batches).advance()
    for i, variant in enumerate(variants):
        alone = Trainer(training, [variant], batches).advance().variants[0]
        np.testing.assert_allclose(together.variants[i].losses, alone.losses, rtol=1e-5)
        np.testing.assert_allclose(together.variants[i].gradient_norm, alone.gradient_norm, rtol=1e-3)


def test_a_run_goes_on_after_it_was_saved(batches: Batches) -> None:
    training = TrainingConfig(batch_size=8, steps=6)
    trainer = Trainer(training, mixed(DENSE), batches)
    trainer.advance(steps=3)
    saved = save(trainer, 2**30)
    assert saved is not None
    ours, theirs = trainer.advance(steps=2), restored(saved, lambda _: batches).advance(steps=2)
    for a, b in zip(ours.variants, theirs.variants, strict=True):
        np.testing.assert_array_equal(a.losses, b.losses)


def test_a_sweep_of_normalizers_goes_on_from_its_checkpoint(batches: Batches) -> None:
    training = TrainingConfig(batch_size=8, steps=20, momentum=0.5)
    experiments = [Experiment(training, (variant,)) for variant in mixed(DENSE)]
    whole, part = (SweepStack(experiments, batches) for _ in range(2))
    whole.advance()
    part.advance()
    rest = SweepStack(experiments, batches, part.save())
    while not whole.finished:
        whole.advance()
        rest.advance()
    np.testing.assert_array_equal(rest.found.train_loss, whole.found.train_loss)
    np.testing.assert_array_equal(rest.found.test_loss, whole.found.test_loss)

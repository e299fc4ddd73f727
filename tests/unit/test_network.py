"""The stack's forward, backward and update are those of torch networks trained one by one. All in float64."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor, nn
from torch.nn import functional

from bnviz.experiment.choices import ACTIVATIONS, Activation, Architecture, Optimizer
from bnviz.experiment.config import CLASSES, PIXELS, BatchNormConfig, NetworkConfig, Variant
from bnviz.nn.descent import Descent
from bnviz.nn.layers import ACTIVATION, cross_entropy
from bnviz.nn.network import NetworkState, Stack
from bnviz.nn.stacked import Mode, StackedBatchNorm
from bnviz.records.frames import MAP_DIGITS
from bnviz.training import probes
from tests.builders import row_of, torchs_activation

Digits = tuple[Tensor, Tensor]

BATCH = 7
BEFORE = BatchNormConfig(eps=1e-3, momentum=0.3)
AFTER = BatchNormConfig(position="after", momentum=0.01)
NOT_AFFINE = BatchNormConfig(affine=False)
MIXED = (None, AFTER, BEFORE, None, NOT_AFFINE)  # as a caller may list them: not the order the stack keeps


@pytest.fixture(autouse=True, scope="module")
def _double_precision(one_thread: None) -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="module")
def digits() -> Digits:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(BATCH, PIXELS, generator=generator), torch.randint(CLASSES, (BATCH,), generator=generator)


def variants_of(
    norms: Sequence[BatchNormConfig | None],
    activation: Activation = "tanh",
    layers: int = 2,
    width: int = 5,
    architecture: Architecture = "mlp",
) -> list[Variant]:
    network = NetworkConfig(layers, width, activation, init="xavier_normal", architecture=architecture)
    return [Variant(network, norm) for norm in norms]


def states_of(variants: Sequence[Variant]) -> list[NetworkState]:
    """Networks some time into training: another seed each, and biases, gamma and beta that are not zero and one."""
    found = [NetworkState.fresh(variant, seed) for seed, variant in enumerate(variants)]
    generator = torch.Generator().manual_seed(2)
    for state, variant in zip(found, variants, strict=True):
        learned = list(state.biases)
        if state.batchnorm and variant.batchnorm and variant.batchnorm.affine:
            learned += [p for norm in state.batchnorm for p in (norm.gamma, norm.beta)]
        for parameter in learned:
            parameter.value.add_(torch.randn(parameter.value.shape, generator=generator) * 0.3)
    return found


def twin(variant: Variant, state: NetworkState) -> nn.Sequential:
    """The same network, as anybody would write it in torch."""
    net, bn = variant.network, variant.batchnorm
    modules: list[nn.Module] = [nn.Unflatten(1, (1, 28, 28))] if net.architecture != "mlp" else []
    flat = False
    for i, (shape, weight, bias) in enumerate(zip(net.layers, state.weights, state.biases, strict=True)):
        if shape.kernel:
            linear: nn.Conv2d | nn.Linear = nn.Conv2d(shape.inputs, shape.units, shape.kernel, padding=shape.padding)
        else:
            linear = nn.Linear(shape.inputs, shape.units)
            modules += [] if flat else [nn.Flatten()]
            flat = True
        with torch.no_grad():
            linear.weight.copy_(weight.value.T.view_as(linear.weight))
            linear.bias.copy_(bias.value[0])
        modules.append(linear)
        if i == len(net.hidden):
            break
        layer: list[nn.Module] = [torchs_activation(net.activation)]
        if bn and state.batchnorm:
            kind = nn.BatchNorm2d if shape.kernel else nn.BatchNorm1d
            norm = kind(shape.units, eps=bn.eps, momentum=bn.momentum, affine=bn.affine)
            if bn.affine:
                with torch.no_grad():
                    norm.weight.copy_(state.batchnorm[i].gamma.value.flatten())
                    norm.bias.copy_(state.batchnorm[i].beta.value.flatten())
            layer.insert(0 if bn.position == "before" else 1, norm)
        pool = {"lenet": nn.AvgPool2d(2), "cnn": nn.MaxPool2d(2)}
        modules += [*layer, pool[net.architecture]] if shape.kernel else layer
    return nn.Sequential(*modules)


@dataclass
class Learned:
    """Values or gradients of one network in one order: weights (I, O), biases (O,), gammas and betas (C,)."""

    weights: list[Tensor]
    others: list[Tensor]


def stacks_gradients(stack: Stack, place: int) -> Learned:
    linears = stack.linears()
    deltas = [li.delta[place].flatten(2) if li.delta.dim() > 3 else li.delta[place].unsqueeze(2) for li in linears]
    found = Learned([li.gradient()[place] for li in linears], [delta.sum((0, 2)) for delta in deltas])
    for norm, k in norms_at(stack, place):
        if norm.affine is None or norm.affine[k]:
            found.others += [norm.delta_gamma[k].flatten(), norm.delta_beta[k].flatten()]
    return found


def stacks_values(stack: Stack, place: int) -> Learned:
    state = stack.state(place)
    found = Learned([p.value for p in state.weights], [p.value[0] for p in state.biases])
    for (norm, k), kept in zip(norms_at(stack, place), state.batchnorm or [], strict=True):
        if norm.affine is None or norm.affine[k]:
            found.others += [kept.gamma.value.flatten(), kept.beta.value.flatten()]
    return found


def norms_at(stack: Stack, place: int) -> list[tuple[StackedBatchNorm, int]]:
    """The batchnorm layers of one network, each with the network's place in it."""
    return stack.norms_of(place)


def torchs_values(network: nn.Sequential, of_gradients: bool = False) -> Learned:
    def found(parameter: Tensor | None) -> Tensor:
        assert parameter is not None
        value = parameter.grad if of_gradients else parameter.detach()
        assert value is not None
        return value

    linears = [m for m in network if isinstance(m, nn.Linear | nn.Conv2d)]
    norms = [m for m in network if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) and m.affine]
    return Learned(
        [found(m.weight).flatten(1).T for m in linears],
        [found(m.bias) for m in linears] + [found(p) for m in norms for p in (m.weight, m.bias)],
    )


def assert_near(ours: Learned, theirs: Learned, atol: float = 1e-10) -> None:
    for a, b in zip([*ours.weights, *ours.others], [*theirs.weights, *theirs.others], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=atol)


def everything(stack: Stack) -> list[Tensor]:
    found: list[Tensor] = []
    for place in range(len(stack)):
        state = stack.state(place)
        parameters = [*state.weights, *state.biases]
        for norm in state.batchnorm or []:
            parameters += [norm.gamma, norm.beta]
            found += [norm.running_mean, norm.running_var]
        found += [kept for p in parameters for kept in (p.value, p.velocity, p.square, p.steps) if kept is not None]
    return found


def assert_identical(found: list[Tensor], expected: list[Tensor]) -> None:
    assert len(found) == len(expected) > 0
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


class TestOneStepOfLearning:
    @pytest.mark.parametrize("activation", ACTIVATIONS)
    @pytest.mark.parametrize("norm", [None, BEFORE, AFTER, NOT_AFFINE], ids=["none", "before", "after", "not affine"])
    def test_has_the_loss_and_the_gradients_of_autograd(
        self, digits: Digits, activation: Activation, norm: BatchNormConfig | None
    ) -> None:
        variants = variants_of([norm], activation)
        self.assert_is_autograds(variants, *digits)

    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_has_them_for_each_network_of_a_mixed_stack(self, digits: Digits, activation: Activation) -> None:
        self.assert_is_autograds(variants_of(MIXED, activation), *digits)

    @pytest.mark.parametrize("layers", [1, 4])
    @pytest.mark.parametrize("width", [1, 6])
    def test_has_them_at_any_depth_and_width(self, digits: Digits, layers: int, width: int) -> None:
        self.assert_is_autograds(variants_of(MIXED, layers=layers, width=width), *digits)

    @pytest.mark.parametrize("norms", [[None], [BEFORE], [None, None], MIXED], ids=["none", "one", "two", "mixed"])
    @pytest.mark.parametrize("architecture", ["lenet", "cnn"])
    def test_has_them_for_convolutional_networks(
        self, digits: Digits, norms: Sequence[BatchNormConfig | None], architecture: Architecture
    ) -> None:
        self.assert_is_autograds(variants_of(norms, "sigmoid", architecture=architecture), *digits)

    def test_has_them_for_max_pooling_of_equal_values(self, digits: Digits) -> None:
        """Half of what ReLU gives is 0, and batchnorm after it makes that something else."""
        self.assert_is_autograds(variants_of([AFTER, None], "relu", architecture="cnn"), *digits)

    def assert_is_autograds(self, variants: list[Variant], x: Tensor, labels: Tensor) -> None:
        states = states_of(variants)
        networks = [twin(variant, state) for variant, state in zip(variants, states, strict=True)]
        stack = Stack(range(len(variants)), variants, states)
        losses = stack.losses(x, labels, "train")
        for place, member in enumerate(stack.members):
            loss = functional.cross_entropy(networks[member](x), labels)
            loss.backward()
            assert losses[place].item() == pytest.approx(loss.item(), rel=1e-10)
            assert_near(stacks_gradients(stack, place), torchs_values(networks[member], of_gradients=True))

    @pytest.mark.parametrize("architecture", ["mlp", "lenet", "cnn"])
    def test_in_eval_mode_the_logits_are_those_of_torch(self, digits: Digits, architecture: Architecture) -> None:
        variants = variants_of(MIXED, architecture=architecture)
        states = states_of(variants)
        networks = [twin(variant, state) for variant, state in zip(variants, states, strict=True)]
        stack = Stack(range(len(variants)), variants, states)
        for step in range(3):  # so that running statistics are not what they began as
            x = digits[0] + step
            stack.forward(x, "train")
            for network in networks:
                network(x)
        logits = stack.forward(digits[0], "eval")
        for place, member in enumerate(stack.members):
            torch.testing.assert_close(logits[place], networks[member].eval()(digits[0]))


OPTIMIZERS: dict[Optimizer, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "nesterov": partial(torch.optim.SGD, nesterov=True),
    "adam": lambda groups, lr, momentum: torch.optim.Adam(groups, lr=lr, betas=(momentum, 0.999)),
}


class TestTheOptimizer:
    @pytest.mark.parametrize(("optimizer", "momentum"), [("sgd", 0.0), ("sgd", 0.9), ("nesterov", 0.9), ("adam", 0.8)])
    @pytest.mark.parametrize(("decay", "everything_decays"), [(0.0, False), (0.05, False), (0.05, True)])
    @pytest.mark.parametrize(
        "architecture", ["mlp", *(pytest.param(name, marks=pytest.mark.slow) for name in ("lenet", "cnn"))]
    )
    def test_is_that_of_torch(
        self,
        digits: Digits,
        optimizer: Optimizer,
        momentum: float,
        decay: float,
        everything_decays: bool,
        architecture: Architecture,
    ) -> None:
        x, labels = digits
        variants = variants_of(MIXED, architecture=architecture)
        states = states_of(variants)
        networks = [twin(variant, state) for variant, state in zip(variants, states, strict=True)]
        stack = Stack(range(len(variants)), variants, states)
        optimizers = []
        for network in networks:
            weights = [m.weight for m in network if isinstance(m, nn.Linear | nn.Conv2d)]
            others = [p for p in network.parameters() if not any(p is w for w in weights)]
            groups = [
                {"params": weights, "weight_decay": decay},
                {"params": others, "weight_decay": decay * everything_decays},
            ]
            optimizers.append(OPTIMIZERS[optimizer](groups, lr=1.0, momentum=momentum))
        for rate in (0.1, 0.2, 0.05, 0.05, 0.01):
            rate *= 1 if optimizer == "sgd" else 0.1  # no further than where rounding is not magnified
            stack.losses(x, labels, "train")
            stack.update(Descent(rate, momentum, decay, optimizer, everything_decays))
            for place, member in enumerate(stack.members):
                network, theirs = networks[member], optimizers[member]
                for group in theirs.param_groups:
                    group["lr"] = rate
                theirs.zero_grad()
                functional.cross_entropy(network(x), labels).backward()
                theirs.step()
                # A bias before batchnorm has no gradient but rounding, which Adam makes larger.
                atol = 1e-7 if optimizer == "adam" else 1e-10
                assert_near(stacks_values(stack, place), torchs_values(network), atol)

    @pytest.mark.parametrize(
        "descent",
        [
            Descent(0.1),
            Descent(0.1, 0.9),
            Descent(0.1, 0.9, 0.05),
            Descent(0.1, 0.0, 0.05),
            Descent(0.1, 0.9, 0.05, "nesterov"),
            Descent(0.01, 0.9, 0.05, "adam"),
        ],
    )
    def test_moves_the_weights_by_the_update_that_is_shown_before_it(self, digits: Digits, descent: Descent) -> None:
        stack = self.stack()
        for _ in range(3):
            stack.losses(*digits, "train")
            shown = [descent.rate * li.direction(li.gradient(), descent) for li in stack.linears()]
            before = [li.weight.value.clone() for li in stack.linears()]
            stack.update(descent)
            for li, update, old in zip(stack.linears(), shown, before, strict=True):
                torch.testing.assert_close(old - li.weight.value, update)

    def test_decays_weights_that_get_no_gradient_and_leaves_biases_gamma_and_beta(self) -> None:
        stack = self.stack()
        before = [stacks_values(stack, place) for place in range(len(stack))]
        stack.losses(torch.zeros(BATCH, PIXELS), torch.zeros(BATCH, dtype=torch.int64), "probe")
        for li in stack.linears():
            li.delta = torch.zeros_like(li.delta)
        for _, norm in stack.placed():
            norm.delta_gamma, norm.delta_beta = (torch.zeros_like(norm.gamma.value) for _ in range(2))
        stack.update(Descent(0.5, 0.0, 0.1))
        for place, old in enumerate(before):
            found = stacks_values(stack, place)
            for new, weight in zip(found.weights, old.weights, strict=True):
                torch.testing.assert_close(new, weight * 0.95)
            assert_identical(found.others, old.others)

    def stack(self) -> Stack:
        variants = variants_of(MIXED)
        return Stack(range(len(variants)), variants, states_of(variants))


class TestAStack:
    def train(self, stack: Stack, digits: Digits, descent: Descent, steps: int = 3) -> list[Tensor]:
        found = []
        for _ in range(steps):
            found.append(stack.losses(*digits, "train"))
            stack.update(descent)
        return found

    @pytest.mark.parametrize(
        "descent",
        [Descent(0.1), Descent(0.1, 0.9, 0.01), Descent(0.01, 0.9, 0.01, "adam", decays_all=True)],
        ids=["plain", "momentum and decay", "Adam"],
    )
    @pytest.mark.parametrize("architecture", ["mlp", "lenet", "cnn"])
    def test_taken_apart_and_put_together_goes_on_to_the_bit(
        self, digits: Digits, descent: Descent, architecture: Architecture
    ) -> None:
        variants = variants_of(MIXED, architecture=architecture)
        stack = Stack(range(len(variants)), variants, states_of(variants))
        self.train(stack, digits, descent)
        states = dict(zip(stack.members, map(stack.state, range(len(stack))), strict=True))
        again = Stack(range(len(variants)), variants, [states[i] for i in range(len(variants))])
        assert_identical(everything(again), everything(stack))
        assert_identical(self.train(again, digits, descent), self.train(stack, digits, descent))
        assert_identical(everything(again), everything(stack))

    def test_hands_out_states_that_training_does_not_reach(self, digits: Digits) -> None:
        variants = variants_of([BEFORE])
        stack = Stack([0], variants, states_of(variants))
        self.train(stack, digits, Descent(0.1, 0.9))
        state = stack.state(0)
        expected = everything(Stack([0], variants, [state]))
        self.train(stack, digits, Descent(0.1, 0.9))
        assert_identical(everything(Stack([0], variants, [state])), expected)

    def test_does_not_train_the_states_it_was_made_from(self, digits: Digits) -> None:
        variants = variants_of([BEFORE])
        states = states_of(variants)
        before = states[0].weights[0].value.clone()
        self.train(Stack([0], variants, states), digits, Descent(0.1))
        assert torch.equal(states[0].weights[0].value, before)

    @given(st.permutations(range(len(MIXED))))
    def test_names_the_member_at_each_place_whatever_their_order(self, order: list[int]) -> None:
        variants = variants_of(MIXED)
        states = states_of(variants)
        stack = Stack(order, variants, states)
        assert sorted(stack.members) == sorted(order)
        for place, member in enumerate(stack.members):
            state = stack.state(place)
            assert torch.equal(state.weights[0].value, states[member].weights[0].value)
            assert (state.batchnorm is None) == (variants[member].batchnorm is None)

    def test_may_hold_only_some_of_the_variants(self, digits: Digits) -> None:
        variants = variants_of(MIXED)
        states = states_of(variants)
        every, some = Stack(range(5), variants, states), Stack([1, 3], variants, states)
        all_losses = dict(zip(every.members, every.losses(*digits, "probe").tolist(), strict=True))
        for member, loss in zip(some.members, some.losses(*digits, "probe").tolist(), strict=True):
            assert loss == pytest.approx(all_losses[member], rel=1e-12)


class TestLooking:
    """Whatever is measured, the networks stay as they are, to the bit."""

    @pytest.fixture
    def stack(self, digits: Digits) -> Stack:
        variants = variants_of(MIXED)
        stack = Stack(range(len(variants)), variants, states_of(variants))
        stack.losses(*digits, "train")
        stack.update(Descent(0.1, 0.9, 0.01))
        return stack

    @pytest.mark.parametrize("mode", ["probe", "eval"])
    def test_a_forward_pass_changes_nothing(self, stack: Stack, digits: Digits, mode: Mode) -> None:
        before = everything(stack)
        stack.forward(digits[0], mode)
        assert_identical(everything(stack), before)

    def test_a_forward_and_a_backward_pass_change_nothing(self, stack: Stack, digits: Digits) -> None:
        before = everything(stack)
        stack.losses(*digits, "probe")
        assert_identical(everything(stack), before)

    def test_the_trace_changes_nothing(self, stack: Stack, digits: Digits) -> None:
        before = everything(stack)
        stack.trace(digits[0])
        assert_identical(everything(stack), before)

    def test_the_probes_change_nothing(self, stack: Stack, digits: Digits) -> None:
        before = everything(stack)
        probes.gradients(stack, *digits, Descent(0.1, 0.9, 0.01))
        probes.evaluate(stack, *digits)
        probes.layers(stack, digits[0], "tanh")
        assert_identical(everything(stack), before)

    def test_does_not_change_the_training_that_follows(self, stack: Stack, digits: Digits) -> None:
        unseen = Stack(range(5), variants_of(MIXED), self.states(stack))
        for _ in range(3):
            probes.gradients(stack, *digits, Descent(0.1, 0.9))
            probes.evaluate(stack, *digits)
            probes.layers(stack, digits[0], "tanh")
            assert torch.equal(stack.losses(*digits, "train"), unseen.losses(*digits, "train"))
            stack.update(Descent(0.1, 0.9))
            unseen.update(Descent(0.1, 0.9))
        assert_identical(everything(stack), everything(unseen))

    def states(self, stack: Stack) -> list[NetworkState]:
        found = dict(zip(stack.members, map(stack.state, range(len(stack))), strict=True))
        return [found[i] for i in range(len(stack))]

    def test_the_trace_shows_every_place_of_a_layer(self, stack: Stack, digits: Digits) -> None:
        x = digits[0]
        traces = stack.trace(x)
        for place, member in enumerate(stack.members):
            norm, state, trace = MIXED[member], stack.state(place), traces[place][0]
            pre_activation = x @ state.weights[0].value + state.biases[0].value
            assert_matches(trace.places["pre_activation"], pre_activation)
            torch.testing.assert_close(trace.post_activation, trace.activation_input.tanh())
            assert_matches(trace.places["post_activation"], trace.post_activation)
            if norm is None:
                assert trace.places.keys() == {"pre_activation", "post_activation"}
                continue
            assert state.batchnorm is not None
            normalizes = pre_activation if norm.position == "before" else trace.post_activation
            x_hat = (normalizes - normalizes.mean(0)) / (normalizes.var(0, correction=0) + norm.eps).sqrt()
            learned = state.batchnorm[0]
            assert_matches(trace.places["normalized"], x_hat)
            assert_matches(trace.places["batchnorm_output"], x_hat * learned.gamma.value + learned.beta.value)

    def test_the_trace_of_a_convolution_has_a_row_for_each_position_of_the_first_digits(self) -> None:
        x = torch.rand(MAP_DIGITS + 4, PIXELS, generator=torch.Generator().manual_seed(4))
        variants = variants_of([BEFORE], architecture="lenet")
        state = states_of(variants)[0]
        trace = Stack([0], variants, [state]).trace(x)[0][0]
        kernels = state.weights[0].value.T.view(6, 1, 5, 5)
        maps = functional.conv2d(x.view(-1, 1, 28, 28), kernels, state.biases[0].value[0], padding=2)
        x_hat = functional.batch_norm(maps, None, None, training=True, eps=BEFORE.eps)
        for name, expected in (("pre_activation", maps), ("normalized", x_hat)):
            rows = expected[:MAP_DIGITS].permute(0, 2, 3, 1).reshape(-1, 6)
            assert_matches(trace.places[name], rows)

    def test_evaluating_in_chunks_gives_the_mean_over_all_digits(
        self, stack: Stack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        generator = torch.Generator().manual_seed(5)
        x, labels = torch.rand(11, PIXELS, generator=generator), torch.randint(CLASSES, (11,), generator=generator)
        monkeypatch.setattr(probes, "EVALUATION_CHUNK", 4)
        loss, accuracy = probes.evaluate(stack, x, labels)
        logits = stack.forward(x, "eval")
        for place in range(len(stack)):
            expected = functional.cross_entropy(logits[place], labels).item()
            assert loss[place] == pytest.approx(expected, rel=1e-6)
            assert accuracy[place] == pytest.approx((logits[place].argmax(1) == labels).double().mean().item())


def assert_matches(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)


class TestTheLoss:
    @given(
        arrays("f8", (3, 4, CLASSES), elements=st.floats(-1e3, 1e3)),
        arrays("i8", (4,), elements=st.integers(0, CLASSES - 1)),
    )
    def test_and_its_gradient_are_those_of_torch(self, values: object, numbers: object) -> None:
        logits, labels = torch.tensor(values, requires_grad=True), torch.tensor(numbers)
        loss, delta = cross_entropy(logits.detach(), labels)
        for v in range(3):
            expected = functional.cross_entropy(logits[v], labels)
            torch.testing.assert_close(loss[v], expected.detach())
            (gradient,) = torch.autograd.grad(expected, logits)
            torch.testing.assert_close(delta[v], gradient[v])

    def test_of_equal_logits_is_ln_10(self) -> None:
        loss, _ = cross_entropy(torch.zeros(1, 5, CLASSES), torch.arange(5))
        assert loss.item() == pytest.approx(torch.log(torch.tensor(10.0)).item())

    def test_stays_finite_for_huge_logits(self) -> None:
        logits = torch.zeros(1, 1, CLASSES)
        logits[..., 0] = 1e30
        loss, delta = cross_entropy(logits, torch.tensor([1]))
        assert loss.item() == 1e30
        assert delta.isfinite().all()


@pytest.mark.parametrize("name", ACTIVATIONS)
@given(values=arrays("f8", 6, elements=st.floats(-8, 8).filter(lambda x: abs(x) > 1e-6)))  # ReLU has no slope at 0
def test_the_slope_of_an_activation_is_its_derivative(name: str, values: object) -> None:
    x = torch.tensor(values, requires_grad=True)
    y = torchs_activation(name)(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    activation = row_of(ACTIVATION, name, "ACTIVATION")
    torch.testing.assert_close(activation.f(x.detach()), y.detach())
    torch.testing.assert_close(activation.slope(x.detach(), y.detach()), slope)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_steepest_slope_is_the_largest_there_is(name: str) -> None:
    activation, x = row_of(ACTIVATION, name, "ACTIVATION"), torch.linspace(-5, 5, 10_001)
    assert activation.slope(x, activation.f(x)).max().item() == pytest.approx(activation.steepest, rel=1e-4)

"""BatchNorm is one of torch's own to whatever asks: sample inputs, tools, compiler, and derivatives beyond torch's."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.optim.swa_utils import AveragedModel, update_bn
from torch.utils.checkpoint import checkpoint

from bnviz.nn.batchnorm import BatchNorm

pytestmark = pytest.mark.usefixtures("one_thread")  # sums in one order: equal bits

DOUBLE = torch.float64
TORCHS: dict[int, Callable[..., nn.Module]] = {
    2: nn.BatchNorm1d,
    3: nn.BatchNorm1d,
    4: nn.BatchNorm2d,
    5: nn.BatchNorm3d,
}


def state(layer: Any) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in layer.state_dict().items()}


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = DOUBLE) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@dataclass(frozen=True)
class Sample:
    """What torch's own suite calls its layers with."""

    arguments: tuple[Any, ...]
    shape: tuple[int, ...]
    keywords: dict[str, Any] = field(default_factory=dict)


# torch.testing._internal.common_modules, module_inputs_torch_nn_BatchNorm1d, 2d and 3d; importing it takes a package
# that nothing else here needs.
SAMPLES = [
    Sample((10,), (4, 10)),
    Sample((5,), (4, 5, 3)),
    Sample((10, 1e-3, None), (4, 10)),
    Sample((10, 1e-3, 0.3, False), (4, 10)),
    Sample((10, 1e-3, 0.3, True, False), (4, 10)),
    Sample((5, 1e-3, 0.3, False), (4, 5, 3)),
    Sample((5, 1e-3, 0.3, False), (0, 5, 9)),
    Sample((10,), (4, 10), {"bias": False}),
    *(
        sample
        for places, momentum in (((6, 6), 0.8), ((4, 4, 4), 0.7))
        for sample in (
            Sample((3,), (2, 3, *places)),
            Sample((3, 1e-3, None), (2, 3, *places)),
            Sample((3, 1e-3, momentum), (2, 3, *places)),
            Sample((3, 1e-3, momentum, False), (2, 3, *places)),
            Sample((3, 1e-3, momentum, True, False), (2, 3, *places)),
            Sample((5, 1e-3, 0.3, False), (0, 5, *[2] * len(places))),
            Sample((3,), (2, 3, *places), {"bias": False}),
        )
    ),
]


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE, torch.half, torch.bfloat16], ids=str)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_torchs_own_samples_give_torchs_outputs_gradients_and_buffers(
    sample: Sample, training: bool, dtype: torch.dtype
) -> None:
    found = []
    for kind in (TORCHS[len(sample.shape)], BatchNorm):
        layer = kind(*sample.arguments, **sample.keywords | {"dtype": dtype}).train(training)
        x = normal(*sample.shape, dtype=dtype).requires_grad_()
        y = layer(x)
        y.backward(normal(*sample.shape, seed=1, dtype=dtype))
        found.append([y, x.grad, *(p.grad for p in layer.parameters()), *layer.buffers()])
    for theirs, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


@pytest.mark.parametrize("eps", [-1.0, 0.0])
@pytest.mark.parametrize("shape", [(2, 10), (2, 10, 5, 5), (2, 10, 4, 4, 4)])
def test_torchs_own_samples_of_errors_give_them_where_torch_does(eps: float, shape: tuple[int, ...]) -> None:
    layer = BatchNorm(10, eps=eps)
    with pytest.raises(ValueError, match="eps must be positive"):
        layer(torch.ones(shape))


@pytest.mark.parametrize("dtype", [torch.half, torch.bfloat16], ids=str)
@pytest.mark.parametrize("training", [True, False])
def test_half_precision_goes_through_a_layer_of_single_as_through_torchs(training: bool, dtype: torch.dtype) -> None:
    x = normal(8, 3, 5, dtype=dtype)
    ours, theirs = BatchNorm(3).train(training), nn.BatchNorm1d(3).train(training)
    y = ours(x)
    assert torch.equal(y, theirs(x))
    assert y.dtype == dtype
    torch.testing.assert_close(state(ours), state(theirs), rtol=0, atol=0)


@pytest.mark.parametrize("options", [{}, {"running": "standard deviation"}, {"bessel": True}, {"noisy": True}], ids=str)
@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4), (2, 3, 0), (0, 3, 2, 2), (0, 3, 2, 2, 2)])
def test_an_empty_batch_is_counted_and_moves_nothing(shape: tuple[int, ...], options: dict[str, Any]) -> None:
    layer = BatchNorm(3, momentum=None, **options)
    layer(normal(4, *shape[1:2], dtype=torch.float32))
    before = state(layer)
    x = torch.zeros(shape, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert y.shape == x.grad.shape == shape
    torch.testing.assert_close(state(layer), before | {"num_batches_tracked": torch.tensor(2)}, rtol=0, atol=0)


class TestToolsOfTorch:
    def network(self) -> Any:
        network = nn.Sequential(
            nn.Conv2d(1, 3, 3), BatchNorm(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 4), BatchNorm(4)
        )
        network(normal(16, 1, 6, 6, dtype=torch.float32))
        return network

    def test_update_bn_gives_the_plain_mean_over_the_batches(self) -> None:
        layer, batches = BatchNorm(3, dtype=DOUBLE), normal(5, 8, 3).unbind()
        update_bn(batches, layer)
        torch.testing.assert_close(layer.running_mean, torch.stack([x.mean(0) for x in batches]).mean(0))
        torch.testing.assert_close(layer.running_var, torch.stack([x.var(0) for x in batches]).mean(0))
        assert layer.momentum == 0.1

    def test_averaged_weights_get_statistics_of_their_own(self) -> None:
        network = self.network()
        averaged: Any = AveragedModel(network)
        update_bn(normal(3, 16, 1, 6, 6, dtype=torch.float32).unbind(), averaged)
        assert averaged.module[1].num_batches_tracked == 3

    def test_convert_sync_batchnorm_takes_every_layer_with_its_state(self) -> None:
        network = self.network().eval()
        converted = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(network))
        assert [type(converted[n]) for n in (1, 5)] == [nn.SyncBatchNorm] * 2
        x = normal(4, 1, 6, 6, dtype=torch.float32)
        assert torch.equal(converted(x), network(x))

    def test_fusion_takes_it(self) -> None:
        network, x = self.network().eval(), normal(4, 1, 6, 6, dtype=torch.float32)
        hidden = network[:4](x)
        torch.testing.assert_close(fuse_conv_bn_eval(network[0], network[1])(x), network[:2](x))
        torch.testing.assert_close(fuse_linear_bn_eval(network[4], network[5])(hidden), network[4:](hidden))

    def test_a_symbolic_trace_sees_one_module_which_keeps_its_modes(self) -> None:
        network, x = self.network(), normal(4, 1, 6, 6, dtype=torch.float32)
        traced = fx.symbolic_trace(copy.deepcopy(network))
        assert [n.target for n in traced.graph.nodes if n.op == "call_module"] == ["0", "1", "2", "3", "4", "5"]
        assert torch.equal(traced(x), network(x))
        torch.testing.assert_close(state(traced), state(network), rtol=0, atol=0)
        assert torch.equal(traced.eval()(x), network.eval()(x))

    @pytest.mark.slow
    @pytest.mark.parametrize("options", [{}, {"bessel": True}, {"running": "standard deviation"}], ids=str)
    def test_compiles_into_one_graph_in_both_modes(self, options: dict[str, Any]) -> None:
        torch.compiler.reset()
        layer, x = BatchNorm(3, **options), normal(6, 3, dtype=torch.float32)
        expected = copy.deepcopy(layer)
        compiled: Any = torch.compile(layer, backend="aot_eager", fullgraph=True)
        for training in (True, False):
            outputs = [each.train(training)(x.requires_grad_()) for each in (compiled, expected)]
            torch.testing.assert_close(*outputs)
            torch.testing.assert_close(*(torch.autograd.grad(y.square().sum(), x)[0] for y in outputs))
        torch.testing.assert_close(layer.running_var, expected.running_var)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "options", [{"momentum": None}, {"noise": 0.1, "generator": torch.Generator()}], ids=["cumulative", "generator"]
    )
    def test_compiles_with_a_break_where_the_graph_cannot_go_on(self, options: dict[str, Any]) -> None:
        torch.compiler.reset()
        layer, x = BatchNorm(3, **options), normal(6, 3, dtype=torch.float32)
        expected = nn.BatchNorm1d(3, momentum=layer.momentum)
        compiled: Any = torch.compile(layer, backend="aot_eager")
        for _ in range(2):
            compiled(x), expected(x)
        torch.testing.assert_close(state(layer), state(expected))

    def test_a_checkpointed_part_has_two_derivatives_as_with_torchs_layer(self) -> None:
        found = []
        for layer in (BatchNorm(3, dtype=DOUBLE), nn.BatchNorm1d(3, dtype=DOUBLE)):
            x = normal(6, 3).requires_grad_()
            y = checkpoint(lambda z, layer=layer: layer(z).tanh(), x, use_reentrant=False)
            (first,) = torch.autograd.grad(y.sum(), x, create_graph=True)
            found.append([first, *torch.autograd.grad(first.square().sum(), x)])
        torch.testing.assert_close(*found)


def derivatives(layer: nn.Module, orders: int) -> list[float]:
    """The first derivatives at 0 of f(t) = sum w BN(x + t v), by autograd."""
    x, v, w = (torch.tensor(each, dtype=DOUBLE) for each in ([0.0, 1, 3, 6], [1.0, 0, 0, 0], [1.0, -1, 2, 0]))
    t = torch.zeros((), dtype=DOUBLE, requires_grad=True)
    value = (w * layer((x + t * v)[:, None])[:, 0]).sum()
    found = []
    for _ in range(orders):
        (value,) = torch.autograd.grad(value, t, create_graph=True)
        found.append(value.item())
    return found


class TestDerivatives:
    @pytest.mark.parametrize("shape", [(5, 2), (3, 2, 2), (2, 2, 2, 2)])
    @pytest.mark.parametrize("training", [True, False])
    def test_of_second_order_are_those_of_finite_differences(self, shape: tuple[int, ...], training: bool) -> None:
        layer = BatchNorm(2, dtype=DOUBLE).train(training)
        assert layer.weight is not None
        nn.init.uniform_(layer.weight, 0.5, 2)
        assert torch.autograd.gradgradcheck(layer, normal(*shape).requires_grad_())

    def test_of_third_order_are_those_of_finite_differences(self) -> None:
        def gradient(x: Tensor) -> Tensor:
            (found,) = torch.autograd.grad(BatchNorm(2, dtype=DOUBLE)(x).pow(3).sum(), x, create_graph=True)
            return found

        assert torch.autograd.gradgradcheck(gradient, normal(4, 2).requires_grad_())

    def test_of_gamma_and_beta_are_those_of_torch(self) -> None:
        found = []
        for layer in (BatchNorm(2, dtype=DOUBLE), nn.BatchNorm1d(2, dtype=DOUBLE)):
            x = normal(5, 2).requires_grad_()
            inputs = [x, layer.weight, layer.bias]
            gradients = torch.autograd.grad(layer(x).pow(3).sum(), inputs, create_graph=True)
            found.append(
                [*gradients, *torch.autograd.grad(torch.cat([g.flatten() for g in gradients]).square().sum(), inputs)]
            )
        torch.testing.assert_close(*found)

    def test_nested_transforms_are_right_where_torch_is_silently_wrong(self) -> None:
        x, w = normal(4, 1), normal(4, 1, seed=1)

        def fourth(layer: Callable[[Tensor], Tensor]) -> float:
            f: Any = lambda t: (w * layer(x + t * torch.eye(4, 1, dtype=DOUBLE))).sum()  # noqa: E731
            for _ in range(4):
                f = torch.func.grad(f)
            return float(f(torch.zeros((), dtype=DOUBLE)))

        def by_hand(z: Tensor) -> Tensor:
            return (z - z.mean(0)) / (z.var(0, correction=0) + 1e-5).sqrt()

        ours = BatchNorm(1, track_running_stats=False, affine=False, dtype=DOUBLE)
        assert math.isclose(fourth(ours), fourth(by_hand), rel_tol=1e-6)

    def test_a_usual_backward_pass_keeps_the_gradient_of_the_kernel_and_no_memory(self) -> None:
        ours, theirs = BatchNorm(3), nn.BatchNorm1d(3)
        x = normal(6, 3, dtype=torch.float32).requires_grad_()
        held = x * 2
        y = ours(held)
        (gradient,) = torch.autograd.grad(y.square().sum(), x)
        assert torch.equal(gradient, torch.autograd.grad(theirs(x * 2).square().sum(), x)[0])
        with pytest.raises(RuntimeError, match="after they have already been freed"):
            y.grad_fn._saved_input  # noqa: B018

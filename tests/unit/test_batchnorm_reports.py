"""The numbers of public reports about batchnorm, which the layer has to give; owner/name#number is the thread."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from bnviz.nn.batchnorm import BatchNorm
from bnviz.nn.reference import batchnorm_forward
from tests.unit.test_batchnorm_kin import derivatives

DOUBLE = torch.float64


def column(*values: float, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.tensor(values, dtype=dtype)[:, None]


def test_the_variance_that_normalizes_is_not_the_one_that_is_remembered() -> None:
    """pytorch#60528, #19902, #106366"""
    n, c, i = (torch.arange(size).view(shape) for size, shape in ((4, (4, 1, 1)), (3, (1, 3, 1)), (4, (1, 1, 4))))
    layer = BatchNorm(3)
    y = layer((i + 1 + n + 4 * c).float())
    assert y[0, 0, 0].item() == pytest.approx(-1.897363, abs=1e-6)
    assert layer.running_var.tolist() == pytest.approx([1.166667] * 3, abs=1e-6)
    alone = BatchNorm(1)
    alone(column(*range(1, 5)).repeat(36, 1))
    assert alone.running_var.item() == pytest.approx(1.0258741, abs=1e-7)


def test_momentum_none_weighs_a_small_batch_like_a_large_one() -> None:
    """pytorch#31498"""
    layer, small = BatchNorm(1, momentum=None), column(3, 3)
    layer(torch.zeros(32, 1))
    layer(small)
    assert layer.running_mean.item() == 1.5
    assert layer.num_batches_tracked == 2
    assert small.sum().item() / 34 == pytest.approx(0.17647, abs=1e-5)  # pooled


def test_a_batch_of_two_keeps_little_and_a_batch_of_one_is_refused() -> None:
    """pytorch#4534, #156051, fastai#1352"""
    assert BatchNorm(1, dtype=DOUBLE)(column(1, 1.001, dtype=DOUBLE)).flatten().tolist() == pytest.approx(
        [-0.156174, 0.156174], abs=1e-6
    )
    assert BatchNorm(1)(column(0, 0)).flatten().tolist() == [0, 0]
    with pytest.raises(ValueError, match="2 values per channel"):
        BatchNorm(1)(column(1))


def test_only_a_frozen_layer_is_frozen() -> None:
    """pytorch#86590, keras#9522"""
    batches = 5 + torch.randn(10, 20_000, 1, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    half, whole = BatchNorm(1, dtype=DOUBLE).requires_grad_(False), BatchNorm(1, dtype=DOUBLE)
    whole.freeze()
    for x in batches:
        half(x), whole(x)
    assert half.running_mean.item() == pytest.approx(3.257, abs=0.005)
    assert whole.running_mean.item() == 0

    gamma, beta, r, v = 3.0, 0.5, 2.0, 4.0
    whole.set_population_statistics(torch.tensor([r]), torch.tensor([v]))
    nn.init.constant_(whole.weight, gamma)
    nn.init.constant_(whole.bias, beta)
    x = batches[0].clone().requires_grad_()
    y = whole(x)
    torch.testing.assert_close(y, gamma * (x - r) / (v + 1e-5) ** 0.5 + beta)
    y.sum().backward()
    torch.testing.assert_close(x.grad, torch.full_like(x, gamma / (v + 1e-5) ** 0.5))


def test_track_running_stats_may_be_switched_later() -> None:
    """pytorch#37823, #20967"""
    layer, x = BatchNorm(1, dtype=DOUBLE), column(1, 2, 6, dtype=DOUBLE)
    layer.set_population_statistics(torch.tensor([7.0]), torch.tensor([4.0]))
    layer.unfreeze()
    layer.track_running_stats = False
    of_batch = nn.BatchNorm1d(1, dtype=DOUBLE)(x)
    assert torch.equal(layer(x), of_batch)
    assert (layer.running_mean.item(), layer.running_var.item(), layer.num_batches_tracked.item()) == (7, 4, 0)
    torch.testing.assert_close(layer.eval()(x), (x - 7) / (4 + 1e-5) ** 0.5)
    without = BatchNorm(1, track_running_stats=False, dtype=DOUBLE)
    without.track_running_stats = True
    assert torch.equal(without(x), of_batch)
    assert torch.equal(without.eval()(x), of_batch)


@pytest.mark.parametrize(("center", "in_one_pass"), [(1e3, 1.0625), (1e4, 0), (1e5, 1024)])
def test_the_variance_takes_two_passes(center: float, in_one_pass: float) -> None:
    """pytorch#5410, tensorflow#3290"""
    x = (center + np.random.default_rng(0).standard_normal(256)).astype(np.float32)
    assert np.mean(x * x) - np.mean(x) ** 2 == in_one_pass
    for layer in (BatchNorm(1, momentum=1.0), BatchNorm(1, momentum=1.0, running="standard deviation")):
        layer(torch.from_numpy(x)[:, None])
        assert layer.running_var.item() * 255 / 256 == pytest.approx(1.0238, abs=0.005 if center == 1e5 else 1e-3)
    _, in_numpy = batchnorm_forward(x[:, None], np.ones(1), np.zeros(1), {"mode": "train"})
    assert in_numpy.var.item() == pytest.approx(1.0238, abs=0.005)


def test_the_counter_that_an_old_state_lacks_is_filled_in() -> None:
    """pytorch#110361"""
    old = nn.BatchNorm1d(3).state_dict()
    del old["num_batches_tracked"], old._metadata  # type: ignore[attr-defined]
    layer = BatchNorm(3)
    layer.load_state_dict(old, strict=True)
    assert layer.num_batches_tracked == 0


def test_what_looks_for_torchs_subclass_finds_it() -> None:
    """`update_bn` skipped whatever was none."""
    layer = BatchNorm(1)
    update_bn([torch.zeros(32, 1), column(3, 3)], layer)
    assert layer.running_mean.item() == 1.5


def test_an_empty_batch_goes_through() -> None:
    """pytorch#12013, #36530"""
    layer = BatchNorm(3)
    assert layer(torch.zeros(0, 3)).shape == (0, 3)
    assert (layer.running_mean.tolist(), layer.running_var.tolist()) == ([0, 0, 0], [1, 1, 1])
    assert layer.num_batches_tracked == 1


def test_derivatives_do_not_stop_at_the_second() -> None:
    """pytorch#186256"""
    right = [0.213200716, 0.048454708, 0.002973357, -0.010962377]
    assert derivatives(BatchNorm(1, eps=0.25, dtype=DOUBLE), 4) == pytest.approx(right, abs=1e-9)
    with pytest.raises(RuntimeError, match="does not support 3rd"):
        derivatives(nn.BatchNorm1d(1, eps=0.25, dtype=DOUBLE), 3)

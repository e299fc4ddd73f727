"""The NumPy reference of batchnorm: against autograd, against itself, and against the difference quotient."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bnviz.nn.reference import batchnorm_backward, batchnorm_backward_staged, batchnorm_forward

ROOT = Path(__file__).parents[2]
Arrays = npt.NDArray[np.float64]

shapes = {"count": st.integers(2, 40), "units": st.integers(1, 12), "seed": st.integers(0, 2**32 - 1)}


def batch(count: int, units: int, seed: int) -> tuple[Arrays, Arrays, Arrays, Arrays]:
    """x, gamma, beta, dL/dy."""
    rng = np.random.default_rng(seed)
    x = rng.normal(rng.normal(0, 3, units), rng.uniform(0.5, 4, units), (count, units))
    return x, rng.normal(1, 1, units), rng.normal(0, 1, units), rng.normal(0, 1, (count, units))


def autograd(
    x: Arrays, gamma: Arrays, beta: Arrays, dout: Arrays, bn: dict[str, Any]
) -> tuple[Arrays, Arrays, Arrays, Arrays]:
    """y, dx, dgamma, dbeta by PyTorch's own batch_norm."""
    leaves = [torch.tensor(array, requires_grad=True) for array in (x, gamma, beta)]
    train = bn["mode"] == "train"
    mean, var = (None if train else torch.tensor(bn[name]) for name in ("running_mean", "running_var"))
    y = torch.nn.functional.batch_norm(
        leaves[0], mean, var, leaves[1], leaves[2], training=train, eps=bn.get("eps", 1e-5)
    )
    gradients = torch.autograd.grad(y, leaves, torch.tensor(dout))
    dx, dgamma, dbeta = (g.numpy() for g in gradients)
    return y.detach().numpy(), dx, dgamma, dbeta


@given(**shapes, eps=st.sampled_from([1e-8, 1e-5, 1e-2, 1.0]))
def test_forward_and_backward_agree_with_autograd(count: int, units: int, seed: int, eps: float) -> None:
    x, gamma, beta, dout = batch(count, units, seed)
    bn = {"mode": "train", "eps": eps}
    expected = autograd(x, gamma, beta, dout, bn)
    y, cache = batchnorm_forward(x, gamma, beta, bn)
    found = (y, *batchnorm_backward(dout, cache))
    largest = 1 + np.abs(dout).max() * np.abs(gamma * cache.inv_std).max()  # two close numbers have a large gradient
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10 * largest)


@given(**shapes, mode=st.sampled_from(["train", "test"]))
def test_the_staged_backward_equals_the_closed_form(count: int, units: int, seed: int, mode: str) -> None:
    x, gamma, beta, dout = batch(count, units, seed)
    bn = {"mode": mode, "running_mean": x[0] / 2, "running_var": np.ones(units)}
    _, cache = batchnorm_forward(x, gamma, beta, bn)
    staged = batchnorm_backward_staged(dout, cache)
    largest = 1 + np.abs(dout).max() * np.abs(gamma * cache.inv_std).max()
    for ours, name in zip(batchnorm_backward(dout, cache), ("dx", "dgamma", "dbeta"), strict=True):
        np.testing.assert_allclose(getattr(staged, name), ours, rtol=1e-10, atol=1e-10 * largest)


def test_the_backward_agrees_with_the_difference_quotient() -> None:
    x, gamma, beta, dout = batch(7, 3, seed=1)
    inputs = (x, gamma, beta)

    def loss() -> float:
        return float((dout * batchnorm_forward(*inputs, {"mode": "train"})[0]).sum())

    _, cache = batchnorm_forward(*inputs, {"mode": "train"})
    h = 1e-6
    for array, gradient in zip(inputs, batchnorm_backward(dout, cache), strict=True):
        quotient = np.zeros_like(array)
        for place in np.ndindex(array.shape):
            array[place] += h
            above = loss()
            array[place] -= 2 * h
            quotient[place] = (above - loss()) / (2 * h)
            array[place] += h
        np.testing.assert_allclose(gradient, quotient, rtol=1e-6, atol=1e-8)


def test_every_stage_is_the_gradient_of_its_node() -> None:
    """Each node is perturbed, and the rest of the graph is computed from it again."""
    x, gamma, beta, dout = batch(5, 1, seed=2)
    _, cache = batchnorm_forward(x, gamma, beta, {"mode": "train"})
    staged = batchnorm_backward_staged(dout, cache)
    nodes: dict[str, tuple[npt.NDArray[Any], Callable[[Arrays], Any]]] = {
        "dx_hat": (cache.x_hat, lambda v: gamma * v + beta),
        "dinv_std": (cache.inv_std, lambda v: gamma * cache.centered * v + beta),
        "dvar": (cache.var, lambda v: gamma * cache.centered / np.sqrt(v + cache.eps) + beta),
        "dsquared": (cache.centered**2, lambda v: gamma * cache.centered / np.sqrt(v.mean(0) + cache.eps) + beta),
        "dcentered": (cache.centered, lambda v: gamma * v / np.sqrt((v**2).mean(0) + cache.eps) + beta),
        "dmean": (cache.mean, lambda v: gamma * (x - v) / np.sqrt(((x - v) ** 2).mean(0) + cache.eps) + beta),
    }
    h = 1e-6
    for name, (value, rest) in nodes.items():
        quotient = np.zeros_like(value)
        for place in np.ndindex(value.shape):
            step = np.zeros_like(value)
            step[place] = h
            quotient[place] = (dout * (rest(value + step) - rest(value - step))).sum() / (2 * h)
        np.testing.assert_allclose(getattr(staged, name), quotient, rtol=1e-5, atol=1e-7, err_msg=name)


@given(**shapes)
def test_train_mode_normalizes_every_column(count: int, units: int, seed: int) -> None:
    x, _, _, _ = batch(count, units, seed)
    y, cache = batchnorm_forward(x, np.ones(units), np.zeros(units), {"mode": "train"})
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-10)
    np.testing.assert_allclose(y.var(0), cache.var / (cache.var + cache.eps), rtol=1e-10)


@given(**shapes)
def test_the_gradient_of_x_sums_to_zero_and_has_no_part_along_x_hat(count: int, units: int, seed: int) -> None:
    x, gamma, beta, dout = batch(count, units, seed)
    _, cache = batchnorm_forward(x, gamma, beta, {"mode": "train", "eps": 0.0})
    dx, _, _ = batchnorm_backward(dout, cache)
    scale = 1 + np.abs(dout).sum(0) * np.abs(gamma * cache.inv_std)
    np.testing.assert_allclose(dx.sum(0) / scale, 0, atol=1e-10)
    np.testing.assert_allclose((dx * cache.x_hat).sum(0) / scale, 0, atol=1e-10)


@given(**shapes)
def test_test_mode_agrees_with_autograd(count: int, units: int, seed: int) -> None:
    x, gamma, beta, dout = batch(count, units, seed)
    bn: dict[str, Any] = {"mode": "test", "running_mean": x[0] / 2, "running_var": np.full(units, 2.5)}
    y, cache = batchnorm_forward(x, gamma, beta, bn)
    for ours, theirs in zip((y, *batchnorm_backward(dout, cache)), autograd(x, gamma, beta, dout, bn), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


def test_test_mode_takes_a_batch_of_one_and_leaves_the_running_statistics_untouched() -> None:
    mean, var = np.array([1.0, 2.0]), np.array([4.0, 9.0])
    bn = {"mode": "test", "running_mean": mean, "running_var": var, "eps": 0.0}
    y, _ = batchnorm_forward([[3, 5]], [1, 1], [0, 0], bn)
    np.testing.assert_allclose(y, [[1, 1]])
    assert bn["running_mean"] is mean
    assert bn["running_var"] is var


def test_running_statistics_move_by_one_minus_momentum_with_the_biased_variance() -> None:
    x = np.array([[0.0, 10.0], [2.0, 30.0]])
    bn: dict[str, Any] = {"mode": "train", "momentum": 0.75}
    batchnorm_forward(x, [1, 1], [0, 0], bn)
    np.testing.assert_allclose(bn["running_mean"], [0.25, 5])
    np.testing.assert_allclose(bn["running_var"], [0.25, 25])  # of [1, 100], divided by N
    batchnorm_forward(x, [1, 1], [0, 0], bn)
    np.testing.assert_allclose(bn["running_mean"], [0.4375, 8.75])


def test_the_default_momentum_is_nine_tenths_and_eps_a_hundred_thousandth() -> None:
    bn: dict[str, Any] = {"mode": "train"}
    _, cache = batchnorm_forward([[0.0], [2.0]], [1], [0], bn)
    np.testing.assert_allclose(bn["running_mean"], [0.1])
    assert cache.eps == 1e-5


def test_single_precision_stays_single() -> None:
    x, gamma, beta, dout = (array.astype(np.float32) for array in batch(6, 2, seed=3))
    bn: dict[str, Any] = {"mode": "train"}
    y, cache = batchnorm_forward(x, gamma, beta, bn)
    assert {a.dtype.name for a in (y, *batchnorm_backward(dout, cache), bn["running_var"])} == {"float32"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bn": {}}, "mode'\\] must be 'train' or 'test', got None"),
        ({"bn": {"mode": "eval"}}, "got 'eval'"),
        ({"bn": {"mode": "train", "eps": -1e-5}}, "eps'\\] must be at least 0"),
        ({"bn": {"mode": "train", "eps": float("nan")}}, "eps'\\] must be at least 0, got nan"),
        ({"bn": {"mode": "train", "momentum": 1.1}}, "momentum'\\] must be from 0 to 1"),
        ({"bn": {"mode": "test"}}, "test mode needs bn_param\\['running_mean'\\]"),
        (
            {"bn": {"mode": "train", "running_mean": np.zeros(3)}},
            "running_mean'\\] must have shape \\(2,\\), got \\(3,\\)",
        ),
        ({"x": np.zeros((0, 2))}, "at least one row"),
        ({"x": np.zeros((1, 2))}, "at least 2 rows"),
        ({"x": np.zeros(2)}, "must be a batch \\(N, D\\)"),
        ({"x": np.zeros((2, 2, 2))}, "must be a batch \\(N, D\\)"),
        ({"gamma": np.ones(3)}, "gamma must have shape \\(2,\\), got \\(3,\\)"),
        ({"beta": np.ones((2, 1))}, "beta must have shape \\(2,\\), got \\(2, 1\\)"),
        ({"bn": {"mode": "train", "eps": None}}, "eps"),
        ({"bn": {"mode": "train", "momentum": "0.9"}}, "momentum"),
        ({"x": np.ones((4, 2)) * 1j}, "complex"),
        ({"bn": {"mode": "test", "running_mean": np.zeros(2), "running_var": -np.ones(2)}}, "running_var"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(change: dict[str, Any], message: str) -> None:
    good = {"x": np.zeros((4, 2)), "gamma": np.ones(2), "beta": np.zeros(2), "bn": {"mode": "train"}}
    given: dict[str, Any] = {**good, **change}
    with pytest.raises(ValueError, match=message):
        batchnorm_forward(given["x"], given["gamma"], given["beta"], given["bn"])


@pytest.mark.parametrize("backward", [batchnorm_backward, batchnorm_backward_staged])
def test_a_gradient_of_another_shape_is_refused(backward: Any) -> None:
    _, cache = batchnorm_forward(np.eye(2), np.ones(2), np.zeros(2), {"mode": "train"})
    with pytest.raises(ValueError, match="dout must have shape \\(2, 2\\), got \\(2,\\)"):
        backward(np.ones(2), cache)


def test_importing_the_reference_loads_no_torch() -> None:
    code = "import sys, bnviz.nn.reference; print(sorted({'torch', 'streamlit'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

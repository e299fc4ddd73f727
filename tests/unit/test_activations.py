"""Every activation function in NumPy is PyTorch's, and the one that the networks train with."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bnviz.experiment.choices import BOUNDED_OUTPUTS
from bnviz.experiment.config import ACTIVATIONS
from bnviz.nn.layers import ACTIVATION
from bnviz.theory.activations import ACTIVATION_FUNCTIONS
from tests.builders import row_of, rows_missing, torchs_activation

PRE_ACTIVATIONS = arrays("f8", 6, elements=st.floats(-30, 30).filter(lambda z: abs(z) > 1e-6))  # ReLU bends at 0
FAR = np.array([-40.0, 40.0])


def test_each_has_a_function() -> None:
    tables = {"Activation": ACTIVATIONS, "ACTIVATION_FUNCTIONS": ACTIVATION_FUNCTIONS, "ACTIVATION": ACTIVATION}
    assert rows_missing(tables) == {}


@pytest.mark.parametrize("name", ACTIVATIONS)
@given(values=PRE_ACTIVATIONS)
def test_value_and_slope_are_those_of_pytorchs_autograd(name: str, values: Any) -> None:
    z = torch.tensor(values, requires_grad=True)
    y = torchs_activation(name)(z)
    (slope,) = torch.autograd.grad(y.sum(), z)
    function = row_of(ACTIVATION_FUNCTIONS, name, "ACTIVATION_FUNCTIONS")
    np.testing.assert_allclose(function.f(values), y.detach().numpy(), rtol=1e-6, atol=3e-6)  # GELU: 1e-7 |z|
    np.testing.assert_allclose(function.slope(values), slope.numpy(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
@given(values=PRE_ACTIVATIONS)
def test_value_and_slope_are_those_that_the_networks_train_with(name: str, values: Any) -> None:
    z, layer, function = (
        torch.tensor(values),
        row_of(ACTIVATION, name, "ACTIVATION"),
        row_of(ACTIVATION_FUNCTIONS, name, "ACTIVATION_FUNCTIONS"),
    )
    y = layer.f(z)
    np.testing.assert_allclose(function.f(values), y.numpy(), rtol=1e-6, atol=3e-6)
    np.testing.assert_allclose(function.slope(values), layer.slope(z, y).numpy(), rtol=1e-6, atol=1e-6)
    assert function.steepest == layer.steepest


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_steepest_slope_is_the_largest_there_is(name: str) -> None:
    function = row_of(ACTIVATION_FUNCTIONS, name, "ACTIVATION_FUNCTIONS")
    assert function.slope(np.linspace(-5, 5, 10_001)).max() == pytest.approx(function.steepest, rel=1e-4)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_bounded_are_those_that_are_flat_at_both_ends(name: str) -> None:
    """And their outputs end where the configuration says."""
    function = row_of(ACTIVATION_FUNCTIONS, name, "ACTIVATION_FUNCTIONS")
    is_flat = bool((np.abs(function.slope(FAR)) < 1e-9).all())
    assert is_flat == (name in BOUNDED_OUTPUTS), f"BOUNDED_OUTPUTS is wrong on {name}"
    if is_flat:
        np.testing.assert_allclose(function.f(FAR), BOUNDED_OUTPUTS[name])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_never_negative_is_what_pytorch_never_makes_negative(name: str) -> None:
    lowest = torchs_activation(name)(torch.linspace(-30, 30, 60_001)).min().item()
    assert row_of(ACTIVATION_FUNCTIONS, name, "ACTIVATION_FUNCTIONS").is_never_negative == (lowest >= 0)

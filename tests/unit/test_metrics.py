"""What is measured on tensors: histograms that drop nothing, saturation, dead units, update-to-data ratios."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from torch import Tensor

from bnviz.experiment.config import ACTIVATIONS, INITS, BatchNormConfig, Init, Layer, NetworkConfig, Variant
from bnviz.nn.descent import Descent
from bnviz.nn.initialization import draw
from bnviz.nn.layers import ACTIVATION
from bnviz.nn.network import NetworkState, Stack
from bnviz.records.frames import BINS, DEAD_SLOPE, PLACES, SATURATED, bin_range
from bnviz.training import metrics, probes

ranges = st.sampled_from(sorted({bin_range(place, activation) for place in PLACES for activation in ACTIVATIONS}))
anything = st.floats(width=32)  # NaN and infinities too


@pytest.fixture(autouse=True, scope="module")
def _float32_on_one_thread(one_thread: None) -> None:
    assert torch.get_default_dtype() == torch.float32


class TestAHistogram:
    @given(arrays("f4", array_shapes(max_dims=2, max_side=40), elements=anything), ranges)
    def test_drops_nothing(self, values: np.ndarray, bounds: tuple[float, float]) -> None:
        counts = metrics.histogram(torch.tensor(values), *bounds)
        assert counts.shape == (BINS + 3,)
        assert counts.min() >= 0
        assert counts.sum() == values.size

    @given(arrays("f4", st.integers(1, 60), elements=anything), ranges)
    def test_counts_what_is_below_above_and_no_number(self, values: np.ndarray, bounds: tuple[float, float]) -> None:
        counts = metrics.histogram(torch.tensor(values), *bounds)
        finite = values[np.isfinite(values)]
        assert counts[0] == (finite < bounds[0]).sum()
        assert counts[-2] == (finite > bounds[1]).sum()
        assert counts[-1] == values.size - finite.size

    @given(st.lists(st.tuples(st.integers(-5, BINS + 4), st.floats(0.05, 0.95))), ranges)
    def test_agrees_with_numpy(self, places: list[tuple[int, float]], bounds: tuple[float, float]) -> None:
        """For values that float32 does not round across the edge of a bin."""
        low, high = bounds
        width = (high - low) / BINS
        values = np.array([low + (number + share) * width for number, share in places], dtype=np.float32)
        expected, _ = np.histogram(values, BINS, bounds)
        counts = metrics.histogram(torch.tensor(values), low, high)
        np.testing.assert_array_equal(counts[1:-2], expected)

    @given(ranges)
    def test_has_both_ends_of_its_range_inside(self, bounds: tuple[float, float]) -> None:
        counts = metrics.histogram(torch.tensor(bounds), *bounds)
        assert counts[1] == counts[BINS] == 1

    def test_counts_infinities_that_cancel_in_a_sum(self) -> None:
        counts = metrics.histogram(torch.tensor([math.inf, -math.inf, math.nan, 0.5]), -1.0, 1.0)
        assert (counts[-1], counts.sum()) == (3, 4)

    def test_is_not_misled_by_a_sum_that_overflows(self) -> None:
        counts = metrics.histogram(torch.tensor([3e38, 3e38, 0.5]), -1.0, 1.0)
        assert (counts[0], counts[-2], counts[-1], counts.sum()) == (0, 2, 0, 3)

    def test_of_nothing_is_empty(self) -> None:
        assert metrics.histogram(torch.empty(0), -1.0, 1.0).sum() == 0

    @pytest.mark.parametrize("end", [1.0, 5.0, 10.0])
    def test_counts_a_value_next_to_an_end_on_its_own_side(self, end: float) -> None:
        """One step of a float32 below 1 is what a saturated tanh gives, and 1 after a careless subtraction."""
        ends = np.array([-end, end], np.float32)
        inside, outside = np.nextafter(ends, np.float32(0)), np.nextafter(ends, 2 * ends)
        counts = metrics.histogram(torch.tensor(np.concatenate([ends, inside, outside])), -end, end)
        assert counts[[0, 1, -3, -2]].tolist() == [1, 2, 2, 1]


def saturated(name: str, values: object) -> list[bool]:
    x = torch.tensor(values, dtype=torch.float32)
    found: list[bool] = metrics.saturated(ACTIVATION[name], x, ACTIVATION[name].f(x)).tolist()
    return found


class TestSaturation:
    @given(st.lists(st.floats(-20, 20, width=32), min_size=1))
    def test_of_tanh_is_an_output_beyond_0_97(self, values: list[float]) -> None:
        clear = [x for x in values if abs(abs(math.tanh(x)) - SATURATED) > 1e-5]
        assert saturated("tanh", clear) == [abs(math.tanh(x)) > 0.97 for x in clear]

    @given(st.lists(st.floats(-20, 20, width=32), min_size=1))
    def test_of_sigmoid_is_an_output_within_0_015_of_zero_or_one(self, values: list[float]) -> None:
        """The same slope, as a share of the steepest, as that of tanh at 0.97: sigmoid(x) = (1 + tanh(x / 2)) / 2."""
        outputs = [1 / (1 + math.exp(-x)) for x in values]
        clear = [(x, y) for x, y in zip(values, outputs, strict=True) if abs(abs(y - 0.5) - 0.485) > 1e-5]
        assert saturated("sigmoid", [x for x, _ in clear]) == [y < 0.015 or y > 0.985 for _, y in clear]

    @pytest.mark.parametrize("name", ["relu", "leaky_relu"])
    def test_of_relu_is_an_input_below_zero(self, name: str) -> None:
        assert saturated(name, [-3.0, -1e-3, 1e-3, 3.0]) == [True, True, False, False]

    def test_of_relu_is_an_output_of_zero(self) -> None:
        assert saturated("relu", [0.0]) == [True]

    def test_of_gelu_is_where_it_is_flat(self) -> None:
        assert saturated("gelu", [-5.0, 0.0, 2.0, 5.0]) == [True, False, False, False]

    def test_never_happens_without_an_activation(self) -> None:
        assert saturated("none", [-1e6, 0.0, 1e6]) == [False, False, False]

    @pytest.mark.parametrize("name", ["tanh", "sigmoid", "gelu"])
    def test_includes_values_that_are_no_numbers(self, name: str) -> None:
        assert saturated(name, [math.nan]) == [True]


def dead(name: str, x: list[list[float]]) -> list[bool]:
    """Of pre-activations (digits, units)."""
    activation, values = ACTIVATION[name], torch.tensor(x)
    return [bool(unit) for unit in metrics.dead_units(activation, values, activation.f(values))]


class TestDeadUnits:
    def test_have_no_slope_at_any_digit(self) -> None:
        assert dead("relu", [[-1.0, 1.0, -1.0], [-2.0, -1.0, 0.0]]) == [True, False, True]
        assert dead("tanh", [[9.0, 9.0], [-9.0, 1.0]]) == [True, False]

    @pytest.mark.parametrize("name", ACTIVATIONS)
    def test_are_not_those_whose_outputs_are_small_or_alike(self, name: str) -> None:
        """A small init: all inputs are 0 but for a ten-thousandth."""
        assert dead(name, [[1e-4], [1.1e-4]]) == [False]

    @pytest.mark.parametrize(("slope", "expected"), [(DEAD_SLOPE * 0.9, True), (DEAD_SLOPE * 1.1, False)])
    def test_may_have_a_thousandth_of_the_steepest_slope(self, slope: float, expected: bool) -> None:
        assert dead("tanh", [[math.atanh(math.sqrt(1 - slope))], [9.0]]) == [expected]

    def test_include_those_whose_output_is_no_number(self) -> None:
        assert dead("tanh", [[math.nan], [1.0]]) == [True]


@pytest.mark.parametrize("init", [init for init in INITS if init != "zeros"])
@given(st.integers(8, 60), st.integers(8, 60), st.floats(1e-4, 100.0), st.integers(0, 1000))
def test_standard_deviations_and_norms_are_those_of_torch(
    init: Init, fan_in: int, fan_out: int, scale: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    matrices = torch.stack([draw(init, Layer(fan_in, fan_out), scale, generator) for _ in range(3)])
    expected = matrices.double().flatten(1)
    torch.testing.assert_close(metrics.standard_deviations(matrices), expected.std(1), rtol=1e-4, atol=0)
    torch.testing.assert_close(metrics.norms(matrices), torch.linalg.norm(expected, dim=1), rtol=1e-5, atol=0)


class TestAGrid:
    @given(arrays("f4", st.integers(2, 200), elements=st.floats(-(2.0**100), 2.0**100, width=32)), st.integers(4, 16))
    def test_has_its_steps_within_the_range_of_the_values(self, values: np.ndarray, bits: int) -> None:
        found, spread = metrics.on_grid(values, bits), float(values.max()) - float(values.min())
        assert found.dtype == np.float32
        assert np.abs(found - values.astype(float)).max() <= spread / 2**bits + np.spacing(np.abs(values).max())

    def test_holds_what_lies_on_it_already(self) -> None:
        values = np.array([-3, 1.25, 0.75, 1e-9], np.float32)
        assert metrics.on_grid(values, 5).tolist() == [-3, 1.25, 0.75, 0]

    @pytest.mark.parametrize("values", [[2.3, 2.3], [1.1, math.nan], [1.1, math.inf], [math.inf, -math.inf]])
    def test_leaves_what_has_no_range_as_it_is(self, values: list[float]) -> None:
        np.testing.assert_array_equal(metrics.on_grid(np.array(values, np.float32), 8), np.array(values, np.float32))


OPTIMIZERS = [
    Descent(0.1),
    Descent(0.05, 0.9),
    Descent(0.05, 0.9, 0.01),
    Descent(0.05, 0.9, 0.01, "nesterov"),
    Descent(0.01, 0.9, 0.01, "adam"),
]


class TestTheUpdateToDataRatio:
    @pytest.mark.parametrize("descent", OPTIMIZERS, ids=str)
    def test_is_that_of_the_step_that_follows(self, descent: Descent) -> None:
        stack, x, labels = self.network()
        for _ in range(3):  # the velocity of momentum takes a few steps to matter
            shown = probes.gradients(stack, x, labels, descent).update_ratio
            before = [li.weight.value.double() for li in stack.linears()]
            stack.losses(x, labels, "train")
            stack.update(descent)
            after = [li.weight.value.double() for li in stack.linears()]
            for layer, (old, new) in enumerate(zip(before, after, strict=True)):
                real = ((new - old).flatten(1).std(1) / old.flatten(1).std(1)).log10()
                np.testing.assert_allclose(shown[:, layer], real, atol=1e-3)

    def network(self) -> tuple[Stack, Tensor, Tensor]:
        network = NetworkConfig(hidden_layers=2, width=9, init="xavier_normal")
        variants = [Variant(network), Variant(network, BatchNormConfig())]
        stack = Stack([0, 1], variants, [NetworkState.fresh(v, 0) for v in variants])
        generator = torch.Generator().manual_seed(0)
        return stack, torch.rand(16, 784, generator=generator), torch.randint(10, (16,), generator=generator)

    def test_of_weights_that_are_all_zero_is_no_number(self) -> None:
        assert metrics.update_to_data(torch.rand(2, 3, 4), torch.zeros(2, 3, 4)).isnan().all()

    def test_of_no_update_is_no_number(self) -> None:
        assert metrics.update_to_data(torch.zeros(2, 3, 4), torch.rand(2, 3, 4)).isnan().all()

    def test_of_an_update_a_thousandth_as_large_is_minus_three(self) -> None:
        weights = torch.randn(1, 30, 20, generator=torch.Generator().manual_seed(0))
        assert metrics.update_to_data(weights * 1e-3, weights).item() == pytest.approx(-3)

    @given(arrays("f4", (1, 3, 4), elements=anything), arrays("f4", (1, 3, 4), elements=anything))
    def test_is_a_number_or_nan_but_never_infinite(self, update: np.ndarray, weights: np.ndarray) -> None:
        assert not metrics.update_to_data(torch.tensor(update), torch.tensor(weights)).isinf().any()

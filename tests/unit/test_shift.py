"""Distances and drifts of distributions, against independent sums."""

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from bnviz.analysis import shift
from bnviz.analysis.shift import ACTIVATION_INPUT
from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, TrainingConfig, Variant, replace
from bnviz.records.frames import BINS, PROBE_DIGITS, QUANTILES, Floats, Summary
from bnviz.records.history import Marker, View
from tests.builders import frame, layer_frame, twins, variant_frame, view_of
from tests.moving import HIGH, LOW, TWINS, counted, layer, moving, replace_layer

if TYPE_CHECKING:
    from bnviz.training.batches import Batches

WIDTH = (HIGH - LOW) / BINS
quantiles_of = st.lists(st.floats(-1e3, 1e3), min_size=QUANTILES, max_size=QUANTILES)


def summarized(values: Floats) -> Summary:
    import torch

    from bnviz.training import metrics

    return metrics.summary(torch.from_numpy(values.astype(np.float32)))


class TestWassersteinDistance:
    def test_is_how_far_a_distribution_was_pushed(self) -> None:
        a = np.linspace(-3, 5, QUANTILES)
        assert shift.wasserstein(a, a + 0.3) == pytest.approx(0.3)

    @given(quantiles_of, quantiles_of)
    def test_is_scipys(self, a: list[float], b: list[float]) -> None:
        found = shift.wasserstein(np.sort(a), np.sort(b))
        assert found == pytest.approx(wasserstein_distance(a, b), abs=1e-9)

    @given(st.integers(0, 2**32 - 1), st.floats(-2, 2), st.floats(0.3, 2))
    def test_of_summaries_is_scipys_of_the_values_themselves(self, seed: int, mean: float, std: float) -> None:
        generator = np.random.default_rng(seed)
        samples = generator.normal(0, 1, 1000), generator.normal(mean, std, 1000)
        a, b = (summarized(each) for each in samples)
        found, expected = float(shift.wasserstein(a.quantiles, b.quantiles)), wasserstein_distance(*samples)
        assert found <= expected + 1e-6
        assert found == pytest.approx(expected, abs=0.005)

    @given(quantiles_of, quantiles_of, quantiles_of)
    def test_is_a_metric(self, a: list[float], b: list[float], c: list[float]) -> None:
        one, two, three = (np.sort(each) for each in (a, b, c))

        def distance(p: Floats, q: Floats) -> float:
            return float(shift.wasserstein(p, q))

        assert distance(one, one) == 0
        assert distance(one, two) == pytest.approx(distance(two, one))
        assert distance(one, three) <= distance(one, two) + distance(two, three) + 1e-9

    def test_is_no_number_where_a_value_is_none(self) -> None:
        a = summarized(np.array([1.0, 2.0]))
        for strange in (math.nan, math.inf, -math.inf):
            b = summarized(np.array([1.0, strange]))
            assert math.isnan(shift.wasserstein(a.quantiles, b.quantiles))
            assert math.isnan(b.mean)
            assert math.isnan(b.variance)


class TestSummary:
    @given(st.integers(1, 70), st.integers(1, 256), st.integers(0, 2**32 - 1))
    def test_has_the_mean_and_variance_of_all_values(self, units: int, digits: int, seed: int) -> None:
        values = np.random.default_rng(seed).normal(2, 3, (digits, units)).astype(np.float32)
        found = summarized(values)
        assert found.mean == pytest.approx(values.mean(dtype=np.float64), abs=1e-9)
        assert found.variance == pytest.approx(values.var(dtype=np.float64), abs=1e-9)

    @pytest.mark.parametrize("count", [1, QUANTILES - 1, QUANTILES, 200, 25_600])
    def test_has_the_means_of_equal_parts_of_the_sorted_values(self, count: int) -> None:
        values = np.random.default_rng(0).normal(size=count)
        repeated = np.sort(np.repeat(values, QUANTILES)).reshape(QUANTILES, count)  # each value in so many pieces
        np.testing.assert_allclose(summarized(values).quantiles, repeated.mean(1), atol=1e-6)


def test_distances_of_lenets_convolutions_are_scipys_of_all_their_values(batches: "Batches") -> None:
    """Values pile up at the background: in bins they would hop from one to the next."""
    from tests.builders import trainer_of

    network = NetworkConfig(architecture="lenet", activation="sigmoid", init="xavier_uniform")
    experiment = twins(network, steps=4, batch_size=16)  # keeps every step
    trainer = trainer_of(experiment, batches)

    def values() -> list[list[Floats]]:
        """Of each layer of each network."""
        traces = [trainer.copy_of(i).trace(batches.probe(PROBE_DIGITS, False))[0] for i in (0, 1)]
        return [[layer.activation_input.double().numpy().ravel() for layer in trace] for trace in traces]

    frames, first = [trainer.advance(steps=0)], values()
    while not trainer.finished:
        frames.append(trainer.advance())
    view, last = view_of(experiment, *frames), values()
    for i, k in itertools.product((0, 1), (0, 1)):
        found, a, b = shift.drift(view, i, k, ACTIVATION_INPUT, "start"), first[i][k], last[i][k]
        assert found.distance[-1] == pytest.approx(wasserstein_distance(a, b), rel=0.02, abs=2e-5)
        assert found.mean[-1] == pytest.approx(b.mean() - a.mean(), rel=1e-6, abs=1e-9)
        assert found.variance[-1] == pytest.approx(b.var() - a.var(), rel=1e-6, abs=1e-9)


def test_positions_are_the_centres_of_numpys_bins() -> None:
    edges = np.linspace(LOW, HIGH, BINS + 1)
    np.testing.assert_allclose(shift.bin_centres(LOW, HIGH)[1:-1], (edges[:-1] + edges[1:]) / 2)


class TestDrift:
    view = moving((30, 30), (31, 30), (33, 31))

    def test_from_the_first_frame_adds_up(self) -> None:
        found = shift.drift(self.view, 0, 0, "pre_activation", "start")
        assert found.steps.tolist() == [100, 200]
        np.testing.assert_allclose(found.distance, [WIDTH, 3 * WIDTH])
        np.testing.assert_allclose(found.mean, [WIDTH, 3 * WIDTH])
        np.testing.assert_allclose(found.variance, 0, atol=1e-9)

    def test_from_the_frame_before_is_the_last_stretch(self) -> None:
        np.testing.assert_allclose(
            shift.drift(self.view, 0, 0, "pre_activation", "before").distance, [WIDTH, 2 * WIDTH]
        )

    def test_in_standard_deviations_needs_some(self) -> None:
        assert np.isnan(shift.drift(self.view, 0, 0, "pre_activation", "start").relative).all()
        spread = moving((30, 30), (31, 30))
        first = spread.variants[0].frames[0].layers[0].summaries
        assert first is not None
        first["pre_activation"] = replace(first["pre_activation"], variance=4.0)
        found = shift.drift(spread, 0, 0, "pre_activation", "start")
        np.testing.assert_allclose(found.relative, found.distance / 2)

    @pytest.mark.parametrize("since", ["start", "before"])
    def test_of_one_moment_is_nothing(self, since: shift.Since) -> None:
        assert len(shift.drift(moving((30, 30)), 0, 0, ACTIVATION_INPUT, since).steps) == 0

    def test_of_a_layer_that_is_not_there_is_nothing(self) -> None:
        assert len(shift.drift(self.view, 0, 7, ACTIVATION_INPUT, "start").steps) == 0

    def test_is_of_kept_frames_and_pictures_of_the_newest_between_two_of_them_too(self) -> None:
        between = frame(*(variant_frame(150, [1.0] * 50, layers=(layer(39, summaries=None),)) for _ in range(2)))
        frames = [
            frame(*(variant_frame(100 * k, [1.0] * 100 * k, layers=(layer(30),)) for _ in range(2))) for k in (0, 1)
        ]
        view = view_of(TWINS, *frames, between)
        assert shift.distribution_courses(view, 0, ACTIVATION_INPUT)[0].steps == (0, 100, 150)
        for since in ("start", "before"):
            assert shift.drift(view, 0, 0, ACTIVATION_INPUT, since).steps.tolist() == [100]

    def test_is_no_number_where_a_network_diverged_between_two_moments_to_keep(self) -> None:
        lost = variant_frame(130, [1.0] * 30, layers=(layer(summaries=None),), diverged=True)
        first, second = (variant_frame(k, layers=(layer(30),)) for k in (0, 100))
        view = view_of(replace(TWINS, variants=TWINS.variants[:1]), frame(first), frame(second), frame(lost))
        found = shift.drift(view, 0, 0, ACTIVATION_INPUT, "start")
        assert found.steps.tolist() == [100, 130]
        np.testing.assert_array_equal(np.isfinite(found.distance), [True, False])


def test_the_input_of_the_activation_is_batchnorms_output_where_it_sits_before() -> None:
    net = NetworkConfig(width=10)
    variants = (Variant(net), Variant(net, BatchNormConfig()), Variant(net, BatchNormConfig(position="after")))
    mixed = {"pre_activation": counted((10, 1)), "batchnorm_output": counted((20, 1))}
    layers = (replace_layer(layer_frame(), histograms=mixed),)
    view = view_of(Experiment(TrainingConfig(), variants), frame(*(variant_frame(layers=layers) for _ in variants)))
    assert [int(shift.distribution_courses(view, 0, ACTIVATION_INPUT)[i].counts[0].argmax()) for i in range(3)] == [
        10,
        20,
        10,
    ]


def test_outputs_of_another_activation_had_other_bins_and_are_left_out() -> None:
    view = moving((30, 30), (31, 30), (32, 30))
    changed = replace(
        TWINS, variants=tuple(replace(v, network=replace(v.network, activation="relu")) for v in TWINS.variants)
    )
    view = View(changed, view.variants, view.latest, (Marker("A: activation relu", {0: (100, 1.0), 1: (100, 1.0)}),))
    assert shift.distribution_courses(view, 0, "post_activation")[0].steps == (200,)
    assert shift.distribution_courses(view, 0, "post_activation")[1].steps == (0, 100, 200)
    assert shift.distribution_courses(view, 0, "pre_activation")[0].steps == (0, 100, 200)

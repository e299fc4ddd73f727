"""Covariate shift: distances and drifts against independent sums, what the page draws and says."""

import base64
import itertools
import math
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from builders import frame, layer_frame, twins, variant_frame, view_of
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from bnviz import figures
from bnviz.analysis import shift
from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, TrainingConfig, Variant, replace
from bnviz.figures.distributions import Kind
from bnviz.figures.shift import MEASURES, MOST_LAYERS
from bnviz.findings.shift import shift_findings
from bnviz.records.answers import GradientShift
from bnviz.records.frames import (
    BINS,
    PROBE_DIGITS,
    QUANTILES,
    Counts,
    Floats,
    LayerFrame,
    Summary,
    VariantFrame,
)
from bnviz.records.history import Marker, View
from bnviz.records.questions import ShiftOfGradients
from bnviz.ui.asking.repeated import LiveQuestion

if TYPE_CHECKING:
    from bnviz.training.batches import Batches

TWINS = twins(steps=1500)
LOW, HIGH = -10.0, 10.0
WIDTH = (HIGH - LOW) / BINS
quantiles_of = st.lists(st.floats(-1e3, 1e3), min_size=QUANTILES, max_size=QUANTILES)


def counted(*found: tuple[int, int], broken: int = 0) -> Counts:
    """Counts, from (place among below, the bins and above; how many)."""
    counts = np.zeros(BINS + 3, dtype=np.int32)
    for place, count in found:
        counts[place] = count
    counts[-1] = broken
    return counts


def layer(place: int = 30, **changes: Any) -> LayerFrame:
    """A layer all of whose values lie in the middle of one bin."""
    names = ("pre_activation", "normalized", "batchnorm_output", "post_activation")
    counts = counted((place, 100))
    percentiles = np.array([[-1.0] * 10, [0.0] * 10, [1.0] * 10]) + place / 10
    x = float(shift.positions(LOW, HIGH)[place])
    summary = Summary(x, 0.0, np.full(QUANTILES, x))
    kept = {"percentiles": percentiles, "summaries": dict.fromkeys(names, summary)} | changes
    return replace_layer(layer_frame(), histograms=dict.fromkeys(names, counts), **kept)


def summarized(values: Floats) -> Summary:
    import torch

    from bnviz.training import metrics

    return metrics.summary(torch.from_numpy(values.astype(np.float32)))


def replace_layer(found: LayerFrame, **changes: Any) -> LayerFrame:
    return LayerFrame(**{**vars(found), **changes})


def moving(*places: tuple[int, int], every: int = 100, experiment: Experiment = TWINS) -> View:
    """Kept frames of two networks, whose values lie in the given bins."""
    frames = []
    for k, pair in enumerate(places):
        losses = [1.0] * (every if k else 0)
        frames.append(frame(*(variant_frame(k * every, losses, layers=(layer(place),)) for place in pair)))
    return view_of(experiment, *frames)


def measurement(step: int, *differences: float, cosine: float = 0.9) -> GradientShift:
    """Of a network with as many layers after the first."""
    many = np.array([0.0, *differences])
    return GradientShift(step, np.ones(len(many)), many, np.full(len(many), cosine))


def numbers(spec: dict[str, Any]) -> np.ndarray:
    found: np.ndarray = np.frombuffer(base64.b64decode(spec["bdata"]), spec["dtype"])
    return found.reshape([int(n) for n in spec["shape"].split(",")]) if "shape" in spec else found


def no_nan_axis(figure: dict[str, Any]) -> bool:
    axes = [value for key, value in figure["layout"].items() if key[1:5] == "axis"]
    return all(np.isfinite(axis["range"]).all() and axis["range"][0] < axis["range"][1] for axis in axes)


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
    from builders import trainer_of

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
        found, a, b = shift.drift(view, i, k, shift.INPUT, "start"), first[i][k], last[i][k]
        assert found.distance[-1] == pytest.approx(wasserstein_distance(a, b), rel=0.02, abs=2e-5)
        assert found.mean[-1] == pytest.approx(b.mean() - a.mean(), rel=1e-6, abs=1e-9)
        assert found.variance[-1] == pytest.approx(b.var() - a.var(), rel=1e-6, abs=1e-9)


def test_positions_are_the_centres_of_numpys_bins() -> None:
    edges = np.linspace(LOW, HIGH, BINS + 1)
    np.testing.assert_allclose(shift.positions(LOW, HIGH)[1:-1], (edges[:-1] + edges[1:]) / 2)


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
        assert len(shift.drift(moving((30, 30)), 0, 0, shift.INPUT, since).steps) == 0

    def test_of_a_layer_that_is_not_there_is_nothing(self) -> None:
        assert len(shift.drift(self.view, 0, 7, shift.INPUT, "start").steps) == 0

    def test_is_of_kept_frames_and_pictures_of_the_newest_between_two_of_them_too(self) -> None:
        between = frame(*(variant_frame(150, [1.0] * 50, layers=(layer(39, summaries=None),)) for _ in range(2)))
        frames = [
            frame(*(variant_frame(100 * k, [1.0] * 100 * k, layers=(layer(30),)) for _ in range(2))) for k in (0, 1)
        ]
        view = view_of(TWINS, *frames, between)
        assert shift.course(view, 0, 0, shift.INPUT).steps == (0, 100, 150)
        for since in ("start", "before"):
            assert shift.drift(view, 0, 0, shift.INPUT, since).steps.tolist() == [100]

    def test_is_no_number_where_a_network_diverged_between_two_moments_to_keep(self) -> None:
        lost = variant_frame(130, [1.0] * 30, layers=(layer(summaries=None),), diverged=True)
        first, second = (variant_frame(k, layers=(layer(30),)) for k in (0, 100))
        view = view_of(replace(TWINS, variants=TWINS.variants[:1]), frame(first), frame(second), frame(lost))
        found = shift.drift(view, 0, 0, shift.INPUT, "start")
        assert found.steps.tolist() == [100, 130]
        np.testing.assert_array_equal(np.isfinite(found.distance), [True, False])


def test_the_input_of_the_activation_is_batchnorms_output_where_it_sits_before() -> None:
    net = NetworkConfig(width=10)
    variants = (Variant(net), Variant(net, BatchNormConfig()), Variant(net, BatchNormConfig(position="after")))
    mixed = {"pre_activation": counted((10, 1)), "batchnorm_output": counted((20, 1))}
    layers = (replace_layer(layer_frame(), histograms=mixed),)
    view = view_of(Experiment(TrainingConfig(), variants), frame(*(variant_frame(layers=layers) for _ in variants)))
    assert [int(shift.course(view, i, 0, shift.INPUT).counts[0].argmax()) for i in range(3)] == [10, 20, 10]


def test_outputs_of_another_activation_had_other_bins_and_are_left_out() -> None:
    view = moving((30, 30), (31, 30), (32, 30))
    changed = replace(
        TWINS, variants=tuple(replace(v, network=replace(v.network, activation="relu")) for v in TWINS.variants)
    )
    view = View(changed, view.variants, view.latest, (Marker("A: activation relu", {0: (100, 1.0), 1: (100, 1.0)}),))
    assert shift.course(view, 0, 0, "post_activation").steps == (200,)
    assert shift.course(view, 1, 0, "post_activation").steps == (0, 100, 200)
    assert shift.course(view, 0, 0, "pre_activation").steps == (0, 100, 200)


class TestGoingBack:
    view = moving((30, 30), (31, 30), (33, 31))

    def test_shows_nothing_later(self) -> None:
        past = shift.as_of(self.view, 100)
        assert past.latest is not None
        assert [v.step for v in past.latest.variants] == [100, 100]
        assert [[f.step for f in h.frames] for h in past.variants] == [[0, 100], [0, 100]]
        assert [len(h.losses) for h in past.variants] == [100, 100]

    @given(st.integers(0, 250))
    def test_is_what_the_history_was_then(self, step: int) -> None:
        before = moving(*[(30, 30), (31, 30), (33, 31)][: step // 100 + 1])
        past = shift.as_of(self.view, step)
        for was, now in zip(before.variants, past.variants, strict=True):
            assert [id_of(f) for f in was.frames] == [id_of(f) for f in now.frames]

    def test_knows_the_kept_moments(self) -> None:
        assert shift.kept_steps(self.view) == [0, 100, 200]
        assert shift.kept_every(self.view) == 100


def id_of(found: VariantFrame) -> tuple[int, int]:
    return found.step, int(found.layers[0].histograms["pre_activation"].argmax())


class TestSnapshots:
    def test_are_of_the_nearest_kept_frames(self) -> None:
        assert shift.snapshots(range(0, 1501, 100), 200) == [0, 2, 4, 6, 8, 10, 12, 14]
        assert shift.snapshots(range(0, 1501, 100), 5000) == [0]

    def test_more_than_are_kept_are_refused_with_the_limit(self) -> None:
        with pytest.raises(ValueError, match=r"51 snapshots, but 16 are kept: choose 100 steps or more"):
            shift.snapshots(range(0, 1501, 100), 30)

    def test_of_one_frame_is_that_frame(self) -> None:
        assert shift.snapshots([0], 1) == [0]
        assert shift.snapshots([], 1) == []

    def test_a_refusal_is_told_above_the_chart(self) -> None:
        view = moving((30, 30), (31, 30), (33, 31))
        figure = figures.distributions_over_steps(view, layer=0, place=shift.INPUT, kind="overlay", every=10)
        assert "Refused: every 10 steps makes 21 snapshots, but 3 are kept" in figure["layout"]["meta"]["words"]


class TestFigures:
    view = moving((30, 30), (31, 30), (33, 31))
    measured = ([measurement(0, 0.1), measurement(200, 0.3)], [measurement(0, 0.2), measurement(200, 0.4)])

    @pytest.mark.parametrize("kind", ["ridges", "overlay", "heat"])
    def test_show_a_panel_a_variant_on_shared_axes(self, kind: Kind) -> None:
        figure = figures.distributions_over_steps(self.view, layer=0, place=shift.INPUT, kind=kind)
        assert {trace["xaxis"] for trace in figure["data"]} == {"x", "x2"}
        first, second = figure["layout"]["yaxis"], figure["layout"]["yaxis2"]
        assert first["range"] == second["range"]
        assert second["matches"] == "y"

    def test_ridges_stand_on_their_steps(self) -> None:
        old, newest = figures.distributions_over_steps(self.view, layer=0, place=shift.INPUT, kind="ridges")["data"][:2]
        lows = [np.nanmin(part) for part in np.split(numbers(old["y"]), 2)]
        assert lows == [0, 100]
        assert np.nanmin(numbers(newest["y"])) == 200

    def test_a_heat_map_has_a_column_a_moment(self) -> None:
        heat = figures.distributions_over_steps(self.view, layer=0, place=shift.INPUT, kind="heat")["data"][0]
        assert numbers(heat["x"]).tolist() == [0, 100, 200]
        cells = numbers(heat["z"])
        assert cells.shape == (BINS, 3)
        assert cells.argmax(0).tolist() == [29, 30, 32]  # the first bin is place 1 of the counts
        np.testing.assert_allclose(cells.sum(0), 100)

    def test_percentiles_are_those_that_were_kept(self) -> None:
        low, high, *_ = figures.unit_percentiles(self.view, layer=0, unit=4)["data"]
        np.testing.assert_allclose(numbers(low["y"]), [2.0, 2.1, 2.3], atol=1e-6)
        np.testing.assert_allclose(numbers(high["y"]), [4.0, 4.1, 4.3], atol=1e-6)
        assert numbers(low["x"]).tolist() == [0, 100, 200]

    def test_percentiles_of_a_network_that_diverged_are_not_called_those_of_now(self) -> None:
        lost = variant_frame(100, layers=(layer(),), diverged=True)
        first = frame(*(variant_frame(layers=(layer(30),)) for _ in range(2)))
        view = view_of(TWINS, first, frame(lost, variant_frame(100, layers=(layer(30),))))
        words = figures.unit_percentiles(view, layer=0, unit=0)["layout"]["meta"]["words"]
        assert "A</b></span> diverged" in words
        assert words.count("2.00, 3.00, 4.00") == 1

    def test_percentiles_are_told_without_negative_zeros_and_long_numbers(self) -> None:
        almost = replace_layer(layer(), percentiles=np.array([[-1.2e7] * 10, [-0.004] * 10, [-1.0] * 10]))
        view = view_of(TWINS, frame(*(variant_frame(layers=(almost,)) for _ in range(2))))
        assert "−1.2 · 10⁷, 0.00, −1.00" in figures.unit_percentiles(view, layer=0, unit=0)["layout"]["meta"]["words"]

    def test_one_network_of_equal_values_does_not_pale_the_heat_map_of_the_others(self) -> None:
        flat = replace_layer(
            layer(), histograms=dict.fromkeys(layer().histograms, counted(*((k, 5) for k in range(20, 40))))
        )
        three = Experiment(TWINS.training, (*TWINS.variants, TWINS.variants[0]))
        view = view_of(three, frame(*(variant_frame(layers=(each,)) for each in (flat, flat, layer()))))
        heat = figures.distributions_over_steps(view, layer=0, place=shift.INPUT, kind="heat")["data"][0]
        assert heat["zmax"] == 10  # twice the 5% of the others, not the 100% of the third

    def test_layers_of_a_deep_network_are_named_with_room_between(self) -> None:
        deep = Experiment(
            TrainingConfig(), tuple(replace(v, network=replace(v.network, hidden_layers=20)) for v in TWINS.variants)
        )
        view = view_of(deep, frame(*(variant_frame(layers=(layer(),) * 20) for _ in range(2))))
        axis = figures.gradient_shift(view, [[measurement(0, *[0.1] * 20)]] * 2)["layout"]["xaxis"]
        assert len(axis["tickvals"]) == len(axis["ticktext"]) <= 11
        assert axis["ticktext"][-1] == "output"
        assert min(np.diff(axis["tickvals"])) >= 2

    def test_of_a_unit_that_one_network_has_not_show_the_other(self) -> None:
        figure = figures.unit_percentiles(self.view, layer=0, unit=99)
        assert "nothing kept of such a unit" in figure["layout"]["meta"]["words"]
        assert no_nan_axis(figure)

    def test_a_deep_network_gets_some_panels_and_the_chosen_layer_among_them(self) -> None:
        layers = tuple(layer() for _ in range(20))
        view = view_of(TWINS, *(frame(*(variant_frame(k * 100, [1.0] * k * 100, layers=layers),) * 2) for k in (0, 1)))
        words = figures.distribution_shift(view, place=shift.INPUT, measure="distance", since="start", layer=6)
        titles = [a["title"]["text"] for key, a in words["layout"].items() if key.startswith("yaxis")]
        assert len(titles) == MOST_LAYERS
        assert "W₁, layer 7" in titles
        assert {"W₁, layer 1", "W₁, layer 20"} <= set(titles)

    def test_gradients_stand_in_their_layers_column(self) -> None:
        points, mean, *_ = figures.gradient_shift(self.view, self.measured)["data"]
        x, y = numbers(points["x"]), numbers(points["y"])
        assert x[0] == pytest.approx(1.6)
        np.testing.assert_allclose(y[:2], [0.1, 0.3], rtol=1e-6)
        np.testing.assert_allclose(numbers(mean["y"])[:2], 0.2, rtol=1e-6)

    @pytest.mark.parametrize("measure", list(MEASURES))
    @pytest.mark.parametrize("broken", ["one frame", "diverged", "no layer", "nothing measured"])
    def test_survive_what_is_missing(self, broken: str, measure: str) -> None:
        view, measured = self.view, [list(m) for m in self.measured]
        chosen = 0
        if broken == "one frame":
            view = moving((30, 30))
        elif broken == "diverged":
            lost = replace_layer(
                layer(), histograms={"pre_activation": counted(broken=9)}, percentiles=None, summaries=None
            )
            frames = [
                frame(variant_frame(k * 100, [1.0] * k * 100, layers=(lost,), diverged=k > 0), variant_frame(k * 100))
                for k in (0, 1)
            ]
            view = view_of(TWINS, *frames)
            measured[0] = [GradientShift(0, *[np.full(2, np.nan)] * 3)]
        elif broken == "no layer":
            chosen = 5
        else:
            measured = []
        drawn = [
            figures.distributions_over_steps(view, layer=chosen, place=place, kind=kind)
            for kind in ("ridges", "overlay", "heat")
            for place in shift.PLACES
        ]
        drawn.append(figures.unit_percentiles(view, layer=chosen, unit=0))
        drawn += [
            figures.distribution_shift(view, place=shift.INPUT, measure=measure, since=since, layer=chosen)
            for since in ("start", "before")
        ]
        drawn.append(figures.gradient_shift(view, measured))
        assert all(no_nan_axis(figure) for figure in drawn)
        assert shift_findings(view, measured, layer=chosen, place=shift.INPUT)


class TestFindings:
    view = moving((30, 30), (31, 30), (34, 31))

    def test_repeat_the_numbers_and_compare(self) -> None:
        moved, gradients = shift_findings(
            self.view, [[measurement(0, 0.1, 0.3)], [measurement(0, 0.2, 0.4)]], layer=0, place=shift.INPUT
        )
        assert "Up to step 200" in moved
        assert "W₁ = 1.33 in A (no batchnorm; mean by +1.33)" in moved
        assert moved.endswith("B moved 0.25 times as far as A.")
        assert "0.2 in A (no batchnorm; 20.0% of the gradient's norm; cosine 0.900)" in gradients
        assert gradients.endswith("B has 1.5 times the shift of A here.")

    def test_say_so_where_batchnorm_makes_no_difference(self) -> None:
        told = shift_findings(
            moving((30, 30), (31, 31)), [[measurement(0, 0.10)], [measurement(0, 0.105)]], layer=0, place=shift.INPUT
        )
        assert told[0].endswith("both about as far.")
        assert told[1].endswith("about the same here.")

    def test_compare_nothing_without_a_pair(self) -> None:
        both = replace(TWINS, variants=TWINS.variants[:1] * 2)
        (moved,) = shift_findings(moving((30, 30), (31, 32), experiment=both), [], layer=0, place=shift.INPUT)
        assert moved.endswith("mean by +0.67).")

    def test_tell_distances_of_what_leaves_the_bins_in_full(self) -> None:
        far = layer(summaries={"pre_activation": Summary(50.0, 0.0, np.full(QUANTILES, 50.0))})
        frames = (
            frame(*(variant_frame(k * 100, layers=(each,)) for _ in "AB")) for k, each in enumerate((layer(), far))
        )
        (told,) = shift_findings(view_of(TWINS, *frames), [], layer=0, place="pre_activation")
        assert "W₁ = 50.2 in A (no batchnorm; mean by +50.17)" in told

    def test_of_many_networks_tell_only_the_shift(self) -> None:
        four = Experiment(TWINS.training, TWINS.variants * 2)
        first = frame(*(variant_frame(layers=(layer(),)) for _ in range(4)))
        told = shift_findings(view_of(four, first), [[measurement(0, 0.1)]] * 4, layer=0, place=shift.INPUT)
        assert "0.1 in A (no batchnorm), 0.1 in B (batchnorm), " in told[1]

    def test_leave_out_a_network_that_diverged(self) -> None:
        lost = variant_frame(layers=(layer(),), diverged=True)
        view = view_of(TWINS, frame(lost, variant_frame(layers=(layer(),))))
        told = shift_findings(view, [[measurement(0, 1e30)], [measurement(0, 0.2)]], layer=0, place=shift.INPUT)
        assert not any("in A" in sentence for sentence in told)
        assert "A diverged" in told[-1]

    def test_of_nothing_are_none(self) -> None:
        assert shift_findings(view_of(TWINS), [], layer=0, place=shift.INPUT) == []
        (sentence,) = shift_findings(moving((30, 30)), [], layer=0, place=shift.INPUT)
        assert sentence.startswith("Train to see")


class StandIn:
    """A run that stands still, or plays, and answers at once or not at all."""

    def __init__(self, view: View, state: str = "paused", *, answers: bool = True) -> None:
        self.history, self.experiment = object(), view.experiment
        self._view, self.state, self.answers, self.asked = view, state, answers, 0

    @property
    def status(self) -> Any:
        return type("Status", (), {"state": self.state})()

    def view(self) -> View:
        return self._view

    def inspect(self, question: ShiftOfGradients) -> "Future[list[GradientShift]]":
        self.asked += 1
        answer: Future[list[GradientShift]] = Future()
        if self.answers:
            assert self._view.latest is not None
            answer.set_result([measurement(v.step, 0.1) for v in self._view.latest.variants])
        else:
            answer.set_exception(ConnectionError("lost"))
        return answer


def gradients_of(run: StandIn, question: "LiveQuestion[list[GradientShift], shift.Measured]") -> list[list[int]]:
    """The steps of each variant's measurements."""
    found = shift.until(question.of(run, ShiftOfGradients()) or {}, None)  # type: ignore[arg-type]
    return [[each.step for each in column] for column in found]


class TestMeasuring:
    @pytest.fixture
    def question(self) -> "LiveQuestion[list[GradientShift], shift.Measured]":
        return LiveQuestion(shift.gathered, about=lambda experiment: experiment)

    def test_asks_once_of_networks_that_stand_still(
        self, question: "LiveQuestion[list[GradientShift], shift.Measured]"
    ) -> None:
        run = StandIn(moving((30, 30), (31, 30)))
        assert [gradients_of(run, question) for _ in range(3)] == [[[100], [100]]] * 3
        assert (run.asked, question.count) == (1, 1)

    def test_keeps_what_was_measured_before(
        self, question: "LiveQuestion[list[GradientShift], shift.Measured]"
    ) -> None:
        run = StandIn(moving((30, 30)))
        gradients_of(run, question)
        run._view = moving((30, 30), (31, 30))
        assert gradients_of(run, question) == [[0, 100], [0, 100]]
        measured = question.of(run, ShiftOfGradients())  # type: ignore[arg-type]
        assert measured is not None
        assert [[each.step for each in column] for column in shift.until(measured, 50)] == [[0], [0]]

    def test_asks_no_oftener_than_it_may_of_networks_that_train(
        self, question: "LiveQuestion[list[GradientShift], shift.Measured]"
    ) -> None:
        run = StandIn(moving((30, 30)), "playing")
        for k in range(1, 4):
            gradients_of(run, question)
            run._view = moving(*[(30, 30)] * k)
        assert run.asked == 1

    def test_starts_over_with_the_run_and_lives_with_one_that_does_not_answer(
        self, question: "LiveQuestion[list[GradientShift], shift.Measured]"
    ) -> None:
        run = StandIn(moving((30, 30)))
        assert len(gradients_of(run, question)) == 2
        run.history, run.answers = object(), False
        assert gradients_of(run, question) == []
        run.answers = True
        run._view = moving((30, 30))
        assert len(gradients_of(run, question)) == 2

    def test_keeps_a_bounded_number(self) -> None:
        known: shift.Measured | None = None
        for step in range(3 * shift.MOST):
            known = shift.gathered([measurement(step, 0.1)], known)
        assert known is not None
        (steps,) = ([each.step for each in column] for column in shift.until(known, None))
        assert len(steps) <= shift.MOST
        assert steps == sorted(steps)
        assert steps[0] == 0
        assert steps[-1] == 3 * shift.MOST - 1


class TestRewound:
    def test_shows_a_kept_moment_until_told_otherwise_or_the_run_starts_over(self) -> None:
        from bnviz.ui.components.scrubber import Rewound

        run = StandIn(moving((30, 30), (31, 30), (33, 31)))
        past = Rewound(run)  # type: ignore[arg-type]
        assert past.view() is run.view()
        past.go(170)
        assert past.step == 100
        first, again = past.view().latest, past.view().latest
        assert first is again  # a page that stands still has no news
        assert first is not None
        assert first.step == 100
        past.go(None)
        assert past.view() is run.view()
        past.go(0)
        assert past.step == 0
        run.history = object()
        assert past.step is None
        assert past.view() is run.view()

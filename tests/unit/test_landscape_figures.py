"""The loss landscape, drawn, put into sentences and exported, of made-up measurements; no torch."""

import base64
import csv
import io
import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bnviz import figures
from bnviz.analysis.smoothness import smoothness_course
from bnviz.experiment.config import BatchNormConfig, Experiment, Variant
from bnviz.export import landscape as files
from bnviz.figures.landscape import Shape
from bnviz.figures.style import Figure
from bnviz.findings.landscape import (
    noise_findings,
    rate_findings,
    scaling_findings,
    sharpness_findings,
    slice_findings,
)
from bnviz.findings.smoothness import effective_rate_findings, gap_findings, smoothness_findings
from bnviz.records.frames import STEP_LENGTHS, Smoothness
from bnviz.records.history import History, Marker, View
from bnviz.records.landscape import (
    NOISE_SIZES,
    WEIGHT_SCALES,
    BatchNoise,
    LargestRates,
    Plane,
    Scaling,
    Sharpness,
    Slice,
)
from bnviz.theory import ravine
from tests.builders import frame, twins, variant_frame

TWINS = twins(steps=900)
EVERY = 15  # steps between two looks
NOISY = Experiment(TWINS.training, (*TWINS.variants, Variant(TWINS.variants[0].network, BatchNormConfig(noisy=True))))
K = len(STEP_LENGTHS)
NAN = math.nan
BANDS = (figures.loss_band, figures.gradient_predictiveness, figures.effective_smoothness)
KINDS: tuple[Plane, ...] = ("random", "path", "line")
SHAPES: tuple[Shape, ...] = ("contour", "surface")
SEEDS = (5, 6, 7)
COLOR = "#123456"


def measured(beta: float, loss: float = 1.0, gradient: float = 2.0, gap: float = NAN) -> Smoothness:
    """A gradient that changes by beta times the distance, exactly."""
    lengths = np.array(STEP_LENGTHS) * 0.1 * gradient
    return Smoothness(0.1, loss, gradient, loss - 0.1 * lengths, beta * lengths, np.array([3.0, 1.0]), gap)


def view(*betas: float, experiment: Experiment = TWINS, steps: int = 12, **changes: Any) -> View:
    history = History(experiment, watch="landscape")
    for step in range(0, EVERY * steps, EVERY):
        each = [
            variant_frame(step, [1.0 / (i + 1)] if step else [], smoothness=measured(beta, **changes))
            for i, beta in enumerate(betas)
        ]
        history.add(frame(*each, tick=step))
    return history.view()


def piece(kind: Plane = "random", level: float = 1.0, side: int = 5) -> Slice:
    across = np.linspace(-1, 1, side)
    x, y = np.meshgrid(across, across)
    loss = (level + x**2 + y**2).astype(np.float32)
    if kind == "line":
        loss, across_y = loss[side // 2 : side // 2 + 1], np.zeros(1)
    else:
        across_y = across
    path = np.array([[0.5, 0.5], [0.2, 0.1], [0, 0]]) if kind == "path" else np.zeros((0, 2))
    return Slice(kind, 40, 1000, across, across_y, loss, level, path, (0, 20, 40)[: len(path)], (0.7, 0.2)[: len(path)])


def drawable(figure: Figure) -> Figure:
    """A figure that JSON can carry and whose axes have finite ranges."""
    json.dumps(figure, allow_nan=False)
    for name, axis in figure["layout"].items():
        if "axis" in name and "range" in axis:
            assert np.isfinite(axis["range"]).all(), name
    return figure


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


class TestSmoothness:
    def test_is_the_largest_ratio_of_change_to_distance(self) -> None:
        assert measured(7.0).beta == pytest.approx(7)
        found = smoothness_course(view(3.0, 8.0), 1)
        np.testing.assert_allclose(found.beta, 8)
        assert (found.loss_high >= found.loss_low).all()

    def test_a_verdict_follows_the_data_in_both_directions(self) -> None:
        rough_without = smoothness_findings(view(9.0, 3.0))[0]
        assert (
            "9 without batchnorm, 3 with it. 3.0 times smoother with batchnorm, as Santurkar et al. 2018"
            in rough_without
        )
        rough_with = smoothness_findings(view(3.0, 9.0))[0]
        assert "3.0 times <b>less</b> smooth with batchnorm, unlike what Santurkar et al. 2018 found" in rough_with
        assert "They are alike" in smoothness_findings(view(3.0, 3.1))[0]

    def test_noisy_batchnorm_is_compared_with_none(self) -> None:
        said = smoothness_findings(view(3.0, 2.0, 4.0, experiment=NOISY, steps=60))
        assert "The training loss with noisy batchnorm is 0.333, still lower than that without batchnorm, 1 " in said[1]

    def test_a_network_without_its_counterpart_is_not_compared(self) -> None:
        alone = Experiment(TWINS.training, TWINS.variants[:1])
        assert smoothness_findings(view(3.0, experiment=alone))[0].startswith("To compare, train one network without")

    def test_divergence_and_zero_gradients_are_told(self) -> None:
        history = History(TWINS, watch="landscape")
        bad = variant_frame(0, smoothness=measured(NAN, loss=NAN, gradient=NAN), diverged=True)
        history.add(frame(variant_frame(0, smoothness=measured(0.0, gradient=0.0)), bad, tick=0))
        said = smoothness_findings(history.view())
        assert said[0] == "Without batchnorm, the gradient is zero: there is no direction to look along."
        assert said[1].startswith("With batchnorm, training diverged at step 0")
        for log in (True, False):
            for figure in (figures.loss_band, figures.gradient_predictiveness, figures.effective_smoothness):
                drawable(figure(history.view(), log=log))

    @pytest.mark.parametrize("log", [True, False])
    @pytest.mark.parametrize("steps", [0, 1, 12])
    def test_bands_can_be_drawn_at_any_time(self, log: bool, steps: int) -> None:
        seen = view(3.0, 8.0, steps=steps, gap=0.1) if steps else History(TWINS, watch="landscape").view()
        for figure in (figures.loss_band, figures.gradient_predictiveness, figures.effective_smoothness):
            drawable(figure(seen, log=log))
        for other in (figures.effective_learning_rate, figures.generalization_gap):
            drawable(other(seen))

    def test_one_kept_frame_is_told_to_be_one(self) -> None:
        said = smoothness_findings(view(3.0, 8.0, steps=1))
        assert said == ["1 kept step so far, and a comparison takes 4: train to see how smooth the way is."]
        words = figures.loss_band(view(3.0, 8.0, steps=1), log=True)["layout"]["meta"]["words"]
        assert words.endswith("<br>seed 0, before the first step: train to see the course")

    def test_a_band_says_of_which_run_it_is(self) -> None:
        figure = figures.effective_smoothness(view(3.0, 8.0), log=True)
        assert "seed 0, steps 0 to 165" in figure["layout"]["meta"]["words"]
        assert len(figures.loss_band(view(3.0, 8.0), log=True)["data"]) == 2 * 3

    def test_an_effective_rate_is_taken_apart_into_rate_and_weights(self) -> None:
        history = History(TWINS, watch="landscape")
        for step, rate, norm in ((0, 0.1, 2.0), (EVERY, 0.05, 4.0)):
            assert effective_rate_findings(history.view()) == []
            seen = replace(measured(1.0), rate=rate, weights=np.array([norm, 1.0]))
            history.add(frame(*[variant_frame(step, smoothness=seen)] * 2, tick=step))
        said = effective_rate_findings(history.view())  # only networks with batchnorm
        assert said == ["batchnorm: 0.025 at step 0, 0.0031 at step 15: η is 0.5 times what it was, ‖W₁‖² 4.0 times."]
        assert said[0] in figures.effective_learning_rate(history.view(), said)["layout"]["meta"]["words"]
        marked = replace(history.view(), markers=(Marker("batchnorm on", {1: (EVERY, 1.0)}),))
        assert effective_rate_findings(marked) == []  # not of the network before

    @pytest.mark.parametrize(
        ("gaps", "verdict"),
        [((0.1, 0.05), "smaller"), ((0.05, 0.1), "<b>larger</b>"), ((0.1, 0.102), "alike"), ((0.001, -0.001), "alike")],
    )
    def test_gaps_are_compared_once_there_are_some_looks(self, gaps: tuple[float, float], verdict: str) -> None:
        history = History(TWINS, watch="landscape")
        for step in range(0, 4 * EVERY, EVERY):
            assert gap_findings(history.view()) == []
            looks = (variant_frame(step, smoothness=measured(1.0, gap=gap)) for gap in gaps)
            history.add(frame(*looks, tick=step))
        assert verdict in gap_findings(history.view())[0]

    def test_a_finished_run_is_not_told_to_train_on(self) -> None:
        seen = view(3.0, 8.0, steps=2)
        assert "so far" in smoothness_findings(seen)[0]
        assert seen.latest is not None
        over = replace(seen, latest=replace(seen.latest, finished=True))
        assert smoothness_findings(over)[0].startswith("This run has 2 kept steps, and a comparison takes 4")

    def test_is_exported_with_every_length(self) -> None:
        found = rows(files.smoothness_csv(view(3.0, 8.0)))
        assert len(found) == 2 * 12 * K
        assert found[0]["variant"] == "A"
        assert float(found[0]["gradient_change"]) == pytest.approx(3 * 0.5 * 0.1 * 2)


class TestSlices:
    @pytest.mark.parametrize("log", [True, False])
    @pytest.mark.parametrize("shape", ["contour", "surface"])
    @pytest.mark.parametrize("kind", ["random", "path", "line"])
    def test_of_all_networks_share_one_scale(self, kind: Plane, shape: Any, log: bool) -> None:
        found = (piece(kind, 0.5), piece(kind, 2.0))
        figure = drawable(figures.landscape_slices(found, TWINS, shape=shape, log=log, words=["of this run"]))
        assert "of this run" in figure["layout"]["meta"]["words"]
        if kind != "line":
            color = figure["layout"]["coloraxis"]
            ends = [
                float(piece(kind, level).loss.__getattribute__(end)()) for level, end in ((0.5, "min"), (2.0, "max"))
            ]
            expected = np.log10(ends) if log else ends
            assert [color["cmin"], color["cmax"]] == pytest.approx(expected, rel=1e-5)

    def test_that_are_missing_say_why_and_the_others_are_drawn(self) -> None:
        found = ("it has diverged.", piece())
        assert (
            figures.landscape_slices(found, TWINS, shape="contour", log=True, words=[])["data"][0]["type"] == "contour"
        )
        assert slice_findings(found, TWINS)[0] == "no batchnorm: it has diverged."
        drawable(figures.landscape_slices(("A: none", "B: none"), TWINS, shape="contour", log=True, words=["A: none"]))

    def test_with_infinite_losses_are_drawn_where_they_are_finite(self) -> None:
        loss = piece().loss.copy()
        loss[0] = np.inf
        for shape in ("contour", "surface"):
            drawable(figures.landscape_slices((replace(piece(), loss=loss),), TWINS, shape=shape, log=True, words=[]))
        nowhere = replace(piece(), loss=np.full((5, 5), np.nan, np.float32))
        assert "no loss in this slice is a finite number" in slice_findings((nowhere,), TWINS)[0]
        drawable(figures.landscape_slices((nowhere,), TWINS, shape="contour", log=True, words=[]))

    def test_are_told_in_words(self) -> None:
        said = slice_findings((piece(level=0.5), piece(level=2.0)), TWINS)
        assert said[0] == "no batchnorm: from 0.5 at the weights to 2.5 within the slice."
        assert "this plane holds 90% of the squared distances of its path" in slice_findings((piece("path"),), TWINS)[0]

    def test_a_hill_on_the_line_is_told(self) -> None:
        x = np.linspace(-1.25, 0.25, 7)
        down, over = (np.array([[9, 8, 6, 5, 4, 2, 3.0]]), np.array([[9, 8, 12, 5, 4, 2, 3.0]]))
        line = replace(piece("line"), x=x)
        assert "goes down all the way" in slice_findings((replace(line, loss=down),), TWINS)[0]
        assert "climbs by up to 4." in slice_findings((replace(line, loss=over),), TWINS)[0]

    def test_are_exported_point_by_point(self) -> None:
        found = rows(files.slices_csv((piece(), "it has diverged.")))
        assert len(found) == 25
        assert found[0] == {"variant": "A", "step": "40", "digits": "1000", "x": "-1.0", "y": "-1.0", "loss": "3.0"}


class TestTheFlattest:
    def said(self, *rises: float) -> str:
        found = [replace(piece(), loss=np.full((5, 5), 1 + rise), centre=1.0) for rise in rises]
        return slice_findings(tuple(found), NOISY if len(rises) == 3 else TWINS)[-1]

    def test_is_named_where_it_differs(self) -> None:
        assert self.said(0.2, 0.5) == (
            "Mean rise over the slice: 0.2 without batchnorm, 0.5 with batchnorm; flatter without batchnorm here."
        )
        assert "flattest without batchnorm and with batchnorm here." in self.said(0.5, 0.52, 0.9)
        assert "they are alike" in self.said(0.5, 0.52)

    def test_is_none_where_a_network_only_guesses(self) -> None:
        learned, guessing = replace(piece(), centre=1.0), replace(piece(), centre=2.31)
        (*_, said) = slice_findings((guessing, learned), TWINS)
        assert said.endswith("They are not compared: without batchnorm the weights do no better than guessing.")

    def test_is_none_by_rounding_or_on_a_slope(self) -> None:
        assert "they are alike" in self.said(0.0, 1e-7)
        assert "they are alike" in self.said(-1e-7, 1e-7)
        assert "without batchnorm the weights lie in no basin, because most of the slice is lower" in self.said(
            -0.1, 0.5
        )
        assert self.said(NAN, 0.5).endswith("0.5 with batchnorm.")


def axes_of(figure: Figure) -> list[tuple[str, Figure]]:
    frame = figure["layout"]
    scenes = [scene for name, scene in frame.items() if name.startswith("scene")]
    found = [(name, each) for name, each in frame.items() if name.startswith(("xaxis", "yaxis")) and not scenes]
    return [*found, *((name, each) for scene in scenes for name, each in scene.items() if name.endswith("axis"))]


NOISE = BatchNoise(10, 1 / np.sqrt(NOISE_SIZES), 2 / np.sqrt(NOISE_SIZES))
SCALED = Scaling(10, 1 / np.array(WEIGHT_SCALES), np.zeros(len(WEIGHT_SCALES)))
STILL = Scaling(10, np.full(len(WEIGHT_SCALES), NAN), np.zeros(len(WEIGHT_SCALES)))


def test_every_chart_has_ranges_of_its_own_as_only_data_are_moved_in_the_browser() -> None:
    seen = view(3.0, 8.0, gap=0.1)
    rates = LargestRates(SEEDS, np.array([[0.5, 0.5, 1.0], [4096.0, 4096.0, 2.0]]), 1e-3, 4096.0)
    drawn = [band(seen, log=log) for log in (True, False) for band in BANDS]
    drawn += [
        figures.effective_learning_rate(seen),
        figures.generalization_gap(seen),
        figures.batch_noise(NOISE, COLOR, []),
    ]
    drawn += [figures.sharpness_over_steps((SHARP, SHARP), TWINS, []), figures.largest_rates(rates, TWINS, [])]
    drawn += [figures.gradient_by_scale((STILL, SCALED), TWINS, [])]
    drawn += [
        figures.landscape_slices((piece(kind), piece(kind)), TWINS, shape=shape, log=log, words=[])
        for kind in KINDS
        for shape in SHAPES
        for log in (True, False)
    ]
    drawn += [figures.ravine_contours(ravine.descend("raw", 5.0, 0.3, 0.0, (-1.5, 0.6)), 5.0, 0.0, 0.3)]
    for figure in drawn:
        assert len(axes_of(figure)) >= 2
        for name, each in axes_of(figure):
            low, high = each["range"]
            assert low < high, (figure["layout"]["meta"]["alt"], name)


def test_panels_stand_side_by_side_and_one_below_the_other_on_a_phone() -> None:
    frame = figures.landscape_slices((piece(), piece()), TWINS, shape="contour", log=True, words=[])["layout"]
    narrow = frame["meta"]["narrow"]
    assert frame["xaxis"]["domain"][1] < frame["xaxis2"]["domain"][0]
    assert frame["yaxis"]["domain"] == frame["yaxis2"]["domain"] == [0, 1]
    assert narrow["xaxis"]["domain"] == narrow["xaxis2"]["domain"]
    assert narrow["yaxis"]["domain"][0] > narrow["yaxis2"]["domain"][1]
    assert narrow["height"] > frame["height"]
    assert "no batchnorm" in frame["annotations"][0]["text"]


def test_a_range_below_the_loss_is_descent_and_not_roughness() -> None:
    seen = view(0.001, 0.001, experiment=TWINS)
    for i, slope in enumerate((0.1, 0.4)):
        for each in seen.variants[i].frames:
            s = each.smoothness
            assert s is not None
            object.__setattr__(each, "smoothness", replace(s, losses=1.0 - slope * np.array(STEP_LENGTHS)))
    said = next(s for s in smoothness_findings(seen) if s.startswith("Range of the loss"))
    assert "The loss varies 4.0 times more with batchnorm: most of it is descent." in said


def test_the_gap_at_the_last_step_is_of_other_digits_and_left_out() -> None:
    seen = view(3.0, 8.0, gap=0.1, steps=TWINS.training.steps // EVERY + 1)
    assert seen.variants[0].frames[-1].step == TWINS.training.steps
    x = base64.b64decode(figures.generalization_gap(seen)["data"][0]["x"]["bdata"])
    assert np.frombuffer(x, np.float32)[-1] < TWINS.training.steps


SHARP = Sharpness(np.array([0, 50]), np.array([5.0, 30.0]), np.array([20.0, 20.0]))


def test_sharpness_is_compared_with_the_limit() -> None:
    found = (SHARP, "it has diverged, and its weights are no numbers.")
    said = sharpness_findings(found, TWINS)
    assert said[1].startswith("batchnorm: it has diverged")
    assert said[0] == "no batchnorm: λ<sub>max</sub> 30 at step 50, above the limit 20 (at most 150% of it on the way)."
    drawable(figures.sharpness_over_steps(found, TWINS, said))
    drawable(figures.sharpness_over_steps((), TWINS, []))
    far = replace(SHARP, eigenvalue=np.array([500.0, 30.0]))
    assert "(at most 25 times it on the way)" in sharpness_findings((far,), TWINS)[0]
    ended = replace(SHARP, limit=np.array([20.0, math.inf]))
    assert "where the learning rate is 0, and there is no limit" in sharpness_findings((ended,), TWINS)[0]
    by_adam = replace(SHARP, limit=np.full(2, NAN))
    assert sharpness_findings((by_adam,), TWINS)[0].endswith("30 at step 50; Adam's steps have no limit in it alone.")
    assert "limit" not in [curve["name"] for curve in figures.sharpness_over_steps((by_adam,), TWINS, [])["data"]]
    broken = replace(SHARP, eigenvalue=np.array([5.0, NAN]))
    assert "has no largest eigenvalue" in sharpness_findings((broken,), TWINS)[0]
    nowhere = replace(SHARP, eigenvalue=np.array([NAN, NAN]), limit=np.full(2, math.inf))
    for each in (ended, broken, nowhere):
        drawable(figures.sharpness_over_steps((each,), TWINS, []))
    assert len(rows(files.sharpness_csv(found))) == 2


def test_the_largest_rates_are_compared_and_bounds_are_named() -> None:
    found = LargestRates(SEEDS, np.array([[0.5, 0.5, 1.0], [4096.0, 4096.0, 2.0]]), 1e-3, 4096.0)
    said = rate_findings(found, TWINS)
    assert said[0] == "no batchnorm: 0.5"
    assert said[1] == "batchnorm: 4,096 or more"
    worse = LargestRates(SEEDS, found.rates[::-1], 1e-3, 4096.0)
    assert "<b>not</b> larger with batchnorm" in rate_findings(worse, TWINS)[-1]
    assert (
        "none from 0.001 on trains" in rate_findings(LargestRates(SEEDS, np.full((2, 3), 1e-3), 1e-3, 4096.0), TWINS)[0]
    )
    drawable(figures.largest_rates(found, TWINS, said))
    assert [row["seed"] for row in rows(files.rates_csv(found))] == ["5", "6", "7"] * 2


@pytest.mark.parametrize(
    ("without", "with_it", "words"),
    [
        (1.0, 4.0, "is 4.0 times as large"),
        (1.0, 4096.0, "is at least 4,000 times as large"),
        (1e-3, 4.0, "Without batchnorm no rate from 0.001 on trains, with batchnorm some do."),
        (1e-3, 4096.0, "Without batchnorm no rate from 0.001 on trains, with batchnorm some do."),
        (4096.0, 4096.0, "cannot be compared"),
        (1e-3, 1e-3, "cannot be compared"),
        (4096.0, 1e-3, "With batchnorm no rate from 0.001 on trains, without batchnorm some do."),
        (2.0, 2.0, "is <b>not</b> larger"),
    ],
)
def test_a_bound_is_no_number_to_divide_by(without: float, with_it: float, words: str) -> None:
    found = LargestRates(SEEDS, np.repeat([[without], [with_it]], 3, axis=1), 1e-3, 4096.0)
    assert words in rate_findings(found, TWINS)[-1]


def test_noisy_batchnorm_is_not_what_the_largest_rates_are_compared_by() -> None:
    noisy_first = Experiment(TWINS.training, (TWINS.variants[0], NOISY.variants[2], TWINS.variants[1]))
    found = LargestRates(SEEDS, np.repeat([[1.0], [0.5], [3.0]], 3, axis=1), 1e-3, 4096.0)
    assert "is 3.0 times as large with batchnorm" in rate_findings(found, noisy_first)[-1]


def test_scales_and_noise_are_drawn_and_told() -> None:
    inverse, nothing, noise = SCALED, STILL, NOISE
    said = scaling_findings((nothing, inverse), TWINS)
    assert said[0].startswith("no batchnorm: no gradient reaches these weights")
    assert "the gradient is 0.125 times as large (1/a = 0.125), and logits move by up to 0." in said[1]
    drawable(figures.gradient_by_scale((nothing, inverse), TWINS, said))
    constant = replace(noise, mean=np.zeros(len(NOISE_SIZES)))
    assert "The outputs of layer 1 are constant" in noise_findings(constant)[0]
    drawable(figures.batch_noise(constant, COLOR, []))
    assert "of 256 digits 0.062: 2.8 times less noise" in noise_findings(noise)[0]
    assert len(rows(files.scaling_csv((nothing, inverse)))) == 2 * len(WEIGHT_SCALES)
    assert [float(row["mean"]) for row in rows(files.noise_csv(noise))] == pytest.approx(noise.mean)
    assert rows(files.noise_csv(None)) == rows(files.rates_csv(None)) == []
    drawable(figures.batch_noise(noise, COLOR, []))

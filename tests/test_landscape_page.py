"""What the page on the loss landscape draws, says and exports, of made-up measurements; no torch, no browser."""

import csv
import io
import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from builders import frame, twins, variant_frame

from bnviz import landscape_findings as findings
from bnviz import smoothness
from bnviz.config import BatchNormConfig, Experiment, Variant
from bnviz.figures import landscape as figures
from bnviz.figures import smoothness as bands
from bnviz.figures.style import Figure
from bnviz.history import History, View
from bnviz.landscape_records import (
    NOISE_SIZES,
    SCALES,
    BatchNoise,
    LargestRates,
    Plane,
    Scaling,
    Sharpness,
    Slice,
)
from bnviz.records import STEP_LENGTHS, Smoothness

TWINS = twins(steps=60)
NOISY = Experiment(TWINS.training, (*TWINS.variants, Variant(TWINS.variants[0].network, BatchNormConfig(noisy=True))))
K = len(STEP_LENGTHS)
NAN = math.nan


def measured(beta: float, loss: float = 1.0, gradient: float = 2.0, gap: float = NAN) -> Smoothness:
    """A gradient that changes by beta times the distance, exactly."""
    lengths = np.array(STEP_LENGTHS) * 0.1 * gradient
    return Smoothness(0.1, loss, gradient, loss - 0.1 * lengths, beta * lengths, np.array([3.0, 1.0]), gap)


def view(*betas: float, experiment: Experiment = TWINS, steps: int = 12, **changes: Any) -> View:
    history = History(experiment, watch="landscape")
    for step in range(steps):
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
        found = smoothness.course(view(3.0, 8.0), 1)
        np.testing.assert_allclose(found.beta, 8)
        assert (found.loss_high >= found.loss_low).all()

    def test_a_verdict_follows_the_data_in_both_directions(self) -> None:
        rough_without = smoothness.findings(view(9.0, 3.0))[0]
        assert (
            "9 of A, 3 of B with batchnorm. 3.0 times smoother with batchnorm, as Santurkar et al. 2018"
            in rough_without
        )
        rough_with = smoothness.findings(view(3.0, 9.0))[0]
        assert "3.0 times <b>less</b> smooth with batchnorm, unlike what Santurkar et al. 2018 found" in rough_with
        assert "They are alike" in smoothness.findings(view(3.0, 3.1))[0]

    def test_noisy_batchnorm_is_compared_with_none(self) -> None:
        said = smoothness.findings(view(3.0, 2.0, 4.0, experiment=NOISY, steps=60))
        assert (
            "Training loss of C, with noisy batchnorm: 0.333, still lower than that of A without batchnorm, 1 "
            in said[1]
        )

    def test_a_network_without_its_counterpart_is_not_compared(self) -> None:
        alone = Experiment(TWINS.training, TWINS.variants[:1])
        assert smoothness.findings(view(3.0, experiment=alone))[0].startswith("To compare, train one network without")

    def test_divergence_and_zero_gradients_are_told(self) -> None:
        history = History(TWINS, watch="landscape")
        bad = variant_frame(0, smoothness=measured(NAN, loss=NAN, gradient=NAN), diverged=True)
        history.add(frame(variant_frame(0, smoothness=measured(0.0, gradient=0.0)), bad, tick=0))
        said = smoothness.findings(history.view())
        assert said[0] == "The gradient of A is zero: there is no direction to look along."
        assert said[1].startswith("B diverged at step 0")
        for log in (True, False):
            for figure in (bands.loss_band, bands.predictiveness, bands.effective_smoothness):
                drawable(figure(history.view(), log=log))

    @pytest.mark.parametrize("log", [True, False])
    @pytest.mark.parametrize("steps", [0, 1, 12])
    def test_bands_can_be_drawn_at_any_time(self, log: bool, steps: int) -> None:
        seen = view(3.0, 8.0, steps=steps, gap=0.1) if steps else History(TWINS, watch="landscape").view()
        for figure in (bands.loss_band, bands.predictiveness, bands.effective_smoothness):
            drawable(figure(seen, log=log))
        for other in (bands.effective_rate, bands.generalization_gap):
            drawable(other(seen))

    def test_one_kept_frame_is_told_to_be_one(self) -> None:
        said = smoothness.findings(view(3.0, 8.0, steps=1))
        assert said == ["1 kept step so far, and a comparison takes 4: train to see how smooth the way is."]
        words = bands.loss_band(view(3.0, 8.0, steps=1), log=True)["layout"]["meta"]["words"]
        assert words == "seed 0, before the first step: train to see the course"

    def test_a_band_says_of_which_run_it_is(self) -> None:
        figure = bands.effective_smoothness(view(3.0, 8.0), log=True)
        assert "seed 0, steps 0 to 11" in figure["layout"]["meta"]["words"]
        assert len(bands.loss_band(view(3.0, 8.0), log=True)["data"]) == 2 * 3

    def test_is_exported_with_every_length(self) -> None:
        found = rows(findings.smoothness_csv(view(3.0, 8.0)))
        assert len(found) == 2 * 12 * K
        assert found[0]["variant"] == "A"
        assert float(found[0]["gradient_change"]) == pytest.approx(3 * 0.5 * 0.1 * 2)


class TestSlices:
    @pytest.mark.parametrize("log", [True, False])
    @pytest.mark.parametrize("shape", ["contour", "surface"])
    @pytest.mark.parametrize("kind", ["random", "path", "line"])
    def test_of_all_networks_share_one_scale(self, kind: Plane, shape: Any, log: bool) -> None:
        found = (piece(kind, 0.5), piece(kind, 2.0))
        figure = drawable(figures.slices(found, shape=shape, log=log, words=["of this run"]))
        assert "of this run" in figure["layout"]["meta"]["words"]
        if kind != "line":
            color = figure["layout"]["coloraxis"]
            ends = [
                float(piece(kind, level).loss.__getattribute__(end)()) for level, end in ((0.5, "min"), (2.0, "max"))
            ]
            expected = np.log10(ends) if log else ends
            assert [color["cmin"], color["cmax"]] == pytest.approx(expected, rel=1e-5)

    def test_that_are_missing_say_why_and_the_others_are_drawn(self) -> None:
        found = ("A: it has diverged.", piece())
        assert figures.slices(found, shape="contour", log=True, words=[])["data"][0]["type"] == "contour"
        assert findings.of_slices(found)[0] == "A: it has diverged."
        drawable(figures.slices(("A: none", "B: none"), shape="contour", log=True, words=["A: none"]))

    def test_with_infinite_losses_are_drawn_where_they_are_finite(self) -> None:
        loss = piece().loss.copy()
        loss[0] = np.inf
        for shape in ("contour", "surface"):
            drawable(figures.slices((replace(piece(), loss=loss),), shape=shape, log=True, words=[]))  # type: ignore[arg-type]
        nowhere = replace(piece(), loss=np.full((5, 5), np.nan, np.float32))
        assert "no loss in this slice is a finite number" in findings.of_slices((nowhere,))[0]
        drawable(figures.slices((nowhere,), shape="contour", log=True, words=[]))

    def test_are_told_in_words(self) -> None:
        said = findings.of_slices((piece(level=0.5), piece(level=2.0)))
        assert said[0] == "A: from 0.5 at the weights to 2.5 within the slice."
        assert "this plane holds 90% of the squared distances of its path" in findings.of_slices((piece("path"),))[0]

    def test_a_hill_on_the_line_is_told(self) -> None:
        x = np.linspace(-1.25, 0.25, 7)
        down, over = (np.array([[9, 8, 6, 5, 4, 2, 3.0]]), np.array([[9, 8, 12, 5, 4, 2, 3.0]]))
        line = replace(piece("line"), x=x)
        assert "goes down all the way" in findings.of_slices((replace(line, loss=down),))[0]
        assert "climbs by up to 4." in findings.of_slices((replace(line, loss=over),))[0]

    def test_are_exported_point_by_point(self) -> None:
        found = rows(findings.slices_csv((piece(), "B: it has diverged.")))
        assert len(found) == 25
        assert found[0] == {"variant": "A", "step": "40", "digits": "1000", "x": "-1.0", "y": "-1.0", "loss": "3.0"}


SHARP = Sharpness(np.array([0, 50]), np.array([5.0, 30.0]), np.array([20.0, 20.0]), 500)


def test_sharpness_is_compared_with_the_limit() -> None:
    found = (SHARP, "B: it has diverged, and its weights are no numbers.")
    said = findings.of_sharpness(found, TWINS)
    assert said[0].startswith("B: it has diverged")
    assert said[1] == "A: λ_max 30 at step 50, above the limit 20 (at most 150% of it on the way)."
    drawable(figures.sharpness(found, TWINS, said))
    drawable(figures.sharpness((), TWINS, []))
    assert len(rows(findings.sharpness_csv(found))) == 2


def test_the_largest_rates_are_compared_and_bounds_are_named() -> None:
    found = LargestRates(np.array([[0.5, 0.5, 1.0], [4096.0, 4096.0, 2.0]]), 1e-3, 4096.0)
    said = findings.of_rates(found, TWINS)
    assert said[0] == "A (no batchnorm): 0.5"
    assert said[1] == "B (batchnorm): 4,096 or more"
    worse = LargestRates(found.rates[::-1], 1e-3, 4096.0)
    assert "<b>not</b> larger with batchnorm" in findings.of_rates(worse, TWINS)[-1]
    assert "none from 0.001 trains" in findings.of_rates(LargestRates(np.full((2, 3), 1e-3), 1e-3, 4096.0), TWINS)[0]
    drawable(figures.largest_rates(found, TWINS, said))
    assert len(rows(findings.rates_csv(found))) == 6


def test_scales_and_noise_are_drawn_and_told() -> None:
    inverse = Scaling(10, 1 / np.array(SCALES), np.zeros(len(SCALES)), 3.0)
    nothing = Scaling(10, np.full(len(SCALES), NAN), np.zeros(len(SCALES)), 3.0)
    said = findings.of_scaling((nothing, inverse), TWINS)
    assert said[0].startswith("A: no gradient reaches these weights")
    assert "the gradient is 0.125 times as large (1/a = 0.125), and logits move by up to 0." in said[1]
    drawable(figures.scaling((nothing, inverse), TWINS, said))
    noise = BatchNoise(10, 1 / np.sqrt(NOISE_SIZES), 2 / np.sqrt(NOISE_SIZES))
    assert "of 256 digits 0.062: 2.8 times less noise" in findings.of_noise(noise)[0]
    assert len(rows(findings.scaling_csv((nothing, inverse)))) == 2 * len(SCALES)
    assert [float(row["mean"]) for row in rows(findings.noise_csv(noise))] == pytest.approx(noise.mean)
    assert rows(findings.noise_csv(None)) == rows(findings.rates_csv(None)) == []
    drawable(figures.batch_noise(noise, 1, []))

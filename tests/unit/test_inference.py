"""Training against inference: what is estimated, said and drawn of it; no torch."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnviz import figures
from bnviz.analysis.inference import statistic_error, variance_estimates
from bnviz.experiment.config import BatchNormConfig, Experiment, TrainingConfig, Variant
from bnviz.findings.inference import answer_findings, inference_findings
from bnviz.records.answers import Answers
from bnviz.records.frames import BATCH_SIZES, InferenceFrame, Statistics
from bnviz.records.history import History, View
from tests.builders import frame, numbers, variant_frame

ONE = Experiment(TrainingConfig(steps=1000), (Variant(batchnorm=BatchNormConfig()),))
LOSSES = {"eval": 0.3, "population": 0.29, **{str(size): 1 / size for size in BATCH_SIZES}}


def inference(running: float, batch: float = 1.0, population: float = 2.0, **losses: float) -> InferenceFrame:
    """Means as given, in every unit; all variances 4."""
    mean, four = np.ones(3, np.float32), np.full(3, 4, np.float32)
    layer = Statistics(running * mean, four, batch * mean, four, population * mean, four)
    return InferenceFrame(LOSSES | losses, (layer,))


def view(*found: InferenceFrame) -> View:
    history = History(ONE, watch="inference")
    for place, each in enumerate(found):
        history.add(frame(variant_frame(5 * place, [1.0] * (5 if place else 0), inference=each)))
    return history.view()


def named(figure: dict[str, Any], name: str) -> dict[str, Any]:
    (trace,) = [trace for trace in figure["data"] if trace.get("name") == name]
    return dict(trace)


def test_a_watched_history_keeps_more_frames() -> None:
    often = view(*(inference(0.1 * k) for k in range(8)))
    assert [f.step for f in often.variants[0].frames] == [0, 5, 10, 15, 20, 25, 30, 35]
    assert ONE.training.keep_every == 67
    assert ONE.training.kept_every("inference") == 5


def test_the_running_mean_is_drawn_beside_what_it_stands_for() -> None:
    figure = figures.running_statistics(view(inference(0.0), inference(1.5)), layer=0, unit=1)
    running = [trace for trace in figure["data"] if trace.get("name") == "running"]
    assert [numbers(trace["y"]).tolist() for trace in running] == [[0.0, 1.5], [4.0, 4.0]]
    assert numbers(running[0]["x"]).tolist() == [0.0, 5.0]
    population = [trace for trace in figure["data"] if trace.get("name") == "population"]
    assert numbers(population[0]["y"]).tolist() == [2.0, 2.0]
    assert "unit 2 of layer 1" in figure["layout"]["meta"]["words"]


def test_errors_are_told_in_standard_deviations_of_the_population() -> None:
    layer = inference(running=0.0, batch=1.0).layers[0]
    assert statistic_error(layer, "running", "mean") == 1.0  # 2 off, with a standard deviation of 2
    assert statistic_error(layer, "batch", "mean") == 0.5
    assert statistic_error(layer, "running", "var") == 0.0


def test_a_unit_that_never_varies_breaks_no_figure() -> None:
    zero = np.zeros(3, np.float32)
    dead = InferenceFrame(LOSSES, (Statistics(zero, zero, zero, zero, zero, zero),))
    for figure in (
        figures.running_statistics(view(dead), layer=0, unit=0),
        figures.statistics_error(view(dead), layer=0),
    ):
        assert all(
            np.isfinite(axis["range"]).all() for key, axis in figure["layout"].items() if key.startswith("yaxis")
        )


def test_the_loss_of_every_mode_is_a_line() -> None:
    figure = figures.inference_losses(view(inference(0.0), inference(1.0, eval=0.2)))
    assert numbers(named(figure, "eval mode")["y"]) == pytest.approx([0.3, 0.2])
    assert numbers(named(figure, "training mode, 2 digits")["y"]).tolist() == [0.5, 0.5]
    assert len(figure["data"]) == 2 + len(BATCH_SIZES)


def test_findings_repeat_what_was_measured() -> None:
    first, second = inference_findings(view(inference(0.0), inference(1.5, eval=0.123)))
    assert "After 5 steps the running means of layer 1 are 0.25 standard deviations off" in first
    assert "the means of one batch 0.50" in first
    assert "0.123 in eval mode" in second
    assert "0.500 in batches of 2" in second
    assert inference_findings(History(ONE).view()) == []


def test_findings_count_a_single_step() -> None:
    history = History(ONE, watch="inference")
    history.add(frame(variant_frame(1, [1.0], inference=inference(1.5))))
    assert inference_findings(history.view())[0].startswith("After 1 step the running means")


def test_a_loss_that_is_no_number_is_not_compared() -> None:
    assert len(inference_findings(view(inference(0.0, eval=float("nan"))))) == 1


@given(st.integers(0, 1000), st.floats(0.1, 10), st.floats(-5, 5))
def test_bessels_correction_makes_the_estimate_right_on_average(seed: int, spread: float, center: float) -> None:
    values = np.random.default_rng(seed).normal(center, spread, 2000)
    found = variance_estimates(values, (2, 8))
    for size, (biased, unbiased) in found.items():
        assert biased.mean() == pytest.approx((size - 1) / size, abs=0.06)
        assert unbiased.mean() == pytest.approx(1, abs=0.1)
        np.testing.assert_allclose(unbiased, biased * size / (size - 1))


def test_the_distributions_are_drawn_as_quartiles() -> None:
    found = variance_estimates(np.arange(100.0), (2, 128))
    biased, unbiased = figures.bessel_correction(found, 7)["data"]
    assert biased["x"] == ["2", "128"]
    assert biased["median"][0] == pytest.approx(np.median(found[2][0]), abs=1e-3)
    assert unbiased["q1"][1] < unbiased["median"][1] < unbiased["q3"][1]


def answers(*evaluated: list[float]) -> Answers:
    trained = {2: np.array([[0.9, *[0.1 / 9] * 9], [0.1, 0.9, *[0.0] * 8]], np.float32)}
    return Answers(0, np.array(evaluated, np.float32), trained, "batch statistics need a batch of at least 2 digits")


SURE = [0.99, *[0.01 / 9] * 9]


def test_identical_answers_are_called_identical() -> None:
    eval_mode, alone, two = answer_findings(answers(SURE, SURE, SURE))
    assert "says <b>0</b> (99.0%)" in eval_mode
    assert "its answers alone, among 31 and among 255 other digits are exactly equal" in eval_mode
    assert "refused. <i>Batch statistics need a batch of at least 2 digits.</i>" in alone
    assert "1 of 2 say 0; the others move its probability from 10.0% to 90.0%" in two


def test_answers_that_differ_are_not_called_identical() -> None:
    other = [0.9, *[0.1 / 9] * 9]
    assert "up to 9.0% apart" in answer_findings(answers(SURE, other, SURE))[0]


def test_eval_mode_that_refuses_a_digit_alone_says_so() -> None:
    eval_mode, alone, *_ = answer_findings(answers(SURE, SURE))
    assert "among 31 and among 255 other digits" in eval_mode
    assert "alone," not in eval_mode
    assert alone.startswith("<b>Eval mode, alone</b>: refused.")


def test_answers_are_bars_and_one_point_a_batch_and_class() -> None:
    figure = figures.digit_answers(answers(SURE, SURE, SURE), ["Said."], 12)
    bars, points = figure["data"]
    assert numbers(bars["y"])[0] == pytest.approx(99.0)
    assert len(numbers(points["y"])) == 20
    assert figure["layout"]["meta"]["words"].startswith("At step 12:<br>Said.")


def test_a_digit_stands_upright() -> None:
    image = np.zeros((28, 28))
    image[0, 5] = 255
    figure = figures.digit_image(image, "drawn")
    assert np.reshape(numbers(figure["data"][0]["z"]), (28, 28))[0, 5] == 255
    assert figure["layout"]["yaxis"]["range"] == [27.5, -0.5]  # row 0 is at the top

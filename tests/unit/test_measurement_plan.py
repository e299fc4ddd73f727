"""What a trainer measures when: the plan, case by case."""

from itertools import product
from typing import get_args

import pytest

from bnviz.experiment.config import NetworkConfig, TrainingConfig, Watch
from bnviz.records.frames import LARGE_DEPTH
from bnviz.training.measurement_plan import (
    LANDSCAPE_LOOKS,
    MeasurementPlan,
    edit_needs_tests,
    is_kept,
    is_large,
    measurement_plan,
)

TRAINING = TrainingConfig(steps=300)  # keeps every 20th step; every 2nd of watched inference; every 15th of a landscape
WATCHES: tuple[Watch | None, ...] = (None, *get_args(Watch))
NOTHING, ALL = "", "all_histograms"
TESTS, INFERENCE = "test_results", "test_results population inference"


def measured(plan: MeasurementPlan) -> str:
    """The names of what a plan measures."""
    return " ".join(name for name in MeasurementPlan.__dataclass_fields__ if getattr(plan, name))


@pytest.mark.parametrize(
    ("watch", "step", "evaluate", "expected"),
    [
        # between two kept frames
        (None, 7, False, NOTHING),
        (None, 7, True, TESTS),
        ("inference", 7, False, NOTHING),
        ("inference", 7, True, INFERENCE),
        ("landscape", 7, False, NOTHING),
        ("landscape", 7, True, NOTHING),
        # kept frames, where the clock has no say
        (None, 0, False, f"{ALL} {TESTS} summaries"),
        (None, 20, False, f"{ALL} {TESTS} summaries"),
        (None, 20, True, f"{ALL} {TESTS} summaries"),
        ("inference", 20, False, f"{ALL} {INFERENCE}"),
        ("landscape", 0, False, f"{ALL} {TESTS} smoothness"),
        ("landscape", 15, False, f"{ALL} smoothness"),
        ("landscape", 15, True, f"{ALL} smoothness"),
        ("landscape", 15 * LANDSCAPE_LOOKS, False, f"{ALL} {TESTS} smoothness"),
        # the end, with all digits
        (None, 300, False, f"{ALL} test_results all_digits summaries"),
        ("inference", 300, False, f"{ALL} test_results all_digits population inference"),
        ("landscape", 300, False, f"{ALL} test_results all_digits smoothness"),
    ],
)
def test_says_what_is_measured(watch: Watch | None, step: int, evaluate: bool, expected: str) -> None:
    plan = measurement_plan(TRAINING, watch, step, evaluate=evaluate)
    assert measured(plan) == expected


@pytest.mark.parametrize("watch", WATCHES)
@pytest.mark.parametrize("step", [0, 7, 15, 20, 75, 300])
@pytest.mark.parametrize("evaluate", [False, True])
def test_measures_the_population_before_the_test_results_that_use_it(
    watch: Watch | None, step: int, evaluate: bool
) -> None:
    plan = measurement_plan(TRAINING, watch, step, evaluate=evaluate, uses_population=True)
    assert plan.population == plan.test_results


@pytest.mark.parametrize(("watch", "expected"), [(None, TESTS), ("inference", INFERENCE), ("landscape", NOTHING)])
@pytest.mark.parametrize("evaluate", [False, True])
def test_a_network_that_diverged_is_told_of_in_full_whoever_asks(
    watch: Watch | None, expected: str, evaluate: bool
) -> None:
    plan = measurement_plan(TRAINING, watch, 7, evaluate=evaluate, diverged=True)
    assert measured(plan) == f"{ALL} {expected}".rstrip()


@pytest.mark.parametrize("watch", WATCHES)
def test_only_a_large_network_that_moves_is_looked_at_on_few_digits(watch: Watch | None) -> None:
    def few(step: int, **asked: bool) -> bool:
        return measurement_plan(TRAINING, watch, step, **asked).few_digits

    assert few(7, large=True)
    assert not any([few(7), few(7, large=True, evaluate=True), few(7, large=True, diverged=True), few(0, large=True)])


@pytest.mark.parametrize(
    ("network", "large"),
    [
        (NetworkConfig(), False),
        (NetworkConfig(hidden_layers=LARGE_DEPTH), False),
        (NetworkConfig(hidden_layers=LARGE_DEPTH + 1), True),
        (NetworkConfig(architecture="lenet"), True),
    ],
)
def test_a_network_is_large_if_it_is_deep_or_has_convolutions(network: NetworkConfig, large: bool) -> None:
    assert is_large(network) == large


@pytest.mark.parametrize("watch", WATCHES)
def test_what_is_kept_does_not_depend_on_who_asks(watch: Watch | None) -> None:
    kept = [step for step in range(TRAINING.steps + 1) if is_kept(TRAINING, watch, step)]
    assert kept == list(range(0, TRAINING.steps + 1, TRAINING.kept_every(watch)))
    for step in kept:
        asked, unasked = (measurement_plan(TRAINING, watch, step, evaluate=evaluate) for evaluate in (True, False))
        assert asked == unasked


@pytest.mark.parametrize(("watch", "fares_as_before"), list(product(WATCHES, [False, True])))
def test_an_edit_is_tested_unless_watched_inference_stays_as_it_was(watch: Watch | None, fares_as_before: bool) -> None:
    assert edit_needs_tests(watch, fares_as_before=fares_as_before) == (watch != "inference" or not fares_as_before)

"""Shifts of the gradients are measured now and then, and kept."""

import pytest

from bnviz.analysis.gradient_shift import MEASUREMENTS_KEPT, Measurements, measured_until, with_measurement
from bnviz.records.answers import GradientShift
from bnviz.records.questions import ShiftOfGradients
from bnviz.ui.asking.repeated import LiveQuestion
from tests.moving import StandIn, measurement, moving

Question = LiveQuestion[list[GradientShift], Measurements]


def gradients_of(run: StandIn, question: Question) -> list[list[int]]:
    """The steps of each variant's measurements."""
    found = measured_until(question.of(run, ShiftOfGradients()) or {}, None)  # type: ignore[arg-type]
    return [[each.step for each in column] for column in found]


class TestMeasuring:
    @pytest.fixture
    def question(self) -> Question:
        return LiveQuestion(with_measurement, about=lambda experiment: experiment)

    def test_asks_once_of_networks_that_stand_still(self, question: Question) -> None:
        run = StandIn(moving((30, 30), (31, 30)))
        assert [gradients_of(run, question) for _ in range(3)] == [[[100], [100]]] * 3
        assert (run.asked, question.count) == (1, 1)

    def test_keeps_what_was_measured_before(self, question: Question) -> None:
        run = StandIn(moving((30, 30)))
        gradients_of(run, question)
        run._view = moving((30, 30), (31, 30))
        assert gradients_of(run, question) == [[0, 100], [0, 100]]
        measured = question.of(run, ShiftOfGradients())  # type: ignore[arg-type]
        assert measured is not None
        assert [[each.step for each in column] for column in measured_until(measured, 50)] == [[0], [0]]

    def test_asks_no_oftener_than_it_may_of_networks_that_train(self, question: Question) -> None:
        run = StandIn(moving((30, 30)), "playing")
        for k in range(1, 4):
            gradients_of(run, question)
            run._view = moving(*[(30, 30)] * k)
        assert run.asked == 1

    def test_starts_over_with_the_run_and_lives_with_one_that_does_not_answer(self, question: Question) -> None:
        run = StandIn(moving((30, 30)))
        assert len(gradients_of(run, question)) == 2
        run.history, run.answers = object(), False
        assert gradients_of(run, question) == []
        run.answers = True
        run._view = moving((30, 30))
        assert len(gradients_of(run, question)) == 2

    def test_keeps_a_bounded_number(self) -> None:
        known: Measurements | None = None
        for step in range(3 * MEASUREMENTS_KEPT):
            known = with_measurement([measurement(step, 0.1)], known)
        assert known is not None
        (steps,) = ([each.step for each in column] for column in measured_until(known, None))
        assert len(steps) <= MEASUREMENTS_KEPT
        assert steps == sorted(steps)
        assert steps[0] == 0
        assert steps[-1] == 3 * MEASUREMENTS_KEPT - 1

"""What counts as having learned nothing."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnviz.analysis.learning import WINDOW, is_guessing, steps_without_learning, window_losses
from bnviz.experiment.layers import LN_10
from bnviz.records.history import VariantHistory
from tests.builders import variant_frame


def history_of(losses: Sequence[float] | np.ndarray, stride: int = 1) -> VariantHistory:
    values = np.array(losses, dtype=float)
    return VariantHistory(stride, values, np.arange(len(values), dtype=float), (), ())


class TestWindows:
    @given(st.integers(0, 700), st.integers(0, 6))
    def test_stay_the_same_while_a_run_goes_on_and_its_points_are_averaged(self, steps: int, halvings: int) -> None:
        losses, stride = np.random.default_rng(0).normal(2, 1, 700), 2**halvings
        now = window_losses(history_of(losses[:steps]))
        thinned = losses[: 700 // stride * stride].reshape(-1, stride).mean(1)
        np.testing.assert_allclose(now, window_losses(history_of(losses))[: len(now)])
        np.testing.assert_allclose(now, window_losses(history_of(thinned, stride))[: len(now)])


class TestStepsWithoutLearning:
    def test_count_back_from_the_newest_window(self) -> None:
        assert steps_without_learning(history_of([1.0] * WINDOW + [LN_10] * 3 * WINDOW)) == 3 * WINDOW
        assert steps_without_learning(history_of([LN_10] * 3 * WINDOW + [1.0] * WINDOW)) == 0

    def test_go_by_windows_not_by_single_batches(self) -> None:
        noisy = LN_10 + np.resize([0.3, -0.3], 4 * WINDOW)
        assert steps_without_learning(history_of(noisy)) == 4 * WINDOW
        assert steps_without_learning(history_of(noisy - 0.1)) == 0

    def test_are_those_of_a_loss_above_ln_10_too(self) -> None:
        assert steps_without_learning(history_of([3.0] * 2 * WINDOW)) == 2 * WINDOW

    @pytest.mark.parametrize("stride", [1, 2, 16, 64])
    def test_are_steps_not_points(self, stride: int) -> None:
        assert steps_without_learning(history_of([LN_10] * (2240 // stride), stride)) == 2240 // WINDOW * WINDOW

    def test_are_none_in_a_run_too_short_to_tell(self) -> None:
        assert steps_without_learning(history_of([LN_10] * (WINDOW - 1))) == 0
        assert steps_without_learning(history_of([])) == 0

    def test_begin_after_a_loss_that_is_no_number(self) -> None:
        losses = [LN_10] * WINDOW + [math.nan] + [LN_10] * (2 * WINDOW - 1)
        assert steps_without_learning(history_of(losses)) == WINDOW

    @given(st.lists(st.sampled_from([0.0, -0.04, -0.06, 0.2]), min_size=1, max_size=12))
    def test_never_become_fewer_while_nothing_is_learned(self, offsets: list[float]) -> None:
        losses = np.repeat(LN_10 + np.array(offsets), 60)
        counts = [steps_without_learning(history_of(losses[:steps])) for steps in range(0, len(losses) + 1, 30)]
        for before, after in pairwise(counts):
            assert after >= before or after == 0


@pytest.mark.parametrize(
    ("loss", "accuracy", "guesses"), [(2.31, 0.104, True), (3.35, 0.104, True), (2.5, 0.4, False), (1.0, 0.1, False)]
)
def test_guessing_takes_both_a_loss_and_an_accuracy_of_chance(loss: float, accuracy: float, guesses: bool) -> None:
    assert is_guessing(variant_frame(test_loss=loss, test_accuracy=accuracy)) == guesses

"""Histograms of values near zero: bins that fit them, and that say exactly what the usual bins say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnviz import figures
from bnviz.experiment.config import Experiment, NetworkConfig, TrainingConfig, Variant
from bnviz.records.frames import BINS, MAGNIFICATIONS, CloseUp
from bnviz.records.history import History
from bnviz.training.batches import Batches
from bnviz.training.metrics import close_up_of_sorted, histogram_of_sorted
from bnviz.training.trainer import Trainer, train
from tests.builders import numbers

SMALL = Experiment(
    TrainingConfig(steps=100),
    tuple(Variant(NetworkConfig(width=32, init="rand", init_scale=scale)) for scale in (1e-4, 2e-4)),
)


@given(st.lists(st.integers(-29, 28), min_size=2), st.sampled_from(MAGNIFICATIONS))
def test_wider_bins_are_exactly_those_of_the_usual_range(bins: list[int], magnification: int) -> None:
    values = np.sort((np.array(bins) + 0.5) / 3 / magnification)  # in the middles of the bins over ±10 / magnification
    found = close_up_of_sorted(values, -10.0, 10.0)
    if values[0] == values[-1]:
        assert found is None
        return
    assert found is not None
    assert found.magnification >= magnification
    for coarser in (magnification, magnification // 2, magnification // 10):
        expected = histogram_of_sorted(values, -10 / coarser, 10 / coarser)
        np.testing.assert_array_equal(found.at(coarser), expected[1 : BINS + 1])


@pytest.mark.parametrize("values", [[-1.5, 0.0], [0.0, 1.0], [0.0, np.inf], [0.0, np.nan], [0.3, 0.3]])
def test_there_is_none_of_values_that_are_large_or_no_numbers_or_all_the_same(values: list[float]) -> None:
    assert close_up_of_sorted(np.array(values), -10.0, 10.0) is None


def test_a_close_up_is_of_the_largest_magnification_that_shows_all() -> None:
    found = close_up_of_sorted(np.array([-0.09, 0.02]), -10.0, 10.0)
    assert isinstance(found, CloseUp)
    assert (found.magnification, found.counts.sum()) == (100, 2)


def test_the_lab_shows_small_values_in_bins_that_fit(batches: Batches) -> None:
    frame = Trainer(SMALL.training, SMALL.variants, batches).advance(steps=0)
    for place in ("pre_activation", "post_activation"):
        figure = figures.activation_histograms(frame, SMALL, layer=0, place=place)
        assert figure["layout"]["xaxis"]["range"][1] <= 0.1
        for trace in figure["data"]:
            assert np.count_nonzero(numbers(trace["y"])) / 2 > 5  # bins, each of which has two corners


def test_one_network_of_large_values_keeps_the_usual_bins_for_all(batches: Batches) -> None:
    large = replace(SMALL.variants[1], network=replace(SMALL.variants[1].network, init_scale=1.0))
    mixed = replace(SMALL, variants=(SMALL.variants[0], large))
    frame = Trainer(mixed.training, mixed.variants, batches).advance(steps=0)
    figure = figures.activation_histograms(frame, mixed, layer=0, place="pre_activation")
    assert figure["layout"]["xaxis"]["range"] == [-10, 10]


@pytest.mark.parametrize("kind", ["ridges", "overlay", "heat"])
def test_a_course_of_small_values_fits_them_all_along(kind: str, batches: Batches) -> None:
    slow = replace(SMALL, training=replace(SMALL.training, learning_rate=1e-4))
    history = History(slow)
    for frame in train(slow, batches):
        history.add(frame)
    figure = figures.distributions_over_steps(history.view(), layer=0, place="post_activation", kind=kind)  # type: ignore[arg-type]
    axis = figure["layout"]["yaxis" if kind == "heat" else "xaxis"]
    assert axis["range"][1] <= 0.1

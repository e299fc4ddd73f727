"""The status line says where a run is, and at which pace it really goes."""

import math

import pytest

from bnviz.records.history import View
from bnviz.records.live import Status
from bnviz.ui.session import only_lasts_longer
from bnviz.ui.status_line import network_numbers, status_line
from tests.builders import frame, twins, variant_frame, view_of


def view() -> View:
    return view_of(twins(steps=1500), frame(variant_frame(30, [1.0] * 30), variant_frame(30, [1.0] * 30)))


@pytest.mark.parametrize(
    ("rate", "asked", "told"),
    [(37.0, 200.0, True), (195.0, 200.0, False), (900.0, math.inf, False), (0.0, 200.0, False)],
)
def test_a_machine_that_does_not_keep_the_pace_is_told(rate: float, asked: float, told: bool) -> None:
    status = Status("playing", 30, rate, catching_up=False, busy=False, asked=asked)
    assert ("steps/s at most" in status_line(view(), status, 10_000)) == told


def test_every_network_has_its_numbers_and_one_that_diverged_says_so() -> None:
    diverged = variant_frame(30, diverged=True)
    found = network_numbers(view_of(twins(), frame(variant_frame(30, test_accuracy=0.664), diverged)))
    assert "66.4%" in found["bnviz-numbers-a"]
    assert found["bnviz-numbers-b"] == "diverged"


def test_more_steps_alone_are_no_reason_to_start_over() -> None:
    assert only_lasts_longer(twins(steps=100), twins(steps=200))
    assert not only_lasts_longer(twins(steps=200), twins(steps=100))
    assert not only_lasts_longer(twins(steps=100), twins(steps=200, seed=1))
    assert not only_lasts_longer(twins(steps=100), twins(steps=100))

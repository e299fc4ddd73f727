"""The settings of the page Initialization: what is out of range is refused, with the range."""

from typing import Any

import pytest

from bnviz.records.initialization import MAX_UNITS
from bnviz.ui.sections import initialization


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((8, 600, 1.0, 0), "Width: '600' is not allowed; give a whole number from 1 to 512."),
        ((8, None, 1.0, 0), "Width: '' is not allowed; give a whole number from 1 to 512."),
        ((21, 8, 1.0, 0), "Hidden layers: '21' is not allowed; give a whole number from 1 to 20."),
        ((8, 8, 1000.0, 0), "Init scale: '1000' is not allowed; give a number from 0.0001 to 100."),
        ((8, 8, 1.0, -1), "Seed: '-1' is not allowed; give a whole number from 0 to 2147483647."),
    ],
)
def test_settings_out_of_range_are_refused_with_the_limit(given: tuple[Any, ...], said: str) -> None:
    assert initialization.check(*given) == [said]


def test_too_many_units_are_refused_with_the_width_that_would_do() -> None:
    (said,) = initialization.check(20, 512, 1.0, 0)
    assert "10,240 units" in said
    assert f"at most {MAX_UNITS:,}" in said
    assert said.endswith("a width up to 256.")
    assert initialization.check(20, 256, 1.0, 0) == []
    assert initialization.check(10, 512, 1e-4, 2**31 - 1) == []

"""The short way from a slider to its charts: one value, one answer, whatever else is asked."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import Request

from bnviz.figures.ravine import CHART_KEYS
from bnviz.figures.style import Figure
from bnviz.ui.sections import ravine
from bnviz.ui.web.shortcut import Shortcut, serve_figures
from tests.running import answered


@pytest.fixture
def shortcut() -> Iterator[Shortcut]:
    opened = Shortcut()
    yield opened
    opened.close()


def ask(token: str, query: str) -> tuple[int, Any]:
    """Status and figures."""
    scope = {"type": "http", "query_string": query.encode(), "path_params": {"token": token}, "headers": []}
    answer = answered(serve_figures(Request(scope)))
    text = bytes(answer.body).decode()
    return answer.status_code, json.loads(text) if answer.status_code == 200 else text


def test_a_value_is_answered_with_figures(shortcut: Shortcut) -> None:
    shortcut.answer(lambda values: {"chart": values})
    assert ask(shortcut.token, "rate=0.25&momentum=0") == (200, {"chart": {"rate": 0.25, "momentum": 0.0}})


@pytest.mark.parametrize("query", ["rate=fast", "rate=%00", "rate=nan", "rate=inf", "rate=1&momentum=1e999"])
def test_what_is_no_finite_number_is_refused(shortcut: Shortcut, query: str) -> None:
    shortcut.answer(lambda values: {"chart": values})
    assert ask(shortcut.token, query) == (400, "give finite numbers")


def test_nobody_answers_for_an_unknown_or_closed_connection(shortcut: Shortcut) -> None:
    assert ask("0" * 32, "rate=1")[0] == 404
    shortcut.close()
    assert ask(shortcut.token, "rate=1")[0] == 404


VALUES = {key: first for key, (_, _, _, first, _) in ravine.SLIDERS.items()}


def words(charts: dict[str, Figure], key: str) -> str:
    found: str = charts[key]["layout"]["meta"]["words"]
    return found


def test_a_move_redraws_the_ravine_with_what_the_other_sliders_say() -> None:
    still, fast = ravine.ahead(VALUES, {}), ravine.ahead(VALUES, {"ravine_rate": 3.0})
    assert set(fast) == {*CHART_KEYS.values(), "chart_ravine_loss"}
    assert "diverges" not in words(still, "chart_ravine")
    assert "diverges" in words(fast, "chart_ravine")
    assert "condition number 25;" in words(fast, "chart_ravine")
    assert "condition number 4;" in words(ravine.ahead(VALUES, {"ravine_ratio": 2.0}), "chart_ravine")


def test_a_move_beyond_the_ends_or_of_no_slider_does_no_harm() -> None:
    low, high = ravine.SLIDERS["ravine_ratio"][1:3]
    for wild, end in ((-1e300, low), (1e300, high)):
        assert ravine.ahead(VALUES, {"ravine_ratio": wild}) == ravine.ahead(VALUES, {"ravine_ratio": end})
    assert ravine.ahead(VALUES, {"no_slider": 1.0}) == ravine.ahead(VALUES, {})


def test_a_click_overrules_the_moves_before_it_of_the_sliders_that_it_sets(shortcut: Shortcut) -> None:
    assert shortcut.hears("w1", 5.0)
    shortcut.clicked(["w1", "w2"], 7.0)
    assert not shortcut.hears("w1", 6.0)
    assert shortcut.hears("rate", 6.0)  # which the click has not set
    assert shortcut.told == 7.0
    assert shortcut.hears("w1", 8.0)
    assert shortcut.hears("w2", 7.5)
    assert shortcut.told == 8.0

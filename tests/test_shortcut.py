"""The short way from a slider to its charts: one value, one answer, whatever else is asked."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.requests import Request

from bnviz.ui import ravine
from bnviz.ui.shortcut import Shortcut, serve_figures


@pytest.fixture
def shortcut() -> Iterator[Shortcut]:
    opened = Shortcut()
    yield opened
    opened.close()


def ask(token: str, query: str) -> tuple[int, Any]:
    """Status and figures. In a thread of its own: a browser test before this one may have left a loop in this one."""
    scope = {"type": "http", "query_string": query.encode(), "path_params": {"token": token}, "headers": []}
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(asyncio.run, serve_figures(Request(scope))).result()
    return answer.status_code, json.loads(answer.body) if answer.status_code == 200 else bytes(answer.body).decode()


def test_a_value_is_answered_with_figures(shortcut: Shortcut) -> None:
    shortcut.answer(lambda key, value: {"chart": {key: value}})
    assert ask(shortcut.token, "key=rate&value=0.25") == (200, {"chart": {"rate": 0.25}})


@pytest.mark.parametrize("query", ["", "key=rate", "key=rate&value=", "key=rate&value=fast", "value=nan", "value=inf"])
def test_what_is_no_finite_number_is_refused(shortcut: Shortcut, query: str) -> None:
    shortcut.answer(lambda key, value: {key: {"value": value}})
    assert ask(shortcut.token, query) == (400, "value: give a finite number")


def test_nobody_answers_for_an_unknown_or_closed_connection(shortcut: Shortcut) -> None:
    assert ask("0" * 32, "key=rate&value=1")[0] == 404
    shortcut.close()
    assert ask(shortcut.token, "key=rate&value=1")[0] == 404


VALUES = {key: first for key, (_, _, _, first, _) in ravine.SLIDERS.items()}


def test_a_move_redraws_the_ravine_as_a_rerun_would() -> None:
    moved = VALUES | {"ravine_rate": 0.1}
    assert ravine.ahead(VALUES, "ravine_rate", 0.1) == ravine.ahead(moved, "ravine_rate", 0.1)
    assert ravine.ahead(VALUES, "ravine_rate", 0.1) != ravine.ahead(VALUES, "ravine_rate", 0.2)
    assert set(ravine.ahead(VALUES, "ravine_rate", 0.1)) == {*ravine.KEYS.values(), "chart_ravine_loss"}


def test_a_move_beyond_the_ends_or_of_no_slider_does_no_harm() -> None:
    low, high = ravine.SLIDERS["ravine_ratio"][1:3]
    assert ravine.ahead(VALUES, "ravine_ratio", -1e300) == ravine.ahead(VALUES, "ravine_ratio", low)
    assert ravine.ahead(VALUES, "ravine_ratio", 1e300) == ravine.ahead(VALUES, "ravine_ratio", high)
    assert ravine.ahead(VALUES, "no_slider", 1.0) == {}

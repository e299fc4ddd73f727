"""What a browser says of its tab and its visitor, and what no browser would say."""

from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from bnviz.ui.components import browser_ids


def _script() -> None:
    import streamlit as st

    from bnviz.ui.components.browser_ids import introduce, tab_id, visitor_id

    introduce()
    st.text(tab_id())
    st.text(str(visitor_id()))


def shown(answer: object, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[Any]]:
    """What a page says of the ids, and what the browser's side was told in both runs."""
    told: list[Any] = []

    def draw(**given: Any) -> SimpleNamespace:
        told.append(given["data"])
        return SimpleNamespace(tab=answer)

    monkeypatch.setattr(browser_ids, "component", lambda *_: draw)
    app = AppTest.from_function(_script).run().run()
    assert not app.exception
    return [text.value for text in app.text], told


def test_nothing_is_drawn_before_the_browser_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(None, monkeypatch) == ([], 2 * [{"known": None, "assigned": None}])


def test_tab_and_visitor_are_known_by_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, told = shown("a-tab-of-a-test a-visitor-of-it", monkeypatch)
    assert ids == ["a-tab-of-a-test", "a-visitor-of-it"]
    assert told[1]["known"] == "a-tab-of-a-test"


@pytest.mark.parametrize("sent", ["a-tab-of-a-test", "a-tab-of-a-test bad!", "a-tab-of-a-test ", "a-tab-of-a-test x y"])
def test_a_tab_may_have_no_visitor_that_could_be_one(sent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(sent, monkeypatch)[0] == ["a-tab-of-a-test", "None"]


@pytest.mark.parametrize(
    "sent", ["", " ", "short", "<script>alert(1)</script>", "x" * 65, 7, [], {"tab": "a"}, "é" * 9]
)
def test_what_is_no_id_gives_the_tab_a_new_one(sent: object, monkeypatch: pytest.MonkeyPatch) -> None:
    (tab, visitor), told = shown(sent, monkeypatch)
    assert len(tab) == 32
    assert visitor == "None"
    assert told[1] == {"known": tab, "assigned": tab}

"""The feed: one question, one answer, when there is something new."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import Request

from bnviz.ui.web import feed as module
from bnviz.ui.web.feed import Feed, serve_news
from tests.running import answered

Answer = tuple[int, Any]


@pytest.fixture
def feed() -> Iterator[Feed]:
    opened = Feed()
    yield opened
    opened.close()


def ask(token: str, seen: str = "") -> Answer:
    """Status and news."""
    return answered(_ask(token, seen))


async def _ask(token: str, seen: str) -> Answer:
    scope = {"type": "http", "query_string": f"seen={seen}".encode(), "path_params": {"token": token}, "headers": []}
    answer = await serve_news(Request(scope))
    return answer.status_code, json.loads(bytes(answer.body)) if answer.body else None


def test_news_are_told_at_once_and_once(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HOLD", 0.05)
    feed.show(lambda: 7, lambda: {"step": 7})
    status, news = ask(feed.token)
    assert (status, news["step"]) == (200, 7)
    assert ask(feed.token, news["version"]) == (204, None)


def test_a_question_waits_until_the_state_changes(feed: Feed) -> None:
    state = [1]
    feed.show(lambda: state[0], lambda: {"step": state[0]})
    _, news = ask(feed.token)

    async def change_while_asked() -> Answer:
        question = asyncio.create_task(_ask(feed.token, news["version"]))
        await asyncio.sleep(5 * module.LOOK_EVERY)
        assert not question.done()
        state[0] = 2
        return await question

    status, later = answered(change_while_asked())
    assert (status, later["step"]) == (200, 2)


def test_a_rerun_of_the_page_is_news_even_where_the_run_stands_still(feed: Feed) -> None:
    feed.show(lambda: 1, lambda: {"smoothing": 30})
    _, before = ask(feed.token)
    feed.show(lambda: 1, lambda: {"smoothing": 1})
    _, after = ask(feed.token, before["version"])
    assert after["smoothing"] == 1
    assert after["page"] == before["page"] + 1


def test_the_seconds_from_an_answer_to_the_next_question_are_told(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    now, wishes = [100.0], list[float]()
    monkeypatch.setattr("bnviz.ui.web.feed.time.monotonic", lambda: now[0])
    feed.show(lambda: 1, lambda: {"step": 1}, wishes.append)
    ask(feed.token)
    now[0] += 0.04
    ask(feed.token)
    assert wishes[1:] == pytest.approx([0.04])


def test_nobody_answers_for_an_unknown_or_closed_feed(feed: Feed) -> None:
    assert ask("0" * 32) == (205, None)
    feed.close()
    assert ask(feed.token) == (205, None)


def test_what_no_browser_could_read_is_refused(feed: Feed) -> None:
    feed.show(lambda: 1, lambda: {"loss": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        ask(feed.token)

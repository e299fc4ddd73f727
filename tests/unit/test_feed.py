"""The feed: one question, one answer, when there is something new."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from threading import Condition
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from streamlit.web.server.starlette.starlette_gzip_middleware import SelectiveGZipMiddleware

from bnviz.engine.bell import Bell
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


class Counter:
    """What a feed shows: a number, a bell, and how often somebody has looked."""

    def __init__(self) -> None:
        self.value, self.looks, self.moved = 1, 0, Bell()
        self.in_between: Callable[[], None] = lambda: None  # called once, between a look and what follows from it

    def set(self, value: int) -> None:
        self.value = value
        self.moved.ring()

    def state(self) -> int:
        seen, then = self.value, self.in_between
        self.looks, self.in_between = self.looks + 1, lambda: None
        then()
        return seen

    def news(self) -> dict[str, Any]:
        return {"step": self.value}


@pytest.fixture
def counter(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> Counter:
    """Shown by the feed, whose questions wait for a minute: what nobody tells them is not found by asking again."""
    monkeypatch.setattr(module, "HOLD", 60.0)
    shown = Counter()
    feed.show(shown.state, shown.news, bells=(Bell(), shown.moved))
    return shown


def test_a_question_waits_without_a_look_until_a_bell_rings(feed: Feed, counter: Counter) -> None:
    _, news = ask(feed.token)

    async def change_while_asked() -> Answer:
        looks = counter.looks
        question = asyncio.create_task(_ask(feed.token, news["version"]))
        await asyncio.sleep(0.1)
        assert not question.done()
        assert counter.looks == looks + 1
        await asyncio.to_thread(counter.set, 2)
        return await question

    status, later = answered(change_while_asked())
    assert (status, later["step"]) == (200, 2)


def test_what_changes_right_after_the_look_is_heard(feed: Feed, counter: Counter) -> None:
    _, news = ask(feed.token)
    counter.in_between = lambda: counter.set(2)
    status, later = ask(feed.token, news["version"])
    assert (status, later["step"]) == (200, 2)


@pytest.mark.parametrize("change", ["show", "close"])
def test_a_question_hears_of_its_feed_too(feed: Feed, counter: Counter, change: str) -> None:
    _, news = ask(feed.token)
    counter.in_between = (lambda: feed.show(lambda: 1, lambda: {"step": 9})) if change == "show" else feed.close
    status, later = ask(feed.token, news["version"])
    assert (status, later and later["step"]) == ((200, 9) if change == "show" else (205, None))


@pytest.mark.parametrize("seed", range(3))
def test_no_change_is_lost_and_none_goes_back(feed: Feed, counter: Counter, seed: int) -> None:
    """Nobody changes anything again before the newest has been seen: what is lost once is never seen."""
    dice, last, seen, caught_up = random.Random(seed), 600, [1], Condition()

    def change() -> None:
        while counter.value < last:
            for _ in range(min(dice.choice([1, 1, 2, 5]), last - counter.value)):
                counter.set(counter.value + 1)
                if dice.random() < 0.5:
                    time.sleep(dice.random() * 1e-3)
            with caught_up:
                assert caught_up.wait_for(lambda: seen[-1] == counter.value, 20), "news were lost"

    async def follow() -> None:
        version = ""
        while seen[-1] < last:
            status, news = await _ask(feed.token, version)
            assert status == 200
            version = news["version"]
            with caught_up:
                seen.append(news["step"])
                caught_up.notify_all()

    with ThreadPoolExecutor(1) as changing:
        changes = changing.submit(change)
        answered(asyncio.wait_for(follow(), 60))
        changes.result()
    assert seen == sorted(seen)


def test_nobody_listens_for_a_question_that_has_been_answered_or_given_up(
    feed: Feed, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HOLD", 0.02)
    _, news = ask(feed.token)
    assert ask(feed.token, news["version"])[0] == 204
    heard: list[Callable[[], None]] = []
    monkeypatch.setattr(asyncio.BaseEventLoop, "call_soon_threadsafe", lambda *call: heard.append(call[1]))
    counter.set(2)
    assert heard == []


def test_news_are_not_compressed(feed: Feed) -> None:
    feed.show(lambda: 1, lambda: {"words": "again and " * 1000})
    headers: dict[bytes, bytes] = {}

    async def send(message: MutableMapping[str, Any]) -> None:
        headers.update(message.get("headers", ()))

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": f"/news/{feed.token}", "query_string": b""}
    scope["headers"] = [(b"accept-encoding", b"gzip")]
    answered(SelectiveGZipMiddleware(Starlette(routes=[Route("/news/{token}", serve_news)]))(scope, receive, send))
    assert int(headers[b"content-length"]) > 10_000
    assert b"gzip" not in headers.get(b"content-encoding", b"")


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

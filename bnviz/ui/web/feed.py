"""What moves on a page reaches the browser past Streamlit: it asks for news, and is answered when there are any.

A rerun of the script ten times a second would cost the browser a third of its time, which the charts need. The browser
asks again when it has drawn the last answer, so frames never pile up, and a hidden tab does not ask at all.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bnviz.engine.bell import Bell
from bnviz.engine.counters import NEWS_SECONDS, UPDATES
from bnviz.records.live import Moved

HOLD = 2.0  # seconds a question waits for news; short, because a browser has six connections for all tabs of a server

_feeds: dict[str, "Feed"] = {}


def count() -> int:
    """Return how many browser connections there are."""
    return len(_feeds)


class Feed:
    """The news of one browser connection, under an address that nobody can guess."""

    def __init__(self) -> None:
        self.token = uuid.uuid4().hex
        self.moved = Bell()  # of the feed itself, and of whatever rings no bell of its own
        self.closed = False
        self._bells: tuple[Moved, ...] = ()
        self._shown = 0
        self._state: Callable[[], object] = lambda: None
        self._news: Callable[[], dict[str, Any]] = dict
        self._wish: Callable[[float], None] = lambda _: None
        self._answered = 0.0  # monotonic time of the last answer
        _feeds[self.token] = self

    def show(
        self,
        state: Callable[[], object],
        news: Callable[[], dict[str, Any]],
        wish: Callable[[float], None] = lambda _: None,
        bells: tuple[Moved, ...] = (),
    ) -> None:
        """Answer with `news()` now, and whenever the hashable `state()` has changed, after which one of `bells` rings.

        `state` runs in the server's loop and must be quick, `news` in a thread of its own. `wish` is told how many
        seconds the browser took from one answer to its next question: it can show news so far apart.
        """
        self._state, self._news, self._wish, self._bells, self._shown = state, news, wish, bells, self._shown + 1
        self.moved.ring()

    def asked(self) -> None:
        """Note that the browser asks, and so has shown the last answer."""
        self._wish(time.monotonic() - self._answered)

    def answered(self) -> None:
        """Note that an answer is on its way to the browser."""
        self._answered = time.monotonic()

    def close(self) -> None:
        _feeds.pop(self.token, None)
        self.closed = True
        self.moved.ring()

    @property
    def version(self) -> str:
        return f"{self._shown}.{hash(self._state())}"

    def news(self) -> str:
        version = self.version
        news = {"version": version, "page": self._shown} | self._news()
        figures = news.pop("figures", {})
        text = figures if isinstance(figures, str) else json.dumps(figures, allow_nan=False)  # a string is JSON already
        return f'{json.dumps(news, allow_nan=False)[:-1]}, "figures": {text}}}'

    async def other_than(self, seen: str | None) -> float:
        """Wait until there are other news than those `seen`, or never will be; TimeoutError after HOLD seconds.

        Returns the monotonic time since which there are both news and a question.
        """
        since = time.monotonic()
        async with asyncio.timeout(HOLD):
            while True:
                with _listening(self.moved, *self._bells) as heard:  # and then look
                    if self.closed or self.version != seen:
                        return since
                    await heard.wait()
                since = heard.at


class _Heard(asyncio.Event):
    """That a bell has rung, and when."""

    at = 0.0  # monotonic


@contextmanager
def _listening(*bells: Moved) -> Iterator[_Heard]:
    """Give an event of this loop that is set when one of the bells rings, in whichever thread."""
    loop, heard = asyncio.get_running_loop(), _Heard()

    def hear() -> None:
        heard.at = heard.at or time.monotonic()
        with suppress(RuntimeError):  # the server's loop has just ended
            loop.call_soon_threadsafe(heard.set)

    with ExitStack() as listening:
        for bell in bells:
            listening.enter_context(bell.heard_by(hear))
        yield heard


async def serve_news(request: Request) -> Response:
    """GET .../{token}?seen=VERSION: news of another version as soon as there are any, else 204; 205: no such feed.

    Marked as encoded already, so that nothing compresses them: figures are numbers as bytes, which gzip makes little
    smaller and takes as long for as it takes to make them.
    """
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if (feed := _feeds.get(request.path_params["token"])) is None:
        return Response(status_code=205, headers=headers)  # Reset Content: the page must run again
    feed.asked()
    try:
        since = await feed.other_than(request.query_params.get("seen"))
    except TimeoutError:
        return Response(status_code=204, headers=headers)
    else:
        if feed.closed:
            return Response(status_code=205, headers=headers)
        news = await asyncio.to_thread(feed.news)
        UPDATES.inc()
        NEWS_SECONDS.observe(time.monotonic() - since)
        return Response(news, media_type="application/json", headers=headers | {"Content-Encoding": "identity"})
    finally:
        feed.answered()

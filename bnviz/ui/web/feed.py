"""What moves on a page reaches the browser past Streamlit: it asks for news, and is answered when there are any.

A rerun of the script ten times a second would cost the browser a third of its time, which the charts need. The browser
asks again when it has drawn the last answer, so frames never pile up, and a hidden tab does not ask at all.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

HOLD = 2.0  # seconds a question waits for news; short, because a browser has six connections for all tabs of a server
LOOK_EVERY = 0.005  # seconds between two looks whether there are news

_feeds: dict[str, "Feed"] = {}


class Feed:
    """The news of one browser connection, under an address that nobody can guess."""

    def __init__(self) -> None:
        self.token = uuid.uuid4().hex
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
    ) -> None:
        """Answer with `news()` now, and whenever the hashable `state()` has changed.

        `state` runs in the server's loop and must be quick, `news` in a thread of its own. `wish` is told how many
        seconds the browser took from one answer to its next question: it can show news so far apart.
        """
        self._state, self._news, self._wish, self._shown = state, news, wish, self._shown + 1

    def asked(self) -> None:
        """Note that the browser asks, and so has shown the last answer."""
        self._wish(time.monotonic() - self._answered)

    def answered(self) -> None:
        """Note that an answer is on its way to the browser."""
        self._answered = time.monotonic()

    def close(self) -> None:
        _feeds.pop(self.token, None)

    @property
    def version(self) -> str:
        return f"{self._shown}.{hash(self._state())}"

    def news(self) -> str:
        version = self.version
        return json.dumps({"version": version, "page": self._shown} | self._news(), allow_nan=False)


async def serve_news(request: Request) -> Response:
    """GET .../{token}?seen=VERSION: news of another version as soon as there are any, else 204; 205: no such feed."""
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    seen, end = request.query_params.get("seen"), time.monotonic() + HOLD
    if (feed := _feeds.get(request.path_params["token"])) is not None:
        feed.asked()
    while (feed := _feeds.get(request.path_params["token"])) is not None:
        if feed.version != seen:
            answer = Response(await asyncio.to_thread(feed.news), media_type="application/json", headers=headers)
            feed.answered()
            return answer
        if time.monotonic() > end:
            feed.answered()
            return Response(status_code=204, headers=headers)
        await asyncio.sleep(LOOK_EVERY)
    return Response(status_code=205, headers=headers)  # Reset Content: the page must run again

"""Visitors without a browser: they speak Streamlit's protocol and ask for news, as the pages do."""

import json
import random
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import pairwise
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

DRAWN = 0.016  # seconds that a browser takes for an answer at least
CHARTS = 7  # of a kept run
CHOSEN = 0.5  # seconds between two things that a hand does
PATIENCE = 60.0  # seconds for a page and its first figures
_STEP = re.compile(r"step ([\d,]+)")


@dataclass
class Seen:
    """What a visitor was shown: the moments at which another step came, and the last one of them."""

    steps: list[tuple[float, int]] = field(default_factory=list)  # monotonic time, step
    pressed: float = 0.0  # monotonic time of Train
    notices: list[tuple[float, str]] = field(default_factory=list)
    refused: str = ""
    lost: str = ""

    def updates(self, begin: float, end: float) -> float:
        """Return how many other steps came a second."""
        return sum(begin <= when < end for when, _ in self.steps) / (end - begin)

    def pace(self, begin: float, end: float) -> float:
        """Return how many steps the run took a second."""
        within = [(when, step) for when, step in self.steps if begin <= when < end]
        if len(within) < 2 or within[-1][0] == within[0][0]:
            return 0.0
        return (within[-1][1] - within[0][1]) / (within[-1][0] - within[0][0])

    def silence(self, begin: float, end: float) -> float:
        """Return the longest time without another step, in seconds."""
        moments = [begin, *(when for when, _ in self.steps if begin <= when < end), end]
        return max(later - earlier for earlier, later in pairwise(moments))

    @property
    def first(self) -> float | None:
        """The seconds from Train to the first step; None if none came."""
        return next((when - self.pressed for when, step in self.steps if step > 0 and when > self.pressed), None)


class Visitor:
    """One tab: opens the lab, presses Train, and looks at it until it leaves."""

    address = ""  # of the page
    awaited = "play"  # the key of a widget that the page has

    def __init__(self, url: str, query: str, speed: str = "200") -> None:
        self.seen = Seen()
        self._speed = speed
        self._parts, self._url, self._query = urlsplit(url), url, query
        self._tab = f"{random.getrandbits(128):032x}"
        self._known: dict[str, ForwardMsg] = {}
        self._values: dict[str, str] = {}  # JSON that a component tells, by its id
        self._ids: dict[str, str] = {}  # of widgets, by their keys
        self._page, self._news = "", ""
        self._sending = Lock()
        self._ready, self._left = Event(), Event()
        self._thread = Thread(target=self._visit, daemon=True)
        self._thread.start()

    def leave(self) -> Seen:
        """Close the tab. Returns what was seen."""
        self._left.set()
        self._thread.join(PATIENCE)
        return self.seen

    def _visit(self) -> None:
        origin = f"{self._parts.scheme}://{self._parts.netloc}"
        try:
            with connect(
                f"ws://{self._parts.netloc}/_stcore/stream",
                origin=Origin(origin),
                subprotocols=[Subprotocol("streamlit"), Subprotocol("PLACEHOLDER_AUTH_TOKEN")],
                max_size=None,
                open_timeout=PATIENCE,
                ping_interval=None,
            ) as self._socket:
                Thread(target=self._listen, daemon=True).start()
                self._rerun()
                if not self._ready.wait(PATIENCE):
                    self.seen.lost = "no page came"
                elif not self.seen.refused:
                    self._stay()
        except (OSError, ConnectionClosed, InvalidHandshake, HTTPException) as error:
            self.seen.lost = f"{type(error).__name__}: {error}"

    def _stay(self) -> None:
        self._rerun()  # chooses the speed
        time.sleep(CHOSEN)
        self.seen.pressed = time.monotonic()
        self._rerun(self._ids["play"])
        self._look()

    def _rerun(self, pressed: str = "") -> None:
        message = BackMsg()
        state = message.rerun_script
        state.query_string, state.page_script_hash, state.page_name = self._query, self._page, self.address
        state.context_info.timezone, state.context_info.locale, state.context_info.url = "UTC", "en", self._url
        state.cached_message_hashes.extend(list(self._known))
        for widget, told in self._values.items():
            state.widget_states.widgets.add(id=widget).json_value = told
        if self._ready.is_set() and "speed" in self._ids:
            state.widget_states.widgets.add(id=self._ids["speed"]).string_array_value.data.append(self._speed)
        if pressed:
            state.widget_states.widgets.add(id=pressed).trigger_value = True
        with self._sending:
            self._socket.send(message.SerializeToString())

    def _listen(self) -> None:
        with suppress(ConnectionClosed):
            for data in self._socket:
                message = ForwardMsg.FromString(bytes(data, "latin-1") if isinstance(data, str) else data)
                if message.WhichOneof("type") == "ref_hash":
                    message = self._known[message.ref_hash]
                elif message.metadata.cacheable:
                    self._known[message.hash] = message
                self._hear(message)
        if not self._left.is_set():
            self.seen.lost = self.seen.lost or "the server closed the connection"

    def _hear(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._page = message.new_session.page_script_hash
        elif kind == "navigation":
            self._page = message.navigation.page_script_hash
        elif kind == "page_info_changed":
            self._query = message.page_info_changed.query_string
        elif kind == "script_finished":
            if (self._news and self.awaited in self._ids) or self.seen.refused:
                self._ready.set()
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self._draw(message.delta.new_element)

    def _draw(self, element: Any) -> None:
        shown = getattr(element, kind := element.WhichOneof("type"))
        if kind == "alert" and shown.format == shown.ERROR:
            self.seen.refused = shown.body
        elif kind == "bidi_component" and shown.component_name == "bnviz_tab":
            told = json.loads(shown.json)
            self._tab = told["assigned"] or self._tab
            if told["known"] != self._tab:
                self._values[shown.id] = json.dumps({"tab": self._tab})
                self._rerun()
        elif kind == "bidi_component" and shown.component_name.startswith("bnviz_follow_"):
            self._news = json.loads(shown.json)["url"]
        elif widget := getattr(shown, "id", ""):
            self._ids[widget.rpartition("-")[2]] = widget

    def _look(self) -> None:
        """Ask for news until the visitor leaves."""
        connection = HTTPConnection(self._parts.hostname or "", self._parts.port, timeout=PATIENCE)
        version, said = "", ""
        while not self._left.is_set() and not self.seen.lost:
            connection.request("GET", f"{self._news}?seen={version}")
            answer = connection.getresponse()
            body = answer.read()
            if answer.status == 205:  # another feed
                self._rerun()
                time.sleep(0.5)
            if answer.status != 200:
                continue
            news = json.loads(body)
            version, html = news["version"], news.get("html", {})
            if (found := _STEP.search(html.get("bnviz-status", ""))) is not None:
                self._show(int(found[1].replace(",", "")))
            if (notice := html.get("bnviz-notice", "")) != said:
                self.seen.notices.append((time.monotonic(), notice))
                said = notice
            time.sleep(DRAWN)
        connection.close()

    def _show(self, step: int) -> None:
        if not self.seen.steps or self.seen.steps[-1][1] != step:
            self.seen.steps.append((time.monotonic(), step))


class Opener(Visitor):
    """One tab that opens the page of a kept run. opened: the seconds until it has all figures; None if it never had."""

    address = "runs"
    awaited = "stored_open"

    def __init__(self, url: str, run_id: str) -> None:
        self.opened: float | None = None
        self._began = time.monotonic()
        super().__init__(url, f"id={run_id}")

    def _stay(self) -> None:
        connection = HTTPConnection(self._parts.hostname or "", self._parts.port, timeout=PATIENCE)
        connection.request("GET", f"{self._news}?seen=")
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status == 200 and len(json.loads(body)["figures"]) == CHARTS:
            self.opened = time.monotonic() - self._began

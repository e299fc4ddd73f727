"""The operator's view: health for everybody, numbers for whoever the server belongs to."""

import asyncio
import io
import json
import logging
from collections import Counter
from collections.abc import Mapping, MutableMapping
from typing import Any, cast

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from bnviz.engine.counters import REFUSALS, STEPS
from bnviz.engine.labs import Labs
from bnviz.store.errors import CLOSED, StoreError
from bnviz.ui.web import kept, logs
from bnviz.ui.web.feed import Feed
from bnviz.ui.web.operator_view import COOKIE, TOKEN, OperatorView
from bnviz.ui.web.state import LOST, NO_WORKER, STARTING
from tests.running import answered

SECRET = "a-long-secret-of-a-test"


class EngineOfATest:
    """Two workers, which may fall silent."""

    def __init__(self, silent: float = 0.0, refused: tuple[str, ...] = (), lost: bool = False) -> None:
        self._silent, self.refused, self.lost = silent, dict.fromkeys(refused, "another version"), lost

    def known(self) -> list[str]:
        return ["one", "two"]

    def silence(self, worker: str | None) -> float:
        return self._silent if worker == "one" else 0.0


class LabsOfATest:
    """Three runs and a sweep."""

    def __init__(self, engine: EngineOfATest) -> None:
        self.engine = engine

    def census(self) -> tuple[Counter[str], Counter[str]]:
        return Counter(playing=2, paused=1), Counter(running=1)


@pytest.fixture(autouse=True)
def no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BNVIZ_RUNS", "off")
    monkeypatch.delenv(TOKEN, raising=False)


def get(
    path: str,
    engine: EngineOfATest | None = None,
    host: str = "127.0.0.1",
    query: str = "",
    told: Mapping[str, str] | None = None,
) -> tuple[int, dict[str, str], str]:
    """Status, headers and text of an answer to somebody at `host`."""
    labs = None if engine is None else cast(Labs, LabsOfATest(engine))
    view = OperatorView(lambda: labs)
    routes = [Route("/health", view.health), Route("/metrics", view.metrics), Route("/operator", view.page)]
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = {"host": "localhost:8501"} | {name.replace("_", "-"): value for name, value in (told or {}).items()}
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "client": (host, 5000),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "query_string": query.encode(),
    }
    answered(Starlette(routes=routes)(scope, receive, send))
    begin, *parts = sent
    found = {name.decode(): value.decode() for name, value in begin["headers"]}
    return begin["status"], found, b"".join(part.get("body", b"") for part in parts).decode()


class TestHealth:
    def test_is_for_everybody(self) -> None:
        status, _, text = get("/health", EngineOfATest(), host="203.0.113.5")
        assert status == 200
        parts = dict.fromkeys(("engine", "workers", "store"), "ok")
        assert json.loads(text) == {"healthy": True, "parts": parts}

    @pytest.mark.parametrize(
        ("engine", "part", "why"),
        [
            (None, "engine", STARTING),
            (EngineOfATest(lost=True), "engine", LOST),
            (EngineOfATest(silent=3.0, refused=("two",)), "workers", NO_WORKER),
        ],
    )
    def test_says_what_is_wrong(self, engine: EngineOfATest | None, part: str, why: str) -> None:
        status, _, text = get("/health", engine)
        assert status == 503
        assert json.loads(text)["parts"][part] == why

    def test_is_there_while_one_worker_answers(self) -> None:
        assert get("/health", EngineOfATest(silent=3.0))[0] == 200

    def test_knows_of_a_database_that_is_gone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fails() -> None:
            raise StoreError(CLOSED)

        monkeypatch.setenv("BNVIZ_RUNS", "on")
        monkeypatch.setattr(kept, "store", fails)
        status, _, text = get("/health", EngineOfATest())
        assert (status, json.loads(text)["parts"]["store"]) == (503, CLOSED)


@pytest.mark.parametrize("path", ["/metrics", "/operator"])
class TestWhoSeesTheNumbers:
    def test_is_who_asks_from_the_same_machine(self, path: str) -> None:
        assert get(path, EngineOfATest())[0] == 200

    @pytest.mark.parametrize(
        ("host", "told"),
        [
            ("203.0.113.5", {}),
            ("127.0.0.1", {"x_forwarded_for": "203.0.113.5"}),  # a proxy on this machine asks for somebody else
            ("127.0.0.1", {"forwarded": "for=203.0.113.5"}),
            ("127.0.0.1", {"host": "evil.example"}),  # a page of another site, whose name was bound to this machine
        ],
    )
    def test_is_nobody_else(self, path: str, host: str, told: dict[str, str]) -> None:
        status, _, text = get(path, EngineOfATest(), host, told=told)
        assert status == 403
        assert "whoever runs the server" in text

    def test_is_who_has_the_token_and_then_nobody_else(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(TOKEN, SECRET)
        for right in ({"authorization": f"Bearer {SECRET}"}, {"cookie": f"{COOKIE}={SECRET}"}):
            assert get(path, EngineOfATest(), "203.0.113.5", told=right)[0] == 200
        assert get(path, EngineOfATest(), "203.0.113.5", told={"authorization": "Bearer wrong"})[0] == 403
        assert get(path, EngineOfATest())[0] == 403


class TestTheNumbers:
    def test_are_told_to_prometheus(self) -> None:
        REFUSALS.labels("full").inc()
        STEPS.inc(7)
        feed = Feed()
        _, headers, text = get("/metrics", EngineOfATest(silent=3.0))
        feed.close()
        assert headers["content-type"].startswith("text/plain")
        told = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        assert float(told["bnviz_visitors"]) >= 1
        assert float(told['bnviz_runs{state="playing"}']) == 2
        assert float(told['bnviz_sweeps{state="running"}']) == 1
        assert float(told['bnviz_workers{state="silent"}']) == 1
        assert float(told['bnviz_healthy{part="workers"}']) == 1
        assert float(told['bnviz_refusals_total{why="full"}']) >= 1
        assert float(told["bnviz_steps_total"]) >= 7
        assert any(name.startswith('bnviz_memory_bytes{pid="') and 'process="web"' in name for name in told)

    def test_are_shown_on_a_page_that_runs_no_script(self) -> None:
        _, headers, text = get("/operator", EngineOfATest())
        assert headers["cache-control"] == "no-store"
        assert "<td>playing: 2, paused: 1</td>" in text
        assert "All parts are as they should be." in text
        assert "<script" not in text

    def test_say_what_is_wrong(self) -> None:
        assert f"<li>engine: {LOST}</li>" in get("/operator", EngineOfATest(lost=True))[2]

    def test_are_seen_without_the_token_in_the_address(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(TOKEN, SECRET)
        status, headers, _ = get("/operator", EngineOfATest(), "203.0.113.5", query=f"token={SECRET}")
        assert (status, headers["location"]) == (303, "/operator")
        assert headers["set-cookie"].startswith(f"{COOKIE}={SECRET}; HttpOnly; Path=/operator; SameSite=strict")


class TestTheLog:
    @staticmethod
    def lines(form: str, thread: str, message: str) -> str:
        stream = io.StringIO()
        handler = logs.handler(form)
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(stream)
        record = logging.LogRecord("bnviz.engine.run", logging.INFO, "", 1, message, (), None)
        record.threadName = thread
        handler.handle(record)
        return stream.getvalue()

    def test_has_the_run_of_a_line_and_one_json_document_a_line(self) -> None:
        text = self.lines("json", "bnviz-run-0123abcd", "ends at\nstep 7")
        told = json.loads(text)
        assert text.count("\n") == 1
        assert (told["run"], told["message"], told["level"]) == ("0123abcd", "ends at\nstep 7", "INFO")
        assert told["name"] == "bnviz.engine.run"
        assert json.loads(self.lines("json", "MainThread", "starts"))["run"] == ""

    def test_is_text_where_nobody_asks_for_more(self) -> None:
        assert self.lines("text", "bnviz-run-0123abcd", "ends").endswith(" bnviz.engine.run [0123abcd] ends\n")

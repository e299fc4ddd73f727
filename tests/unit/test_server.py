"""Where the browser finds what the server gives it."""

import asyncio
import re
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from starlette.applications import Starlette

from bnviz.ui.web import scripts, server
from tests.running import answered

COMPONENTS = Path(server.__file__).parents[1] / "components"
SCRIPTS = sorted(path.relative_to(COMPONENTS) for path in COMPONENTS.rglob("*.js"))


def get(path: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and text of what the server answers."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()  # nothing more comes, and nobody leaves
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
    answered(Starlette(routes=server.routes())(scope, receive, send))
    begin, *parts = sent
    headers = {name.decode(): value.decode() for name, value in begin["headers"]}
    return begin["status"], headers, b"".join(part.get("body", b"") for part in parts).decode()


@pytest.mark.parametrize(("base", "path"), [("", "/bnviz/plotly-"), ("lab/one", "/lab/one/bnviz/plotly-")])
def test_scripts_are_found_under_the_base_path(base: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlit.get_option", lambda _: base)
    assert scripts.script_url("plotly").startswith(path)


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_a_script_and_all_that_it_imports_are_served_for_ever(script: Path) -> None:
    address = scripts.script_url(script.with_suffix("").as_posix())
    status, headers, text = get(address)
    assert status == 200
    assert headers["content-type"].startswith("text/javascript")
    assert "immutable" in headers["cache-control"]
    for relative in re.findall(r'^import .* from "(.*)";', text, re.MULTILINE):
        assert get(urljoin(address, relative))[0] == 200, relative


@pytest.mark.parametrize("path", ["live_chart.js", "scripts-000000000000/live_chart.js", "{}/../component.py", "{}/"])
def test_nothing_else_is_served(path: str) -> None:
    folder = scripts.script_url("live_chart").split("/")[2]
    assert get(f"/bnviz/{path.format(folder)}")[0] == 404


def test_a_server_has_room_for_many_sockets_before_the_first_visitor_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[bool] = []
    monkeypatch.setattr(server, "raise_descriptor_limit", lambda: raised.append(True))
    monkeypatch.setattr(server, "_warm_up", lambda: None)
    monkeypatch.setattr(server, "stop", lambda: None)

    async def serve() -> None:
        async with server.lifespan(None):
            assert raised == [True]

    answered(serve())

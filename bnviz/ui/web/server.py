"""What the web server starts and stops: the engine, and the JavaScript it serves from installed packages."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import streamlit as st
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route
from streamlit.runtime.pages_manager import PagesManager

from bnviz.beside import beside
from bnviz.engine.capacity import raise_descriptor_limit
from bnviz.engine.cluster import Engine, EngineUnavailableError
from bnviz.engine.labs import Labs, Place
from bnviz.records.notes import RunNote, SweepNote
from bnviz.ui.web import kept
from bnviz.ui.web.border import guard
from bnviz.ui.web.feed import serve_news
from bnviz.ui.web.logbook import Logbook
from bnviz.ui.web.logs import write_down
from bnviz.ui.web.memory import Memory
from bnviz.ui.web.nagle import send_at_once
from bnviz.ui.web.operator_view import OperatorView
from bnviz.ui.web.page_html import serve_chapter, serve_page
from bnviz.ui.web.shortcut import serve_figures

STOP_TIMEOUT = 5.0  # seconds
SENDING = 0.03  # seconds of the server's loop: Streamlit sends what waits every 5 ms

_COMPONENTS = Path(__file__).parents[1] / "components"
_PAGES = beside("pages")

_lock = Lock()
_loops: list[asyncio.AbstractEventLoop] = []  # none or one: the loop that sends messages to browsers
_labs: list[Labs] = []  # none or one; an engine that could not start is tried again by the next visitor
_memories: list[Memory] = []  # one for the labs
_logbooks: list[Logbook] = []  # one for the labs


def labs() -> Labs:
    """The runs of this server; starts the engine on first use. Raises EngineUnavailableError."""
    with _lock:
        if not _labs:
            _open_labs(Engine.from_environment())
        return _labs[0]


def _open_labs(engine: Engine) -> None:
    _memories.append(Memory(kept.store))
    _labs.append(Labs(engine, memory=_memories[0]))
    _logbooks.append(Logbook(_labs[0].notes, kept.store))


def noted(tab: str, place: Place) -> RunNote | SweepNote | None:
    """Return where what a tab has at a place was, as long as this server has nothing there."""
    here, books = labs(), list(_logbooks)
    return None if here.knows(tab, place) or not books else books[0].find(tab, place)


def use_local_engine() -> None:
    """Train on this machine, instead of on a shared cluster that does not answer, until the server restarts."""
    with _lock:
        if not _labs:
            _open_labs(Engine())


def _warm_up() -> None:
    try:
        labs()
    except EngineUnavailableError:
        return  # the first visitor tries again and is told


@asynccontextmanager
async def lifespan(_: Any) -> AsyncIterator[None]:
    """Start the engine with the server, so that the first visitor need not wait for it; end it with the server."""
    # As st.navigation says in every rerun; without it the server's first visitor gets the files of pages/ one by one.
    PagesManager.uses_pages_directory = False
    send_at_once()
    raise_descriptor_limit()
    guard()
    write_down()
    Thread(target=_warm_up, name="bnviz-warm-up", daemon=True).start()
    _loops.append(asyncio.get_running_loop())
    yield
    _loops.clear()
    await asyncio.to_thread(stop)
    await asyncio.to_thread(kept.close)


def stop() -> None:
    """End every run and the engine; one that is still starting ends itself when this process is gone."""
    if _lock.acquire(timeout=STOP_TIMEOUT):
        try:
            while _logbooks:
                _logbooks.pop().close()
            while _labs:
                _labs.pop().close()
            while _memories:
                _memories.pop().close()
        finally:
            _lock.release()


def wait_until_sent() -> None:
    """Wait until what this rerun has drawn is on its way to the browser; for the script's thread.

    What still waits to be sent when the next rerun begins is dropped, even of a rerun that has ended.
    """
    for loop in _loops:
        asyncio.run_coroutine_threadsafe(asyncio.sleep(SENDING), loop).result(STOP_TIMEOUT)


@cache
def _scripts() -> dict[str, Path]:
    """Return the served files by their versioned paths, so that a browser may keep them for ever.

    Components import one another by relative paths, so one version stands for all of them.
    """
    own = {script.relative_to(_COMPONENTS).as_posix(): script for script in sorted(_COMPONENTS.rglob("*.js"))}
    content = hashlib.sha256()
    for name, script in own.items():
        content.update(f"{name}\0".encode() + script.read_bytes())
    folder = f"scripts-{content.hexdigest()[:12]}"
    plotly = Path(str(files("plotly"))) / "package_data" / "plotly.min.js"
    return {f"{folder}/{name}": script for name, script in own.items()} | {f"plotly-{version('plotly')}.min.js": plotly}


def script_url(name: str) -> str:
    """Return where the browser finds 'plotly', or a script of the components by its path without the ending."""
    start, end = ("plotly-", ".js") if name == "plotly" else ("scripts-", f"/{name}.js")
    return _url(next(served for served in _scripts() if served.startswith(start) and served.endswith(end)))


def feed_url(token: str) -> str:
    """The address at which the browser asks for news."""
    return _url(f"news/{token}")


def shortcut_url(token: str) -> str:
    """The address at which a slider that is being moved asks for figures."""
    return _url(f"figures/{token}")


def page_url(path: str) -> str:
    """Return the address of a page on this server: '/story/3', or '/lab/story/3' if the app lives below '/lab'."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}/{path}" if base else f"/{path}"


def _url(path: str) -> str:
    return page_url(f"bnviz/{path}")


async def _serve_script(request: Request) -> Response:
    path = _scripts().get(request.path_params["path"])
    if path is None:
        return Response(status_code=404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
    return FileResponse(path, media_type="text/javascript", headers=headers)


def routes() -> list[BaseRoute]:
    """Return the routes beside Streamlit's own: its page with our style sheet, scripts, news and figures."""
    pages = ["", *sorted(page.stem for page in _PAGES.glob("*.py") if page.stem != "live_lab")]
    operator = OperatorView(lambda: next(iter(_labs), None))
    return [
        *(Route(page_url(page), serve_page) for page in pages),
        Route(_url("news/{token}"), serve_news),
        Route(_url("figures/{token}"), serve_figures),
        Route(_url("health"), operator.health),
        Route(_url("metrics"), operator.metrics),
        Route(_url("operator"), operator.page),
        Route(_url("{path:path}"), _serve_script),
        Route(page_url("story/{chapter}"), serve_chapter),
    ]

"""What the web server starts and stops with itself, and its routes beside Streamlit's own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Lock, Thread
from typing import Any

from starlette.routing import BaseRoute, Route
from streamlit.runtime.pages_manager import PagesManager

from bnviz.engine.capacity import raise_descriptor_limit
from bnviz.engine.cluster import Engine, EngineUnavailableError
from bnviz.engine.labs import Labs, Place
from bnviz.experiment.package import beside
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
from bnviz.ui.web.scripts import own_url, page_url, serve_script
from bnviz.ui.web.shortcut import serve_figures

STOP_TIMEOUT = 5.0  # seconds
SENDING = 0.03  # seconds of the server's loop: Streamlit sends what waits every 5 ms

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


def routes() -> list[BaseRoute]:
    """Return the routes beside Streamlit's own: its page with our style sheets, scripts, news and figures."""
    pages = ["", *sorted(page.stem for page in _PAGES.glob("*.py") if page.stem != "live_lab")]
    operator = OperatorView(lambda: next(iter(_labs), None))
    return [
        *(Route(page_url(page), serve_page) for page in pages),
        Route(own_url("news/{token}"), serve_news),
        Route(own_url("figures/{token}"), serve_figures),
        Route(own_url("health"), operator.health),
        Route(own_url("metrics"), operator.metrics),
        Route(own_url("operator"), operator.page),
        Route(own_url("{path:path}"), serve_script),
        Route(page_url("story/{chapter}"), serve_chapter),
    ]

"""PyTorch's answer to the batch on the page: asked of a worker in the background, shown when it comes."""

import logging
from concurrent.futures import CancelledError
from threading import Lock, Thread
from typing import Any

import numpy as np
import streamlit as st
from distributed import KilledWorker
from distributed.client import ClosedClientError

from bnviz.engine.cluster import EngineUnavailableError
from bnviz.engine.tasks import batchnorm_gradients
from bnviz.figures.computation_graph import Gradients, gradients_check
from bnviz.ui.feed import Feed
from bnviz.ui.live_plotly import follow, live_chart
from bnviz.ui.server import labs
from bnviz.walkthrough import Walk

logger = logging.getLogger(__name__)

TIMEOUT = 15.0  # seconds for an answer; a worker that has just started loads torch first


class GradientsCheck:
    """The newest batch and what autograd says of it. One question at a time; what was overtaken is skipped."""

    def __init__(self) -> None:
        self.feed = Feed()
        self._lock = Lock()
        self._asking = False
        self._wanted: Walk | None = None
        self._asked: Walk | None = None
        self._shown: tuple[Walk, Gradients | None, str] | None = None
        self._changes = 0

    def ask(self, walk: Walk) -> None:
        with self._lock:
            if self._asked is not None and _same(self._asked, walk):
                return
            self._wanted = self._asked = walk
            if self._shown is None:
                self._show(walk, None, "PyTorch's answer is on its way: a worker is starting.")
            if not self._asking:
                self._asking = True
                Thread(target=self._work, name="bnviz-autograd", daemon=True).start()

    def state(self) -> int:
        return self._changes

    def news(self) -> dict[str, Any]:
        with self._lock:
            shown = self._shown
        if shown is None:
            return {"html": {}, "figures": {}, "rerun": False}
        walk, answer, note = shown
        staged = (walk.gradients["x"], walk.gradients["gamma"], walk.gradients["beta"])
        figure = gradients_check(walk.closed, staged, answer, note)
        return {"html": {}, "figures": {"chart_gradients_check": figure}, "rerun": False}

    def _show(self, walk: Walk, answer: Gradients | None, note: str = "") -> None:
        self._shown = (walk, answer, note)
        self._changes += 1

    def _work(self) -> None:
        while True:
            with self._lock:
                walk, self._wanted = self._wanted, None
                if walk is None:
                    self._asking = False
                    return
            answer, note = _ask_worker(walk)
            with self._lock:
                self._show(walk, answer, note)
                if answer is None and self._wanted is None:
                    self._asked = None  # the same batch may be tried again


def _ask_worker(walk: Walk) -> tuple[Gradients | None, str]:
    try:
        client = labs().engine.client
        future = client.submit(batchnorm_gradients, walk.x, walk.gamma, walk.beta, walk.dout, walk.eps, pure=False)
        answer: Gradients = future.result(timeout=TIMEOUT)
    except EngineUnavailableError as error:
        return None, f"PyTorch's autograd is missing here. {error}"
    except (TimeoutError, CancelledError, KilledWorker, ClosedClientError, OSError) as error:  # names of a lost worker
        logger.warning("no answer of autograd: %r", error)
        return None, "PyTorch's autograd is missing here: its worker did not answer. The next change asks again."
    return answer, ""


def _same(one: Walk, other: Walk) -> bool:
    pairs = ((one.x, other.x), (one.gamma, other.gamma), (one.beta, other.beta))
    return all(np.array_equal(a, b) for a, b in pairs)


@st.cache_resource(scope="session", show_spinner=False, on_release=lambda check: check.feed.close())
def _check() -> GradientsCheck:
    return GradientsCheck()


def follow_autograd() -> None:
    """Let the chart of gradients_check_chart follow its answers; once on a page, outside fragments."""
    check = _check()
    check.feed.show(check.state, check.news)
    with st.container(key="autograd_news"):
        follow(check.feed.token, key="autograd_follower")


def gradients_check_chart(walk: Walk) -> None:
    """The three gradients of this batch against one another."""
    _check().ask(walk)
    live_chart("chart_gradients_check")

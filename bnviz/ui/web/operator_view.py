"""The operator's view: health for everybody, numbers and a page of them for whoever the server belongs to.

That is who asks from the machine that it runs on, or has the token of BNVIZ_OPERATOR_TOKEN; where there is one, nobody
else.
"""

import asyncio
import hmac
import os
import time
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response

from bnviz.engine.counters import REGISTRY
from bnviz.engine.labs import Labs
from bnviz.ui.web.state import GAUGES, State, memory

TOKEN = "BNVIZ_OPERATOR_TOKEN"
COOKIE = "bnviz-operator"
REFUSED = f"This is for whoever runs the server: from its own machine, or with the token of {TOKEN}.\n"
REFRESH = 5  # seconds
_PASSED_ON = (
    "forwarded",
    "x-forwarded-for",
    "x-real-ip",
    "via",
)  # headers of a proxy, whose address is not the asker's
_HERE = {"localhost", "127.0.0.1", "::1"}
_FRESH = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_STYLE = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
_before: dict[str, tuple[float, float]] = {}  # the moment and the value of each counter when the page was last shown

Labs_ = Callable[[], Labs | None]


def is_operator(request: Request) -> bool:
    """Tell whether a request comes from whoever runs this server."""
    token = os.environ.get(TOKEN, "")
    if token:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        given = (bearer, request.cookies.get(COOKIE, ""), request.query_params.get("token", ""))
        return any(hmac.compare_digest(each.encode(), token.encode()) for each in given)
    if any(header in request.headers for header in _PASSED_ON):
        return False
    return request.client is not None and request.client.host in _HERE and request.url.hostname in _HERE


class OperatorView:
    """The routes of the operator's view, of the runs that `labs` finds."""

    def __init__(self, labs: Labs_) -> None:
        self._labs = labs

    async def health(self, _: Request) -> Response:
        """GET: 200 if everything is as it should be, 503 with the reasons if it is not; for everybody."""
        state = await asyncio.to_thread(State.of, self._labs())
        parts = {part: state.problems.get(part, "ok") for part in ("engine", "workers", "store")}
        status = 503 if state.problems else 200
        return JSONResponse({"healthy": not state.problems, "parts": parts}, status_code=status, headers=_FRESH)

    async def metrics(self, request: Request) -> Response:
        """GET: what Prometheus reads."""
        if not is_operator(request):
            return PlainTextResponse(REFUSED, status_code=403, headers=_FRESH)
        GAUGES.labs = self._labs()
        text = await asyncio.to_thread(generate_latest, REGISTRY)
        return Response(text, headers=_FRESH | {"Content-Type": CONTENT_TYPE_LATEST})

    async def page(self, request: Request) -> Response:
        """GET: the same numbers as a page, which shows itself anew."""
        if not is_operator(request):
            return PlainTextResponse(REFUSED, status_code=403, headers=_FRESH)
        if "token" in request.query_params:  # kept as a cookie, for an address is written down in many places
            answer = RedirectResponse(request.url.path, status_code=303, headers=_FRESH)
            secret = request.query_params["token"]
            answer.set_cookie(COOKIE, secret, path=request.url.path, httponly=True, samesite="strict")
            return answer
        html = await asyncio.to_thread(lambda: _page(State.of(self._labs())))
        return HTMLResponse(html, headers=_FRESH)


def _page(state: State) -> str:
    seconds = REGISTRY.get_sample_value("bnviz_news_seconds_sum") or 0.0
    count = REGISTRY.get_sample_value("bnviz_news_seconds_count") or 0.0
    numbers = {
        "Visitors": f"{state.visitors}",
        "Runs": _listed(state.runs),
        "Sweeps": _listed(state.sweeps),
        "At most": f"{state.most} runs and sweeps",
        "Workers": _listed(state.workers),
        "Updates": _rate("bnviz_updates_total", "updates/s"),
        "Steps": _rate("bnviz_steps_total", "steps/s"),
        "News": f"{1000 * seconds / count:.0f} ms on average, from news to answer" if count else "none yet",
        "Replays": f"{REGISTRY.get_sample_value('bnviz_replays_total') or 0:.0f}",
        "Refusals": _listed({why: _refusals(why) for why in ("full", "value", "rate")}),
        "Memory": _listed({f"{kind} {pid}": f"{size / 2**20:.0f} MiB" for kind, pid, size in memory()}),
    }
    pairs = ((escape(name), escape(text)) for name, text in numbers.items())
    rows = "".join(f"<tr><th scope=row>{name}</th><td>{text}</td></tr>" for name, text in pairs)
    wrong = "".join(f"<li>{escape(part)}: {escape(why)}</li>" for part, why in state.problems.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>bnviz: this server</title>'
        f'<meta http-equiv="refresh" content="{REFRESH}"><meta name="viewport" content="width=device-width">'
        f"<style>\n{_STYLE}</style></head><body>"
        f"<h1>This server</h1><p>{'Not as it should be:' if wrong else 'All parts are as they should be.'}</p>"
        f"<ul>{wrong}</ul><table>{rows}</table></body></html>"
    )


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in values.items()) or "none"


def _refusals(why: str) -> int:
    return int(REGISTRY.get_sample_value("bnviz_refusals_total", {"why": why}) or 0)


def _rate(counter: str, unit: str) -> str:
    """How often a counter has moved since the page was last shown."""
    now, value = time.monotonic(), REGISTRY.get_sample_value(counter) or 0.0
    then, old = _before.get(counter, (now, value))
    _before[counter] = now, value
    return f"{(value - old) / (now - then):.1f} {unit}, {value:,.0f} in all" if now > then else f"{value:,.0f} in all"

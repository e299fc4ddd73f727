"""The short way from a slider to its charts, past Streamlit: the browser sends a value and gets figures.

A rerun takes server and browser longer than the figures it brings, and a hand that moves a slider asks for one after
the other. Streamlit hears of the value when the slider rests.
"""

import asyncio
import json
import math
import uuid
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from bnviz.figures.style import Figure

Figures = Callable[[str, float], dict[str, Figure]]

_shortcuts: dict[str, "Shortcut"] = {}


class Shortcut:
    """One browser connection's, under an address that nobody can guess."""

    def __init__(self) -> None:
        self.token = uuid.uuid4().hex
        self._figures: Figures = lambda *_: {}
        _shortcuts[self.token] = self

    def answer(self, figures: Figures) -> None:
        """With figures(the slider's key, its value) by the key of their chart, made in a thread of their own."""
        self._figures = figures

    def close(self) -> None:
        _shortcuts.pop(self.token, None)

    def figures(self, key: str, value: float) -> str:
        return json.dumps(self._figures(key, value), allow_nan=False)


async def serve_figures(request: Request) -> Response:
    """GET .../{token}?key=KEY&value=VALUE: figures, or 400 for a value that is no finite number; 404: no such way."""
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if (shortcut := _shortcuts.get(request.path_params["token"])) is None:
        return Response(status_code=404, headers=headers)
    try:
        value = float(request.query_params.get("value", ""))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        return Response("value: give a finite number", status_code=400, headers=headers)
    figures = await asyncio.to_thread(shortcut.figures, request.query_params.get("key", ""), value)
    return Response(figures, media_type="application/json", headers=headers)

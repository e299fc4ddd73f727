"""The short way from sliders to their charts, past Streamlit: the browser sends values and gets figures.

A rerun takes server and browser longer than the figures it brings, and a hand that moves a slider asks for one after
the other. Streamlit hears of the value when the slider rests.
"""

import asyncio
import json
import math
import uuid
from collections.abc import Callable, Iterable

from starlette.requests import Request
from starlette.responses import Response

from bnviz.figures.style import Figure

Figures = Callable[[dict[str, float]], dict[str, Figure]]

_shortcuts: dict[str, "Shortcut"] = {}


class Shortcut:
    """One browser connection's, under an address that nobody can guess."""

    def __init__(self) -> None:
        self.token = uuid.uuid4().hex
        self.told = 0.0  # time of the newest move or click that Streamlit has heard of, in the browser's milliseconds
        self._clicked: dict[str, float] = {}  # time of the newest click that set a slider, by its key
        self._figures: Figures = lambda _: {}
        _shortcuts[self.token] = self

    def answer(self, figures: Figures) -> None:
        """Answer with figures(values of sliders by their keys), by chart, made in a thread of their own."""
        self._figures = figures

    def hears(self, key: str, at: float) -> bool:
        """Hear of a move; False if a click has set this slider since: both may come with one rerun, in any order."""
        self.told = max(self.told, at)
        return at >= self._clicked.get(key, 0.0)

    def clicked(self, keys: Iterable[str], at: float) -> None:
        self.told = max(self.told, at)
        self._clicked |= dict.fromkeys(keys, at)

    def close(self) -> None:
        _shortcuts.pop(self.token, None)

    def figures(self, values: dict[str, float]) -> str:
        return json.dumps(self._figures(values), allow_nan=False)


async def serve_figures(request: Request) -> Response:
    """GET .../{token}?KEY=VALUE&...: figures, or 400 for a value that is no finite number; 404: no such way."""
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if (shortcut := _shortcuts.get(request.path_params["token"])) is None:
        return Response(status_code=404, headers=headers)
    values = {}
    for key, text in request.query_params.items():
        try:
            values[key] = float(text)
        except ValueError:
            values[key] = math.nan
    if not all(map(math.isfinite, values.values())):
        return Response("give finite numbers", status_code=400, headers=headers)
    figures = await asyncio.to_thread(shortcut.figures, values)
    return Response(figures, media_type="application/json", headers=headers)

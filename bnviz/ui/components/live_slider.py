"""A slider that the page follows while it is being moved; st.slider tells its value only when it is let go."""

import math

import streamlit as st

from bnviz.ui.components.component import component
from bnviz.ui.web.server import script_url, shortcut_url
from bnviz.ui.web.shortcut import Shortcut

_HTML = """<label class="bnviz-slider">
<span class="bnviz-slider-label"></span><span class="bnviz-slider-value" aria-hidden="true"></span>
<input type="range" step="any"></label>"""


def live_slider(
    label: str,
    low: float,
    high: float,
    default: float,
    *,
    key: str,
    step: float = 0.01,
    log: bool = False,
    shortcut: Shortcut | None = None,
) -> float:
    """The value of the slider `key`. It outlives a visit to another page.

    A value that was set with set_slider may lie between two steps or beyond the ends; a hand reaches steps alone.
    log: the way along the slider is the value's logarithm. shortcut: asked for figures while the slider is moved; the
    page then runs again only when it rests or is left.
    """
    value = slider_value(key, default)

    def moved() -> None:
        told = st.session_state.get(key, {}).get("moved") or {}  # nothing where the page is just being left
        at, to = told.get("at", 0.0), told.get("value")
        if at < st.session_state.get(f"{key}_told", 0.0):
            return
        st.session_state[f"{key}_told"] = at  # not the value: that of two messages may be the same
        overruled = shortcut is not None and not shortcut.hears(key, at)
        if isinstance(to, int | float) and math.isfinite(to) and not overruled:
            set_slider(key, min(max(float(to), low), high))

    component("slider", "live_slider", "liveSlider", _HTML)(
        data={
            "key": key,
            "label": label,
            "low": low,
            "high": high,
            "value": value,
            "step": step,
            "log": log,
            "told": st.session_state.get(f"{key}_told"),
            "shortcut": shortcut and _places(shortcut),
        },
        key=key,
        on_moved_change=moved,
    )
    return value


def _places(shortcut: Shortcut) -> dict[str, str]:
    scripts = {"charts": script_url("live_plotly"), "plotly": script_url("plotly")}
    return {"url": shortcut_url(shortcut.token)} | scripts


def slider_value(key: str, default: float) -> float:
    value: float = st.session_state.setdefault(f"{key}_value", default)
    return value


def set_slider(key: str, value: float) -> None:
    """Only in a callback or before the slider is drawn."""
    st.session_state[f"{key}_value"] = value

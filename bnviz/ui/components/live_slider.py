"""A slider that the page follows while it is being moved; st.slider tells its value only when it is let go."""

import streamlit as st

from bnviz.ui.components.component import component
from bnviz.ui.components.newest import last_told, newest_move
from bnviz.ui.web.scripts import script_url, shortcut_url
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
    """Place a slider and return its value, which outlives a visit to another page.

    A value that was set with set_slider may lie between two steps or beyond the ends; a hand reaches steps alone.
    log: the way along the slider is the value's logarithm. shortcut: asked for figures while the slider is moved; the
    page then runs again only when it rests or is left.
    """
    value = slider_value(key, default)

    def moved() -> None:
        move = newest_move(key)
        if move and (shortcut is None or shortcut.hears(key, move.at)):
            set_slider(key, min(max(move.value, low), high))

    component("slider", __file__, "liveSlider", _HTML)(
        data={
            "key": key,
            "label": label,
            "low": low,
            "high": high,
            "value": value,
            "step": step,
            "log": log,
            "told": last_told(key),
            "shortcut": shortcut and {"url": shortcut_url(shortcut.token), "plotly": script_url("plotly")},
        },
        key=key,
        on_moved_change=moved,
    )
    return value


def slider_value(key: str, default: float) -> float:
    """Return where a slider stands, also before it is placed."""
    value: float = st.session_state.setdefault(f"{key}_value", default)
    return value


def set_slider(key: str, value: float) -> None:
    """Move a slider; only in a callback or before it is placed."""
    st.session_state[f"{key}_value"] = value

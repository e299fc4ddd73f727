"""live_chart: a Plotly chart that is updated in place, for every chart that moves.

st.plotly_chart mounts a new chart for every change of its data: it flickers and loses zoom and hover.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import streamlit as st

from bnviz.figures.style import Figure
from bnviz.ui.server import script_url

_HTML = '<div class="bnviz-notes"></div><div class="bnviz-chart" role="figure"></div>'
# The glue travels with every message, the script it loads only once.
_JS = """const script = import(new URL("%s", location.origin));
export default async (component) => (await script).default(component);"""


@cache
def _component() -> Callable[..., Any]:
    js = _JS % script_url("live_plotly")
    renderer: Callable[..., Any] = st.components.v2.component("bnviz_chart", html=_HTML, js=js, isolate_styles=False)
    return renderer


def live_chart(figure: Figure, *, key: str, on_click: Callable[[], None] | None = None) -> None:
    """Draw `figure` in the chart `key`.

    on_click is called before the rerun that a click causes; st.session_state[key]["click"] is then {curve, x, y}.
    """
    _component()(
        data={"figure": figure, "url": script_url("plotly")},
        key=key,
        on_click_change=on_click or _ignore,
    )


def _ignore() -> None:
    """A click on a chart that has no use for it."""

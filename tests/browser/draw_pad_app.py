"""A page with a drawing pad, and with what Python has received of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import streamlit as st

from bnviz.ui.components.draw_pad import draw_pad
from bnviz.ui.web.server import routes


@asynccontextmanager
async def no_engine(_: Any) -> AsyncIterator[None]:
    yield


if __name__ == "draw_pad_app":
    app = st.App("draw_pad_app.py", lifespan=no_engine, routes=routes())
else:
    st.set_page_config(page_title="Drawing pad")
    st.title("Drawing pad")
    st.session_state["run"] = st.session_state.get("run", 0) + 1
    pixels = draw_pad() if st.toggle("Pad", value=True, key="shown") else None
    sent = "" if pixels is None else pixels.tobytes().hex()
    st.html(f'<div class="received" data-run="{st.session_state["run"]}" data-pixels="{sent}">received</div>')
    st.button("Run again", key="again")
    st.html('<div style="height: 1500px"></div>')  # so that a finger could scroll

"""Which browser tab this is, by a random id in the tab's own session storage.

The storage survives a reload and belongs to one tab; the address is for sharing an experiment and never says who
controls a run.
"""

import re
import uuid

import streamlit as st

from bnviz.ui.components.component import component, ignore


def tab_id() -> str | None:
    """Return the tab's id; None in the first run of a session, before the browser has answered."""
    known = st.session_state.get("tab")
    # Not in the page's flow: an element without height still takes the gap between two elements.
    with st.container(key="tab_id"):
        answer = component("tab", __file__, "tab", "")(
            data={"known": known, "assigned": st.session_state.pop("assigned_tab", None)},
            key="tab_storage",
            on_tab_change=ignore,
        ).tab
    if known is None and isinstance(answer, str) and re.fullmatch(r"[\w-]{8,64}", answer):
        known = st.session_state["tab"] = answer
    elif known is None and answer is not None:
        assign_tab_id(known := uuid.uuid4().hex)
    return known


def assign_tab_id(tab: str) -> None:
    """Give the tab another id: its storage was copied from a tab that still lives."""
    st.session_state["tab"] = st.session_state["assigned_tab"] = tab

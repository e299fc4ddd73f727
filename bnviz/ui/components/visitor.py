"""Who a visitor is, by a random id in the browser's own storage: whose runs are listed, never who controls one."""

import re

import streamlit as st

from bnviz.ui.components.component import component, ignore


def visitor_id() -> str | None:
    """Return the visitor's id; None in the first run of a session, before the browser has answered."""
    known = st.session_state.get("visitor")
    with st.container(key="visitor_id"):  # not in the page's flow, as the tab's id
        answer = component("visitor", __file__, "visitor", "")(
            data={"known": known}, key="visitor_storage", on_visitor_change=ignore
        ).visitor
    if known is None and isinstance(answer, str) and re.fullmatch(r"[\w-]{8,64}", answer):
        known = st.session_state["visitor"] = answer
    return known

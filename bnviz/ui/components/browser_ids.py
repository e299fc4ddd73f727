"""Which browser tab this is, and which visitor, by random ids in the browser's own storage.

The tab's storage survives a reload and belongs to one tab; the address is for sharing an experiment and never says who
controls a run. The visitor's is one for all tabs, until the browser's storage is cleared: it says whose runs are
listed, never who controls one.
"""

import re
import uuid

import streamlit as st

from bnviz.ui.components.component import component, ignore


def introduce() -> None:
    """Ask the browser for its ids; stop the run of the script until they are known, in the first run of a session.

    The browser answers within the blink of an eye: what a page draws is drawn once, when its run can be found.
    """
    known = st.session_state.get("tab")
    with st.container(key="tab_id"):  # not in the page's flow
        answer = component("tab", __file__, "browserIds", "")(
            data={"known": known, "assigned": st.session_state.pop("assigned_tab", None)},
            key="tab_storage",
            on_tab_change=ignore,
        ).tab
    if known is not None:
        return
    if answer is None:
        st.stop()
    tab, *visitor = answer.split(" ") if isinstance(answer, str) else [""]
    if visitor and _is_id(visitor[0]):
        st.session_state["visitor"] = visitor[0]
    if _is_id(tab):
        st.session_state["tab"] = tab
    else:
        assign_tab_id(uuid.uuid4().hex)


def tab_id() -> str:
    """Return the tab's id."""
    return str(st.session_state["tab"])


def visitor_id() -> str | None:
    """Return the visitor's id; None for a browser that does not say it."""
    return st.session_state.get("visitor")


def assign_tab_id(tab: str) -> None:
    """Give the tab another id: its storage was copied from a tab that still lives."""
    st.session_state["tab"] = st.session_state["assigned_tab"] = tab


def _is_id(sent: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_-]{8,64}", sent) is not None

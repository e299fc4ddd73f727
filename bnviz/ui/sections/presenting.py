"""Present: larger type, no navigation, and keys for the buttons."""

import streamlit as st

from bnviz.ui import page
from bnviz.ui.components.keys import MEANINGS, listen


def present_button() -> None:
    """Draw the switch of the mode and, while it is on, the list of keys."""
    on = _presenting()
    if on:
        with st.popover("?", key="keys_help"):
            page.table([{"Key": key, "Does": meaning} for key, meaning in MEANINGS.items()])

    def flip() -> None:
        st.session_state["presenting"] = not on

    label, icon = ("End", ":material/close_fullscreen:") if on else ("Present", ":material/slideshow:")
    st.button(label, key="present", icon=icon, on_click=flip)


def listen_to_keys() -> None:
    """Press the buttons by keys while the page is presented; takes no room where nothing follows."""
    with st.container(key="key_listening"):
        listen(active=_presenting())


def _presenting() -> bool:
    return bool(st.session_state.get("presenting", False))

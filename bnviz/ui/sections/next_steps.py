"""Buttons for what to try next."""

from collections.abc import Sequence

import streamlit as st

from bnviz.findings.next_steps import NextStep
from bnviz.ui.settings_table import load


def next_step_buttons(steps: Sequence[NextStep]) -> None:
    """Draw a button for each suggestion."""
    with st.container(horizontal=True, key="next_steps", vertical_alignment="center", width="content", wrap=False):
        st.markdown("Try next", width="content")
        for place, step in enumerate(steps):
            st.button(step.label, key=f"next_step_{place}", on_click=_open, args=(step,))


def _open(step: NextStep) -> None:
    st.session_state["keep_weights"] = step.keep_weights
    load(step.experiment)

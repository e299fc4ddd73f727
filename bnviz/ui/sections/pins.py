"""Runs that were pinned: a button, and a table of how their networks ended."""

import streamlit as st

from bnviz.engine.run import Run
from bnviz.records.ghosts import MOST_PINS, Ghost


def pin_button(run: Run) -> None:
    """Draw the button that keeps the run's curves as ghosts."""
    st.button(
        "Pin run",
        key="pin",
        icon=":material/push_pin:",
        on_click=run.pin,
        help=f"Keeps the curves as they are now for comparison: up to {MOST_PINS} runs, until you remove them.",
    )


def pin_table(run: Run) -> None:
    """Draw a row for each pinned network, and a button for each pin; nothing if there is none."""
    if not run.pins:
        return
    st.markdown("**Pinned runs**")
    st.table([{"Pin": str(pin.number), **_row(ghost)} for pin in run.pins for ghost in pin.ghosts])
    with st.container(horizontal=True):
        for pin in run.pins:
            st.button(f"Remove pin {pin.number}", key=f"unpin_{pin.number}", on_click=run.unpin, args=(pin.number,))


def _row(ghost: Ghost) -> dict[str, str]:
    init, normalization = ghost.setting
    return {
        "Init": init,
        "Normalization": normalization,
        "Steps": f"{ghost.last.step:,}",
        "Test loss": f"{ghost.last.test_loss:.3f}",
        "Accuracy": f"{ghost.last.test_accuracy:.1%}",
        "Saturated": f"{ghost.saturated:.0%}",
    }

"""Runs that were pinned: a button, and a table of what is special about their networks and how they ended."""

from collections.abc import Sequence

import streamlit as st

from bnviz.engine.run import Run
from bnviz.experiment.comparison import distinguishing_settings
from bnviz.experiment.wording import decimals, percent
from bnviz.records.ghosts import MOST_PINS, Ghost, Pin
from bnviz.ui import page
from bnviz.ui.sections.keeping import keep_pinned


def pin_button(run: Run) -> None:
    """Draw the button that keeps the run's curves as ghosts, until they are let go.

    It has no help of its own: Streamlit doubles a button that has, for small screens.
    """
    st.button("Pin run", key="pin", icon=":material/push_pin:", on_click=_pin, args=(run,))


def _pin(run: Run) -> None:
    kept = run.kept()
    if (pin := run.pin(kept.view if kept else run.view())) and kept:
        keep_pinned(kept, pin)


def pin_table(run: Run) -> None:
    """Draw a row for each pinned network, with the settings in which they differ, and a button for each pin."""
    if not run.pins:
        return
    st.markdown(f"**Pinned runs** (up to {MOST_PINS})")
    page.table(pin_rows(run.pins))
    with st.container(horizontal=True):
        for pin in run.pins:
            st.button(f"Remove pin {pin.number}", key=f"unpin_{pin.number}", on_click=run.unpin, args=(pin.number,))


def pin_rows(pins: Sequence[Pin]) -> list[dict[str, str]]:
    """Return a row for each pinned network: init, normalization, other settings in which they differ, and its end."""
    ghosts = [(pin, ghost) for pin in pins for ghost in pin.ghosts]
    settings = distinguishing_settings(
        [(pin.experiment.training, ghost.variant) for pin, ghost in ghosts], always=("Init", "Normalization")
    )
    titles = dict.fromkeys(title for own in settings for title in own)
    return [
        {"Pin": str(pin.number)} | {title: own.get(title, "–") for title in titles} | _outcome(ghost)
        for (pin, ghost), own in zip(ghosts, settings, strict=True)
    ]


def _outcome(ghost: Ghost) -> dict[str, str]:
    return {
        "Steps": f"{ghost.last.step:,}",
        "Test loss": decimals(ghost.last.test_loss, 3),
        "Accuracy": percent(ghost.last.test_accuracy),
        "Saturated": percent(ghost.saturated, 0),
    }

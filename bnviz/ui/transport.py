"""The buttons and the speed of a run."""

import time
from collections.abc import Callable

import streamlit as st

from bnviz.engine.run import SPEEDS, Run
from bnviz.records.live import Status

SETTLE_SECONDS = 0.2  # a rerun waits at most so long for what the user has just asked for


def transport(run: Run, choose_seed: Callable[[int], None]) -> Status:
    """Draw play, step, reset, new seed and speed. Returns the status that the buttons show.

    The buttons have no help of their own: Streamlit doubles a button that has, for small screens.
    """
    _settle(run)
    # A reload finds the run at the speed it had. Fixed for the session: another default would be another widget.
    first = st.session_state.setdefault(
        "first_speed", next(name for name, speed in SPEEDS.items() if speed == run.speed)
    )
    status = run.status
    playing = status.state == "playing"

    # Not counted in the callback: Streamlit may call it twice.
    next_seed = (run.experiment.training.seed + 1) % 2**31

    with st.container(horizontal=True, key="transport", vertical_alignment="bottom", width="content"):
        st.button(
            "Pause" if playing else "Train",
            key="play",
            type="primary",
            icon=":material/pause:" if playing else ":material/play_arrow:",
            on_click=run.pause if playing else run.play,  # no toggle: Streamlit may call twice for one click
            disabled=status.state in ("finished", "failed"),
            width=110,
        )
        st.button(
            "Step",
            key="step",
            icon=":material/skip_next:",
            on_click=run.step,
            disabled=playing or status.state in ("finished", "failed"),
        )
        st.button("Reset", key="reset", icon=":material/replay:", on_click=run.reset)
        st.button(
            "New seed",
            key="new_seed",
            icon=":material/casino:",
            on_click=choose_seed,
            args=(next_seed,),
        )
        chosen = st.segmented_control(
            "Speed (steps a second)",
            list(SPEEDS),
            label_visibility="collapsed",
            default=first,
            key="speed",
            required=True,
            help="From one step a second to as fast as it goes. Step trains on one batch. Reset goes back to the same "
            "initial weights; New seed draws others, and another order of the batches.",
        )
    speed = SPEEDS[chosen or first]
    if run.speed != speed:
        run.set_speed(speed)
    return status


def _settle(run: Run) -> None:
    """Give what was just asked for a moment to happen, so that this very rerun shows it."""
    end = time.monotonic() + SETTLE_SECONDS
    while run.status.busy and time.monotonic() < end:
        time.sleep(0.005)

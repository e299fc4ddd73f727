"""A page with a run of its own: one button trains the networks of the live lab on it at full speed."""

import math
from collections.abc import Callable

import streamlit as st

from bnviz.engine.run import Run
from bnviz.experiment.config import Experiment


def train_here_button(run: Run, wanted: Experiment, show_settings: Callable[[Experiment], None] | None = None) -> bool:
    """Draw the button that gives a page's run the networks `wanted` and plays it. Returns whether it was clicked.

    show_settings: called with `wanted` before that, to set the page's own controls.
    """
    done = run.experiment == wanted and run.status.state == "finished"
    return st.button(
        "Trained here" if done else "Train it here at full speed",
        key="train_here",
        icon=":material/check:" if done else ":material/fast_forward:",
        on_click=_train,
        args=(run, wanted, show_settings),
        disabled=done,
    )


def _train(run: Run, wanted: Experiment, show_settings: Callable[[Experiment], None] | None) -> None:
    if run.experiment != wanted:
        if show_settings is not None:
            show_settings(wanted)
        run.edit(wanted)
    st.session_state["speed"] = "max"  # the transport's, which would set the run back to what it shows
    run.set_speed(math.inf)
    run.play()

"""One digit, picked or drawn, and what a network with batchnorm says of it alone and in company."""

from typing import Any

import numpy as np
import streamlit as st

from bnviz import figures, insights
from bnviz.data import COUNTS
from bnviz.engine.run import Run
from bnviz.ui import lab
from bnviz.ui.draw_pad import draw_pad
from bnviz.ui.live_plotly import live_chart

_SOURCES = {"pick": "from the test set", "draw": "draw it"}


@st.fragment
def show_one_digit(run: Run) -> None:
    left, right = st.container(key="one_digit").columns([1, 3], gap="large")
    with left:
        pixels, known = _chosen(run)
        if pixels is not None:
            live_chart("chart_digit", figures.digit(pixels))
            st.caption(f"What the network gets: 28 × 28 pixels, {known}.")
    with right:
        if pixels is None:
            st.info("Draw a digit to ask the network about it.", icon=":material/draw:")
        else:
            _answers(run, pixels)


def _chosen(run: Run) -> tuple[np.ndarray[Any, Any] | None, str]:
    """Pixels, 0 to 255, and what is known of them."""
    source = st.segmented_control(
        "The digit", list(_SOURCES), default="pick", format_func=_SOURCES.__getitem__, key="digit_source", required=True
    )
    if source == "draw":
        return draw_pad("draw_pad"), "drawn, then scaled and centred as MNIST's digits are"
    place = st.number_input("Test digit number", 1, COUNTS[run.data][1], 1, key="digit_place") - 1
    found = lab.ask(run, "test_digit", place=place)
    return (None, "") if found is None else (found[0], f"test digit {place + 1}, labelled {found[1]}")


def _answers(run: Run, pixels: np.ndarray[Any, Any]) -> None:
    draws = st.session_state.setdefault("digit_draws", 0)
    found = lab.ask(run, "answers", variant=0, pixels=np.ravel(pixels), seed=draws)
    if found is not None:
        live_chart("chart_answers", figures.answers(found))
        st.markdown("\n".join(f"- {line}" for line in insights.company(found)))
        st.button("Ask again, in other company", key="ask_again", on_click=_ask_again, args=(draws + 1,))


def _ask_again(draws: int) -> None:
    st.session_state["digit_draws"] = draws

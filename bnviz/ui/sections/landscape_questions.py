"""The controls of slices of the loss, and the charts that stay folded until their question has been asked."""

from typing import Any

import streamlit as st

from bnviz.engine.long_question import LongQuestion
from bnviz.records.landscape import RESOLUTIONS, SLICE_DIGITS, Plane
from bnviz.records.questions import LossSlices
from bnviz.ui.components.live_chart import live_chart

PLANES: dict[Plane, str] = {
    "random": "random directions",
    "path": "the plane of the path",
    "line": "the line from the start",
}
REACHES = (0.25, 0.5, 1.0, 2.0)  # in lengths of the weights
FIRST: dict[str, Any] = {
    "scan_kind": "random",
    "scan_resolution": RESOLUTIONS[0],
    "scan_digits": SLICE_DIGITS[1],
    "scan_reach": 1.0,
    "scan_seed": 0,
}


def choose_slices() -> None:
    """Draw the controls of what `chosen_slices` returns."""

    def index(options: tuple[Any, ...], key: str) -> int:
        return options.index(FIRST[key])

    planes = tuple(PLANES)
    kind = st.selectbox(
        "Along", planes, index(planes, "scan_kind"), format_func=PLANES.__getitem__, key="scan_kind", width=230
    )
    st.selectbox(
        "Points",
        RESOLUTIONS,
        index(RESOLUTIONS, "scan_resolution"),
        format_func=lambda n: f"{n} × {n}",
        key="scan_resolution",
        width=120,
    )
    st.selectbox("Digits", SLICE_DIGITS, index(SLICE_DIGITS, "scan_digits"), key="scan_digits", width=100)
    fixed = kind != "random"
    st.selectbox("Reach", REACHES, index(REACHES, "scan_reach"), key="scan_reach", width=90, disabled=fixed)
    st.number_input("Directions", 0, 999, FIRST["scan_seed"], key="scan_seed", width=120, disabled=fixed)


def chosen_slices() -> LossSlices:
    """Return the question that the controls describe, also before they are drawn."""
    kind, resolution, digits, reach, seed = (st.session_state.get(key, first) for key, first in FIRST.items())
    return LossSlices(kind, resolution, digits, half_width=reach, seed=seed)


def asked_chart(key: str, question: LongQuestion[Any], nothing: str) -> None:
    """Place the chart of a question that was asked; until then the words `nothing`, which take less room."""
    asked = question.done is not None or question.answer is not None or question.problem
    with st.container(key=f"{key}_place"):
        if asked:
            live_chart(key, savable=True)
        else:
            st.caption(nothing)

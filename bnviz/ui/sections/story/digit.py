"""The digit that chapter 9 asks a network about: drawn by the reader, or a 7 of the test set."""

from typing import Any

import numpy as np
import streamlit as st

from bnviz.ui.components.draw_pad import draw_pad

_KEY = "story_digit"


def draw_digit() -> None:
    """Draw the pad; what is on it is kept when the pad is gone."""
    st.markdown("Draw a 7. If the pad stays empty, the second 7 of the test set is asked.")
    st.session_state[_KEY] = draw_pad("story_pad")


def drawn_digit() -> "np.ndarray[Any, Any] | None":
    """Return the drawn digit as 784 pixels, 0 paper to 255 ink; None if none was drawn."""
    drawn: np.ndarray[Any, Any] | None = st.session_state.get(_KEY)
    return None if drawn is None else np.ravel(drawn)

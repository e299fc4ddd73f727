"""Style sheets of sections, a .css file beside the Python file; those of components are in every page already."""

from pathlib import Path

import streamlit as st


def use_stylesheet(module: str) -> None:
    """Put the style sheet of a section, given as its __file__, on the page that is being drawn."""
    st.html(Path(module).with_suffix(".css"))

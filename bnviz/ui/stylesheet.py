"""Style sheets: the CSS of a component, of a section or of all pages is the .css file beside its Python file."""

from pathlib import Path

import streamlit as st


def stylesheet(module: str) -> Path | None:
    """Return the style sheet beside a module, which is given as its __file__; None if there is none."""
    path = Path(module).with_suffix(".css")
    return path if path.exists() else None


def use_stylesheet(module: str) -> None:
    """Put the style sheet of a section or of all pages on the page that is being drawn; components bring their own."""
    st.html(Path(module).with_suffix(".css"))

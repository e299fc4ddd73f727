"""What a reader has guessed in this tab: known to the session, and kept in the tab's own session storage."""

import json

import streamlit as st

from bnviz.experiment.guess_records import read_records, written_records
from bnviz.experiment.guesses import Answer, Recorded
from bnviz.ui.components.component import component, ignore

_KEY = "story_records"


def recorded() -> dict[int, Recorded] | None:
    """Return the guesses by chapter; None in the first run of a session, before the browser has told what it kept."""
    known: dict[int, Recorded] | None = st.session_state.get(_KEY)
    if known is None:
        told = st.session_state.get("guess_store", {}).get("kept")
        if isinstance(told, str):
            known = st.session_state[_KEY] = read_records(told)
    return known


def record(chapter: int, answer: Answer | None) -> None:
    """Keep a chapter's guess, or with None that the reader went on without one."""
    st.session_state[_KEY] = _known() | {chapter: Recorded(answer)}


def measure(chapter: int, truth: Answer) -> None:
    """Keep what was measured in a chapter beside its guess."""
    before = _known()
    if chapter in before and before[chapter].truth != truth:
        st.session_state[_KEY] = before | {chapter: Recorded(before[chapter].answer, truth)}


def forget(chapter: int) -> None:
    """Let a chapter be guessed once more."""
    st.session_state[_KEY] = {number: found for number, found in _known().items() if number != chapter}


def draw_store() -> None:
    """Draw the component, which has no height; once a run, when nothing more will be recorded in it."""
    known = recorded()
    with st.container(key="guess_store_place"):
        component("guess_store", __file__, "guessStore", "")(
            data={"guesses": None if known is None else json.dumps(written_records(known))},
            key="guess_store",
            on_kept_change=ignore,
        )


def _known() -> dict[int, Recorded]:
    return recorded() or {}

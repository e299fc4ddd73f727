"""The guess of a chapter: asked for before its run, told beside it."""

from collections.abc import Callable

import streamlit as st

from bnviz.experiment.chapter import Chapter
from bnviz.experiment.guesses import Answer, ChoiceGuess, NumberGuess
from bnviz.findings.guesses import told
from bnviz.ui.components import guess_store
from bnviz.ui.components.live_slider import live_slider


def ask_guess(chapter: Chapter, start: Callable[[], None]) -> None:
    """Draw the question's control, and the buttons that record the guess and start the run."""
    answer = _control(chapter)
    with st.container(horizontal=True, key="guess_buttons"):
        st.button(
            "Record my guess and run",
            key="guess_record",
            type="primary",
            icon=":material/play_arrow:",
            on_click=_record,
            args=(chapter.number, answer, start),
            disabled=answer is None,
        )
        st.button("Run without a guess", key="guess_skip", on_click=_record, args=(chapter.number, None, start))


def show_guess(chapter: Chapter, answer: Answer | None) -> None:
    """Draw the recorded guess in words."""
    assert chapter.guess is not None
    said = f"Your guess: **{told(chapter.guess, answer)}**" if answer is not None else "Without a guess"
    st.markdown(said, width="content")


def _record(number: int, answer: Answer | None, start: Callable[[], None]) -> None:
    guess_store.record(number, answer)
    start()


def _control(chapter: Chapter) -> Answer | None:
    """The answer as the control says it now; None while there is none."""
    guess, key = chapter.guess, f"guess_{chapter.number}"
    match guess:
        case NumberGuess():
            span = guess.span
            name = f"{span.name[0].upper()}{span.name[1:]}" + (f" ({span.unit})" if span.unit else "")
            with st.container(key="guess_number"):
                return live_slider(name, span.low, span.high, guess.start, key=key, step=guess.step, log=guess.log)
        case ChoiceGuess():
            keys = [name for name, _ in guess.options]
            chosen = st.radio("Your guess", keys, index=None, key=key, format_func=guess.words)
            return guess.read(chosen)
    return None

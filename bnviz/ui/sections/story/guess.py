"""The guess of a chapter: asked for before its run, told beside it."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from bnviz.experiment.chapter import Chapter
from bnviz.experiment.guesses import Answer, ChoiceGuess, CurveGuess, NumberGuess, PointGuess
from bnviz.experiment.layers import LN_10
from bnviz.experiment.wording import capitalized
from bnviz.findings.guesses import told
from bnviz.theory.activations import ACTIVATION_FUNCTIONS
from bnviz.ui.components import guess_store
from bnviz.ui.components.guess import draw_curve, place_point
from bnviz.ui.components.live_slider import live_slider
from bnviz.ui.sections.story.batch import RINGED, batch_of_points
from bnviz.ui.sections.story.digit import draw_digit

CURVE_SAMPLES = 221  # of an activation function's curve


def ask_guess(chapter: Chapter, start: Callable[[], None]) -> None:
    """Draw the question's control, and the buttons that record the guess and start the run."""
    if any("digit" in act.charts for act in chapter.acts):
        draw_digit()
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
            name = capitalized(span.name) + (f" ({span.unit})" if span.unit else "")
            with st.container(key="guess_number"):
                return live_slider(name, span.low, span.high, guess.start, key=key, step=guess.step, log=guess.log)
        case ChoiceGuess():
            keys = [name for name, _ in guess.options]
            chosen = st.radio("Your guess", keys, index=None, key=key, format_func=guess.words)
            return guess.read(chosen)
        case CurveGuess():
            return draw_curve(guess, key, (LN_10, "ln 10: guessing"))
        case PointGuess():
            return _placed(guess, key)
    return None


def _placed(guess: PointGuess, key: str) -> Answer | None:
    """A point on the curve of an activation function, or one beside the points of the batch by hand."""
    if guess.along:
        x = np.linspace(guess.x.low, guess.x.high, CURVE_SAMPLES)
        heights = ACTIVATION_FUNCTIONS[guess.along].f(x)
        return place_point(guess, key, along=list(zip(x.tolist(), heights.tolist(), strict=True)))
    points = [(float(x), float(y)) for x, y in batch_of_points()]
    return place_point(guess, key, dots=points, ringed=RINGED)

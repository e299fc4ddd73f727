"""One digit, picked or drawn, and what a network with batchnorm says of it alone and in company."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import streamlit as st

from bnviz import figures
from bnviz.data import COUNTS
from bnviz.figures.style import Figure
from bnviz.findings.inference import answer_findings
from bnviz.records.answers import Answers, LabelledDigit
from bnviz.records.live import AskedRun
from bnviz.records.questions import AnswersInCompany, DigitOfTestSet
from bnviz.ui.asking.repeated import LiveQuestion, newest
from bnviz.ui.components.draw_pad import draw_pad
from bnviz.ui.components.live_chart import live_chart, unchanged

_SOURCES = {"pick": "from the test set", "draw": "draw it"}


@dataclass
class OneDigit:
    """The digit of a session: written by the page, read by the threads that make the news."""

    place: int | None = 0  # in the test set; None for a drawn one
    drawn: np.ndarray[Any, Any] | None = None
    draws: int = 0  # how often other company was asked for
    changes: int = 0
    _pick: LiveQuestion[LabelledDigit, LabelledDigit] = field(default_factory=lambda: LiveQuestion(newest))
    _ask: LiveQuestion[Answers, Figure] = field(default_factory=lambda: LiveQuestion(_answers_figure))

    def choose(self, place: int | None, drawn: np.ndarray[Any, Any] | None, draws: int) -> None:
        same = (place, draws) == (self.place, self.draws) and np.array_equal(np.asarray(drawn), np.asarray(self.drawn))
        self.place, self.drawn, self.draws = place, drawn, draws
        self.changes += not same

    def state(self) -> object:
        return self.changes, self._pick.count, self._ask.count

    def figures(self, run: AskedRun) -> dict[str, Figure]:
        """The digit as the network gets it, and its answers."""
        pixels, known = self.drawn, "drawn, then scaled and centred as MNIST's digits are"
        if self.place is not None:
            found = self._pick.of(run, DigitOfTestSet(self.place))
            if found is None:
                return {}
            pixels, known = found.pixels, f"test digit {self.place + 1}, labelled {found.label}"
        if pixels is None:
            return {}
        shown = {"chart_digit": unchanged(figures.digit_image(pixels, f"28 × 28 pixels: {known}"), self.changes)}
        told = self._ask.of(run, AnswersInCompany(0, tuple(np.ravel(pixels).tolist()), seed=self.draws))
        return shown | ({"chart_answers": unchanged(told, self._ask.count)} if told else {})


def _answers_figure(found: Answers, _: object) -> Figure:
    return figures.digit_answers(found, answer_findings(found), found.step)


@st.cache_resource(scope="session", show_spinner=False)
def one_digit() -> OneDigit:
    """This session's."""
    return OneDigit()


@st.fragment
def show_one_digit(run: AskedRun) -> None:
    """Draw the choice of one digit, from the test set or by hand, beside the network's answers alone and in company."""
    digit = one_digit()
    left, right = st.container(key="one_digit").columns([1, 2], gap="large")
    with left:
        source = st.segmented_control(
            "The digit",
            list(_SOURCES),
            default="pick",
            format_func=_SOURCES.__getitem__,
            key="digit_source",
            required=True,
        )
        if source == "draw":
            place, drawn = None, draw_pad("draw_pad")
        else:
            place, drawn = (
                st.number_input("Test digit number", 1, COUNTS[run.experiment.training.data][1], 1, key="digit_place")
                - 1,
                None,
            )
        digit.choose(place, drawn, st.session_state.setdefault("digit_draws", 0))
        run.moved.ring()  # this fragment runs without the page, and with it without `publish`
        empty = place is None and drawn is None
        if not empty:
            live_chart("chart_digit", height=220)
    with right:
        if empty:
            st.info("Draw a digit to ask the network about it.", icon=":material/draw:")
        else:
            live_chart("chart_answers")
            st.button("Ask again, in other batches", key="ask_again", on_click=_ask_again, args=(digit.draws + 1,))


def _ask_again(draws: int) -> None:
    st.session_state["digit_draws"] = draws

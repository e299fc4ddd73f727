"""The stage of a chapter: where an act is played, and the places of its charts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from bnviz.experiment.chapter import Act, Chapter, Chart
from bnviz.experiment.guesses import Answer
from bnviz.figures.story import with_guess
from bnviz.figures.style import Figure
from bnviz.ui import page
from bnviz.ui.components.live_chart import live_chart
from bnviz.ui.sections.story.charts import HEADINGS


@dataclass(frozen=True)
class Stage:
    """The place of an act: its chapter, its number among the chapter's acts, this tab, and the recorded guess."""

    chapter: Chapter
    number: int
    tab: str
    answer: Answer | None

    @property
    def act(self) -> Act:
        return self.chapter.acts[self.number]

    def guessed(self, name: str, figure: Figure) -> Figure:
        """Return a chart with the guess in it, if it is the one that answers the question."""
        return with_guess(figure, name, self.chapter.guess, self.answer) if self.number == 0 else figure


def chart_places(charts: Sequence[Chart], figures: Mapping[Chart, Figure]) -> None:
    """Draw a place for each chart, side by side, with the figures that are there already."""
    for column, name in zip(st.columns(len(charts), gap="medium"), charts, strict=True):
        with column:
            page.heading(*HEADINGS[name])
            live_chart(f"chart_{name}", figures.get(name))

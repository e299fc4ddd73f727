"""The addresses of the story: /story, and /story/0 to /story/13."""

from functools import partial

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from bnviz.experiment.chapter import Chapter
from bnviz.experiment.story import CHAPTERS
from bnviz.ui.sections.story.chapter import show_chapter


class ChapterPage(StreamlitPage):
    """A page whose address has two parts, which st.Page refuses; `bnviz.ui.web.page_html` serves it there."""

    def __init__(self, chapter: Chapter) -> None:
        super().__init__(
            partial(show_chapter, chapter.number),
            title=f"{chapter.number} · {chapter.title}",
            url_path=f"story-{chapter.number}",
            visibility="hidden",
        )
        self._address = f"story/{chapter.number}"

    @property
    def url_path(self) -> str:
        return self._address


def story_pages() -> list[StreamlitPage]:
    """Return the story's first page, which the navigation shows, and its chapters, which link to one another."""
    return [st.Page("pages/story.py", title="Story"), *map(ChapterPage, CHAPTERS)]

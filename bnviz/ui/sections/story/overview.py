"""The story's first page: where to begin, and what a teacher needs to plan a lesson."""

from html import escape

import streamlit as st

from bnviz.experiment.story import CHAPTERS, LECTURE
from bnviz.ui import controls, page
from bnviz.ui.components import guess_store
from bnviz.ui.components.page_links import PageLink, page_links
from bnviz.ui.sections.story import links
from bnviz.ui.sections.story.chapter import style
from bnviz.ui.sections.story.recap import chapter_table


def show_overview() -> None:
    """Draw the whole page."""
    style()
    controls.chosen_experiment()  # kept in the address, for the way back to the lab
    records = guess_store.recorded()
    links.draw_strip(-1, records or {})
    st.title("The story of batch normalization", anchor=False)
    page.show_problems()
    total = sum(chapter.minutes for chapter in CHAPTERS)
    st.markdown(
        f"{len(CHAPTERS)} chapters, each with a question, your guess, a run of a few seconds that answers it, and one "
        "idea to take along. Guesses stay in this tab and come back in the last chapter."
    )
    begun = max(records, default=-1) + 1 if records else 0
    start = PageLink(links.chapter_url(0), "Begin with chapter 0", kind="primary")
    going_on = PageLink(links.chapter_url(begun), f"Go on with chapter {begun}", kind="primary")
    page_links("story_begin", "Begin", [going_on if 0 < begun < len(CHAPTERS) else start])
    st.subheader("For teachers", anchor=False)
    lecture = ", ".join(str(number) for number in LECTURE)
    minutes = sum(CHAPTERS[number].minutes for number in LECTURE)
    st.markdown(
        f"All chapters take about {total} minutes. For a lecture of {minutes} minutes: chapters {lecture}, marked "
        "below. Each chapter has an address of its own, for slides and homework; whoever opens it can begin there. "
        "Nothing is needed from the internet."
    )
    st.html(_table())
    guess_store.draw_store()


def _table() -> str:
    """One row a chapter, in HTML: title, what it asks, minutes, address."""
    rows = []
    for chapter in CHAPTERS:
        address = links.chapter_url(chapter.number)
        title = f'<a href="{address}">{chapter.number} · {escape(chapter.title)}</a>'
        lecture = "lecture" if chapter.number in LECTURE else ""
        rows.append((title, escape(chapter.question), f"{chapter.minutes} min", lecture, f"<code>{address}</code>"))
    return chapter_table(("Chapter", "Question", "Minutes", "Lecture", "Address"), rows)

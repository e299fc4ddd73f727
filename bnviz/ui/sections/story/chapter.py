"""One chapter of the story: question, guess, run, what it showed beside the guess, next."""

from functools import partial

import streamlit as st

from bnviz.engine.run import Run
from bnviz.experiment.chapter import Chapter, Untrained
from bnviz.experiment.guesses import Recorded
from bnviz.experiment.scenario import Scenario
from bnviz.experiment.story import CHAPTERS
from bnviz.experiment.sweep import Sweep
from bnviz.findings.guesses import comparison
from bnviz.findings.story import Reveal
from bnviz.ui import page
from bnviz.ui.components import guess_store
from bnviz.ui.components.browser_ids import tab_id
from bnviz.ui.sections.story import links
from bnviz.ui.sections.story.batch import show_batch
from bnviz.ui.sections.story.guess import ask_guess, show_guess
from bnviz.ui.sections.story.recap import show_recap
from bnviz.ui.sections.story.run import play, show_run, stage_run
from bnviz.ui.sections.story.stage import Stage
from bnviz.ui.sections.story.sweep import show_sweep, start_sweep
from bnviz.ui.sections.story.untrained import show_untrained
from bnviz.ui.stylesheet import use_stylesheet


def style() -> None:
    """Add the story's own style sheet to that of every page."""
    page.begin()
    use_stylesheet(__file__)


def show_chapter(number: int) -> None:
    """Draw a chapter's whole page."""
    style()
    chapter = CHAPTERS[number]
    records = guess_store.recorded()
    tab = tab_id()
    links.draw_strip(number, records or {})
    st.title(f"{number} · {chapter.title}", anchor=False)
    st.markdown(chapter.question)
    if records is None:  # the browser answers within the blink of an eye, and the page runs again
        guess_store.draw_store()
        st.stop()
    done = show_recap(records) if chapter.guess is None else _show_question(chapter, tab, records.get(number))
    links.draw_next(number, ready=done)
    guess_store.draw_store()


def _show_question(chapter: Chapter, tab: str, record: Recorded | None) -> bool:
    """The guess, then the act that is played. Returns whether the chapter has answered its question."""
    number = _chosen_act(chapter) if record else 0
    act = chapter.acts[number]
    run = stage_run(act, tab)
    with st.container(key="guess"):
        if record is None:
            ask_guess(chapter, partial(_start, run))
            return False
        _show_answer_bar(chapter, record, run)
    stage = Stage(chapter, number, tab, record.answer)
    if st.session_state.pop("story_play", False):
        _play(stage, run)
    reveal = _show_act(stage, run)
    with st.container(key="reveal"):  # always there, so that what comes into it moves nothing above
        if reveal is not None:
            _show_reveal(chapter, record, reveal, first=number == 0)
    if number == 0 and reveal is not None and reveal.truth is not None:
        guess_store.measure(chapter.number, reveal.truth)
    if reveal is not None:
        links.draw_further(chapter.further, act)
    return reveal is not None


def _show_act(stage: Stage, run: Run | None) -> Reveal | None:
    match stage.act.what:
        case Scenario():
            assert run is not None
            return show_run(stage, run)
        case Untrained():
            return show_untrained(stage, stage.act.what)
        case Sweep():
            return show_sweep(stage)
        case None:
            return show_batch(stage)


def _start(run: Run | None) -> None:
    if run is not None:
        play(run)


def _play(stage: Stage, run: Run | None) -> None:
    if isinstance(stage.act.what, Sweep):
        start_sweep(stage.act.what, stage.tab)
    else:
        _start(run)


def _play_act() -> None:
    st.session_state["story_play"] = True


def _chosen_act(chapter: Chapter) -> int:
    """Which of the chapter's acts is shown, as its switch says; the switch is drawn with the guess."""
    titles = [act.title for act in chapter.acts]
    chosen = st.session_state.get(f"story_act_{chapter.number}")
    return titles.index(chosen) if chosen in titles else 0


def _show_answer_bar(chapter: Chapter, record: Recorded, run: Run | None) -> None:
    with st.container(horizontal=True, key="guess_bar", vertical_alignment="center"):
        show_guess(chapter, record.answer)
        if len(chapter.acts) > 1:
            titles = [act.title for act in chapter.acts]
            st.segmented_control(
                "What is shown",
                titles,
                default=titles[0],
                key=f"story_act_{chapter.number}",
                required=True,
                label_visibility="collapsed",
                on_change=_play_act,
            )
        runs = isinstance(chapter.acts[_chosen_act(chapter)].what, Scenario | Sweep)
        if runs:
            playing = run is not None and run.status.state == "playing"
            st.button(
                "Run again" if run is None or run.status.step else "Run",
                key="story_again",
                icon=":material/replay:",
                on_click=_play_act,
                disabled=playing,
            )
        st.button("Guess again", key="guess_again", on_click=guess_store.forget, args=(chapter.number,))


def _show_reveal(chapter: Chapter, record: Recorded, reveal: Reveal, *, first: bool) -> None:
    if first and chapter.guess is not None and record.answer is not None and reveal.truth is not None:
        st.markdown(comparison(chapter.guess, record.answer, reveal.truth))
    if reveal.sentence:
        st.markdown(f"**Measured.** {reveal.sentence}")
    st.markdown(chapter.idea)

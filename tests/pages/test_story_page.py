"""The story's pages without a browser: a guess is asked for and recorded, then a run answers beside it."""

import pytest
from streamlit.testing.v1 import AppTest

from bnviz.experiment.guesses import Recorded
from bnviz.experiment.story import CHAPTERS, LECTURE
from tests.running import wait_until

pytestmark = pytest.mark.slow


def _chapter() -> None:
    import streamlit as st

    from bnviz.ui.sections.story.chapter import show_chapter

    show_chapter(st.session_state["chapter"])


def _overview() -> None:
    from bnviz.ui.sections.story.overview import show_overview

    show_overview()


def opened(chapter: int, records: dict[int, Recorded] | None = None) -> AppTest:
    """A chapter's page, once the browser has told the tab's id and what the tab has guessed."""
    app = AppTest.from_function(_chapter, default_timeout=90)
    app.session_state["tab"] = "a-tab-of-the-story"
    app.session_state["chapter"] = chapter
    app.session_state["story_records"] = records or {}
    app.run()
    assert not app.exception
    return app


def said(app: AppTest) -> str:
    return "\n".join(each.value for each in app.markdown)


def answered(app: AppTest) -> str:
    """All that the page says once its run has ended and it has run again, as its news ask it to."""
    wait_until(lambda: "**Measured.**" in said(app.run()), "an answer", timeout=300)
    assert not app.exception
    return said(app)


def record_of(app: AppTest, chapter: int) -> Recorded:
    records: dict[int, Recorded] = app.session_state["story_records"]
    return records[chapter]


@pytest.mark.parametrize("number", range(13))
def test_a_chapter_opens_with_its_question_and_shows_no_result(number: int) -> None:
    app = opened(number)
    chapter = CHAPTERS[number]
    assert [title.value for title in app.title] == [f"{number} · {chapter.title}"]
    assert chapter.question in said(app)
    assert chapter.idea not in said(app)
    assert {"guess_record", "guess_skip"} <= {button.key for button in app.button}


@pytest.mark.parametrize("number", [0, 6])
def test_a_number_or_nothing_is_recorded_and_answered_without_training(number: int) -> None:
    app = opened(number)
    app.button(key="guess_skip").click().run()
    words = answered(app)
    assert CHAPTERS[number].idea in words
    assert "Without a guess" in words
    assert record_of(app, number).answer is None
    assert record_of(app, number).truth is not None


def test_the_guessed_sigma_draws_the_network_that_is_measured() -> None:
    app = opened(4, {4: Recorded(0.05)})
    assert "Your σ, 0.05" in answered(app)
    truth = record_of(app, 4).truth
    assert truth == pytest.approx((2 / 256) ** 0.5, rel=0.03)
    assert "It is 57% of that." in said(app)


def test_a_choice_is_recorded_run_and_told_beside_what_was_measured() -> None:
    app = opened(3)
    assert app.button(key="guess_record").disabled
    app.radio(key="guess_3").set_value("worse").run()
    app.button(key="guess_record").click().run()
    assert record_of(app, 3) == Recorded("worse")
    words = answered(app)
    assert "You guessed: worse. Measured: better." in words
    assert CHAPTERS[3].idea in words
    assert record_of(app, 3) == Recorded("worse", "better")
    app.button(key="guess_again").click().run()
    assert CHAPTERS[3].idea not in said(app)
    assert app.session_state["story_records"] == {}


def test_the_second_act_of_a_chapter_is_run_when_it_is_chosen() -> None:
    app = opened(11, {11: Recorded("alike")})
    app.segmented_control(key="story_act_11").set_value("From 2 to 64 digits").run()
    assert "Up to batches of" in answered(app)
    assert record_of(app, 11).truth is None, "the question is about the first act"


def test_the_recap_tells_every_guess_beside_what_was_measured() -> None:
    app = opened(13, {0: Recorded(1.0, 2.3), 3: Recorded("better", "better"), 5: Recorded(None)})
    (table,) = [str(each.proto) for each in app.get("html") if "<table" in str(each.proto)]
    for words in ("1.00 nats", "2.30 nats", "It is 1.30 nats off.", "You guessed: better. Right.", "no guess"):
        assert words in table
    assert "Careless init" not in table, "what was not guessed is not listed"
    assert "/story/9" in said(app)


def test_the_first_page_lists_all_chapters_with_minutes_and_addresses_for_a_teacher() -> None:
    app = AppTest.from_function(_overview, default_timeout=60)
    app.session_state["story_records"] = {}
    app.run()
    assert not app.exception
    (table,) = [str(each.proto) for each in app.get("html") if "<table" in str(each.proto)]
    for chapter in CHAPTERS:
        assert f"/story/{chapter.number}" in table
        assert f"{chapter.minutes} min" in table
    assert table.count(">lecture<") == len(LECTURE)
    assert "25 minutes: chapters 0, 1, 2, 6, 8, 9, 11" in said(app)

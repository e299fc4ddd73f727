"""The chapters as data, what counts as an answer, and how a guess is told beside what was measured."""

import json
import math

import pytest

from bnviz.experiment.guess_records import read_records, written_records
from bnviz.experiment.guesses import (
    GUESS_POINTS,
    Answer,
    ChoiceGuess,
    CurveGuess,
    Guess,
    NumberGuess,
    PointGuess,
    Recorded,
    Span,
)
from bnviz.experiment.scenario import Scenario
from bnviz.experiment.story import CHAPTERS, LECTURE
from bnviz.experiment.sweep import Sweep
from bnviz.findings.guesses import comparison, told
from bnviz.findings.story import run_reveal
from tests.builders import frame, twins, variant_frame, view_of

SPAN = Span("loss", 0.0, 5.0, "nats")
NUMBER = NumberGuess(SPAN, 0.1, 1.0)
RATIO = NumberGuess(Span("σ", 0.01, 1.0), 0.001, 0.5, log=True)
CHOICE = ChoiceGuess((("better", "better"), ("worse", "a little worse")))
POINT = PointGuess(Span("x", -10.0, 10.0), Span("y", -1.0, 1.0), (0.0, 0.0))
ON_TANH = PointGuess(Span("x", -10.0, 100.0), Span("y", -1.0, 1.0), (0.0, 0.0), along="tanh")
CURVE = CurveGuess(Span("step", 0.0, 400.0), SPAN, 4.0)
FLAT = (1.0,) * GUESS_POINTS


def test_there_are_fourteen_chapters_numbered_from_0() -> None:
    assert [chapter.number for chapter in CHAPTERS] == list(range(14))
    assert len({chapter.title for chapter in CHAPTERS}) == 14


def test_the_lecture_takes_25_minutes() -> None:
    assert sum(CHAPTERS[number].minutes for number in LECTURE) == 25
    assert list(LECTURE) == [0, 1, 2, 6, 8, 9, 11]


def test_every_chapter_but_the_last_asks_for_a_guess_and_shows_something() -> None:
    for chapter in CHAPTERS[:-1]:
        assert chapter.guess is not None
        assert chapter.acts
        assert chapter.idea
        assert all(act.charts for act in chapter.acts)
        assert len({act.title for act in chapter.acts}) == len(chapter.acts)
    assert CHAPTERS[-1].guess is None


def test_every_kind_of_guess_is_asked_for() -> None:
    kinds = {type(chapter.guess) for chapter in CHAPTERS}
    assert kinds == {NumberGuess, ChoiceGuess, PointGuess, CurveGuess, type(None)}


@pytest.mark.parametrize("chapter", CHAPTERS[:-1], ids=lambda chapter: str(chapter.number))
def test_what_is_offered_at_first_is_an_answer(chapter: object) -> None:
    guess: Guess = chapter.guess  # type: ignore[attr-defined]
    match guess:
        case ChoiceGuess():
            assert [guess.read(key) for key, _ in guess.options] == [key for key, _ in guess.options]
        case CurveGuess():
            assert guess.read([guess.start] * GUESS_POINTS) is not None
            assert guess.places[0] == guess.x.low
            assert guess.places[-1] == guess.x.high
        case _:
            assert guess.read(guess.start) is not None


def test_no_chapter_trains_a_network_of_before_chapter_8_with_batchnorm_but_to_look_ahead() -> None:
    """What the story is about is met in chapter 8; before it, only what chapters 3, 6 and 7 ask of it."""
    with_batchnorm = {
        chapter.number
        for chapter in CHAPTERS
        for act in chapter.acts
        if isinstance(act.what, Scenario) and any(v.batchnorm for v in act.what.experiment.variants)
    }
    assert with_batchnorm == {3, 7, 8, 9, 10, 11, 12}


def test_the_sweep_is_of_few_networks() -> None:
    (sweep,) = [act.what for chapter in CHAPTERS for act in chapter.acts if isinstance(act.what, Sweep)]
    assert sweep.count == 12


@pytest.mark.parametrize(
    ("guess", "raw", "answer"),
    [
        (NUMBER, 2, 2.0),
        (NUMBER, 5.0, 5.0),
        (NUMBER, 5.1, None),
        (NUMBER, True, None),
        (NUMBER, math.nan, None),
        (NUMBER, math.inf, None),
        (NUMBER, "2", None),
        (NUMBER, None, None),
        (CHOICE, "worse", "worse"),
        (CHOICE, "a little worse", None),
        (CHOICE, 0, None),
        (CHOICE, ["better"], None),
        (POINT, [3, -1], (3.0, -1.0)),
        (POINT, (3.0, 0.5), (3.0, 0.5)),
        (POINT, [3, -1.5], None),
        (POINT, [3], None),
        (POINT, "30", None),
        (POINT, {"x": 3, "y": 0}, None),
        (CURVE, list(FLAT), FLAT),
        (CURVE, [*FLAT, 1.0], None),
        (CURVE, [*FLAT[:-1], 5.5], None),
        (CURVE, [*FLAT[:-1], None], None),
        (CURVE, "1" * GUESS_POINTS, None),
    ],
)
def test_only_what_lies_in_the_range_is_an_answer(guess: Guess, raw: object, answer: Answer | None) -> None:
    assert guess.read(raw) == answer


@pytest.mark.parametrize(
    ("guess", "answer", "truth", "words"),
    [
        (NUMBER, 1.0, 2.3026, "You guessed 1.00 nats; measured: 2.30 nats. It is 1.30 nats off."),
        (RATIO, 0.5, 0.088, "You guessed 0.5; measured: 0.088. It is 5.7 times as large."),
        (RATIO, 0.05, 0.1, "You guessed 0.05; measured: 0.1. It is 50% of that."),
        (CHOICE, "better", "better", "You guessed: better. Right."),
        (CHOICE, "worse", "better", "You guessed: a little worse. Measured: better."),
        (POINT, (3.0, 0.5), (0.0, -0.5), "You put the point at (3.00, 0.50); measured: (0.00, −0.50). It is 3.16 off."),
        (ON_TANH, (-5.0, -1.0), (50.0, 1.0), "You put the point at −5.00; measured: 50.00. It is 55 off."),
        (
            CURVE,
            FLAT,
            (2.0,) * (GUESS_POINTS - 1) + (0.5,),
            "Your curve is 0.99 nats from the measured one on average; at its end you drew 1.00, and it is 0.50.",
        ),
    ],
)
def test_a_guess_is_told_beside_what_was_measured(guess: Guess, answer: Answer, truth: Answer, words: str) -> None:
    assert comparison(guess, answer, truth) == words


def test_an_answer_is_told_with_its_unit() -> None:
    assert told(NumberGuess(Span("accuracy", 0.0, 100.0, "%"), 1.0, 50.0), 11.7) == "11.7%"
    assert told(NumberGuess(Span("answers", 0.0, 12.0, "of 12"), 1.0, 12.0), 9.0) == "9 of 12"
    assert told(CURVE, FLAT) == "a curve that ends at 1.00 nats"


def test_a_run_that_is_on_its_way_shows_nothing_yet() -> None:
    experiment = twins()
    assert run_reveal(11, 0, view_of(experiment)) is None
    assert run_reveal(11, 0, view_of(experiment, frame(variant_frame(5), variant_frame(5)))) is None


def test_of_a_network_that_diverged_nothing_else_is_told() -> None:
    lost = variant_frame(7, diverged=True)
    reveal = run_reveal(11, 0, view_of(twins(), frame(lost, variant_frame(1500), finished=True)))
    assert reveal is not None
    assert reveal.truth is None
    assert reveal.sentence.startswith("The network with no batchnorm diverged at step 7")


def test_what_a_browser_keeps_is_read_as_it_was_written() -> None:
    kept = {
        0: Recorded(2.5, 2.3),
        1: Recorded((1.0,) * GUESS_POINTS),
        3: Recorded("better", "worse"),
        5: Recorded(None),
    }
    assert read_records(json.dumps(written_records(kept))) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "3",
        '{"0": 3}',
        '{"0": {"answer": "x"}}',
        '{"13": {"answer": 1}}',
        '{"99": {}}',
        "[" * 99999,
    ],
)
def test_what_is_no_record_of_guesses_is_left_out(text: str) -> None:
    assert read_records(text) == {}


def test_of_a_damaged_record_the_good_parts_are_kept() -> None:
    text = '{"0": {"answer": 2.5, "truth": "much"}, "3": {"answer": "perhaps"}, "1": {"answer": null}, "x": 1}'
    assert read_records(text) == {0: Recorded(2.5), 1: Recorded(None)}

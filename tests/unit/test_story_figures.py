"""A guess in the chart that answers it, and in no other."""

from typing import Any

import pytest

from bnviz.experiment.guesses import GUESS_POINTS, Answer, ChoiceGuess, CurveGuess, Guess, NumberGuess, PointGuess, Span
from bnviz.figures.story import with_guess
from bnviz.figures.style import Figure, layout, line

SPAN = Span("loss", 0.0, 5.0, "nats")
NUMBER = NumberGuess(SPAN, 0.1, 1.0)
CURVE = CurveGuess(Span("step", 0.0, 400.0), SPAN, 4.0)
POINT = PointGuess(Span("x", -10.0, 100.0), Span("y", -1.0, 1.0), (0.0, 0.0), along="tanh")
CHOICE = ChoiceGuess((("a", "a"), ("b", "b")))


def chart() -> Figure:
    return {
        "data": [line([0, 1], [0, 1], "#000000", "measured")],
        "layout": layout("a chart", 300, ["words"], xaxis={"range": [-6, 6]}, shapes=[{"type": "line"}]),
    }


def told(figure: Figure) -> str:
    words: str = figure["layout"]["meta"]["words"]
    return words


@pytest.mark.parametrize(
    ("guess", "answer", "name"),
    [
        (NUMBER, 2.0, "loss"),
        (CURVE, (1.0,) * GUESS_POINTS, "accuracy"),
        (POINT, (3.0, 1.0), "loss"),
        (CHOICE, "a", "loss"),
        (CURVE, None, "loss"),
        (None, None, "loss"),
    ],
)
def test_a_chart_that_does_not_answer_the_guess_stays_as_it_is(
    guess: Guess | None, answer: Answer | None, name: str
) -> None:
    assert with_guess(chart(), name, guess, answer) == chart()


def test_a_curve_is_one_more_dashed_line_over_its_own_steps() -> None:
    figure = with_guess(chart(), "loss", CURVE, (1.0,) * GUESS_POINTS)
    assert [trace["name"] for trace in figure["data"]] == ["measured", "your guess"]
    assert figure["data"][1]["line"]["dash"] == "dash"
    assert told(figure) == "words<br>dashed grey: your guess"


def test_a_number_is_a_line_across() -> None:
    shapes: list[dict[str, Any]] = with_guess(chart(), "accuracy", NUMBER, 42.0)["layout"]["shapes"]
    assert len(shapes) == 2
    assert (shapes[1]["y0"], shapes[1]["y1"]) == (42.0, 42.0)


@pytest.mark.parametrize(("at", "drawn", "words"), [(3.0, 3.0, "guess"), (55.0, 6.0, "at 55 beyond this edge")])
def test_an_input_beyond_the_chart_is_marked_at_its_edge_and_told(at: float, drawn: float, words: str) -> None:
    figure = with_guess(chart(), "function", POINT, (at, 1.0))
    assert figure["layout"]["shapes"][1]["x0"] == drawn
    assert told(figure).endswith(words)


def test_a_point_is_a_diamond_at_its_place() -> None:
    figure = with_guess(chart(), "points", POINT, (0.5, -0.25))
    assert figure["data"][-1]["marker"]["symbol"] == "diamond-open"
    assert "diamond" in figure["layout"]["meta"]["alt"]

"""A reader's guess, drawn into the chart that answers it."""

import numpy as np

from bnviz.experiment.guesses import Answer, CurveGuess, Guess, NumberGuess, PointGuess
from bnviz.figures.style import GUIDE, Figure, line

_DASHED: Figure = {"color": GUIDE, "width": 2, "dash": "dash"}
_CURVE_WORDS = "dashed grey: your guess"


def with_guess(figure: Figure, chart: str, guess: Guess | None, answer: Answer | None) -> Figure:
    """Return a chapter's chart with the guess in it, if this is the chart that answers it."""
    if guess is None or answer is None:
        return figure
    match guess, chart:
        case CurveGuess(), "loss":
            return _with_guessed_curve(figure, guess, answer)
        case NumberGuess(), "accuracy":
            return _with_guessed_height(figure, answer)
        case PointGuess(), "function":
            return _with_guessed_input(figure, answer)
        case PointGuess(), "points":
            return _with_guessed_point(figure, answer)
    return figure


def _with_guessed_curve(figure: Figure, guess: CurveGuess, answer: Answer) -> Figure:
    assert isinstance(answer, tuple)
    hover = "your guess<br>step %{x:,.0f}<br>%{y:.2f} nats<extra></extra>"
    ghost = line(guess.places, answer, GUIDE, "your guess", line=_DASHED, hovertemplate=hover)
    return with_words({"data": [*figure["data"], ghost], "layout": figure["layout"]}, _CURVE_WORDS)


def _with_guessed_height(figure: Figure, answer: Answer) -> Figure:
    assert isinstance(answer, float)
    across = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": answer, "y1": answer, "line": _DASHED}
    shapes = [*figure["layout"].get("shapes", []), across]
    return with_words(figure | {"layout": figure["layout"] | {"shapes": shapes}}, _CURVE_WORDS)


def _with_guessed_input(figure: Figure, answer: Answer) -> Figure:
    """Draw the guessed input, at the edge of the chart if it lies beyond."""
    assert isinstance(answer, tuple)
    low, high = figure["layout"]["xaxis"]["range"]
    at = float(np.clip(answer[0], low, high))
    down = {"type": "line", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1, "line": _DASHED}
    shapes = [*figure["layout"].get("shapes", []), down]
    beyond = "" if low <= answer[0] <= high else f", at {answer[0]:.0f} beyond this edge"
    return with_words(figure | {"layout": figure["layout"] | {"shapes": shapes}}, f"{_CURVE_WORDS}{beyond}")


def _with_guessed_point(figure: Figure, answer: Answer) -> Figure:
    assert isinstance(answer, tuple)
    marker = {"color": GUIDE, "size": 14, "symbol": "diamond-open", "line": {"width": 2.5}}
    hover = "your guess: %{x:.2f}, %{y:.2f}<extra></extra>"
    placed = line(np.array(answer[:1]), np.array(answer[1:]), GUIDE, "your guess", hovertemplate=hover)
    data = [*figure["data"], placed | {"mode": "markers", "marker": marker}]
    return with_words({"data": data, "layout": figure["layout"]}, "grey diamond: your guess")


def with_words(figure: Figure, words: str) -> Figure:
    """Return a chart with one more line of words above it."""
    meta = figure["layout"]["meta"]
    told = "<br>".join(part for part in (meta["words"], words) if part)
    alt = f"{meta['alt']}; {words}"
    return figure | {"layout": figure["layout"] | {"meta": meta | {"words": told, "alt": alt}}}

"""A guess in words, and how far it is from what was measured."""

import math

import numpy as np

from bnviz.experiment.guesses import Answer, ChoiceGuess, CurveGuess, Guess, NumberGuess, PointGuess
from bnviz.experiment.wording import decimals, in_steps, percent, significant, times


def told(guess: Guess, answer: Answer) -> str:
    """Return an answer in words: a guess, or what was measured in its place."""
    match guess:
        case NumberGuess():
            assert isinstance(answer, float)
            return f"{_number(guess, answer)}{_unit(guess.span.unit)}"
        case ChoiceGuess():
            assert isinstance(answer, str)
            return guess.words(answer)
        case PointGuess():
            assert isinstance(answer, tuple)
            place = f"({decimals(answer[0])}, {decimals(answer[1])})"
            return decimals(answer[0]) if guess.along else place
        case CurveGuess():
            assert isinstance(answer, tuple)
            return f"a curve that ends at {answer[-1]:.2f}{_unit(guess.y.unit)}"


def comparison(guess: Guess, answer: Answer, truth: Answer) -> str:
    """Return how far the guess is from what was measured, in one sentence."""
    said, is_ = told(guess, answer), told(guess, truth)
    match guess:
        case ChoiceGuess():
            return f"You guessed: {said}. Right." if answer == truth else f"You guessed: {said}. Measured: {is_}."
        case NumberGuess():
            assert isinstance(answer, float)
            assert isinstance(truth, float)
            return f"You guessed {said}; measured: {is_}. {_off(guess, answer, truth)}"
        case PointGuess():
            assert isinstance(answer, tuple)
            assert isinstance(truth, tuple)
            off = abs(answer[0] - truth[0]) if guess.along else math.dist(answer, truth)
            return f"You put the point at {said}; measured: {is_}. It is {significant(off)} off."
        case CurveGuess():
            assert isinstance(answer, tuple)
            assert isinstance(truth, tuple)
            off = float(np.abs(np.subtract(answer, truth)).mean())
            return (
                f"Your curve is {off:.2f}{_unit(guess.y.unit)} from the measured one on average; at its end you drew "
                f"{answer[-1]:.2f}, and it is {truth[-1]:.2f}."
            )


def _off(guess: NumberGuess, answer: float, truth: float) -> str:
    if not guess.log:
        return f"It is {_number(guess, abs(answer - truth))}{_unit(guess.span.unit)} off."
    ratio = answer / truth
    return f"It is {times(ratio)} as large." if ratio >= 1 else f"It is {percent(ratio, 0)} of that."


def _number(guess: NumberGuess, value: float) -> str:
    return significant(value) if guess.log else in_steps(value, guess.step)


def _unit(unit: str) -> str:
    return unit if unit == "%" else f" {unit}" if unit else ""

"""What a reader may be asked to guess before a run: a number, a choice, a point, or a curve drawn by hand.

A guess is a question with its range. What comes back, from a browser or its storage, is read against that range, so
that nothing else ever counts as an answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

GUESS_POINTS = 41  # heights of a drawn curve, evenly spaced from one end of its axis to the other

Answer = float | str | tuple[float, ...]


@dataclass(frozen=True)
class Span:
    """One axis: its name, its unit and where it ends."""

    name: str
    low: float
    high: float
    unit: str = ""

    def holds(self, value: object) -> bool:
        """Tell whether a value is a number from `low` to `high`."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high


@dataclass(frozen=True)
class NumberGuess:
    """A number on a slider. start: where its handle lies at first. log: the way along the slider is its logarithm."""

    span: Span
    step: float
    start: float
    log: bool = False

    def read(self, raw: object) -> float | None:
        """Return the number, or None for anything that is not one in the range."""
        return float(raw) if self.span.holds(raw) else None  # type: ignore[arg-type]


@dataclass(frozen=True)
class ChoiceGuess:
    """One of a few answers: key -> words."""

    options: tuple[tuple[str, str], ...]

    def read(self, raw: object) -> str | None:
        """Return the key, or None for anything that is none of them."""
        return next((key for key, _ in self.options if key == raw), None)

    def words(self, key: str) -> str:
        return dict(self.options)[key]


@dataclass(frozen=True)
class PointGuess:
    """A place in the plane. along: the name of the activation function whose curve it lies on; "" for anywhere."""

    x: Span
    y: Span
    start: tuple[float, float]
    along: str = ""

    def read(self, raw: object) -> tuple[float, ...] | None:
        """Return (x, y), or None for anything that is not a point in both ranges."""
        if not isinstance(raw, Sequence) or isinstance(raw, str) or len(raw) != 2:
            return None
        inside = self.x.holds(raw[0]) and self.y.holds(raw[1])
        return (float(raw[0]), float(raw[1])) if inside else None


@dataclass(frozen=True)
class CurveGuess:
    """A curve over the steps of a run, as GUESS_POINTS heights. start: the height that it is known to begin with."""

    x: Span
    y: Span
    start: float

    def read(self, raw: object) -> tuple[float, ...] | None:
        """Return the heights, or None for anything that is not so many numbers in the range."""
        if not isinstance(raw, Sequence) or isinstance(raw, str) or len(raw) != GUESS_POINTS:
            return None
        return tuple(float(height) for height in raw) if all(map(self.y.holds, raw)) else None

    @property
    def places(self) -> tuple[float, ...]:
        """The places of the heights on the x axis."""
        return tuple(self.x.low + (self.x.high - self.x.low) * k / (GUESS_POINTS - 1) for k in range(GUESS_POINTS))


Guess = NumberGuess | ChoiceGuess | PointGuess | CurveGuess


@dataclass(frozen=True)
class Recorded:
    """A reader's guess. answer: None if they went on without one. truth: None until a run has measured it."""

    answer: Answer | None
    truth: Answer | None = None

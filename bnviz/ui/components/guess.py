"""A guess by hand: a curve that is drawn, and points that are put somewhere; both also by keyboard."""

from collections.abc import Sequence
from typing import Any

from bnviz.experiment.guesses import GUESS_POINTS, CurveGuess, PointGuess, Span
from bnviz.figures.style import round_step
from bnviz.ui.components.component import component, ignore

Pair = tuple[float, float]

TICKS = 6  # at most, between the ends of an axis
_AXES = """<div class="bnviz-guess{kind}"><span class="y-name"></span><div class="down" aria-hidden="true"></div>
<div class="plot" tabindex="0" role="slider" aria-label="{label}" aria-valuenow="0">
<svg preserveAspectRatio="none" aria-hidden="true"></svg>{inside}</div>
<div class="across" aria-hidden="true"></div><span class="x-name"></span></div>
<p class="bnviz-guess-help"><span>{help}</span>{button}</p>"""
_CURVE_HELP = (
    "Draw with mouse, finger or pen. By keyboard: ← and → choose a step, ↑ and ↓ (Page Up, Page Down) the height there."
)
_POINT_HELP = "Click, or drag the point. By keyboard: the arrow keys, with Shift for larger steps."
_POINTS_HELP = "Drag the points. By keyboard: the arrow keys; Page Down and Page Up choose another point."


def draw_curve(guess: CurveGuess, key: str, guide: tuple[float, str]) -> tuple[float, ...] | None:
    """Return the curve that has been drawn, as GUESS_POINTS heights; None while there is none.

    guide: height and name of a dotted line across the axes.
    """
    inside = '<span class="guide-name"></span><span class="begin"></span><span class="handle"></span>'
    html = _html("Your curve", inside, _CURVE_HELP, '<button type="button" class="clear">Clear</button>')
    curve = component("guess_curve", __file__, "guessCurve", html)
    axes = {"x": _axis(guess.x), "y": _axis(guess.y)}
    data = {"key": key, "start": guess.start, "points": GUESS_POINTS, "guide": {"at": guide[0], "text": guide[1]}}
    return guess.read(curve(data=axes | data, key=key, on_curve_change=ignore).curve)


def place_point(
    guess: PointGuess, key: str, *, dots: Sequence[Pair] = (), along: Sequence[Pair] = (), ringed: int = -1
) -> tuple[float, ...] | None:
    """Return where the reader has put the one point, (x, y); None before it was moved.

    dots: other points, of which the place `ringed` has a ring. along: a curve that the point must lie on.
    """
    found = _points(key, guess.x, guess.y, [guess.start], _POINT_HELP, dots, along, ringed)
    return guess.read(found[0]) if isinstance(found, list) and len(found) == 1 else None


def move_points(key: str, x: Span, y: Span, handles: Sequence[Pair], *, ringed: int = -1) -> list[Pair]:
    """Return where a reader has moved the points to, which begin at `handles`."""
    found = _points(key, x, y, handles, _POINTS_HELP, (), (), ringed)
    point = PointGuess(x, y, (x.low, y.low))
    read = [point.read(each) for each in found] if isinstance(found, list) else []
    moved = [(each[0], each[1]) for each in read if each is not None]
    return moved if len(moved) == len(handles) else list(handles)


def _points(
    key: str,
    x: Span,
    y: Span,
    handles: Sequence[Pair],
    help: str,
    dots: Sequence[Pair],
    along: Sequence[Pair],
    ringed: int,
) -> object:
    kind = "one_point" if len(handles) == 1 else "points"
    label = "Your point" if len(handles) == 1 else "The points of the batch"
    square = "" if along else " square"
    html = _html(label, '<div class="marks"></div>', help, kind=square)
    place = component(f"guess_{kind}{square.strip()}", __file__, "guessPoint", html)
    data = {"handles": handles, "dots": dots, "along": along, "ringed": ringed}
    return place(data={"key": key, "x": _axis(x), "y": _axis(y)} | data, key=key, on_points_change=ignore).points


def _html(label: str, inside: str, help: str, button: str = "", kind: str = "") -> str:
    return _AXES.format(label=label, inside=inside, help=help, button=button, kind=kind)


def _axis(span: Span) -> dict[str, Any]:
    step = round_step(span.high - span.low, TICKS)
    first = -(-span.low // step)
    count = int((span.high - first * step) / step + 1e-9) + 1
    ticks = [round((first + k) * step, 10) for k in range(count)]
    return {"name": span.name, "low": span.low, "high": span.high, "unit": span.unit, "ticks": ticks}

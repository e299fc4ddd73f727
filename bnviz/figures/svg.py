"""The charts of docs/RESULTS.md as SVG: text that a repository keeps well, written without a browser or a library.

Plotly makes pictures only with the help of a whole browser; these few lines and axes need neither.
"""

import math
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

import numpy as np

from bnviz.experiment.wording import exact
from bnviz.figures.reproduction import chart_legend
from bnviz.figures.style import (
    GUIDE,
    color_of,
    round_step,
)
from bnviz.records.reproduction import Chart, Dash, Line

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 24, 58, 44  # margins
NAMES_A_ROW, LEGEND_ROW = 3, 14  # of the legend, whose rows more than one push the plot down
DASHES: dict[Dash, str] = {"solid": "", "dash": "6 4", "dot": "1 4", "dashdot": "6 4 1 4", "longdash": "12 4"}
AXIS_TICKS = 6  # at most about
TEXT, GRID = "#31333F", "#DDE0E4"


def svg_chart(chart: Chart) -> str:
    """Return the SVG of one chart with its title, legend and axes, on white."""
    across = _Axis([x for line in chart.lines for x in line.x], LEFT, WIDTH - RIGHT, log=chart.log_x)
    values = [y for line in chart.lines for y in line.y if y is not None]
    top = TOP + LEGEND_ROW * ((len(chart_legend(chart)) - 1) // NAMES_A_ROW)
    up = _Axis([0.0, *values], HEIGHT - BOTTOM, top)
    middle, center = (LEFT + WIDTH - RIGHT) / 2, (top + HEIGHT - BOTTOM) / 2
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" '
            f'font-family="sans-serif" font-size="11" fill="{TEXT}">',
            f"<title>{escape(chart.title)} by {escape(chart.x_title)}</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
            f'<text x="{LEFT}" y="20" font-size="12" font-weight="bold">{escape(chart.title)}</text>',
            *_legend(chart),
            *(_grid(across, at, top=top) for at in across.ticks),
            *(_grid(up, at) for at in up.ticks),
            f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{escape(chart.x_title)}</text>',
            f'<text transform="translate(14 {center}) rotate(-90)" text-anchor="middle">{escape(chart.y_title)}</text>',
            *(part for line in chart.lines for part in _line(line, across, up)),
            "</svg>\n",
        ]
    )


class _Axis:
    """An axis, which takes values to places between two ends of the picture."""

    def __init__(self, values: Sequence[float], start: float, end: float, *, log: bool = False) -> None:
        self._log, self._start, self._end = log, start, end
        low, high = min(values, default=0.0), max(values, default=1.0)
        if log:
            own = sorted(set(values))
            powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
            self.ticks = own if len(own) <= AXIS_TICKS else [10.0**power for power in powers]
        else:
            step = round_step(high - low, AXIS_TICKS)
            self.ticks = (step * np.arange(math.floor(low / step), math.ceil(high / step) + 1)).tolist()
            low, high = self.ticks[0], self.ticks[-1]
        self._low, self._high = (math.log10(low), math.log10(high)) if log else (low, high)

    def __call__(self, value: float) -> float:
        share = ((math.log10(value) if self._log else value) - self._low) / ((self._high - self._low) or 1.0)
        return round(self._start + share * (self._end - self._start), 1)


def _grid(axis: _Axis, at: float, *, top: float | None = None) -> str:
    """A line across the plot or, with a `top`, up to it."""
    place, said = axis(at), exact(at)
    if top is not None:
        return (
            f'<path d="M{place} {top}V{HEIGHT - BOTTOM}" stroke="{GRID}"/>'
            f'<text x="{place}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{said}</text>'
        )
    return (
        f'<path d="M{LEFT} {place}H{WIDTH - RIGHT}" stroke="{GUIDE if at == 0 else GRID}"/>'
        f'<text x="{LEFT - 6}" y="{place + 4}" text-anchor="end">{said}</text>'
    )


def _legend(chart: Chart) -> Iterator[str]:
    legend = chart_legend(chart)
    for place, (name, color, dash) in enumerate(legend):
        row, column = divmod(place, NAMES_A_ROW)
        left, down = LEFT + 150 * column - (LEFT - 15) * (len(legend) > 2), LEGEND_ROW * row
        if dash == "solid":
            yield f'<rect x="{left}" y="{32 + down}" width="10" height="10" fill="{color}"/>'
        else:
            stroke = f'stroke="{color}" stroke-width="2" stroke-dasharray="{DASHES[dash]}"'
            yield f'<path d="M{left - 8} {37 + down}h20" {stroke}/>'
        yield f'<text x="{left + 15}" y="{41 + down}">{escape(name)}</text>'


def _line(line: Line, across: _Axis, up: _Axis) -> Iterator[str]:
    """A stroke for every stretch without a gap; a lonely point is a dot, by its round ends."""
    color, width = color_of(normalized=line.normalized), 1 if line.thin else 2
    dashed = f' stroke-dasharray="{DASHES[line.dash]}"' if DASHES[line.dash] else ""
    points = zip(line.x, line.y, strict=True)
    for known, stretch in groupby(points, key=lambda point: point[1] is not None):
        if known:
            path = "L".join(f"{across(x)} {up(y)}" for x, y in stretch if y is not None)
            yield (
                f'<path d="M{path}{"" if "L" in path else "h0"}" fill="none" stroke="{color}" stroke-width="{width}" '
                f'stroke-linecap="round" stroke-linejoin="round"{dashed}/>'
            )

"""Curves of the reproduced experiments."""

import math

from bnviz.figures.style import (
    Figure,
    axis,
    color_of,
    layout,
    line,
    swatch,
)
from bnviz.records.reproduction import Chart, Dash

__all__ = ["reproduction_chart"]

NAMED_POINTS = 8  # points on a logarithmic axis that are named each


def reproduction_chart(chart: Chart) -> Figure:
    """Draw the curves of one reproduced experiment: orange without batchnorm, blue with it, violet for another."""
    data = []
    points = len(chart.lines[0].x)
    for curve in chart.lines:
        y = [math.nan if value is None else value for value in curve.y]
        hover = f"{curve.name}<br>{chart.x_title} %{{x:.4g}}<br>{chart.y_title} %{{y:.4g}}<extra></extra>"
        width = {"width": 1 if curve.thin else 2, "dash": curve.dash}
        drawn = line(curve.x, y, color_of(normalized=curve.normalized), curve.name, hovertemplate=hover, line=width)
        data.append(drawn | ({"mode": "lines+markers", "marker": {"size": 5}} if points <= 4 * NAMED_POINTS else {}))
    words = [" &ensp; ".join(swatch(color, name + _stroke(dash)) for name, color, dash in chart_legend(chart))]
    x = axis(chart.x_title, tickformat=",", nticks=6)
    if chart.log_x:
        x = axis(chart.x_title, type="log", dtick=1, exponentformat="none")
        x |= {"tickvals": list(chart.lines[0].x)} if points <= NAMED_POINTS else {}
    y_axis = axis(chart.y_title, rangemode="tozero")
    return {"data": data, "layout": layout(f"{chart.title} by {chart.x_title}", 320, words, xaxis=x, yaxis=y_axis)}


def chart_legend(chart: Chart) -> list[tuple[str, str, Dash]]:
    """Return each name once, with its colour and how its line is dashed."""
    found = {line.name: (line.name, color_of(normalized=line.normalized), line.dash) for line in chart.lines}
    return list(found.values())


def _stroke(dash: Dash) -> str:
    return {"solid": "", "dash": " (– –)", "dot": " (···)", "dashdot": " (– ·)", "longdash": " (— —)"}[dash]

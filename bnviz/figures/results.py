"""Curves of the reproduced experiments."""

import math

from bnviz.figures.style import COLORS, Figure, axis, layout, line
from bnviz.results import Chart


def results(chart: Chart) -> Figure:
    """Without batchnorm orange, with it blue, as everywhere."""
    data = []
    for curve in chart.lines:
        y = [math.nan if value is None else value for value in curve.y]
        hover = f"{curve.name}<br>{chart.x_title} %{{x:.4g}}<br>{chart.y_title} %{{y:.4g}}<extra></extra>"
        color = COLORS[1 if curve.normalized else 0]
        data.append(line(curve.x, y, color, curve.name, hovertemplate=hover) | {"mode": "lines+markers"})
        data[-1]["marker"] = {"size": 5}
    words = [
        " &ensp; ".join(
            f'<span class="bnviz-swatch" style="background:{COLORS[1 if c.normalized else 0]}"></span> {c.name}'
            for c in chart.lines
        )
    ]
    x = axis(chart.x_title, type="log", dtick=1, exponentformat="none") if chart.log_x else axis(chart.x_title)
    if chart.log_x and chart.x_title.startswith("batch size"):
        x |= {"tickvals": list(chart.lines[0].x)}
    y_axis = axis(chart.y_title, rangemode="tozero")
    return {"data": data, "layout": layout(f"{chart.title} by {chart.x_title}", 320, words, xaxis=x, yaxis=y_axis)}

"""Marks of the live lab in a sweep: a line on an axis, a frame around a cell."""

import math

import numpy as np

from bnviz.experiment.settings import Value
from bnviz.experiment.sweep import Axis
from bnviz.figures.style import GUIDE, Figure, note

LOG_AXIS_FROM = 20  # a list of values whose ends are so many times apart stands on a logarithmic axis


def spacing(x: Axis) -> Figure:
    """Return the kind of an axis: names side by side; numbers by logarithm if chosen so, or if far apart."""
    if x.setting.choices:
        return {"type": "category"}
    numbers = [float(value) for value in x.values]
    far = x.choices and numbers and 0 < min(numbers) * LOG_AXIS_FROM < max(numbers)
    return {"type": "log", "dtick": 1, "exponentformat": "none"} if far or x.scale == "log" else {"type": "linear"}


def mark(x: Axis, current: Value | None) -> Figure:
    """Return a line at the live lab's value; nothing if the axis does not reach it."""
    if current is None or not _reaches(x, current):
        return {}
    named = bool(x.setting.choices)
    at: float | str = x.setting.name_of(current) if named else float(current)
    log = spacing(x)["type"] == "log"
    beside = math.log10(float(at)) if log else at  # words on such an axis count in its logarithms
    place = {"type": "line", "xref": "x", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1}
    words = note("live lab", 0, 1, xref="x", xanchor="center", yanchor="bottom") | {"x": beside}
    return {
        "shapes": [place | {"line": {"color": GUIDE, "width": 1, "dash": "dot"}}],
        "annotations": [words],
        "margin": {"l": 56, "r": 14, "t": 24, "b": 44},
    }


def ordered(x: Axis) -> list[int]:
    """Return the places of the values from left to right: numbers by size, names as they come."""
    places = list(range(len(x.values)))
    return places if x.setting.choices else sorted(places, key=lambda place: float(x.values[place]))


def along(x: Axis) -> list[float] | list[str]:
    """Return numbers by size, or the labels of names."""
    return x.labels if x.setting.choices else sorted(float(value) for value in x.values)


def nearest(axis: Axis, current: Value | None) -> int | None:
    """Return the place of the value nearest to the live lab's; None if the axis does not reach it."""
    if current is None or not _reaches(axis, current):
        return None
    if axis.setting.choices:
        return axis.values.index(current)
    numbers = np.array([float(value) for value in axis.values])
    apart = np.log(numbers / float(current)) if axis.scale == "log" else numbers - float(current)
    return int(np.abs(apart).argmin())


def cell_frame(column: int, row: int) -> Figure:
    """Return a line around a cell, where places count the cells of an axis of names."""
    ends = {"x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5}
    return {"type": "rect", "line": {"color": GUIDE, "width": 3}} | ends


def _reaches(axis: Axis, current: Value | None) -> bool:
    if axis.setting.choices:
        return current in axis.values
    return current is not None and min(map(float, axis.values)) <= float(current) <= max(map(float, axis.values))

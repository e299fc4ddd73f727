"""Logarithmic axes, and what can be drawn on one."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from bnviz.experiment.wording import significant
from bnviz.figures.style import Figure

Array = npt.NDArray[np.floating[Any]]

# A label a decade. Plotly writes powers a quarter larger than it is told, and all other labels are of 12 pixels.
POWER_AXIS: Figure = {"type": "log", "dtick": 1, "exponentformat": "power", "tickfont": {"size": 12 / 1.25}}
SMALLEST_DRAWN, LARGEST_DRAWN = 1e-36, 1e36  # what is drawn: floats of 4 bytes


def log_axis(low: float, high: float, *, fine: float = 2.5) -> Figure:
    """Return an axis from 10^low to 10^high: a label every few decades, or at 1, 2 and 5 if there are at most `fine`.

    A live chart of the same layout only moves its data: a range that is left to Plotly would stay what it was.
    """
    if high - low > fine:
        return POWER_AXIS | {"range": [low, high], "dtick": max(1, math.ceil((high - low) / 5))}
    ticks = [digit * 10.0**power for power in range(math.floor(low), math.ceil(high) + 1) for digit in (1, 2, 5)]
    labels = [significant(tick) for tick in ticks]
    return {"type": "log", "range": [low, high], "tickvals": ticks, "ticktext": labels}


def log_axis_around(values: Array) -> Figure:
    """Return an axis around the positive values, with at least one label: 2 and 5 are 0.4 decades apart."""
    known = np.clip(values[np.isfinite(values) & (values > 0)], 1e-6, 1e9)
    low, high = (float(np.log10(f(known))) for f in (np.min, np.max)) if known.size else (-2.0, 1.0)
    margin = max(0.15, 0.2 - (high - low) / 2)
    return log_axis(low - margin, high + margin)


def decades_around(values: Array) -> tuple[float, float]:
    """Return whole powers of ten around the values: the ends of an axis that moves only when a decade is crossed."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return -2.0, 1.0
    low, high = math.floor(math.log10(finite.min())), math.ceil(math.log10(finite.max()))
    return low - 0.1, max(high, low + 1) + 0.1


def drawable(values: npt.ArrayLike, log: bool) -> Array:
    """Return the values with NaN, a gap, for each that is no number or cannot be drawn."""
    array = np.asarray(values, dtype=float)
    with np.errstate(invalid="ignore"):
        inside = np.isfinite(array) & (np.abs(array) < LARGEST_DRAWN)
        return np.where(inside & (array > SMALLEST_DRAWN) if log else inside, array, np.nan)

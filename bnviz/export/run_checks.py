"""What the numbers of a run must be, whoever made its file: finite if charts count on it, and in their range."""

from collections.abc import Callable

import numpy as np

from bnviz.experiment.config import LETTERS, MOST_HIDDEN_LAYERS
from bnviz.export.columns import Column, WrongNumbersError
from bnviz.export.run_tables import ROWS, Tables
from bnviz.records.frames import MAGNIFICATIONS, PLACES
from bnviz.records.history import KEPT_FRAMES, LOSS_POINTS

MOST_STEP = 10**9
_FRAMES = len(LETTERS) * (KEPT_FRAMES + 1)  # and the latest of each network
_LAYERS = _FRAMES * MOST_HIDDEN_LAYERS
MOST_ROWS = {
    "networks": len(LETTERS),
    "frames": _FRAMES,
    "inference": _FRAMES,
    "smoothness": _FRAMES,
    "layers": _LAYERS,
    "places": _LAYERS * len(PLACES),
    "summaries": _LAYERS * len(PLACES),
}
assert set(MOST_ROWS) == set(ROWS)

_Check = Callable[[Column], "Column | np.bool"]


def _between(low: float, high: float) -> _Check:
    return lambda x: (x >= low) & (x <= high)  # which NaN is not


def _unknown_or_share(x: Column) -> Column:
    return np.isnan(x) | ((x >= 0) & (x <= 1))


_A_TIME = _between(0, 1e12)
_CHECKS: dict[tuple[str, str], _Check] = {
    ("networks", "stride"): _between(1, MOST_STEP),
    ("networks", "points"): _between(0, LOSS_POINTS),
    ("networks", "frames"): _between(0, KEPT_FRAMES),
    ("points", "seconds"): _A_TIME,
    ("frames", "seconds"): _A_TIME,
    ("frames", "step"): _between(0, MOST_STEP),
    ("frames", "tested_at"): _between(-1, MOST_STEP),
    ("frames", "losses"): _between(0, MOST_STEP),
    ("frames", "test_accuracy"): _unknown_or_share,
    ("smoothness", "rate"): _between(0, 1e3),
    ("layers", "dead"): _between(0, 10_000),
    ("layers", "always_saturated"): _between(0, 10_000),
    ("layers", "places"): _between(0, len(PLACES)),
    ("places", "place"): _between(0, len(PLACES) - 1),
    ("places", "magnification"): lambda x: np.isin(x, (0, *MAGNIFICATIONS)),
    ("units", "saturated"): _between(0, 1),
    ("histograms", "count"): _between(0, 1e9),
    ("close_ups", "count"): _between(0, 1e9),
}


def check(tables: Tables) -> None:
    """Raise WrongNumbersError for the first column that holds a number that no run has."""
    for (table, column), right in _CHECKS.items():
        if not np.all(right(tables[table][column])):
            raise WrongNumbersError(f"has impossible numbers in {table}.{column}")

"""A kept run as a row of a list: what tells it from others, without its file."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from bnviz.experiment.comparison import special_settings
from bnviz.experiment.naming import network_names
from bnviz.records.frames import Floats, VariantFrame
from bnviz.records.kept_run import KeptRun

SMALL_CURVE_POINTS = 40  # of a small curve, at most


@dataclass(frozen=True)
class NetworkRow:
    """One network of a kept run: its name, its last test results, its largest saturated share (NaN if unknown), and
    its training loss as at most SMALL_CURVE_POINTS means over equal parts of the run."""

    name: str
    test_loss: float
    accuracy: float
    saturated: float
    curve: tuple[float, ...]


@dataclass(frozen=True)
class RunRow:
    """One kept run. special: the settings that are not those of the default experiment. size: bytes it takes."""

    id: str
    name: str
    special: str
    data: str
    steps: int
    created: datetime
    networks: tuple[NetworkRow, ...]
    tags: tuple[str, ...]
    note: str
    pinned: bool
    size: int


def summary(run: KeptRun) -> dict[str, Any]:
    """Return the columns that follow from the run itself."""
    view = run.view
    latest: Sequence[VariantFrame | None] = view.latest.variants if view.latest else [None] * len(view.variants)
    names = network_names(view.experiment)
    networks = [
        {
            "name": name,
            "test_loss": _known(frame.test_loss if frame else math.nan),
            "accuracy": _known(frame.test_accuracy if frame else math.nan),
            "saturated": frame.saturated if frame else None,
            "curve": small_curve(history.losses),
        }
        for name, frame, history in zip(names, latest, view.variants, strict=True)
    ]
    return {
        "special": ", ".join(special_settings(run.recipe.newest)),
        "data": run.recipe.newest.training.data,
        "steps": view.latest.step if view.latest else 0,
        "loss": min((n["test_loss"] for n in networks if n["test_loss"] is not None), default=None),
        "accuracy": max((n["accuracy"] for n in networks if n["accuracy"] is not None), default=None),
        "networks": json.dumps(networks, allow_nan=False),
    }


def run_row(columns: Any) -> RunRow:
    """Return the row of a database's columns."""
    return RunRow(
        columns.id,
        columns.name,
        columns.special,
        columns.data,
        columns.steps,
        datetime.fromtimestamp(columns.created, UTC),
        tuple(map(_network, json.loads(columns.networks))),
        tuple(json.loads(columns.tags)),
        columns.note,
        columns.pinned,
        columns.size,
    )


def searched(name: str, note: str, tags: Sequence[str], special: str) -> str:
    """Return the text that a search looks through, as `words` are compared with it."""
    return "\n".join((name, note, *tags, special)).casefold()


def words(search: str) -> list[str]:
    """Return the words of a search, each of which a run has to have."""
    return search.casefold().split()


def _network(told: dict[str, Any]) -> NetworkRow:
    test_loss, accuracy, saturated = (_number(told[key]) for key in ("test_loss", "accuracy", "saturated"))
    return NetworkRow(told["name"], test_loss, accuracy, saturated, tuple(map(_number, told["curve"])))


def small_curve(losses: Floats) -> list[float | None]:
    """Return a curve for a row of a list: at most SMALL_CURVE_POINTS means; None for what is not finite."""
    parts = np.array_split(losses, min(len(losses), SMALL_CURVE_POINTS)) if len(losses) else []
    with np.errstate(invalid="ignore", over="ignore"):  # a diverged network's losses
        return [_known(float(f"{part.mean():.4g}")) for part in parts]


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else value

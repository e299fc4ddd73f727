"""A run as files: its settings and curves as JSON and CSV."""

import json
import math
from typing import Any

from bnviz.experiment.config import to_dict
from bnviz.export.tables import csv_text
from bnviz.records.frames import VariantFrame
from bnviz.records.history import VariantHistory, View

_COLUMNS = ("variant", "step", "seconds", "train_loss", "test_loss", "test_accuracy")


def to_json(view: View) -> str:
    """Return {"experiment", "markers", "variants"} as JSON; NaN and infinite values, which it lacks, are null.

    Histograms are counts as in `records.frames.LayerFrame`: below the bins of `bin_range`, the bins, above, NaN.
    """
    document = {
        "experiment": to_dict(view.experiment),
        "markers": [
            {"label": m.label, "step": {view.experiment.letters[i]: step for i, (step, _) in m.at.items()}}
            for m in view.markers
        ],
        "variants": {
            letter: _curves(history) | {"frames": [_network(f) for f in history.frames]}
            for letter, history in zip(view.experiment.letters, view.variants, strict=True)
        },
    }
    return json.dumps(document, allow_nan=False)


def experiment_to_json(view: View) -> str:
    """Return the experiment alone as JSON: short, however long the run was."""
    return json.dumps({"experiment": to_dict(view.experiment)}, indent=1)


def to_csv(view: View) -> str:
    """Return a row for each point of a variant: training loss (mean since the row before) and test results."""
    rows: list[tuple[Any, ...]] = []
    for letter, history in zip(view.experiment.letters, view.variants, strict=True):
        points: dict[int, dict[str, Any]] = {}
        for curve in _curves(history).values():
            for values in zip(*curve.values(), strict=True):
                point = dict(zip(curve, values, strict=True))
                points.setdefault(point["step"], {}).update(point)
        rows += [(letter, *(points[step].get(column) for column in _COLUMNS[1:])) for step in sorted(points)]
    return csv_text(_COLUMNS, rows)


def _curves(history: VariantHistory) -> dict[str, dict[str, list[Any]]]:
    return {
        "training": {
            "step": [int(step) for step in history.steps],
            "seconds": [round(s, 4) for s in history.seconds.tolist()],
            "train_loss": [_finite(v) for v in history.losses.tolist()],
        },
        "test": {
            "step": [f.step for f in history.frames],
            "seconds": [round(s, 4) for s in history.frame_seconds],
            "test_loss": [_finite(f.test_loss) for f in history.frames],
            "test_accuracy": [_finite(f.test_accuracy) for f in history.frames],
        },
    }


def _network(frame: VariantFrame) -> dict[str, Any]:
    """Return what a kept frame says of the network itself, layer by layer; gradients also of the output layer."""
    return {
        "step": frame.step,
        "gradient_norm": [_finite(v) for v in frame.gradient_norm.tolist()],
        "update_to_data_log10": [_finite(v) for v in frame.update_ratio.tolist()],
        "layers": [
            {
                "mean_output": _finite(float(layer.mean.mean())),
                "saturated": float(layer.saturated.mean()),
                "always_saturated": layer.always_saturated,
                "dead": layer.dead,
                "histograms": {place: counts.tolist() for place, counts in layer.histograms.items()},
            }
            for layer in frame.layers
        ],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

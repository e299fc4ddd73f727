"""The numbers of a run as tables of flat columns, and back to the bit.

What belongs to what follows from the order of the rows, and how many they are from the experiment: `frames` are the
kept frames of the first network, those of the next, and at last the latest frame of each; `layers` are the hidden
layers of these frames one after the other, `units` their units, and so on down. So a wrong shape cannot be told.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any

import numpy as np

from bnviz.experiment.config import Experiment, Variant
from bnviz.export.columns import BOOL, COUNTS, DOUBLE, FLOATS, INT, Column, Columns, WrongNumbersError
from bnviz.export.packing import PACKED, Layout, layout_of
from bnviz.records.frames import (
    BATCH_SIZES,
    BINS,
    PERCENTILES,
    PLACES,
    QUANTILES,
    STEP_LENGTHS,
    CloseUp,
    InferenceFrame,
    LayerFrame,
    Smoothness,
    Statistics,
    Summary,
    VariantFrame,
)
from bnviz.records.history import VariantHistory

MODES = ("eval", "population", *(str(size) for size in BATCH_SIZES))  # of inference
NEVER = -1  # tested_at of a frame that was tested at its own step

# One row for each network, frame, ...
ROWS: dict[str, Columns] = {
    "networks": {"stride": INT, "points": INT, "frames": INT},
    "frames": {
        "seconds": DOUBLE,
        "step": INT,
        "next_loss": DOUBLE,
        "test_loss": DOUBLE,
        "test_accuracy": DOUBLE,
        "diverged": BOOL,
        "tested_at": INT,
        "tested_on_all": BOOL,
        "losses": INT,
        "inference": BOOL,
        "smoothness": BOOL,
    },
    "inference": dict.fromkeys(MODES, DOUBLE),
    "smoothness": dict.fromkeys(("rate", "loss", "gradient", "gap"), DOUBLE),
    "layers": {"dead": INT, "always_saturated": INT, "percentiles": BOOL, "summarized": BOOL, "places": INT},
    "places": {"place": INT, "counted": BOOL, "magnification": INT, "summary": BOOL},
    "summaries": {"mean": DOUBLE, "variance": DOUBLE},
}
# As many rows for each of these as the experiment says.
ARRAYS: dict[str, Columns] = {
    "points": {"loss": FLOATS, "seconds": FLOATS},
    "losses": {"loss": FLOATS},
    "linear_layers": {"gradient_norm": FLOATS, "update_ratio": FLOATS},
    "ahead": {"loss": FLOATS, "change": FLOATS},
    "weights": {"norm": FLOATS},
    "units": {"mean": FLOATS, "saturated": FLOATS},
    "percentiles": {f"p{percentile}": FLOATS for percentile in PERCENTILES},
    "statistics": dict.fromkeys(Statistics.__dataclass_fields__, FLOATS),
    "histograms": {"count": COUNTS},
    "close_ups": {"count": COUNTS},
    "quantiles": {"value": FLOATS},
}
TABLES = ROWS | ARRAYS
Tables = Mapping[str, Mapping[str, Column]]


class TableWriter:
    """Collects the tables of one run. Raises WrongNumbersError for a shape that is not that of the experiment."""

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in ROWS}
        self._arrays: dict[str, list[tuple[Column, ...]]] = {name: [] for name in ARRAYS}
        self._lengths = dict.fromkeys(ARRAYS, 0)
        self._of_frames: dict[str, list[tuple[int, int]]] = {name: [] for name in PACKED}  # network, rows at its end

    def layouts(self) -> dict[str, Layout]:
        """Return how the rows of those tables that can be packed belong to frames."""
        return {
            name: layout_of((one, end - begin) for (_, begin), (one, end) in pairwise([(0, 0), *ends]))
            for name, ends in self._of_frames.items()
        }

    def tables(self) -> Tables:
        """Return all columns."""
        found: dict[str, dict[str, Column]] = {}
        for name, rows in self._rows.items():
            columns = zip(*rows, strict=True) if rows else [()] * len(ROWS[name])
            found[name] = {
                key: np.array(column, dtype=dtypes[0])
                for (key, dtypes), column in zip(ROWS[name].items(), columns, strict=True)
            }
        for name, pieces in self._arrays.items():
            parts = zip(*pieces, strict=True) if pieces else [()] * len(ARRAYS[name])
            found[name] = {
                key: _joined(name, part, dtypes)
                for (key, dtypes), part in zip(ARRAYS[name].items(), parts, strict=True)
            }
        return found

    def history(self, history: VariantHistory, variant: Variant) -> None:
        """Take in a network's curves and kept frames."""
        self._rows["networks"].append((history.stride, len(history.losses), len(history.frames)))
        self._add("points", len(history.losses), history.losses, history.seconds)
        for frame, seconds in zip(history.frames, history.frame_seconds, strict=True):
            self.frame(frame, variant, seconds)

    def frame(self, frame: VariantFrame, variant: Variant, seconds: float = 0.0) -> None:
        """Take in one frame of a network."""
        layers = variant.network.layers
        if len(frame.layers) != len(layers) - 1:
            raise WrongNumbersError(f"has a frame of {len(frame.layers)} hidden layers instead of {len(layers) - 1}")
        tested_at = NEVER if frame.tested_at is None else frame.tested_at
        results = (frame.next_loss, frame.test_loss, frame.test_accuracy, frame.diverged, tested_at)
        more = (frame.tested_on_all, len(frame.losses), frame.inference is not None, frame.smoothness is not None)
        self._rows["frames"].append((seconds, frame.step, *results, *more))
        self._add("losses", len(frame.losses), frame.losses)
        self._add("linear_layers", len(layers), frame.gradient_norm, frame.update_ratio)
        for shown, layer in zip(frame.layers, layers[:-1], strict=True):
            self._layer(shown, layer.units)
        if frame.inference:
            self._rows["inference"].append(tuple(frame.inference.losses[mode] for mode in MODES))
            for statistics, layer in zip(frame.inference.layers, layers[:-1], strict=True):
                self._add("statistics", layer.units, *vars(statistics).values())
        if smooth := frame.smoothness:
            self._rows["smoothness"].append((smooth.rate, smooth.loss, smooth.gradient, smooth.gap))
            self._add("ahead", len(STEP_LENGTHS), smooth.losses, smooth.changes)
            self._add("weights", len(layers), smooth.weights)
        for table, ends in self._of_frames.items():
            ends.append((len(self._rows["networks"]), self._lengths[table]))

    def _layer(self, layer: LayerFrame, units: int) -> None:
        summaries = layer.summaries or {}
        places = dict.fromkeys((*layer.histograms, *layer.close_ups, *summaries))
        percentiles = layer.percentiles is not None
        summarized = layer.summaries is not None
        self._rows["layers"].append((layer.dead, layer.always_saturated, percentiles, summarized, len(places)))
        self._add("units", units, layer.mean, layer.saturated)
        if layer.percentiles is not None:
            self._add("percentiles", units, *layer.percentiles)
        for place in places:
            counted, closer, summary = place in layer.histograms, layer.close_ups.get(place), summaries.get(place)
            magnification = closer.magnification if closer else 0
            self._rows["places"].append((PLACES.index(place), counted, magnification, summary is not None))
            if counted:
                self._add("histograms", BINS + 3, layer.histograms[place])
            if closer:
                self._add("close_ups", BINS, closer.counts)
            if summary:
                self._rows["summaries"].append((summary.mean, summary.variance))
                self._add("quantiles", QUANTILES, summary.quantiles)

    def _add(self, table: str, count: int, *columns: Column) -> None:
        if any(column.shape != (count,) for column in columns):
            raise WrongNumbersError(f"has numbers in {table} whose shape is not ({count},)")
        self._arrays[table].append(columns)
        self._lengths[table] += count


def _joined(table: str, parts: Sequence[Column], dtypes: tuple[str, ...]) -> Column:
    known = {part.dtype.name for part in parts}
    if len(known) > 1 or not known <= {*dtypes}:
        raise WrongNumbersError(f"has {' and '.join(sorted(known))} in a column of {table}")
    return np.concatenate(parts) if parts else np.empty(0, dtypes[0])


class TableReader:
    """Takes the records of a run from its tables, in the order in which `TableWriter` was given them.

    Raises WrongNumbersError if they do not fit the experiment.
    """

    def __init__(self, tables: Tables, experiment: Experiment) -> None:
        self._experiment = experiment
        self._arrays = {name: list(tables[name].values()) for name in ARRAYS}
        self._at = dict.fromkeys(ARRAYS, 0)
        self._rows: dict[str, Iterator[tuple[Any, ...]]] = {
            name: zip(*(column.tolist() for column in tables[name].values()), strict=True) for name in ROWS
        }

    def histories(self) -> tuple[VariantHistory, ...]:
        """Return the curves and kept frames of every network."""
        networks = [(*self._row("networks"), variant) for variant in self._experiment.variants]
        return tuple(self._history(*network) for network in networks)

    def frame(self, variant: Variant) -> VariantFrame:
        """Return the next frame, which is one of this network."""
        return self._frame(variant)[1]

    def end(self) -> None:
        """Refuse whatever is left over."""
        left = [name for name, rows in self._rows.items() if next(rows, None) is not None]
        left += [name for name, at in self._at.items() if at < len(self._arrays[name][0])]
        if left:
            raise WrongNumbersError(f"has too many rows in {left[0]}")

    def _history(self, stride: int, points: int, frames: int, variant: Variant) -> VariantHistory:
        losses, seconds = self._take("points", points)
        found = [self._frame(variant) for _ in range(frames)]
        return VariantHistory(stride, losses, seconds, tuple(f for _, f in found), tuple(s for s, _ in found))

    def _frame(self, variant: Variant) -> tuple[float, VariantFrame]:
        seconds, step, next_loss, test_loss, accuracy, diverged, at, on_all, losses, inference, smoothness = self._row(
            "frames"
        )
        layers = variant.network.layers
        (told,) = self._take("losses", losses)
        norm, ratio = self._take("linear_layers", len(layers))
        return seconds, VariantFrame(
            step,
            told,
            next_loss,
            test_loss,
            accuracy,
            layers=tuple(self._layer(layer.units) for layer in layers[:-1]),
            gradient_norm=norm,
            update_ratio=ratio,
            diverged=diverged,
            inference=self._inference([layer.units for layer in layers[:-1]]) if inference else None,
            smoothness=self._smoothness(len(layers)) if smoothness else None,
            tested_at=None if at == NEVER else at,
            tested_on_all=on_all,
        )

    def _inference(self, units: Sequence[int]) -> InferenceFrame:
        losses = dict(zip(MODES, self._row("inference"), strict=True))
        return InferenceFrame(losses, tuple(Statistics(*self._take("statistics", count)) for count in units))

    def _smoothness(self, linear_layers: int) -> Smoothness:
        rate, loss, gradient, gap = self._row("smoothness")
        losses, changes = self._take("ahead", len(STEP_LENGTHS))
        (weights,) = self._take("weights", linear_layers)
        return Smoothness(rate, loss, gradient, losses, changes, weights, gap)

    def _layer(self, units: int) -> LayerFrame:
        dead, always_saturated, percentiles, summarized, places = self._row("layers")
        mean, saturated = self._take("units", units)
        inputs = np.stack(self._take("percentiles", units)) if percentiles else None
        layer = LayerFrame(mean, saturated, dead, always_saturated, {}, inputs, {} if summarized else None)
        for place, counted, magnification, summary in islice(self._rows["places"], places):
            if not 0 <= place < len(PLACES):
                raise WrongNumbersError(f"has a place {place} in a layer")
            name = PLACES[place]
            if counted:
                (layer.histograms[name],) = self._take("histograms", BINS + 3)
            if magnification:
                layer.close_ups[name] = CloseUp(magnification, *self._take("close_ups", BINS))
            if summary and layer.summaries is not None:
                moments = self._row("summaries")
                layer.summaries[name] = Summary(*moments, *self._take("quantiles", QUANTILES))
        return layer

    def _row(self, table: str) -> tuple[Any, ...]:
        row = next(self._rows[table], None)
        if row is None:
            raise WrongNumbersError(f"has too few rows in {table}")
        return row

    def _take(self, table: str, count: int) -> list[Column]:
        begin, end = self._at[table], self._at[table] + count
        if count < 0 or end > len(self._arrays[table][0]):
            raise WrongNumbersError(f"has too few rows in {table}")
        self._at[table] = end
        return [column[begin:end] for column in self._arrays[table]]

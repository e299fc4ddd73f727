"""What a sweep has found as files: a table with a row a network, as CSV or as Parquet."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from bnviz.experiment.sweep import Sweep
from bnviz.experiment.sweep_addresses import from_json, to_json
from bnviz.export.tables import csv_text
from bnviz.records.sweep import METRICS, SweepResults, steps_per_point


def rows(sweep: Sweep, found: SweepResults) -> list[dict[str, Any]]:
    """Return a row for each network: what its axes are set to, batchnorm, seed, and results; None if unknown."""
    table = []
    for index, experiment in enumerate(sweep.experiments()):
        place = np.unravel_index(index, sweep.shape)
        row: dict[str, Any] = {axis.key: axis.values[k] for axis, k in zip(sweep.axes, place, strict=False)}
        row |= {"batchnorm": experiment.variants[0].batchnorm is not None, "seed": experiment.training.seed}
        row |= {"steps": int(found.steps[index]), "diverged": bool(found.diverged[index])}
        for metric in METRICS:
            value = float(getattr(found, metric)[index])
            row[metric] = value if np.isfinite(value) else None
        table.append(row)
    return table


def to_csv(sweep: Sweep, found: SweepResults) -> str:
    """Return the table of `rows` as CSV."""
    table = rows(sweep, found)
    return csv_text(list(table[0]), [list(row.values()) for row in table])


def to_parquet(sweep: Sweep, found: SweepResults) -> bytes:
    """Return the table of `rows` as Parquet, with each network's training curve as a list, and the sweep's definition
    in the file's metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist(rows(sweep, found))
    step = steps_per_point(sweep.training)
    curves = [c[: n // step].tolist() for c, n in zip(found.curves, found.steps, strict=True)]
    table = table.append_column("train_losses", pa.array(curves, pa.list_(pa.float32())))
    metadata = {"bnviz_sweep": to_json(sweep), "bnviz_steps_per_loss": str(step)}
    out = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), out)
    return out.getvalue()


def from_parquet(content: bytes) -> tuple[Sweep, SweepResults]:
    """Return the sweep of a file that `to_parquet` wrote, and what was found."""
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(content))
    sweep = from_json(table.schema.metadata[b"bnviz_sweep"])
    found = SweepResults.nothing(sweep.count)
    for name in ("steps", "diverged", *METRICS):
        getattr(found, name)[:] = [np.nan if value is None else value for value in table[name].to_pylist()]
    for row, curve in zip(found.curves, table["train_losses"].to_pylist(), strict=True):
        row[: len(curve)] = curve
    return sweep, found


def write(path: Path, sweep: Sweep, found: SweepResults) -> None:
    """Write a CSV or Parquet file, as its name ends."""
    if path.suffix == ".csv":
        path.write_text(to_csv(sweep, found), encoding="utf-8")
    else:
        path.write_bytes(to_parquet(sweep, found))

"""`python -m bnviz sweep`: the sweep of a file on the same engine as the web app, its results into another file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bnviz.data import DataUnavailableError, require
from bnviz.experiment.sweep import Sweep
from bnviz.experiment.sweep_addresses import from_json
from bnviz.export.sweep import write

if TYPE_CHECKING:
    from bnviz.engine.sweeps import SweepRun

SUFFIXES = (".parquet", ".csv")
TELL_EVERY = 1.0  # seconds


def run(definition: Path, out: Path) -> int:
    """Train, and return the exit code: 0 done, 1 ended early, 2 bad input, 130 interrupted.

    Results are written also if they are not complete; no file is written if nothing was trained.
    """
    try:
        if out.suffix not in SUFFIXES:
            raise ValueError(f"--out: {out} is not allowed; give a name that ends with {' or '.join(SUFFIXES)}")
        if not out.parent.is_dir():
            raise ValueError(f"--out: {out.parent} is no folder")
        sweep = _read(definition)
        require(sweep.training.data)
    except (ValueError, DataUnavailableError) as error:
        print(f"bnviz sweep: {error}", file=sys.stderr)
        return 2
    from bnviz.engine.cluster import Engine, EngineUnavailableError
    from bnviz.engine.sweeps import SweepRun

    try:
        engine = Engine.from_environment()
    except EngineUnavailableError as error:
        print(f"bnviz sweep: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    training = SweepRun(engine, sweep)
    try:
        code = _followed(training)
        if (found := training.found()).steps.any():
            write(out, sweep, found)
            print(f"written: {out}", file=sys.stderr)
    finally:
        training.cancel()
        engine.close()
    return code


def _read(definition: Path) -> Sweep:
    try:
        return from_json(definition.read_bytes())
    except OSError as error:
        raise ValueError(f"{definition}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{definition}: {error}") from error


def _followed(training: "SweepRun") -> int:
    """Say on stderr how far the sweep is, until it ends; return the exit code."""
    sweep: Sweep = training.sweep
    print(f"{sweep.count:,} networks, {sweep.training.steps:,} steps, {sweep.training.data}", file=sys.stderr)
    try:
        while not training.wait(TELL_EVERY):
            now = training.status
            rate = f"{now.rate:8,.0f} network-steps/s on {now.workers} workers" if now.rate else now.state
            left = f", {now.left:,.0f} s left" if now.left == now.left else ""
            print(f"{now.progress:4.0%}  {rate}{left}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    if (now := training.status).state != "finished":
        print(f"bnviz sweep: {now.notice}", file=sys.stderr)
        return 1
    diverged = int(training.found().diverged.sum())
    print(f"done{f', {diverged} networks diverged' if diverged else ''}", file=sys.stderr)
    return 0

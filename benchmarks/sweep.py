"""Sweeps: against a plain loop, over more workers, with more networks, beside a live run, and in memory.

Ratios of rounds that alternate, as in `benchmarks.trainer`; those of clusters have engines of their own.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from unittest.mock import patch

from benchmarks.trainer import matrix_products, plain_loop
from bnviz.data import load
from bnviz.engine import own_cluster
from bnviz.engine.cluster import Engine
from bnviz.engine.run import Run
from bnviz.engine.sweeps import SweepRun
from bnviz.experiment.config import Experiment, TrainingConfig, replace
from bnviz.experiment.sweep import Axis, Sweep, stacks
from bnviz.training.batches import Batches
from bnviz.training.device import STACK_SIZE
from bnviz.training.sweep import SweepStack

ROUNDS = 7
SECONDS = 1.5  # of training in one round
GRID = Sweep((Axis("init_scale", 1e-3, 100.0, 20, "log"),))  # 40 networks, 784-128-10, batch 32, 1,500 steps
SIZES = (8, 40, 128, 512)


class InTurns:
    """All stacks of a sweep in one process, the least advanced first, as an actor trains them."""

    def __init__(self, sweep: Sweep, batches: Batches) -> None:
        experiments = sweep.experiments()
        self._stacks = [
            SweepStack([experiments[i] for i in part], batches) for part in stacks(experiments, STACK_SIZE["cpu"])
        ]

    def rate(self, seconds: float) -> float:
        """Network-steps a second, looks at the test digits included."""
        begin, done = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds:
            stack = min(self._stacks, key=lambda s: s.progress)
            before = stack.step
            stack.advance()
            done += (stack.step - before) * len(stack.found.steps)
        return done / (time.perf_counter() - begin)


def against_a_plain_loop(batches: Batches) -> tuple[float, float, float]:
    """Network-steps a second, as a multiple of the plain loop's and as a share of the matrix products' alone."""
    variants = [e.variants[0] for e in GRID.experiments()]
    ours = InTurns(replace(GRID, training=TrainingConfig(steps=15_000)), batches)
    ours.rate(SECONDS)
    rounds = [
        (ours.rate(SECONDS), plain_loop(variants[:2], batches), matrix_products(STACK_SIZE["cpu"]))
        for _ in range(ROUNDS)
    ]
    return (
        median(r[0] for r in rounds),
        median(r[0] / r[1] for r in rounds),
        median(r[0] / r[2] for r in rounds),
    )


def cost_of_more(batches: Batches) -> dict[int, float]:
    """What one network's step costs in a grid of so many, as a multiple of what it costs in the smallest."""
    grids = {}
    for size in SIZES:
        axis = Axis("init_scale", 1e-3, 100.0, size // 2, "log")
        grids[size] = InTurns(Sweep((axis,), training=TrainingConfig(steps=15_000)), batches)
        grids[size].rate(0.2)
    rounds = [{size: grid.rate(SECONDS) for size, grid in grids.items()} for _ in range(ROUNDS)]
    return {size: median(r[SIZES[0]] / r[size] for r in rounds) for size in SIZES}


@contextmanager
def engine_of(workers: int) -> Iterator[Engine]:
    with patch.object(own_cluster, "workers", lambda: workers):
        engine = Engine()
    try:
        engine.client.wait_for_workers(workers)
        yield engine
    finally:
        engine.close()


def rate_on(engine: Engine, sweep: Sweep, seconds: float = 6.0) -> float:
    """Network-steps a second once all workers train."""
    run = SweepRun(engine, sweep)
    try:
        while run.status.progress == 0:
            time.sleep(0.05)
        time.sleep(1.0)
        begin, before = time.perf_counter(), int(run.found().steps.sum())
        time.sleep(seconds)
        return (int(run.found().steps.sum()) - before) / (time.perf_counter() - begin)
    finally:
        run.cancel()


def scaling() -> tuple[float, float]:
    """From one worker to two: the sweep's speed, and that of two processes which only multiply matrices."""
    long = replace(GRID, training=TrainingConfig(steps=100_000))
    with engine_of(1) as one, engine_of(2) as two:
        pairs = [(rate_on(one, long), rate_on(two, long)) for _ in range(3)]
        products = [(_products(one), _products(two)) for _ in range(3)]
    return median(b / a for a, b in pairs), median(b / a for a, b in products)


def _products(engine: Engine) -> float:
    """Matrix products a second of all workers at once: what the machine's cores have to give."""
    return float(sum(engine.client.run(matrix_products, STACK_SIZE["cpu"], 500).values()))


def beside_a_live_run() -> float:
    """What is left of a live run's speed while a sweep trains on the same workers."""
    long, experiment = replace(GRID, training=TrainingConfig(steps=100_000)), Experiment(TrainingConfig(steps=100_000))
    with engine_of(2) as engine:
        run = Run(engine, experiment)
        run.play()
        try:
            ratios = []
            for _ in range(3):
                alone = _steps(run)
                sweep = SweepRun(engine, long)
                while sweep.status.progress == 0:
                    time.sleep(0.05)
                ratios.append(_steps(run) / alone)
                sweep.cancel()
                time.sleep(1.0)
            return median(ratios)
        finally:
            run.close()


def _steps(run: Run, seconds: float = 4.0) -> float:
    begin, before = time.perf_counter(), run.status.step
    time.sleep(seconds)
    return (run.status.step - before) / (time.perf_counter() - begin)


def memory() -> float:
    """GB of a sweep of 512 networks over all processes, led by one that has no torch, as the web server has none."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.memory"], capture_output=True, text=True, check=True)
    return next(float(line) for line in done.stdout.splitlines() if line.replace(".", "", 1).isdigit())


def main() -> bool:
    """Print the figures. Returns whether every one keeps its promise."""
    os.environ.setdefault("BNVIZ_DEVICE", "cpu")
    batches = Batches(load())
    rate, ratio, share = against_a_plain_loop(batches)
    costs = cost_of_more(batches)
    sweep, products = scaling()
    rows: list[tuple[str, float, float, Callable[[float, float], bool]]] = [
        (f"40 networks: {rate:,.0f} network-steps/s, against a plain loop", ratio, 1.6, float.__ge__),
        *(
            (f"cost of a network among {size}, against one among {SIZES[0]}", costs[size], 1.25, float.__le__)
            for size in SIZES[1:]
        ),
        (f"from 1 to 2 workers (matrix products alone: {products:.2f})", sweep, 1.7, float.__ge__),
        ("what a sweep leaves of a live run's speed", beside_a_live_run(), 0.5, float.__ge__),
        ("512 networks x 1,500 steps: GB over all processes", memory(), 2.0, float.__le__),
    ]
    print(
        f"sweeps, 784-128-10 tanh, batch 32; {share:.0%} of what matrix products alone allow; median of {ROUNDS} rounds"
    )
    for name, value, promise, keeps in rows:
        print(f"{name:70s} {value:6.2f}   promise {promise:4.2f}   {'kept' if keeps(value, promise) else 'MISSED'}")
    return all(keeps(value, promise) for _, value, promise, keeps in rows)

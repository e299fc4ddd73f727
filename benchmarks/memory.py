"""`python -m benchmarks.memory`: what a sweep of 512 networks x 1,500 steps takes in memory, over all processes."""

import sys

import psutil

from bnviz.engine.cluster import Engine
from bnviz.engine.sweeps import SweepRun
from bnviz.experiment.sweep import Axis, Sweep


def resident() -> float:
    """GB of this process and all below it, shared pages counted once."""
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return float(sum(process.memory_full_info().pss for process in processes)) / 1e9


def main() -> None:
    """Print the peak."""
    engine = Engine()
    try:
        engine.client.wait_for_workers(2)
        run = SweepRun(engine, Sweep((Axis("init_scale", 1e-3, 100.0, 256, "log"),)))
        peak = 0.0
        while not run.wait(0.1):
            peak = max(peak, resident())
        if run.status.state != "finished":
            sys.exit(run.status.notice)
        print(f"{peak:.2f}")
    finally:
        engine.close()


if __name__ == "__main__":
    main()

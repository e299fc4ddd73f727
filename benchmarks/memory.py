"""`python -m benchmarks.memory`: what a sweep of 512 networks x 1,500 steps takes in memory, over all processes."""

import time

import psutil

from bnviz.engine.cluster import Engine
from bnviz.engine.sweeps import SweepRun
from bnviz.sweep import Axis, Sweep

SECONDS = 25.0  # until every stack has been saved once


def resident() -> float:
    """GiB of this process and all below it, shared pages counted once."""
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return float(sum(process.memory_full_info().pss for process in processes)) / 2**30


def main() -> None:
    """Print the peak."""
    engine = Engine()
    try:
        engine.client.wait_for_workers(2)
        run = SweepRun(engine, Sweep((Axis("init_scale", 1e-3, 100.0, 256, "log"),)), "MNIST sample")
        peak, end = 0.0, time.monotonic() + SECONDS
        while time.monotonic() < end:
            peak = max(peak, resident())
            time.sleep(0.5)
        run.cancel()
        print(f"{peak:.2f}")
    finally:
        engine.close()


if __name__ == "__main__":
    main()

"""What tests of live runs and of routes share: waiting with an end, killing a worker, comparing what two runs left."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Collection, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

from bnviz.engine.cluster import Engine
from bnviz.engine.run import Run
from bnviz.experiment.config import Experiment

Answer = TypeVar("Answer")


def answered(question: Coroutine[Any, Any, Answer]) -> Answer:
    """What a coroutine returns. It runs in a thread of its own: a browser test leaves its loop in the main thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, question).result()


def wait_until(condition: Callable[[], object], what: str, timeout: float = 120.0) -> None:
    """Look again and again; fails, naming `what`, where the condition does not come true."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"waited {timeout:g} s in vain for {what}"
        time.sleep(0.005)


def settled(run: Run) -> Run:
    """The run once it has carried out everything it was told."""
    wait_until(lambda: not run.status.busy, f"the run to come to rest: {run.status}")
    return run


def played(run: Run) -> Run:
    """The run once it has played to its end."""
    run.set_speed(float("inf"))
    run.play()
    ended(run)
    return run


def ended(run: Run) -> Run:
    wait_until(lambda: run.status.state in ("finished", "failed"), "the end of the run")
    assert run.status.state == "finished", run.status.notice
    return run


def reached(run: Run, step: int) -> Run:
    wait_until(lambda: run.status.step >= step, f"step {step}")
    return run


def stepped(run: Run, steps: int) -> Run:
    """The run after exactly so many single steps."""
    for _ in range(steps):
        run.step()
    return settled(run)


def worker_of(engine: Engine) -> int:
    """Process id of the worker that holds the one run there is."""
    (address,) = [address for address, count in engine.load().items() if count]
    return worker_at(engine, address)


def worker_at(engine: Engine, address: str) -> int:
    pid: int = engine.client.run(os.getpid, workers=[address])[address]
    return pid


def kill(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def record(run: Run) -> Any:
    """All that a run's history holds, to the bit, but for the seconds: two runs that went alike have equal records."""
    view = run.view()
    markers = [(marker.label, [(i, step) for i, (step, _) in marker.at.items()]) for marker in view.markers]
    return plain((view.experiment, view.variants, markers), without=("seconds", "frame_seconds"))


def plain(value: Any, without: Collection[str] = ()) -> Any:
    """All that a record holds, to the bit, as plain values that can be compared; `without` these fields."""
    if isinstance(value, Experiment):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        named = (f.name for f in fields(value))
        return {name: plain(getattr(value, name), without) for name in named if name not in without}
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, tuple | list):
        return [plain(v, without) for v in value]
    if isinstance(value, dict):
        return {key: plain(v, without) for key, v in value.items()}
    return value.hex() if isinstance(value, float) else value

"""How this server is: the numbers that are looked up when they are asked for, and what is wrong."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bnviz.engine.capacity import most_runs
from bnviz.engine.counters import REGISTRY
from bnviz.engine.labs import Labs
from bnviz.engine.pulse import NOTICE
from bnviz.store.errors import StoreError
from bnviz.store.keeper import runs_are_kept
from bnviz.ui.web import feed, kept

STARTING = "The training engine has not started."
LOST = "The scheduler of the training engine does not answer."
NO_WORKER = "No training worker answers."
_SIGNS = {"distributed.Scheduler": "scheduler", "distributed.Nanny": "nanny", "spawn_main": "worker"}  # of Dask's


@dataclass
class State:
    """How a server is at one moment. problems: one sentence each, by the part that has it."""

    visitors: int = 0
    runs: Counter[str] = field(default_factory=Counter)  # by state
    sweeps: Counter[str] = field(default_factory=Counter)
    most: int = 0  # runs and sweeps at once
    workers: Counter[str] = field(default_factory=lambda: Counter(answering=0, silent=0, refused=0))
    problems: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def of(labs: Labs | None) -> "State":
        """Look at all parts; waits for none but the database."""
        state = State(visitors=feed.count(), most=most_runs()[0])
        if labs is None:
            state.problems["engine"] = STARTING
        else:
            state.runs, state.sweeps = labs.census()
            engine = labs.engine
            for address in engine.known():
                silent = engine.silence(address) >= NOTICE
                state.workers["refused" if address in engine.refused else "silent" if silent else "answering"] += 1
            if engine.lost or engine.silence(None) >= NOTICE:
                state.problems["engine"] = LOST
            elif not state.workers["answering"]:
                state.problems["workers"] = NO_WORKER
        try:
            if runs_are_kept():
                kept.store().size()
        except StoreError as error:
            state.problems["store"] = str(error)
        return state


def memory() -> list[tuple[str, int, int]]:
    """Return what each process of this server is, its id, and the bytes that it has in memory."""
    own = psutil.Process()
    found = [("web", own.pid, own.memory_info().rss)]
    for child in own.children(recursive=True):
        try:
            found.append((_kind(child), child.pid, child.memory_info().rss))
        except psutil.Error:  # it has just ended
            continue
    return found


def _kind(process: psutil.Process) -> str:
    words = " ".join(process.cmdline())
    return next((kind for sign, kind in _SIGNS.items() if sign in words), "other")


class Gauges(Collector):
    """What Prometheus is told of the moment in which it asks."""

    def __init__(self) -> None:
        self.labs: Labs | None = None

    def describe(self) -> list[GaugeMetricFamily]:
        """Name nothing beforehand, so that nothing is looked up before somebody asks."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Look everything up."""
        state = State.of(self.labs)
        yield GaugeMetricFamily("bnviz_visitors", "Browser connections with a page open.", value=state.visitors)
        yield GaugeMetricFamily("bnviz_most_runs", "Runs and sweeps that may be there at once.", value=state.most)
        yield _by("bnviz_runs", "Runs, by their state.", "state", state.runs)
        yield _by("bnviz_sweeps", "Sweeps, by their state.", "state", state.sweeps)
        yield _by("bnviz_workers", "Training workers, by whether they are used.", "state", state.workers)
        parts = {part: float(part not in state.problems) for part in ("engine", "workers", "store")}
        yield _by("bnviz_healthy", "Whether a part of the server is as it should be.", "part", parts)
        found = GaugeMetricFamily(
            "bnviz_memory_bytes", "Memory in use (RSS) by each process on this machine.", labels=["process", "pid"]
        )
        for kind, pid, size in memory():
            found.add_metric([kind, str(pid)], size)
        yield found


def _by(name: str, words: str, label: str, values: dict[str, float] | Counter[str]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family


GAUGES = Gauges()
REGISTRY.register(GAUGES)

"""The Dask cluster: one of our own on this machine, or the shared one that BNVIZ_SCHEDULER names."""

import os
from pathlib import Path
from threading import Lock
from typing import Any

from dask import config as dask_config
from distributed import Client, Future
from distributed.deploy.subprocess import SubprocessCluster

from bnviz.config import Experiment
from bnviz.data import DataName
from bnviz.engine.actor import TrainerActor

SCHEDULER = "BNVIZ_SCHEDULER"
WORKERS = 2
START_TIMEOUT = 60.0  # seconds, for a worker that imports torch on a busy machine


class EngineUnavailableError(ConnectionError):
    """No scheduler answers, or it has no worker."""


class Engine:
    """Starts trainers on the workers and spreads them evenly."""

    def __init__(self, address: str | None = None) -> None:
        """Connect to the scheduler at `address`, or start a cluster of our own.

        Raises EngineUnavailableError where nobody answers there.
        """
        self._lock = Lock()
        self._cluster = None if address else _own_cluster()
        try:
            self.client = Client(address or self._cluster, timeout=10, set_as_default=False)
            self.client.wait_for_workers(1, timeout=START_TIMEOUT)
        except (OSError, TimeoutError) as error:
            self.close()
            where = f"{SCHEDULER}={address}" if address else "the cluster of this machine"
            raise EngineUnavailableError(f"No training worker answers at {where}: {error}") from error

    @staticmethod
    def from_environment() -> "Engine":
        return Engine(os.environ.get(SCHEDULER) or None)

    def start(self, experiment: Experiment, data: DataName) -> "Future[Any]":
        """A new TrainerActor on the worker that holds the fewest; the future's result is Dask's proxy for it."""
        with self._lock:  # two runs that start at once must not count the same free worker
            load = self.load()
            if not load:
                raise EngineUnavailableError("No training worker is left; one is being started again.")
            worker = min(load, key=lambda address: (load[address], address))
            future = self.client.submit(
                TrainerActor, experiment, data, actor=True, pure=False, workers=[worker], allow_other_workers=True
            )
            future.result(timeout=START_TIMEOUT)
            return future

    def stop(self, trainer: "Future[Any]") -> None:
        """Free a trainer now; the proxy alone would wait for Python's garbage collection."""
        self.client.cancel([trainer], force=True)

    def load(self) -> dict[str, int]:
        """Trainers on each worker, by the worker's address."""
        counts: dict[str, int] = self.client.run_on_scheduler(_actors_by_worker)
        return counts

    def close(self) -> None:
        if hasattr(self, "client"):
            self.client.close(timeout=5)
        if self._cluster is not None:
            self._cluster.close(timeout=10)


def _actors_by_worker(dask_scheduler: Any = None) -> dict[str, int]:
    return {address: len(worker.actors) for address, worker in dask_scheduler.workers.items()}


def _own_cluster() -> Any:
    """Subprocesses, not multiprocessing: a spawned child would run the Streamlit script again."""
    owner = ["--owner", str(os.getpid())]
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    dask_config.set({"distributed.worker.memory.terminate": False})
    return SubprocessCluster(
        n_workers=WORKERS,
        threads_per_worker=1,
        dashboard_address=None,  # type: ignore[arg-type]  # annotated as str, documented to take None
        scheduler_kwargs={"preload": ["bnviz.engine.lifeline"], "preload_argv": [owner]},
        worker_kwargs={
            "preload": ["bnviz.engine.worker"],
            "preload_nanny": ["bnviz.engine.lifeline"],
            "preload_nanny_argv": [owner],
            "env": {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        },
    )

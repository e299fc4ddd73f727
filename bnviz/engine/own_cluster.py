"""A Dask cluster of our own on this machine: a scheduler and workers in processes that end with this one."""

import logging
import os
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from distributed.deploy.subprocess import SubprocessCluster

from bnviz.engine.capacity import workers

logger = logging.getLogger(__name__)

PROFILER = "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED"  # Dask's own variable; whoever sets it is obeyed
CLOSE_TIMEOUT = 5.0  # seconds


def start() -> Any:
    """Start it. Subprocesses, not multiprocessing: a spawned child would run the Streamlit script again."""
    # Inherited by scheduler and workers. Dask's statistical profiler takes a sixth of a worker's time, and its memory
    # grows with every run.
    os.environ.setdefault(PROFILER, "False")
    owner = ["--owner", str(os.getpid())]
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    return SubprocessCluster(
        n_workers=workers(),
        threads_per_worker=1,
        dashboard_address=None,  # type: ignore[arg-type]  # annotated as str, documented to take None
        scheduler_kwargs={"preload": ["bnviz.engine.lifeline"], "preload_argv": [owner]},
        worker_kwargs={
            "memory_limit": 0,  # else a worker at its limit takes no new run, or is ended with all its runs, and again
            "preload": ["bnviz.engine.worker"],
            "preload_nanny": ["bnviz.engine.lifeline"],
            "preload_nanny_argv": [owner],
            "env": {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        },
    )


def mend(cluster: Any) -> None:
    """Start workers in place of those whose nanny is gone: a nanny starts its worker anew, and nobody a nanny."""
    if cluster.status.name != "running":
        return
    lost = [
        name
        for name, worker in list(cluster.workers.items())
        if worker.process is not None and worker.process.returncode is not None
    ]
    for name in lost:
        logger.warning("the nanny of a worker is gone; another one is started")
        cluster.workers.pop(name, None)  # unless Dask has just noticed by itself
    if lost:
        cluster.scale(workers())


def end(cluster: Any) -> None:
    """End its processes in good order, or by force."""
    processes = _nannies(cluster)
    # It fails or times out if its scheduler was killed, which would have told the workers to end. A KeyError comes at
    # the very end of it, if Dask is told of a lost worker that it does not know (any more).
    with suppress(OSError, KeyError):
        cluster.close(timeout=CLOSE_TIMEOUT)
    _kill(processes)


def abandon(cluster: Any) -> None:
    """Kill its processes at once, since its scheduler is lost and cannot end them, and clear up in the background."""
    _kill([*_nannies(cluster), *filter(None, [cluster.scheduler.process])])
    cluster.workers.clear()  # else it would ask the scheduler to retire them, and end what has ended
    cluster.scheduler.process = None
    Thread(target=end, args=[cluster], name="bnviz-abandoned-cluster", daemon=True).start()


def _nannies(cluster: Any) -> list[Any]:
    return [worker.process for worker in cluster.workers.values() if worker.process is not None]


def _kill(processes: list[Any]) -> None:
    """Kill nannies, whose workers end with them, or a scheduler."""
    for process in processes:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()

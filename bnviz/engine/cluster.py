"""The Dask cluster: one of our own on this machine, or the shared one that BNVIZ_SCHEDULER names."""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock
from typing import Any

from distributed import Client, Future
from distributed.client import ClosedClientError
from distributed.comm.core import CommClosedError, connect
from distributed.deploy.subprocess import SubprocessCluster
from distributed.security import Security

from bnviz.data import DataName
from bnviz.engine.capacity import workers
from bnviz.engine.in_worker.trainer_actor import TrainerActor
from bnviz.engine.versions import KEY, why_refused
from bnviz.experiment.config import Experiment, Watch

logger = logging.getLogger(__name__)

SCHEDULER = "BNVIZ_SCHEDULER"
PROFILER = "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED"  # Dask's own variable; whoever sets it is obeyed
CONNECT_TIMEOUT = 10.0  # seconds until a scheduler must have answered
CLOSE_TIMEOUT = 5.0
START_TIMEOUT = 60.0  # seconds, for a worker that imports torch on a busy machine
START_LOOK = 1.0  # seconds between two looks whether the worker that makes a trainer is still there


class EngineUnavailableError(ConnectionError):
    """No scheduler answers, or it has no worker."""


class Engine:
    """Starts trainers on the workers and spreads them evenly."""

    def __init__(self, address: str | None = None) -> None:
        """Connect to the scheduler at `address`, or start a cluster of our own.

        Raises EngineUnavailableError if nobody answers there.
        """
        self._lock = Lock()
        self._address = address
        self._closed = False
        self.refused: dict[str, str] = {}  # workers that may not be used, and why
        self._open()

    def _open(self) -> None:
        self._cluster: Any = None
        try:
            if self._address:
                with ThreadPoolExecutor(1) as caller:  # this thread may have an event loop that runs already
                    caller.submit(asyncio.run, _call(self._address)).result()
            else:
                self._cluster = _own_cluster()
            self.client = Client(self._address or self._cluster, timeout=CONNECT_TIMEOUT, set_as_default=False)
            self.client.wait_for_workers(1, timeout=START_TIMEOUT)
            if not self.load():
                raise RuntimeError(self._refusals())
        except (OSError, ValueError, RuntimeError) as error:  # nobody there, no address at all, no process started
            self._shut()
            where = f"{SCHEDULER}={self._address}" if self._address else "the cluster of this machine"
            raise EngineUnavailableError(f"No training worker answers at {where}: {error}") from error

    @staticmethod
    def from_environment() -> "Engine":
        return Engine(os.environ.get(SCHEDULER) or None)

    def start(self, experiment: Experiment, data: DataName, watch: Watch | None = None) -> "Future[Any]":
        """Make a TrainerActor on the worker that holds the fewest; the future's result is Dask's proxy for it.

        If every worker was lost, waits for one. Raises EngineUnavailableError if none comes back.
        """
        with self._lock:  # two runs that start at once must not count the same free worker
            self._ensure_open()
            while True:
                if (future := self._place(self._freest_worker(), TrainerActor, experiment, data, watch)) is not None:
                    return future

    def place(self, worker: str, kind: type, *arguments: object) -> "Future[Any]":
        """Make an actor on one worker. Raises EngineUnavailableError if that is gone."""
        if (future := self._place(worker, kind, *arguments)) is None:
            raise EngineUnavailableError(f"The worker {worker} is gone.")
        return future

    def _place(self, worker: str, kind: type, *arguments: object) -> "Future[Any] | None":
        future = self.client.submit(
            kind, *arguments, actor=True, pure=False, workers=[worker], allow_other_workers=True
        )
        made = False
        try:
            made = self._is_made(future, worker)
            return future if made else None
        finally:
            if not made:
                self.stop(future)

    def workers(self) -> list[str]:
        """Return the addresses of the workers that answer now; if the scheduler was lost, those of another one.

        Raises EngineUnavailableError if there is none.
        """
        with self._lock:
            self._ensure_open()
            try:
                return list(self.load())
            except (OSError, CancelledError) as error:
                raise EngineUnavailableError(f"The scheduler does not answer: {error}") from error

    def _ensure_open(self) -> None:
        if self._closed:
            raise EngineUnavailableError("The training engine is closed.")
        if self.client.status != "running":  # the scheduler itself was lost
            self._shut()
            self._open()

    def stop(self, trainer: "Future[Any]") -> None:
        """Free a trainer now; the proxy alone would wait for Python's garbage collection."""
        if trainer.client is self.client and self.client.status == "running":  # else it went with its scheduler
            with suppress(ClosedClientError):
                self.client.cancel([trainer], force=True)

    def submit(self, task: Callable[..., Any], *arguments: object, priority: int = 0) -> "Future[Any]":
        """Ask whichever worker has time for it a single question; if the scheduler was lost, a worker of another one.

        Raises EngineUnavailableError if there is none.
        """
        if self.client.status != "running":  # else without the lock, which is held while trainers are placed
            with self._lock:
                self._ensure_open()
        only = list(self.load()) if self.refused else None
        return self.client.submit(task, *arguments, pure=False, priority=priority, workers=only)

    def load(self) -> dict[str, int]:
        """Count the actors of each worker that may be used, by its address; notes in `refused` why others may not.

        Raises CommClosedError if the scheduler is lost.
        """
        if self.client.scheduler is None:
            raise CommClosedError("the scheduler was lost")
        try:
            found: dict[str, tuple[int, Any]] = self.client.run_on_scheduler(_look_at_workers)
        except OSError as error:  # also where Dask has not noticed the loss yet, and only its connection times out
            raise CommClosedError(f"the scheduler was lost: {error}") from error
        refused = {address: why for address, (_, told) in found.items() if (why := why_refused(told))}
        for address in refused.keys() - self.refused.keys():
            logger.warning("the worker %s is not used: %s", address, refused[address])
        self.refused = refused
        return {address: actors for address, (actors, _) in found.items() if address not in refused}

    def close(self) -> None:
        self._closed = True
        self._shut()

    def _shut(self) -> None:
        if hasattr(self, "client"):
            with suppress(TimeoutError):  # the cluster must end even so
                self.client.close(timeout=CLOSE_TIMEOUT)
        if self._cluster is not None:
            processes = [worker.process for worker in self._cluster.workers.values() if worker.process is not None]
            # It times out if its scheduler was killed, which would have told the workers to end. A KeyError comes at
            # the very end of it, if Dask is told of a lost worker that it does not know (any more).
            with suppress(TimeoutError, KeyError):
                self._cluster.close(timeout=CLOSE_TIMEOUT)
            for process in processes:
                if process.returncode is None:
                    process.kill()  # a nanny, whose worker ends with it

    def _is_made(self, trainer: "Future[Any]", worker: str) -> bool:
        """Wait for a new trainer; False where its worker was lost, for Dask would wait for that very one to be back."""
        until, done = time.monotonic() + START_TIMEOUT, settled(trainer)
        while worker in self.load():
            with suppress(TimeoutError):  # runs out only where the worker is lost while Dask fetches from it
                if done.wait(START_LOOK):
                    trainer.result(timeout=START_LOOK)
                    return True
            if time.monotonic() > until:
                raise TimeoutError(f"no trainer after {START_TIMEOUT:g} s")
        return False

    def _freest_worker(self) -> str:
        while not (load := self.load()):
            if self.refused:
                raise EngineUnavailableError(f"No training worker can be used: {self._refusals()}")
            try:
                self.client.wait_for_workers(1, timeout=START_TIMEOUT)
            except TimeoutError as error:
                raise EngineUnavailableError("No training worker is left.") from error
        return min(load, key=lambda address: (load[address], address))

    def _refusals(self) -> str:
        return "; ".join(f"the worker {address} is refused: {why}" for address, why in sorted(self.refused.items()))


def settled(future: "Future[Any]") -> Event:
    """Return an event that is set once a future has an answer or an error, so that `result` needs no timeout.

    One that runs out while Dask fetches the answer leaves its client with a cancelled transfer, to which every later
    answer is attached: none would ever come again.
    """
    event = Event()
    future.add_done_callback(lambda _: event.set())
    return event


def _look_at_workers(dask_scheduler: Any = None) -> dict[str, tuple[int, Any]]:
    """Return for each worker its actors, and the versions that it told."""
    return {address: (len(w.actors), w.extra.get(KEY)) for address, w in dask_scheduler.workers.items()}


async def _call(address: str) -> None:
    """Call a scheduler; raises OSError or ValueError if none answers. So would a Client, but it waits for ever for one
    that says nothing; one that gives up stays behind, and blocks for seconds the thread that comes to collect it."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):  # connect's own timeout does not count the handshake
            comm = await connect(address, **Security().get_connection_args("client"))
            await comm.close()
    except TypeError as error:  # Dask's answer to a tls:// address without certificates
        raise ValueError(
            "tls:// needs certificates, in Dask's settings distributed.comm.tls (DEPLOYMENT.md)"
        ) from error
    except TimeoutError as error:
        raise TimeoutError(f"no answer within {CONNECT_TIMEOUT:g} s") from error


def _own_cluster() -> Any:
    """Subprocesses, not multiprocessing: a spawned child would run the Streamlit script again."""
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

"""The Dask cluster: one of our own on this machine, or the shared one that BNVIZ_SCHEDULER names."""

import asyncio
import logging
import os
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from threading import Event, Lock, Thread
from typing import Any, cast
from weakref import finalize

from distributed import Client, Future
from distributed.client import ClosedClientError
from distributed.comm.core import CommClosedError

from bnviz.engine import own_cluster
from bnviz.engine.bell import Bell
from bnviz.engine.in_worker.trainer_actor import TrainerActor
from bnviz.engine.pulse import GIVE_UP, NOTICE, Beat, Pulse, beats, call, close
from bnviz.engine.versions import why_refused
from bnviz.experiment.config import Experiment, Watch

logger = logging.getLogger(__name__)

SCHEDULER = "BNVIZ_SCHEDULER"
CONNECT_TIMEOUT = 10.0  # seconds until a scheduler must have answered
START_TIMEOUT = 60.0  # seconds, for a worker that imports torch on a busy machine
START_LOOK = 0.5  # seconds between two looks whether the worker that makes a trainer is still there
MOVE_AT = 2  # trainers more than another worker holds, from which on one of them moves there
ANSWER_TIMEOUT = 5.0  # seconds, for a scheduler that is asked who is there


class EngineUnavailableError(ConnectionError):
    """No scheduler answers, or it has no worker."""


class Engine:
    """Starts trainers on the workers and spreads them evenly. Any thread may ask."""

    def __init__(self, address: str | None = None) -> None:
        """Connect to the scheduler at `address`, or start a cluster of our own.

        Raises EngineUnavailableError if nobody answers there.
        """
        self._lock = Lock()  # never held while a worker is waited for
        self._moving = Lock()
        self._address = address
        self._closed = False
        self._placed: dict[str, str] = {}  # the worker of each actor of ours, by its key, from before it is made
        self.refused: dict[str, str] = {}  # workers that may not be used, and why
        self.faltered = Bell()  # rung when a process of the cluster falls silent, or is heard again
        self._open()

    def _open(self) -> None:
        self._cluster: Any = None
        try:
            if self._address:
                with ThreadPoolExecutor(1) as caller:  # this thread may have an event loop that runs already
                    caller.submit(asyncio.run, call(self._address, CONNECT_TIMEOUT)).result()
            else:
                self._cluster = own_cluster.start()
            self.client = Client(self._address or self._cluster, timeout=CONNECT_TIMEOUT, set_as_default=False)
            self.client.wait_for_workers(1, timeout=START_TIMEOUT)
            self._pulse = Pulse(self._look_after, self.faltered)
            if not self.load():
                raise RuntimeError(self._refusals())
        except (OSError, ValueError, RuntimeError) as error:  # nobody there, no address at all, no process started
            self._shut()
            where = f"{SCHEDULER}={self._address}" if self._address else "the cluster of this machine"
            raise EngineUnavailableError(f"No training worker answers at {where}: {error}") from error

    @staticmethod
    def from_environment() -> "Engine":
        return Engine(os.environ.get(SCHEDULER) or None)

    def start(self, experiment: Experiment, watch: Watch | None = None) -> "Future[Any]":
        """Make a TrainerActor on the worker that holds the fewest; the future's result is Dask's proxy for it.

        If every worker was lost, waits for one. Raises EngineUnavailableError if none comes back.
        """
        until = time.monotonic() + START_TIMEOUT
        while True:
            if (chosen := self._reserve()) is not None:
                if (future := self._make(*chosen, TrainerActor, experiment, watch)) is not None:
                    return future
            elif self.refused:
                raise EngineUnavailableError(f"No training worker can be used: {self._refusals()}")
            elif time.monotonic() > until:
                raise EngineUnavailableError("No training worker is left.")
            else:
                time.sleep(START_LOOK)

    def _reserve(self) -> tuple[str, str] | None:
        """Return the key of a new actor and the freest worker, which counts it from now on; None if no worker is there.

        So two runs that start at once do not count the same free worker.
        """
        with self._lock:
            self._ensure_open()
            load = self.load()
            if not load:
                return None
            key, worker = _new_key(), min(load, key=lambda address: (load[address], address))
            self._placed[key] = worker
            return key, worker

    def place(self, worker: str, kind: type, *arguments: object) -> "Future[Any]":
        """Make an actor on one worker. Raises EngineUnavailableError if that is gone."""
        key = _new_key()
        self._placed[key] = worker
        if (future := self._make(key, worker, kind, *arguments)) is None:
            raise EngineUnavailableError(f"The worker {worker} is gone.")
        return future

    def _make(self, key: str, worker: str, kind: type, *arguments: object) -> "Future[Any] | None":
        future: Future[Any] | None = None
        made = False
        try:
            future = self.client.submit(
                kind, *arguments, key=key, actor=True, pure=False, workers=[worker], allow_other_workers=True
            )
            finalize(future, self._placed.pop, key, None)  # one that nobody holds any more is gone without `stop`
            made = self._is_made(future, worker)
            return future if made else None
        finally:
            if not made:
                self._placed.pop(key, None)
                if future is not None:
                    self.stop(future)

    def worker_of(self, actor: "Future[Any]") -> str | None:
        """Return the address of the worker that an actor of ours was made on."""
        return self._placed.get(str(actor.key))

    def known(self) -> list[str]:
        """Return the addresses of the workers that the scheduler knew when it last answered."""
        return list(self._pulse.beats)

    def is_shared(self, worker: str | None) -> bool:
        """Return whether a worker holds more than one actor, as of half a second ago."""
        beat = self._pulse.beats.get(worker or "")
        return beat is not None and beat.actors > 1

    def silence(self, worker: str | None) -> float:
        """Return for how many seconds a worker has not been heard; of no worker: the scheduler."""
        return self._pulse.silence(worker)

    @contextmanager
    def moving_from(self, worker: str | None) -> Iterator[bool]:
        """Tell whether a trainer should move from its worker to a freer one, as is done one after the other."""
        lately = {address: beat.actors for address, beat in self._pulse.beats.items()}
        if not self._is_crowded(lately, worker) or not self._moving.acquire(blocking=False):
            yield False
            return
        with ExitStack() as undo:
            undo.callback(self._moving.release)
            now: dict[str, int] = {}
            with suppress(OSError, CancelledError):  # a scheduler that is lost: whoever asks it next is told so
                now = self.load()
            yield self._is_crowded(now, worker)

    def _is_crowded(self, load: dict[str, int], worker: str | None) -> bool:
        return worker in load and load[worker] >= min(load.values()) + MOVE_AT

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
        if self.lost:
            self._abandon()
            self._open()

    @property
    def lost(self) -> bool:
        """Whether the scheduler itself is gone, or hangs."""
        return self.client.status != "running" or self._pulse.silence() >= GIVE_UP

    def stop(self, trainer: "Future[Any]") -> None:
        """Free a trainer now; the proxy alone would wait for Python's garbage collection."""
        self._placed.pop(str(trainer.key), None)
        if trainer.client is self.client and self.client.status == "running":  # else it went with its scheduler
            with suppress(ClosedClientError):
                self.client.cancel([trainer], force=True)

    def submit(self, task: Callable[..., Any], *arguments: object, priority: int = 0) -> "Future[Any]":
        """Ask whichever worker has time for it a single question; if the scheduler was lost, a worker of another one.

        Raises EngineUnavailableError if there is none.
        """
        if self.lost:
            with self._lock:
                self._ensure_open()
        is_silent = any(self._pulse.silence(worker) >= NOTICE for worker in self._pulse.beats)
        only = list(self.load()) if self.refused or is_silent else None
        return self.client.submit(task, *arguments, pure=False, priority=priority, workers=only)

    def load(self) -> dict[str, int]:
        """Count the actors of each worker that may be used and answers; notes in `refused` why others may not be used.

        Raises CommClosedError if the scheduler is lost.
        """
        found = self._look(ANSWER_TIMEOUT)
        refused = {address: why for address, beat in found.items() if (why := why_refused(beat.versions))}
        for address in refused.keys() - self.refused.keys():
            logger.warning("the worker %s is not used: %s", address, refused[address])
        self.refused = refused
        ours = Counter(list(self._placed.values()))  # also those that the scheduler does not know yet
        return {
            address: max(beat.actors, ours[address])
            for address, beat in found.items()
            if address not in refused and self._pulse.silence(address) < NOTICE
        }

    def _look_after(self, seconds: float) -> dict[str, Beat]:
        if self._cluster is not None:
            own_cluster.mend(self._cluster)
        return self._look(seconds)

    def _look(self, seconds: float) -> dict[str, Beat]:
        """Ask the scheduler who is there. Raises CommClosedError if it does not answer in so many seconds."""
        if self.client.scheduler is None:
            raise CommClosedError("the scheduler was lost")
        try:  # as client.run_on_scheduler, which may wait for ever
            return cast(
                dict[str, Beat], self.client.sync(self.client._run_on_scheduler, beats, callback_timeout=seconds)
            )
        except OSError as error:  # also where Dask has not noticed the loss yet
            raise CommClosedError(f"the scheduler was lost: {error}") from error
        except RuntimeError as error:
            if self.client.status == "running":
                raise
            raise CommClosedError("the client was closed") from error

    def close(self) -> None:
        self._closed = True
        self._shut()

    def _shut(self) -> None:
        self._placed.clear()
        if hasattr(self, "_pulse"):
            self._pulse.end()
        if hasattr(self, "client"):
            close(self.client)
        if self._cluster is not None:
            own_cluster.end(self._cluster)

    def _abandon(self) -> None:
        """Let go of a cluster whose scheduler is lost, without waiting for what does not answer."""
        self._placed.clear()
        self._pulse.end()
        if self._cluster is not None:  # whose client closes itself once it has tried in vain to find that again
            own_cluster.abandon(self._cluster)
        else:
            Thread(target=close, args=[self.client], name="bnviz-abandoned-client", daemon=True).start()

    def _is_made(self, trainer: "Future[Any]", worker: str) -> bool:
        """Wait for a new trainer; False if its worker was lost, for Dask would wait for that very one to be back."""
        until, done = time.monotonic() + START_TIMEOUT, settled(trainer)
        while worker in self.load():
            with suppress(TimeoutError):  # runs out only where the worker is lost while Dask fetches from it
                if done.wait(START_LOOK):
                    trainer.result(timeout=START_LOOK)
                    return True
            if time.monotonic() > until:
                raise TimeoutError(f"no trainer after {START_TIMEOUT:g} s")
        return False

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


def _new_key() -> str:
    return f"bnviz-{uuid.uuid4().hex}"

"""The pulse of a cluster: which of its processes answer, looked at twice a second."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

from distributed import Client
from distributed.comm.core import connect
from distributed.security import Security

from bnviz.engine.bell import Bell
from bnviz.engine.versions import KEY

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT = 5.0  # seconds
BEATS_LOOK_EVERY = 0.5  # seconds; a worker tells the scheduler as often that it is there
LOOK_TIMEOUT = 1.0  # seconds, for one look
NOTICE = 2.0  # seconds of silence after which whoever waits is told, and nothing new is placed there
GIVE_UP = 5.0  # seconds of silence after which nothing is expected any more


@dataclass(frozen=True)
class Beat:
    """What a scheduler knows of one worker: its actors, the versions that it told, and when it was last heard of."""

    actors: int
    versions: Any
    heard: float


def beats(dask_scheduler: Any = None) -> dict[str, Beat]:
    """Return what a scheduler knows of its workers; runs in it.

    An actor that was cancelled while its worker was lost stays in Dask's count for ever, as a task that is forgotten.
    """
    return {
        address: Beat(sum(task.state in ("processing", "memory") for task in w.actors), w.extra.get(KEY), w.last_seen)
        for address, w in dask_scheduler.workers.items()
    }


async def call(address: str, seconds: float) -> None:
    """Call a scheduler; raises OSError or ValueError if none answers. So would a Client, but it waits for ever for one
    that says nothing; one that gives up stays behind, and blocks for seconds the thread that comes to collect it."""
    try:
        async with asyncio.timeout(seconds):  # connect's own timeout does not count the handshake
            comm = await connect(address, **Security().get_connection_args("client"))
            await comm.close()
    except TypeError as error:  # Dask's answer to a tls:// address without certificates
        raise ValueError(
            "tls:// needs certificates, in Dask's settings distributed.comm.tls (DEPLOYMENT.md)"
        ) from error
    except TimeoutError as error:
        raise TimeoutError(f"no answer within {seconds:g} s") from error


def close(client: Client) -> None:
    """Close a connection to a scheduler, or leave it as it is if that takes too long."""
    with suppress(TimeoutError):
        client.close(timeout=CLOSE_TIMEOUT)


class Pulse:
    """Listens to the scheduler and the workers of one cluster. Any thread may ask.

    Silence is counted in looks, so that a machine that slept has missed nothing.
    """

    def __init__(self, look: Callable[[float], Mapping[str, Beat]], faltered: Bell) -> None:
        """`look`: asks the scheduler, for so many seconds at most; raises OSError if that does not answer.

        faltered: rung when a process falls silent, and when it is heard again.
        """
        self._faltered = faltered
        self.beats: Mapping[str, Beat] = {}  # of the last look that was answered
        self._look = look
        self._of_scheduler = 0.0  # seconds of silence
        self._of_workers: dict[str, float] = {}
        self._silent: frozenset[str] = frozenset()
        self._ended = Event()
        Thread(target=self._listen, name="bnviz-pulse", daemon=True).start()

    def silence(self, worker: str | None = None) -> float:
        """Return for how many seconds a worker has not been heard, or the scheduler, without which nobody is."""
        return max(self._of_scheduler, self._of_workers.get(worker or "", 0.0))

    def end(self) -> None:
        """Listen no more."""
        self._ended.set()

    def _listen(self) -> None:
        before = time.monotonic()
        while not self._ended.wait(BEATS_LOOK_EVERY):
            try:
                beats = self._look(LOOK_TIMEOUT)
            except (OSError, CancelledError):  # also TimeoutError, and a client that is being closed
                beats = None
            now = time.monotonic()
            self._count(beats, min(now - before, BEATS_LOOK_EVERY + LOOK_TIMEOUT))
            before = now

    def _count(self, beats: Mapping[str, Beat] | None, seconds: float) -> None:
        if beats is None:
            self._of_scheduler += seconds
        else:
            self._of_scheduler = 0.0
            self._of_workers = {
                address: self._of_workers.get(address, 0.0) + seconds
                if (old := self.beats.get(address)) is not None and old.heard == beat.heard
                else 0.0
                for address, beat in beats.items()
            }
            self.beats = beats
        silent = frozenset(name for name in ("", *self._of_workers) if self.silence(name) >= NOTICE)
        if silent != self._silent:
            for name in silent - self._silent:
                logger.warning("%s does not answer", f"the worker {name}" if name else "the scheduler")
            self._silent = silent
            self._faltered.ring()

"""An actor of ours that lives on a worker and may be lost with it."""

from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

from distributed import BaseActorFuture, Future, KilledWorker
from distributed.comm.core import CommClosedError

from bnviz.engine.cluster import Engine

LOOK_EVERY = 1.0  # seconds between two looks whether a worker that does not answer is still there


class WorkerLostError(ConnectionError):
    """The worker that held the trainer is gone."""


class RemoteActor:
    """An actor on a worker, called from one thread. Every call raises WorkerLostError if its worker is gone."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._future: Future[Any] | None = None
        self._actor: Any = None  # Dask's proxy for it
        self.lost = True

    def start(self, make: Callable[[], "Future[Any]"]) -> None:
        """Make an actor in place of the one there was."""
        self.stop()
        try:
            self._future = make()
            self._actor = self._future.result()
        except (CancelledError, CommClosedError, KilledWorker, TimeoutError) as error:
            raise WorkerLostError(str(error)) from error
        self.lost = False

    def call(self, method: str, *args: object) -> Any:
        try:
            with self._engine.client.as_current():  # an actor's proxy looks for its client in the calling context
                return self._answer(getattr(self._actor, method)(*args))
        except (OSError, CancelledError, KilledWorker) as error:
            self.lost = True
            raise WorkerLostError(str(error)) from error
        except RuntimeError as error:  # Dask's own word for it has no class of its own
            if "Worker holding Actor was lost" not in str(error):
                raise
            self.lost = True
            raise WorkerLostError(str(error)) from error

    @property
    def worker(self) -> str:
        """The address of the worker that it is on. Raises WorkerLostError if that is gone."""
        found = self._engine.client.who_has([self._future]).get(self._future.key, ()) if self._future else ()
        if not found:
            self.lost = True
            raise WorkerLostError("the worker is gone")
        return str(found[0])

    def stop(self) -> None:
        future, self._future, self._actor, self.lost = self._future, None, None, True
        if future is not None:
            self._engine.stop(future)

    def _answer(self, answer: "BaseActorFuture[Any]") -> Any:
        """Return what the actor says. Dask alone looks for half a minute for a worker that is lost in a bad moment."""
        while True:
            try:
                return answer.result(timeout=LOOK_EVERY)
            except TimeoutError:
                if self._future is None or self._future.status != "finished":  # an actor that was lost is no result
                    raise

"""An actor of ours that lives on a worker and may be lost with it."""

from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

from distributed import BaseActorFuture, Future, KilledWorker
from distributed.comm.core import CommClosedError

from bnviz.engine.cluster import Engine
from bnviz.engine.pulse import GIVE_UP

ANSWER_LOOK_EVERY = 0.5  # seconds between two looks whether a worker that does not answer is still there


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
    def worker(self) -> str | None:
        """The address of the worker that it was made on. Any thread may ask."""
        return self._engine.worker_of(future) if (future := self._future) is not None else None

    def stop(self) -> None:
        future, self._future, self._actor, self.lost = self._future, None, None, True
        if future is not None:
            self._engine.stop(future)

    def _answer(self, answer: "BaseActorFuture[Any]") -> Any:
        """Return what the actor says. Dask alone looks for half a minute for a worker that is lost in a bad moment, and
        waits for ever for one that hangs; what that says in the end is heard by nobody."""
        while True:
            try:
                return answer.result(timeout=ANSWER_LOOK_EVERY)
            except TimeoutError:
                future = self._future  # an actor that was lost is no result
                if future is None or future.status != "finished" or future.client is not self._engine.client:
                    raise
                if self._engine.silence(self.worker) >= GIVE_UP:
                    raise WorkerLostError("the worker does not answer") from None

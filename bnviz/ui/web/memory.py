"""What this server remembers of what was trained: films, and networks of sweeps; in its store, in the background."""

import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from queue import Full, Queue
from threading import Thread
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from bnviz.engine.versions import LIVE_DEVICE, made_by
from bnviz.experiment.config import Experiment
from bnviz.records.kept_run import KeptRun
from bnviz.records.recipe import Recipe
from bnviz.records.sweep import SweepResults
from bnviz.store.errors import StoreError
from bnviz.store.films import film_key
from bnviz.store.keeper import runs_are_kept
from bnviz.store.networks import network_key
from bnviz.store.store import Store

T = TypeVar("T")
logger = logging.getLogger(__name__)

CLOSING_TIMEOUT = 5.0  # seconds
MOST_WAITING = 100  # entries; of those that find no place a sweep trains again what they held


class Memory:
    """Keeps films, networks that are trained, and checkpoints. A database that does not answer knows nothing."""

    def __init__(self, open_store: Callable[[], Store]) -> None:
        self._open_store = open_store
        self._waiting: Queue[Callable[[Store], None] | None] = Queue(MOST_WAITING)
        self._thread = Thread(target=self._drive, name="bnviz-memory", daemon=True)
        if runs_are_kept():
            self._thread.start()

    def close(self) -> None:
        """Wait until all that waits is remembered, for so long at most."""
        if self._thread.ident is not None:
            with suppress(Full):
                self._waiting.put_nowait(None)
                self._thread.join(CLOSING_TIMEOUT)

    def film(self, recipe: Recipe, until: int | None = None) -> KeptRun | None:
        """Return what a recipe shows from its last change on, to a tick or its end."""
        key = film_key(recipe, made_by(), LIVE_DEVICE, until)
        return self._ask(lambda store: store.films.find(key))

    def keep_film(self, recipe: Recipe, shown: Callable[[], KeptRun], until: int | None = None) -> None:
        """Keep what a recipe shows from its last change on, to a tick or its end."""
        key = film_key(recipe, made_by(), LIVE_DEVICE, until)
        self._later(lambda store: store.films.keep(key, shown()))

    def recall(
        self, experiments: Sequence[Experiment], devices: Collection[str]
    ) -> tuple[npt.NDArray[np.intp], SweepResults]:
        """Return the places of those networks that were trained to their end on any of these kinds of devices, and
        what was found, a row each."""
        results, known = SweepResults.nothing(len(experiments)), np.zeros(len(experiments), np.bool_)
        of_each = [_keys(experiments, device) for device in sorted(devices)]
        for places, found in self._ask(lambda store: [store.networks.recall(keys) for keys in of_each]) or []:
            results.take(places, found)
            known[places] = True
        (places,) = np.nonzero(known)
        return places, results.rows(places)

    def learn(self, experiments: Sequence[Experiment], device: str, found: SweepResults) -> None:
        """Remember networks that are trained to their end."""
        self._later(lambda store: store.networks.learn(_keys(experiments, device), found))

    def checkpoint(self, experiments: Sequence[Experiment], devices: Collection[str]) -> tuple[bytes, float] | None:
        """Return the last checkpoint of a stack of these networks, and its progress from 0 to 1."""
        of_each = [_keys(experiments, device) for device in sorted(devices)]
        found = self._ask(lambda store: [store.networks.checkpoint(keys) for keys in of_each]) or []
        return next((each for each in found if each is not None), None)

    def save(self, experiments: Sequence[Experiment], device: str, saved: bytes, progress: float) -> None:
        """Remember a checkpoint, until they are trained to their end."""
        self._later(lambda store: store.networks.save(_keys(experiments, device), saved, progress))

    def _ask(self, question: Callable[[Store], T]) -> T | None:
        if not runs_are_kept():
            return None
        try:
            return question(self._open_store())
        except StoreError as error:
            logger.warning("what was trained before is not known: %s", error)
            return None
        except Exception:  # whatever lies in the database, a sweep or a run can begin
            logger.exception("what was trained before is not known")
            return None

    def _later(self, entry: Callable[[Store], None]) -> None:
        if not runs_are_kept():
            return
        try:
            self._waiting.put_nowait(entry)
        except Full:
            logger.warning("what was trained is not remembered: the database is too slow for all of it")

    def _drive(self) -> None:
        while True:
            entry = self._waiting.get()
            try:
                if entry is None:
                    return
                entry(self._open_store())
            except StoreError as error:
                logger.warning("what was trained is not remembered: %s", error)
            except Exception:  # whatever one entry holds, the next ones must be remembered
                logger.exception("what was trained is not remembered")


def _keys(experiments: Sequence[Experiment], device: str) -> list[str]:
    made_from = made_by()
    return [network_key(experiment, made_from, device) for experiment in experiments]

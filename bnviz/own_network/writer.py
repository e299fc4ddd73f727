"""Writes what is seen of a watched run to the store, in a thread of its own: training waits for none of it."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from threading import Condition, Thread

import numpy as np

from bnviz.export.own_network import look_to_bytes
from bnviz.records.own_network import Floats, Look, Network
from bnviz.records.watched_run import MOST_POINTS
from bnviz.store.errors import StoreError
from bnviz.store.watched import Ending, WatchedStore, curve_to_bytes, small_curve_to_bytes

logger = logging.getLogger(__name__)

BEAT = 1.0  # seconds between two signs of life
MOST_LOOKS = 1000  # kept of a run; then every second one goes
BYTES_A_LOOK = 9_000  # on average; a look that would exceed it stays only until the next one
WRITE_PATIENCE = 2.0  # seconds for a database that is busy
LEAVE_AFTER = 10.0  # seconds at the end for what waits

Seen = Callable[[], tuple[Network, Look]]  # made into records in this thread


@dataclass
class LossCurve:
    """The loss over the steps in at most MOST_POINTS points; when it is full, two neighbours become one."""

    steps: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    width: int = 1
    _begun: list[float] = field(default_factory=list)

    def extend(self, first_step: int, losses: Floats) -> None:
        """Take the losses of consecutive steps."""
        first = first_step - len(self._begun)
        begun = np.concatenate([self._begun, losses])
        whole = len(begun) // self.width * self.width
        self.steps.extend(range(first + self.width - 1, first + whole, self.width))
        self.losses.extend(begun[:whole].reshape(-1, self.width).mean(axis=1).tolist())
        self._begun = begun[whole:].tolist()
        while len(self.steps) > MOST_POINTS:
            pairs = len(self.steps) // 2 * 2
            self._begun = self.losses[pairs:] * self.width + self._begun
            self.steps = self.steps[1:pairs:2]
            self.losses = np.reshape(self.losses[:pairs], (-1, 2)).mean(axis=1).tolist()
            self.width *= 2

    def columns(self) -> dict[str, bytes]:
        """Return the curve as the store keeps it, whole and small."""
        steps, losses = np.array(self.steps), np.array(self.losses)
        return {"curve": curve_to_bytes(steps, losses), "small": small_curve_to_bytes(steps, losses)}


class Writer:
    """One run's thread. spent: seconds of the processor that it has taken.

    A store that fails is logged when it comes up, and tried again with the next look; a fault in making a record is
    logged once.
    """

    def __init__(self, store: WatchedStore, run_id: str) -> None:
        self.spent = 0.0
        self._store, self._run_id = store, run_id
        self._waiting: list[Seen] = []
        self._losses: list[tuple[int, Floats]] = []
        self._changed = Condition()
        self._ending: tuple[Ending, str] | None = None
        self._kept: list[int] = []  # steps of looks
        self._faulty = False
        self._stride, self._bytes, self._looks, self._step = 1, 0, 0, 0
        self._curve, self._problem, self._told_network = LossCurve(), "", False
        self._passing: int | None = None  # the step of a look that stays only until the next one
        self._thread = Thread(target=self._drive, name="bnviz-watch", daemon=True)
        self._thread.start()

    def put(self, seen: Seen | None, first_step: int, losses: Floats) -> None:
        """Hand over a look, or None, and losses of steps in a row. Of looks that wait, the newest is written."""
        with self._changed:
            if seen is not None:
                self._waiting[:] = [seen]
            self._losses.append((first_step, losses))
            self._changed.notify()

    def close(self, ending: Ending, problem: str) -> None:
        """Write what waits and the run's end."""
        with self._changed:
            self._ending = (ending, problem)
            self._changed.notify()
        self._thread.join(LEAVE_AFTER)

    def _drive(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._losses or self._ending, BEAT)
                seen = self._waiting.pop() if self._waiting else None
                losses, self._losses = self._losses, []
                ending = self._ending
            began = time.thread_time()
            for first, values in losses:
                self._curve.extend(first, values)
                self._step = first + len(values) - 1
            self._write(seen, bool(losses))
            if ending and not self._waiting:
                self._tell(partial(self._store.end, self._run_id, *ending))
                return
            self.spent += time.thread_time() - began

    def _write(self, seen: Seen | None, has_losses: bool) -> None:
        if seen is None:
            told = {"step": self._step, **self._curve.columns()} if has_losses else {}
            self._tell(lambda: self._store.alive(self._run_id, **told))
            return
        try:
            network, look = seen()
            self._tell(partial(self._keep, network, look.step, look_to_bytes(look)))
        except Exception:  # whatever it is, it must neither stop training nor the signs of life
            if not self._faulty:
                logger.warning("a look at the watched network failed", exc_info=True)
            self._faulty = True

    def _keep(self, network: Network, step: int, content: bytes) -> None:
        self._looks += 1
        going = [] if self._passing is None else [self._passing]
        affordable = self._bytes + len(content) <= BYTES_A_LOOK * self._looks
        stays = not self._kept or (self._looks % self._stride == 0 and affordable)
        kept = [*self._kept, step] if stays else self._kept
        if len(kept) > MOST_LOOKS:
            self._stride *= 2
            going += kept[1:-1:2]
            kept = [*kept[:-1:2], kept[-1]]
        told = {"step": self._step, **self._curve.columns()}
        first = None if self._told_network else network
        self._store.look(self._run_id, step, content, going, network=first, **told)
        self._told_network, self._kept = True, kept
        self._passing = None if stays else step
        self._bytes += len(content) if stays else 0

    def _tell(self, write: Callable[[], None]) -> None:
        try:
            write()
            self._problem = ""
        except StoreError as error:
            if str(error) != self._problem:
                logger.warning("the watched run was not written: %s", error)
            self._problem = str(error)

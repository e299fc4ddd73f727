"""A SweepRun: one sweep being trained on all workers of the cluster, a light thread each.

The networks are cut into stacks once. A worker's thread takes its fair share of them, lets its actor train them in
turns, a slice a call, and brings home what they found. A stack that a worker leaves behind, because it was lost or has
more than its share, waits for another one together with its last checkpoint.
"""

import logging
import math
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
from distributed.comm.core import CommClosedError

from bnviz.engine.bell import Bell
from bnviz.engine.cluster import Engine, EngineUnavailableError
from bnviz.engine.in_worker.sweep_actor import News, SweepActor, abilities
from bnviz.engine.pace import Rate
from bnviz.engine.remote import RemoteActor, WorkerLostError
from bnviz.engine.stack_pool import PooledStack, StackPool
from bnviz.experiment.config import Experiment
from bnviz.experiment.sweep import Sweep, stacks
from bnviz.records.notes import SweepNote
from bnviz.records.sweep import SweepResults

logger = logging.getLogger(__name__)

WORKERS_LOOK_EVERY = 0.5  # seconds between two looks who is there to work
TELL_EVERY = 0.2  # seconds between two pictures of what was found
SAVE_EVERY = 10.0  # seconds of training that a lost worker may cost
WORKER_BYTES = 400 * 2**20  # of stacks on one worker; others wait
RETRIES = 5  # workers lost with one stack before the sweep stops
CLUSTER_PATIENCE = 20.0  # seconds that a lost cluster may take to come back

DEVICES = ("cpu", "cuda", "mps")
State = Literal["starting", "running", "paused", "finished", "cancelled", "stopped"]
OVER = ("finished", "cancelled")


class SweepMemory(Protocol):
    """What is remembered of networks that were trained in sweeps, whoever's they were; asked by any thread."""

    def recall(
        self, experiments: Sequence[Experiment], devices: Collection[str]
    ) -> tuple[npt.NDArray[np.intp], SweepResults]:
        """Return the places of those networks that were trained to their end on any of these kinds of devices, and
        what was found, a row each."""

    def learn(self, experiments: Sequence[Experiment], device: str, found: SweepResults) -> None:
        """Remember networks that are trained to their end; must not block."""

    def checkpoint(self, experiments: Sequence[Experiment], devices: Collection[str]) -> tuple[bytes, float] | None:
        """Return the last checkpoint of a stack of these networks, and its progress from 0 to 1."""

    def save(self, experiments: Sequence[Experiment], device: str, saved: bytes, progress: float) -> None:
        """Remember a checkpoint, until they are trained to their end; must not block."""


class _NoMemory:
    """Remembers nothing."""

    def recall(self, *_: object) -> tuple[npt.NDArray[np.intp], SweepResults]:
        return np.empty(0, np.intp), SweepResults.nothing(0)

    def learn(self, *_: object) -> None:
        pass

    def checkpoint(self, *_: object) -> None:
        return None

    def save(self, *_: object) -> None:
        pass


@dataclass(frozen=True)
class SweepStatus:
    """How far a sweep is: progress from 0 to 1; rate in network-steps a second; left in seconds, NaN if not known."""

    state: State
    progress: float
    rate: float
    left: float
    workers: int
    notice: str


class SweepRun:
    """One sweep being trained on all workers; any thread may give it orders and read what it has found so far."""

    def __init__(
        self,
        engine: Engine,
        sweep: Sweep,
        *,
        memory: SweepMemory | None = None,
        state: Literal["running", "paused", "cancelled"] = "running",
    ) -> None:
        """memory: networks that it knows are not trained again. state: how it begins."""
        self.sweep = sweep
        self._memory = memory or _NoMemory()
        self.moved = Bell()  # rung after each change of the version
        self.version = 0  # changes a few times a second while anything is found, and with the state
        self._engine = engine
        self._experiments = sweep.experiments()
        self._found = SweepResults.nothing(sweep.count)
        self._changed = Condition()  # guards all below
        self._state: State = "starting" if state == "running" else state
        self._held = False
        self._notice = ""
        self._pool = StackPool()
        self._working: set[str] = set()  # addresses of workers with a thread
        self._workers = 1
        self._rate = Rate(window=5.0)
        self._told = 0.0
        self._known: frozenset[int] = frozenset()  # places of networks that were trained before
        self._director = self._begin()

    # -- from any thread --------------------------------------------------------------------------------------------

    @property
    def status(self) -> SweepStatus:
        """How far the sweep is, and what the user should know."""
        with self._changed:
            done = (len(self._known) + self._pool.networks_done) / self.sweep.count
            steps = self.sweep.count * self.sweep.training.steps
            rate = self._rate.value if self._state == "running" else 0.0
            left = (1 - done) * steps / rate if rate else math.nan
            again = f"{len(self._known):,} of the networks were trained before and are not trained again."
            notice = self._notice or (again if self._known else "")
            return SweepStatus(self._state, done, rate, left, len(self._working), notice)

    def found(self) -> SweepResults:
        """Return a copy of all that has been found so far."""
        with self._changed:
            return self._found.copy()

    def note(self) -> SweepNote | None:
        """Return what it takes to go on with the sweep elsewhere."""
        state = self._state
        return SweepNote(self.sweep, state if state in ("paused", "cancelled") else "running")

    def pause(self) -> None:
        """Train no further until `resume`."""
        self._set(("starting", "running"), "paused")

    def resume(self) -> None:
        """Go on after a pause, or try again if the sweep had to stop; what is finished stays."""
        with self._changed:
            if self._state in ("paused", "stopped"):
                self._notice = ""
                self._pool.forgive()
                self._become("running")
                self._director = self._begin(self._director)  # it may just be ending, or go on

    def hold(self, held: bool) -> None:
        """Train no further while nobody looks."""
        with self._changed:
            self._held = held
            self._rate.clear()
            self._changed.notify_all()

    def cancel(self) -> None:
        """Free the workers; what was found stays."""
        with self._changed:
            if self._state not in OVER:
                self._become("cancelled")

    close = cancel

    def wait(self, seconds: float) -> bool:
        """Wait until nothing more happens by itself, at most so long. Returns whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._state in (*OVER, "stopped"), seconds)

    # -- the thread that looks who is there to work -----------------------------------------------------------------

    def _begin(self, before: Thread | None = None) -> Thread:
        thread = Thread(target=self._direct, args=[before], name="bnviz-sweep", daemon=True)
        thread.start()
        return thread

    def _direct(self, before: Thread | None) -> None:
        if before is not None:
            before.join()
        elif self._state == "cancelled":
            self._recall(DEVICES)  # to be looked at
        for device in DEVICES:
            if self._goes_on():
                self._recall([device], whole=True)  # what is wholly known takes no workers
        answered = time.monotonic()
        while self._goes_on():
            try:
                if workers := self._engine.workers():
                    if not self._pool:
                        self._cut(workers)
                    if self._goes_on():  # not all of it was known
                        self._employ(workers)
                    answered = time.monotonic()
                    self._say("")
                elif time.monotonic() - answered > CLUSTER_PATIENCE:
                    raise EngineUnavailableError("no training worker is left")
            except (EngineUnavailableError, OSError, CommClosedError, CancelledError) as error:
                if time.monotonic() - answered > CLUSTER_PATIENCE:
                    lost = f"The cluster was lost: {str(error).rstrip('.')}."
                    self._stop(f"{lost} What is finished is kept; Resume trains the rest.")
                    return
                self._say("The cluster does not answer. What is finished is kept; the rest waits for it …")
            except Exception as error:  # whatever a worker raises, the user must hear of it
                if not isinstance(error, ValueError):  # which is a worker's own word for settings that are wrong
                    logger.exception("sweep failed")
                self._stop(f"The sweep stopped: {error}")
                return
            with self._changed:
                self._changed.wait_for(lambda: not self._goes_on(), WORKERS_LOOK_EVERY)

    def _cut(self, workers: list[str]) -> None:
        """Cut the networks into stacks of the size that is fastest on the least of the workers."""
        able = self._engine.client.run(abilities, workers=workers)
        if problem := next((a.problem for a in able.values() if a.problem), ""):
            raise ValueError(problem)
        self._recall(devices := {a.device for a in able.values()})
        parts = stacks(self._experiments, min(a.networks for a in able.values()), len(workers))
        left = [unknown for part in parts if (unknown := [i for i in part if i not in self._known])]
        saved = [self._memory.checkpoint(self._members(part), devices) for part in left]
        with self._changed:
            self._pool.fill(left, saved)
            if self._state == "starting":
                self._become("running")

    def _recall(self, devices: Collection[str], *, whole: bool = False) -> None:
        """Take what is remembered of these networks from such devices. whole: all of them or nothing."""
        known, found = self._memory.recall(self._experiments, devices)
        if whole and len(known) < self.sweep.count:
            return
        with self._changed:
            self._known = frozenset(known.tolist())
            self._found.take(known, found)
            if len(known) == self.sweep.count and self._goes_on():
                self._become("finished")
            elif len(known):
                self._tell()

    def _members(self, places: Iterable[int]) -> list[Experiment]:
        return [self._experiments[i] for i in places]

    def _employ(self, workers: list[str]) -> None:
        with self._changed:
            self._workers = len(workers)
            for worker in set(workers) - self._working:
                self._working.add(worker)
                Thread(target=self._work, args=[worker], name="bnviz-sweep-worker", daemon=True).start()

    # -- a thread for each worker -----------------------------------------------------------------------------------

    def _work(self, worker: str) -> None:
        mine: dict[int, PooledStack] = {}
        actor = RemoteActor(self._engine)
        try:
            with self._returning(mine):
                actor.start(lambda: self._engine.place(worker, SweepActor, self.sweep.training.data))
                self._train(actor, mine)
                actor.call("forget")
        except (WorkerLostError, EngineUnavailableError) as error:
            if self._goes_on():
                logger.warning("a sweep lost a worker: %s", error)
        except Exception as error:  # whatever the training raises, the user must hear of it
            logger.exception("sweep failed")
            self._stop(f"The sweep stopped: {type(error).__name__}: {error}")
        finally:
            actor.stop()
            with self._changed:
                self._working.discard(worker)
                self._changed.notify_all()

    @contextmanager
    def _returning(self, mine: dict[int, PooledStack]) -> Iterator[None]:
        """Let stacks that are left behind wait for another worker, as they were last saved."""
        try:
            yield
        finally:
            with self._changed:
                for stack in mine.values():
                    stack.lost += 1
                    self._pool.put_back(stack)
                worst = max((stack.lost for stack in mine.values()), default=0)
            if worst > RETRIES and self._goes_on():
                self._stop(f"The sweep stopped: a stack of networks was lost with its worker {worst} times.")

    def _train(self, actor: RemoteActor, mine: dict[int, PooledStack]) -> None:
        saved: dict[int, float] = {}  # monotonic time at which each was last saved, or taken
        full, device = False, actor.call("device")
        while self._wait_for_work(mine):
            while not full and (stack := self._take(mine)) is not None:
                full = actor.call("add", stack.number, self._members(stack.members), stack.saved) > WORKER_BYTES
                saved[stack.number] = time.monotonic()
            for news in actor.call("advance") if mine else ():
                self._record(mine[news.number], news, device)
                if news.progress >= 1:
                    del mine[news.number]
                    full = False
            for stack in self._surplus(mine):
                stack.saved = actor.call("give", stack.number)
                self._hand_over(mine.pop(stack.number))
                full = False
            self._save_one(actor, device, mine, saved)

    def _wait_for_work(self, mine: dict[int, PooledStack]) -> bool:
        """Wait until there is something to do; returns False at the end."""
        with self._changed:
            while self._goes_on():
                if self._state == "running" and not self._held and (mine or self._pool.waits):
                    return True
                self._changed.wait(WORKERS_LOOK_EVERY)
            return False

    def _take(self, mine: dict[int, PooledStack]) -> PooledStack | None:
        with self._changed:
            stack = self._pool.take(mine, self._workers)
            if stack is not None:
                mine[stack.number] = stack
            return stack

    def _surplus(self, mine: dict[int, PooledStack]) -> list[PooledStack]:
        with self._changed:
            return self._pool.surplus(mine, self._workers)

    def _hand_over(self, stack: PooledStack) -> None:
        with self._changed:
            self._pool.put_back(stack)
            self._changed.notify_all()

    def _save_one(self, actor: RemoteActor, device: str, mine: dict[int, PooledStack], saved: dict[int, float]) -> None:
        """Save one stack a slice, so that live runs on the same worker do not wait for long."""
        oldest = min(mine.values(), key=lambda s: saved[s.number], default=None)
        if oldest is None or time.monotonic() - saved[oldest.number] < SAVE_EVERY:
            return
        saved[oldest.number] = time.monotonic()
        with self._changed:
            may_save = self._pool.may_save(oldest)
        if may_save:
            oldest.saved = actor.call("save", oldest.number)
            self._memory.save(self._members(oldest.members), device, oldest.saved, oldest.progress)

    # -- what changes -----------------------------------------------------------------------------------------------

    def _record(self, stack: PooledStack, news: News, device: str) -> None:
        with self._changed:
            if self._state in OVER:
                return
            if news.progress >= 1:
                self._memory.learn(self._members(stack.members), device, news.found)
            self._found.take(stack.members, news.found)
            gone = max(news.progress - stack.progress, 0.0)
            stack.progress = news.progress
            self._rate.add(round(gone * len(stack.members) * self.sweep.training.steps))
            if news.progress >= 1:
                stack.saved = None
                if self._pool.finished:
                    self._become("finished")
            if time.monotonic() - self._told >= TELL_EVERY:
                self._told = time.monotonic()
                self._tell()

    def _tell(self) -> None:
        self.version += 1
        self.moved.ring()

    def _goes_on(self) -> bool:
        return self._state not in (*OVER, "stopped")

    def _set(self, old: tuple[State, ...], new: State) -> None:
        with self._changed:
            if self._state in old:
                self._become(new)

    def _become(self, state: State) -> None:
        self._state = state
        self._rate.clear()
        self._tell()
        self._changed.notify_all()

    def _say(self, notice: str) -> None:
        with self._changed:
            if self._goes_on() and notice != self._notice:
                self._notice = notice
                self._rate.clear()
                self._tell()

    def _stop(self, why: str) -> None:
        with self._changed:
            if self._goes_on():
                self._notice = why
                self._become("stopped")

"""A SweepRun: one sweep being trained on all workers of the cluster, a light thread each.

The networks are cut into stacks once. A worker's thread takes its fair share of them, lets its actor train them in
turns, a slice a call, and brings home what they found. A stack that a worker leaves behind, because it was lost or has
more than its share, waits for another one together with its last checkpoint.
"""

import logging
import math
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Literal

import numpy as np
import numpy.typing as npt
from distributed.comm.core import CommClosedError

from bnviz.data import DataName
from bnviz.engine.cluster import Engine, EngineUnavailableError
from bnviz.engine.in_worker.sweep_actor import News, SweepActor, abilities
from bnviz.engine.pace import Rate
from bnviz.engine.remote import RemoteActor, WorkerLostError
from bnviz.experiment.sweep import Sweep, stacks
from bnviz.records.sweep import SweepResults

logger = logging.getLogger(__name__)

LOOK_EVERY = 0.5  # seconds between two looks who is there to work
TELL_EVERY = 0.2  # seconds between two pictures of what was found
SAVE_EVERY = 10.0  # seconds of training that a lost worker may cost
KEPT = 128 * 2**20  # bytes of checkpoints in this process; stacks beyond that begin anew
ROOM = 400 * 2**20  # bytes of stacks on one worker; others wait
RETRIES = 5  # workers lost with one stack before the sweep stops
PATIENCE = 20.0  # seconds that a lost cluster may take to come back

State = Literal["starting", "running", "paused", "finished", "cancelled", "stopped"]
OVER = ("finished", "cancelled")


@dataclass
class _Stack:
    """members: places in the sweep. saved: its last checkpoint. lost: workers that were lost with it."""

    number: int
    members: npt.NDArray[np.intp]
    saved: bytes | None = None
    progress: float = 0.0
    lost: int = 0


@dataclass(frozen=True)
class SweepStatus:
    """progress from 0 to 1; rate in network-steps a second; left in seconds, NaN while nothing is known."""

    state: State
    progress: float
    rate: float
    left: float
    workers: int
    notice: str


class SweepRun:
    def __init__(self, engine: Engine, sweep: Sweep, data: DataName) -> None:
        self.sweep, self.data = sweep, data
        self.version = 0  # changes a few times a second while anything is found, and with the state
        self._engine = engine
        self._experiments = sweep.experiments()
        self._found = SweepResults.nothing(sweep.count)
        self._changed = Condition()  # guards all below
        self._state: State = "starting"
        self._held = False
        self._notice = ""
        self._stacks: list[_Stack] = []
        self._waiting: deque[_Stack] = deque()
        self._working: set[str] = set()  # addresses of workers with a thread
        self._workers = 1
        self._rate = Rate(window=5.0)
        self._told = 0.0
        self._director = self._begin()

    # -- from any thread --------------------------------------------------------------------------------------------

    @property
    def status(self) -> SweepStatus:
        with self._changed:
            done = sum(s.progress * len(s.members) for s in self._stacks) / self.sweep.count
            steps = self.sweep.count * self.sweep.training.steps
            rate = self._rate.value if self._state == "running" else 0.0
            left = (1 - done) * steps / rate if rate else math.nan
            return SweepStatus(self._state, done, rate, left, len(self._working), self._notice)

    def found(self) -> SweepResults:
        """A copy of all that has been found so far."""
        with self._changed:
            return self._found.copy()

    def pause(self) -> None:
        self._set(("starting", "running"), "paused")

    def resume(self) -> None:
        """Go on after a pause, or try again where the sweep had to stop; what is finished stays."""
        with self._changed:
            if self._state in ("paused", "stopped"):
                self._notice = ""
                for stack in self._stacks:
                    stack.lost = 0
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
        """Wait until nothing more happens by itself, at most so long; whether that is so."""
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
        answered = time.monotonic()
        while self._goes_on():
            try:
                workers = self._engine.workers()
                if workers:
                    if not self._stacks:
                        self._cut(workers)
                    self._employ(workers)
                    answered = time.monotonic()
                    self._say("")
                elif time.monotonic() - answered > PATIENCE:
                    raise EngineUnavailableError("no training worker is left")
            except (EngineUnavailableError, OSError, CommClosedError, CancelledError) as error:
                why = str(error).rstrip(".")
                if time.monotonic() - answered > PATIENCE:
                    self._stop(f"The cluster was lost: {why}. What is finished is kept; Resume trains the rest.")
                    return
                self._say("The cluster does not answer. What is finished is kept; the rest waits for it …")
            except ValueError as error:
                self._stop(f"The sweep stopped: {error}")
                return
            except Exception as error:  # whatever a worker raises, the user must hear of it
                logger.exception("sweep failed")
                self._stop(f"The sweep stopped: {error}")
                return
            with self._changed:
                self._changed.wait_for(lambda: not self._goes_on(), LOOK_EVERY)

    def _cut(self, workers: list[str]) -> None:
        """Into stacks of the size that is fastest on the least of the workers."""
        able = self._engine.client.run(abilities, workers=workers)
        if problem := next((a.problem for a in able.values() if a.problem), ""):
            raise ValueError(problem)
        parts = stacks(self._experiments, min(a.networks for a in able.values()), len(workers))
        with self._changed:
            self._stacks = [_Stack(k, np.array(members)) for k, members in enumerate(parts)]
            self._waiting.extend(self._stacks)
            if self._state == "starting":
                self._become("running")

    def _employ(self, workers: list[str]) -> None:
        with self._changed:
            self._workers = len(workers)
            for worker in set(workers) - self._working:
                self._working.add(worker)
                Thread(target=self._work, args=[worker], name="bnviz-sweep-worker", daemon=True).start()

    # -- a thread for each worker -----------------------------------------------------------------------------------

    def _work(self, worker: str) -> None:
        mine: dict[int, _Stack] = {}
        actor = RemoteActor(self._engine)
        try:
            with self._returning(mine):
                actor.start(lambda: self._engine.place(worker, SweepActor, self.data))
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
    def _returning(self, mine: dict[int, _Stack]) -> Iterator[None]:
        """Stacks that are left behind wait for another worker, as they were last saved."""
        try:
            yield
        finally:
            with self._changed:
                for stack in mine.values():
                    stack.lost += 1
                    self._waiting.append(stack)
                worst = max((stack.lost for stack in mine.values()), default=0)
            if worst > RETRIES and self._goes_on():
                self._stop(f"The sweep stopped: a stack of networks was lost with its worker {worst} times.")

    def _train(self, actor: RemoteActor, mine: dict[int, _Stack]) -> None:
        saved: dict[int, float] = {}  # monotonic time at which each was last saved, or taken
        full = False
        while self._wait_for_work(mine):
            while not full and (stack := self._take(mine)) is not None:
                members = [self._experiments[i] for i in stack.members]
                full = actor.call("add", stack.number, members, stack.saved) > ROOM
                saved[stack.number] = time.monotonic()
            for news in actor.call("advance") if mine else ():
                self._record(mine[news.number], news)
                if news.progress >= 1:
                    del mine[news.number]
                    full = False
            for stack in self._surplus(mine):
                stack.saved = actor.call("give", stack.number)
                self._hand_over(mine.pop(stack.number))
                full = False
            self._save_one(actor, mine, saved)

    def _wait_for_work(self, mine: dict[int, _Stack]) -> bool:
        """Until there is something to do; False at the end."""
        with self._changed:
            while self._goes_on():
                if self._state == "running" and not self._held and (mine or self._waiting):
                    return True
                self._changed.wait(LOOK_EVERY)
            return False

    def _share(self) -> int:
        """Stacks that one worker may have of those that are not finished."""
        return math.ceil(sum(s.progress < 1 for s in self._stacks) / self._workers)

    def _take(self, mine: dict[int, _Stack]) -> _Stack | None:
        with self._changed:
            if not self._waiting or (mine and len(mine) >= self._share()):
                return None
            stack = self._waiting.popleft()
            mine[stack.number] = stack
            return stack

    def _surplus(self, mine: dict[int, _Stack]) -> list[_Stack]:
        with self._changed:
            return sorted(mine.values(), key=lambda s: s.progress)[: max(len(mine) - self._share(), 0)]

    def _hand_over(self, stack: _Stack) -> None:
        with self._changed:
            self._waiting.append(stack)
            self._changed.notify_all()

    def _save_one(self, actor: RemoteActor, mine: dict[int, _Stack], saved: dict[int, float]) -> None:
        """One a slice, so that live runs on the same worker do not wait for long."""
        oldest = min(mine.values(), key=lambda s: saved[s.number], default=None)
        if oldest is None or time.monotonic() - saved[oldest.number] < SAVE_EVERY:
            return
        saved[oldest.number] = time.monotonic()
        with self._changed:
            kept = sum(len(s.saved or b"") for s in self._stacks)
            size = max((len(s.saved or b"") for s in self._stacks), default=0)
        if oldest.saved is not None or kept + size <= KEPT:
            oldest.saved = actor.call("save", oldest.number)

    # -- what changes -----------------------------------------------------------------------------------------------

    def _record(self, stack: _Stack, news: News) -> None:
        with self._changed:
            if self._state in OVER:
                return
            self._found.take(stack.members, news.found)
            gone = max(news.progress - stack.progress, 0.0)
            stack.progress = news.progress
            self._rate.add(round(gone * len(stack.members) * self.sweep.training.steps))
            if news.progress >= 1:
                stack.saved = None
                if all(s.progress >= 1 for s in self._stacks):
                    self._become("finished")
            if time.monotonic() - self._told >= TELL_EVERY:
                self._told = time.monotonic()
                self.version += 1

    def _goes_on(self) -> bool:
        return self._state not in (*OVER, "stopped")

    def _set(self, old: tuple[State, ...], new: State) -> None:
        with self._changed:
            if self._state in old:
                self._become(new)

    def _become(self, state: State) -> None:
        self._state = state
        self._rate.clear()
        self.version += 1
        self._changed.notify_all()

    def _say(self, notice: str) -> None:
        with self._changed:
            if self._goes_on() and notice != self._notice:
                self._notice = notice
                self._rate.clear()
                self.version += 1

    def _stop(self, why: str) -> None:
        with self._changed:
            if self._goes_on():
                self._notice = why
                self._become("stopped")

"""The stacks of a sweep on one worker, as a Dask actor. Importing this does not import torch; calling it does.

Actors of a worker take turns in one thread. So a live run waits for a slice of a sweep, never for a whole stack, and
slices are short while one trains.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakSet

from bnviz.engine.in_worker.trainer_actor import batches, since_live
from bnviz.experiment.choices import DataName
from bnviz.experiment.config import Experiment
from bnviz.experiment.sweep import Sweep
from bnviz.records.sweep import SweepResults

if TYPE_CHECKING:
    from bnviz.training.sweep import SweepStack

SLICE = 0.2  # seconds of training in one call
LIVE_SLICE = 0.02  # while a live run trains on this worker in slices of at most 0.1 s: it keeps most of its speed
LIVE = 0.5  # seconds without a live run's training after which there is none
_actors: "WeakSet[SweepActor]" = WeakSet()  # of several sweeps, which share what live runs leave


@dataclass(frozen=True)
class News:
    """What a stack has found, and how far it is: progress from 0 to 1."""

    number: int
    found: SweepResults
    progress: float


@dataclass(frozen=True)
class Abilities:
    """What a worker can train. networks: in a stack of the size that is fastest on its device. problem: why none.

    device: its kind, cpu, cuda or mps.
    """

    networks: int
    device: str
    problem: str = ""


class SweepActor:
    """Some stacks of one sweep. They take turns, so that all of them can be watched learning."""

    def __init__(self, data: DataName) -> None:
        import torch

        from bnviz.training.device import device

        torch.set_num_threads(1)  # the setting belongs to the calling thread, and actors have one of their own
        self._device = device()
        self._batches = batches(data, self._device)
        self._stacks: dict[int, SweepStack] = {}
        _actors.add(self)

    def device(self) -> str:
        """Return the kind of the device that it trains on."""
        return self._device

    def add(self, number: int, experiments: Sequence[Experiment], saved: bytes | None) -> int:
        """Take one stack more, as it was saved. Returns the bytes that all of them take."""
        from bnviz.training.sweep import SweepStack

        self._stacks[number] = SweepStack(experiments, self._batches, saved)
        return sum(stack.nbytes for stack in self._stacks.values())

    def advance(self) -> list[News]:
        """Train for a slice, the least advanced first; a finished stack is told of and forgotten."""
        share = LIVE_SLICE / len(_actors) if since_live() < LIVE else SLICE
        end, moved = time.perf_counter() + share, set()
        while self._stacks:
            number, stack = min(self._stacks.items(), key=lambda item: item[1].progress)
            if stack.finished:
                break
            stack.advance()
            moved.add(number)
            if time.perf_counter() >= end:
                break
        news = [
            News(n, stack.found, stack.progress) for n, stack in self._stacks.items() if n in moved or stack.finished
        ]
        self._stacks = {n: stack for n, stack in self._stacks.items() if not stack.finished}
        return news

    def save(self, number: int) -> bytes:
        """Return all that another worker needs to go on with a stack."""
        return self._stacks[number].save()

    def give(self, number: int) -> bytes:
        """Return the same as `save`, and forget the stack here."""
        saved = self.save(number)
        del self._stacks[number]
        return saved

    def forget(self) -> None:
        self._stacks.clear()
        _actors.discard(self)


def abilities() -> Abilities:
    """Return the abilities of the worker that is asked."""
    from bnviz.training.device import STACK_SIZE, device

    try:
        return Abilities(STACK_SIZE[device()], device())
    except ValueError as error:  # its BNVIZ_DEVICE is wrong; raised here, Dask would print it again for each worker
        return Abilities(0, "", str(error))


def estimate(sweep: Sweep) -> float:
    """Return the seconds that this worker alone would need for a sweep."""
    from bnviz.training import sweep as training
    from bnviz.training.device import device

    return training.estimate(sweep, batches(sweep.training.data, device()))

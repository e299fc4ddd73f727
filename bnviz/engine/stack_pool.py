"""The stacks of networks of one sweep, dealt out to workers; whoever uses them from several threads guards them."""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CHECKPOINT_BYTES = 128 * 2**20  # of all checkpoints together; stacks beyond that begin anew if their worker is lost


@dataclass
class PooledStack:
    """One stack. members: places in the sweep. saved: its last checkpoint. lost: workers that were lost with it."""

    number: int
    members: npt.NDArray[np.intp]
    saved: bytes | None = None
    progress: float = 0.0
    lost: int = 0


class StackPool:
    """All stacks of a sweep, and those of them that wait for a worker."""

    def __init__(self) -> None:
        self._stacks: list[PooledStack] = []
        self._waiting: deque[PooledStack] = deque()

    def __bool__(self) -> bool:
        return bool(self._stacks)

    @property
    def waits(self) -> bool:
        """Whether a stack waits for a worker."""
        return bool(self._waiting)

    @property
    def finished(self) -> bool:
        """Whether every stack is trained."""
        return all(stack.progress >= 1 for stack in self._stacks)

    @property
    def networks_done(self) -> float:
        """Networks that are trained, each unfinished one counted as the part of it that is done."""
        return sum(stack.progress * len(stack.members) for stack in self._stacks)

    def fill(self, parts: Iterable[Sequence[int]], saved: Iterable[tuple[bytes, float] | None]) -> None:
        """Take the stacks' members, once, each with its checkpoint and progress if it has any; all of them wait."""
        self._stacks = [
            PooledStack(k, np.array(members), *(checkpoint or ()))
            for k, (members, checkpoint) in enumerate(zip(parts, saved, strict=True))
        ]
        self._waiting.extend(self._stacks)

    def take(self, held: dict[int, PooledStack], workers: int) -> PooledStack | None:
        """Return one stack more for a worker that holds some; None if none waits, or if it has its share already."""
        if not self._waiting or (held and len(held) >= self._share(workers)):
            return None
        return self._waiting.popleft()

    def surplus(self, held: dict[int, PooledStack], workers: int) -> list[PooledStack]:
        """Return the stacks that a worker holds beyond its share, the least advanced."""
        return sorted(held.values(), key=lambda s: s.progress)[: max(len(held) - self._share(workers), 0)]

    def put_back(self, stack: PooledStack) -> None:
        """Let a stack wait for another worker."""
        self._waiting.append(stack)

    def may_save(self, stack: PooledStack) -> bool:
        """Return whether there is room for a checkpoint of a stack."""
        sizes = [len(each.saved or b"") for each in self._stacks]
        return stack.saved is not None or sum(sizes) + max(sizes, default=0) <= CHECKPOINT_BYTES

    def forgive(self) -> None:
        """Forget the workers that were lost."""
        for stack in self._stacks:
            stack.lost = 0

    def _share(self, workers: int) -> int:
        """Stacks that one of so many workers may have of those that are not finished."""
        return math.ceil(sum(stack.progress < 1 for stack in self._stacks) / workers)

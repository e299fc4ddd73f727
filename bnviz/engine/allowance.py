"""How often a visitor may have what costs: some at once, and then so many a minute."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from bnviz.engine.capacity import RefusedError

MOST_KNOWN = 1000  # visitors; of whoever has asked for nothing for longest, nothing is known any more


class TooFastError(RefusedError):
    """Somebody asks for more, and sooner, than one visitor may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"That was asked for too often for one visitor. Please wait {max(1, round(seconds))} s, and try again."
        )


class Allowance:
    """A bucket for each visitor that holds `most` and is filled again by `a_minute`. Guarded by whoever has it."""

    def __init__(self, most: int, a_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._a_second, self._clock = most, a_minute / 60, clock
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # what was left at which moment

    def take(self, visitor: Hashable, cost: float = 1.0) -> None:
        """Take what something costs. Raises TooFastError, and takes nothing, if too little is left."""
        now = self._clock()
        before, then = self._left.get(visitor, (float(self._most), now))
        left = min(before + (now - then) * self._a_second, self._most)
        if left < cost:
            raise TooFastError((cost - left) / self._a_second)
        self._left[visitor] = left - cost, now
        self._left.move_to_end(visitor)
        if len(self._left) > MOST_KNOWN:
            self._left.popitem(last=False)

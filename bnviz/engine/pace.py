"""How fast a run goes: the steps that are due at a chosen speed, and the steps a second it really makes."""

import math
import time


class Pace:
    """Counts how many steps are due at a given speed, from the last change on."""

    def __init__(self) -> None:
        self._speed = math.inf
        self.rebase()

    def set(self, steps_per_second: float) -> None:
        self._speed = steps_per_second
        self.rebase()

    def rebase(self) -> None:
        self._begin, self._done = time.monotonic(), 0

    def count(self, steps: int) -> None:
        self._done += steps

    def due(self) -> int | None:
        """Return the steps to take now; None at full speed. A pace that cannot be held is not made up for later."""
        if math.isinf(self._speed):
            return None
        due = int((time.monotonic() - self._begin) * self._speed) + 1 - self._done
        if due > self._speed:  # more than a second behind
            self.rebase()
            return 1
        return max(due, 0)

    def until_due(self) -> float:
        """Return the seconds until the next step is due."""
        return max(self._begin + self._done / self._speed - time.monotonic(), 0.0)


class Rate:
    """Steps a second over the last seconds."""

    def __init__(self, window: float = 2.0) -> None:
        self._window = window  # seconds
        self.clear()

    def clear(self) -> None:
        self._marks: list[tuple[float, int]] = [(time.monotonic(), 0)]

    def add(self, steps: int) -> None:
        now = time.monotonic()
        self._marks.append((now, self._marks[-1][1] + steps))
        while len(self._marks) > 2 and now - self._marks[0][0] > self._window:
            self._marks.pop(0)

    @property
    def value(self) -> float:
        (t0, n0), (t1, n1) = self._marks[0], self._marks[-1]
        return (n1 - n0) / (t1 - t0) if t1 > t0 else 0.0

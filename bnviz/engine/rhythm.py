"""How far apart the frames of a run are, how long it trains in between, and which of them look at the test digits."""

import time

UNWATCHED_INTERVAL = 0.1  # seconds from one frame to the next, unless a viewer can take them faster ...
FORGOTTEN_INTERVAL = 1.0  # ... or has looked away, and others wait for the same worker
FORGOTTEN_AFTER = 5.0  # seconds after a viewer last asked
SHORTEST_INTERVAL = 1 / 45
WISH_LASTS = 1.0  # seconds after a viewer last asked
LOOKING_SHARE = 0.15  # of the time at full speed, which frames may take beside training ...
SLOWEST_INTERVAL = 0.1  # ... unless frames would then be further apart than so many seconds
SHORTEST_TRAINING = 0.005  # seconds
ROUND = 0.18  # seconds in which a worker has served all whose runs train on it, if the cost of their frames allows
EVALUATE_EVERY = 1.0  # seconds between two looks at the test digits, beside those of the kept frames
EVALUATION_SHARE = 0.03  # of the time, which those looks may take


def training_seconds(interval: float, cost: float, runs: int = 1) -> float:
    """Return how long to train for the next frame, if frames are wished `interval` seconds apart.

    cost: seconds that a frame takes beside training. runs: that take turns on the worker; the more, the shorter each
    turn, so that all of them are seen to move.
    """
    affordable = min(cost * (1 / LOOKING_SHARE - 1), SLOWEST_INTERVAL - cost)
    alone = max(min(interval, SLOWEST_INTERVAL) - cost, affordable)
    return max(alone if runs == 1 else min(alone, ROUND / runs - cost), SHORTEST_TRAINING)


class Rhythm:
    """Fits a run's frames to what a viewer can take; a wish may come from any thread."""

    def __init__(self) -> None:
        self._wish, self._wish_ends = UNWATCHED_INTERVAL, 0.0  # seconds; monotonic
        self._begun = self._evaluate_at = 0.0  # monotonic
        self.shares = False  # whether others wait for the same worker

    def wish(self, seconds: float) -> None:
        """Note that a viewer would take frames so many seconds apart."""
        self._wish = min(max(seconds, SHORTEST_INTERVAL), UNWATCHED_INTERVAL)
        self._wish_ends = time.monotonic() + WISH_LASTS

    @property
    def interval(self) -> float:
        """The wished seconds from one frame to the next."""
        now = time.monotonic()
        if now < self._wish_ends:
            return self._wish
        return FORGOTTEN_INTERVAL if self.stands_back else UNWATCHED_INTERVAL

    @property
    def stands_back(self) -> bool:
        """Whether somebody has looked before, nobody does, and others wait."""
        return self.shares and 0 < self._wish_ends < time.monotonic() - FORGOTTEN_AFTER

    def until_next(self) -> float:
        """Return the seconds until another frame is wished."""
        return max(self._begun + self.interval - time.monotonic(), 0.0)

    def begin(self) -> bool:
        """Begin a frame. Returns whether it looks at the test digits."""
        self._begun = time.monotonic()
        return self._begun >= self._evaluate_at

    def end(self, trained: float, *, evaluated: bool) -> None:
        """Note that the frame is there, after so many seconds of training."""
        now = time.monotonic()
        if evaluated:
            cost = now - self._begun - trained
            self._evaluate_at = now + max(EVALUATE_EVERY, cost / EVALUATION_SHARE)

"""Whether a network has learned anything yet: its loss beside ln 10, that of a network that knows nothing."""

import numpy as np

from bnviz.experiment.layers import LN_10
from bnviz.records.frames import Floats, VariantFrame
from bnviz.records.history import VariantHistory

WINDOW = 64  # steps that a loss is averaged over; a power of two, as are the steps of a point of a long history
UNINFORMED_WITHIN = 0.05  # nats below ln 10 that count as knowing nothing, as every loss above it does
GUESSING_ACCURACY = 0.15  # of ten digits that are about equally frequent, guessing finds a tenth


def window_losses(history: VariantHistory) -> Floats:
    """Return the mean training loss of each WINDOW of steps, from step 0 on; what does not fill one is left out.

    The windows do not move while a run goes on, so that what is said of them does not change with every step.
    """
    points = max(1, WINDOW // history.stride)
    count = len(history.losses) // points
    return np.asarray(history.losses[: count * points].reshape(count, points).mean(1))


def steps_without_learning(history: VariantHistory) -> int:
    """Return for how many steps, up to the newest window, the loss has been no better than that of guessing."""
    losses = window_losses(history)
    better = np.flatnonzero(~(losses > LN_10 - UNINFORMED_WITHIN))
    count = len(losses) - (int(better[-1]) + 1 if len(better) else 0)
    return count * max(WINDOW, history.stride)


def is_guessing(frame: VariantFrame) -> bool:
    """Tell whether the network does no better on the test digits than one that knows nothing."""
    return bool(frame.test_loss > LN_10 - UNINFORMED_WITHIN and frame.test_accuracy < GUESSING_ACCURACY)

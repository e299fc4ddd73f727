"""What crosses from the trainer to the screen: frozen records of numpy arrays and plain values.

A Frame is one moment of a run. What falls on a multiple of `TrainingConfig.keep_every` is kept in the History; the
frames in between are only looked at.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Counts = npt.NDArray[np.integer]

PROBE_DIGITS = 256  # activations are measured on the first training digits, the same at every step
TEST_DIGITS = 1000  # test loss and accuracy while training; the last frame of a run uses the whole test set
BINS = 60
PLACES = ("pre_activation", "normalized", "batchnorm_output", "post_activation")
SATURATED = 0.97  # |tanh| above this counts as saturated
FLAT_SLOPE = 1 - SATURATED**2  # the same point as a share of the activation's steepest slope
CONSTANT = 1e-3  # a neuron whose output varies less than this over the probe digits is dead
BOUNDED = ("tanh", "sigmoid")  # flat at both ends; half of a healthy ReLU layer is flat and no cause for alarm


def bin_range(place: str, activation: str) -> tuple[float, float]:
    """The fixed range of a histogram: the same for every variant and every step, so that pictures compare."""
    if place == "normalized":
        return -5.0, 5.0
    if place == "post_activation" and activation in BOUNDED:
        return -1.0, 1.0
    return -10.0, 10.0


@dataclass(frozen=True)
class LayerFrame:
    """One hidden layer over the probe digits.

    mean: (units,) mean post-activation. saturated: (units,) share of digits, 0 to 1, at which the unit is saturated.
    dead: units with the same output for every digit. always_saturated: units saturated at every digit.
    histograms: place -> (BINS + 3,) counts [below, the BINS bins, above, NaN or infinite].
    """

    mean: Floats
    saturated: Floats
    dead: int
    always_saturated: int
    histograms: dict[str, Counts]


@dataclass(frozen=True)
class VariantFrame:
    """One variant after `step` updates.

    losses: (k,) the training losses of steps `step - k` to `step - 1` that no earlier frame held.
    next_loss: loss on the batch of step `step`, before its update. Losses are mean cross-entropies in nats.
    gradient_norm, update_ratio: (linear layers,) L2 norm of the loss gradient of a layer's weights, and
    log10(std(next update) / std(weights)), both for the batch of step `step`.
    """

    step: int
    losses: Floats
    next_loss: float
    test_loss: float
    test_accuracy: float
    layers: tuple[LayerFrame, ...]
    gradient_norm: Floats
    update_ratio: Floats
    diverged: bool = False


@dataclass(frozen=True)
class Frame:
    """One moment of a run: `tick` counts every step of the trainer and is its deterministic clock.

    step is the step of the least advanced variant that has not diverged, or the last one where all have. seconds is
    time spent training.
    """

    tick: int
    step: int
    seconds: float
    finished: bool
    variants: tuple[VariantFrame, ...]

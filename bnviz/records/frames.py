"""What crosses from the trainer to the screen: frozen records of numpy arrays and plain values.

A Frame is one moment of a run. What falls on a multiple of `TrainingConfig.keep_every` is kept in the History; the
frames in between are only looked at.
"""

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bnviz.experiment.choices import BOUNDED_OUTPUTS

Floats = npt.NDArray[np.floating]
Counts = npt.NDArray[np.integer]

PROBE_DIGITS = 256  # activations are measured on the first training digits, the same at every step
MAP_DIGITS = 16  # of these digits feature maps are measured: a channel of LeNet's first layer has 12,544 values then
MOVING_DIGITS = 64  # the first of them, on which a large network is looked at while it trains, between kept frames
LARGE_DEPTH = 8  # hidden layers; a network with more of them, or with convolutions, is large
PROBED = (  # as pages say it
    f"{PROBE_DIGITS} fixed digits (feature maps: every position of the first {MAP_DIGITS}; networks with convolutions "
    f"or more than {LARGE_DEPTH} hidden layers, while they train: the first {MOVING_DIGITS})"
)
TRAINING_LOSS_STEPS = 100  # the last ones, whose mean is called the training loss of a network
TEST_DIGITS = 1000  # test loss and accuracy while training; the last frame of a run uses the whole test set
EVALUATION_CHUNK = 256  # test digits in one forward pass: their activations stay in the cache, whole batches
POPULATION_DIGITS = 2000  # population statistics while training
LAST_POPULATION_DIGITS = 10_000  # and in the last frame of a run: what more of them move, nobody sees
INFERENCE_DIGITS = 512  # test digits on which the modes of inference are compared: whole batches of every size
BATCH_SIZES = (2, 8, 32, 128)  # of training mode, at inference
STEP_LENGTHS = (0.5, 0.71, 1.0, 1.41, 2.0, 2.83, 4.0)  # in learning rates: where the loss is looked at ahead of a step
BINS = 60
MAGNIFICATIONS = tuple(factor * 10**k for k in range(6, 0, -1) for factor in (2, 1))  # of close-ups
QUANTILES = 128  # of each place of a layer, in kept frames
PLACES = ("pre_activation", "normalized", "batchnorm_output", "post_activation")
PERCENTILES = (15, 50, 85)  # of a unit's inputs, those of figure 1 of Ioffe and Szegedy 2015
SATURATED = 0.97  # |tanh| above this counts as saturated
FLAT_SLOPE = 1 - SATURATED**2  # the same point as a share of the activation's steepest slope
DEAD_SLOPE = 1e-3  # share of the steepest slope; a neuron whose slope is below it at every probe digit is dead


def bin_range(place: str, activation: str) -> tuple[float, float]:
    """Return the fixed range of a histogram: the same for every variant and every step, so that pictures compare."""
    if place == "normalized":
        return -5.0, 5.0
    if place == "post_activation" and activation in BOUNDED_OUTPUTS:
        return -1.0, 1.0
    return -10.0, 10.0


@dataclass(frozen=True)
class CloseUp:
    """The histogram of values that all lie near zero: in `bin_range` they would fill a bin or two.

    magnification: by how much the bins are narrower, of MAGNIFICATIONS. counts: (BINS,) of the bins over
    `bin_range` / magnification; no value lies beyond them.
    """

    magnification: int
    counts: Counts

    def at(self, magnification: int) -> Counts:
        """Return the counts (BINS,) in the bins of a smaller magnification, at least 1: exactly, since bins nest."""
        counts, left = self.counts, self.magnification // magnification
        while left > 1:
            factor = 2 if left % 2 == 0 else 5  # zero, in the middle, stays an edge
            joined = counts.reshape(-1, factor).sum(1)
            counts = np.pad(joined, (BINS - len(joined)) // 2)
            left //= factor
        return counts


@dataclass(frozen=True)
class Summary:
    """Distribution of the values at one place of a layer, finer than bins tell; all NaN if a value is no number.

    mean, variance: to the precision of float64. quantiles: (QUANTILES,) means of equal parts of the sorted values,
    smallest first, rounded to a ten-thousandth of their range. Of all values, not of a sample: the mean of what
    batchnorm normalized hardly moves, that of a sample of it does.
    """

    mean: float
    variance: float
    quantiles: Floats


@dataclass(frozen=True)
class LayerFrame:
    """One hidden layer over the probe digits.

    mean: (units,) mean post-activation, rounded to a hundredth of the layer's range or less. saturated: (units,) share
    of digits, 0 to 1, at which the unit is saturated.
    dead: units whose slope is nearly 0 at every digit. always_saturated: units saturated at every digit.
    histograms: place -> (BINS + 3,) counts [below, the BINS bins, above, NaN or infinite]; empty in a layer that was
    not in focus when the frame was made. close_ups: place -> CloseUp, where all values lie in the middle tenth.
    percentiles: (3, units) PERCENTILES of each unit's input to the activation function, rounded as means are;
    summaries: place -> Summary. Both only in kept frames of a run that is not watched for anything else.
    """

    mean: Floats
    saturated: Floats
    dead: int
    always_saturated: int
    histograms: dict[str, Counts]
    percentiles: Floats | None = None
    summaries: dict[str, Summary] | None = None
    close_ups: dict[str, CloseUp] = field(default_factory=dict)

    def magnification(self, place: str) -> int:
        """Return the largest magnification at which all values of a place are in sight."""
        return self.close_ups[place].magnification if place in self.close_ups else 1

    def counts(self, place: str, magnification: int = 1) -> Counts:
        """Return (BINS + 3,) counts as in `histograms`, over `bin_range` / magnification, at most that of the place."""
        found = self.histograms[place]
        if magnification == 1:
            return found
        closer = found.copy()
        closer[1 : BINS + 1] = self.close_ups[place].at(magnification)
        return closer


@dataclass(frozen=True)
class Focus:
    """What is shown of a run while it moves. layers: the hidden layers whose histograms every frame holds; None: all.

    Kept frames, and those in which a network diverged, hold everything whatever is shown.
    """

    layers: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Statistics:
    """Mean and variance of every unit of one batchnorm layer, each (units,): what the layer keeps (running), what it
    sees in the batch of the next step, and what they stand for (population). The variances are unbiased."""

    running_mean: Floats
    running_var: Floats
    batch_mean: Floats
    batch_var: Floats
    population_mean: Floats
    population_var: Floats


@dataclass(frozen=True)
class InferenceFrame:
    """Test losses of one network with batchnorm at inference, and the statistics behind them.

    losses: test loss in "eval" mode, with "population" statistics, and with those of batches of 2, 8, 32, 128 digits.
    layers: one for each hidden layer.
    """

    losses: dict[str, float]
    layers: tuple[Statistics, ...]


@dataclass(frozen=True)
class Smoothness:
    """Loss and gradient g ahead of one network, along the direction in which it is about to step.

    All on the batch of the step, with its statistics and without noise; w are all trained parameters. For each eta of
    STEP_LENGTHS times the learning rate `rate`: losses, L(w - eta g); changes, ||g(w - eta g) - g(w)||. Both (K,).
    loss, gradient: L(w) and ||g(w)||. weights: (linear layers,) ||W||. gap: loss on the test digits minus that on as
    many training digits, both in eval mode; NaN in frames that did not look.
    """

    rate: float
    loss: float
    gradient: float
    losses: Floats
    changes: Floats
    weights: Floats
    gap: float

    @cached_property  # charts ask for it again with every frame
    def beta(self) -> float:
        """The effective beta-smoothness: the largest ||g(w - eta g) - g(w)|| / (eta ||g(w)||); NaN if g is zero."""
        distance = np.array(STEP_LENGTHS) * self.rate * self.gradient
        return float(np.max(self.changes / distance)) if distance[0] > 0 else math.nan


@dataclass(frozen=True)
class VariantFrame:
    """One variant after `step` updates.

    losses: (k,) the training losses of steps `step - k` to `step - 1` that no earlier frame held.
    next_loss: loss on the batch of step `step`, before its update. Losses are mean cross-entropies in nats.
    gradient_norm, update_ratio: (linear layers,) L2 norm of the loss gradient of a layer's weights, and
    log10(std(next update) / std(weights)), both for the batch of step `step`.
    tested_at: the step at which the test results were measured, which while training is now and then; None: this one.
    tested_on_all: whether on all test digits, as at the end of a run, or on the first TEST_DIGITS: results that differ.
    inference, smoothness: only if a trainer was asked to watch them; smoothness in kept frames.
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
    inference: InferenceFrame | None = None
    smoothness: Smoothness | None = None
    tested_at: int | None = None
    tested_on_all: bool = False

    @property
    def tested(self) -> int:
        """The step at which the test results were measured."""
        return self.step if self.tested_at is None else self.tested_at

    @property
    def saturated(self) -> float:
        """The largest saturated share among its layers, 0 to 1."""
        return max((float(layer.saturated.mean()) for layer in self.layers), default=0.0)

    def shows(self, focus: Focus) -> bool:
        """Return whether the frame holds the histograms of every layer in focus that the network has."""
        shown = (layer for k, layer in enumerate(self.layers) if focus.layers is None or k in focus.layers)
        return all(layer.histograms for layer in shown)


@dataclass(frozen=True)
class Frame:
    """One moment of a run: `tick` counts every step of the trainer and is its deterministic clock.

    step is the step of the least advanced variant that has not diverged, or the last one if all have. seconds is
    time spent training.
    """

    tick: int
    step: int
    seconds: float
    finished: bool
    variants: tuple[VariantFrame, ...]

    def shows(self, focus: Focus) -> bool:
        """Return whether the frame holds the histograms of every layer in focus, in the networks that have it."""
        return all(variant.shows(focus) for variant in self.variants)

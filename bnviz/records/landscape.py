"""What is measured of a loss landscape beside the frames of a run: slices, sharpness, learning rates, scales, noise."""

from dataclasses import dataclass
from typing import Literal

from bnviz.records.frames import Floats

Plane = Literal["random", "path", "line"]
RESOLUTIONS = (25, 51, 75, 101)  # points along each side of a slice
SLICE_DIGITS = (250, 1000, 4000)  # that a slice is measured on
SHARPNESS_DIGITS = 500
SEARCH_STEPS = 150  # of one trial in the search for the largest learning rate
SEARCH_SEEDS = 3
LEARNED_BELOW = (
    2.0  # nats: a network that trains has a mean loss below this over the last fifth of those steps; ln 10 = 2.30
)
WEIGHT_SCALES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # of a layer's weights
NOISE_DIGITS = 2000
NOISE_SIZES = (2, 4, 8, 16, 32, 64, 128, 256)  # digits in a batch


@dataclass(frozen=True)
class Slice:
    """The loss of one network around its weights at `step`, on the first `digits` training digits with the statistics
    of just those.

    x (n,), y (m,): coordinates along the two directions, 0 at the weights. loss (m, n); m = 1 for a line.
    centre: the loss at the weights. path (k, 2), path_steps: where the network came from, in this plane.
    explained: shares of the squared distances of the path's points from the weights, which are not centred on their
    mean, along x and y; empty for other planes.
    """

    kind: Plane
    step: int
    digits: int
    x: Floats
    y: Floats
    loss: Floats
    centre: float
    path: Floats
    path_steps: tuple[int, ...]
    explained: tuple[float, ...]


Slices = tuple[Slice | str, ...]  # of all networks; in place of one, why there is none


@dataclass(frozen=True)
class Sharpness:
    """Largest eigenvalue of the loss's Hessian with respect to all trained parameters of one network, (k,), after
    `steps` (k,) updates, on SHARPNESS_DIGITS training digits with their statistics. limit (k,): above it, gradient
    descent with the learning rate and momentum of that step is unstable on a quadratic, 2 (1 + momentum) / rate;
    infinite at a rate of 0."""

    steps: Floats
    eigenvalue: Floats
    limit: Floats


@dataclass(frozen=True)
class LargestRates:
    """Largest learning rates that train. rates: (networks, seeds), the largest constant one with which each network
    still learned in SEARCH_STEPS steps, to a twelfth; `lowest` or below if none did, `highest` or above if all did."""

    seeds: tuple[int, ...]
    rates: Floats
    lowest: float
    highest: float


@dataclass(frozen=True)
class Scaling:
    """One network at `step`, on the batch of its next step, with the weights W of one hidden layer scaled by each a of
    WEIGHT_SCALES. gradient, one for each a: norm of the loss gradient of a W, over that at a = 1. difference, likewise:
    largest change of a logit."""

    step: int
    gradient: Floats
    difference: Floats


@dataclass(frozen=True)
class BatchNoise:
    """Noise of batch statistics, against those of many digits, in layer 1 of one network at `step`.

    Each (NOISE_SIZES,), averaged over the units. mean: standard deviation, over batches, of the batch mean, in standard
    deviations of the unit. variance: that of the batch variance's ratio to the unit's.
    """

    step: int
    mean: Floats
    variance: Floats

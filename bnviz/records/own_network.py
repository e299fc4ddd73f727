"""What is seen of a network of the user's own: its layers, a look at them, and what was found."""

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Kind = Literal["linear", "convolution", "activation", "normalization", "dropout"]
Severity = Literal["serious", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

BINS = 24
QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
NOTHING = np.empty(0)


@dataclass(frozen=True)
class Normalization:
    """How a layer normalizes.

    over_batch: over the batch, as batchnorm does, and not within each example. momentum: share of the newest batch,
    None for the cumulative average. tracked: whether it has running statistics. learns: whether gamma and beta get a
    gradient, None if there are none. decay, rate: weight decay on gamma and beta, and the learning rate, as the
    optimizer has them.
    """

    over_batch: bool
    eps: float
    momentum: float | None
    tracked: bool
    learns: bool | None
    decay: float = 0.0
    rate: float = 0.0


@dataclass(frozen=True)
class Layer:
    """One use of a module in a forward pass, in the order of the pass.

    name: its path, and which use of several it is. takes: the name of the layer whose output it takes as it is, or
    empty. bias: whether it adds one. dropout: the probability with which it drops. weights: whether it has any.
    """

    name: str
    kind: Kind
    module: str
    takes: str = ""
    bias: bool = False
    dropout: float = 0.0
    weights: bool = False
    normalization: Normalization | None = None


@dataclass(frozen=True)
class Network:
    """What does not change from look to look.

    unseen: what cannot be seen, a sentence each. classes: of a classifier whose loss is the cross-entropy, else None.
    last_batch: examples in the last batch of an epoch, None if that is not known. model: its class. parameters: how
    many numbers it learns.
    """

    name: str
    layers: tuple[Layer, ...]
    unseen: tuple[str, ...] = ()
    classes: int | None = None
    last_batch: int | None = None
    model: str = ""
    parameters: int = 0


@dataclass(frozen=True)
class NormalizationLook:
    """A normalization layer at one moment; C channels, K passes.

    training: whether it normalized with the statistics of the batch. counter: batches tracked, None if it counts none.
    running_mean, running_var, gamma, beta: (C,), empty if the layer has none. batch_mean, batch_var: (K, C), of
    each pass, the variance unbiased. values: (K,), values a channel. population_mean, population_var: (C,), over all
    passes at hand: the mean of all values and the pooled variance within the batches. unfit: channels whose running
    statistics are not finite, or a variance negative. uses: passes through the layer for one through the network.
    alike: cosine of the angle between its outputs with the statistics of the batch and with the running ones.
    """

    training: bool
    counter: int | None
    running_mean: Floats = field(default_factory=NOTHING.copy)
    running_var: Floats = field(default_factory=NOTHING.copy)
    gamma: Floats = field(default_factory=NOTHING.copy)
    beta: Floats = field(default_factory=NOTHING.copy)
    batch_mean: Floats = field(default_factory=lambda: np.empty((0, 0)))
    batch_var: Floats = field(default_factory=lambda: np.empty((0, 0)))
    values: Counts = field(default_factory=lambda: np.empty(0, np.int64))
    population_mean: Floats = field(default_factory=NOTHING.copy)
    population_var: Floats = field(default_factory=NOTHING.copy)
    unfit: int = 0
    uses: int = 1
    alike: float = math.nan


@dataclass(frozen=True)
class LayerLook:
    """One layer's outputs at one moment, and what training does to its weights. What is not known is NaN.

    quantiles: at QUANTILES. counts: of a sample, in BINS bins of one width from low to high. saturated: share of the
    values whose slope is below 5.9 % of the steepest, of an activation that is flat at both ends. dead: share of the
    units whose slope is 0 for every input. gradient: L2 norm of the weights' gradient. update: standard deviation of
    the last change of the weights over that of the weights. unfit: parameters that are not finite.
    """

    mean: float = math.nan
    std: float = math.nan
    quantiles: Floats = field(default_factory=NOTHING.copy)
    counts: Counts = field(default_factory=lambda: np.zeros(BINS, np.int64))
    low: float = math.nan
    high: float = math.nan
    saturated: float = math.nan
    dead: float = math.nan
    gradient: float = math.nan
    update: float = math.nan
    unfit: int = 0
    normalization: NormalizationLook | None = None


@dataclass(frozen=True)
class Look:
    """A network at one moment, one entry of `layers` for each of the network's.

    loss: in training. examples: in a batch, 0 if not known. first_loss: the very first one that was seen. batch_loss,
    eval_loss: on the same batches with everything in eval mode, with the statistics of each batch and with the running
    ones; NaN if not measured.
    """

    step: int
    layers: tuple[LayerLook, ...]
    loss: float = math.nan
    examples: int = 0
    first_loss: float = math.nan
    batch_loss: float = math.nan
    eval_loss: float = math.nan


@dataclass(frozen=True)
class Finding:
    """Something that a rule found.

    rule: its key. layer: the layer's name, or empty for the whole network. numbers: what was measured, by name.
    threshold: what they were compared with, in words. text: what was found, with the numbers. meaning: what it does.
    advice: what to do. lab: the address, below that of the app, of a page that shows it.
    instead: what that shows in its place, where the lab cannot have the very fault.
    """

    rule: str
    severity: Severity
    layer: str
    numbers: dict[str, float]
    threshold: str
    text: str
    meaning: str
    advice: str
    lab: str
    source: str
    instead: str = ""

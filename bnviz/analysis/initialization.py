"""What follows from the measured logits of a network: its probabilities, how its logits spread, and what theory expects
of the gradient that they send back."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bnviz.records.initialization import InitialNetwork, InitialSetting
from bnviz.theory.propagation import Theory, propagate

Array = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class LogitSpread:
    """How the logits of a network spread over the digits.

    mean, std: (classes,) of each logit over the digits. between: standard deviation of the means of the classes.
    within: standard deviation of one digit's logits, averaged over the digits.
    """

    mean: Array
    std: Array
    between: float
    within: float


def logit_spread(logits: Array) -> LogitSpread:
    """The spread of logits (digits, classes); inf or NaN if some of them are."""
    with np.errstate(invalid="ignore", over="ignore"):
        mean = logits.mean(axis=0)
        return LogitSpread(mean, logits.std(axis=0), float(mean.std()), float(logits.std(axis=1).mean()))


def softmax(logits: Array) -> Array:
    """Return probabilities (digits, classes) of logits of the same shape, in double precision: e^z_k / sum_j e^z_j."""
    values = logits.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        powers = np.exp(values - values.max(axis=1, keepdims=True))
        shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares


def expected_propagation(setting: InitialSetting, found: InitialNetwork) -> Theory:
    """Return what theory expects of the untrained network, given its inputs and the measured gradient at its logits.

    The gradient of one digit's cross-entropy with respect to its logits is dL/dz = softmax(z) - one-hot(label).
    """
    gradient = softmax(found.logits)
    gradient[np.arange(len(gradient)), found.labels] -= 1
    squares = np.nan_to_num(gradient**2).sum(axis=1)
    return propagate(setting.network, found.inputs, squares, batchnorm=setting.batchnorm)

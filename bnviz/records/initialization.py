"""What crosses from the worker to the page on initialization: settings, and what was measured on untrained networks."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bnviz.experiment.choices import BOUNDED_OUTPUTS
from bnviz.experiment.config import Activation, BatchNormConfig, Init, NetworkConfig, TrainingConfig, Variant
from bnviz.records.frames import Counts, Floats

ACTIVATION_BINS = 41  # odd: zero lies in the middle of a bin
WEIGHT_BINS = 80
FARTHEST_ACTIVATION = 1e4  # activations without an end are counted on a scale of asinh, up to here
DERIVED_SCALES = (0.5, 1.0, 2.0)  # around a derived one
DERIVED: dict[Init, Activation] = {"xavier_normal": "tanh", "he_normal": "relu"}  # schemes, and what they are made for
DERIVED_DEPTH = 20
MAX_UNITS = 5120  # hidden layers times width: ten networks of this size are measured in some two seconds
MAX_TRAINED_STEPS = 1000  # a trained network is trained anew for every question about it
SIGN_BATCHES = (1, 32, 256)  # digits in the batch whose gradient is looked at
INPUT_KINDS = ("raw", "standardized", "centred")


@dataclass(frozen=True)
class InitialSetting:
    """One network, and how many steps it has been trained."""

    network: NetworkConfig
    batchnorm: bool
    standardize: bool
    seed: int
    steps: int = 0

    @property
    def variant(self) -> Variant:
        return Variant(self.network, BatchNormConfig() if self.batchnorm else None)

    @property
    def training(self) -> TrainingConfig:
        return TrainingConfig(standardize=self.standardize, seed=self.seed)


def activation_edges(activation: str) -> npt.NDArray[np.float64]:
    """Return the edges of the bins in which a layer's activations are counted: from end to end if they are bounded,
    else on a scale of asinh."""
    far = math.asinh(FARTHEST_ACTIVATION)
    low, high = BOUNDED_OUTPUTS.get(activation, (-far, far))
    return np.linspace(low, high, ACTIVATION_BINS + 1)


@dataclass(frozen=True)
class Inputs:
    """Sums that the theory needs of digits x: (digits,) sum_i x_i, sum_i x_i^2; and sum_i Var[x_i] over the digits."""

    sums: Floats
    squares: Floats
    spread: float


@dataclass(frozen=True)
class Propagated:
    """Activations and gradients of one network over the probe digits: a value for each hidden layer, over its units
    and the digits together.

    gradient: (linear layers,) root mean square of the gradient of one digit's loss with respect to the outputs of a
    linear layer, the logits last. histograms: (hidden layers, ACTIVATION_BINS) counts; what lies beyond is in the
    outermost bins, what is not finite in none.
    """

    mean: Floats
    std: Floats
    saturated: Floats
    gradient: Floats
    histograms: Counts
    loss: float


@dataclass(frozen=True)
class WeightHistogram:
    """One layer's weights: WEIGHT_BINS + 1 edges and the counts between them; mean and std of the finite ones."""

    fan_in: int
    fan_out: int
    edges: Floats
    counts: Counts
    mean: float
    std: float


@dataclass(frozen=True)
class InitialNetwork:
    """All that is measured on one network. logits: (digits, 10); labels: (digits,)."""

    propagated: Propagated
    weights: tuple[WeightHistogram, ...]
    inputs: Inputs
    logits: Floats
    labels: Counts
    steps: int


@dataclass(frozen=True)
class SignAgreement:
    """Shares of gradients with the same sign, 0.5 to 1, among the weights of every neuron of the first layer.

    shares: (kind of input, digits in the batch) -> (units,). Counted are the pixels that carry ink in the batch.
    Neurons without a gradient are left out.
    """

    shares: dict[tuple[str, int], Floats]

"""What goes into a network, and its layers: how many inputs and units each has, and which are convolutions."""

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Literal

SIDE, CLASSES = 28, 10
PIXELS = SIDE * SIDE
MEAN_PIXEL, STD_PIXEL = 0.1307, 0.3081  # of MNIST's 60,000 training images, with pixels from 0 to 1
LN_10 = math.log(CLASSES)  # nats: the cross-entropy of ten equal probabilities, which a network that knows nothing has


Pooling = Literal["average", "max"]


@dataclass(frozen=True)
class Layer:
    """The linear map of one layer, dense or a convolution: `units` neurons or channels from `inputs` of them.

    A convolution slides a kernel × kernel window over its padded inputs, gives maps of size × size values, and after
    its activation pools them over 2 × 2 values. A dense layer has kernel 0, size 1 and no pooling.
    """

    inputs: int
    units: int
    kernel: int = 0
    padding: int = 0
    size: int = 1
    pooling: Pooling | None = None

    @property
    def fan_in(self) -> int:
        """Inputs of one unit: of a convolution, those of its whole window."""
        return self.inputs * max(self.kernel, 1) ** 2

    @property
    def unit(self) -> str:
        """What a unit is called: 'neuron', or 'channel' of a convolution."""
        return "channel" if self.kernel else "neuron"


LENET = (
    Layer(1, 6, kernel=5, padding=2, size=28, pooling="average"),
    Layer(6, 16, kernel=5, size=10, pooling="average"),
    Layer(16 * 5 * 5, 120),
    Layer(120, 84),
    Layer(84, CLASSES),
)
CNN = (
    Layer(1, 20, kernel=5, size=24, pooling="max"),
    Layer(20, 50, kernel=5, size=8, pooling="max"),
    Layer(50 * 4 * 4, 500),
    Layer(500, CLASSES),
)


@cache  # figures and findings ask for it some hundred times a frame
def perceptron(hidden_layers: int, width: int) -> tuple[Layer, ...]:
    """Return the layers of a multilayer perceptron from pixels to logits."""
    sizes = [PIXELS, *[width] * hidden_layers, CLASSES]
    return tuple(Layer(i, o) for i, o in pairwise(sizes))

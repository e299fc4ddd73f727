"""How weights are drawn before the first step.

Every scheme draws a tensor in PyTorch's layout, (units, inputs) or (units, inputs, kernel, kernel), from one generator,
so that the same seed gives the same weights here and in `torch.nn`, and returns a matrix (fan_in, units), the layout of
the stack. Of a convolution fan_in = inputs kernel^2 and fan_out = units kernel^2.

What the schemes are is in `bnviz.experiment.inits`: names, laws and sources.
"""

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import init

from bnviz.experiment.config import Layer
from bnviz.experiment.inits import SCHEMES, Init

Draw = Callable[[Tensor, Generator], Tensor]

_DRAW: dict[Init, Draw] = {
    "rand": lambda w, g: init.uniform_(w, 0.0, 1.0, generator=g),
    "rand_fan_in": lambda w, g: init.uniform_(w, 0.0, 1.0, generator=g).div_(math.sqrt(w[0].numel())),
    "normal": lambda w, g: init.normal_(w, generator=g),
    "xavier_normal": lambda w, g: init.xavier_normal_(w, generator=g),
    "xavier_uniform": lambda w, g: init.xavier_uniform_(w, generator=g),
    "he_normal": lambda w, g: init.kaiming_normal_(w, nonlinearity="relu", generator=g),
    "he_uniform": lambda w, g: init.kaiming_uniform_(w, nonlinearity="relu", generator=g),
    "lecun_normal": lambda w, g: init.normal_(w, std=1 / math.sqrt(w[0].numel()), generator=g),
    "orthogonal": lambda w, g: init.orthogonal_(w, generator=g),
    "torch_default": lambda w, g: init.kaiming_uniform_(w, math.sqrt(5), generator=g),
    "zeros": lambda w, g: init.zeros_(w),
}


def draw(scheme: Init, layer: Layer, scale: float, generator: Generator) -> Tensor:
    """Return a weight matrix (fan_in, units), float32, drawn by `scheme` and multiplied by `scale`."""
    weight = torch.empty(layer.units, layer.inputs, *[layer.kernel] * 2 if layer.kernel else [])
    return _DRAW[scheme](weight, generator).mul_(scale).flatten(1).t().contiguous()


def draw_bias(scheme: Init, layer: Layer, scale: float, generator: Generator) -> Tensor:
    """Return biases (1, units): zeros, or U[-1, 1) scale / sqrt(fan_in), drawn after the weights as in torch."""
    bias = torch.zeros(1, layer.units)
    if SCHEMES[scheme].draws_biases:
        end = 1 / math.sqrt(layer.fan_in)
        init.uniform_(bias, -end, end, generator=generator).mul_(scale)
    return bias

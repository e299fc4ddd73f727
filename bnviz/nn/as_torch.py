"""A network of a stack as torch's own layers, for whoever uses it elsewhere."""

import re

import torch
from torch import Tensor, nn

from bnviz.experiment.config import SIDE, BatchNormConfig, Layer, Variant
from bnviz.nn.layers import Linear
from bnviz.nn.network import Stack
from bnviz.nn.stacked import StackedBatchNorm
from bnviz.theory.activations import ACTIVATION_FUNCTIONS


def as_sequential(stack: Stack, variant: Variant) -> nn.Sequential:
    """Return the first network of a stack, with batchnorm or plain, as an nn.Sequential in eval mode.

    It maps (N, 784) to (N, 10). Its layers are in the order of an exported script, their values copies. Batchnorm gets
    the statistics that eval mode goes by: those of the population, if the variant asks for them and they were measured,
    else the running ones.
    Raises ValueError if eval mode takes the statistics of the batch at hand, which no layer keeps.
    """
    bn = variant.batchnorm
    if bn is not None and bn.inference == "batch":
        raise ValueError("inference: give 'running' or 'population'; the batch at hand leaves no statistics to keep")
    norms = [norm for norm, _ in stack.norms_of(0)]
    modules: list[nn.Module] = []
    maps = False
    for place, (layer, linear) in enumerate(zip(variant.network.layers, stack.linears(), strict=True)):
        if bool(layer.kernel) != maps:
            modules.append(nn.Unflatten(1, (1, SIDE, SIDE)) if layer.kernel else nn.Flatten())
            maps = not maps
        modules.append(_linear(layer, linear))
        if place == len(stack.hidden):
            break
        modules.append(_activation(variant.network.activation))
        if bn is not None:
            norm = _batchnorm(norms[place], bn, maps=maps)
            modules.insert(len(modules) - (bn.position == "before"), norm)
        if layer.pooling:
            modules.append(nn.MaxPool2d(2) if layer.pooling == "max" else nn.AvgPool2d(2))
    return nn.Sequential(*modules).eval()


def _linear(layer: Layer, linear: Linear) -> nn.Linear | nn.Conv2d:
    made: nn.Linear | nn.Conv2d
    if layer.kernel:
        made = nn.Conv2d(layer.inputs, layer.units, layer.kernel, padding=layer.padding)
    else:
        made = nn.Linear(layer.inputs, layer.units)
    _copy(made.weight, linear.weight.value[0].T)  # a stack has inputs first, and kernels as columns
    _copy(made.bias, linear.bias.value[0])
    return made


def _activation(name: str) -> nn.Module:
    """torch's module, made from the words that a script has for it."""
    found = re.fullmatch(r"nn\.(\w+)\((.*)\)", ACTIVATION_FUNCTIONS[name].module)
    assert found is not None
    made: nn.Module = getattr(nn, found[1])(*[float(found[2])] if found[2] else [])
    return made


def _batchnorm(norm: StackedBatchNorm, bn: BatchNormConfig, *, maps: bool) -> nn.Module:
    measured = norm.population if bn.inference == "population" else None
    mean, var = measured or (norm.running_mean, norm.running_var)
    made = (nn.BatchNorm2d if maps else nn.BatchNorm1d)(norm.gamma.value[0].numel(), bn.eps)
    assert norm.beta is not None
    values = {"weight": norm.gamma.value, "bias": norm.beta.value, "running_mean": mean, "running_var": var}
    for name, value in values.items():
        _copy(getattr(made, name), value[0])
    return made


def _copy(tensor: Tensor | None, value: Tensor) -> None:
    assert tensor is not None
    with torch.no_grad():
        tensor.copy_(value.reshape(tensor.shape))

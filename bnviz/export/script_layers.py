"""The layers of a network as lines of PyTorch: torch's own, and what a script brings along where torch has none."""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from bnviz.experiment.config import BatchNormConfig, NetworkConfig, NormalizerConfig, Variant
from bnviz.experiment.layers import CLASSES, PIXELS, SIDE, Layer
from bnviz.theory.activations import ACTIVATION_FUNCTIONS

Normalizing = BatchNormConfig | NormalizerConfig | None
NN = Path(__file__).parents[1] / "nn"  # read, never imported here: it needs torch


def sequential(net: NetworkConfig, norm: Normalizing) -> str:
    """Return the lines, in a function, that make a network as nn.Sequential `network`."""
    last = net.layers[-1]
    if net.architecture == "mlp":
        return f"""    layers, fan_in = [], {PIXELS}
    for _ in range({net.hidden_layers}):
        layers += [{_hidden(net.hidden[0], net, norm, "fan_in")}]
        fan_in = {net.width}
    network = nn.Sequential(*layers, nn.Linear(fan_in, {CLASSES}))"""
    rows = [f"nn.Unflatten(1, (1, {SIDE}, {SIDE}))"]
    for before, layer in zip((None, *net.hidden), net.layers, strict=True):
        rows += ["nn.Flatten()"] if before and before.kernel and not layer.kernel else []
        linear = f"nn.Linear({last.inputs}, {last.units})"
        rows += [linear if layer is last else _hidden(layer, net, norm, layer.inputs)]
    listed = "".join(f"        {row},\n" for row in rows)
    return f"    network = nn.Sequential(\n{listed}    )"


def _hidden(layer: Layer, net: NetworkConfig, norm: Normalizing, fan_in: str | int) -> str:
    linear = f"nn.Linear({fan_in}, {layer.units})"
    if layer.kernel:
        linear = f"nn.Conv2d({layer.inputs}, {layer.units}, {layer.kernel}, padding={layer.padding})"
    modules = [linear, ACTIVATION_FUNCTIONS[net.activation].module]
    normalizer = _batchnorm(layer, norm) if isinstance(norm, BatchNormConfig) else _normalizer(layer, norm)
    if norm and normalizer:
        modules.insert(1 if norm.position == "before" else 2, normalizer)
    if layer.pooling:
        modules.append("nn.MaxPool2d(2)" if layer.pooling == "max" else "nn.AvgPool2d(2)")
    return ", ".join(modules)


def _batchnorm(layer: Layer, bn: BatchNormConfig) -> str:
    momentum = None if bn.cumulative else bn.momentum
    usual = f"{layer.units}, eps={bn.eps!r}, momentum={momentum!r}, affine={bn.affine}"
    if bn.inference == "batch":
        usual += ", track_running_stats=False"
    if not _is_unusual(bn):
        return f"nn.BatchNorm{2 if layer.kernel else 1}d({usual})"
    running = "standard deviation" if bn.running == "std" else "variance"
    noise = f"noise={bn.noise!r}, noisy={bn.noisy}"
    return f"BatchNorm({usual}, bessel={bn.bessel}, running={running!r}, detach={bn.detach}, {noise})"


def _normalizer(layer: Layer, norm: NormalizerConfig | None) -> str:
    """torch's own layer; nothing if its activations stay as they are."""
    if norm is None or norm.kind == "weight" or not norm.is_in(layer):
        return ""
    values = f"({layer.units}, {layer.size}, {layer.size})" if layer.kernel else f"{layer.units}"
    return {
        "layer": f"nn.LayerNorm({values}, eps={norm.eps!r}, elementwise_affine={norm.affine})",
        "rms": f"nn.RMSNorm({values}, eps={norm.eps!r}, elementwise_affine={norm.affine})",
        "group": f"nn.GroupNorm({norm.groups}, {layer.units}, eps={norm.eps!r}, affine={norm.affine})",
        "instance": f"nn.InstanceNorm2d({layer.units}, eps={norm.eps!r}, affine={norm.affine})",
    }[norm.kind]


def standardizing(variant: Variant) -> str:
    """The lines that standardize the weights of the hidden layers, once they are drawn."""
    if (norm := variant.normalizer) is None or norm.kind != "weight":
        return ""
    return f"""    for layer in [layer for layer in network if isinstance(layer, LINEAR)][:-1]:
        parametrize.register_parametrization(layer, "weight", Standardized(layer, {norm.eps!r}, {norm.affine}))
"""


def own_layers(variants: Sequence[Variant]) -> str:
    """What torch has no layer for, as far as these networks need it."""
    unusual = any(_is_unusual(v.batchnorm) for v in variants)
    standardized = any(v.normalizer and v.normalizer.kind == "weight" for v in variants)
    return (_own_layer() if unusual else "") + (_STANDARDIZED if standardized else "")


def _is_unusual(bn: BatchNormConfig | None) -> bool:
    """Tell whether torch's own batchnorm lacks one of its options."""
    return bn is not None and (
        bn.bessel or bn.detach or bn.noise > 0 or bn.noisy or bn.running == "std" or bn.inference == "population"
    )


@lru_cache(maxsize=1)
def _own_layer() -> str:
    """The layer and the module of ours that it imports, in one piece."""
    modules = [(NN / name).read_text(encoding="utf-8").rstrip() for name in ("derivatives.py", "batchnorm.py")]
    return "\n\n" + "\n\n\n".join(re.sub(r"^from bnviz.*\n", "", text, flags=re.MULTILINE) for text in modules)


_STANDARDIZED = '''

from torch.nn.utils import parametrize


class Standardized(nn.Module):
    """Weight standardization: the weights of each unit without their mean, of length gamma."""

    def __init__(self, layer, eps, affine):
        super().__init__()
        self.eps = eps
        self.gamma = nn.Parameter(torch.ones(len(layer.weight)), requires_grad=affine)

    def forward(self, weight):
        rows = weight.flatten(1)
        rows = rows - rows.mean(1, keepdim=True)
        rows = rows * torch.rsqrt(rows.square().sum(1, keepdim=True) + self.eps)
        return (self.gamma[:, None] * rows).view_as(weight)
'''

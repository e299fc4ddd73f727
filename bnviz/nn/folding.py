"""Batch normalization folded into the linear layer beside it: the same answers at inference with a layer less."""

import copy
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.pooling import _AdaptiveAvgPoolNd, _AvgPoolNd
from torch.nn.utils.parametrize import is_parametrized

N = TypeVar("N", bound=nn.Module)
Find = Callable[[object], nn.Module | None]


def fold(network: N) -> N:
    """Return a copy in eval mode whose linear layers have taken in the batchnorm beside them, now `nn.Identity`.

    In eval mode batchnorm is s x + t in each channel: s = gamma / sqrt(v + eps), t = beta - r s, with the running mean
    r and variance v. A dense layer or convolution W x + b before it takes both in, per output channel:

        W' = W gamma / sqrt(v + eps);   b' = beta + (b - r) gamma / sqrt(v + eps)

    (Jacob et al. 2018, section 3.2; Markuš 2018). Behind an activation no layer before it can, but the next one, per
    input channel, also behind average pooling, `nn.Flatten` and dropout:

        W (s h + t) + b = (W s) h + (b + W t)

    unless it is a convolution that pads with zeros, where t would have to stand. A batchnorm that has neither stays, as
    does one beside a layer that is used more than once, whose parameters the network also reads itself, or that has
    hooks or parametrizations. Products are taken in double precision and rounded once.

    The network is traced by `torch.fx`: `nn.Sequential`, ResNets, and whatever else goes one way for every input. What
    passes between batchnorm and an `nn.Linear` is taken for (N, C), unless `nn.Flatten` makes it so.

    Raises ValueError for a batchnorm in train mode that is not frozen, or without running statistics: what normalizes
    there depends on the batch, and no weights can hold it; and for a network that cannot be traced.
    """
    for name, layer in network.named_modules():
        if isinstance(layer, _BatchNorm):
            _require_statistics(name, layer)
    folded = copy.deepcopy(network).eval()
    graph = _traced(folded)
    calls = Counter(str(node.target) for node in graph.nodes if node.op == "call_module")
    read = {str(node.target).rpartition(".")[0] for node in graph.nodes if node.op == "get_attr"}

    def module_of(node: object) -> nn.Module | None:
        """The module that a node calls, unless it is more than what it computes there."""
        if not isinstance(node, fx.Node) or node.op != "call_module":
            return None
        name, module = str(node.target), folded.get_submodule(str(node.target))
        altered = module._forward_hooks or module._forward_pre_hooks or is_parametrized(module)
        return None if calls[name] > 1 or name in read or altered else module

    for node in graph.nodes:
        norm = module_of(node)
        if not isinstance(norm, _BatchNorm):
            continue
        s, t = _scale_and_shift(norm)
        if _into_the_one_before(node, s, t, module_of) or _into_the_next(node, s, t, module_of):
            _replace(folded, norm, nn.Identity())
    return folded


def _traced(network: nn.Module) -> fx.Graph:
    try:
        return fx.Tracer().trace(network)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"network: torch.fx cannot trace it: {error}") from error


def _replace(network: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put a module in place of another, under every name that the network has for it."""
    for parent in list(network.modules()):
        for name in [name for name, child in parent._modules.items() if child is old]:
            setattr(parent, name, new)


def _require_statistics(name: str, norm: _BatchNorm) -> None:
    if not name:
        raise ValueError("network: give one that has layers beside its batchnorm")
    if norm.running_mean is None:
        raise ValueError(f"{name}: without running statistics it normalizes with the batch, which no weights can hold")
    if norm.training and not getattr(norm, "frozen", False):
        raise ValueError(f"{name}: in train mode it normalizes with the batch, which no weights can hold; call eval()")


def _scale_and_shift(norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    """s and t of y = s x + t, each (C,), in double precision."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = torch.rsqrt(norm.running_var.double() + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight.double()
    shift = -norm.running_mean.double() * scale
    return scale, shift if norm.bias is None else shift + norm.bias.double()


def _into_the_one_before(node: fx.Node, s: Tensor, t: Tensor, module_of: Find) -> bool:
    """Fold into the layer whose output batchnorm takes, and say whether there is one."""
    before = node.args[0] if node.args else node.kwargs["input"]
    linear = module_of(before)
    if not isinstance(linear, nn.Linear | _ConvNd) or not isinstance(before, fx.Node) or len(before.users) > 1:
        return False
    outputs = linear.out_features if isinstance(linear, nn.Linear) else linear.out_channels
    if outputs != len(s):
        return False
    of_weights = s[:, None]
    if isinstance(linear, _ConvTransposeNd):  # its weights are (inputs, outputs / groups, ...)
        of_weights = s.view(linear.groups, -1).repeat_interleave(linear.in_channels // linear.groups, 0)
    _fold(linear, of_weights, t if linear.bias is None else t + linear.bias.double() * s)
    return True


def _into_the_next(node: fx.Node, s: Tensor, t: Tensor, module_of: Find) -> bool:
    """Fold into the layer that takes batchnorm's output, and say whether there is one that can."""
    flat = False
    while len(node.users) == 1:
        node = next(iter(node.users))
        layer = module_of(node)
        if isinstance(layer, nn.Flatten) and (layer.start_dim, layer.end_dim) == (1, -1):
            flat = True
        elif not isinstance(layer, _DropoutNd | nn.Identity | _AdaptiveAvgPoolNd) and not _averages(layer):
            break
    else:
        return False
    if isinstance(layer, nn.Linear) and (flat or layer.in_features == len(s)):
        places = layer.in_features // len(s)  # of each channel
        s, t = (each.repeat_interleave(places)[None] for each in (s, t))
    elif isinstance(layer, _ConvNd) and not isinstance(layer, _ConvTransposeNd) and not _pads_with_zeros(layer):
        outputs = layer.out_channels // layer.groups
        s, t = (each.view(layer.groups, -1).repeat_interleave(outputs, 0) for each in (s, t))
    else:
        return False
    through = (layer.weight.double() * _beside(t, layer.weight)).flatten(1).sum(1)
    _fold(layer, s, through if layer.bias is None else through + layer.bias.double())
    return True


def _fold(linear: nn.Linear | _ConvNd, of_weights: Tensor, bias: Tensor) -> None:
    """Multiply the weights by a factor for each row and column, (rows, columns) or broadcast; exchange the bias."""
    weight = linear.weight
    linear.weight = nn.Parameter((weight.double() * _beside(of_weights, weight)).to(weight.dtype).detach())
    linear.bias = nn.Parameter(bias.to(weight.dtype).detach())


def _beside(values: Tensor, weight: Tensor) -> Tensor:
    """(rows, columns) -> (rows, columns, 1, ...), as it is broadcast against the weights of a convolution."""
    return values.view(*values.shape, *[1] * (weight.dim() - 2))


def _averages(layer: nn.Module | None) -> bool:
    """Whether it is an average pooling that leaves a constant as it is."""
    padding = getattr(layer, "padding", 0)
    padded = any(padding) if isinstance(padding, tuple) else padding != 0
    return isinstance(layer, _AvgPoolNd) and not padded and getattr(layer, "divisor_override", None) is None


def _pads_with_zeros(conv: _ConvNd) -> bool:
    padded = conv.padding == "same" if isinstance(conv.padding, str) else any(conv.padding)
    return conv.padding_mode == "zeros" and padded

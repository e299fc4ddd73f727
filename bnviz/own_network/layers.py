"""The layers of a model that are looked at, and how they normalize or activate."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd

from bnviz.nn.batchnorm import BatchNorm
from bnviz.records.frames import FLAT_SLOPE
from bnviz.records.own_network import Kind, Normalization

ACTIVATIONS = (
    *(nn.Threshold, nn.ReLU, nn.RReLU, nn.Hardtanh, nn.ReLU6, nn.Sigmoid, nn.Hardsigmoid, nn.Tanh, nn.SiLU, nn.Mish),
    *(nn.Hardswish, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.Hardshrink, nn.LeakyReLU, nn.LogSigmoid, nn.Softplus),
    *(nn.Softshrink, nn.PReLU, nn.Softsign, nn.Tanhshrink),
)
WITHOUT_SLOPE = (nn.RReLU, nn.PReLU)  # random, and one function for each channel
_COMPILED = "_orig_mod"  # what `torch.compile` puts into paths
FAR_INPUT = 1e4  # where an activation that is flat at an end is flat
_KINDS: dict[Kind, tuple[type[nn.Module], ...]] = {
    "linear": (nn.Linear, nn.Bilinear),
    "convolution": (_ConvNd,),
    "normalization": (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm),
    "activation": ACTIVATIONS,
    "dropout": (_DropoutNd,),
}


def kind_of(module: nn.Module) -> Kind | None:
    """Return what a module is to bnviz, None if it is not looked at."""
    return next((kind for kind, types in _KINDS.items() if isinstance(module, types)), None)


def layers_of(model: nn.Module) -> dict[nn.Module, tuple[str, Kind]]:
    """Return the path and the kind of every module that is looked at; of one that has several paths, the first."""
    kinds = ((module, name, kind_of(module)) for name, module in model.named_modules())
    return {m: (_without_compiled(name) or type(m).__name__, kind) for m, name, kind in kinds if kind}


def _without_compiled(path: str) -> str:
    return ".".join(part for part in path.split(".") if part != _COMPILED)


def is_compiled(model: nn.Module) -> bool:
    """Return whether a model was compiled, so that its layers are run past their hooks."""
    return isinstance(model, torch._dynamo.OptimizedModule) or model._compiled_call_impl is not None


def compiled_in(model: nn.Module) -> set[nn.Module]:
    """Return the modules of a model's parts that were compiled."""
    return {module for part in model.modules() if is_compiled(part) for module in part.modules()}


def normalizes_over_batch(module: nn.Module) -> bool:
    """Return whether a module takes mean and variance over a batch, as batchnorm does."""
    return isinstance(module, _BatchNorm)


def uses_batch_statistics(module: nn.Module) -> bool:
    """Return whether a batchnorm layer, as it stands, would normalize with the statistics of the batch."""
    return getattr(module, "running_mean", None) is None or (module.training and not _is_frozen(module))


def _is_frozen(module: nn.Module) -> bool:
    return isinstance(module, BatchNorm) and module.frozen


def normalization_of(module: nn.Module, optimizer: torch.optim.Optimizer | None) -> Normalization:
    """Return how a normalization layer normalizes, and what the optimizer does to its gamma and beta."""
    own = [p for p in module.parameters(recurse=False) if p is not None]
    decay, rate = 0.0, 0.0
    for group in optimizer.param_groups if optimizer else []:
        if any(p is q for p in own for q in group["params"]) and group.get("weight_decay", 0):
            decay, rate = float(group["weight_decay"]), float(group["lr"])
    momentum = getattr(module, "momentum", None)
    return Normalization(
        over_batch=normalizes_over_batch(module),
        eps=float(getattr(module, "eps", None) or torch.finfo(torch.float32).eps),
        momentum=0.0 if _is_frozen(module) else None if momentum is None else float(momentum),
        tracked=bool(getattr(module, "track_running_stats", False)),
        learns=any(p.requires_grad for p in own) if own else None,
        decay=decay,
        rate=rate,
    )


@dataclass(frozen=True)
class Slopes:
    """What is known of an elementwise activation's slope. steepest: the largest slope there is.

    flat: at both ends, and not on a whole side of 0, where half of the values may well lie, as ReLU6 is.
    """

    flat: bool
    steepest: float

    def saturated(self, slopes: Tensor) -> Tensor:
        """Return the share of slopes that are small beside the steepest; NaN if the function is not flat at both."""
        if not self.flat:
            return torch.full((), math.nan, device=slopes.device)
        return (~(slopes.abs() >= FLAT_SLOPE * self.steepest)).float().mean()


def slopes_at(module: nn.Module, z: Tensor) -> Tensor:
    """Return the slopes of an elementwise activation at z, by autograd; the module's hooks see nothing of it."""
    with torch.inference_mode(False), torch.enable_grad():
        z = z.detach().float().clone().requires_grad_()
        inplace = getattr(module, "inplace", False)
        y = module.forward(z * 1 if inplace else z)
        return torch.autograd.grad(y.sum(), z)[0]


def slopes_of(module: nn.Module) -> Slopes | None:
    """Return what is known of an activation's slope, None if it has no single one."""
    if isinstance(module, WITHOUT_SLOPE):
        return None
    ends, beside = slopes_at(module, torch.tensor([[-FAR_INPUT, FAR_INPUT], [-0.1, 0.1]]))
    return Slopes(
        bool((ends == 0).all() and (beside != 0).all()),
        float(slopes_at(module, torch.linspace(-10, 10, 2001)).abs().max()),
    )

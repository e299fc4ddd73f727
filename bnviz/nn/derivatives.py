"""Derivatives of any order for torch's batchnorm, whose own kernels stop at the second."""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import CheckpointError


def derive_further(y: Tensor, eps: float, of_batch: bool) -> Tensor:
    """Return y, the output of torch.nn.functional.batch_norm, with a gradient that can be derived again and again.

    of_batch: it was normalized with the statistics of the batch. A usual backward pass keeps the kernel's own gradient,
    to the bit and at its speed. One that is to be derived itself (create_graph=True) replaces it by the equation below,
    written in operations that autograd derives. In `torch.compile` and in a checkpointed part the kernel's stays.
    """
    if not torch.compiler.is_compiling() and y.grad_fn is not None:
        y.grad_fn.register_hook(partial(_gradients, eps, of_batch))
    return y


def _gradients(
    eps: float, of_batch: bool, kernels: tuple[Tensor | None, ...], deltas: tuple[Tensor | None, ...]
) -> tuple[Tensor | None, ...] | None:
    """Return the gradients for x, gamma and beta, in place of the kernel's own; None if those may stay.

        dL/dx = gamma / sqrt(sigma^2 + eps) (dL/dy - mean(dL/dy) - x_hat mean(dL/dy x_hat))

    (Ioffe and Szegedy 2015, section 3), and in eval mode without the means. dL/dy (N, C, ...) is `deltas[0]`.
    """
    delta = deltas[0]
    if not torch.is_grad_enabled() or delta is None:
        return None
    node: Any = torch._C._current_autograd_node()  # a hook that held x itself would keep it after the backward pass
    try:
        x, gamma = node._saved_input, node._saved_weight
    except CheckpointError:  # gives each tensor out once, and the kernel has had it: two derivatives, as torch
        return None
    per_channel, axes = (1, -1, *[1] * (x.dim() - 2)), [axis for axis in range(x.dim()) if axis != 1]
    wide = torch.promote_types(x.dtype, torch.float32)
    x, d = x.to(wide), delta.to(wide)
    if of_batch:
        centred = x - x.mean(axes, keepdim=True)
        inverse_std = torch.rsqrt(centred.square().mean(axes, keepdim=True) + eps)
    else:
        centred = x - node._saved_running_mean.view(per_channel)
        inverse_std = torch.rsqrt(node._saved_running_var.view(per_channel) + eps)
    x_hat = centred * inverse_std
    through = d - d.mean(axes, keepdim=True) - x_hat * (d * x_hat).mean(axes, keepdim=True) if of_batch else d
    scale = inverse_std if gamma is None else inverse_std * gamma.view(per_channel)
    found = (scale * through, (d * x_hat).sum(axes), d.sum(axes))
    return tuple(None if old is None else new.to(old.dtype) for old, new in zip(kernels, found, strict=True))

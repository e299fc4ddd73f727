"""Batch normalization in NumPy, derived by hand: what every other implementation is compared with.

Forward, for each of the D columns of a batch x (N, D) (Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 1):

    (1)  mu      = 1/N sum_i x_i
    (2)  sigma^2 = 1/N sum_i (x_i - mu)^2
    (3)  x_hat_i = (x_i - mu) / sqrt(sigma^2 + eps)
    (4)  y_i     = gamma x_hat_i + beta

Backward (the paper's six gradient equations, section 3, below algorithm 1, in its order):

    (5)  dL/dx_hat_i  = dL/dy_i gamma
    (6)  dL/dsigma^2  = sum_i dL/dx_hat_i (x_i - mu) (-1/2) (sigma^2 + eps)^(-3/2)
    (7)  dL/dmu       = -sum_i dL/dx_hat_i / sqrt(sigma^2 + eps) - dL/dsigma^2 2/N sum_i (x_i - mu)
    (8)  dL/dx_i      = dL/dx_hat_i / sqrt(sigma^2 + eps) + dL/dsigma^2 2/N (x_i - mu) + dL/dmu 1/N
    (9)  dL/dgamma    = sum_i dL/dy_i x_hat_i
    (10) dL/dbeta     = sum_i dL/dy_i

The numbers are those of this file; the paper numbers none of them.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
Mode = Literal["train", "test"]

EPS = 1e-5
MOMENTUM = 0.9


@dataclass(frozen=True)
class Cache:
    """What the forward pass leaves to the backward pass: its nodes, in the order they are computed.

    x, centered, x_hat (N, D); mean, var, inv_std, gamma (D,). In test mode mean and var are the running statistics.
    """

    mode: Mode
    eps: float
    x: Array
    mean: Array
    centered: Array
    var: Array
    inv_std: Array
    x_hat: Array
    gamma: Array


@dataclass(frozen=True)
class Gradients:
    """The gradient of the loss at every node of the computational graph, from y back to x.

    A node that feeds two others gets a gradient along each way: they are named, and their sum is the node's gradient.
    dx, dscaled, dx_hat, dsquared, dcentered* (N, D); all others (D,).
    """

    dbeta: Array
    dscaled: Array  # gamma x_hat
    dgamma: Array
    dx_hat: Array
    dinv_std: Array  # 1 / sqrt(sigma^2 + eps)
    dvar: Array
    dsquared: Array  # (x - mu)^2
    dcentered_direct: Array  # x - mu, along x_hat
    dcentered_var: Array  # x - mu, along sigma^2
    dcentered: Array
    dmean: Array
    dx_direct: Array  # along x - mu
    dx_mean: Array  # along mu
    dx: Array


def batchnorm_forward(
    x: npt.ArrayLike, gamma: npt.ArrayLike, beta: npt.ArrayLike, bn_param: MutableMapping[str, Any]
) -> tuple[Array, Cache]:
    """y = gamma (x - mu) / sqrt(sigma^2 + eps) + beta, equations (1) to (4).

    x (N, D); gamma, beta (D,). Returns y (N, D) and what the backward pass needs.

    bn_param: mode 'train' (statistics of this batch) or 'test' (running statistics); eps >= 0, by default 1e-5;
    momentum in [0, 1], by default 0.9; running_mean and running_var (D,), by default zeros in train mode.
    Train mode replaces both in bn_param:

        running <- momentum * running + (1 - momentum) * batch

    with the biased batch variance (divided by N) of equation (2), the convention of Stanford's course CS231n. PyTorch
    differs in both: its momentum is our 1 - momentum, and its running variance takes the unbiased estimate
    (divided by N - 1), as the paper's algorithm 2 does.

    Raises ValueError for another mode, wrong shapes, an empty batch, a batch of one in train mode, eps or momentum
    outside their range, and test mode without running statistics.
    """
    x, gamma, beta = _float(x), _float(gamma), _float(beta)
    mode, eps, momentum = bn_param.get("mode"), _number(bn_param, "eps", EPS), _number(bn_param, "momentum", MOMENTUM)
    if mode not in ("train", "test"):
        raise ValueError(f"bn_param['mode'] must be 'train' or 'test', got {mode!r}")
    if not eps >= 0:
        raise ValueError(f"bn_param['eps'] must be at least 0, got {eps!r}")
    if not 0 <= momentum <= 1:
        raise ValueError(f"bn_param['momentum'] must be from 0 to 1, got {momentum!r}")
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"x must be a batch (N, D) with at least one row and one column, got shape {x.shape}")
    count, units = x.shape
    for name, array in (("gamma", gamma), ("beta", beta)):
        _require(name, array, (units,))
    if mode == "train" and count < 2:
        raise ValueError("train mode needs a batch of at least 2 rows: one row has no variance; use mode 'test'")
    if mode == "test" and not {"running_mean", "running_var"} <= set(bn_param):
        raise ValueError("test mode needs bn_param['running_mean'] and bn_param['running_var']: train first")
    running_mean = _float(bn_param.get("running_mean", np.zeros(units, x.dtype)))
    running_var = _float(bn_param.get("running_var", np.zeros(units, x.dtype)))
    for name, array in (("running_mean", running_mean), ("running_var", running_var)):
        _require(f"bn_param[{name!r}]", array, (units,))
    if mode == "test" and not (running_var >= 0).all():
        raise ValueError("bn_param['running_var'] must be at least 0 in every unit")

    if mode == "train":
        mean = x.mean(axis=0)
        centered = x - mean
        var = (centered * centered).mean(axis=0)
        bn_param["running_mean"] = momentum * running_mean + (1 - momentum) * mean
        bn_param["running_var"] = momentum * running_var + (1 - momentum) * var
    else:
        mean, var = running_mean, running_var
        centered = x - mean
    inv_std = 1 / np.sqrt(var + eps)
    x_hat = centered * inv_std
    return gamma * x_hat + beta, Cache(mode, eps, x, mean, centered, var, inv_std, x_hat, gamma)


def batchnorm_backward(dout: npt.ArrayLike, cache: Cache) -> tuple[Array, Array, Array]:
    """dL/dx (N, D), dL/dgamma (D,) and dL/dbeta (D,) from dL/dy (N, D).

    Equations (5) to (8) put into one another give

        dL/dx = gamma / sqrt(sigma^2 + eps) (dL/dy - dL/dbeta / N - x_hat dL/dgamma / N)

    In test mode the statistics are constants: dL/dx = gamma / sqrt(sigma^2 + eps) dL/dy.
    Raises ValueError if dout has another shape than x.
    """
    dout = _gradient(dout, cache)
    dbeta = dout.sum(axis=0)
    dgamma = (dout * cache.x_hat).sum(axis=0)
    inner = dout if cache.mode == "test" else dout - (dbeta + cache.x_hat * dgamma) / len(dout)
    return cache.gamma * cache.inv_std * inner, dgamma, dbeta


def batchnorm_backward_staged(dout: npt.ArrayLike, cache: Cache) -> Gradients:
    """The same gradients one node of the computational graph at a time, from y back to x; every one is returned.

    dout (N, D). In test mode nothing flows on from the statistics to x: dsquared, dcentered_var and dx_mean are zero.
    Raises ValueError if dout has another shape than x.
    """
    dout = _gradient(dout, cache)
    count = len(dout)
    # y = scaled + beta
    dbeta = dout.sum(axis=0)
    dscaled = dout
    # scaled = gamma * x_hat
    dgamma = (dscaled * cache.x_hat).sum(axis=0)
    dx_hat = dscaled * cache.gamma
    # x_hat = centered * inv_std
    dcentered_direct = dx_hat * cache.inv_std
    dinv_std = (dx_hat * cache.centered).sum(axis=0)
    # inv_std = (var + eps)^(-1/2)
    dvar = dinv_std * -0.5 * cache.inv_std**3
    # var = mean(squared)
    dsquared = np.broadcast_to(dvar / count if cache.mode == "train" else np.zeros_like(dvar), dout.shape)
    # squared = centered^2
    dcentered_var = 2 * cache.centered * dsquared
    dcentered = dcentered_direct + dcentered_var
    # centered = x - mean
    dx_direct = dcentered
    dmean = -dcentered.sum(axis=0)
    # mean = mean(x)
    dx_mean = np.broadcast_to(dmean / count if cache.mode == "train" else np.zeros_like(dmean), dout.shape)
    return Gradients(
        dbeta=dbeta,
        dscaled=dscaled,
        dgamma=dgamma,
        dx_hat=dx_hat,
        dinv_std=dinv_std,
        dvar=dvar,
        dsquared=dsquared,
        dcentered_direct=dcentered_direct,
        dcentered_var=dcentered_var,
        dcentered=dcentered,
        dmean=dmean,
        dx_direct=dx_direct,
        dx_mean=dx_mean,
        dx=dx_direct + dx_mean,
    )


def _number(bn_param: MutableMapping[str, Any], name: str, default: float) -> float:
    value = bn_param.get(name, default)
    if not isinstance(value, Real):
        raise ValueError(f"bn_param[{name!r}] must be a number, got {value!r}")
    return float(value)


def _float(values: npt.ArrayLike) -> Array:
    """The values as floating-point numbers; their precision is kept."""
    array = np.asarray(values)
    if np.iscomplexobj(array):
        raise ValueError("give real numbers, not complex ones")
    return array if np.issubdtype(array.dtype, np.floating) else array.astype(np.float64)


def _require(name: str, array: Array, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")


def _gradient(dout: npt.ArrayLike, cache: Cache) -> Array:
    array = _float(dout)
    _require("dout", array, cache.x.shape)
    return array

"""What is measured on a network: pure functions of tensors."""

import math

import numpy as np
import torch
from torch import Tensor

from bnviz.nn.layers import Activation
from bnviz.records.frames import BINS, DEAD_SLOPE, FLAT_SLOPE, QUANTILES, Counts, Summary


def histogram(values: Tensor, low: float, high: float) -> Counts:
    """Counts of `values` in BINS equal bins of [low, high], as (BINS + 3,): below, the bins, above, NaN or infinite.

    Nothing is dropped: the counts add up to the number of values. A value equal to `high` is in the last bin.
    """
    total = values.numel()
    if not values.sum().isfinite():  # one cheap look; copying the finite values out is not
        values = values[values.isfinite()]
    # A third of the time of torch.histc. What lies outside is first counted in the outermost bins.
    place = (values.flatten() - low).mul_(BINS / (high - low)).clamp_(0, BINS - 1).to(torch.uint8)
    counts = torch.bincount(place, minlength=BINS).tolist()
    below, above = int((values < low).sum()), int((values > high).sum())
    counts[0] -= below
    counts[-1] -= above
    return np.array([below, *counts, above, total - values.numel()], dtype=np.int32)


def summary(values: Tensor) -> Summary:
    """Mean, variance and quantiles: part i is QUANTILES times the integral of the quantile function from i / QUANTILES
    to (i + 1) / QUANTILES."""
    x = np.sort(values.flatten().numpy()).astype(np.float64)
    if not np.isfinite(x[[0, -1]]).all():  # NaN is sorted last
        return Summary(math.nan, math.nan, np.full(QUANTILES, math.nan, np.float32))
    total = np.insert(np.cumsum(x), 0, 0)
    edges = np.interp(np.linspace(0, len(x), QUANTILES + 1), np.arange(len(x) + 1), total)
    parts = np.diff(edges) * QUANTILES / len(x)
    return Summary(float(x.mean()), float(x.var()), parts.astype(np.float32))


def saturated(activation: Activation, x: Tensor, y: Tensor) -> Tensor:
    """Where y = f(x) is saturated: f's slope is below 5.9 % of its steepest, which for tanh is |y| > 0.97.

    A unit whose value is NaN counts as saturated: no gradient worth the name passes it.
    """
    return ~(activation.slope(x, y).abs() >= FLAT_SLOPE * activation.steepest)


def dead_units(activation: Activation, x: Tensor, y: Tensor) -> Tensor:
    """Return which units, (units,) bool, have a slope of nearly 0 at every digit of x and y = f(x), (digits, units).

    No gradient passes such a unit. One whose outputs are small is not dead: tanh is steepest around 0.
    """
    return ~(activation.slope(x, y).abs().amax(0) >= DEAD_SLOPE * activation.steepest)


def norms(matrices: Tensor) -> Tensor:
    """L2 norm over one layer's weights or gradients, (V, I, O) -> (V,), float64."""
    norm: Tensor = torch.linalg.vector_norm(matrices.flatten(1), dim=1)
    return norm.double()


def standard_deviations(matrices: Tensor) -> Tensor:
    """Standard deviation over one layer's entries, (V, I, O) -> (V,), float64.

    From the norm and the mean, in a third of the time of torch.std; exact enough for entries whose mean is not many
    times their spread.
    """
    count = matrices[0].numel()
    variance = (norms(matrices).square() - count * matrices.flatten(1).mean(1).double().square()) / max(count - 1, 1)
    return variance.clamp(min=0).sqrt()


def update_to_data(update: Tensor, weight: Tensor) -> Tensor:
    """log10 of std(update) / std(weights), (V, I, O) -> (V,); NaN where either does not vary (all zeros)."""
    ratio = standard_deviations(update) / standard_deviations(weight)
    return torch.where(ratio.isfinite() & (ratio > 0), ratio.log10(), torch.nan)

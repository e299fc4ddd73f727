"""What is measured on a network: pure functions of tensors."""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bnviz.nn.layers import Activation
from bnviz.records.frames import (
    BINS,
    DEAD_SLOPE,
    FLAT_SLOPE,
    MAGNIFICATIONS,
    QUANTILES,
    CloseUp,
    Counts,
    Floats,
    Summary,
)


def histogram(values: Tensor, low: float, high: float) -> Counts:
    """Count `values` in BINS equal bins of [low, high]: (BINS + 3,) below, the bins, above, NaN or infinite.

    Nothing is dropped: the counts add up to the number of values. A value equal to `high` is in the last bin.
    """
    return histogram_of_sorted(np.sort(values.flatten().numpy()), low, high)


def histogram_of_sorted(x: Floats, low: float, high: float) -> Counts:
    """Count sorted values (n,) as `histogram` does: NumPy sorts and looks edges up in half the time of any counting."""
    finite = x[np.searchsorted(x, -np.inf, "right") : np.searchsorted(x, np.inf, "left")]  # NaN is sorted last
    edges = _edges(low, high).astype(x.dtype)
    before = [*np.searchsorted(finite, edges[:-1], "left"), np.searchsorted(finite, edges[-1], "right")]
    return np.diff(before, prepend=0, append=[len(finite), len(x)]).astype(np.int32)


def close_up_of_sorted(x: Floats, low: float, high: float) -> CloseUp | None:
    """Return the histogram of sorted values (n,) that all lie in the middle tenth of a range, as close as they allow.

    None too if all are the same, which no bins can show better.
    """
    if x[0] == x[-1]:
        return None
    for magnification in MAGNIFICATIONS:
        if low / magnification <= x[0] and x[-1] < high / magnification:  # NaN is sorted last, and fails here
            counts = histogram_of_sorted(x, low / magnification, high / magnification)
            return CloseUp(magnification, counts[1 : BINS + 1])
    return None


@lru_cache
def _edges(low: float, high: float) -> npt.NDArray[np.float64]:
    return low + (high - low) * np.arange(BINS + 1) / BINS  # in this order zero is an edge to the last bit


def summary(values: Tensor) -> Summary:
    """Return mean, variance and quantiles of `values`."""
    return summary_of_sorted(np.sort(values.flatten().numpy()))


def summary_of_sorted(x: Floats) -> Summary:
    """Return mean, variance and quantiles of sorted values (n,): part i of the quantiles is QUANTILES times the
    integral of the quantile function from i / QUANTILES to (i + 1) / QUANTILES."""
    if not np.isfinite(x[[0, -1]]).all():  # NaN is sorted last
        return Summary(math.nan, math.nan, np.full(QUANTILES, math.nan, np.float32))
    if len(x) % QUANTILES == 0:
        parts = x.reshape(QUANTILES, -1).mean(1, dtype=np.float64)
    else:
        total = np.insert(np.cumsum(x, dtype=np.float64), 0, 0)
        edges = np.interp(np.linspace(0, len(x), QUANTILES + 1), np.arange(len(x) + 1), total)
        parts = np.diff(edges) * QUANTILES / len(x)
    return Summary(float(x.mean(dtype=np.float64)), float(x.var(dtype=np.float64)), parts.astype(np.float32))


def on_grid(values: Floats, bits: int) -> Floats:
    """Return float32 values that are multiples of a power of two, 2^(bits - 1) to 2^bits of which make their range.

    They take a few bits each in a file (`export/packing.py`); more than that would be finer than a picture of them.
    Values whose range is nothing, or no number, are returned as they are.
    """
    spread = float(values.max()) - float(values.min())
    if not 0 < spread < math.inf:
        return values.astype(np.float32)
    exponent = math.frexp(spread)[1] - bits
    whole = np.rint(np.ldexp(values.astype(np.float64), -exponent))
    return (np.ldexp(whole, exponent) + 0.0).astype(np.float32)  # + 0.0: no -0.0


def saturated(activation: Activation, x: Tensor, y: Tensor) -> Tensor:
    """Return at which entries y = f(x) is saturated: f's slope is below 5.9 % of its steepest, for tanh |y| > 0.97.

    A unit whose value is NaN counts as saturated: no gradient worth the name passes it.
    """
    return responsive(activation, x, y) == 0


def responsive(activation: Activation, x: Tensor, y: Tensor) -> Tensor:
    """Return 1 at entries of y = f(x) that are not saturated, else 0; as numbers, in a third of the time of bool."""
    return activation.slope(x, y).abs().ge_(FLAT_SLOPE * activation.steepest)


def dead_units(activation: Activation, x: Tensor, y: Tensor, over: tuple[int, ...] = (0,)) -> Tensor:
    """Return which units have a slope of nearly 0 at every entry of x and y = f(x), both (digits, units).

    over: the dimensions of digits and positions, of tensors with more of them. No gradient passes a dead unit. A unit
    whose outputs are small is not dead: tanh is steepest around 0.
    """
    return ~(activation.slope(x, y).abs().amax(over) >= DEAD_SLOPE * activation.steepest)


def norms(matrices: Tensor) -> Tensor:
    """Return the L2 norm over one layer's weights or gradients, (V, I, O) -> (V,), float64."""
    norm: Tensor = torch.linalg.vector_norm(matrices.flatten(1), dim=1)
    return norm.double()


def standard_deviations(matrices: Tensor) -> Tensor:
    """Return the standard deviation over one layer's entries, (V, I, O) -> (V,), float64."""
    return spread(norms(matrices), means(matrices), matrices[0].numel())


def means(matrices: Tensor) -> Tensor:
    """Return the mean over one layer's entries, (V, I, O) -> (V,), float64."""
    return matrices.flatten(1).mean(1).double()


def spread(norm: Tensor, mean: Tensor, count: Tensor | int) -> Tensor:
    """Return the standard deviation of `count` entries from their L2 norm and mean, of any shape.

    In a third of the time of torch.std; exact enough for entries whose mean is not many times their spread.
    """
    variance = (norm.square() - count * mean.square()) / (count - 1)
    return variance.clamp(min=0).sqrt()


def update_to_data(update: Tensor, weight: Tensor) -> Tensor:
    """Return log10 of std(update) / std(weights), (V, I, O) -> (V,); NaN if either does not vary (all zeros)."""
    return log10_ratio(standard_deviations(update), standard_deviations(weight))


def log10_ratio(update: Tensor, weight: Tensor) -> Tensor:
    """Return log10 of update / weight, of any shape; NaN if that is no finite number."""
    ratio = update / weight
    return torch.where(ratio.isfinite() & (ratio > 0), ratio.log10(), torch.nan)

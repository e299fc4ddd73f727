"""How good estimates of a mean and a variance are: what the page on inference measures, before it is drawn."""

from collections.abc import Sequence

import numpy as np

from bnviz.records.frames import Floats, InferenceFrame, Statistics
from bnviz.records.history import View

ESTIMATED_BATCHES = 5000  # of each size, whose variance is estimated


def inference_frames(view: View) -> list[tuple[int, InferenceFrame]]:
    """Return step and inference frame of the first network, oldest first, last the newest look."""
    frames = [*view.variants[0].frames, *(view.latest.variants[:1] if view.latest else ())]
    found = {frame.step: frame.inference for frame in frames if frame.inference is not None}
    return sorted(found.items())


def statistic_error(layer: Statistics, kind: str, what: str) -> float:
    """Return the root mean square over the units of an error of the statistics.

    kind: "running" or "batch". what: "mean", whose error is in population standard deviations, or "var", whose error
    is relative.
    """
    truth = layer.population_var
    if what == "mean":
        off = (getattr(layer, f"{kind}_mean") - layer.population_mean) / np.sqrt(np.maximum(truth, 1e-12))
    else:
        off = getattr(layer, f"{kind}_var") / np.maximum(truth, 1e-12) - 1
    return float(np.sqrt(np.mean(np.square(off, dtype=np.float64))))


def variance_estimates(values: Floats, sizes: Sequence[int], seed: int = 0) -> dict[int, tuple[Floats, Floats]]:
    """Return biased and unbiased variance of ESTIMATED_BATCHES random batches of each size, as shares of that of all.

    biased = mean((x - mean)^2), unbiased = B / (B - 1) * biased (Bessel's correction).
    """
    generator = np.random.default_rng(seed)
    truth = float(np.var(values))  # of what is drawn from, with replacement
    found = {}
    for size in sizes:
        batches = generator.choice(values, (ESTIMATED_BATCHES, size))
        biased = batches.var(1) / truth
        found[size] = biased, biased * size / (size - 1)
    return found

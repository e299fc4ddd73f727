"""Which two networks of an experiment a comparison is about, and when two numbers are called alike."""

from bnviz.experiment.config import Experiment

ALIKE_WITHIN = 0.1  # two numbers that differ by less than this share of the larger are called alike


def compared_pair(experiment: Experiment) -> tuple[int, int] | None:
    """Return the first network without any normalizer and the first with batchnorm and without noise; None if one is
    missing."""
    norms = [variant.batchnorm for variant in experiment.variants]
    without = [i for i, variant in enumerate(experiment.variants) if variant.plain]
    with_it = [i for i, bn in enumerate(norms) if bn is not None and not bn.noisy and not bn.noise]
    return (without[0], with_it[0]) if without and with_it else None


def are_alike(a: float, b: float, least: float = 0.0) -> bool:
    """Tell whether a and b differ by at most ALIKE_WITHIN of the larger, or by at most `least`."""
    return abs(a - b) <= max(ALIKE_WITHIN * max(abs(a), abs(b)), least)

"""What the networks of an experiment are called: by what they are; by their letter too where several are alike."""

from collections import Counter

from bnviz.experiment.config import Experiment, Variant


def kind_of(variant: Variant) -> str:
    """Return 'no batchnorm', 'batchnorm' or 'noisy batchnorm'."""
    if variant.batchnorm is None:
        return "no batchnorm"
    return "noisy batchnorm" if variant.batchnorm.noisy else "batchnorm"


def network_names(experiment: Experiment) -> tuple[str, ...]:
    """Return a name for each variant, all different: its kind, followed by its letter if others are of that kind.

    >>> network_names(Experiment())
    ('no batchnorm', 'batchnorm')
    """
    kinds = [kind_of(variant) for variant in experiment.variants]
    count = Counter(kinds)
    return tuple(
        kind if count[kind] == 1 else f"{kind} {letter}" for kind, letter in zip(kinds, experiment.letters, strict=True)
    )

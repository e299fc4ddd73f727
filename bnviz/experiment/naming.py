"""What the networks of an experiment are called: by what they are; by their letter too if several are alike."""

from collections import Counter

from bnviz.experiment.config import Experiment, Variant
from bnviz.experiment.settings import FIELDS


def kind_of(variant: Variant) -> str:
    """Return 'no batchnorm', 'batchnorm', 'noisy batchnorm', or another normalizer's name, such as 'layer norm'."""
    if variant.normalizer is not None:
        return FIELDS["normalizer"]["kind"].name_of(variant.normalizer.kind)
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


def network_conditions(experiment: Experiment) -> tuple[str, ...]:
    """Return what a sentence says of where each variant does something, all different.

    >>> network_conditions(Experiment())
    ('without batchnorm', 'with batchnorm')
    """
    kinds = [kind_of(variant) for variant in experiment.variants]
    words = [f"with {kind}".replace("with no ", "without ") for kind in kinds]
    count = Counter(kinds)
    return tuple(
        word if count[kind] == 1 else f"{word} ({letter})"
        for word, kind, letter in zip(words, kinds, experiment.letters, strict=True)
    )

"""What a change of the settings means for a run that is under way.

By default a changed variant restarts from the same seed and replays the same batches until it has caught up; with
"keep the weights" the change is made on the network as it is, and only a new init redraws its weights.
"""

from dataclasses import dataclass, replace

from bnviz.experiment.comparison import changed_settings
from bnviz.experiment.config import Experiment, Layer, Variant
from bnviz.experiment.naming import kind_of


@dataclass(frozen=True)
class Edit:
    """A change of a run. experiment: the settings from now on. restart, redraw: places of the variants that start over,
    or that only get new weights. label: what a marker on the curves says; empty if the change leaves none."""

    experiment: Experiment
    restart: frozenset[int] = frozenset()
    redraw: frozenset[int] = frozenset()
    label: str = ""

    @property
    def restarts_all(self) -> bool:
        return len(self.restart) == len(self.experiment.variants)


def plan(old: Experiment, new: Experiment, keep_weights: bool) -> Edit | None:
    """Return the edit that leads from `old` to `new`, or None if nothing changed.

    >>> from bnviz.experiment.config import Experiment
    >>> plan(Experiment(), Experiment(), keep_weights=True) is None
    True
    """
    if old == new:
        return None
    everyone = frozenset(range(len(new.variants)))
    added = frozenset(range(len(old.variants), len(new.variants)))
    changed = frozenset(i for i in everyone - added if old.variants[i] != new.variants[i])
    if (old.training.seed, old.training.data) != (new.training.seed, new.training.data):
        return Edit(new, restart=everyone)
    if not keep_weights:
        return Edit(new, restart=everyone if old.training != new.training else changed | added)
    reshaped = frozenset(i for i in changed if _shape(old.variants[i]) != _shape(new.variants[i]))
    redraw = frozenset(i for i in changed - reshaped if _weights(old.variants[i]) != _weights(new.variants[i]))
    return Edit(new, restart=reshaped | added, redraw=redraw, label=_label(old, new, changed - reshaped))


def _shape(variant: Variant) -> tuple[Layer, ...]:
    return variant.network.layers


def _weights(variant: Variant) -> tuple[str, float]:
    return variant.network.init, variant.network.init_scale


def _label(old: Experiment, new: Experiment, changed: frozenset[int]) -> str:
    parts = changed_settings(old.training, new.training)
    for i in sorted(changed):
        a, b = old.variants[i], new.variants[i]
        words = changed_settings(a.network, b.network)
        if a.batchnorm and b.batchnorm:
            words += changed_settings(a.batchnorm, b.batchnorm)
        elif a.normalizer and b.normalizer and a.normalizer.kind == b.normalizer.kind:
            words += changed_settings(a.normalizer, b.normalizer)
        elif kind_of(a) != kind_of(b):
            words.append(f"{kind_of(b)} on" if not b.plain else f"{kind_of(a)} off")
        parts += [f"{new.letters[i]}: {word}" for word in words]
    return ", ".join(parts)


def at_inference(variant: Variant) -> Variant:
    """Return the variant without those settings of batchnorm that matter in training only."""
    if (bn := variant.batchnorm) is None:
        return variant
    return replace(variant, batchnorm=replace(bn, momentum=0.1, cumulative=False, noise=0.0, noisy=False, detach=False))

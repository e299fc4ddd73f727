"""What a finished sweep shows, in one sentence: for which settings training succeeds, without and with batchnorm."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bnviz.experiment.layers import LN_10
from bnviz.experiment.settings import NONE
from bnviz.experiment.sweep import Axis, Sweep
from bnviz.experiment.wording import counted, listed, significant
from bnviz.records.frames import TRAINING_LOSS_STEPS
from bnviz.records.landscape import LEARNED_BELOW
from bnviz.records.sweep import SweepResults, cells

LISTED_AT_MOST = 4  # names of choices; of more, their number is told
CONDITIONS = {False: "without batchnorm", True: "with batchnorm"}
Flags = npt.NDArray[np.bool_]


def sweep_findings(sweep: Sweep, found: SweepResults) -> list[str]:
    """Return one sentence about a sweep that is complete; nothing before.

    Training succeeds if no network of a setting diverged and their mean training loss ends below LEARNED_BELOW.
    """
    if not ((found.steps >= sweep.training.steps) | found.diverged).all():
        return []
    of = cells(sweep, found, "train_loss")
    succeeds: Flags = (of.mean < LEARNED_BELOW) & (of.diverged == 0)
    if sweep.kinds:
        told = _by_normalizer(sweep, succeeds[..., 0])
    else:
        told = [f"{CONDITIONS[n]} {_where(sweep.axes, succeeds[..., k])}" for k, n in enumerate(sweep.normalized)]
    meaning = (
        f"the mean training loss of the last {TRAINING_LOSS_STEPS} steps is below {LEARNED_BELOW:g}; guessing costs "
        f"ln 10 = {LN_10:.2f}"
    )
    return [f"Training succeeds {', '.join(told)} ({meaning})."]


def _by_normalizer(sweep: Sweep, succeeds: Flags) -> list[str]:
    """Say of each normalizer for which values it succeeds; without another axis, which of them do."""
    place, other = sweep.place_of_kinds, sweep.other_axis
    if other is None:
        return [_where(sweep.axes, succeeds)]
    labels = zip(sweep.kinds, sweep.axes[place].labels, strict=True)
    names = ["without a normalizer" if kind == NONE else f"with {name}" for kind, name in labels]
    each = np.moveaxis(succeeds, place, 0)
    return [f"{name} {_where((other,), own)}" for name, own in zip(names, each, strict=True)]


def _where(axes: Sequence[Axis], succeeds: Flags) -> str:
    if len(axes) == 2:
        return f"in {int(succeeds.sum())} of {counted(succeeds.size, 'cell')}"
    (axis,) = axes
    title = axis.setting.title.lower()
    if not succeeds.any():
        return f"for no {title} of these"
    if succeeds.all():
        return f"for every {title} of these"
    return f"for {title} {_choices(axis, succeeds) if axis.setting.choices else _range(axis, succeeds)}"


def _choices(axis: Axis, succeeds: Flags) -> str:
    names = [axis.labels[place] for place in np.flatnonzero(succeeds)]
    return listed(names) if len(names) <= LISTED_AT_MOST else f"in {len(names)} of {len(succeeds)} choices"


def _range(axis: Axis, succeeds: Flags) -> str:
    """The lowest and the highest value, if all between succeed too; else how many do."""
    order = np.argsort([float(value) for value in axis.values])
    places = np.flatnonzero(succeeds[order])
    if places[-1] - places[0] + 1 > len(places):
        return f"at {len(places)} of {len(succeeds)} values"
    first, last = (significant(float(axis.values[order[place]]), 2) for place in places[[0, -1]])
    return f"{first} alone" if len(places) == 1 else f"{first} to {last}"

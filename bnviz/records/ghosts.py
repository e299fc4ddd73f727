"""What is kept of a network's course to compare others with: a ghost on the charts, a row of a table."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from bnviz.experiment.config import LETTERS, Experiment, Variant
from bnviz.experiment.naming import network_names
from bnviz.records.frames import VariantFrame
from bnviz.records.history import VariantHistory, View

MOST_PINS = 3  # runs that are pinned at once


@dataclass(frozen=True)
class Ghost:
    """One network as it was: its name, what it was, its curves (frames without layers), and its last frame."""

    name: str
    variant: Variant
    history: VariantHistory
    last: VariantFrame

    @property
    def saturated(self) -> float:
        """The largest saturated share among its layers, 0 to 1."""
        return self.last.saturated


@dataclass(frozen=True)
class Pin:
    """A run that was pinned: its number, its experiment, a ghost of each network, and its id among kept runs."""

    number: int
    experiment: Experiment
    ghosts: tuple[Ghost, ...]
    kept_as: str

    @staticmethod
    def of(view: View, number: int, kept_as: str) -> "Pin | None":
        """Return the pin of a run as it is seen; None if nothing of it has been trained."""
        ghosts = ghosts_of(view, f"{{}}, pin {number}")
        return Pin(number, view.experiment, ghosts, kept_as) if ghosts else None


def ghosts_of(view: View, name: str, places: Collection[int] = range(len(LETTERS))) -> tuple[Ghost, ...]:
    """Return a ghost of each network at these places that has been trained; {} in `name` stands for its own name."""
    if view.latest is None:
        return ()
    names = network_names(view.experiment)
    return tuple(
        Ghost(name.format(names[i]), view.experiment.variants[i], _curves(history), last)
        for i, (history, last) in enumerate(zip(view.variants, view.latest.variants, strict=True))
        if i in places and len(history.losses)
    )


def _curves(history: VariantHistory) -> VariantHistory:
    """A history without the values of its layers, which would be megabytes."""
    return replace(history, frames=tuple(replace(frame, layers=()) for frame in history.frames))

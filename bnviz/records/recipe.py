"""A recipe: all that decides what a run shows."""

from dataclasses import dataclass

from bnviz.experiment.config import Experiment, Watch
from bnviz.experiment.edits import Edit

Changes = tuple[tuple[int, Edit], ...]  # what was changed, each with the tick before which it was


@dataclass(frozen=True)
class Recipe:
    """What a run began with, what it measures besides, and what was changed at which tick."""

    experiment: Experiment
    watch: Watch | None = None
    changes: Changes = ()

    @property
    def newest(self) -> Experiment:
        """The settings after the last change."""
        return self.changes[-1][1].experiment if self.changes else self.experiment

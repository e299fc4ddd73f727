"""A run that is kept: what it began with, what was changed, and all that it has shown."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bnviz.experiment.config import Experiment, Watch
from bnviz.experiment.edits import Edit
from bnviz.records.history import View

if TYPE_CHECKING:
    from bnviz.data import DataName


@dataclass(frozen=True)
class KeptRun:
    """A run at one moment, with all that it takes to train it again to the bit.

    experiment: what it began with. edits: what was changed, each with the tick before which it was; the last one's
    experiment is that of the view. data: what it learned. version: of the package that trained it. findings: sentences.
    """

    experiment: Experiment
    edits: tuple[tuple[int, Edit], ...]
    watch: Watch | None
    data: "DataName"
    version: str
    view: View
    findings: tuple[str, ...] = ()

    def with_findings(self, findings: tuple[str, ...]) -> "KeptRun":
        """Return the run with what is said of it."""
        return replace(self, findings=findings)

    @property
    def latest_experiment(self) -> Experiment:
        """What the run is now, after all of its edits."""
        return self.edits[-1][1].experiment if self.edits else self.experiment

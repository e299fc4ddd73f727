"""A run that is kept: what it was made from, and all that it has shown."""

from dataclasses import dataclass, replace

from bnviz.records.history import View
from bnviz.records.recipe import Recipe


@dataclass(frozen=True)
class KeptRun:
    """A run at one moment, with all that it takes to train it again to the bit.

    recipe: its newest experiment is that of the view. version: of the package that trained it. findings: sentences.
    """

    recipe: Recipe
    version: str
    view: View
    findings: tuple[str, ...] = ()

    def with_findings(self, findings: tuple[str, ...]) -> "KeptRun":
        """Return the run with what is said of it."""
        return replace(self, findings=findings)

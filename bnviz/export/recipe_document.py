"""A recipe as a JSON document, which a file of a run holds too."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from bnviz.experiment import addresses
from bnviz.experiment.choices import DataName
from bnviz.experiment.config import LETTERS, STRICT, Experiment, Watch, replace, to_dict
from bnviz.experiment.edits import Edit
from bnviz.experiment.settings import quoted
from bnviz.records.recipe import Recipe

MOST_EDITS = 10_000


class DocumentError(ValueError):
    """Raised for a document that describes no run, with a sentence without its full stop."""


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("text has characters that cannot be shown")
    return text


# Whoever shows these shows them as plain text: in a file they are a stranger's.
Text = Annotated[str, Field(max_length=4000), AfterValidator(_printable)]
Place = Annotated[int, Field(ge=0, lt=len(LETTERS))]
Count = Annotated[int, Field(ge=0, le=10**9)]


@dataclass(frozen=True, config=STRICT)
class _Change:
    tick: Count
    experiment: Experiment
    restart: frozenset[Place]
    redraw: frozenset[Place]
    label: Text


@dataclass(frozen=True, config=STRICT, kw_only=True)
class RecipeDocument:
    """The fields of a recipe, as they stand in JSON. data: of files from when it was no setting of an experiment."""

    data: DataName | None = None
    watch: Watch | None
    experiment: Experiment
    edits: Annotated[tuple[_Change, ...], Field(max_length=MOST_EDITS)]

    def recipe(self) -> Recipe:
        """Return the recipe. Raises DocumentError for one that no run can have."""
        ticks = [0, *(change.tick for change in self.edits)]
        if ticks != sorted(ticks):
            raise DocumentError("its edits are not in the order of their ticks")
        for change in self.edits:
            if max(change.restart | change.redraw, default=0) >= len(change.experiment.variants):
                raise DocumentError("an edit names a network that is not there")
        changes = tuple(
            (c.tick, Edit(self._on_its_data(c.experiment), c.restart, c.redraw, c.label)) for c in self.edits
        )
        return Recipe(self._on_its_data(self.experiment), self.watch, changes)

    def _on_its_data(self, experiment: Experiment) -> Experiment:
        return (
            experiment
            if self.data is None
            else replace(experiment, training=replace(experiment.training, data=self.data))
        )


_RECIPE = TypeAdapter(RecipeDocument)


def fields_of(recipe: Recipe) -> dict[str, Any]:
    """Return the fields of a recipe for JSON."""
    return {
        "watch": recipe.watch,
        "experiment": to_dict(recipe.experiment),
        "edits": [
            {
                "tick": tick,
                "experiment": to_dict(edit.experiment),
                "restart": sorted(edit.restart),
                "redraw": sorted(edit.redraw),
                "label": edit.label,
            }
            for tick, edit in recipe.changes
        ],
    }


def to_json(recipe: Recipe) -> str:
    """Return a recipe as a document; equal recipes have equal ones."""
    return json.dumps(fields_of(recipe), sort_keys=True)


def from_json(text: str | bytes) -> Recipe:
    """Return the recipe of a document. Raises DocumentError for any field that is missing, unknown or out of range."""
    try:
        return _RECIPE.validate_json(text).recipe()
    except ValidationError as error:
        raise DocumentError(explained(error.errors(include_url=False)[0])) from error


def explained(problem: Any) -> str:
    """Return one of pydantic's errors in words for the user, without a full stop."""
    loc = problem["loc"]
    if problem["type"] == "json_invalid":
        return "its document is not JSON"
    if "experiment" in loc:
        within = loc[loc.index("experiment") + 1 :]
        return addresses.explain(dict(problem) | {"loc": within or ("experiment",)})
    name = ".".join(quoted(part)[1:-1] for part in loc) or "document"
    given = problem.get("input")
    return f"{name}: {quoted(given)} is not allowed"

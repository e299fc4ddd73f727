"""What a run is, beside its numbers, as the JSON document of a run file."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from bnviz.experiment.config import LETTERS, STRICT
from bnviz.export.recipe_document import (
    MOST_EDITS,
    Count,
    DocumentError,
    Place,
    RecipeDocument,
    Text,
    explained,
    fields_of,
)
from bnviz.records.history import Marker
from bnviz.records.kept_run import KeptRun

if TYPE_CHECKING:
    from bnviz.records.history import View

FORMATS = 1, 2  # in the first one no column was packed
MOST_PARTS = 10_000  # of a column
_Seconds = Annotated[float, Field(ge=0, le=1e12)]
_Some = Annotated[int, Field(ge=1, le=10**9)]


@dataclass(frozen=True, config=STRICT)
class _Marker:
    label: Text
    at: Annotated[tuple[tuple[Place, Count, _Seconds], ...], Field(max_length=len(LETTERS))]
    normalized: Annotated[tuple[tuple[Place, bool | None], ...], Field(max_length=len(LETTERS))]


@dataclass(frozen=True, config=STRICT)
class Moment:
    """The latest frame of all networks, without what each of them shows."""

    tick: Count
    step: Count
    seconds: _Seconds
    finished: bool


@dataclass(frozen=True, config=STRICT)
class PackedColumn:
    """A column that is packed. frames: its layout. odd: how many odd numbers stand beside it."""

    table: Text
    column: Text
    frames: Annotated[tuple[tuple[_Some, _Some], ...], Field(max_length=MOST_PARTS)]
    odd: Count


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Document(RecipeDocument):
    """All of a run but the numbers of its view."""

    format: Literal[1, 2]
    packed: Annotated[tuple[PackedColumn, ...], Field(max_length=100)] | None = None
    version: Annotated[str, Field(pattern=r"^[\w.+-]{1,40}$")]
    findings: Annotated[tuple[Text, ...], Field(max_length=100)]
    markers: Annotated[tuple[_Marker, ...], Field(max_length=MOST_EDITS)]
    latest: Moment | None

    def run(self, view: "View") -> KeptRun:
        """Return the run, with the view whose numbers stood beside the document."""
        return KeptRun(self.recipe(), self.version, view, self.findings)

    def marks(self) -> tuple[Marker, ...]:
        """Return the markers of the view."""
        return tuple(
            Marker(m.label, {i: (step, seconds) for i, step, seconds in m.at}, dict(m.normalized)) for m in self.markers
        )


@dataclass(config=ConfigDict(extra="ignore", strict=True))
class _Any:
    format: int


_DOCUMENT, _ANY = TypeAdapter(Document), TypeAdapter(_Any)


def to_json(run: KeptRun, packed: Sequence[PackedColumn] = ()) -> bytes:
    """Return the document of a run. packed: which of its columns are.

    Raises DocumentError for one that `from_json` would not read.
    """
    latest = run.view.latest
    document = fields_of(run.recipe) | {
        "format": FORMATS[-1],
        "packed": [vars(column) for column in packed],
        "version": run.version,
        "findings": run.findings,
        "markers": [
            {
                "label": marker.label,
                "at": [(i, step, seconds) for i, (step, seconds) in marker.at.items()],
                "normalized": list(marker.normalized.items()),
            }
            for marker in run.view.markers
        ],
        "latest": latest
        and {"tick": latest.tick, "step": latest.step, "seconds": latest.seconds, "finished": latest.finished},
    }
    text = json.dumps(document).encode()
    from_json(text)
    return text


def from_json(text: bytes) -> Document:
    """Return the document. Raises DocumentError for any field that is missing, unknown or out of its range."""
    try:
        found = _ANY.validate_json(text).format
        if found not in FORMATS:
            known = " and ".join(map(str, FORMATS))
            raise DocumentError(f"it has format {found}, and this version of bnviz reads formats {known}")
        document = _DOCUMENT.validate_json(text)
    except ValidationError as error:
        raise DocumentError(explained(error.errors(include_url=False)[0])) from error
    if found > 1 and document.packed is None:
        raise DocumentError("packed is missing")
    document.recipe()
    return document

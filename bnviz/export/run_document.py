"""What a run is, beside its numbers, as the JSON document of a run file."""

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from bnviz.data import DataName
from bnviz.experiment import addresses
from bnviz.experiment.config import LETTERS, STRICT, Experiment, Watch, to_dict
from bnviz.experiment.edits import Edit
from bnviz.experiment.settings import quoted
from bnviz.records.history import Marker
from bnviz.records.kept_run import KeptRun

if TYPE_CHECKING:
    from bnviz.records.history import View

FORMAT = 1
MOST_EDITS = 10_000


class DocumentError(ValueError):
    """Raised for a document that describes no run, with a sentence without its full stop."""


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("text has characters that cannot be shown")
    return text


# Whoever shows these shows them as plain text: in a file they are a stranger's.
Text = Annotated[str, Field(max_length=4000), AfterValidator(_printable)]
_Place = Annotated[int, Field(ge=0, lt=len(LETTERS))]
_Count = Annotated[int, Field(ge=0, le=10**9)]
_Seconds = Annotated[float, Field(ge=0, le=1e12)]


@dataclass(frozen=True, config=STRICT)
class _Change:
    tick: _Count
    experiment: Experiment
    restart: frozenset[_Place]
    redraw: frozenset[_Place]
    label: Text


@dataclass(frozen=True, config=STRICT)
class _Marker:
    label: Text
    at: Annotated[tuple[tuple[_Place, _Count, _Seconds], ...], Field(max_length=len(LETTERS))]
    normalized: Annotated[tuple[tuple[_Place, bool], ...], Field(max_length=len(LETTERS))]


@dataclass(frozen=True, config=STRICT)
class Moment:
    """The latest frame of all networks, without what each of them shows."""

    tick: _Count
    step: _Count
    seconds: _Seconds
    finished: bool


@dataclass(frozen=True, config=STRICT)
class Document:
    """All of a run but the numbers of its view."""

    format: Literal[1]
    version: Annotated[str, Field(pattern=r"^[\w.+-]{1,40}$")]
    data: DataName
    watch: Watch | None
    experiment: Experiment
    edits: Annotated[tuple[_Change, ...], Field(max_length=MOST_EDITS)]
    findings: Annotated[tuple[Text, ...], Field(max_length=100)]
    markers: Annotated[tuple[_Marker, ...], Field(max_length=MOST_EDITS)]
    latest: Moment | None

    def run(self, view: "View") -> KeptRun:
        """Return the run, with the view whose numbers stood beside the document."""
        return KeptRun(self.experiment, self.changes(), self.watch, self.data, self.version, view, self.findings)

    def changes(self) -> tuple[tuple[int, Edit], ...]:
        """Return the edits with their ticks."""
        return tuple((c.tick, Edit(c.experiment, c.restart, c.redraw, c.label)) for c in self.edits)

    def marks(self) -> tuple[Marker, ...]:
        """Return the markers of the view."""
        return tuple(
            Marker(m.label, {i: (step, seconds) for i, step, seconds in m.at}, dict(m.normalized)) for m in self.markers
        )


@dataclass(config=ConfigDict(extra="ignore", strict=True))
class _Any:
    format: int


_DOCUMENT, _ANY = TypeAdapter(Document), TypeAdapter(_Any)


def to_json(run: KeptRun) -> bytes:
    """Return the document of a run. Raises DocumentError for one that `from_json` would not read."""
    latest = run.view.latest
    document = {
        "format": FORMAT,
        "version": run.version,
        "data": run.data,
        "watch": run.watch,
        "experiment": to_dict(run.experiment),
        "edits": [
            {
                "tick": tick,
                "experiment": to_dict(edit.experiment),
                "restart": sorted(edit.restart),
                "redraw": sorted(edit.redraw),
                "label": edit.label,
            }
            for tick, edit in run.edits
        ],
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
        if found != FORMAT:
            raise DocumentError(f"it has format {found}, and this version of bnviz reads format {FORMAT}")
        document = _DOCUMENT.validate_json(text)
    except ValidationError as error:
        raise DocumentError(_explained(error.errors(include_url=False)[0])) from error
    ticks = [0, *(change.tick for change in document.edits)]
    if ticks != sorted(ticks):
        raise DocumentError("its edits are not in the order of their ticks")
    for change in document.edits:
        if max(change.restart | change.redraw, default=0) >= len(change.experiment.variants):
            raise DocumentError("an edit names a network that is not there")
    return document


def _explained(problem: Any) -> str:
    loc = problem["loc"]
    if problem["type"] == "json_invalid":
        return "its document is not JSON"
    if "experiment" in loc:
        within = loc[loc.index("experiment") + 1 :]
        return addresses.explain(dict(problem) | {"loc": within or ("experiment",)})
    name = ".".join(quoted(part)[1:-1] for part in loc) or "document"
    given = problem.get("input")
    return f"{name}: {quoted(given)} is not allowed"

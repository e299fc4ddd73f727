"""The notes of a server: one that begins anew finds the runs and sweeps of its visitors where they were."""

import json
import math
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar

import sqlalchemy as sa
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from bnviz.experiment import sweep_addresses
from bnviz.experiment.config import STRICT
from bnviz.export import recipe_document
from bnviz.export.recipe_document import DocumentError
from bnviz.records.ghosts import MOST_PINS
from bnviz.records.notes import RunNote, SweepNote
from bnviz.store.database import Database

Note = RunNote | SweepNote
Key = tuple[str, str]  # a tab, and the place in it
KeyT = TypeVar("KeyT", bound=Key)
FRESH = 2 * 3600.0  # seconds until nobody is expected back

_LIVE = sa.table("live", *map(sa.column, ("tab", "place", "updated", "what", "state")))
_L = _LIVE.c


@dataclass(frozen=True, config=STRICT)
class _RunState:
    tick: Annotated[int, Field(ge=0)]
    playing: bool
    speed: Annotated[float, Field(gt=0)] | None  # None: as fast as it goes
    kept_as: Annotated[str, Field(max_length=64)]
    pins: Annotated[tuple[tuple[int, str], ...], Field(max_length=MOST_PINS)] = ()


@dataclass(frozen=True, config=STRICT)
class _SweepState:
    state: Literal["running", "paused", "cancelled"]


_RUN, _SWEEP = TypeAdapter(_RunState), TypeAdapter(_SweepState)


class Notes:
    """Notes of all that is under way, by tab and place; any thread may use them. Raises StoreError."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database, self._clock = database, clock

    def write(self, notes: Mapping[KeyT, Note]) -> None:
        """Take down where some of them are now, all together; what nobody comes back to is forgotten."""
        rows = [_row(key, note) | {"updated": self._clock()} for key, note in notes.items()]
        with self._database.writing() as connection:
            connection.execute(sa.delete(_LIVE).where(_L.updated < self._clock() - FRESH))
            if rows:
                old = _L.tab == sa.bindparam("old_tab"), _L.place == sa.bindparam("old_place")
                connection.execute(
                    sa.delete(_LIVE).where(*old), [{"old_tab": tab, "old_place": place} for tab, place in notes]
                )
                connection.execute(sa.insert(_LIVE), rows)

    def find(self, tab: str, place: str) -> Note | None:
        """Return where that of a tab was; None if nothing is known, or nothing that this version understands."""
        with self._database.reading() as connection:
            mine = _L.tab == tab, _L.place == place, _L.updated >= self._clock() - FRESH
            row = connection.execute(sa.select(_LIVE).where(*mine)).one_or_none()
        try:
            return None if row is None else _note(row.what, row.state)
        except (ValidationError, DocumentError, ValueError):  # of a later version
            return None


def _row(key: Key, note: Note) -> dict[str, Any]:
    if isinstance(note, SweepNote):
        what, state = sweep_addresses.to_json(note.sweep), _SWEEP.dump_json(_SweepState(note.state))
    else:
        speed = note.speed if math.isfinite(note.speed) else None
        what = recipe_document.to_json(note.recipe)
        state = _RUN.dump_json(_RunState(note.tick, note.playing, speed, note.kept_as, note.pins))
    return {"tab": key[0], "place": key[1], "what": what, "state": state.decode()}


def _note(what: str, state: str) -> Note:
    if "state" in json.loads(state):
        sweep = _SWEEP.validate_json(state)
        return SweepNote(sweep_addresses.from_json(what), sweep.state)
    run = _RUN.validate_json(state)
    speed = math.inf if run.speed is None else run.speed
    return RunNote(recipe_document.from_json(what), run.tick, run.playing, speed, run.kept_as, run.pins)

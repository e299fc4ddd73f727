"""Films that are kept: what a run shows, for whoever trains the same after a server began anew.

Of a run whose changes are known beforehand each stretch is a film of its own: until the first change, from there to the
next one, and so on.
"""

import time
from collections.abc import Callable

import sqlalchemy as sa

from bnviz.export import recipe_document
from bnviz.export.run_file import RunFileError, from_bytes, to_bytes
from bnviz.records.kept_run import KeptRun
from bnviz.records.recipe import Recipe
from bnviz.store.database import Database
from bnviz.store.errors import StoreError
from bnviz.store.networks import digest
from bnviz.store.room import oldest_beyond

SHARE = 0.25  # of the room for kept runs, beside them; the oldest films go first

_FILMS = sa.table("films", *map(sa.column, ("key", "made", "size")), sa.column("content", sa.LargeBinary))
_F = _FILMS.c


def film_key(recipe: Recipe, made_by: str, device: str, until: int | None = None) -> str:
    """Return the key of what a recipe shows: another one for any other setting, change, version (`made_by`) or kind
    of device. until: the tick at which a planned change ends it; None: it goes to its end."""
    return digest(made_by, device, recipe_document.to_json(recipe), "" if until is None else str(until))


class StoredFilms:
    """Films in a database; any thread may use it. Raises StoreError."""

    def __init__(self, database: Database, room: int, clock: Callable[[], float] = time.time) -> None:
        self._database, self._room, self._clock = database, int(SHARE * room), clock

    def find(self, key: str) -> KeptRun | None:
        """Return the run of a film; None if there is none."""
        with self._database.reading() as connection:
            content = connection.execute(sa.select(_F.content).where(_F.key == key)).scalar_one_or_none()
        try:
            return None if content is None else from_bytes(content)
        except RunFileError as error:
            raise StoreError(str(error)) from error

    def keep(self, key: str, run: KeptRun) -> None:
        """Keep a run as a film, unless it is there already or too large."""
        try:
            content = to_bytes(run)
        except RunFileError as error:
            raise StoreError(str(error)) from error
        if len(content) > self._room:
            return
        with self._database.writing() as connection:
            if connection.execute(sa.select(_F.key).where(_F.key == key)).one_or_none() is not None:
                return
            known = connection.execute(sa.select(_F.key, _F.size).order_by(_F.made)).all()
            going, _ = oldest_beyond(known, sum(size for _, size in known) + len(content) - self._room)
            connection.execute(sa.delete(_FILMS).where(_F.key.in_(going)))
            row = {"key": key, "made": self._clock(), "size": len(content), "content": content}
            connection.execute(sa.insert(_FILMS), [row])

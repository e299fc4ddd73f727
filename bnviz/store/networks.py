"""Networks that sweeps have trained: none is trained twice, and those under way are found again at their checkpoint."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from bnviz.experiment.config import Experiment, to_dict
from bnviz.records.sweep import SweepResults
from bnviz.store.database import Database
from bnviz.store.room import oldest_beyond

MOST_NETWORKS = 200_000  # some 80 MB; the oldest go first
MOST_CHECKPOINT_BYTES = 256 * 2**20  # of all checkpoints; the oldest go first
CHECKPOINT_FRESH = 2 * 3600.0  # seconds until nobody is expected back
_AT_ONCE = 500  # keys in one question

_NETWORKS = sa.table("networks", *map(sa.column, ("key", "learned", "found")))
_CHECKPOINTS = sa.table("checkpoints", *map(sa.column, ("key", "saved_at", "progress", "content")))
_ONE = SweepResults.nothing(1)
_ROW = sum(values.nbytes for values in vars(_ONE).values())  # bytes of what was found of one network


def network_key(experiment: Experiment, made_from: str, device: str) -> str:
    """Return the key of a network: another one for any other setting, version (`made_from`) or kind of device.

    Kinds of devices round differently, so a network that trained on one is none of another. One whose stack went from
    one kind to another is known by the kind that it ended on.
    """
    return digest(made_from, device, json.dumps(to_dict(experiment), sort_keys=True))


def stack_key(keys: Sequence[str]) -> str:
    """Return the key of a stack of networks, by their keys."""
    return digest(*keys)


class Networks:
    """What sweeps have found, network by network; any thread may use it. Raises StoreError."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database, self._clock = database, clock

    def recall(self, keys: Sequence[str]) -> tuple[npt.NDArray[np.intp], SweepResults]:
        """Return the places of those keys that are known, and what was found, a row each."""
        known: dict[str, bytes] = {}
        with self._database.reading() as connection:
            for part in _parts(keys):
                asked = sa.select(_NETWORKS.c.key, _NETWORKS.c.found).where(_NETWORKS.c.key.in_(part))
                known |= {key: found for key, found in connection.execute(asked) if len(found) == _ROW}
        places = np.array([place for place, key in enumerate(keys) if key in known], np.intp)
        results = SweepResults.nothing(len(places))
        for row, place in enumerate(places):
            _unpack(known[keys[place]], results, row)
        return places, results

    def learn(self, keys: Sequence[str], found: SweepResults) -> None:
        """Remember networks that are trained to their end, a row each; their stack's checkpoint is of no more use."""
        now = self._clock()
        rows = [{"key": key, "learned": now, "found": _packed(found, row)} for row, key in enumerate(keys)]
        with self._database.writing() as connection:
            for part in _parts(keys):
                connection.execute(sa.delete(_NETWORKS).where(_NETWORKS.c.key.in_(part)))
            connection.execute(sa.insert(_NETWORKS), rows)
            connection.execute(sa.delete(_CHECKPOINTS).where(_CHECKPOINTS.c.key == stack_key(keys)))
            count = connection.execute(sa.select(sa.func.count()).select_from(_NETWORKS)).scalar_one()
            if count > MOST_NETWORKS:
                oldest = sa.select(_NETWORKS.c.key).order_by(_NETWORKS.c.learned).limit(count - MOST_NETWORKS)
                connection.execute(sa.delete(_NETWORKS).where(_NETWORKS.c.key.in_(oldest)))

    def checkpoint(self, keys: Sequence[str]) -> tuple[bytes, float] | None:
        """Return the last checkpoint of a stack, and its progress from 0 to 1; None if there is none."""
        asked = sa.select(_CHECKPOINTS.c.content, _CHECKPOINTS.c.progress).where(
            _CHECKPOINTS.c.key == stack_key(keys), _CHECKPOINTS.c.saved_at >= self._clock() - CHECKPOINT_FRESH
        )
        with self._database.reading() as connection:
            row = connection.execute(asked).one_or_none()
        return None if row is None else (row.content, row.progress)

    def save(self, keys: Sequence[str], saved: bytes, progress: float) -> None:
        """Remember the checkpoint of a stack."""
        c = _CHECKPOINTS.c
        row = {"key": stack_key(keys), "saved_at": self._clock(), "progress": progress, "content": saved}
        with self._database.writing() as connection:
            connection.execute(
                sa.delete(_CHECKPOINTS).where(
                    sa.or_(c.key == row["key"], c.saved_at < self._clock() - CHECKPOINT_FRESH)
                )
            )
            sizes = connection.execute(sa.select(c.key, sa.func.length(c.content)).order_by(c.saved_at)).all()
            over = sum(size for _, size in sizes) + len(saved) - MOST_CHECKPOINT_BYTES
            going, over = oldest_beyond(sizes, over)
            connection.execute(sa.delete(_CHECKPOINTS).where(c.key.in_(going)))
            if over <= 0:
                connection.execute(sa.insert(_CHECKPOINTS), [row])


def _parts(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[begin : begin + _AT_ONCE] for begin in range(0, len(keys), _AT_ONCE))


def digest(*words: str) -> str:
    """Return a key of some words in their order."""
    return hashlib.sha256("\0".join(words).encode()).hexdigest()


def _packed(found: SweepResults, row: int) -> bytes:
    """The bytes of one network's row, in the order of the fields."""
    return b"".join(np.ascontiguousarray(values[row]).tobytes() for values in vars(found).values())


def _unpack(packed: bytes, results: SweepResults, row: int) -> None:
    begin = 0
    for values, one in zip(vars(results).values(), vars(_ONE).values(), strict=True):
        values[row] = np.frombuffer(packed[begin : begin + one.nbytes], one.dtype).reshape(one.shape[1:])
        begin += one.nbytes

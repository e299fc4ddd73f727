"""What several viewers of one film see at the same moment: its figures are made, and written as JSON, once for all."""

import json
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock

from bnviz.figures.style import Figure

MOST_MOMENTS = 200  # moments, of some 40 kB


@dataclass(frozen=True)
class Moment:
    """The figures of a moment as JSON, and the sentences that hold at it."""

    figures: str
    findings: list[str]

    @staticmethod
    def of(figures: dict[str, Figure], findings: list[str]) -> "Moment":
        """Return the moment of figures by their charts' keys."""
        return Moment(json.dumps(figures, allow_nan=False), findings)


_lock = Lock()
_moments: OrderedDict[Hashable, tuple[object, Moment]] = OrderedDict()


def moment_of(seen: tuple[object, ...], key: Hashable, make: Callable[[], Moment]) -> Moment:
    """Return a moment; made if nobody has asked for it yet.

    seen: the film and its frame, which are told by their identities: of the same step there may be another frame, which
    looked at more. key: what else the figures follow from; of a kept run, all.
    """
    place = (*map(id, seen), key)
    with _lock:
        if (known := _moments.get(place)) is not None:
            _moments.move_to_end(place)
            return known[1]
    made = make()
    with _lock:
        _moments[place] = seen, made  # with what was seen, whose identities stay their own so long
        while len(_moments) > MOST_MOMENTS:
            _moments.popitem(last=False)
    return made

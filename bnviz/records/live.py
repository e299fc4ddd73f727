"""What a page sees of a run: its state, and what may be asked of it, whether it trains, is rewound or was stored."""

import math
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from bnviz.experiment.config import Experiment
from bnviz.records.history import History, View
from bnviz.records.questions import A, Question

State = Literal["starting", "paused", "playing", "finished", "failed", "closed"]


@dataclass(frozen=True)
class Status:
    """What the transport bar shows. notice: a sentence for the user, said at the monotonic time `noticed`.

    steps_per_second: as they are now; asked: as the user has chosen, infinite for as fast as it goes.
    """

    state: State
    step: int
    steps_per_second: float
    catching_up: bool
    busy: bool
    notice: str = ""
    noticed: float = 0.0
    asked: float = math.inf


class Moved(Protocol):
    """A bell that rings after each change; what rings and what listens need not know of each other's run."""

    def ring(self) -> None: ...

    def heard_by(self, listener: Callable[[], None]) -> AbstractContextManager[None]: ...


class ObservedRun(Protocol):
    """A run as a page shows it: as it is now, or as it was."""

    @property
    def experiment(self) -> Experiment: ...

    @property
    def status(self) -> Status: ...

    @property
    def moved(self) -> Moved: ...

    def view(self) -> View: ...

    def refresh_every(self, seconds: float) -> None:
        """Say how far apart frames may be for whoever looks."""


class RewoundRun(ObservedRun, Protocol):
    """A run whose past may be looked at. Another `history` means that it has started over."""

    @property
    def history(self) -> History: ...


class AskedRun(RewoundRun, Protocol):
    """A run whose networks answer questions."""

    def inspect(self, question: Question[A]) -> "Future[A]": ...

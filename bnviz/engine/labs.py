"""Who owns which run: one lab for a page of a browser tab, kept for a while after the tab is gone."""

import uuid
from dataclasses import dataclass
from threading import Lock, Timer
from typing import Literal

from bnviz.config import Experiment
from bnviz.data import status as data_status
from bnviz.engine.cluster import Engine
from bnviz.engine.run import SPEEDS, Run

FIRST_SPEED = "200"  # smooth to watch: a run of 1,500 steps takes some eight seconds
GRACE = 120.0  # seconds a run outlives its tab, so that a reload or a broken connection finds it again
MOST = 64  # runs at once: each holds its networks and its history in memory


Page = Literal["live", "inference", "landscape"]  # a tab has a run on each of these pages, once it has been there


class TooManyRunsError(RuntimeError):
    """The server already trains as many experiments as it may."""


@dataclass
class _Lab:
    run: Run
    owner: str | None
    ending: Timer | None = None


class Labs:
    """The runs of one server. A tab is known by the random id that it keeps in its own session storage."""

    def __init__(self, engine: Engine, grace: float = GRACE) -> None:
        self.engine = engine
        self._grace = grace
        self._lock = Lock()
        self._labs: dict[tuple[str, Page], _Lab] = {}

    def __len__(self) -> int:
        return len(self._labs)

    def claim(self, tab: str, owner: str, experiment: Experiment, page: Page = "live") -> tuple[str, Run]:
        """The run of a tab's page, for the session `owner`: the one it left, or a new one of `experiment`.

        Returns the tab's id with it: another one where a living session already holds that tab, as happens when a
        browser duplicates a tab together with its storage. Raises TooManyRunsError.
        """
        with self._lock:
            return self._claim(tab, owner, experiment, page)

    def _claim(self, tab: str, owner: str, experiment: Experiment, page: Page) -> tuple[str, Run]:
        if any(lab.owner not in (None, owner) for (other, _), lab in self._labs.items() if other == tab):
            mine = (other for (other, _), lab in self._labs.items() if lab.owner == owner)
            tab = next(mine, uuid.uuid4().hex)
        lab = self._labs.get((tab, page))
        if lab is None:
            if len(self._labs) >= MOST:
                raise TooManyRunsError(
                    f"This server already trains {MOST} experiments. Close a tab, or try again in a few minutes."
                )
            run = Run(self.engine, experiment, data_status().in_use, watch=None if page == "live" else page)
            lab = self._labs[tab, page] = _Lab(run, owner)
            lab.run.set_speed(SPEEDS[FIRST_SPEED])
        if lab.ending is not None:
            lab.ending.cancel()
            lab.ending = None
            lab.run.hold(False)
        lab.owner = owner
        return tab, lab.run

    def find(self, tab: str, owner: str, page: Page = "live") -> Run | None:
        """The run that a tab's page has already, for the session `owner`; None where there is none, or not for it."""
        with self._lock:
            lab = self._labs.get((tab, page))
            if lab is None or lab.owner not in (None, owner):
                return None
            return self._claim(tab, owner, lab.run.experiment, page)[1]

    def leave(self, owner: str) -> None:
        """The session is gone, perhaps only for a moment: its runs wait for it, and end after the grace period."""
        with self._lock:
            for key, lab in self._labs.items():
                if lab.owner == owner:
                    lab.owner = None
                    lab.run.hold(True)
                    lab.ending = Timer(self._grace, self._end, [key, lab])
                    lab.ending.daemon = True
                    lab.ending.start()

    def renew(self, tab: str, owner: str, experiment: Experiment) -> tuple[str, Run]:
        """Exchange a tab's run for a new one on the data that is there now; returns as claim does."""
        with self._lock:
            lab = self._labs.get((tab, "live"))
            if lab is not None and lab.owner == owner:
                del self._labs[tab, "live"]
                lab.run.close()
            return self._claim(tab, owner, experiment, "live")

    def close(self) -> None:
        with self._lock:
            for lab in self._labs.values():
                if lab.ending is not None:
                    lab.ending.cancel()
                lab.run.close()
            self._labs.clear()
        self.engine.close()

    def _end(self, key: tuple[str, Page], lab: _Lab) -> None:
        with self._lock:
            if lab.owner is not None or self._labs.get(key) is not lab:
                return
            del self._labs[key]
        lab.run.close()

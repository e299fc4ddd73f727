"""Who owns which run: one lab for a page of a browser tab, kept for a while after the tab is gone."""

import time
import uuid
from collections import Counter
from dataclasses import dataclass
from threading import Lock, Timer
from typing import Literal, Protocol, cast

from bnviz.engine.allowance import Allowance, TooFastError
from bnviz.engine.capacity import TooManyRunsError, most_runs
from bnviz.engine.cluster import Engine
from bnviz.engine.counters import REFUSALS
from bnviz.engine.film import FilmLibrary
from bnviz.engine.films import Films
from bnviz.engine.run import SPEEDS, Run
from bnviz.engine.sweeps import SweepMemory, SweepRun
from bnviz.experiment.config import Experiment, Watch
from bnviz.experiment.scenario import Scenario
from bnviz.experiment.sweep import Sweep
from bnviz.records.kept_run import KeptRun
from bnviz.records.notes import RunNote, SweepNote

FIRST_SPEED = "200"  # smooth to watch: a run of 1,500 steps takes some eight seconds
GRACE = 120.0  # seconds a run outlives its tab, so that a reload or a broken connection finds it again
REMEMBERED = 1000  # runs that gave way whose tabs are told so
MOST_NEW, NEW_A_MINUTE = 30, 30.0  # runs that one connection may begin at once, and a minute from then on
SWEEP_COST = 3.0  # of those
GAVE_WAY = "The server needed the place of your run while you were away. Its networks begin again, with your settings."

Page = Literal["live", "inference", "landscape"]  # a tab has a run on each of these pages, once it has been there
SweepPlace = Literal["sweep", "story_sweep"]  # and the sweep that it started last, here and in the story
Place = Page | SweepPlace | Literal["story"]  # and the run of the chapter that it is in


class Memory(SweepMemory, FilmLibrary, Protocol):
    """What is remembered of all that was trained."""


@dataclass
class _Lab:
    run: Run | SweepRun
    owner: str | None
    ending: Timer | None = None
    left: float = 0.0  # monotonic time at which its tab was last gone


class Labs:
    """The runs of one server. A tab is known by the random id that it keeps in its own session storage."""

    def __init__(self, engine: Engine, grace: float = GRACE, memory: Memory | None = None) -> None:
        """grace: seconds that a run outlives its tab. memory: of what was trained before."""
        self.engine, self.films, self._memory = engine, Films(engine, memory), memory
        self._grace = grace
        self._allowance = Allowance(MOST_NEW, NEW_A_MINUTE)
        self._lock = Lock()
        self._labs: dict[tuple[str, Place], _Lab] = {}
        self._gave_way: dict[tuple[str, Place], Literal[True]] = {}  # in order, at most REMEMBERED

    def __len__(self) -> int:
        return len(self._labs)

    def census(self) -> tuple[Counter[str], Counter[str]]:
        """Count runs and sweeps by their state."""
        found = [lab.run for lab in list(self._labs.values())]
        runs = Counter(run.status.state for run in found if isinstance(run, Run))
        return Counter[str](runs), Counter[str](run.status.state for run in found if isinstance(run, SweepRun))

    def claim(
        self, tab: str, owner: str, experiment: Experiment, page: Page = "live", noted: RunNote | None = None
    ) -> tuple[str, Run]:
        """Return the run of a tab's page, for the session `owner`: the one it left, or a new one.

        noted: where the tab's run was that an earlier server had, or this one long ago; else it begins with
        `experiment`. Returns the tab's id with it: another one if a living session already holds that tab, as happens
        when a browser duplicates a tab together with its storage. Raises RefusedError.
        """
        with self._lock:
            return self._claim(tab, owner, experiment, page, noted)

    def _claim(
        self, asked: str, owner: str, experiment: Experiment, page: Page, noted: RunNote | None = None
    ) -> tuple[str, Run]:
        tab = self._own(asked, owner)
        if (tab, page) not in self._labs:
            self._spend(owner)
            self._make_room()
            watch = None if page == "live" else page
            if noted is not None and tab == asked and noted.recipe.watch == watch:
                run = Run(self.engine, noted.recipe.newest, watch=watch, films=self.films, note=noted)
                run.set_speed(noted.speed)
            else:
                run = Run(self.engine, experiment, watch=watch, films=self.films)
                run.set_speed(SPEEDS[FIRST_SPEED])
                if self.gave_way(tab, page):
                    run.say(GAVE_WAY)
            self._labs[tab, page] = _Lab(run, owner)
        return tab, cast(Run, self._take(tab, owner, page))

    def knows(self, tab: str, place: Place) -> bool:
        """Return whether a tab has something at a place."""
        return (tab, place) in self._labs

    def notes(self) -> dict[tuple[str, Place], RunNote | SweepNote]:
        """Return where everything is that is under way, by tab and place."""
        with self._lock:
            known = list(self._labs.items())
        return {key: note for key, lab in known if (note := lab.run.note()) is not None}

    def start_sweep(self, tab: str, owner: str, sweep: Sweep, place: SweepPlace = "sweep") -> tuple[str, SweepRun]:
        """Start a sweep in place of the one that the tab may have. Returns as `claim` does; raises RefusedError."""
        return self._begin_sweep(tab, owner, SweepNote(sweep, "running"), place)

    def go_on_with_sweep(self, tab: str, owner: str, noted: SweepNote, place: SweepPlace) -> None:
        """Give a tab the sweep that an earlier server had for it, unless it has one or is another's; RefusedError."""
        with self._lock:
            if (tab, place) in self._labs or self._own(tab, owner) != tab:
                return
        self._begin_sweep(tab, owner, noted, place)

    def _begin_sweep(self, tab: str, owner: str, note: SweepNote, place: SweepPlace) -> tuple[str, SweepRun]:
        with self._lock:
            tab = self._own(tab, owner)
            self._clear(tab, place, owner, SWEEP_COST)
            run = SweepRun(self.engine, note.sweep, memory=self._memory, state=note.state)
            self._labs[tab, place] = _Lab(run, owner)
            return tab, run

    def stage(
        self,
        tab: str,
        owner: str,
        scenario: Scenario,
        watch: Watch | None = None,
        noted: RunNote | None = None,
    ) -> tuple[str, Run]:
        """The tab's run of the story: the one that it has if it is of this scenario, else a new one in its place.

        noted: where that of an earlier server was. Returns as `claim` does; raises RefusedError.
        """
        with self._lock:
            asked, tab = tab, self._own(tab, owner)
            began = noted and (noted.recipe.experiment, noted.recipe.watch)
            if tab != asked or began != (scenario.experiment, watch):
                noted = None
            lab = self._labs.get((tab, "story"))
            if lab is None or (run := cast(Run, lab.run)).scenario != scenario or run.watch != watch:
                self._clear(tab, "story", owner)
                begins, changes = scenario.experiment, scenario.changes
                run = Run(self.engine, begins, watch=watch, changes=changes, films=self.films, note=noted)
                if noted:
                    run.set_speed(noted.speed)
                self._labs[tab, "story"] = _Lab(run, owner)
                if self.gave_way(tab, "story"):
                    run.say(GAVE_WAY)
            return tab, cast(Run, self._take(tab, owner, "story"))

    def _spend(self, owner: str, cost: float = 1.0) -> None:
        try:
            self._allowance.take(owner, cost)
        except TooFastError:
            REFUSALS.labels("rate").inc()
            raise

    def _clear(self, tab: str, place: Place, owner: str, cost: float = 1.0) -> None:
        """End what the tab has at a place, and see that there is room for what comes there."""
        self._spend(owner, cost)
        if (old := self._labs.pop((tab, place), None)) is not None:
            old.run.close()
        self._make_room()

    def _own(self, tab: str, owner: str) -> str:
        """Return the tab's id for this session: another one if a living session already holds it."""
        if any(lab.owner not in (None, owner) for (other, _), lab in self._labs.items() if other == tab):
            mine = (other for (other, _), lab in self._labs.items() if lab.owner == owner)
            return next(mine, uuid.uuid4().hex)
        return tab

    def _make_room(self) -> None:
        """End what has been left for longest if all places are taken; raises RefusedError if nothing has been left."""
        most, why = most_runs()
        while len(self._labs) >= most:
            left = [(lab.left, key) for key, lab in self._labs.items() if lab.owner is None]
            if not left:
                REFUSALS.labels("full").inc()
                raise TooManyRunsError(most, why)
            key = min(left)[1]
            lab = self._labs.pop(key)
            if lab.ending is not None:
                lab.ending.cancel()
            lab.run.close()
            self._gave_way[key] = True
            if len(self._gave_way) > REMEMBERED:
                del self._gave_way[next(iter(self._gave_way))]

    def gave_way(self, tab: str, place: Place) -> bool:
        """Return whether what a tab had at a place gave way to others while the tab was gone; once."""
        return self._gave_way.pop((tab, place), False)

    def _take(self, tab: str, owner: str, page: Place) -> Run | SweepRun:
        lab = self._labs[tab, page]
        if lab.ending is not None:
            lab.ending.cancel()
            lab.ending = None
            lab.run.hold(False)
        lab.owner = owner
        return lab.run

    def find(self, tab: str, owner: str, page: Page = "live") -> Run | None:
        """Return the run that a tab's page has already, for the session `owner`; None if it may have none."""
        return cast("Run | None", self._find(tab, owner, page))

    def find_sweep(self, tab: str, owner: str, place: SweepPlace = "sweep") -> SweepRun | None:
        """Return the sweep that a tab has already; None as in `find`."""
        return cast("SweepRun | None", self._find(tab, owner, place))

    def _find(self, tab: str, owner: str, page: Place) -> Run | SweepRun | None:
        with self._lock:
            lab = self._labs.get((tab, page))
            return self._take(tab, owner, page) if lab is not None and lab.owner in (None, owner) else None

    def leave(self, owner: str) -> None:
        """Let the runs of a session that is gone, perhaps for a moment, wait for it, and end after the grace period."""
        with self._lock:
            for key, lab in self._labs.items():
                if lab.owner == owner:
                    lab.owner, lab.left = None, time.monotonic()
                    lab.run.hold(True)
                    lab.ending = Timer(self._grace, self._end, [key, lab])
                    lab.ending.daemon = True
                    lab.ending.start()

    def open_kept(self, tab: str, owner: str, kept: KeptRun) -> tuple[str, Run]:
        """Exchange a tab's run for a copy of a kept one; returns as claim does."""
        with self._lock:
            tab = self._own(tab, owner)
            self._clear(tab, "live", owner)
            run = Run(self.engine, kept.recipe.newest, films=self.films, kept=kept)
            run.set_speed(SPEEDS[FIRST_SPEED])
            self._labs[tab, "live"] = _Lab(run, owner)
            return tab, run

    def close(self) -> None:
        with self._lock:
            for lab in self._labs.values():
                if lab.ending is not None:
                    lab.ending.cancel()
                lab.run.close()
            self._labs.clear()
        self.engine.close()

    def _end(self, key: tuple[str, Place], lab: _Lab) -> None:
        with self._lock:
            if lab.owner is not None or self._labs.get(key) is not lab:
                return
            del self._labs[key]
        lab.run.close()

"""The films of one server, and the trainer of a run that watches them."""

import math
import time
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from threading import Lock

from bnviz.engine.cluster import Engine
from bnviz.engine.film import Film, FilmLibrary, as_run, frames_of
from bnviz.engine.remote import WorkerLostError
from bnviz.engine.replayed_trainer import ReplayedTrainer, freed_on_error
from bnviz.experiment.config import Experiment, Watch
from bnviz.experiment.edits import Edit
from bnviz.records.frames import Focus, Frame
from bnviz.records.history import LOSS_POINTS
from bnviz.records.questions import A, Question
from bnviz.records.recipe import Recipe

IDLE_BYTES = 200_000_000  # of the frames of films that nobody watches; the oldest go first
FASTEST = 2000.0  # steps a second at which frames that are there already are shown at full speed
REST = 0.05  # seconds that a watcher rests at most: a click should not wait longer
FEW = 3  # watchers of a film, of whom each may get a trainer of its own for a smoother picture ...
SLOW = 10  # ... and of many each who wants so few steps a second: such a trainer has next to nothing to do
DENSE = 20  # steps, at most, between two frames that many watch, each at a pace of its own
WIDEST_GAP = 0.3  # seconds between recorded frames, at the pace of a watcher; above, it gets a trainer that makes more


class Films:
    """Hands out one film for each recipe. Any thread may ask."""

    def __init__(self, engine: Engine, library: FilmLibrary | None = None) -> None:
        self._engine, self._library = engine, library
        self._lock = Lock()
        self._films: OrderedDict[Recipe, Film] = OrderedDict()  # last those that were used last
        self._making: defaultdict[Recipe, Lock] = defaultdict(Lock)
        self._sizes: dict[Recipe, int] = {}  # bytes of those that nobody watches

    def trainer(self, watch: Watch | None, planned: Sequence[int] = ()) -> "FilmedTrainer":
        """Return the trainer of one run. planned: the ticks of the changes that it will make."""
        return FilmedTrainer(self, watch, planned)

    def open(self, recipe: Recipe, who: object, focus: Focus, until: int | None = None) -> Film:
        """Return the film of a recipe without changes, which one more watches. until: the tick of a planned change."""
        with self._making[recipe]:
            if (film := self._watched(recipe, who, focus)) is not None:
                return film
            if (film := self._recorded_before(recipe, until)) is not None:
                return self._add(film, who, focus)
            trainer = ReplayedTrainer(self._engine, recipe.watch)
            first = trainer.start(recipe.experiment, focus)
            return self._add(Film(self._engine, recipe, first, trainer), who, focus)

    def branch(
        self,
        film: Film,
        who: object,
        seen: Frame,
        edit: Edit,
        focus: Focus,
        *,
        planned: bool = False,
        until: int | None = None,
    ) -> Film:
        """Return the film that a watcher's change leads to, from its present step on, and let it watch that.

        planned: whether all changes so far were known beforehand; until: the tick of the next one of those.
        """
        recipe = replace(film.recipe, changes=(*film.recipe.changes, (seen.tick, edit)))
        if planned:
            self.keep(film, seen.tick)
        with self._making[recipe]:
            known = self._watched(recipe, who, focus)
            if known is None and planned and (known := self._recorded_before(recipe, until)) is not None:
                self._add(known, who, focus)
            if known is None:
                trainer = film.trainer_at(seen, take=len(film.watchers) == 1)
                with freed_on_error(trainer):  # one that could not make the change is of no more use
                    try:
                        first = trainer.edit(seen.tick, edit, focus)
                    except WorkerLostError:
                        film.give_back(trainer)  # it is recovered there, and asked once more
                        raise
                known = self._add(Film(self._engine, recipe, first, trainer), who, focus)
        self.leave(film, who)
        return known

    def kept(self, recipe: Recipe, who: object, frame: Frame) -> Film:
        """Return a film that begins where a run was, for whoever goes on with that."""
        film = Film(self._engine, recipe, frame, None)
        film.may_be_kept = False  # the frame may be from anybody's file
        film.watchers[who] = Focus()
        return film

    def alone(self, film: Film, who: object, seen: Frame) -> Film:
        """Return a film for one watcher alone, which goes on where that is."""
        own = Film(self._engine, film.recipe, seen, film.trainer_at(seen, take=len(film.watchers) == 1))
        own.may_be_kept = film.may_be_kept
        own.watchers[who] = film.watchers[who]
        self.leave(film, who)
        return own

    def keep(self, film: Film, until: int | None = None) -> None:
        """Keep a film that has reached its end, or what it shows to a tick, if it has all of that from its last change
        on."""
        recipe = film.recipe
        if self._library is None or not film.may_be_kept or until in film.kept:
            return
        if recipe.newest.training.steps >= LOSS_POINTS:
            return  # so many steps are told as means of several, from which no film follows
        frames = film.shown(until)
        begin = recipe.changes[-1][0] if recipe.changes else 0
        whole = frames[0].tick == begin and (until is None or frames[-1].tick == until)
        if whole and all(frame.tick == max(v.step for v in frame.variants) for frame in frames):
            film.kept.add(until)
            self._library.keep_film(recipe, lambda: as_run(recipe, frames), until)

    def _recorded_before(self, recipe: Recipe, until: int | None) -> Film | None:
        """The film of a recipe as it was kept: to a tick, or to its end."""
        for end in dict.fromkeys((until, None)):
            if (known := self._library and self._library.film(recipe, end)) and (frames := frames_of(known.view)):
                return Film.recorded_before(self._engine, recipe, frames, end)
        return None

    def leave(self, film: Film, who: object) -> None:
        """Note that somebody watches a film no more. One that nobody watches has no trainer."""
        with self._lock:
            film.watchers.pop(who, None)
            if film.watchers:
                return
        film.stop()
        with self._lock:
            if not film.watchers and self._films.get(film.recipe) is film:
                self._sizes[film.recipe] = film.bytes
                self._forget_oldest()

    def _watched(self, recipe: Recipe, who: object, focus: Focus) -> Film | None:
        with self._lock:
            if (film := self._films.get(recipe)) is not None:
                film.watchers[who] = focus
                self._films.move_to_end(recipe)
                self._sizes.pop(recipe, None)
            return film

    def _add(self, film: Film, who: object, focus: Focus) -> Film:
        with self._lock:
            film.watchers[who] = focus
            self._films[film.recipe] = film
        return film

    def _forget_oldest(self) -> None:
        for recipe in list(self._films):
            if sum(self._sizes.values()) <= IDLE_BYTES:
                return
            if recipe in self._sizes:
                del self._films[recipe], self._sizes[recipe]
                self._making.pop(recipe, None)


class FilmedTrainer:
    """The trainer of one run, called from one thread: it shows a film, and trains when that has no more frames.

    A call raises WorkerLostError if the worker is gone; then `recover`.
    """

    def __init__(self, films: Films, watch: Watch | None, planned: Sequence[int] = ()) -> None:
        self._films, self._watch, self._planned = films, watch, planned
        self._film: Film | None = None
        self._left: Recipe | None = None  # what it showed when it was stopped
        self._seen: Frame  # what the run shows
        self.place: tuple[Recipe, int] | None = None  # what it was made from, and the tick at which it is
        self._told = 0.0  # monotonic time of the newest frame
        self.speed = math.inf  # steps a second at which it is watched

    @property
    def lost(self) -> bool:
        """Whether there is no trainer to ask."""
        return self._film is None or self._film.lost

    @property
    def worker(self) -> str | None:
        """The address of the worker that trains what it shows. Any thread may ask."""
        return film.worker if (film := self._film) else None

    @property
    def recipe(self) -> Recipe | None:
        """What the run was made from so far; None before it has begun. Any thread may ask."""
        return film.recipe if (film := self._film) else None

    def start(self, experiment: Experiment, focus: Focus) -> Frame:
        """Begin with `experiment` at step 0."""
        self.stop()
        self._film = self._films.open(Recipe(experiment, self._watch), self, focus, self._next_planned(0))
        return self._show(self._film.first)

    def resume(self, recipe: Recipe, frame: Frame) -> Frame:
        """Go on where a run of the recipe was. It is trained again up to there only if more is wanted of it."""
        self.stop()
        self._film = self._films.kept(recipe, self, frame)
        return self._show(frame)

    def advance(self, steps: int | None, interval: float | None, *, evaluate: bool, focus: Focus) -> list[Frame]:
        """Return the next frames, of at most so many steps, in their order; none if the next one is not due yet.

        interval: seconds until the next frame is wished; None: so many steps are wanted exactly, and at once.
        """
        film = self._here()
        film.watchers[self] = focus
        if steps == 0:
            found = film.look(self._seen, focus)
            if not found and not self._seen.shows(focus):  # others have trained on, and looked at other layers
                self._go_alone()
                found = self._here().look(self._seen, focus)
        elif interval is not None and self._seen.tick < film.head.tick:
            found = self._follow(film, steps, interval)
        else:
            if self._seen.tick < film.head.tick and not film.recorded(self._seen, steps):
                self._go_alone()  # exactly so many steps, now: others have gone further at once
            if interval is not None and len(film.watchers) > FEW:
                steps = min(steps or DENSE, DENSE)
            found = self._here().advance(self._seen, steps, interval, evaluate=evaluate, focus=focus)
        if found:
            self._show(found[-1])
            if found[-1].finished and self._is_planned(film.recipe):
                self._films.keep(self._here())
        return found

    def edit(self, tick: int, edit: Edit, focus: Focus) -> Frame:
        """Apply a live change at the tick at which the run is."""
        assert tick == self._seen.tick
        film = self._here()
        planned = tick in self._planned and self._is_planned(film.recipe)
        until = self._next_planned(tick)
        self._film = self._films.branch(film, self, self._seen, edit, focus, planned=planned, until=until)
        return self._show(self._film.first)

    def inspect(self, question: Question[A]) -> A:
        """Return the answer of the networks as the run shows them."""
        try:
            return self._here().inspect(self._seen, question)
        except LookupError:
            self._go_alone()
            return self._here().inspect(self._seen, question)

    def recover(self, goal: Frame) -> Frame:
        """Bring a new trainer to where the lost one was, also after `stop`. Returns what the run shows."""
        if self._film is None:
            assert self._left is not None
            self._film = self._films.kept(self._left, self, goal)
        self._film.recover()
        return self._show(goal)

    def stop(self) -> None:
        """Watch nothing any more."""
        if self._film is not None:
            self._left = self._film.recipe
            self._films.leave(self._film, self)
        self._film = None

    def _follow(self, film: Film, steps: int | None, interval: float) -> list[Frame]:
        """Return the recorded frames that are due. Where they lie too far apart for a slow pace, go alone from here."""
        if steps is None:
            steps = int(FASTEST * min(time.monotonic() - self._told, 1.0))
        if found := film.recorded(self._seen, steps):
            return found
        # By steps and not by the clock, and of many only the slow ones: else a busy machine would get a trainer for
        # each, and be busier.
        ahead = film.steps_to_next(self._seen)
        if (len(film.watchers) <= FEW or self.speed <= SLOW) and ahead > WIDEST_GAP * self.speed:
            self._go_alone()
        else:
            time.sleep(min(max(ahead - steps, 1) / min(self.speed, FASTEST), REST, interval))
        return []

    def _next_planned(self, tick: int) -> int | None:
        return next((at for at in self._planned if at > tick), None)

    def _is_planned(self, recipe: Recipe) -> bool:
        return all(tick in self._planned for tick, _ in recipe.changes)

    def _go_alone(self) -> None:
        self._film = self._films.alone(self._here(), self, self._seen)

    def _show(self, frame: Frame) -> Frame:
        self._seen, self._told = frame, time.monotonic()
        self.place = self._here().recipe, frame.tick
        return frame

    def _here(self) -> Film:
        assert self._film is not None
        return self._film

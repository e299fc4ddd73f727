"""Films: however many runs watch one, at whatever pace, each shows what it would have shown alone."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bnviz.engine import film as film_module
from bnviz.engine import films as films_module
from bnviz.engine.films import FilmedTrainer, Films
from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, TrainingConfig, Variant
from bnviz.experiment.edits import Edit, plan
from bnviz.records.frames import Focus, Frame
from bnviz.records.history import History
from bnviz.records.recipe import Recipe
from bnviz.training.batches import Batches
from bnviz.training.trainer import Trainer
from tests.running import plain

FOCUS = Focus((0,))
STEPS = 160
SMALL = NetworkConfig(width=4, init="xavier_normal")
EXPERIMENT = Experiment(TrainingConfig(steps=STEPS, batch_size=8), (Variant(SMALL), Variant(SMALL, BatchNormConfig())))


class TrainerHere:
    """What a ReplayedTrainer does, in this process and without an engine."""

    made = 0
    saved = None
    batches: Batches

    def __init__(self, *_: object) -> None:
        type(self).made += 1
        self.lost = False

    def start(self, experiment: Experiment, focus: Focus) -> Frame:
        self.trainer = Trainer(experiment.training, experiment.variants, self.batches)
        return self.trainer.advance(steps=0, focus=focus)

    def advance(self, steps: int | None, _: float | None, *, evaluate: bool, focus: Focus) -> Frame:
        return self.trainer.advance(steps=steps, evaluate=evaluate, focus=focus)

    def edit(self, tick: int, edit: Edit, focus: Focus) -> Frame:
        assert tick == self.trainer.tick
        return self.trainer.edit(edit, focus=focus)

    def resume(self, experiment: Experiment, changes: Any, goal: Frame, saved: object = None) -> None:
        self.start(experiment, FOCUS)
        for tick, edit in changes:
            self._train_until(tick)
            self.trainer.edit(edit, focus=FOCUS)
        self._train_until(goal.tick)

    def copy(self) -> "TrainerHere":
        twin = TrainerHere()
        twin.trainer = self.trainer.copy()
        return twin

    def inspect(self, question: Callable[[Trainer], Any]) -> Any:
        return question(self.trainer)

    def stop(self) -> None:
        pass

    def _train_until(self, tick: int) -> None:
        while self.trainer.tick < tick:
            self.trainer.advance(steps=tick - self.trainer.tick, evaluate=False, focus=FOCUS)


class Watcher:
    """What a Run does with its trainer: it shows frames, keeps a history, and makes changes."""

    def __init__(self, films: Films, experiment: Experiment = EXPERIMENT) -> None:
        self.trainer = FilmedTrainer(films, None)
        self.trainer.speed = 50.0
        self.experiment, self.history = experiment, History(experiment)
        self.frame = self.trainer.start(experiment, FOCUS)
        self.history.add(self.frame)

    def advance(self, steps: int | None, *, evaluate: bool = False) -> None:
        exactly = steps in (0, 1)  # as a hand asks for
        for frame in self.trainer.advance(steps, None if exactly else 0.0, evaluate=evaluate, focus=FOCUS):
            self.frame = frame
            self.history.add(frame)

    def edit(self, experiment: Experiment, *, keep: bool) -> None:
        edit = plan(self.experiment, experiment, keep)
        if edit is None:
            return
        assert not edit.restarts_all
        self.frame = self.trainer.edit(self.frame.tick, edit, FOCUS)
        self.history.edit(edit, self.frame)
        self.experiment = experiment

    def play(self) -> "Watcher":
        while not self.frame.finished:
            self.advance(50)
        return self

    @property
    def record(self) -> Any:
        view = self.history.view()
        return plain((view.experiment, view.variants), without=("seconds", "frame_seconds"))


@pytest.fixture
def films(batches: Batches, monkeypatch: pytest.MonkeyPatch) -> Films:
    TrainerHere.batches, TrainerHere.made = batches, 0
    monkeypatch.setattr(film_module, "ReplayedTrainer", TrainerHere)
    monkeypatch.setattr(films_module, "ReplayedTrainer", TrainerHere)
    monkeypatch.setattr(films_module, "WIDEST_GAP", 0.0)
    monkeypatch.setattr(films_module, "REST", 0.0)
    return Films(None)  # type: ignore[arg-type]  # only real trainers need an engine


def alone(edits: list[tuple[int, Experiment, bool]], batches: Batches) -> Any:
    """What a run shows that nobody shares: the experiment, changed at some ticks."""
    trainer = Trainer(EXPERIMENT.training, EXPERIMENT.variants, batches)
    history, experiment = History(EXPERIMENT), EXPERIMENT
    history.add(trainer.advance(steps=0))
    for tick, changed, keep in edits:
        while trainer.tick < tick:
            history.add(trainer.advance(steps=tick - trainer.tick))
        if (edit := plan(experiment, changed, keep)) is not None:
            history.edit(edit, trainer.edit(edit))
        experiment = changed
    while not trainer.finished:
        history.add(trainer.advance())
    view = history.view()
    return plain((view.experiment, view.variants), without=("seconds", "frame_seconds"))


def changed(experiment: Experiment, kind: str) -> Experiment:
    """Another experiment, of which no change starts all networks over."""
    first, second = experiment.variants
    if kind == "switch":
        first = replace(first, batchnorm=None if first.batchnorm else BatchNormConfig())
    elif kind == "init":
        second = replace(second, network=replace(second.network, init="he_normal", init_scale=0.5))
    return replace(experiment, variants=(first, second))


moves = st.tuples(st.integers(0, 2), st.sampled_from(["step", "some", "many", "look", "switch", "init"]), st.booleans())


@pytest.mark.slow
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(moves, max_size=30))
def test_every_watcher_shows_what_it_would_have_shown_alone(
    films: Films, batches: Batches, script: list[tuple[int, str, bool]]
) -> None:
    watchers = [Watcher(films) for _ in range(3)]
    edits: list[list[tuple[int, Experiment, bool]]] = [[], [], []]
    for who, what, keep in script:
        watcher = watchers[who]
        if watcher.frame.finished:
            continue
        if what in ("switch", "init"):
            target = changed(watcher.experiment, what)
            edits[who].append((watcher.frame.tick, target, keep))
            watcher.edit(target, keep=keep)
        else:
            watcher.advance({"step": 1, "some": 13, "many": 60, "look": 0}[what], evaluate=keep)
    for watcher, made in zip(watchers, edits, strict=True):
        assert watcher.play().record == alone(made, batches)
    for watcher in watchers:
        watcher.trainer.stop()


def test_who_comes_later_is_shown_what_is_there_and_trains_nothing(films: Films) -> None:
    first = Watcher(films).play()
    made = TrainerHere.made
    second = Watcher(films).play()
    assert second.record == first.record
    assert TrainerHere.made == made == 1


def test_the_same_change_at_the_same_step_is_the_same_film(films: Films, batches: Batches) -> None:
    watchers = [Watcher(films) for _ in range(2)]
    target = changed(EXPERIMENT, "switch")
    for watcher in watchers:
        while watcher.frame.tick < 101:
            watcher.advance(101 - watcher.frame.tick)
        watcher.edit(target, keep=True)
    assert watchers[0].trainer.recipe == watchers[1].trainer.recipe
    expected = alone([(101, target, True)], batches)
    assert [watcher.play().record for watcher in watchers] == [expected] * 2


@pytest.mark.parametrize(
    "other",
    [
        Recipe(replace(EXPERIMENT, training=replace(EXPERIMENT.training, seed=1))),
        Recipe(replace(EXPERIMENT, training=replace(EXPERIMENT.training, data="MNIST sample"))),
        Recipe(EXPERIMENT, "landscape"),
        Recipe(EXPERIMENT, None, ((3, Edit(EXPERIMENT)),)),
    ],
    ids=["experiment", "digits", "watched", "changed"],
)
def test_a_film_belongs_to_one_recipe(films: Films, other: Recipe) -> None:
    recipe = Recipe(EXPERIMENT)
    assert films.open(recipe, "one", FOCUS) is films.open(Recipe(EXPERIMENT), "two", FOCUS)
    assert other != recipe
    if not other.changes:
        assert films.open(other, "three", FOCUS) is not films.open(recipe, "four", FOCUS)


def test_a_question_about_networks_that_others_trained_on_is_answered_as_they_were(films: Films) -> None:
    slow, fast = Watcher(films), Watcher(films)
    fast.play()
    assert slow.trainer.inspect(lambda trainer: trainer.tick) == 0  # type: ignore[arg-type]
    assert slow.play().record == fast.record


def test_films_that_nobody_watches_are_forgotten_oldest_first(films: Films, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(films_module, "IDLE_BYTES", 0)
    first = Watcher(films).play()
    first.trainer.stop()
    made = TrainerHere.made
    Watcher(films).play()
    assert TrainerHere.made == made + 1


def test_a_long_film_is_thinned_and_shows_the_same_history(
    films: Films, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film_module, "MOST_FRAMES", 40)
    first = Watcher(films)
    while not first.frame.finished:
        first.advance(1)
    film = first.trainer._here()
    kept = STEPS // EXPERIMENT.training.keep_every + 1
    assert kept <= len([film.first, *film.recorded(film.first, None)]) <= 40 + kept
    assert Watcher(films).play().record == first.record == alone([], batches)


@pytest.mark.parametrize(("speed", "made"), [(10.0, 1), (200.0, 0)], ids=["slow", "fast"])
def test_among_many_only_who_is_slow_gets_a_trainer_where_frames_lie_far_apart(
    films: Films, monkeypatch: pytest.MonkeyPatch, speed: float, made: int
) -> None:
    monkeypatch.setattr(films_module, "WIDEST_GAP", 0.3)
    first, *others = [Watcher(films) for _ in range(films_module.FEW + 2)]
    while not first.frame.finished:
        first.advance(40)  # frames 40 steps apart: 4 s for one who wants ten steps a second
    before = TrainerHere.made
    others[0].trainer.speed = speed
    others[0].trainer.advance(2, 0.1, evaluate=False, focus=FOCUS)
    assert TrainerHere.made - before == made
    assert others[0].play().record == first.record


def test_a_single_step_is_one_step_also_where_others_took_many_at_once(films: Films) -> None:
    first = Watcher(films)
    while not first.frame.finished:
        first.advance(50)
    second = Watcher(films)
    for step in range(1, 6):
        second.advance(1)
        assert second.frame.tick == step
    assert second.play().record == first.record

"""Films that outlive a server: whoever trains the same afterwards is shown them, to the bit and without a trainer."""

from collections.abc import Callable, Iterator, Sequence

import pytest

from bnviz.engine.cluster import Engine
from bnviz.engine.films import Films
from bnviz.engine.run import Run
from bnviz.experiment.config import Experiment, NetworkConfig, Watch, replace
from bnviz.experiment.scenario import Change
from bnviz.records.frames import Focus, Frame
from bnviz.records.kept_run import KeptRun
from bnviz.records.recipe import Recipe
from bnviz.store.films import StoredFilms
from bnviz.store.store import Store
from bnviz.ui.web.memory import Memory
from tests.builders import twins
from tests.keeping import made_up_run
from tests.running import plain, played, reached, record, settled, stepped, wait_until

TWINS = twins(steps=300)
DIVERGING = twins(NetworkConfig(init="normal", init_scale=100.0, activation="relu"), steps=120, learning_rate=10.0)


@pytest.fixture
def runs() -> Iterator[list[Run]]:
    made: list[Run] = []
    yield made
    for run in made:
        run.close()


def trained(
    engine: Engine, store: Store, runs: list[Run], experiment: Experiment = TWINS, watch: Watch | None = None
) -> Run:
    """A run of a server of its own, in front of the same store."""
    runs.append(Run(engine, experiment, watch=watch, films=Films(engine, Memory(lambda: store))))
    return settled(runs[-1])


def filmed(store: Store, run: Run) -> None:
    memory = Memory(lambda: store)
    recipe = Recipe(run.experiment, run.watch)
    wait_until(lambda: memory.film(recipe) is not None, "the film")


@pytest.mark.parametrize("experiment", [TWINS, DIVERGING], ids=["learning", "diverging"])
@pytest.mark.parametrize("watch", [None, "inference"])
def test_a_film_is_shown_again_without_a_trainer(
    engine: Engine, store: Store, runs: list[Run], experiment: Experiment, watch: Watch | None
) -> None:
    first = played(trained(engine, store, runs, experiment, watch))
    filmed(store, first)
    first.close()
    wait_until(lambda: not any(engine.load().values()), "the end of its trainer")
    again = played(trained(engine, store, runs, experiment, watch))
    assert not any(engine.load().values())
    assert record(again) == record(first)
    assert again.status.step == first.status.step


def test_a_change_of_a_film_branches_off_as_from_a_run(engine: Engine, store: Store, runs: list[Run]) -> None:
    filmed(store, played(trained(engine, store, runs)))
    alone, again = Run(engine, TWINS), trained(engine, store, runs)
    runs.append(alone)
    changed = TWINS.with_variant(0, replace(TWINS.variants[0], batchnorm=TWINS.variants[1].batchnorm))
    for run in (settled(alone), again):
        stepped(run, 7)
        run.edit(changed, keep_weights=True)
        played(settled(run))
    assert record(again) == record(alone)


class Shelf:
    """A library that notes what it is given."""

    def __init__(self) -> None:
        self.recipes: list[Recipe] = []

    def film(self, recipe: Recipe, until: int | None = None) -> KeptRun | None:
        return None

    def keep_film(self, recipe: Recipe, shown: Callable[[], KeptRun], until: int | None = None) -> None:
        self.recipes.append(recipe)


def test_a_film_that_begins_with_a_frame_of_a_file_is_not_kept_for_others(engine: Engine) -> None:
    """Whoever made the file may have written into it what he liked."""
    recipe, shelf = Recipe(replace(TWINS, training=replace(TWINS.training, seed=44))), Shelf()
    frames: list[Frame] = []
    for brought in (False, True):
        trainer = Films(engine, shelf).trainer(None)
        frames.append(trainer.resume(recipe, frames[0]) if brought else trainer.start(recipe.experiment, Focus()))
        while not trainer.advance(300, None, evaluate=True, focus=Focus())[-1].finished:
            pass
        trainer.stop()
        assert shelf.recipes == [recipe]


PLANNED = (
    Change(90, TWINS.with_variant(0, replace(TWINS.variants[0], batchnorm=TWINS.variants[1].batchnorm))),
    Change(200, replace(TWINS, training=replace(TWINS.training, learning_rate=0.02))),
)


def scripted(
    engine: Engine, store: Store, runs: list[Run], changes: Sequence[Change] = PLANNED, experiment: Experiment = TWINS
) -> Run:
    """A run with changes that are known beforehand, of a server of its own."""
    runs.append(Run(engine, experiment, changes=changes, films=Films(engine, Memory(lambda: store))))
    return settled(runs[-1])


def stretches(store: Store) -> int:
    with store._database.reading() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM films").scalar_one())


def test_a_film_with_planned_changes_is_shown_again_without_a_trainer(
    engine: Engine, store: Store, runs: list[Run]
) -> None:
    alone = Run(engine, TWINS, changes=PLANNED)
    runs.append(alone)
    played(settled(alone))
    first = played(scripted(engine, store, runs))
    wait_until(lambda: stretches(store) == 3, "the film")  # to each change, and to the end
    for run in (alone, first):
        run.close()
    wait_until(lambda: not any(engine.load().values()), "the end of its trainer")
    again = played(scripted(engine, store, runs))
    assert not any(engine.load().values())
    assert record(again) == record(first) == record(alone)
    assert len(again.view().markers) == 2


def test_a_film_with_another_planned_change_is_shown_only_up_to_that(
    engine: Engine, store: Store, runs: list[Run]
) -> None:
    played(scripted(engine, store, runs)).close()
    wait_until(lambda: stretches(store) == 3, "the film")
    wait_until(lambda: not any(engine.load().values()), "the end of its trainer")
    other = (PLANNED[0], Change(200, replace(TWINS, training=replace(TWINS.training, learning_rate=0.03))))
    changed, alone = scripted(engine, store, runs, other), Run(engine, TWINS, changes=other)
    runs.append(alone)
    changed.set_speed(500.0)
    played(settled(changed))
    assert any(engine.load().values())
    assert record(changed) == record(played(settled(alone)))
    wait_until(lambda: stretches(store) == 4, "the stretch that is another one")
    elsewhere = (Change(91, PLANNED[0].experiment),)
    assert record(played(scripted(engine, store, runs, elsewhere))) != record(changed)
    wait_until(lambda: stretches(store) == 6, "its own stretches")


def test_a_film_goes_at_the_pace_that_is_asked_for(engine: Engine, store: Store, runs: list[Run]) -> None:
    filmed(store, played(trained(engine, store, runs)))
    again = trained(engine, store, runs)
    again.set_speed(100.0)
    again.play()
    assert reached(again, 20).status.step < 120


@pytest.mark.parametrize(
    "other",
    [
        Recipe(replace(TWINS, training=replace(TWINS.training, seed=1))),
        Recipe(replace(TWINS, training=replace(TWINS.training, data="MNIST sample"))),
        Recipe(TWINS, "landscape"),
    ],
    ids=["seed", "digits", "watched"],
)
def test_a_film_of_another_recipe_is_never_found(store: Store, other: Recipe) -> None:
    memory = Memory(lambda: store)
    memory.keep_film(Recipe(TWINS), lambda: made_up_run())
    wait_until(lambda: memory.film(Recipe(TWINS)), "the film")
    assert memory.film(other) is None


def test_a_film_of_another_version_is_never_found(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    memory, recipe = Memory(lambda: store), Recipe(TWINS)
    memory.keep_film(recipe, lambda: made_up_run())
    wait_until(lambda: memory.film(recipe), "the film")
    monkeypatch.setattr("bnviz.ui.web.memory.made_by", lambda: "another")
    assert memory.film(recipe) is None


def test_a_film_from_another_kind_of_device_is_never_found(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    memory, recipe = Memory(lambda: store), Recipe(TWINS)
    memory.keep_film(recipe, lambda: made_up_run())
    wait_until(lambda: memory.film(recipe), "the film")
    monkeypatch.setattr("bnviz.ui.web.memory.LIVE_DEVICE", "cuda")
    assert memory.film(recipe) is None


def test_films_keep_within_their_room(store: Store) -> None:
    run = made_up_run()
    store.films.keep("first", run)
    room = 4 * 2 * len(content_of(store, "first"))
    films = StoredFilms(store._database, room)
    for key in ("second", "third"):
        films.keep(key, run)
    assert films.find("first") is None
    assert plain(films.find("third")) == plain(run)


def content_of(store: Store, key: str) -> bytes:
    with store._database.reading() as connection:
        return bytes(connection.exec_driver_sql(f"SELECT content FROM films WHERE key = '{key}'").scalar_one())

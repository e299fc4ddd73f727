"""The store of runs: lists of 10,000 runs, sorted and searched, and one run of 201 frames, written and read."""

import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from bnviz import __version__
from bnviz.data import load
from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, TrainingConfig, Variant
from bnviz.export.run_file import from_bytes, to_bytes
from bnviz.records.history import History
from bnviz.records.kept_run import KeptRun
from bnviz.records.recipe import Recipe
from bnviz.store import rows
from bnviz.store.store import _RUNS, SORTS, Store
from bnviz.training.batches import Batches
from bnviz.training.trainer import Trainer

RUNS = 10_000
ROUNDS = 5
LONGEST_LIST, LONGEST_OPENING = 0.3, 1.0  # seconds
LARGEST = 1_600_000  # bytes of a run of 201 frames of two networks of five layers
SEARCHES = ("", "init", "lecture 7", "normal deep", "found nowhere")


def five_layers() -> KeptRun:
    """Return a run of two networks of five layers of 128, of so many steps that it keeps all frames it may."""
    network = NetworkConfig(hidden_layers=5, init="xavier_normal")
    training = TrainingConfig(steps=20_000, batch_size=2, learning_rate=0.01)
    experiment = Experiment(training, (Variant(network), Variant(network, BatchNormConfig())))
    trainer, history = Trainer(training, experiment.variants, Batches(load())), History(experiment)
    history.add(trainer.advance(steps=0))
    while not trainer.finished:
        history.add(trainer.advance())
    return KeptRun(Recipe(experiment), __version__, history.view())


def filled(url: str, run: KeptRun) -> Store:
    """A store with so many runs of one owner: one is kept, the others are rows like its own."""
    store, random = Store.open(url), Random(0)
    run_id = store.keep(run, "owner")
    with store._database.writing() as connection:
        like = connection.execute(sa.select(_RUNS).where(_RUNS.c.id == run_id)).one()._asdict()
        others = []
        for k in range(RUNS - 1):
            name, tags = f"run {random.randrange(RUNS)}", [f"lecture {random.randrange(20)}"]
            special = f"{random.choice(('init N(0,1)', 'Xavier normal', 'deep'))}, learning rate {random.random():.3g}"
            own = {"id": str(k), "name": name, "special": special, "created": random.random() * 1e9, "size": 100_000}
            found = {"loss": random.random(), "accuracy": random.random(), "steps": random.randrange(100_000)}
            others.append(like | own | found | {"searched": rows.searched(name, "", tags, special)})
        connection.execute(sa.insert(_RUNS), others)
    return store


def longest(work: Callable[[], object]) -> float:
    """Seconds of the slowest of several rounds."""
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return max(times)


def main() -> bool:
    """Print the figures. Returns whether lists and openings are fast enough, and the run is small enough."""
    run = five_layers()
    content = to_bytes(run)
    with TemporaryDirectory() as folder:
        store = filled(f"sqlite:///{Path(folder)}/runs.sqlite", run)
        (kept, *_) = store.listed("owner", limit=1)
        opening = longest(lambda: store.get(kept.id))
        lists = {
            (sort, search): longest(lambda sort=sort, search=search: store.listed("owner", search=search, sort=sort))  # type: ignore[misc]
            for sort in SORTS
            for search in SEARCHES
        }
        store.close()
    slowest = max(lists, key=lambda asked: lists[asked])
    writing, reading = longest(lambda: to_bytes(run)), longest(lambda: from_bytes(content))
    frames = len(run.view.variants[0].frames)
    size = f"{len(content) / 1e6:.2f} MB (at most {LARGEST / 1e6})"
    print(f"{frames} frames of two five-layer networks: {size}, written in {writing:.2f} s, ", end="")
    print(f"read in {reading:.2f} s, opened by its id in {opening:.2f} s (at most {LONGEST_OPENING} s)")
    print(f"{RUNS:,} runs: the slowest list took {lists[slowest]:.3f} s (at most {LONGEST_LIST} s): {slowest}")
    return lists[slowest] < LONGEST_LIST and opening < LONGEST_OPENING and len(content) < LARGEST


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)

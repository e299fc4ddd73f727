"""What a look at moving networks costs, as ratios within one run: against a complete one, and in steps of training.

CPU time of this thread, the least of several rounds, so that a busy machine changes little.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from bnviz.data import load
from bnviz.engine.rhythm import SHORTEST_INTERVAL, training_seconds
from bnviz.engine.worker import reuse_memory
from bnviz.experiment.presets import PRESETS
from bnviz.records.frames import Focus
from bnviz.training.batches import Batches
from bnviz.training.trainer import Trainer

ROUNDS = 15
NETWORKS = ("start", "deep", "deepest", "lenet")  # presets


@dataclass(frozen=True)
class Row:
    """CPU seconds: of a step, a complete look and a moving one, in which one layer is in focus; frames a second at full
    speed for a viewer that takes all, and the share of the time that is left for training then."""

    name: str
    step: float
    whole: float
    moving: float

    @property
    def training(self) -> float:
        return training_seconds(SHORTEST_INTERVAL, self.moving)

    @property
    def frames(self) -> float:
        return 1 / (self.training + self.moving)


def measure(name: str, batches: Batches) -> Row:
    """Time one preset."""
    experiment = PRESETS[name].experiment
    trainer = Trainer(experiment.training, experiment.variants, batches)
    trainer.advance(steps=3)

    def stretch(steps: int, focus: Focus) -> Callable[[], object]:
        return lambda: trainer.advance(steps=steps, evaluate=False, focus=focus)

    look, two = _least(stretch(1, Focus((0,)))), _least(stretch(3, Focus((0,))))
    step = (two - look) / 2
    whole = _least(lambda: trainer.advance(steps=1, evaluate=True)) - step
    return Row(name, step, whole, look - step)


def _least(work: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        begin = time.thread_time()
        work()
        times.append(time.thread_time() - begin)
    return min(times)


def main() -> bool:
    """Print the table. Returns whether every network can be shown often enough: 25 times a second, large ones 10."""
    batches = Batches(load())
    rows = [measure(name, batches) for name in NETWORKS]
    print("networks | moving look / step | moving look / complete look | frames a second | share of training")
    print("-------- |                --: |                         --: |             --: |               --:")
    for row in rows:
        share = row.training / (row.training + row.moving)
        told = f"{row.moving / row.step:18.1f} | {row.moving / row.whole:27.2f} | {row.frames:15.0f} | {share:17.0%}"
        print(f"{row.name:8} | {told}")
    return all(row.frames >= (25 if row.name == "start" else 9.9) for row in rows)


if __name__ == "__main__":
    torch.set_num_threads(1)  # as in a worker
    reuse_memory()
    raise SystemExit(0 if main() else 1)

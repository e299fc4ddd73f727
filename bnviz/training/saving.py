"""A trainer as bytes: what another process needs to go on with it."""

import pickle
from collections.abc import Callable

from bnviz.experiment.choices import DataName
from bnviz.training.batches import Batches
from bnviz.training.trainer import Trainer


def save(trainer: Trainer, most: int) -> bytes | None:
    """Return all that is needed to go on from here to the bit, beside the digits.

    most: bytes of weights and paths; None if there are more.
    """
    twin = trainer.copy()
    parameters = [each.value for state in twin._states for each in (*state.weights, *state.biases)]
    points = [point for way in twin.paths for point in way.points]
    if sum(each.numel() * each.element_size() for each in (*parameters, *points)) > most:
        return None
    return pickle.dumps({name: value for name, value in vars(twin).items() if name != "batches"})


def restored(saved: bytes, batches: Callable[[DataName], Batches]) -> Trainer:
    """Return the trainer that was saved, over the digits that it has by their name."""
    trainer = Trainer.__new__(Trainer)
    vars(trainer).update(pickle.loads(saved))
    trainer.batches = batches(trainer.training.data)
    return trainer

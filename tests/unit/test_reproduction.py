"""The measured table that the project rests on: eight inits, each without and with batchnorm, on MNIST.

Batch 32, 1,500 steps, learning rate 0.1 falling linearly to 0.01, tanh, hidden layers of 128. The table's figures come
from one seed and a batchnorm momentum of 0.01; here they are means over two seeds at the default momentum.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bnviz.experiment.config import BatchNormConfig, Init, NetworkConfig, TrainingConfig, Variant

if TYPE_CHECKING:
    from bnviz.training.batches import Batches

SEEDS = (0, 1)
LAST = 100  # steps whose mean is the training loss
STUCK = (2.311, 2.310, 0.098)  # at ln 10


@dataclass(frozen=True)
class Row:
    """Train loss over the last steps, test loss and accuracy, without and with batchnorm."""

    layers: int
    init: Init
    scale: float
    without: tuple[float, float, float]
    normalized: tuple[float, float, float]

    def variants(self) -> tuple[Variant, Variant]:
        network = NetworkConfig(hidden_layers=self.layers, init=self.init, init_scale=self.scale)
        return Variant(network), Variant(network, BatchNormConfig())

    def __str__(self) -> str:
        return f"{self.layers} x {self.init} x {self.scale:g}"


TABLE = (
    Row(1, "rand", 1.0, STUCK, (1.17, 1.12, 0.695)),
    Row(1, "rand_fan_in", 1.0, (0.321, 0.295, 0.914), (0.302, 0.250, 0.928)),
    Row(1, "rand", 0.01, (0.329, 0.305, 0.911), (0.272, 0.223, 0.937)),
    Row(1, "normal", 1.0, (1.23, 1.10, 0.807), (0.648, 0.547, 0.836)),
    Row(1, "xavier_normal", 1.0, (0.296, 0.269, 0.923), (0.284, 0.234, 0.934)),
    Row(5, "rand_fan_in", 1.0, STUCK, (1.85, 1.83, 0.209)),
    Row(5, "normal", 1.0, (2.02, 2.01, 0.206), (0.608, 0.449, 0.865)),
    Row(5, "xavier_normal", 1.0, (0.197, 0.177, 0.947), (0.199, 0.142, 0.959)),
)
STUCK_ROWS = [row for row in TABLE if row.without is STUCK]
CLOSE = [  # one hidden layer, or Xavier's init: what two seeds agree about
    (row, norm)
    for row in TABLE
    for norm in (False, True)
    if (row.layers == 1 or row.init == "xavier_normal") and (norm or row.without is not STUCK)
]
LEARNED_BETTER = [row for row in TABLE if row.layers == 5 and row.init != "xavier_normal"]

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Result:
    """Train loss, test loss and accuracy of each seed."""

    train: np.ndarray
    test: np.ndarray
    accuracy: np.ndarray


Results = dict[tuple[Row, bool], Result]


@pytest.fixture(scope="module")
def results(mnist: "Batches") -> Results:
    """All sixteen networks of a seed train as two stacks, in lockstep on the same batches."""
    measured = np.array([trained(mnist, seed) for seed in SEEDS])  # (seeds, rows, without/with, 3)
    return {(row, norm): Result(*measured[:, i, int(norm)].T) for i, row in enumerate(TABLE) for norm in (False, True)}


def trained(batches: "Batches", seed: int) -> np.ndarray:
    """(rows, 2, 3): train loss, test loss and accuracy without and with batchnorm."""
    from bnviz.training.trainer import Trainer

    variants = [variant for row in TABLE for variant in row.variants()]
    trainer = Trainer(TrainingConfig(seed=seed), variants, batches)
    losses: list[np.ndarray] = []
    while not trainer.finished:
        frame = trainer.advance(evaluate=False)
        losses.append(np.array([v.losses for v in frame.variants]))
    train = np.concatenate(losses, 1)[:, -LAST:].mean(1)
    found = [(loss, v.test_loss, v.test_accuracy) for loss, v in zip(train, frame.variants, strict=True)]
    return np.array(found).reshape(len(TABLE), 2, 3)


def test_the_setting_is_that_of_the_table() -> None:
    training, network = TrainingConfig(), NetworkConfig()
    assert (training.batch_size, training.steps, training.schedule) == (32, 1500, "linear")
    assert (training.learning_rate, training.final_learning_rate) == (0.1, 0.01)
    assert (network.width, network.activation) == (128, "tanh")


@pytest.mark.parametrize("row", STUCK_ROWS, ids=str)
def test_a_saturated_network_stays_at_ln_10_without_batchnorm(results: Results, row: Row) -> None:
    found = results[row, False]
    assert found.train.min() > 2.25
    assert found.train.max() < 2.36
    assert found.test == pytest.approx(math.log(10), abs=0.06)
    assert found.accuracy.max() < 0.15


@pytest.mark.parametrize(
    ("row", "norm"), CLOSE, ids=lambda value: {True: "batchnorm", False: "none"}.get(value, str(value))
)
def test_the_losses_are_those_of_the_table(results: Results, row: Row, norm: bool) -> None:
    train, test, _ = row.normalized if norm else row.without
    found = results[row, norm]
    assert found.train.mean() == pytest.approx(train, rel=0.15)
    assert found.test.mean() == pytest.approx(test, rel=0.15)


@pytest.mark.parametrize("row", LEARNED_BETTER, ids=str)
def test_five_layers_learn_better_with_batchnorm(results: Results, row: Row) -> None:
    assert results[row, True].train.mean() < results[row, False].train.mean()


@pytest.mark.parametrize("row", [row for row in TABLE if row.layers == 1], ids=str)
def test_one_layer_ends_with_a_lower_test_loss_with_batchnorm(results: Results, row: Row) -> None:
    assert results[row, True].test.mean() < results[row, False].test.mean()

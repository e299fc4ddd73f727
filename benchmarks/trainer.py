"""The stacked trainer with telemetry against a plain loop without, and against what its matrix products alone allow.

All three run alternately in one process on one thread, so that a slow moment of the machine slows all of them; the
ratio of each round is taken, and the median over the rounds reported.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from torch import nn

from bnviz.config import BatchNormConfig, NetworkConfig, TrainingConfig, Variant
from bnviz.data import load
from bnviz.training.batches import Batches
from bnviz.training.trainer import Trainer

ROUNDS = 7
FRAME = 0.1  # seconds of training between two frames: ten frames a second
EVALUATE_EVERY = 10  # frames between two looks at the test digits, as in the live lab
WIDTH, BATCH = 128, 32


@dataclass(frozen=True)
class Row:
    """Network-steps a second of each contender, and the median of each round's ratio."""

    networks: int
    plain: float
    stacked: float
    limit: float
    ratio: float
    share: float
    target: float


def compare(networks: int, target: float, batches: Batches) -> Row:
    """Half of the networks have batchnorm."""
    variants = [Variant(NetworkConfig(width=WIDTH), BatchNormConfig() if i % 2 else None) for i in range(networks)]
    trainer = Trainer(TrainingConfig(steps=100_000), variants, batches)
    trainer.advance(steps=200)
    rounds = []
    for _ in range(ROUNDS):
        plain = _plain_loop(variants, batches)
        stacked = _with_telemetry(trainer)
        rounds.append((plain, stacked, _matrix_products(networks)))
    plain, stacked, limit = (median(r[k] for r in rounds) for k in range(3))
    ratio, share = median(r[1] / r[0] for r in rounds), median(r[1] / r[2] for r in rounds)
    return Row(networks, plain, stacked, limit, ratio, share, target)


def _with_telemetry(trainer: Trainer, seconds: float = 1.5) -> float:
    """Network-steps a second of wall time, frames included."""
    begin, tick, frames = time.perf_counter(), trainer.tick, 0
    while time.perf_counter() - begin < seconds:
        trainer.advance(seconds=FRAME, evaluate=frames % EVALUATE_EVERY == 0)
        frames += 1
    return (trainer.tick - tick) * len(trainer.variants) / (time.perf_counter() - begin)


def _plain_loop(variants: list[Variant], batches: Batches, steps: int = 400) -> float:
    """One nn.Sequential after another, the data preloaded as tensors: the loop that one would write."""
    total = 0.0
    for variant in variants[:2]:  # the others would only repeat these two
        norm = [nn.BatchNorm1d(WIDTH)] if variant.batchnorm else []
        network = nn.Sequential(nn.Linear(784, WIDTH), *norm, nn.Tanh(), nn.Linear(WIDTH, 10))
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)

        def train(network: nn.Module = network, optimizer: torch.optim.Optimizer = optimizer) -> None:
            for step in range(steps):
                x, y = batches.at(step, seed=0, size=BATCH, standardize=False)
                loss = nn.functional.cross_entropy(network(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

        total += _seconds(train)
    return min(len(variants), 2) * steps / total


def _matrix_products(networks: int, steps: int = 200) -> float:
    """The products of forward and backward alone: no bias, activation, batchnorm, loss or Python around them."""
    x, w1 = torch.rand(networks, BATCH, 784), torch.rand(networks, 784, WIDTH)
    h, w2, d = torch.rand(networks, BATCH, WIDTH), torch.rand(networks, WIDTH, 10), torch.rand(networks, BATCH, 10)

    def multiply() -> None:
        for _ in range(steps):
            torch.bmm(x, w1)
            torch.bmm(h, w2)
            torch.bmm(d, w2.transpose(1, 2))
            torch.bmm(h.transpose(1, 2), d)
            torch.bmm(x.transpose(1, 2), h)

    return networks * steps / _seconds(multiply)


def _seconds(work: Callable[[], None]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main() -> bool:
    """Print the table. Returns whether every ratio reached its target."""
    torch.set_num_threads(1)
    batches = Batches(load("MNIST sample"))
    rows = [compare(2, 1.1, batches), compare(8, 1.4, batches)]
    print(f"784-{WIDTH}-10 tanh, batch {BATCH}, one thread, telemetry at 10 frames a second; median of {ROUNDS} rounds")
    print("networks | plain loop | stack + telemetry | ratio | target | share of matrix-product limit")
    print("     --: |        --: |               --: |   --: |    --: |                           --:")
    for r in rows:
        print(
            f"{r.networks:8d} | {r.plain:7,.0f}/s  | {r.stacked:14,.0f}/s  | {r.ratio:5.2f} | {r.target:6.1f} | "
            f"{r.share:5.0%} of {r.limit:,.0f}/s"
        )
    return all(r.ratio >= r.target for r in rows)

"""The stacked trainer with telemetry against a plain loop without, and against what its matrix products alone allow.

All three run alternately in one process on one thread, so that a slow moment of the machine slows all of them; the
ratio of each round is taken, and the median over the rounds reported.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

import torch
from torch import nn
from torch.nn.utils import parametrize

from bnviz.data import load
from bnviz.experiment.choices import Normalizer
from bnviz.experiment.config import BatchNormConfig, NetworkConfig, NormalizerConfig, TrainingConfig, Variant
from bnviz.nn.as_torch import as_sequential
from bnviz.nn.network import NetworkState, Stack
from bnviz.training.batches import Batches
from bnviz.training.trainer import Trainer

ROUNDS = 7
FRAME = 0.1  # seconds of training between two frames: ten frames a second
EVALUATE_EVERY = 10  # frames between two looks at the test digits, as in the live lab
WIDTH, BATCH = 128, 32


@dataclass(frozen=True)
class Row:
    """Network-steps a second of each contender, and the median of each round's ratio."""

    name: str
    plain: float
    stacked: float
    ratio: float
    target: float
    limit: float | None = None
    share: float | None = None


MLP = NetworkConfig(width=WIDTH)
LENET = NetworkConfig(architecture="lenet", activation="sigmoid", init="xavier_uniform")
CNN = NetworkConfig(architecture="cnn", activation="relu", init="he_normal")
BY_SGD = TrainingConfig(steps=100_000)
BY_ADAM = replace(BY_SGD, optimizer="adam", learning_rate=0.001, momentum=0.9)


def halves(network: NetworkConfig, networks: int) -> list[Variant]:
    """Return networks of which every second has batchnorm."""
    return [Variant(network, BatchNormConfig() if i % 2 else None) for i in range(networks)]


def mixed() -> list[Variant]:
    """Return eight perceptrons that are normalized in six ways."""
    kinds: tuple[Normalizer, ...] = ("layer", "group", "rms", "weight")
    return halves(MLP, 4) + [Variant(MLP, normalizer=NormalizerConfig(kind)) for kind in kinds]


def compare(
    name: str, variants: list[Variant], target: float, batches: Batches, training: TrainingConfig = BY_SGD
) -> Row:
    """Measure a stack of these networks. The limit of the matrix products is measured for the perceptron."""
    network, networks = variants[0].network, len(variants)
    plain_steps = {MLP: 400, LENET: 100, CNN: 20}[network]
    trainer = Trainer(training, variants, batches)
    trainer.advance(steps=plain_steps // 2)
    rounds = []
    for _ in range(ROUNDS):
        limit = matrix_products(networks) if network is MLP else math.nan
        rounds.append((plain_loop(variants, batches, plain_steps, training), _with_telemetry(trainer), limit))
    plain, stacked, limit = (median(r[k] for r in rounds) for k in range(3))
    row = Row(name, plain, stacked, median(r[1] / r[0] for r in rounds), target)
    return replace(row, limit=limit, share=median(r[1] / r[2] for r in rounds)) if network is MLP else row


def _with_telemetry(trainer: Trainer, seconds: float = 1.5) -> float:
    """Network-steps a second of wall time, frames included."""
    begin, tick, frames = time.perf_counter(), trainer.tick, 0
    while time.perf_counter() - begin < seconds:
        trainer.advance(seconds=FRAME, evaluate=frames % EVALUATE_EVERY == 0)
        frames += 1
    return (trainer.tick - tick) * len(trainer.variants) / (time.perf_counter() - begin)


def plain_loop(variants: list[Variant], batches: Batches, steps: int = 400, training: TrainingConfig = BY_SGD) -> float:
    """One nn.Sequential after another, the data preloaded as tensors: the loop that one would write."""
    total, different = 0.0, list(dict.fromkeys(variants))  # the others would only repeat these
    for variant in different:
        network = _perceptron(variant) if variant.network.architecture == "mlp" else _convolutional(variant)
        kind = torch.optim.Adam if training.optimizer == "adam" else torch.optim.SGD
        optimizer = kind(network.parameters(), lr=training.learning_rate)

        def train(network: nn.Module = network, optimizer: torch.optim.Optimizer = optimizer) -> None:
            for step in range(steps):
                x, y = batches.at(step, seed=0, size=BATCH, standardize=False)
                loss = nn.functional.cross_entropy(network(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

        total += _seconds(train)
    return len(different) * steps / total


def _perceptron(variant: Variant) -> nn.Module:
    linear, norms = nn.Linear(784, WIDTH), list[nn.Module]()
    if variant.batchnorm:
        norms = [nn.BatchNorm1d(WIDTH)]
    elif (norm := variant.normalizer) and norm.kind == "weight":
        parametrize.register_parametrization(linear, "weight", Standardized())
    elif norm:
        torchs = {"layer": nn.LayerNorm(WIDTH), "group": nn.GroupNorm(norm.groups, WIDTH), "rms": nn.RMSNorm(WIDTH)}
        norms = [torchs[norm.kind]]
    return nn.Sequential(linear, *norms, nn.Tanh(), nn.Linear(WIDTH, 10))


class Standardized(nn.Module):
    """Weight standardization as a parametrization."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(WIDTH, 1))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        centred = weight - weight.mean(1, keepdim=True)
        return self.gamma * centred * torch.rsqrt(centred.square().sum(1, keepdim=True) + 1e-5)


def _convolutional(variant: Variant) -> nn.Module:
    return as_sequential(Stack([0], [variant], [NetworkState.fresh(variant, 0)]), variant).train()


def matrix_products(networks: int, steps: int = 200) -> float:
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
    batches = Batches(load())
    rows = [
        compare("2 perceptrons", halves(MLP, 2), 1.1, batches),
        compare("8 perceptrons", halves(MLP, 8), 1.4, batches),
        compare("8 normalized", mixed(), 1.3, batches),
        compare("8 by Adam", halves(MLP, 8), 1.1, batches, BY_ADAM),
        compare("2 LeNets", halves(LENET, 2), 1 / 1.1, batches),  # a plain loop is not faster by more than a tenth
        compare("2 wide CNNs", halves(CNN, 2), 1 / 1.1, batches),
    ]
    print(
        f"Perceptron 784-{WIDTH}-10 tanh, LeNet with sigmoids and the wide CNN with ReLU, batch {BATCH}, one thread, "
        f"telemetry at 10 frames a second; median of {ROUNDS} rounds"
    )
    print("networks      | plain loop | stack + telemetry | ratio | target | share of matrix-product limit")
    print("------------- |        --: |               --: |   --: |    --: |                           --:")
    for r in rows:
        share = f"{r.share:5.0%} of {r.limit:,.0f}/s" if r.share else "not measured"
        print(f"{r.name:13} | {r.plain:7,.0f}/s  | {r.stacked:14,.0f}/s  | {r.ratio:5.2f} | {r.target:6.2f} | {share}")
    return all(r.ratio >= r.target for r in rows)

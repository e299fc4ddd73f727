"""What the literature reports about batchnorm on small networks, measured again with this package's own trainer."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import cast

import numpy as np
import torch

from bnviz.config import BatchNormConfig, Experiment, Init, NetworkConfig, TrainingConfig, Variant, replace
from bnviz.records import TEST_DIGITS, VariantFrame
from bnviz.results import Chart, Claim, Line, Result, Results, Table
from bnviz.settings import to_query
from bnviz.training import probes
from bnviz.training.batches import Batches
from bnviz.training.trainer import Trainer

LN_10 = math.log(10)
LAST = 100  # steps whose mean is the training loss
IOFFE = "Ioffe and Szegedy 2015"
ACCOUNT = "a published account of this experiment"
COURSE = "Stanford CS231n, assignment 2"


@dataclass(frozen=True)
class Outcome:
    """How one network ended, and its kept frames."""

    initial_loss: float
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    frames: tuple[VariantFrame, ...]


@dataclass(frozen=True)
class Bench:
    """What every experiment needs: the digits, the seeds, and whom to tell what is going on."""

    batches: Batches
    seeds: tuple[int, ...]
    quick: bool
    say: Callable[[str], None]

    def train(self, training: TrainingConfig, variants: Sequence[Variant]) -> list[list[Outcome]]:
        """[variant][seed]: all variants at once, one seed after the other."""
        found = [self._train(replace(training, seed=seed), variants) for seed in self.seeds]
        return [list(column) for column in zip(*found, strict=True)]

    def _train(self, training: TrainingConfig, variants: Sequence[Variant]) -> list[Outcome]:
        trainer = Trainer(training, variants, self.batches)
        frames = [trainer.advance(steps=0)]
        while not trainer.finished:
            frames.append(trainer.advance())
        self.say(f"  {len(variants)} networks, {training.steps:,} steps, {trainer.seconds:.0f} s")
        outcomes = []
        for i in range(len(variants)):
            seen = tuple(frame.variants[i] for frame in frames)
            losses = np.concatenate([frame.losses for frame in seen])[-LAST:]
            last = seen[-1]
            images, labels = self.batches.train_sample(TEST_DIGITS, training.standardize)
            accuracy = probes.evaluate(trainer.copy_of(i), images, labels)[1][0]
            loss = math.nan if last.diverged else float(losses.mean())
            outcomes.append(Outcome(seen[0].next_loss, loss, float(accuracy), last.test_loss, last.test_accuracy, seen))
        return outcomes


def twins(network: NetworkConfig) -> list[Variant]:
    return [Variant(network), Variant(network, BatchNormConfig())]


def mean(outcomes: Sequence[Outcome], name: str) -> float:
    return fmean(getattr(outcome, name) for outcome in outcomes)


def shown(outcomes: Sequence[Outcome], name: str) -> str:
    """'0.300 ± 0.004', the second over the seeds."""
    values = [getattr(outcome, name) for outcome in outcomes]
    spread = f" ± {pstdev(values):.3f}" if len(values) > 1 else ""
    return f"{fmean(values):.3f}{spread}"


def _finite(values: Sequence[float]) -> tuple[float | None, ...]:
    return tuple(round(v, 5) if math.isfinite(v) else None for v in values)


def _within(measured: float, expected: float, tolerance: float) -> tuple[bool, str]:
    off = measured / expected - 1
    return abs(off) <= tolerance, f"{off:+.0%}"


# -- the experiments ------------------------------------------------------------------------------------------------

INITS: tuple[tuple[str, float], ...] = (
    ("rand", 1.0),
    ("rand_fan_in", 1.0),
    ("rand", 0.01),
    ("normal", 1.0),
    ("xavier_normal", 1.0),
)


def inits(bench: Bench) -> Result:
    """Five inits, one and five hidden layers, without and with batchnorm."""
    training = TrainingConfig()
    networks = [
        NetworkConfig(hidden_layers=layers, init=cast(Init, init), init_scale=scale)
        for layers in (1, 5)
        for init, scale in INITS
    ]
    found = bench.train(training, [variant for network in networks for variant in twins(network)])
    by = {(n.hidden_layers, n.init, n.init_scale): found[2 * i : 2 * i + 2] for i, n in enumerate(networks)}
    rows = []
    for (layers, init, scale), pair in by.items():
        cells = [
            f"{shown(o, 'train_loss')}, {mean(o, 'test_loss'):.3f}, {mean(o, 'test_accuracy'):.1%} "
            f"(start {mean(o, 'initial_loss'):.2f})"
            for o in pair
        ]
        rows.append((str(layers), init + (f" × {scale:g}" if scale != 1 else ""), *cells))
    xavier, stuck = by[5, "xavier_normal", 1.0][1], by[1, "rand", 1.0][0]
    train_agrees, train_by = _within(mean(xavier, "train_loss"), 0.21, 0.15)
    test_agrees, test_by = _within(mean(xavier, "test_loss"), 0.18, 0.25)
    starts = {key: mean(pair[0], "initial_loss") for key, pair in by.items()}
    good = {k: s for k, s in starts.items() if k[0] == 1 and k[1:] not in (("rand", 1.0), ("normal", 1.0))}
    worst = max(abs(start - LN_10) for start in good.values())
    careless = starts[1, "rand", 1.0]
    return Result(
        "inits",
        "Initialization",
        "784-128-10 and 784-5×128-10, tanh, batch 32, 1,500 steps, learning rate 0.1 falling linearly to 0.01. Each "
        "cell: training loss over the last 100 steps, test loss, test accuracy, loss of the first batch.",
        (
            Claim(
                "Xavier's init with batchnorm ends near 0.21 training and 0.18 validation loss",
                ACCOUNT,
                f"5 layers: {shown(xavier, 'train_loss')} and {shown(xavier, 'test_loss')}",
                train_agrees and test_agrees,
                f"{train_by} and {test_by}",
            ),
            Claim(
                "Weights U[0,1) as they come leave the network at ln 10 = 2.303",
                ACCOUNT,
                f"{shown(stuck, 'train_loss')} at {mean(stuck, 'test_accuracy'):.1%}",
                abs(mean(stuck, "train_loss") - LN_10) < 0.06,
                f"{mean(stuck, 'train_loss') - LN_10:+.3f}",
            ),
            Claim(
                "A good init starts near ln 10",
                "a network that gives ten classes the same probability",
                f"at most {worst:.2f} away over {len(good)} inits",
                worst < 0.3,
                f"{worst:.2f}",
            ),
            Claim(
                "Careless weights start far above ln 10",
                ACCOUNT,
                f"U[0,1) starts at {careless:.2f}",
                careless > 3,
                f"{careless - LN_10:+.2f}",
            ),
        ),
        to_query(Experiment(training, tuple(twins(networks[5])))),
        Table(("hidden layers", "init", "without batchnorm", "with batchnorm"), tuple(rows)),
    )


def scales(bench: Bench) -> Result:
    """Twenty scales of a normal init, deep enough that the scale matters."""
    training = TrainingConfig(steps=750 if bench.quick else 1500, standardize=True)
    values = np.geomspace(1e-4, 1, 20).round(6).tolist()
    networks = [NetworkConfig(5, 50, "relu", "normal", scale) for scale in values]
    found = bench.train(training, [variant for network in networks for variant in twins(network)])
    sides = {False: found[0::2], True: found[1::2]}
    charts = tuple(
        Chart(
            title,
            "scale of N(0,1)",
            unit,
            tuple(
                Line(
                    "with batchnorm" if norm else "without batchnorm",
                    tuple(values),
                    _finite([factor * mean(o, name) for o in side]),
                    norm,
                )
                for norm, side in sides.items()
            ),
            log_x=True,
        )
        for title, name, unit, factor in (
            ("Training accuracy", "train_accuracy", "accuracy (%)", 100.0),
            ("Test accuracy", "test_accuracy", "accuracy (%)", 100.0),
            ("Training loss", "train_loss", "loss (nats)", 1.0),
        )
    )
    spans = {n: np.ptp([mean(o, "test_accuracy") for o in side]) for n, side in sides.items()}
    near = {n: sum(mean(o, "test_accuracy") > 0.9 for o in side) for n, side in sides.items()}
    return Result(
        "scales",
        "Batchnorm and the scale of the init",
        f"784-5×50-10, ReLU, standardized inputs, batch 32, {training.steps:,} steps, weights N(0,1) times the scale.",
        (
            Claim(
                "With batchnorm the accuracy depends far less on the scale of the init",
                COURSE,
                f"above 90 % for {near[True]} of 20 scales with, {near[False]} without; "
                f"range {spans[True]:.1%} with, {spans[False]:.1%} without",
                near[True] > near[False],
                f"{near[True] - near[False]:+d} scales",
            ),
        ),
        to_query(Experiment(training, tuple(twins(networks[5])))),
        charts=charts,
    )


def batch_sizes(bench: Bench) -> Result:
    """Small batches, where the statistics become noise."""
    sizes, network = (2, 4, 8, 16, 32), NetworkConfig(5, 50, "relu", "he_normal")
    training = TrainingConfig(steps=1500, learning_rate=0.03, final_learning_rate=0.003, standardize=True)
    found = [bench.train(replace(training, batch_size=size), twins(network)) for size in sizes]
    gains = [mean(pair[1], "test_accuracy") - mean(pair[0], "test_accuracy") for pair in found]
    lines = tuple(
        Line(name, sizes, _finite([100 * mean(pair[norm], "test_accuracy") for pair in found]), bool(norm))
        for norm, name in enumerate(("without batchnorm", "with batchnorm"))
    )
    return Result(
        "batch_sizes",
        "Small batches",
        "784-5×50-10, ReLU, He's init, learning rate 0.03 falling to 0.003, 1,500 steps of each batch size.",
        (
            Claim(
                "Batchnorm stops helping when the batch becomes small",
                f"{COURSE}; Wu and He 2018, figure 1",
                f"gain in accuracy {gains[0]:+.1%} at a batch of 2, {gains[-1]:+.1%} at 32",
                gains[0] < min(gains[-1], 0.0),
                f"{gains[0] - gains[-1]:+.1%} from 32 to 2",
            ),
        ),
        to_query(Experiment(replace(training, batch_size=2), tuple(twins(network)))),
        charts=(Chart("Test accuracy", "batch size (digits)", "accuracy (%)", lines, log_x=True),),
    )


def learning_rates(bench: Bench) -> Result:
    """Which learning rates still train."""
    rates = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
    network = NetworkConfig(5, 50, "relu", "he_normal")
    training = TrainingConfig(steps=1000, schedule="constant", standardize=True)
    found = [bench.train(replace(training, learning_rate=rate), twins(network)) for rate in rates]
    largest = [
        max((r for r, pair in zip(rates, found, strict=True) if mean(pair[norm], "test_accuracy") > 0.8), default=0.0)
        for norm in (0, 1)
    ]
    lines = tuple(
        Line(name, rates, _finite([100 * mean(pair[norm], "test_accuracy") for pair in found]), bool(norm))
        for norm, name in enumerate(("without batchnorm", "with batchnorm"))
    )
    return Result(
        "learning_rates",
        "High learning rates",
        "784-5×50-10, ReLU, He's init, constant learning rate, batch 32, 1,000 steps.",
        (
            Claim(
                "Batchnorm enables higher learning rates",
                f"{IOFFE}, section 3.3",
                f"above 80 % up to a rate of {largest[1]:g} with, {largest[0]:g} without",
                largest[1] > largest[0],
                f"{largest[1] / largest[0]:g} times" if largest[0] else "none without",
            ),
        ),
        to_query(Experiment(replace(training, learning_rate=1.0), tuple(twins(network)))),
        charts=(Chart("Test accuracy", "learning rate", "accuracy (%)", lines, log_x=True),),
    )


def positions(bench: Bench) -> Result:
    """Batchnorm before and after the activation."""
    network = NetworkConfig(5, 50, "relu", "he_normal")
    variants = [Variant(network, BatchNormConfig()), Variant(network, BatchNormConfig(position="after"))]
    training = TrainingConfig(steps=1500, standardize=True)
    before, after = bench.train(training, variants)
    gain = mean(before, "test_accuracy") - mean(after, "test_accuracy")
    return Result(
        "positions",
        "Before or after the activation",
        "784-5×50-10, ReLU, He's init, batch 32, 1,500 steps.",
        (
            Claim(
                "Normalizing before the activation is the better place",
                f"{IOFFE}, section 3.2",
                f"test accuracy {shown(before, 'test_accuracy')} before, {shown(after, 'test_accuracy')} after",
                gain > 0,
                f"{gain:+.2%}",
            ),
        ),
        to_query(Experiment(training, tuple(variants))),
    )


def bias(bench: Bench) -> Result:
    """A bias before batchnorm: any value of it, on a trained network."""
    training = TrainingConfig()
    variant = Variant(batchnorm=BatchNormConfig())
    trainer = Trainer(training, [variant], bench.batches)
    while not trainer.finished:
        trainer.advance()
    net = trainer.copy_of(0)
    x = bench.batches.probe(256, training.standardize)
    before = net.forward(x, "probe").clone()
    learned = float(net.hidden[0].linear.bias.value.abs().max())
    net.hidden[0].linear.bias.value += 5 * torch.randn(128, generator=torch.Generator().manual_seed(0))
    apart = float((net.forward(x, "probe") - before).abs().max())
    return Result(
        "bias",
        "A bias before batchnorm",
        "784-128-10, tanh, batchnorm, 1,500 steps; then every bias of the hidden layer is moved by 5 N(0,1).",
        (
            Claim(
                "The bias before batchnorm can be left out: its effect is taken away with the mean",
                f"{IOFFE}, section 3.2",
                f"logits differ by at most {apart:.0e}; training moved no bias beyond {learned:.0e}",
                apart < 1e-3,
                f"{apart:.0e}",
            ),
        ),
        to_query(Experiment(training, tuple(twins(NetworkConfig())))),
    )


def sigmoid(bench: Bench) -> Result:
    """The network of the 2015 paper's figure 1."""
    network = NetworkConfig(3, 100, "sigmoid", "normal", 0.1)
    steps = 5_000 if bench.quick else 50_000
    training = TrainingConfig(batch_size=60, steps=steps, schedule="constant", learning_rate=0.1)
    one = Bench(bench.batches, bench.seeds[:1], bench.quick, bench.say)
    without, normalized = (outcomes[0] for outcomes in one.train(training, twins(network)))
    goal = without.test_accuracy
    reached = next((f.step for f in normalized.frames if f.test_accuracy >= goal), None)
    lines = tuple(
        Line(
            name,
            tuple(float(f.step) for f in outcome.frames),
            _finite([100 * f.test_accuracy for f in outcome.frames]),
            name.startswith("with b"),
        )
        for name, outcome in (("without batchnorm", without), ("with batchnorm", normalized))
    )
    return Result(
        "sigmoid",
        "The three-layer network of the 2015 paper",
        f"784-3×100-10, sigmoid, weights 0.1 N(0,1), batch 60, constant learning rate 0.1, {steps:,} steps, one seed.",
        (
            Claim(
                "The network with batchnorm reaches a higher test accuracy",
                f"{IOFFE}, section 4.1 and figure 1(a)",
                f"{normalized.test_accuracy:.1%} with, {goal:.1%} without",
                normalized.test_accuracy > goal,
                f"{normalized.test_accuracy - goal:+.1%}",
            ),
            Claim(
                "It trains faster",
                f"{IOFFE}, figure 1(a)",
                f"{goal:.1%} after {reached:,} steps instead of {steps:,}" if reached else "never as accurate",
                reached is not None and reached < steps,
                f"{steps / max(reached, 1):.1f} times as fast" if reached else "not reached",
            ),
        ),
        to_query(Experiment(training, tuple(twins(network)))),
        charts=(Chart("Test accuracy", "step (batches)", "accuracy (%)", lines),),
    )


EXPERIMENTS: tuple[Callable[[Bench], Result], ...] = (
    inits,
    scales,
    batch_sizes,
    learning_rates,
    positions,
    bias,
    sigmoid,
)


def reproduce(batches: Batches, *, quick: bool, say: Callable[[str], None]) -> Results:
    """Run every experiment. quick: one seed and shorter runs."""
    begin = time.monotonic()
    bench = Bench(batches, (0,) if quick else (0, 1, 2), quick, say)
    found = []
    for experiment in EXPERIMENTS:
        say(f"{experiment.__name__}: {experiment.__doc__}")
        found.append(experiment(bench))
    return Results(batches.name, len(bench.seeds), quick, (time.monotonic() - begin) / 60, tuple(found))

"""What the literature reports about batchnorm on small networks, measured again with this package's own trainer."""

import time
from collections.abc import Callable

import numpy as np
import torch

from bnviz.experiment.addresses import to_query
from bnviz.experiment.config import BatchNormConfig, Experiment, Init, NetworkConfig, TrainingConfig, Variant, replace
from bnviz.experiment.inits import init_name
from bnviz.experiment.layers import LN_10
from bnviz.experiment.wording import percent, points, with_minus_signs
from bnviz.records.reproduction import Chart, Claim, Result, Results, Table
from bnviz.training.batches import Batches
from bnviz.training.reproduction.normalizers import normalizers
from bnviz.training.reproduction.published_networks import lenet, sigmoid, wide_cnn
from bnviz.training.reproduction.trials import STUDENT_T, Bench, clearly_higher, lines, mean, mean_and_spread, twins
from bnviz.training.trainer import Trainer

IOFFE = "Ioffe and Szegedy 2015"
COURSE = "Stanford CS231n, assignment 2"
INITS: tuple[tuple[Init, float], ...] = (
    ("rand", 1.0),
    ("rand_fan_in", 1.0),
    ("rand", 0.01),
    ("normal", 1.0),
    ("xavier_normal", 1.0),
)
RELU = NetworkConfig(5, 50, "relu", "he_normal")


def inits(bench: Bench) -> Result:
    """Five inits, one and five hidden layers, without and with batchnorm."""
    training = TrainingConfig()
    networks = {
        (layers, init, scale): NetworkConfig(hidden_layers=layers, init=init, init_scale=scale)
        for layers in (1, 5)
        for init, scale in INITS
    }
    found = bench.train(training, [variant for network in networks.values() for variant in twins(network)])
    by = {key: found[2 * i : 2 * i + 2] for i, key in enumerate(networks)}
    losses = ("train_loss", "test_loss", "test_accuracy", "initial_loss")
    rows = tuple(
        (str(layers), init_name(init, scale), side, *(mean_and_spread(o, name) for name in losses))
        for (layers, init, scale), pair in by.items()
        for side, o in zip(("without", "with"), pair, strict=True)
    )
    stuck = by[1, "rand", 1.0][0]
    starts = {key: mean(pair[0], "initial_loss") for key, pair in by.items() if key[0] == 1}
    careless, worst = starts[1, "rand", 1.0], starts[1, "normal", 1.0]
    good = [start for key, start in starts.items() if start not in (careless, worst)]
    apart = max(abs(start - LN_10) for start in good)
    return Result(
        "inits",
        "Initialization",
        "784-128-10 and 784-5×128-10, tanh, batch 32, 1,500 steps, learning rate 0.1 falling linearly to 0.01. "
        "Training loss: mean over the last 100 steps; first loss: of the first batch, before any step.",
        (
            Claim(
                f"Weights U[0,1) as they come leave the network at ln 10 = {LN_10:.3f}",
                "a saturated tanh has slope zero, so no gradient reaches the weights before it",
                f"training loss {mean_and_spread(stuck, 'train_loss')}, "
                f"test accuracy {mean_and_spread(stuck, 'test_accuracy')}",
                abs(mean(stuck, "train_loss") - LN_10) < 0.06,
                with_minus_signs(f"{mean(stuck, 'train_loss') - LN_10:+.3f} from ln 10"),
            ),
            Claim(
                "A good init starts near ln 10",
                "a network that gives ten classes the same probability",
                f"first loss {min(good):.2f} to {max(good):.2f} over {len(good)} inits of one hidden layer",
                apart < 0.3,
                f"at most {apart:.2f} from ln 10",
            ),
            Claim(
                "Careless weights start far above ln 10",
                "logits that differ widely make a network sure of what it has not learned",
                f"first loss {careless:.2f} for U[0,1), {worst:.2f} for N(0,1)",
                min(careless, worst) > 3,
                f"{careless - LN_10:+.2f} and {worst - LN_10:+.2f} from ln 10",
            ),
        ),
        to_query(Experiment(training, tuple(twins(networks[5, "rand", 1.0])))),
        Table(("layers", "init", "batchnorm", "training loss", "test loss", "test accuracy", "first loss"), rows),
    )


def scales(bench: Bench) -> Result:
    """Twenty scales of a normal init, deep enough that the scale matters."""
    training = TrainingConfig(steps=750 if bench.quick else 1500, standardize=True)
    values = np.geomspace(1e-4, 1, 20).round(6).tolist()
    networks = [replace(RELU, init="normal", init_scale=scale) for scale in values]
    found = bench.train(training, [variant for network in networks for variant in twins(network)])
    sides = found[0::2], found[1::2]
    charts = tuple(
        Chart(
            title,
            "scale of N(0,1)",
            unit,
            lines(values, [[factor * mean(o, name) for o in side] for side in sides]),
            log_x=True,
        )
        for title, name, unit, factor in (
            ("Training accuracy", "train_accuracy", "accuracy (%)", 100.0),
            ("Test accuracy", "test_accuracy", "accuracy (%)", 100.0),
            ("Training loss", "train_loss", "loss (nats)", 1.0),
        )
    )
    accuracies = [[mean(o, "test_accuracy") for o in side] for side in sides]
    few, many = (sum(accuracy > 0.9 for accuracy in side) for side in accuracies)
    wide, narrow = (100 * float(np.ptp(side)) for side in accuracies)
    return Result(
        "scales",
        "Batchnorm and the scale of the init",
        f"784-5×50-10, ReLU, standardized inputs, batch 32, {training.steps:,} steps, weights N(0,1) times the scale.",
        (
            Claim(
                "With batchnorm the accuracy depends far less on the scale of the init",
                COURSE,
                f"test accuracy above 90% for {many} of 20 scales with, {few} without; it ranges over {narrow:.1f} "
                f"points with, {wide:.1f} without",
                many > few and narrow < wide,
                with_minus_signs(f"{many - few:+d} scales, {narrow - wide:+.1f} points"),
            ),
        ),
        to_query(Experiment(training, tuple(twins(networks[5])))),
        charts=charts,
    )


def batch_sizes(bench: Bench) -> Result:
    """Small batches, where the statistics become noise."""
    sizes, network, training = (2, 4, 8, 16, 32), NetworkConfig(5, 128, "tanh", "xavier_normal"), TrainingConfig()
    found = [bench.train(replace(training, batch_size=size), twins(network)) for size in sizes]
    sides = [[mean(pair[norm], "test_accuracy") for pair in found] for norm in (0, 1)]
    gains = [b - a for a, b in zip(*sides, strict=True)]
    helps = [size for size, gain in zip(sizes, gains, strict=True) if gain > 0]
    return Result(
        "batch_sizes",
        "Small batches",
        "784-5×128-10, tanh, Xavier's init, learning rate 0.1 falling to 0.01, 1,500 steps at each batch size.",
        (
            Claim(
                "Batchnorm stops helping when the batch becomes small",
                f"{COURSE}; Wu and He 2018, figure 1",
                f"test accuracy {percent(sides[1][0])} with, {percent(sides[0][0])} without at a batch of 2; "
                f"{percent(sides[1][-1])} with, {percent(sides[0][-1])} without at 32; "
                f"it helps at {' and '.join(map(str, helps)) or 'none'}",
                gains[0] < 0 < gains[-1],
                f"{points(gains[0])} at 2, {points(gains[-1])} at 32",
            ),
        ),
        to_query(Experiment(replace(training, batch_size=2), tuple(twins(network)))),
        charts=(_accuracy("batch size (digits)", sizes, sides),),
    )


def learning_rates(bench: Bench) -> Result:
    """Which learning rates still train."""
    rates = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
    training = TrainingConfig(steps=1000, schedule="constant", standardize=True)
    found = [bench.train(replace(training, learning_rate=rate), twins(RELU)) for rate in rates]
    sides = [[mean(pair[norm], "test_accuracy") for pair in found] for norm in (0, 1)]
    slow, fast = (max((r for r, a in zip(rates, side, strict=True) if a > 0.8), default=0.0) for side in sides)
    return Result(
        "learning_rates",
        "High learning rates",
        "784-5×50-10, ReLU, He's init, standardized inputs, constant learning rate, batch 32, 1,000 steps.",
        (
            Claim(
                "Batchnorm enables higher learning rates",
                f"{IOFFE}, section 3.3",
                f"test accuracy above 80% up to a rate of {fast:g} with, {slow:g} without",
                fast > slow,
                f"{fast / slow:g} times the rate" if slow else "none without",
            ),
        ),
        to_query(Experiment(replace(training, learning_rate=1.0), tuple(twins(RELU)))),
        charts=(_accuracy("learning rate", rates, sides),),
    )


def positions(bench: Bench) -> Result:
    """Batchnorm before and after the activation."""
    variants = [Variant(RELU, BatchNormConfig()), Variant(RELU, BatchNormConfig(position="after"))]
    training = TrainingConfig(standardize=True)
    several = replace(bench, seeds=(0, 1, 2))  # one seed tells nothing: the difference is smaller than between seeds
    before, after = several.train(training, variants)
    gain = mean(before, "test_accuracy") - mean(after, "test_accuracy")
    return Result(
        "positions",
        "Before or after the activation",
        f"784-5×50-10, ReLU, He's init, standardized inputs, batch 32, 1,500 steps, {len(several.seeds)} seeds. "
        f"A difference counts as clear above {STUDENT_T:.1f} standard errors (Student's t, 95%).",
        (
            Claim(
                "Normalizing before the activation is the better place",
                f"{IOFFE}, section 3.2",
                f"test accuracy {mean_and_spread(before, 'test_accuracy')} before, "
                f"{mean_and_spread(after, 'test_accuracy')} after",
                clearly_higher(before, after, "test_accuracy"),
                f"{points(gain)} before",
            ),
        ),
        to_query(Experiment(training, tuple(variants))),
    )


def bias(bench: Bench) -> Result:
    """A bias before batchnorm: any value of it, on a trained network."""
    training, network = TrainingConfig(), NetworkConfig()
    trainer = Trainer(training, [Variant(network, BatchNormConfig())], bench.batches)
    while not trainer.finished:
        trainer.advance()
    net = trainer.copy_of(0)
    x = bench.batches.probe(256, training.standardize)
    before = net.forward(x, "probe").clone()
    learned = float(net.hidden[0].linear.bias.value.abs().max())
    net.hidden[0].linear.bias.value += 5 * torch.randn(network.width, generator=torch.Generator().manual_seed(0))
    apart = float((net.forward(x, "probe") - before).abs().max())
    return Result(
        "bias",
        "A bias before batchnorm",
        "784-128-10, tanh, batchnorm, 1,500 steps; then every bias of the hidden layer is moved by 5 N(0,1).",
        (
            Claim(
                "The bias before batchnorm can be left out: its effect is taken away with the mean",
                f"{IOFFE}, section 3.2",
                with_minus_signs(f"logits differ by at most {apart:.0e}; training moved no bias beyond {learned:.0e}"),
                apart < 1e-3,
                with_minus_signs(f"at most {apart:.0e}"),
            ),
        ),
        to_query(Experiment(training, tuple(twins(network)))),
    )


def _accuracy(x_title: str, x: tuple[float, ...], sides: list[list[float]]) -> Chart:
    percent = [[100 * value for value in side] for side in sides]
    return Chart("Test accuracy", x_title, "accuracy (%)", lines(x, percent), log_x=True)


EXPERIMENTS: tuple[Callable[[Bench], Result], ...] = (
    inits,
    scales,
    batch_sizes,
    normalizers,
    learning_rates,
    positions,
    bias,
    sigmoid,
    lenet,
    wide_cnn,
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

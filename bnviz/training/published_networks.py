"""Networks as they were published, trained without and with batchnorm: that of the 2015 paper's figure 1, and LeNet."""

import math
from collections.abc import Sequence

import numpy as np

from bnviz.config import Experiment, NetworkConfig, TrainingConfig, replace
from bnviz.records import Floats, VariantFrame
from bnviz.results import Chart, Claim, Result
from bnviz.settings import to_query
from bnviz.training.bench import Bench, lines, mean, points, shown, twins

PAPER = "Ioffe and Szegedy 2015, section 4.1 and figure 1"
LESSON = "Zhang et al., Dive into Deep Learning, section 8.5"
LEARNED = 0.9  # test accuracy that counts as having learned the digits
UNIT = 0  # of the last hidden layer: the first is as typical as any


def sigmoid(bench: Bench) -> Result:
    """The 2015 paper's network on MNIST: its accuracy, and how the inputs of its last sigmoids are distributed."""
    network = NetworkConfig(3, 100, "sigmoid", "normal", 0.1)
    steps = 5_000 if bench.quick else 50_000
    training = TrainingConfig(batch_size=60, steps=steps, schedule="constant", learning_rate=0.1)
    one = replace(bench, seeds=bench.seeds[:1])
    pair = [outcomes[0] for outcomes in one.train(training, twins(network))]
    without, normalized = pair
    goal = without.test_accuracy
    reached = next((f.step for f in normalized.frames if f.test_accuracy >= goal), None)
    kept = [[f for f in outcome.frames if f.layers[-1].percentiles is not None] for outcome in pair]
    at = [f.step for f in kept[0]]
    (calm_median, calm_spread), (median, spread) = (_wander(_percentiles(frames)) for frames in reversed(kept))
    return Result(
        "sigmoid",
        "The network of the 2015 paper",
        f"784-3×100-10, sigmoid, weights 0.1 N(0,1), batch 60, constant learning rate 0.1, {steps:,} steps, one seed. "
        "Wander of the median: its largest minus its smallest value over the steps; of the spread between the 15th and "
        "85th percentile: its largest divided by its smallest; means over the units of the last hidden layer.",
        (
            Claim(
                "The network with batchnorm reaches a higher test accuracy",
                f"{PAPER}(a)",
                f"{normalized.test_accuracy:.1%} with, {goal:.1%} without",
                normalized.test_accuracy > goal,
                points(normalized.test_accuracy - goal),
            ),
            Claim(
                "It trains faster",
                f"{PAPER}(a)",
                f"{goal:.1%} after {reached:,} steps instead of {steps:,}" if reached else "never as accurate",
                reached is not None and reached < steps,
                f"{steps / max(reached, 1):.1f} times as fast" if reached else "not reached",
            ),
            Claim(
                "The inputs of a sigmoid of the last hidden layer keep a more stable distribution",
                f"{PAPER}(b, c)",
                f"the median wanders by {calm_median:.2f} with, {median:.2f} without; the spread by a factor of "
                f"{calm_spread:.1f} with, {spread:.1f} without",
                calm_median < median and calm_spread < spread,
                f"{median / calm_median:.1f} and {spread / calm_spread:.1f} times as stable",
            ),
        ),
        to_query(Experiment(training, tuple(twins(network)))),
        charts=(
            Chart(
                "Test accuracy",
                "step (batches)",
                "accuracy (%)",
                lines(
                    [f.step for f in without.frames],
                    [[100 * f.test_accuracy for f in outcome.frames] for outcome in pair],
                ),
            ),
            Chart(
                f"15th, 50th, 85th percentile of the input of unit {UNIT + 1} of the last hidden layer",
                "step (batches)",
                "input of the sigmoid",
                tuple(
                    line
                    for k in range(3)
                    for line in lines(at, [_percentiles(frames)[:, k, UNIT].tolist() for frames in kept], thin=k != 1)
                ),
            ),
        ),
    )


def lenet(bench: Bench) -> Result:
    """LeNet with sigmoids and average pooling."""
    network = NetworkConfig(architecture="lenet", activation="sigmoid", init="xavier_uniform")
    steps = 1_500 if bench.quick else 6_000
    training = TrainingConfig(steps=steps, learning_rate=1.0, final_learning_rate=0.1)
    pair = bench.train(training, twins(network))
    without, normalized = ([_learned(outcome.frames) for outcome in outcomes] for outcomes in pair)
    accuracy, plain = (mean(outcomes, "test_accuracy") for outcomes in reversed(pair))
    slowest, fastest = max(normalized), min(without)
    return Result(
        "lenet",
        "LeNet",
        f"Convolutions 6@5×5 and 16@5×5 with average pooling, 120, 84, 10; sigmoid, Xavier's uniform init, batch 32, "
        f"{steps:,} steps, learning rate 1 falling linearly to 0.1. Learned: a test accuracy above {LEARNED:.0%}.",
        (
            Claim(
                "LeNet learns in fewer steps with batchnorm",
                LESSON,
                f"learned after {_steps(slowest, steps)} with, {_steps(fastest, steps)} without (each the seed that "
                "speaks most against it)",
                slowest < fastest,
                f"{fastest / slowest:.1f} times as fast" if fastest < math.inf else "only with batchnorm",
            ),
            Claim(
                "It ends more accurate",
                LESSON,
                f"test accuracy {shown(pair[1], 'test_accuracy')} with, {shown(pair[0], 'test_accuracy')} without",
                accuracy > plain,
                points(accuracy - plain),
            ),
        ),
        to_query(Experiment(training, tuple(twins(network)))),
        charts=tuple(
            Chart(
                title,
                "step (batches)",
                unit,
                lines(
                    [f.step for f in pair[0][0].frames],
                    [[factor * getattr(f, name) for f in outcomes[0].frames] for outcomes in pair],
                ),
            )
            for title, name, unit, factor in (
                ("Test accuracy", "test_accuracy", "accuracy (%)", 100.0),
                ("Test loss", "test_loss", "loss (nats)", 1.0),
            )
        ),
    )


def _learned(frames: Sequence[VariantFrame]) -> float:
    """The first kept step at which the digits are learned; infinite where there is none."""
    return next((float(f.step) for f in frames if f.test_accuracy > LEARNED), math.inf)


def _steps(count: float, most: int) -> str:
    return f"{count:,.0f} steps" if count < math.inf else f"more than {most:,} steps"


def _percentiles(frames: Sequence[VariantFrame]) -> Floats:
    """(frames, 3, units) of the last hidden layer."""
    return np.array([frame.layers[-1].percentiles for frame in frames])


def _wander(percentiles: Floats) -> tuple[float, float]:
    """Of the median and of the spread, over the frames; means over the units."""
    low, median, high = percentiles.transpose(1, 0, 2)
    spread = high - low
    return float(np.ptp(median, axis=0).mean()), float((spread.max(0) / spread.min(0)).mean())

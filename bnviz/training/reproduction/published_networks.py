"""Networks of the literature without and with batchnorm: that of the 2015 paper's figure 1, LeNet and a wider CNN."""

from collections.abc import Sequence

import numpy as np

from bnviz.experiment.addresses import to_query
from bnviz.experiment.config import Experiment, NetworkConfig, TrainingConfig, replace
from bnviz.experiment.wording import percent, points
from bnviz.records.frames import TEST_DIGITS, Floats, VariantFrame
from bnviz.records.reproduction import Chart, Claim, Result
from bnviz.training.reproduction.trials import Bench, Outcome, lines, mean, mean_and_spread, twins

PAPER = "Ioffe and Szegedy 2015, section 4.1 and figure 1"
BOOK = "Zhang et al., Dive into Deep Learning, section on batch normalization"
UNIT = 0  # of the last hidden layer: the first is as typical as any
CNN_EPOCHS, CNN_BATCH, CNN_RATE = 3, 64, 0.05
LENET_GOAL = 0.9  # the test accuracy that LeNet is timed to
ROUNDING = 1e-6  # 900 of 1,000 digits are a little less than 0.9 in float32
WATCHED = f"Test accuracy: on the first {TEST_DIGITS:,} test digits, at the last step on all of them."


def sigmoid(bench: Bench) -> Result:
    """The 2015 paper's network on MNIST: its accuracy, and how the inputs of its last sigmoids are distributed."""
    network = NetworkConfig(3, 100, "sigmoid", "normal", 0.1)
    steps = 5_000 if bench.quick else 50_000
    training = TrainingConfig(batch_size=60, steps=steps, schedule="constant", learning_rate=0.1)
    one = replace(bench, seeds=bench.seeds[:1])
    pair = [outcomes[0] for outcomes in one.train(training, twins(network))]
    without, normalized = pair
    goal = max(frame.test_accuracy for frame in _watched(without))
    slow, fast = (reached(outcome, goal) for outcome in pair)
    assert slow is not None  # its own best
    kept = [[f for f in outcome.frames if f.layers[-1].percentiles is not None] for outcome in pair]
    at = [f.step for f in kept[0]]
    (calm_median, calm_spread), (median, spread) = (_wander(_percentiles(frames)) for frames in reversed(kept))
    return Result(
        "sigmoid",
        "The network of the 2015 paper",
        f"784-3×100-10, sigmoid, weights 0.1 N(0,1), batch 60, constant learning rate 0.1, {steps:,} steps, one seed. "
        f"{WATCHED} Speed: the first step at which each has the best that the network without batchnorm has before its "
        "last step, as in the paper's figure 3. "
        "Wander of the median: its largest minus its smallest value over the steps; of the spread between the 15th and "
        "85th percentile: its largest divided by its smallest; means over the units of the last hidden layer.",
        (
            Claim(
                "The network with batchnorm reaches a higher test accuracy",
                f"{PAPER}(a)",
                f"{percent(normalized.test_accuracy)} with, {percent(without.test_accuracy)} without",
                normalized.test_accuracy > without.test_accuracy,
                points(normalized.test_accuracy - without.test_accuracy),
            ),
            Claim(
                "It trains faster",
                f"{PAPER}(a)",
                f"{percent(goal)} after {fast:,} steps with, {slow:,} without" if fast else "never as accurate",
                fast is not None and fast < slow,
                f"{slow / fast:.1f} times as fast" if fast else "not reached",
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
            _accuracy(pair),
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
    """LeNet in the form of Dive into Deep Learning: sigmoids, average pooling, every map connected to every other.

    LeCun et al. 1998 have a scaled tanh, trainable subsampling and sparse connections between the maps.
    """
    network = NetworkConfig(architecture="lenet", activation="sigmoid", init="xavier_uniform")
    training = TrainingConfig(steps=3_000 if bench.quick else 10_000, schedule="constant")
    one = replace(bench, seeds=bench.seeds[:1])
    pair = [outcomes[0] for outcomes in one.train(training, twins(network))]
    slow, fast = (reached(outcome, LENET_GOAL) for outcome in pair)
    told = [f"after {step:,} steps" if step else f"not within {training.steps:,} steps" for step in (slow, fast)]
    return Result(
        "lenet",
        "LeNet",
        "6@5×5, pool, 16@5×5, pool, 120, 84, 10, sigmoid, as in Dive into Deep Learning, after LeCun et al. 1998; "
        f"Xavier's uniform init, batch 32, constant learning rate 0.1, {training.steps:,} steps, one seed. {WATCHED} "
        f"The goal is {percent(LENET_GOAL, 0)} before the last step.",
        (
            Claim(
                "Batchnorm accelerates the convergence of LeNet",
                BOOK,
                f"at the goal {told[1]} with, {told[0]} without; in the end {percent(pair[1].test_accuracy)} with, "
                f"{percent(pair[0].test_accuracy)} without",
                fast is not None and fast < (slow or training.steps),
                f"{'' if slow else 'more than '}{(slow or training.steps) / fast:.0f} times as fast"
                if fast
                else "never",
            ),
        ),
        to_query(Experiment(training, tuple(twins(network)))),
        charts=(_accuracy(pair),),
    )


def wide_cnn(bench: Bench) -> Result:
    """The wide CNN for three epochs: what batchnorm reaches at a rate that is too high without it."""
    network = NetworkConfig(architecture="cnn", activation="relu", init="he_normal")
    steps, goal = (300, 0.97) if bench.quick else (CNN_EPOCHS * (len(bench.batches.train_labels) // CNN_BATCH), 0.992)
    training = TrainingConfig(
        batch_size=CNN_BATCH,
        learning_rate=CNN_RATE,
        schedule="cosine",
        final_learning_rate=0.0,
        momentum=0.9,
        steps=steps,
        standardize=True,
    )
    fast = bench.train(training, twins(network))
    (slow,) = bench.train(replace(training, learning_rate=CNN_RATE / 5), twins(network)[:1])
    too_fast, normalized, calm = (mean_and_spread(outcomes, "test_accuracy") for outcomes in (*fast, slow))
    best = mean(fast[1], "test_accuracy")
    ahead = best - mean(slow, "test_accuracy")
    return Result(
        "wide_cnn",
        "The wide CNN",
        "20@5×5, max pool, 50@5×5, max pool, 500, 10, the network of Caffe's example for MNIST with a ReLU after every "
        f"hidden layer; He's init, standardized pixels, batch {CNN_BATCH}, SGD with momentum 0.9, learning rate "
        f"{CNN_RATE:g} falling to 0 along a cosine, {steps:,} steps; without batchnorm also a fifth of that. {WATCHED}",
        (
            Claim(
                f"With batchnorm it gets {percent(goal)} of the digits right",
                "what is expected of such a network on MNIST within a few epochs",
                normalized,
                best >= goal,
                points(best - goal),
            ),
            Claim(
                "Batchnorm allows a higher learning rate, which makes it more accurate",
                "Ioffe and Szegedy 2015, section 3.3",
                f"{normalized} with at a rate of {CNN_RATE:g}, {too_fast} without; {calm} without at {CNN_RATE / 5:g}",
                ahead > 0,
                points(ahead),
            ),
        ),
        to_query(Experiment(training, tuple(twins(network)))),
        charts=(_accuracy([slow[0], fast[1][0]]),),
    )


def _watched(outcome: Outcome) -> Sequence[VariantFrame]:
    """All but the last frame, whose test accuracy is of other digits."""
    return outcome.frames[:-1]


def reached(outcome: Outcome, accuracy: float) -> int | None:
    """Return the first watched step at which a test accuracy was had."""
    return next((frame.step for frame in _watched(outcome) if frame.test_accuracy >= accuracy - ROUNDING), None)


def _accuracy(pair: Sequence[Outcome]) -> Chart:
    steps = [frame.step for frame in pair[0].frames]
    percent = [[100 * frame.test_accuracy for frame in outcome.frames] for outcome in pair]
    return Chart("Test accuracy", "step (batches)", "accuracy (%)", lines(steps, percent))


def _percentiles(frames: Sequence[VariantFrame]) -> Floats:
    """(frames, 3, units) of the last hidden layer."""
    return np.array([frame.layers[-1].percentiles for frame in frames])


def _wander(percentiles: Floats) -> tuple[float, float]:
    """How far the median and the spread wander, over the frames; means over the units."""
    low, median, high = percentiles.transpose(1, 0, 2)
    spread = high - low
    return float(np.ptp(median, axis=0).mean()), float((spread.max(0) / spread.min(0)).mean())

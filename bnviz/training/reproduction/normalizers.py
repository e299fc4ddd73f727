"""Batch size against normalizer: LeNet with each of them, on batches of 2 to 32 digits."""

from dataclasses import dataclass
from statistics import fmean

from torch import Tensor

from bnviz.experiment.addresses import to_query
from bnviz.experiment.config import (
    LETTERS,
    BatchNormConfig,
    Experiment,
    NetworkConfig,
    NormalizerConfig,
    TrainingConfig,
    Variant,
    replace,
)
from bnviz.experiment.naming import kind_of
from bnviz.experiment.wording import decimals, mean_and_deviation, points, significant
from bnviz.records.reproduction import Chart, Claim, Dash, Line, Result, Table
from bnviz.training import probes
from bnviz.training.reproduction.trials import Bench
from bnviz.training.trainer import Trainer

WU = "Wu and He 2018"
SIZES = (2, 4, 8, 16, 32)
COMPARED = 960  # test digits asked in both modes: whole batches of every size
NETWORK = NetworkConfig(architecture="lenet", activation="relu", init="he_normal")
VARIANTS = (
    Variant(NETWORK),
    Variant(NETWORK, BatchNormConfig()),
    Variant(NETWORK, normalizer=NormalizerConfig("layer")),
    Variant(NETWORK, normalizer=NormalizerConfig("group")),
    Variant(NETWORK, normalizer=NormalizerConfig("instance")),
    Variant(NETWORK, normalizer=NormalizerConfig("rms")),
    Variant(NETWORK, normalizer=NormalizerConfig("weight")),
)
NAMES = tuple(kind_of(variant) for variant in VARIANTS)
BATCH, GROUP = NAMES.index("batchnorm"), NAMES.index("group norm")
# The last five have one colour.
DASHES: tuple[Dash, ...] = ("solid", "solid", "solid", "dash", "dot", "dashdot", "longdash")


@dataclass(frozen=True)
class Ended:
    """How one network ended. error: share of the test digits that it gets wrong. gap: its loss in training mode, each
    batch normalized by itself, less that in eval mode, on the same test digits."""

    error: float
    gap: float


def normalizers(bench: Bench) -> Result:
    """Batch size against normalizer: the error of LeNet with each, and how its two modes differ."""
    digits = 4_000 if bench.quick else 16_000
    found = {size: _trained(bench, size, digits) for size in SIZES}  # [variant][seed] each
    errors = [[100 * fmean(e.error for e in found[size][v]) for size in SIZES] for v in range(len(VARIANTS))]
    gaps = {size: [fmean(abs(e.gap) for e in ended) for ended in found[size]] for size in SIZES}
    others = max(gap for size in SIZES for v, gap in enumerate(gaps[size]) if v != BATCH)
    ends = SIZES[0], SIZES[-1]
    rows = tuple(
        (name, *(_error(found[size][v]) for size in SIZES), *(decimals(gaps[size][v], 3) for size in ends))
        for v, name in enumerate(NAMES)
    )
    return Result(
        "normalizers",
        "Batch size against normalizer",
        f"LeNet with ReLU and He's init, {digits:,} training digits at every batch size B, learning rate 0.1 · B / 32 "
        "falling linearly to a tenth; group norm with 2 groups; instance norm in the convolutions alone. Test error: "
        f"in eval mode on all test digits. Two modes: how far the loss on {COMPARED} test digits in training mode, in "
        "batches of B, is from that in eval mode.",
        _claims(errors, [each[BATCH] for each in gaps.values()], others),
        to_query(Experiment(_training(2, digits), VARIANTS[: len(LETTERS)])),
        Table(("normalizer", *(f"error at {n}" for n in SIZES), *(f"two modes at {n}" for n in ends)), rows),
        (Chart("Test error", "batch size (digits)", "error (%)", _lines(errors), log_x=True),),
    )


def _claims(errors: list[list[float]], of_batch: list[float], others: float) -> tuple[Claim, ...]:
    """Hold what Wu and He report against it.

    errors: [variant][size] in percent. of_batch, others: how far the two modes are apart, in nats.
    """
    batch, group = errors[BATCH], errors[GROUP]
    return (
        Claim(
            "The error with batchnorm rises as the batch becomes small",
            f"{WU}, figure 1",
            f"test error {batch[0]:.1f}% at a batch of 2, {batch[-1]:.1f}% at 32",
            batch[0] - batch[-1] > 0,
            f"{points((batch[0] - batch[-1]) / 100)} at 2",
        ),
        Claim(
            "At a batch of 2 group norm has a lower error than batchnorm",
            f"{WU}, section 4.1: 24.1% and 34.7% on ImageNet",
            f"test error {group[0]:.1f}% with group norm, {batch[0]:.1f}% with batchnorm",
            group[0] < batch[0],
            f"{points((group[0] - batch[0]) / 100)} with group norm",
        ),
        Claim(
            "The error with group norm depends less on the batch size",
            f"{WU}, figure 1",
            f"over the batch sizes it ranges over {_range(group):.1f} points with group norm, "
            f"{_range(batch):.1f} with batchnorm",
            _range(group) < _range(batch),
            f"{points((_range(group) - _range(batch)) / 100)} with group norm",
        ),
        Claim(
            "No other normalizer has one answer in training and another at inference",
            f"{WU}, section 3: no statistics over the batch",
            f"losses in the two modes differ by {min(of_batch):.3f} to {max(of_batch):.3f} with batchnorm, by at most "
            f"{significant(others)} with any other",
            others < 1e-5 < min(of_batch),
            f"{significant(others)} at most",
        ),
    )


def _training(size: int, digits: int) -> TrainingConfig:
    rate = 0.1 * size / 32
    return TrainingConfig(batch_size=size, steps=digits // size, learning_rate=rate, final_learning_rate=rate / 10)


def _trained(bench: Bench, size: int, digits: int) -> list[list[Ended]]:
    """[variant][seed]"""
    seeds = []
    for seed in bench.seeds:
        trainer = Trainer(replace(_training(size, digits), seed=seed), VARIANTS, bench.batches)
        while not trainer.finished:
            trainer.advance(evaluate=False)
        bench.say(f"  {len(VARIANTS)} networks, {trainer.training.steps:,} steps, {trainer.seconds:.0f} s")
        images, labels = bench.batches.test(None, standardize=False)
        seeds.append([_ended(trainer, place, size, images, labels) for place in range(len(VARIANTS))])
    return [list(each) for each in zip(*seeds, strict=True)]


def _ended(trainer: Trainer, place: int, size: int, images: Tensor, labels: Tensor) -> Ended:
    net, few = trainer.copy_of(place), (images[:COMPARED], labels[:COMPARED])
    accuracy = float(probes.evaluate(net, images, labels)[1][0])
    alone, together = (float(probes.evaluate(net, *few, mode)[0][0]) for mode in ("eval", size))
    return Ended(1 - accuracy, together - alone)


def _error(ended: list[Ended]) -> str:
    return mean_and_deviation([100 * each.error for each in ended], 1, "%")


def _range(values: list[float]) -> float:
    return max(values) - min(values)


def _lines(errors: list[list[float]]) -> tuple[Line, ...]:
    return tuple(
        Line(name, SIZES, tuple(round(value, 4) for value in values), variant.normalized, dash=dash)
        for name, variant, values, dash in zip(NAMES, VARIANTS, errors, DASHES, strict=True)
    )

"""Slices of the landscape against the loop that one would write, and a run's speed while it is scanned.

Contenders alternate in one process (the run: on one cluster), so that a slow moment of the machine slows both; the
ratio of each round is taken, and the median over the rounds reported.
"""

import time
from statistics import median

import numpy as np
import torch
from torch import nn

from bnviz.data import load
from bnviz.engine.cluster import Engine
from bnviz.engine.long_question import LongQuestion
from bnviz.engine.run import Run
from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, TrainingConfig, Variant
from bnviz.nn.network import Stack
from bnviz.records.landscape import Slices
from bnviz.records.questions import LossSlices
from bnviz.training import weight_space
from bnviz.training.batches import Batches
from bnviz.training.questions import slices
from bnviz.training.questions.plane import Grid, grid
from bnviz.training.trainer import Trainer

ROUNDS = 3
SIDE, DIGITS = 51, 1000
SLICE_TARGET, SPEED_TARGET = 2.0, 0.5
SECONDS = 3.0  # of one round of the run


def slice_ratios(batches: Batches) -> list[float]:
    """Points a second of a 51 x 51 slice over those of the plain loop, for the network without and with batchnorm."""
    variants = (Variant(NetworkConfig()), Variant(NetworkConfig(), BatchNormConfig()))
    trainer = Trainer(TrainingConfig(steps=200), variants, batches)
    while not trainer.finished:
        trainer.advance()
    digits = batches.train_sample(DIGITS, False)
    found = []
    for i, variant in enumerate(variants):
        stack = trainer.copy_of(i)
        where = grid(stack, "random", [], 200, resolution=SIDE)
        ratios = []
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            ours = np.concatenate(list(slices.Points(variant, stack, *digits, where).losses()))
            middle = time.perf_counter()
            theirs = _plain(stack, *digits, where)
            ratios.append((time.perf_counter() - middle) / len(theirs) / ((middle - begin) / len(ours)))
            np.testing.assert_allclose(theirs, ours[: len(theirs)], rtol=1e-3)
        found.append(median(ratios))
    return found


def _plain(
    stack: Stack, images: torch.Tensor, labels: torch.Tensor, where: Grid, points: int = 4 * SIDE
) -> list[float]:
    """The first points of the slice, one after another: set the weights, call the model."""
    layers: list[nn.Module] = []
    for i, linear in enumerate(stack.linears()):
        size = linear.weight.value.shape[1:]
        layers += [nn.Linear(*size)]
        if i < len(stack.hidden):
            layers += [nn.BatchNorm1d(size[1])] if stack.norms() else []
            layers += [nn.Tanh()]
    model = nn.Sequential(*layers).train()
    linears = [layer for layer in model if isinstance(layer, nn.Linear)]
    norms = [layer for layer in model if isinstance(layer, nn.BatchNorm1d)]
    held = [p for layer in (*linears, *norms) for p in (layer.weight, layer.bias)]
    parts = [_of_torch(stack, point) for point in (where.origin, *where.directions)]
    losses = []
    with torch.no_grad():
        for k in range(points):
            x, y = float(where.x[k % SIDE]), float(where.y[k // SIDE])
            for parameter, origin, first, second in zip(held, *parts, strict=True):
                parameter.copy_(origin + x * first + y * second)
            losses.append(nn.functional.cross_entropy(model(images), labels).item())
    return losses


def _of_torch(stack: Stack, point: torch.Tensor) -> list[torch.Tensor]:
    """A point's coordinates in the shapes of torch's own layers."""
    parts = weight_space.split(stack, point)
    linear = 2 * len(stack.linears())
    return [part[0].T.contiguous() if k < linear and k % 2 == 0 else part.flatten() for k, part in enumerate(parts)]


def watch_ratio(batches: Batches) -> float:
    """Steps a second, frames included, of a run that measures smoothness and keeps its path, over those of one that
    does not; at ten frames a second, as in the live lab."""
    experiment, ratios = Experiment(TrainingConfig(steps=750)), []
    for _ in range(ROUNDS):
        seconds = {}
        for watch in (None, "landscape"):
            trainer = Trainer(experiment.training, experiment.variants, batches, watch=watch)
            begin = time.perf_counter()
            while not trainer.finished:
                trainer.advance(seconds=0.1, evaluate=False)
            seconds[watch] = time.perf_counter() - begin
        ratios.append(seconds[None] / seconds["landscape"])
    return median(ratios)


def speed_ratio() -> float:
    """Steps a second of a run at full speed while it is scanned, over those while it is not."""
    experiment = Experiment(TrainingConfig(steps=100_000))
    engine = Engine()
    run = Run(engine, experiment, watch="landscape")
    question: LongQuestion[Slices] = LongQuestion()
    scan, ratios = LossSlices("random", 101, DIGITS, half_width=1.0, seed=0), []
    try:
        run.set_speed(float("inf"))
        run.play()
        while run.status.step < 500:
            time.sleep(0.05)
        for _ in range(ROUNDS):
            alone = _steps(run)
            question.ask(run, scan)
            scanned = _steps(run)
            question.cancel()
            ratios.append(scanned / alone)
    finally:
        run.close()
        engine.close()
    return median(ratios)


def _steps(run: Run) -> float:
    begin, step = time.monotonic(), run.status.step
    time.sleep(SECONDS)
    return (run.status.step - step) / (time.monotonic() - begin)


def main() -> bool:
    """Print the ratios. Returns whether every one reached its target."""
    batches = Batches(load())
    rows = [
        (f"{SIDE} x {SIDE} slice of 784-128-10 on {DIGITS:,} digits, {name}, over a plain loop", ratio, SLICE_TARGET)
        for name, ratio in zip(("no batchnorm", "batchnorm"), slice_ratios(batches), strict=True)
    ]
    rows.append(("speed of a run whose landscape is watched, over one that is not", watch_ratio(batches), SPEED_TARGET))
    rows.append(("speed of a run while it is scanned, over its speed alone", speed_ratio(), SPEED_TARGET))
    for name, ratio, target in rows:
        print(f"{name}: {ratio:.2f} (target {target:g})")
    return all(ratio >= target for _, ratio, target in rows)

"""`python -m bnviz train`: one network by its settings, or the networks of an experiment file; ends with JSON."""

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bnviz.data import load
from bnviz.experiment.addresses import explain, read_json
from bnviz.experiment.config import BATCH_OF_ONE, Experiment, ValidationError
from bnviz.experiment.settings import SHARED, Value, unflatten
from bnviz.records.frames import TRAINING_LOSS_STEPS, Frame, VariantFrame


def run(given: Mapping[str, Value], file: str | None = None, json_only: bool = False) -> int:
    """Train, and return the exit code: 0 done, 1 a network diverged, 2 bad input.

    given: the settings of one network by their keys. file: an experiment in their place.
    """
    try:
        experiment = _experiment(given, file)
    except ValueError as error:
        print(f"bnviz train: {error}", file=sys.stderr)
        return 2
    import torch

    from bnviz.training.batches import Batches
    from bnviz.training.trainer import Trainer

    torch.set_num_threads(1)  # one thread is fastest for networks of this size, and the same bits everywhere
    digits = load()
    if digits.notice:
        print(digits.notice, file=sys.stderr)
    trainer = Trainer(experiment.training, experiment.variants, Batches(digits))
    frame = trainer.advance(steps=0)
    losses: list[list[float]] = [[] for _ in experiment.variants]
    tenths = 0
    while not frame.finished:
        frame = trainer.advance(evaluate=False)
        for kept, variant in zip(losses, frame.variants, strict=True):
            kept.extend(variant.losses.tolist())
        if not json_only and frame.step * 10 // experiment.training.steps > tenths:
            tenths = frame.step * 10 // experiment.training.steps
            print(_progress(experiment, frame, losses), flush=True)
    ends = [_result(kept, variant) for kept, variant in zip(losses, frame.variants, strict=True)]
    summary: dict[str, Any] = {"steps_per_second": round(trainer.tick / trainer.seconds, 1), "data": digits.name}
    if len(ends) == 1:
        summary = ends[0] | summary
    else:
        summary["variants"] = dict(zip(experiment.letters, ends, strict=True))
    print(json.dumps(summary, allow_nan=False))
    return 1 if any(v.diverged for v in frame.variants) else 0


def _experiment(given: Mapping[str, Value], file: str | None) -> Experiment:
    """Raises ValueError with one clear line."""
    if file:
        if given:
            names = ", ".join(f"--{key.replace('_', '-')}" for key in given)
            raise ValueError(f"--experiment: the file holds every setting; leave out {names}")
        try:
            experiment, problems = read_json(Path(file).read_bytes())
        except OSError as error:
            raise ValueError(f"--experiment: {error}") from error
        if problems:
            raise ValueError(problems[0])
        return experiment
    values = {(key if key in SHARED else f"a_{key}"): value for key, value in given.items()}
    try:
        return unflatten({"variants": 1} | values)
    except ValidationError as error:
        raise ValueError(BATCH_OF_ONE if not error.errors()[0]["loc"] else explain(dict(error.errors()[0]))) from error


def _progress(experiment: Experiment, frame: Frame, losses: list[list[float]]) -> str:
    """'step    150/1500  A train 1.234 test 1.210 61.2%'"""
    now = "  ".join(
        f"{letter} train {_training_loss(kept):.3f} test {v.test_loss:.3f} {v.test_accuracy:.1%}"
        for letter, kept, v in zip(experiment.letters, losses, frame.variants, strict=True)
    )
    return f"step {frame.step:6d}/{experiment.training.steps}  {now}"


def _training_loss(losses: list[float]) -> float:
    recent = losses[-TRAINING_LOSS_STEPS:]
    return math.fsum(recent) / len(recent) if all(map(math.isfinite, recent)) else math.nan


def _result(losses: list[float], variant: VariantFrame) -> dict[str, Any]:
    found = {
        "train_loss": _training_loss(losses),
        "initial_loss": losses[0],
        "test_loss": variant.test_loss,
        "test_accuracy": variant.test_accuracy,
        "saturated_fraction": [round(float(layer.saturated.mean()), 6) for layer in variant.layers],
        "diverged": variant.diverged,
        "steps": variant.step,
    }
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in found.items()}

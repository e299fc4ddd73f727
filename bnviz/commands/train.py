"""`python -m bnviz train`: one network by its settings, or the networks of an experiment file; ends with JSON."""

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from bnviz.data import load
from bnviz.experiment.addresses import explain, read_json
from bnviz.experiment.config import CombinationError, Experiment, ValidationError
from bnviz.experiment.settings import SHARED, Value, unflatten
from bnviz.experiment.wording import percent
from bnviz.export.folded import SCRIPT_FILE, WEIGHTS_FILE, to_folded_script
from bnviz.records.frames import TRAINING_LOSS_STEPS, Frame, VariantFrame
from bnviz.records.questions import FoldedForInference

if TYPE_CHECKING:
    from bnviz.training.trainer import Trainer


def run(given: Mapping[str, Value], file: str | None = None, json_only: bool = False, fold: Path | None = None) -> int:
    """Train, and return the exit code: 0 done, 1 a network diverged, 2 bad input.

    given: the settings of one network by their keys. file: an experiment in their place. fold: a folder for the network
    with its batchnorm folded, as weights and a script.
    """
    try:
        experiment = _experiment(given, file)
        if fold is not None:
            _require_foldable(experiment, fold)
        digits = load(experiment.training.data)
    except (ValueError, OSError) as error:
        print(f"bnviz train: {error}", file=sys.stderr)
        return 2
    import torch

    from bnviz.training.batches import Batches
    from bnviz.training.trainer import Trainer

    torch.set_num_threads(1)  # one thread is fastest for networks of this size, and the same bits everywhere
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
    if fold is not None and math.isfinite(frame.variants[0].test_loss):
        summary["folded"] = _fold(trainer, fold)
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
    except CombinationError as error:
        raise ValueError(str(error).removeprefix("a_")) from error
    except ValidationError as error:
        raise ValueError(explain(dict(error.errors()[0]))) from error


def _require_foldable(experiment: Experiment, folder: Path) -> None:
    """Raises ValueError, before anything is trained."""
    norms = [variant.batchnorm for variant in experiment.variants]
    if len(norms) != 1 or norms[0] is None:
        raise ValueError("--fold: give one network with batchnorm, as with --batchnorm on")
    if norms[0].inference == "batch":
        raise ValueError("--fold: the batch at hand cannot be folded; give --bn-inference running or population")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()  # whether a file can be written
    except OSError as error:
        raise ValueError(f"--fold: {error}") from error


def _fold(trainer: "Trainer", folder: Path) -> dict[str, Any]:
    """Write the files of the folded network, and tell how it differs."""
    from bnviz.training.questions.registry import answer

    found = answer(trainer, FoldedForInference(0))
    script = to_folded_script(Experiment(trainer.training, tuple(trainer.variants)))
    try:
        (folder / WEIGHTS_FILE).write_bytes(found.weights)
        (folder / SCRIPT_FILE).write_text(script, encoding="utf-8")
    except OSError as error:
        raise ValueError(f"--fold: {error}") from error
    faster = {f"faster_{size}": round(ratio, 2) for size, ratio in found.faster.items()}
    return {"difference": found.difference, "largest_logit": found.largest, "agree": found.agree} | faster


def _progress(experiment: Experiment, frame: Frame, losses: list[list[float]]) -> str:
    """'step    150/1500  A train 1.234 test 1.210 61.2%'"""
    now = "  ".join(
        f"{letter} train {_training_loss(kept):.3f} test {v.test_loss:.3f} {percent(v.test_accuracy)}"
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

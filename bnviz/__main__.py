"""The command line: `python -m bnviz train`, `sweep`, `reproduce` and `data`, on the same core as the web app."""

import argparse
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bnviz import __version__
from bnviz.commands import sweep as sweep_command
from bnviz.data import DownloadError, DownloadProgress, download, load, status
from bnviz.experiment.addresses import explain, read_json
from bnviz.experiment.config import BATCH_OF_ONE, Experiment, ValidationError
from bnviz.experiment.settings import SHARED, VARIANT, Setting, Value, unflatten
from bnviz.records import reproduction as results
from bnviz.records.reproduction import FIGURES, FILE

LAST = 100  # steps whose mean is the training loss


def main(argv: list[str] | None = None) -> int:
    """Returns the exit code: 0 done, 1 failed or diverged, 2 bad input."""
    arguments = _parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = arguments.run
    return run(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bnviz", description="What batch normalization does, shown on MNIST.")
    parser.add_argument("--version", action="version", version=f"bnviz {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="train one network, or an experiment file")
    train.add_argument("--experiment", metavar="FILE", help="train the networks of an exported JSON file instead")
    train.add_argument("--json", action="store_true", help="print nothing but the JSON object")
    for setting in (*SHARED.values(), *VARIANT.values()):
        train.add_argument(
            f"--{setting.key.replace('_', '-')}",
            dest=f"setting_{setting.key}",
            metavar="on|off" if isinstance(setting.default, bool) else "|".join(setting.choices) or "N",
            type=_parse(setting),
            help=f"{setting.help} {setting.allowed.capitalize()}; default {_shown(setting.default)}.".replace(
                "%", "%%"
            ),
        )
    train.set_defaults(run=_train)
    grid = commands.add_parser("sweep", help="train a grid of networks, as the page Sweep does")
    grid.add_argument("definition", metavar="FILE", type=Path, help="the sweep as JSON; the page Sweep exports one")
    grid.add_argument(
        "--out", metavar="FILE", type=Path, required=True, help="where the results go, as .parquet or .csv"
    )
    grid.set_defaults(run=lambda arguments: sweep_command.run(arguments.definition, arguments.out))
    again = commands.add_parser(
        "reproduce", help="measure again what the literature reports; write docs/RESULTS.md and its figures"
    )
    again.add_argument(
        "--quick", action="store_true", help="one seed and shorter runs: minutes instead of a quarter hour"
    )
    again.add_argument("--json", action="store_true", help="print nothing but the JSON document")
    again.add_argument("--out", metavar="FOLDER", default=str(FILE.parent), help="where to write (default: docs)")
    again.set_defaults(run=_reproduce)
    data = commands.add_parser("data", help="which digits are used, and how to get all of them")
    actions = data.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("status", help="say which digits are used").set_defaults(run=_data_status)
    actions.add_parser("download", help="download the full MNIST").set_defaults(run=_data_download)
    return parser


def _parse(setting: Setting) -> Callable[[str], Value]:
    def parse(text: str) -> Value:
        try:
            return setting.parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parse


def _shown(value: Value) -> str:
    return (
        ("on" if value else "off")
        if isinstance(value, bool)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def _experiment(arguments: argparse.Namespace) -> Experiment:
    """Raises ValueError with one clear line."""
    given = {k.removeprefix("setting_"): v for k, v in vars(arguments).items() if k.startswith("setting_")}
    given = {k: v for k, v in given.items() if v is not None}
    if arguments.experiment:
        if given:
            names = ", ".join(f"--{k.replace('_', '-')}" for k in given)
            raise ValueError(f"--experiment: the file holds every setting; leave out {names}")
        try:
            experiment, problems = read_json(Path(arguments.experiment).read_bytes())
        except OSError as error:
            raise ValueError(f"--experiment: {error}") from error
        if problems:
            raise ValueError(problems[0])
        return experiment
    values = {(k if k in SHARED else f"a_{k}"): v for k, v in given.items()}
    try:
        return unflatten({"variants": 1} | values)
    except ValidationError as error:
        raise ValueError(BATCH_OF_ONE if not error.errors()[0]["loc"] else explain(dict(error.errors()[0]))) from error


def _train(arguments: argparse.Namespace) -> int:
    try:
        experiment = _experiment(arguments)
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
    shown = 0
    while not frame.finished:
        frame = trainer.advance(evaluate=False)
        for kept, variant in zip(losses, frame.variants, strict=True):
            kept.extend(variant.losses.tolist())
        if not arguments.json and frame.step * 10 // experiment.training.steps > shown:
            shown = frame.step * 10 // experiment.training.steps
            now = "  ".join(
                f"{letter} train {_mean(kept):.3f} test {v.test_loss:.3f} {v.test_accuracy:.1%}"
                for letter, kept, v in zip(experiment.letters, losses, frame.variants, strict=True)
            )
            print(f"step {frame.step:6d}/{experiment.training.steps}  {now}", flush=True)
    ends = [_result(kept, variant) for kept, variant in zip(losses, frame.variants, strict=True)]
    summary: dict[str, Any] = {"steps_per_second": round(trainer.tick / trainer.seconds, 1), "data": digits.name}
    if len(ends) == 1:
        summary = ends[0] | summary
    else:
        summary["variants"] = dict(zip(experiment.letters, ends, strict=True))
    print(json.dumps(summary, allow_nan=False))
    return 1 if any(v.diverged for v in frame.variants) else 0


def _mean(losses: list[float]) -> float:
    recent = losses[-LAST:]
    return math.fsum(recent) / len(recent) if all(map(math.isfinite, recent)) else math.nan


def _result(losses: list[float], variant: Any) -> dict[str, Any]:
    found = {
        "train_loss": _mean(losses),
        "initial_loss": losses[0],
        "test_loss": variant.test_loss,
        "test_accuracy": variant.test_accuracy,
        "saturated_fraction": [round(float(layer.saturated.mean()), 6) for layer in variant.layers],
        "diverged": variant.diverged,
        "steps": variant.step,
    }
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in found.items()}


def _reproduce(arguments: argparse.Namespace) -> int:
    out = Path(arguments.out)
    if not out.is_dir():
        print(f"bnviz reproduce: --out: {out} is no folder", file=sys.stderr)
        return 2
    import torch

    from bnviz.figures.svg import svg_chart
    from bnviz.training.batches import Batches
    from bnviz.training.reproduction.claims import reproduce

    torch.set_num_threads(1)
    say = (lambda _: None) if arguments.json else (lambda line: print(line, flush=True))
    found = reproduce(Batches(load()), quick=arguments.quick, say=say)
    (out / FILE.name).write_text(results.to_json(found), encoding="utf-8")
    (out / "RESULTS.md").write_text(results.to_markdown(found), encoding="utf-8")
    (out / FIGURES).mkdir(exist_ok=True)
    for name, chart in (picture for result in found.results for picture in result.pictures.items()):
        (out / FIGURES / name).write_text(svg_chart(chart), encoding="utf-8")
    if arguments.json:
        print(results.to_json(found))
    else:
        for claim in (claim for result in found.results for claim in result.claims):
            print(f"{claim.text} ({claim.source})\n    measured: {claim.measured}\n    {claim.verdict}")
    return 0


def _data_status(_: argparse.Namespace) -> int:
    found = status()
    print(f"in use: {found.in_use}, {found.train_count:,} training and {found.test_count:,} test digits")
    print(f"full MNIST: {found.directory}")
    for file in found.files:
        print(f"  {file.name}: {file.state}")
    if found.notice:
        print(found.notice)
    return 0


def _data_download(_: argparse.Namespace) -> int:
    def report(progress: DownloadProgress) -> None:
        if progress.done:
            print(f"{progress.number}/{progress.file_count} {progress.file}", flush=True)

    try:
        download(report)
    except DownloadError as error:
        print(f"bnviz data download: {error}", file=sys.stderr)
        return 1
    return _data_status(_)


if __name__ == "__main__":
    sys.exit(main())

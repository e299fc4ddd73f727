"""The command line, `python -m bnviz COMMAND`: app, train, sweep, diagnose, reproduce, data; on the core of the app."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from bnviz import __version__
from bnviz.commands import app, data, diagnose, reproduce, sweep, train
from bnviz.data import SOURCES
from bnviz.experiment.settings import SHARED, VARIANT, Setting, Value, as_text
from bnviz.records.reproduction import RESULTS_FILE

_SETTING = "setting_"  # before the key of a setting, as the parser keeps its value


def main(argv: list[str] | None = None) -> int:
    """Run one command, and return its exit code: 0 done, 1 failed or diverged, 2 bad input."""
    arguments = _parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = arguments.run
    return run(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bnviz", description="What batch normalization does, shown on MNIST.")
    parser.add_argument("--version", action="version", version=f"bnviz {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_app(commands.add_parser("app", help="serve the web app"))
    _add_train(commands.add_parser("train", help="train one network, or an experiment file"))
    _add_sweep(commands.add_parser("sweep", help="train a grid of networks, as the page Sweep does"))
    _add_diagnose(commands.add_parser("diagnose", help="say what is wrong with a network of your own"))
    _add_reproduce(
        commands.add_parser(
            "reproduce", help="measure again what the literature reports; write docs/RESULTS.md and its figures"
        )
    )
    _add_data(commands.add_parser("data", help="which data sets there are, and how to get more"))
    return parser


def _add_app(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--address", metavar="HOST", default="localhost", help="where it listens; default localhost")
    parser.add_argument("--port", metavar="N", type=_port, default=8501, help="1 to 65535; default 8501")
    parser.set_defaults(run=lambda arguments: app.run(arguments.address, arguments.port))


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"give a whole number from 1 to 65535, not {text!r}")
    return int(text)


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--experiment", metavar="FILE", help="train the networks of an exported JSON file instead")
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON object")
    parser.add_argument(
        "--fold", metavar="FOLDER", type=Path, help="write the trained network, its batchnorm folded into its layers"
    )
    for setting in (*SHARED.values(), *VARIANT.values()):
        words = f"{setting.help} {setting.allowed.capitalize()}; default {as_text(setting.default)}."
        parser.add_argument(
            f"--{setting.key.replace('_', '-')}",
            dest=_SETTING + setting.key,
            metavar="on|off" if isinstance(setting.default, bool) else "|".join(setting.choices) or "N",
            type=_value_of(setting),
            help=words.replace("%", "%%"),
        )
    parser.set_defaults(
        run=lambda arguments: train.run(_given(arguments), arguments.experiment, arguments.json, arguments.fold)
    )


def _add_sweep(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("definition", metavar="FILE", type=Path, help="the sweep as JSON; the page Sweep exports one")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, required=True, help="where the results go, as .parquet or .csv"
    )
    parser.set_defaults(run=lambda arguments: sweep.run(arguments.definition, arguments.out))


def _add_diagnose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "function",
        metavar="FUNCTION",
        help="package.module:function, which returns model and batches, and if it likes a loss and an optimizer",
    )
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON document")
    parser.set_defaults(run=lambda arguments: diagnose.run(arguments.function, arguments.json))


def _add_reproduce(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--quick", action="store_true", help="one seed and shorter runs: minutes instead of a quarter hour"
    )
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON document")
    parser.add_argument(
        "--out", metavar="FOLDER", type=Path, default=RESULTS_FILE.parent, help="where to write (default: docs)"
    )
    parser.set_defaults(run=lambda arguments: reproduce.run(arguments.out, arguments.quick, arguments.json))


def _add_data(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("status", help="say which data sets there are").set_defaults(run=lambda _: data.show_status())
    fetching = actions.add_parser("download", help="download a data set")
    fetching.add_argument("name", choices=SOURCES, help="one of " + ", ".join(SOURCES), metavar="NAME")
    fetching.set_defaults(run=lambda arguments: data.fetch(arguments.name))


def _value_of(setting: Setting) -> Callable[[str], Value]:
    def parse(text: str) -> Value:
        try:
            return setting.parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parse


def _given(arguments: argparse.Namespace) -> dict[str, Value]:
    """The settings that were named, by their keys."""
    values = {k.removeprefix(_SETTING): v for k, v in vars(arguments).items() if k.startswith(_SETTING)}
    return {k: v for k, v in values.items() if v is not None}


if __name__ == "__main__":
    sys.exit(main())

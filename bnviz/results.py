"""What was reproduced, as plain records: claims with their verdicts, tables and curves, as JSON and as Markdown."""

from dataclasses import field
from pathlib import Path

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

FILE = Path(__file__).parents[1] / "docs" / "results.json"


@dataclass(frozen=True)
class Claim:
    """What a source says, what was measured here, whether they agree, and by how much they differ."""

    text: str
    source: str
    measured: str
    agrees: bool
    by: str


@dataclass(frozen=True)
class Line:
    """One curve. normalized: of a network with batchnorm, which decides its colour."""

    name: str
    x: tuple[float, ...]
    y: tuple[float | None, ...]
    normalized: bool


@dataclass(frozen=True)
class Chart:
    title: str
    x_title: str
    y_title: str
    lines: tuple[Line, ...]
    log_x: bool = False


@dataclass(frozen=True)
class Table:
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Result:
    """One experiment. experiment: settings as in the address of the live lab, for a look at it there."""

    key: str
    title: str
    setting: str
    claims: tuple[Claim, ...]
    experiment: dict[str, str] = field(default_factory=dict)
    table: Table | None = None
    charts: tuple[Chart, ...] = ()


@dataclass(frozen=True)
class Results:
    """data: the digits it was measured on. quick: with one seed and shorter runs."""

    data: str
    seeds: int
    quick: bool
    minutes: float
    results: tuple[Result, ...]


_RESULTS = TypeAdapter(Results)


def to_json(results: Results) -> str:
    return _RESULTS.dump_json(results, indent=1).decode()


def read(path: Path = FILE) -> Results:
    """The results of the last run. Raises FileNotFoundError, or ValueError for a file that is something else."""
    return _RESULTS.validate_json(path.read_bytes())


def to_markdown(results: Results) -> str:
    """Tables and verdicts; the curves stand in the JSON file beside it, and on the page Results."""
    seeds = "one seed" if results.seeds == 1 else f"mean of {results.seeds} seeds"
    lines = [
        "# Results",
        "",
        f"Written by `python -m bnviz reproduce{' --quick' if results.quick else ''}` on {results.data}, {seeds}, "
        f"{results.minutes:.0f} minutes.",
    ]
    for result in results.results:
        lines += [
            "",
            f"## {result.title}",
            "",
            result.setting,
            "",
            "| claim | source | measured | verdict |",
            "|---|---|---|---|",
        ]
        for claim in result.claims:
            verdict = f"{'agrees' if claim.agrees else '**differs**'}: {claim.by}"
            lines.append(f"| {claim.text} | {claim.source} | {claim.measured} | {verdict} |")
        if result.table:
            lines += ["", f"| {' | '.join(result.table.columns)} |", "|" + "---|" * len(result.table.columns)]
            lines += [f"| {' | '.join(row)} |" for row in result.table.rows]
    return "\n".join(lines) + "\n"

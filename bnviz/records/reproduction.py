"""What was reproduced, as plain records: claims with their verdicts, tables and curves, as JSON and as Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import field
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from bnviz.experiment.package import beside
from bnviz.experiment.wording import counted

RESULTS_FILE = beside("docs/results.json")
FIGURES_FOLDER = "figures"  # the folder of the pictures, beside it
Dash = Literal["solid", "dash", "dot", "dashdot", "longdash"]
VERDICTS = {True: "agrees", False: "differs", None: "no clear difference"}


@dataclass(frozen=True)
class Claim:
    """One statement of a source, held against what was measured here.

    agrees: None if there is no clear difference over the seeds. by: how far the measurement is from the claimed figure
    or, if only a direction was claimed, how far it lies in that direction.
    """

    text: str
    source: str
    measured: str
    agrees: bool | None
    by: str

    @property
    def verdict(self) -> str:
        return f"{VERDICTS[self.agrees]}: {self.by}"


@dataclass(frozen=True)
class Line:
    """One curve. normalized: with batchnorm, without, or with another normalizer (None), which decides its colour.

    thin: beside a stronger one. dash: what tells curves of one colour apart.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float | None, ...]
    normalized: bool | None
    thin: bool = False
    dash: Dash = "solid"


@dataclass(frozen=True)
class Chart:
    """Curves over a common x axis. log_x: whether that axis is logarithmic."""

    title: str
    x_title: str
    y_title: str
    lines: tuple[Line, ...]
    log_x: bool = False


@dataclass(frozen=True)
class Table:
    """Figures as text. Each row has as many cells as there are columns."""

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

    @property
    def pictures(self) -> dict[str, Chart]:
        """The charts by the names of their files."""
        return {f"{self.key}-{place}.svg": chart for place, chart in enumerate(self.charts, 1)}


@dataclass(frozen=True)
class Results:
    """All experiments of one run of `reproduce`. data: the digits. quick: with one seed and shorter runs."""

    data: str
    seeds: int
    quick: bool
    minutes: float
    results: tuple[Result, ...]

    @property
    def extent(self) -> str:
        """Seeds, form and minutes of the run, in words."""
        seeds = "one seed" if self.seeds == 1 else f"mean ± standard deviation of {self.seeds} seeds"
        form = ", quick form with shorter runs" if self.quick else ""
        return f"{seeds}{form}, {counted(round(self.minutes), 'minute')}"


_RESULTS = TypeAdapter(Results)


def to_json(results: Results) -> str:
    """Return a JSON document that `read_results` reads."""
    return _RESULTS.dump_json(results, indent=1).decode()


def read_results(path: Path = RESULTS_FILE) -> Results:
    """Return the results of the last run. Raises FileNotFoundError, or ValueError for a file that is something else."""
    return _RESULTS.validate_json(path.read_bytes())


def to_markdown(results: Results) -> str:
    """Return the results as Markdown: tables, verdicts and pictures, whose files lie in FIGURES_FOLDER beside it."""
    lines = [
        "# Results",
        "",
        f"Written by `python -m bnviz reproduce{' --quick' if results.quick else ''}` on {results.data}, "
        f"{results.extent}. The page Results shows the same, from results.json.",
    ]
    for result in results.results:
        lines += ["", f"## {result.title}", "", result.setting, ""]
        rows = [(c.text, c.source, c.measured, c.verdict.replace("differs", "**differs**")) for c in result.claims]
        lines += _table(("claim", "source", "measured", "verdict"), rows)
        if result.table:
            lines += ["", *_table(result.table.columns, result.table.rows)]
        if result.charts:
            lines += ["", *(f"![{chart.title}]({FIGURES_FOLDER}/{name})" for name, chart in result.pictures.items())]
    return "\n".join(lines) + "\n"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), *rows)]

"""A chart is complete: the page has its place and its figure, and a test draws it."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from bnviz import figures

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "pages").glob("*.py"))
SECTIONS = sorted((ROOT / "bnviz" / "ui" / "sections").rglob("*.py"))
CHARTS = sorted(name for name, found in vars(figures).items() if callable(found))


def _places(tree: ast.AST) -> Iterator[tuple[str, bool]]:
    """The key of every chart with a plain name, and whether it is given its figure there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "live_chart":
            key = node.args[0]
            if isinstance(key, ast.Constant):
                yield str(key.value), len(node.args) > 1


def _keys(tree: ast.AST) -> Iterator[str]:
    """The keys that figures are made under: of a dict, or of what is put into one."""
    for node in ast.walk(tree):
        keys: list[ast.expr | None] = node.keys if isinstance(node, ast.Dict) else []
        keys += [node.slice] if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) else []
        yield from (str(k.value) for k in keys if isinstance(k, ast.Constant) and str(k.value).startswith("chart_"))


def _trees(files: list[Path]) -> list[ast.AST]:
    return [ast.parse(file.read_text(encoding="utf-8")) for file in files]


def _names(files: Iterable[Path]) -> set[str]:
    """Every name that code uses; what stands in a comment or a docstring is none."""
    nodes = [node for tree in _trees([*files]) for node in ast.walk(tree)]
    plain = {node.id for node in nodes if isinstance(node, ast.Name)}
    return plain | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


NAMED_BY_TESTS = _names((ROOT / "tests").rglob("test_*.py"))
NAMED_BY_SCREENS = _names([*PAGES, *(ROOT / "bnviz" / "ui").rglob("*.py"), *(ROOT / "bnviz" / "commands").glob("*.py")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_place_of_a_chart_gets_a_figure_and_every_figure_has_a_place(page: Path) -> None:
    (own,), shared = _trees([page]), _trees(SECTIONS)
    given = {key for tree in (own, *shared) for key in _keys(tree)}
    places = {key for tree in (own, *shared) for key, _ in _places(tree)}
    assert {key for key, has_figure in _places(own) if not has_figure} <= given
    assert set(_keys(own)) <= places


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_is_drawn_by_a_test(name: str) -> None:
    assert name in NAMED_BY_TESTS, f"no test draws {name}"


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_stands_somewhere(name: str) -> None:
    assert name in NAMED_BY_SCREENS, f"no page and no command shows {name}"

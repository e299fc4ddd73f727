"""What a reader may count on: docstrings that stand by themselves, modules and functions that fit a screen or two."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [
    ROOT / "app.py",
    *sorted((ROOT / "pages").glob("*.py")),
    *sorted((ROOT / "bnviz").rglob("*.py")),
]
SCRIPTS = sorted((ROOT / "bnviz").rglob("*.js"))

# A docstring that begins so needs the name to be understood: `loss`: "Of every pair of weights."
FRAGMENTS = frozenset(
    [
        "above",
        "across",
        "after",
        "against",
        "along",
        "also",
        "among",
        "and",
        "around",
        "as",
        "at",
        "before",
        "behind",
        "below",
        "beside",
        "between",
        "but",
        "by",
        "during",
        "for",
        "from",
        "if",
        "in",
        "into",
        "near",
        "of",
        "off",
        "on",
        "once",
        "only",
        "onto",
        "or",
        "over",
        "per",
        "since",
        "than",
        "then",
        "through",
        "to",
        "toward",
        "towards",
        "under",
        "until",
        "upon",
        "when",
        "where",
        "while",
        "with",
        "within",
        "without",
    ]
)

# `None where there is none`: what is no place is said with "if".
WHERE_FOR_IF = re.compile(r"\b(?:None|NaN|False|True|[Ee]mpty|[Nn]othing|\w+Error)(?:,[^,.;]*,)?(?: too)? where\b")

MOST_LINES, MOST_FUNCTION_LINES, MOST_SCRIPT_LINES = 300, 50, 200
# What is longer, up to how many lines, and why it stays so.
LONG_MODULES = {
    "bnviz/engine/run.py": (490, "one state machine: what a run is told, in one thread, with its recovery"),
    "bnviz/engine/sweeps.py": (400, "one state machine: the stacks of a sweep and the workers they are on"),
    "bnviz/experiment/story.py": (311, "one table: the words of fourteen chapters"),
}
LONG_FUNCTIONS = {
    "bnviz/training/reproduction/claims.py:inits": (60, "one claim of the literature, from its networks to its table"),
    "bnviz/training/reproduction/published_networks.py:sigmoid": (60, "one claim, from its networks to its table"),
    "bnviz/training/trainer.py:Trainer._look": (60, "one record, each of whose fields is measured if the plan says so"),
    "bnviz/ui/sections/landscape.py:Landscape.charts": (60, "one entry for each chart of the section"),
    "bnviz/ui/transport.py:transport": (60, "one row of controls"),
}
LONG_SCRIPTS = {
    "bnviz/ui/components/chart/chart.js": (
        250,
        "one chart: which figure is drawn when, and when Plotly hears of moved marks",
    ),
}

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Documented = ast.Module | Definition


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def definitions(tree: ast.AST, within: str = "") -> Iterator[tuple[str, Definition]]:
    """Every class and function, at any depth, by its dotted name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Definition):
            yield within + node.name, node
            yield from definitions(node, f"{within}{node.name}.")
        else:
            yield from definitions(node, within)


def public_definitions(tree: ast.AST) -> Iterator[tuple[str, Definition]]:
    """Every class and function that a module offers: no methods, and no functions within functions."""
    return ((n, node) for n, node in definitions(tree) if not n.startswith("_") and "." not in n)


def first_word(docstring: str) -> str:
    """Lower case; empty, where it begins with a symbol."""
    found = re.match(r"[^\w]*([A-Za-z]+)", docstring)
    return found[1].lower() if found else ""


def lines_of(definition: Definition) -> int:
    """Lines from `def` to the end, without the docstring: equations and shapes may take the room they need."""
    first = definition.body[0]
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if ast.get_docstring(definition) else 0
    return (definition.end_lineno or definition.lineno) - definition.lineno + 1 - docstring


def long_functions() -> dict[str, int]:
    """Every function above the guide, as file:name -> lines."""
    return {
        f"{name_of(file)}:{name}": lines_of(definition)
        for file in SOURCES
        for name, definition in definitions(ast.parse(file.read_text(encoding="utf-8")))
        if not isinstance(definition, ast.ClassDef) and lines_of(definition) > MOST_FUNCTION_LINES
    }


def long_files(files: list[Path], most: int) -> dict[str, int]:
    """Every file above the guide -> lines."""
    lengths = {name_of(file): len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    return {name: lines for name, lines in lengths.items() if lines > most}


@pytest.mark.parametrize("file", SOURCES, ids=name_of)
def test_a_docstring_begins_with_a_verb_or_noun_of_its_own(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    docstrings = {"the module": ast.get_docstring(tree)}
    docstrings |= {name: ast.get_docstring(definition) for name, definition in definitions(tree)}
    fragments = [f"{name}: {text}" for name, text in docstrings.items() if text and first_word(text) in FRAGMENTS]
    assert fragments == []


@pytest.mark.parametrize("file", SOURCES, ids=name_of)
def test_a_docstring_says_if_for_what_is_no_place(file: Path) -> None:
    nodes = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, Documented)]
    texts = (" ".join((ast.get_docstring(node) or "").split()) for node in nodes)
    assert [found[0] for text in texts for found in WHERE_FOR_IF.finditer(text)] == []


def test_a_place_is_no_condition() -> None:
    assert WHERE_FOR_IF.search("Return the id; None where it cannot be kept.")
    assert WHERE_FOR_IF.search("Raises ValueError where dout has another shape.")
    assert not WHERE_FOR_IF.search("Return where a slider stands; None before it is placed.")


def test_a_fragment_is_seen_behind_marks() -> None:
    assert first_word("`Of` every pair of weights.") == "of"
    assert first_word("(B, C): where x is") == "b"
    assert first_word("μ and σ of a batch") == ""  # a symbol is no fragment


@pytest.mark.parametrize("file", SOURCES, ids=name_of)
def test_every_public_module_class_and_function_has_a_docstring(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    documented = {"the module": tree} | dict(public_definitions(tree))
    assert [name for name, node in documented.items() if not ast.get_docstring(node)] == []


def test_public_are_the_names_of_a_module_at_any_indent_and_nothing_within_them() -> None:
    source = (
        "if True:\n    def seen(): pass\nelse:\n    class Seen:\n        def method(self): pass\n"
        "def outer():\n    def inner(): pass\ndef _private(): pass\n"
    )
    assert [name for name, _ in public_definitions(ast.parse(source))] == ["seen", "Seen", "outer"]


def too_long(found: dict[str, int], allowed: dict[str, tuple[int, str]]) -> dict[str, int]:
    """What has no reason to be long, or has outgrown it."""
    return {name: lines for name, lines in found.items() if lines > allowed.get(name, (0, ""))[0]}


# Equal, not fewer: what has become short enough leaves its list.
def test_modules_longer_than_the_guide_are_those_with_a_reason() -> None:
    found = long_files(SOURCES, MOST_LINES)
    assert too_long(found, LONG_MODULES) == {}
    assert set(found) == set(LONG_MODULES)


def test_functions_longer_than_the_guide_are_those_with_a_reason() -> None:
    found = long_functions()
    assert too_long(found, LONG_FUNCTIONS) == {}
    assert set(found) == set(LONG_FUNCTIONS)


def test_scripts_longer_than_the_guide_are_those_with_a_reason() -> None:
    found = long_files(SCRIPTS, MOST_SCRIPT_LINES)
    assert too_long(found, LONG_SCRIPTS) == {}
    assert set(found) == set(LONG_SCRIPTS)


def test_a_share_takes_its_decimals_from_one_place() -> None:
    """Plotly's own templates, such as %{y:.1%}, are filled in by the browser."""
    raw = re.compile(r"(?<!%)\{[^{}]*:\.\d%\}")
    assert raw.search("{share:.1%} of them")
    homes = [path for path in (ROOT / "bnviz").rglob("*.py") if path.name != "wording.py"]
    assert {path.name: found for path in homes if (found := raw.findall(path.read_text()))} == {}

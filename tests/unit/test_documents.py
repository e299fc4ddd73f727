"""The documents say what is there: modules, variables, presets, pages and paths."""

import ast
import os
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

import pytest

from bnviz.experiment.presets import PRESETS
from docs.tree import DOCUMENT, ROOT, document, tree

README = (ROOT / "README.md").read_text(encoding="utf-8")
# What describes the code of now; the changelog tells of the past.
GUIDES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "DEPLOYMENT.md", "docs/decisions.md", "tests/README.md")
VARIABLE = re.compile(r"\bBNVIZ_[A-Z_]*[A-Z]\b")
PATH = re.compile(r"(?<![\w/.{$*<-])[\w.-]*\w(?:/[\w.-]+)*\.(?:py|js|css|md|toml|yaml|txt|json)\b(?![\w*])")
DOTTED = re.compile(r"\bbnviz(?:\.\w+)+")
# What a reader makes, and what another package brings.
MADE = {"sweep.json", "plotly.min.js", "Node.js"}


def code() -> Iterator[Path]:
    """Every file that is kept, but the prose of documents."""
    made = [line.strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()] + [".git"]
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not any(fnmatch(name, pattern) for pattern in made)]
        yield from (Path(folder, name) for name in names if not name.endswith(".md") and name != ".git")


def words(text: str) -> str:
    """Lower case, with single spaces: a title may stand in a sentence, over the end of a line."""
    return " ".join(text.lower().split())


def test_the_tree_has_every_module_once_with_its_docstring() -> None:
    assert document() == DOCUMENT.read_text(encoding="utf-8"), "run `make tree`"
    modules = [*(ROOT / "pages").glob("*.py"), *(ROOT / "bnviz").rglob("*.py"), *(ROOT / "bnviz").rglob("*.js")]
    names = sorted(file.name for file in modules if file.name != "__init__.py")
    assert sorted(re.findall(r"^ +(\S+\.(?:py|js)) ", tree(), re.MULTILINE)) == names


def test_the_readme_explains_every_variable_of_the_code_and_no_other() -> None:
    texts = (file.read_text(encoding="utf-8", errors="ignore") for file in code())
    used = {name for text in texts for name in VARIABLE.findall(text)}
    assert set(re.findall(r"^\| `(BNVIZ_\w+)` \|", README, re.MULTILINE)) == used


@pytest.mark.parametrize("key", PRESETS)
def test_the_readme_names_every_preset(key: str) -> None:
    (listed,) = re.findall(r"^- \*\*Choose an experiment\*\*.*?(?=^- )", README, re.MULTILINE | re.DOTALL)
    assert re.search(rf"[:.,] {re.escape(words(PRESETS[key].title))}[,.]", words(listed))


def test_the_readme_names_every_page() -> None:
    for file in sorted((ROOT / "pages").glob("*.py")):
        title = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").split(":")[0]
        title = title.removeprefix("The ")
        assert f"**{words(title)}**" in words(README), file.name


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_names_no_file_that_is_not_there(guide: str) -> None:
    text = (ROOT / guide).read_text(encoding="utf-8").replace(tree(), "")
    places = (ROOT, ROOT / "bnviz", ROOT / "tests" / "unit", (ROOT / guide).parent)
    named = {found for found in PATH.findall(text) if found not in MADE}
    assert sorted(path for path in named if not any((place / path).exists() for place in places)) == []


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_names_no_module_that_is_not_there(guide: str) -> None:
    text = (ROOT / guide).read_text(encoding="utf-8")
    assert sorted(name for name in set(DOTTED.findall(text)) if not exists(name)) == []


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        file = Path(ROOT, *parts[:count])
        if file.is_dir() or file.with_suffix(".py").exists():
            found: object = import_module(".".join(parts[:count]))
            return all((found := getattr(found, part, None)) is not None for part in parts[count:])
    return False


def test_a_name_that_is_not_there_would_be_seen() -> None:
    assert exists("bnviz.nn.batchnorm.BatchNorm")
    assert not exists("bnviz.nn.batchnorm.Nothing")
    assert not exists("bnviz.nothing")
    assert PATH.findall("`training/trainer.py`, docs/*.md and (DEPLOYMENT.md)") == [
        "training/trainer.py",
        "DEPLOYMENT.md",
    ]


@pytest.mark.parametrize("guide", [*GUIDES, "CHANGELOG.md", "docs/RESULTS.md"])
def test_no_mark_of_a_merge_is_left_in_a_document(guide: str) -> None:
    lines = (ROOT / guide).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith(("<<<<<<<", ">>>>>>>"))] == []

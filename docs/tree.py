"""`make tree`: write the tree of modules in ARCHITECTURE.md, each with the first sentence of its own docstring."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "ARCHITECTURE.md"
PLACE = re.compile(r"(?<=<!-- make tree -->\n```\n).*?(?=```\n)", re.DOTALL)
SUFFIXES = {".py", ".js", ".ts"}
COLUMN, WIDTH = 36, 88  # where descriptions begin, and how wide they are


def first_sentence(file: Path) -> str:
    """The first sentence of a module's docstring or a script's comment; empty if it has none."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".py":
        said = ast.get_docstring(ast.parse(text)) or ""
    else:
        comments = re.findall(r"^(?://|/\*+| \*) ?(.*)$", text, re.MULTILINE)
        said = " ".join(line.removesuffix("*/") for line in comments if "@ts-check" not in line)
    return re.split(r"\.(?=\s|$)|\n\n", said.strip(), maxsplit=1)[0].replace("\n", " ")


def lines(folder: Path, depth: int = 0) -> Iterator[str]:
    """One entry for a folder and for each module in it, folders last."""
    opening = folder / "__init__.py"
    yield entry(f"{folder.name}/", first_sentence(opening) if opening.exists() else "", depth)
    children = sorted(folder.iterdir())
    for file in children:
        if file.suffix in SUFFIXES and file.name != "__init__.py":
            yield entry(file.name, first_sentence(file), depth + 1)
    for child in children:
        if child.is_dir() and any(file.suffix in SUFFIXES for file in child.rglob("*")) and child.name != "__pycache__":
            yield from lines(child, depth + 1)


def entry(name: str, said: str, depth: int) -> str:
    """The name and, beside it, the whole sentence, on as many lines as it takes."""
    first, *more = wrap(said, WIDTH, break_long_words=False, break_on_hyphens=False) or [""]
    return "\n".join([f"{'  ' * depth + name:<{COLUMN}}{first}".rstrip(), *(" " * COLUMN + rest for rest in more)])


def tree() -> str:
    """The app's modules, as they stand in the document."""
    app = entry("app.py", first_sentence(ROOT / "app.py"), 0)
    return "\n".join([app, *lines(ROOT / "pages"), *lines(ROOT / "bnviz")]) + "\n"


def document() -> str:
    """ARCHITECTURE.md with the tree of now."""
    return PLACE.sub(lambda _: tree(), DOCUMENT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")

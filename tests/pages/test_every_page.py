"""Every page there is, opened without a browser: a new file in pages/ is among them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bnviz.ui.web import server
from tests.opening import APP, ROOT, page

PAGES = sorted((ROOT / "pages").glob("*.py"))
CONTROLS = ("button", "button_group", "number_input", "selectbox", "slider", "toggle")


@dataclass(frozen=True)
class Entry:
    """A page in the navigation of app.py; the default one is what an address without a path shows."""

    title: str
    default: bool = False


def navigation() -> dict[str, Entry]:
    """File -> entry, read from the source: to run it is to open a page."""
    found = {}
    for node in ast.walk(ast.parse(APP.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "st.Page":
            options = {option.arg: ast.literal_eval(option.value) for option in node.keywords if option.arg}
            found[ast.literal_eval(node.args[0])] = Entry(options["title"], options.get("default", False))
    return found


NAVIGATION = navigation()


@pytest.fixture(scope="module", autouse=True)
def _engine_ends_with_the_tests() -> Iterator[None]:
    yield
    server.stop()


def test_the_navigation_leads_to_every_page_and_to_no_other() -> None:
    assert set(NAVIGATION) == {f"pages/{script.name}" for script in PAGES}
    assert sum(entry.default for entry in NAVIGATION.values()) == 1


@pytest.mark.parametrize("script", PAGES, ids=lambda script: script.stem)
def test_a_page_opens_with_its_title_and_controls_that_say_what_they_do(script: Path) -> None:
    app, entry = page(script), NAVIGATION[f"pages/{script.name}"]
    (title,) = [title.value for title in app.title]
    assert entry.default or title == entry.title
    controls = [control for kind in CONTROLS for control in app.get(kind)]
    assert controls
    assert all(control.label for control in controls)
    assert [message.value for message in (*app.error, *app.warning)] == []

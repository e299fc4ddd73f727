"""Every page there is, opened without a browser: a new file in pages/ is among them."""

import ast
from pathlib import Path

import pytest

from tests.opening import APP, ROOT, page

PAGES = sorted((ROOT / "pages").glob("*.py"))
CONTROLS = ("button", "button_group", "number_input", "selectbox", "slider", "toggle")


def navigation() -> list[str]:
    """The files that st.Page is called with, read from the source: to run it is to open a page."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in (APP, *(ROOT / "bnviz" / "ui").rglob("*.py"))]
    calls = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [ast.literal_eval(call.args[0]) for call in calls if ast.unparse(call.func) == "st.Page"]


def test_the_navigation_leads_to_every_page_and_to_no_other() -> None:
    assert sorted(navigation()) == [f"pages/{script.name}" for script in PAGES]


@pytest.mark.parametrize("script", PAGES, ids=lambda script: script.stem)
def test_a_page_opens_with_a_title_and_controls_that_say_what_they_do(script: Path) -> None:
    app = page(script)
    (title,) = [title.value for title in app.title]
    assert title
    controls = [control for kind in CONTROLS for control in app.get(kind)]
    # From the story on lead links, which a browser test follows; runs are kept in the tests of their own pages alone.
    assert controls or script.stem in ("story", "runs", "your_networks")
    assert all(control.label for control in controls)
    assert [message.value for message in (*app.error, *app.warning)] == []

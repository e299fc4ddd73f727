"""The addresses of the chapters: served by the app's own server, known to Streamlit's navigation."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from bnviz.experiment.story import CHAPTERS
from bnviz.ui.sections.story.pages import ChapterPage
from bnviz.ui.web import page_html
from bnviz.ui.web.page_html import _page, _page_of_a_chapter, serve_chapter
from bnviz.ui.web.scripts import script_url
from bnviz.ui.web.server import routes
from tests.running import answered

UI = Path(page_html.__file__).parents[1]


def served(chapter: str) -> Response:
    scope = {"type": "http", "method": "GET", "headers": [], "query_string": b"", "path_params": {"chapter": chapter}}
    return answered(serve_chapter(Request(scope)))


@pytest.mark.parametrize("number", [0, 13])
def test_a_chapter_is_streamlits_page_with_its_files_one_folder_up(number: int) -> None:
    answer = served(str(number))
    html = bytes(answer.body).decode()
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    files = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert len(files) > 3
    assert all(file.startswith(("../", "/bnviz/")) for file in files)
    assert html.index("BACKEND_BASE_URL") < html.index('src="../static')


@pytest.mark.parametrize("chapter", ["14", "-1", "01", "x", "1e0"])
def test_a_chapter_that_there_is_not_leads_to_the_first_page(chapter: str) -> None:
    answer = served(chapter)
    assert (answer.status_code, answer.headers["location"]) == (303, "../story")


@pytest.mark.parametrize(("base", "path"), [("", "/story/{chapter}"), ("lab/one", "/lab/one/story/{chapter}")])
def test_routes_are_below_the_path_that_the_app_lives_at(base: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlit.get_option", lambda _: base)
    assert path in [route.path for route in routes()]  # type: ignore[attr-defined]


def test_the_navigation_knows_a_chapter_by_its_address() -> None:
    assert ChapterPage(CHAPTERS[3]).url_path == "story/3"


@pytest.mark.parametrize("served", [_page, _page_of_a_chapter])
def test_the_styles_of_all_pages_and_of_components_are_in_the_page_itself(served: Callable[[], str]) -> None:
    head = served().partition("</head>")[0]
    for sheet in (UI / "page.css", *(UI / "components").glob("*.css")):
        assert sheet.read_text() in head, sheet
    assert served().count("</head>") == 1


@pytest.mark.parametrize("served", [_page, _page_of_a_chapter])
def test_the_scripts_of_charts_and_all_that_they_import_are_loaded_with_the_page(served: Callable[[], str]) -> None:
    early = re.findall(r'<link rel="modulepreload" href="(/bnviz/[^"]*)">', served())
    assert {script_url("live_chart"), script_url("chart/chart"), script_url("chart/marks/values")} <= set(early)
    assert len(early) == len(set(early))
    assert f'<link rel="prefetch" as="script" href="{script_url("plotly")}">' in served()


def test_no_rule_of_all_pages_asks_what_stands_below_an_element() -> None:
    """`:has()` has the browser look through the page at each change of it, and charts change all the time."""
    assert ":has(" not in _page().partition("</head>")[0]

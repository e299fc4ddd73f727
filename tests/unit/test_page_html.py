"""The addresses of the chapters: served by the app's own server, known to Streamlit's navigation."""

import re

import pytest
from starlette.requests import Request
from starlette.responses import Response

from bnviz.experiment.story import CHAPTERS
from bnviz.ui.sections.story.pages import ChapterPage
from bnviz.ui.web.page_html import _page, _page_of_a_chapter, serve_chapter
from bnviz.ui.web.server import routes
from tests.running import answered


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
    assert all(file.startswith("../") for file in files)
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


def test_the_style_of_all_pages_is_in_the_page_itself_before_its_script_runs() -> None:
    for served in (_page(), _page_of_a_chapter()):
        head = served.partition("</head>")[0]
        assert ".block-container" in head
        assert served.count("</head>") == 1

"""Streamlit's page as this server gives it: with the style sheets of all pages, and also at the address of a chapter.

The style sheets stand in the page itself, because one that comes with the first run of the script comes after the first
paint, and moves everything. The scripts of its widgets and of our components are loaded with the page, not one after
the other when the first of a kind comes and takes more room than was kept for it. Streamlit's side in the browser is
told where its server is: else it asks below the page's own address first, and is refused. Streamlit serves addresses of
one part alone; at /story/3 its HTML looks for its scripts, and for the server, one folder up.
"""

from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from streamlit.file_util import get_static_dir

from bnviz.experiment.story import CHAPTERS
from bnviz.ui.web.headers import page_policy
from bnviz.ui.web.scripts import script_url, soon_needed, with_imports

_UI = Path(__file__).parents[1]
_NUMBERS = {str(chapter.number) for chapter in CHAPTERS}
_SERVER = """<script>
      const home = new URL("./", location.href).href;
      window.__streamlit = { BACKEND_BASE_URL: home, MAIN_PAGE_BASE_URL: home };
    </script>
    <script"""
_WIDGETS = ("BidiComponent", "Button", "ButtonGroup", "Checkbox", "Html", "NumberInput", "Radio", "Selectbox", "Slider")
_FRESH = {"Cache-Control": "no-cache"}


@cache
def _page() -> str:
    html = (Path(get_static_dir()) / "index.html").read_text(encoding="utf-8")
    early = "".join(
        f'<link rel="modulepreload" crossorigin href="./static/js/{name}">\n    '
        for name in _scripts_of_widgets()
        if f"/{name}" not in html
    )
    ours = "".join(f'<link rel="modulepreload" href="{address}">\n    ' for address in soon_needed())
    plotly = f'<link rel="prefetch" as="script" href="{script_url("plotly")}">\n    '
    sheets = [*sorted((_UI / "components").glob("*.css")), _UI / "page.css"]  # what a page says of a component holds
    style = f"<style>\n{''.join(sheet.read_text(encoding='utf-8') for sheet in sheets)}</style>"
    html = html.replace("<script", _SERVER, 1)
    return html.replace("</head>", f"{early}{ours}{plotly}{style}\n  </head>", 1)


def _scripts_of_widgets() -> list[str]:
    """Names of Streamlit's own scripts that most pages need, and of those that these import."""
    folder = Path(get_static_dir()) / "static" / "js"
    return with_imports(folder, [path.name for widget in _WIDGETS for path in folder.glob(f"{widget}.*.js")])


@cache
def _page_of_a_chapter() -> str:
    return _page().replace('="./', '="../').replace('"./"', '"../"', 1)


@cache
def _headers(html: str, embedded: bool) -> dict[str, str]:
    return _FRESH | page_policy(html, embedded=embedded)


def _answer(html: str, request: Request) -> Response:
    return HTMLResponse(html, headers=_headers(html, request.query_params.get("embed", "").lower() == "true"))


async def serve_page(request: Request) -> Response:
    """GET / or /sweep: the page, whose script is told which one it is by its address."""
    return _answer(_page(), request)


async def serve_chapter(request: Request) -> Response:
    """GET /story/{chapter}: the page of a chapter; of one that there is not, the story's first page."""
    if request.path_params["chapter"] not in _NUMBERS:
        return RedirectResponse("../story", status_code=303)
    return _answer(_page_of_a_chapter(), request)

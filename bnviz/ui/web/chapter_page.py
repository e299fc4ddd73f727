"""Streamlit's page at the address of a chapter, /story/3: Streamlit itself serves addresses of one part alone.

Its HTML looks for its scripts, and for the server, in the folder that the address is in; here that is one up.
"""

from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from streamlit.file_util import get_static_dir

from bnviz.experiment.story import CHAPTERS

_NUMBERS = {str(chapter.number) for chapter in CHAPTERS}
_SERVER = """<script>
      const up = new URL("..", location.href).href;
      window.__streamlit = { BACKEND_BASE_URL: up, MAIN_PAGE_BASE_URL: up };
    </script>
    <script"""


@cache
def _html() -> str:
    html = (Path(get_static_dir()) / "index.html").read_text(encoding="utf-8")
    return html.replace('="./', '="../').replace("<script", _SERVER, 1)


async def serve_chapter(request: Request) -> Response:
    """GET /story/{chapter}: the page of a chapter; of one that there is not, the story's first page."""
    if request.path_params["chapter"] not in _NUMBERS:
        return RedirectResponse("../story", status_code=303)
    return HTMLResponse(_html(), headers={"Cache-Control": "no-cache"})

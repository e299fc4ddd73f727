"""Addresses of this server, and the scripts that it serves there: those of our components, and Plotly's."""

import hashlib
import posixpath
import re
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import FileResponse, Response

_COMPONENTS = Path(__file__).parents[1] / "components"
_IMPORTED = re.compile(r'(?:from|import) ?"(\.[^"]+\.js)"')
# What nearly every page needs. Loaded when it is first asked for, each import would wait for the one before it.
_SOON = ("messages", "skip_links", "browser_ids", "feed_reader", "live_chart", "scrubber")


def page_url(path: str) -> str:
    """Return the address of a page on this server: '/story/3', or '/lab/story/3' if the app lives below '/lab'."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}/{path}" if base else f"/{path}"


def own_url(path: str) -> str:
    """Return the address of something of ours beside Streamlit's pages."""
    return page_url(f"bnviz/{path}")


def feed_url(token: str) -> str:
    """Return the address at which the browser asks for news."""
    return own_url(f"news/{token}")


def shortcut_url(token: str) -> str:
    """Return the address at which a slider that is being moved asks for figures."""
    return own_url(f"figures/{token}")


@cache
def _own() -> dict[str, Path]:
    """Return the scripts of the components by their paths below that folder."""
    return {path.relative_to(_COMPONENTS).as_posix(): path for path in sorted(_COMPONENTS.rglob("*.js"))}


@cache
def _served() -> dict[str, Path]:
    """Return the served files by their versioned paths, so that a browser may keep them for ever.

    Components import one another by relative paths, so one version stands for all of them.
    """
    content = hashlib.sha256()
    for name, script in _own().items():
        content.update(f"{name}\0".encode() + script.read_bytes())
    folder = f"scripts-{content.hexdigest()[:12]}"
    plotly = Path(str(files("plotly"))) / "package_data" / "plotly.min.js"
    own = {f"{folder}/{name}": script for name, script in _own().items()}
    return own | {f"plotly-{version('plotly')}.min.js": plotly}


def script_url(name: str) -> str:
    """Return where the browser finds 'plotly', or a script of the components by its path without the ending."""
    start, end = ("plotly-", ".js") if name == "plotly" else ("scripts-", f"/{name}.js")
    return own_url(next(served for served in _served() if served.startswith(start) and served.endswith(end)))


def soon_needed() -> list[str]:
    """Return the addresses of the scripts that nearly every page needs, and of those that these import."""
    names = with_imports(_COMPONENTS, [f"{name}.js" for name in _SOON])
    return [script_url(name.removesuffix(".js")) for name in names]


def with_imports(folder: Path, names: Iterable[str]) -> list[str]:
    """Return the names of scripts in a folder, and of those that they import."""
    found = list(names)
    for name in found:  # grows meanwhile
        imported = _IMPORTED.findall((folder / name).read_text(encoding="utf-8"))
        paths = (posixpath.normpath(posixpath.join(posixpath.dirname(name), each)) for each in imported)
        found += [each for each in dict.fromkeys(paths) if each not in found]
    return found


async def serve_script(request: Request) -> Response:
    """GET a script by its versioned path."""
    path = _served().get(request.path_params["path"])
    if path is None:
        return Response(status_code=404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
    return FileResponse(path, media_type="text/javascript", headers=headers)

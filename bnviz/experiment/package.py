"""The package itself: its version, and the files that a checkout has beside it and an installed bnviz in it."""

from pathlib import Path

VERSION = "0.1.0"
_PACKAGE = Path(__file__).parents[1]


def beside(path: str) -> Path:
    """Return where `app.py`, `pages` or another of these files is."""
    installed = _PACKAGE / "installed"  # setup.py puts them there
    return (installed if installed.is_dir() else _PACKAGE.parent) / path

"""Files that a checkout has beside the package, and an installed bnviz in it."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def beside(path: str) -> Path:
    """Return where `app.py`, `pages` or another of these files is."""
    installed = _PACKAGE / "installed"  # setup.py puts them there
    return (installed if installed.is_dir() else _PACKAGE.parent) / path

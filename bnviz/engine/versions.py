"""Which code a worker runs: only workers with the app's own versions may train, or results would silently differ."""

from functools import cache
from importlib.metadata import version

from bnviz import __version__

KEY = "bnviz"  # under which a worker tells its scheduler


@cache  # asked for at every look at the workers; reading a package's metadata takes milliseconds
def versions() -> dict[str, str]:
    """Return the versions of this process; a build such as +cpu or +cu128 is no difference."""
    return {"bnviz": __version__, "torch": version("torch").partition("+")[0]}


def why_refused(theirs: dict[str, str] | None) -> str:
    """Return what is wrong with a worker that told these versions; empty if nothing is."""
    if theirs is None:
        return "it was started without --preload bnviz.engine.worker"
    ours = versions()
    if ours == theirs:
        return ""
    has, wants = (", ".join(f"{name} {v.get(name, '?')}" for name in ours) for v in (theirs, ours))
    return f"it has {has}; this app has {wants}"

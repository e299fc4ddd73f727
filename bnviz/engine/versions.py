"""Which code a worker runs: only workers with the app's own versions may train, or results would silently differ."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

from bnviz.experiment.package import VERSION

LIVE_DEVICE = "cpu"  # that live runs train on, whatever BNVIZ_DEVICE says of sweeps
KEY = "bnviz"  # under which a worker tells its scheduler
TRAINS = ("data", "experiment", "nn", "records", "training")  # packages whose code decides what a network shows ...
TELLS = "wording.py"  # ... but for how its numbers are written


@cache  # asked for at every look at the workers; reading a package's metadata takes milliseconds
def versions() -> dict[str, str]:
    """Return the versions of this process; a build such as +cpu or +cu128 is no difference."""
    return {"bnviz": VERSION, "torch": version("torch").partition("+")[0]}


@cache
def made_by() -> str:
    """Return what decides the numbers of a network beside its settings: the versions, and the code that trains it."""
    root = Path(__file__).parents[1]
    code = hashlib.sha256()
    for folder in TRAINS:
        for path in sorted(path for path in (root / folder).rglob("*.py") if path.name != TELLS):
            code.update(f"{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes())
    return f"{versions()}, {code.hexdigest()}"


def why_refused(theirs: dict[str, str] | None) -> str:
    """Return what is wrong with a worker that told these versions; empty if nothing is."""
    if theirs is None:
        return "it was started without --preload bnviz.engine.worker"
    ours = versions()
    if ours == theirs:
        return ""
    has, wants = (", ".join(f"{name} {v.get(name, '?')}" for name in ours) for v in (theirs, ours))
    return f"it has {has}; this app has {wants}"

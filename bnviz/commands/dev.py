"""`make dev`: the app, started anew whenever its code is saved, on workers that stay.

A server that starts anew takes a second or two and is never a mixture of old and new modules, as one would be that
reloads them; an open page finds it again by itself, and its address still holds the experiment. What takes longer is
the workers' import of torch: only a change of code that they run ends them.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bnviz.engine.cluster import SCHEDULER, Engine

ROOT = Path(__file__).parents[2]
FILES_LOOK_EVERY = 0.3  # seconds
STOP_TIMEOUT = 10.0  # seconds a server has to close its runs
SUFFIXES = {".py", ".js", ".css"}
# What no worker imports; a test holds it against a process that imports all that they run.
_UNUSED = ("analysis", "commands", "export", "figures", "findings", "own_network", "store", "ui")
WEB_ONLY = ("app.py", "pages", *(f"bnviz/{name}" for name in _UNUSED))


def saved() -> dict[Path, int]:
    """Every source file of the app -> when it was saved, in nanoseconds."""
    sources = [ROOT / "app.py", *(ROOT / "pages").rglob("*"), *(ROOT / "bnviz").rglob("*")]
    return {file: file.stat().st_mtime_ns for file in sources if file.suffix in SUFFIXES}


def changes() -> Iterator[set[Path]]:
    """Wait for saved, new and removed files, time and again; they are given relative to the root."""
    before = saved()
    while True:
        time.sleep(FILES_LOOK_EVERY)
        now = saved()
        if before != now:
            yield {file.relative_to(ROOT) for file, _ in before.items() ^ now.items()}
            before = now


def is_run_by_workers(file: Path) -> bool:
    """Return whether a saved file, relative to the root, may be imported by the workers, which must then start anew."""
    return not any(file.is_relative_to(place) for place in WEB_ONLY)


def start(engine: Engine, options: list[str]) -> subprocess.Popen[bytes]:
    """Start a web server on the workers of an engine; `options` are those of `streamlit run`."""
    address = engine.client.scheduler_info()["address"]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", *options]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | {SCHEDULER: address})


def stop(server: subprocess.Popen[bytes]) -> None:
    """End a web server: ask it to, and kill it if it has not ended after STOP_TIMEOUT seconds."""
    server.terminate()
    try:
        server.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def main(options: list[str]) -> None:
    """Serve the app until Ctrl-C or SIGTERM, anew after each save; `options` are those of `streamlit run`."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else it would leave its server behind
    engine = Engine()
    server = start(engine, options)
    try:
        for changed in changes():
            stop(server)
            if any(is_run_by_workers(file) for file in changed):
                engine.close()
                engine = Engine()
            print("saved:", *sorted(map(str, changed)), flush=True)
            server = start(engine, options)
    except KeyboardInterrupt:
        pass  # Ctrl-C is how it ends
    finally:
        stop(server)
        engine.close()


if __name__ == "__main__":
    main(sys.argv[1:])

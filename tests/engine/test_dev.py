"""`make dev`: what is saved is seen at once, and the workers stay unless they run it."""

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bnviz.commands.dev import WEB_ONLY
from tests.running import wait_until

ROOT = Path(__file__).parents[2]
MODULES_OF_A_WORKER = """
import importlib, pkgutil, sys, bnviz.engine.worker
for package in ("bnviz.engine.in_worker", "bnviz.training", "bnviz.nn"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        importlib.import_module(module.name)
print(*(module.__file__ for name, module in sys.modules.items() if name.startswith("bnviz")), sep="\\n")
"""


class Dev:
    """`make dev` in a copy of the app."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("bnviz", "pages", ".streamlit"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "app.py", folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        options = ["--server.port", str(self._port), "--server.address", "127.0.0.1", "--server.headless", "true"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bnviz.commands.dev", *options],
            cwd=folder,
            env=os.environ | {"BNVIZ_DATA_DIR": str(folder / "data")},
        )

    def _children(self, mark: str) -> set[int]:
        return {
            child.pid
            for child in psutil.Process(self.process.pid).children(recursive=True)
            if child.is_running() and mark in " ".join(child.cmdline())
        }

    def server(self) -> int | None:
        """Process id of a server that answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/_stcore/health", timeout=2) as answer:
                assert answer.read() == b"ok"
            (pid,) = self._children("streamlit")
        except (OSError, ValueError, psutil.NoSuchProcess):  # not yet, or just now not any more
            return None
        return pid

    def workers(self) -> set[int]:
        try:
            return self._children("spawn_main")
        except psutil.NoSuchProcess:
            return set()

    def save(self, file: str) -> None:
        with (self.folder / file).open("a") as source:
            source.write("\n")


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    running = Dev(tmp_path)
    yield running
    running.process.terminate()
    running.process.wait()


@pytest.mark.slow
def test_a_saved_page_starts_the_server_anew_and_a_saved_layer_the_workers_too(dev: Dev) -> None:
    wait_until(lambda: dev.server() and len(dev.workers()) == 2, "the app")
    first, workers = dev.server(), dev.workers()
    dev.save("pages/results.py")
    wait_until(lambda: dev.server() not in (None, first), "another server")
    assert dev.workers() == workers
    second = dev.server()
    dev.save("bnviz/nn/layers.py")
    wait_until(lambda: dev.server() not in (None, second), "a third server")
    wait_until(lambda: len(dev.workers()) == 2, "other workers")
    assert not dev.workers() & workers


def test_workers_run_every_folder_but_those_that_leave_them_running() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MODULES_OF_A_WORKER], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = [Path(line).relative_to(ROOT) for line in done.stdout.splitlines()]
    assert Path("bnviz/training/trainer.py") in files
    folders = {init.parent.relative_to(ROOT) for init in (ROOT / "bnviz").glob("*/__init__.py")}
    unused = {folder for folder in folders if not any(file.is_relative_to(folder) for file in files)}
    assert {Path(place) for place in WEB_ONLY} == unused | {Path("app.py"), Path("pages")}

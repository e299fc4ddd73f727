"""What an installed bnviz consists of, and that it serves the app from anywhere."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen
from zipfile import ZipFile

import pytest

from tests.running import wait_until

ROOT = Path(__file__).parents[2]
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "pages").glob("*.py"))
BESIDE = ["app.py", *PAGES, ".streamlit/config.toml", "docs/results.json"]
ENDINGS = ("*.py", "*.js", "*.css", "*.gz")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, since setuptools writes beside what it packs. setuptools comes with torch."""
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(ROOT / "bnviz", source / "bnviz", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "requirements.txt", "LICENSE", *BESIDE):
        (source / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    build = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, "dist"], cwd=source, check=True, capture_output=True, text=True)
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_wheel_has_every_file_that_the_app_needs(wheel: Path, ending: str) -> None:
    expected = {path.relative_to(ROOT).as_posix() for path in (ROOT / "bnviz").rglob(ending)}
    assert expected
    assert expected <= set(ZipFile(wheel).namelist())


def test_a_wheel_has_what_a_checkout_has_beside_the_package(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    assert {f"bnviz/installed/{name}" for name in BESIDE} <= set(names)
    assert not [name for name in names if name.startswith(("pages/", "tests/", "benchmarks/")) or name == "app.py"]


@pytest.mark.slow
def test_an_installed_bnviz_serves_the_app_and_its_pages_from_anywhere(wheel: Path, tmp_path: Path) -> None:
    installed, folder = tmp_path / "installed", tmp_path / "somewhere"
    ZipFile(wheel).extractall(installed)  # what pip does with a wheel of pure Python
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": str(installed), "HOME": str(folder), "BNVIZ_RUNS": "off"}
    environment.pop("BNVIZ_SCHEDULER", None)
    command = [sys.executable, "-m", "bnviz", "app", "--address", "127.0.0.1", "--port", str(port)]
    log = folder / "log"
    with log.open("w") as out, subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out) as server:
        try:

            def get(path: str) -> tuple[int, str]:
                try:
                    with urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10) as answer:
                        return answer.status, answer.read().decode()
                except URLError as error:
                    return getattr(error, "code", 0), ""

            wait_until(lambda: server.poll() is not None or get("bnviz/health")[0] == 200, "the app and its workers")
            assert server.poll() is None, log.read_text()
            assert "<style>" in get("sweep")[1]  # a page of pages/, as our own route gives it
            assert "Traceback" not in log.read_text()
        finally:
            server.terminate()
            server.wait(30)


@pytest.mark.parametrize("file", ["requirements.lock", "requirements-dev.lock", "requirements-torch.lock"])
def test_a_lock_names_neither_a_host_nor_a_folder(file: str) -> None:
    assert not re.search(r"https?:|file:|index-url|find-links|/\w+/", (ROOT / file).read_text())


def locked(file: str) -> dict[str, set[str]]:
    """Versions by name; every package has a hash."""
    found: dict[str, set[str]] = {}
    for block in re.split(r"\n(?=\S)", (ROOT / file).read_text()):
        if not block.startswith("#"):
            assert "--hash=sha256:" in block, block
            name, version = block.split()[0].split("==")
            found.setdefault(name, set()).add(version)
    return found


@pytest.mark.parametrize(
    ("wanted", "file"), [("requirements.txt", "requirements.lock"), ("requirements-dev.txt", "requirements-dev.lock")]
)
def test_what_is_pinned_is_locked(wanted: str, file: str) -> None:
    known, of_torch = locked(file), locked("requirements-torch.lock")
    for line in (ROOT / wanted).read_text().splitlines():
        if line and not line.startswith(("#", "-r")):
            name, version = re.sub(r"\[.*\]", "", line).split("==")
            assert version in (known | of_torch)[name.lower().replace("_", "-")], line


def test_the_locks_of_the_app_and_of_its_tests_agree() -> None:
    app, tests = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {name: tests[name] for name in app} == app
    assert not locked("requirements-torch.lock").keys() & tests.keys()

"""What an installed bnviz consists of."""

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
ENDINGS = ("*.py", "*.js", "*.css", "*.npz")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, since setuptools writes beside what it packs. setuptools comes with torch."""
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(ROOT / "bnviz", source / "bnviz", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.txt", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, "dist"], cwd=source, check=True, capture_output=True, text=True)
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_wheel_has_every_file_that_the_app_needs(wheel: Path, ending: str) -> None:
    expected = {path.relative_to(ROOT).as_posix() for path in (ROOT / "bnviz").rglob(ending)}
    assert expected
    assert expected <= set(ZipFile(wheel).namelist())

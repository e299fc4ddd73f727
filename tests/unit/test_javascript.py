"""The scripts of the components, without a browser: node runs the tests beside this file in `javascript/`."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = sorted((Path(__file__).parent / "javascript").glob("*.test.js"))
SCRIPTS = sorted((ROOT / "bnviz" / "ui").rglob("*.js"))


@pytest.fixture(scope="module")
def node() -> str:
    if path := shutil.which("node"):
        return path
    if os.environ.get("BNVIZ_REQUIRE_BROWSER"):
        pytest.fail("no node found, and BNVIZ_REQUIRE_BROWSER is set")
    pytest.skip("no node found, so JavaScript is not tested: install the package nodejs")


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_scripts_do_what_their_tests_say(path: Path, node: str) -> None:
    done = subprocess.run([node, "--test", str(path)], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_asks_editors_to_check_its_types(script: Path) -> None:
    assert script.read_text().startswith("// @ts-check\n")

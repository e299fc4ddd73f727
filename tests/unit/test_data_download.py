"""The download that the app starts: how far it is, and why it failed."""

import subprocess
import sys
from pathlib import Path

import pytest

from bnviz.ui.sections.data_set import _Download
from tests.running import wait_until

LINES = "print('1/4 train-images-idx3-ubyte.gz 0%'); print('2/4 train-labels-idx1-ubyte.gz 50%')"


def followed(script: str) -> _Download:
    """A download whose process is a script."""
    download = _Download("KMNIST")
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", script], stdout=pipe, stderr=pipe, text=True) as process:
        download._follow(process)
    return download


def test_it_is_as_far_as_its_process_says() -> None:
    download = followed(LINES)
    assert download.share == 0.375
    assert download.now == "train-labels-idx1-ubyte.gz, 2 of 4"
    assert (download.problem, download.running) == ("", False)


def test_it_fails_with_the_last_line_of_what_its_process_complains_of() -> None:
    script = f"import sys; {LINES}; sys.exit('a warning\\nbnviz data download: Could not download it.')"
    assert followed(script).problem == "Could not download it."
    assert followed("import sys; sys.exit(1)").problem == "The download ended early."


@pytest.mark.slow
def test_it_runs_in_a_process_of_its_own_and_tells_why_it_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BNVIZ_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("BNVIZ_DATA_MIRROR", "ftp://nowhere")
    download = _Download("KMNIST")
    download.start()
    download.start()  # the same one
    assert download.running
    wait_until(lambda: not download.running, "the download to end")
    assert download.problem == "A mirror must begin with http:// or https://, unlike 'ftp://nowhere'."

"""`python -m bnviz sweep` on real workers: what it writes, says, and how it ends when it is interrupted."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bnviz.__main__ import main
from bnviz.engine.cluster import Engine
from bnviz.experiment import sweep_addresses
from bnviz.experiment.config import NetworkConfig, TrainingConfig
from bnviz.experiment.sweep import Axis, Sweep

ROOT = Path(__file__).parents[2]
SWEEP = Sweep(
    (Axis("learning_rate", 0.01, 1.0, 8, "log"), Axis("width", choices=(8, 16))),
    training=TrainingConfig(steps=20),
    network=NetworkConfig(width=8),
)


def test_writes_the_table_that_the_page_exports(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from bnviz.__main__ import main

    monkeypatch.setenv("BNVIZ_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(Engine, "from_environment", lambda: engine)
    monkeypatch.setattr(engine, "close", lambda: None)
    (tmp_path / "sweep.json").write_text(sweep_addresses.to_json(SWEEP))
    assert main(["sweep", str(tmp_path / "sweep.json"), "--out", str(tmp_path / "results.parquet")]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "32 networks, 20 steps, MNIST" in captured.err
    table = pq.read_table(tmp_path / "results.parquet")
    assert table.num_rows == 32
    assert sweep_addresses.from_json(table.schema.metadata[b"bnviz_sweep"]) == SWEEP
    row = table.to_pylist()[-1]
    assert (row["learning_rate"], row["width"], row["batchnorm"], row["seed"]) == (1.0, 16, True, 0)
    assert len(row["train_losses"]) == row["steps"] == 20
    assert 0 < row["test_accuracy"] < 1


def test_that_can_train_nothing_says_why_and_leaves_an_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BNVIZ_DEVICE", "nonsense")
    (tmp_path / "sweep.json").write_text("{}")
    (tmp_path / "r.csv").write_text("precious")
    assert main(["sweep", str(tmp_path / "sweep.json"), "--out", str(tmp_path / "r.csv")]) == 1
    assert "bnviz sweep: The sweep stopped: BNVIZ_DEVICE=nonsense is not allowed" in capsys.readouterr().err
    assert (tmp_path / "r.csv").read_text() == "precious"


def test_ends_soon_and_in_good_order_when_a_terminal_interrupts_it(tmp_path: Path) -> None:
    """Ctrl-C reaches every process of the terminal's group; the workers leave it to their owner."""
    (tmp_path / "sweep.json").write_text('{"training": {"steps": 50000}}')
    command = [sys.executable, "-m", "bnviz", "sweep", "sweep.json", "--out", "r.csv"]
    where = {**os.environ, "PYTHONPATH": str(ROOT), "BNVIZ_DATA_DIR": str(tmp_path)}
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may ignore it
    with subprocess.Popen(
        command, cwd=tmp_path, env=where, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        signal.signal(signal.SIGINT, before)
        assert process.stderr is not None
        said: list[str] = []
        while not said or "network-steps/s" not in said[-1]:
            said.append(process.stderr.readline())
            assert said[-1], "".join(said)
        os.killpg(process.pid, signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(timeout=60) == 130
    assert "Traceback" not in rest
    assert "interrupted" in rest
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 41

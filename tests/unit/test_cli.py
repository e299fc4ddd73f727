"""The command line: its last line is JSON, bad input is one clear line and exit code 2."""

import json
import math
import runpy
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bnviz
from bnviz.__main__ import main
from bnviz.experiment.config import (
    BatchNormConfig,
    Experiment,
    NetworkConfig,
    TrainingConfig,
    Variant,
    to_dict,
    to_json,
)
from bnviz.experiment.settings import SHARED, VARIANT
from bnviz.records.frames import TRAINING_LOSS_STEPS
from bnviz.training.batches import Batches
from tests.builders import frames_of, losses_of

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def _nothing_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BNVIZ_DATA_DIR", str(tmp_path / "nothing"))


def command(words: str) -> int:
    return main(words.split())


def refused(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The last line on stderr of a command that must be refused."""
    try:
        code: object = main(list(arguments))
    except SystemExit as leaving:
        code = leaving.code
    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    return captured.err.splitlines()[-1]


def last_line(text: str) -> dict[str, Any]:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    found: dict[str, Any] = json.loads(text.splitlines()[-1], parse_constant=refuse)
    return found


class TestTrain:
    KEYS = frozenset(
        {"train_loss", "initial_loss", "test_loss", "test_accuracy", "saturated_fraction", "steps_per_second"}
    )

    def test_ends_with_a_line_of_json_and_success(self, tmp_path: Path) -> None:
        options = "--steps 40 --width 16 --hidden-layers 2 --init xavier_normal --batchnorm on --seed 3"
        done = subprocess.run(
            [sys.executable, "-m", "bnviz", "train", *options.split()],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")
        found = last_line(done.stdout)
        assert found.keys() >= self.KEYS
        assert found["initial_loss"] == pytest.approx(math.log(10), abs=0.6)
        assert found["train_loss"] < found["initial_loss"]
        assert 0 < found["test_loss"] < found["initial_loss"]
        assert 0.1 < found["test_accuracy"] <= 1
        assert len(found["saturated_fraction"]) == 2
        assert all(0 <= share <= 1 for share in found["saturated_fraction"])
        assert found["steps_per_second"] > 0
        assert found["data"] == "MNIST"
        assert len(done.stdout.splitlines()) == 11  # a line each tenth of the run before it

    def test_trains_the_network_that_the_options_describe(
        self, capsys: pytest.CaptureFixture[str], mnist: Batches
    ) -> None:
        options = (
            "--steps 20 --width 9 --hidden-layers 2 --activation relu --init he_normal --init-scale 0.5 "
            "--batchnorm on --bn-position after --bn-momentum 0.3 --bn-eps 1e-3 --bn-affine off "
            "--batch-size 16 --learning-rate 0.05 --schedule cosine --final-learning-rate 0 "
            "--momentum 0.5 --weight-decay 0.001 --standardize on --seed 4"
        )
        assert command(f"train {options}") == 0
        found = last_line(capsys.readouterr().out)
        training = TrainingConfig(
            batch_size=16,
            learning_rate=0.05,
            schedule="cosine",
            final_learning_rate=0.0,
            momentum=0.5,
            weight_decay=0.001,
            steps=20,
            standardize=True,
            seed=4,
        )
        network = NetworkConfig(2, 9, "relu", "he_normal", 0.5)
        experiment = Experiment(training, (Variant(network, BatchNormConfig(1e-3, 0.3, False, "after")),))
        frames = frames_of(experiment, mnist)
        losses = losses_of(frames, 0)
        assert found["initial_loss"] == losses[0]
        assert found["train_loss"] == pytest.approx(losses.mean())
        assert found["test_loss"] == frames[-1].variants[0].test_loss
        assert found["test_accuracy"] == frames[-1].variants[0].test_accuracy

    def test_takes_the_training_loss_over_the_last_100_steps(
        self, capsys: pytest.CaptureFixture[str], mnist: Batches
    ) -> None:
        assert command("train --steps 130 --width 4") == 0
        experiment = Experiment(TrainingConfig(steps=130), (Variant(NetworkConfig(width=4)),))
        losses = losses_of(frames_of(experiment, mnist), 0)
        assert TRAINING_LOSS_STEPS == 100
        assert last_line(capsys.readouterr().out)["train_loss"] == pytest.approx(np.mean(losses[30:]))

    def test_prints_nothing_but_the_json_where_that_is_asked_for(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert command("train --steps 5 --width 4 --json") == 0
        captured = capsys.readouterr()
        assert captured.out.count("\n") == 1
        assert last_line(captured.out).keys() >= self.KEYS

    def test_writes_the_folded_network_where_that_is_asked_for(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "new"
        assert command(f"train --steps 5 --width 4 --batchnorm on --fold {folder}") == 0
        folded = last_line(capsys.readouterr().out)["folded"]
        assert 0 <= folded["difference"] < 1e-4
        assert folded.keys() == {"difference", "largest_logit", "agree", "faster_1", "faster_256"}
        assert "NETWORK" in runpy.run_path(str(folder / "folded.py"))

    def test_tells_of_a_network_that_diverged_in_json_and_in_its_exit_code(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        options = "--hidden-layers 6 --width 32 --activation relu --init normal --init-scale 30 --learning-rate 10"
        assert command(f"train --steps 30 {options}") == 1
        found = last_line(capsys.readouterr().out)
        assert found["diverged"] is True
        assert found["train_loss"] is None
        assert found["steps"] < 30

    def test_offers_an_option_for_every_setting(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as leaving:
            main(["train", "--help"])
        words = capsys.readouterr().out
        assert leaving.value.code == 0
        for key in (*SHARED, *VARIANT):
            assert f"--{key.replace('_', '-')} " in words


class TestAnExperimentFile:
    EXPERIMENT = Experiment(
        TrainingConfig(steps=90, batch_size=16),  # a frame is kept every 6; the third network diverges before the first
        (
            Variant(NetworkConfig(width=6)),
            Variant(NetworkConfig(width=6), BatchNormConfig()),
            Variant(NetworkConfig(hidden_layers=6, width=32, activation="relu", init="normal", init_scale=30.0)),
        ),
    )

    def write(self, tmp_path: Path, document: object) -> str:
        path = tmp_path / "experiment.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        return str(path)

    def test_trains_all_its_networks(self, tmp_path: Path, capsys: pytest.CaptureFixture[str], mnist: Batches) -> None:
        two = Experiment(self.EXPERIMENT.training, self.EXPERIMENT.variants[:2])
        assert main(["train", "--experiment", self.write(tmp_path, to_json(two))]) == 0
        found = last_line(capsys.readouterr().out)
        assert found["variants"].keys() == {"A", "B"}
        frames = frames_of(two, mnist)
        for i, letter in enumerate("AB"):
            result = found["variants"][letter]
            assert result.keys() >= TestTrain.KEYS - {"steps_per_second"}
            assert result["initial_loss"] == losses_of(frames, i)[0]
            assert result["test_loss"] == frames[-1].variants[i].test_loss
        assert found["steps_per_second"] > 0

    def test_may_be_one_that_a_run_was_exported_to(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        two = Experiment(TrainingConfig(steps=2), self.EXPERIMENT.variants[:2])
        document = {"experiment": to_dict(two), "data": "MNIST", "markers": [], "variants": {}}
        assert main(["train", "--json", "--experiment", self.write(tmp_path, document)]) == 0
        assert last_line(capsys.readouterr().out)["variants"].keys() == {"A", "B"}

    def test_may_hold_a_network_that_diverges_beside_others(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["train", "--experiment", self.write(tmp_path, to_json(self.EXPERIMENT))]) == 1
        found = last_line(capsys.readouterr().out)["variants"]
        assert [found[letter]["diverged"] for letter in "ABC"] == [False, False, True]
        assert [found[letter]["steps"] for letter in "AB"] == [90, 90]
        assert found["C"]["steps"] < 6
        assert found["C"]["train_loss"] is None
        assert found["C"]["initial_loss"] > 100

    @pytest.mark.parametrize(
        ("document", "words"),
        [
            ({"training": {"steps": 0}}, "training.steps: '0' is not allowed; give a whole number from 1 to 100000"),
            ({"variants": [{"network": {"width": 10**9}}]}, "give a whole number from 1 to 512"),
            ({"training": {"batch_size": 1}}, "batch_size: batchnorm needs a batch size from 2 to 1024"),
            ("not json", "not a JSON document"),
            ("[]", "give a JSON object"),
        ],
        ids=["steps", "width", "batch of one", "not json", "list"],
    )
    def test_with_a_mistake_is_refused(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], document: object, words: str
    ) -> None:
        assert words in refused(["train", "--experiment", self.write(tmp_path, document)], capsys)

    @pytest.mark.parametrize("name", ["missing.json", "."])
    def test_that_cannot_be_read_is_refused(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
    ) -> None:
        assert refused(["train", "--experiment", str(tmp_path / name)], capsys).startswith("bnviz train: --experiment:")


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ("--width 0", "width: '0' is not allowed; give a whole number from 1 to 512"),
            ("--width x", "width: 'x' is not allowed; give a whole number from 1 to 512"),
            ("--learning-rate nan", "learning_rate: 'nan' is not allowed; give a number from 1e-05 to 10"),
            ("--learning-rate=-1e-3", "learning_rate: '-1e-3' is not allowed; give a number from 1e-05 to 10"),
            ("--init swish", "init: 'swish' is not allowed; give one of rand, rand_fan_in"),
            ("--batchnorm yes", "batchnorm: 'yes' is not allowed; give on or off"),
            ("--bn-momentum 2", "bn_momentum: '2' is not allowed; give a number from 0.001 to 1"),
            ("--batch-size 1 --batchnorm on", "batch_size: batchnorm needs a batch size from 2 to 1024"),
            ("--steps", "--steps: expected one argument"),
            ("--fold here", "--fold: give one network with batchnorm, as with --batchnorm on"),
            ("--fold here --batchnorm on --bn-inference batch", "give --bn-inference running or population"),
            (f"--fold {__file__} --batchnorm on", "--fold: [Errno 17] File exists"),
            ("--nonsense 1", "unrecognized arguments: --nonsense 1"),
        ],
        ids=str,
    )
    def test_is_refused_with_the_name_and_what_is_allowed(
        self, capsys: pytest.CaptureFixture[str], arguments: str, words: str
    ) -> None:
        assert words in refused(["train", *arguments.split()], capsys)

    def test_exits_with_2_and_trains_nothing(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "bnviz", "train", "--hidden-layers", "99"], cwd=ROOT, capture_output=True, text=True
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert "hidden_layers: '99' is not allowed; give a whole number from 1 to 20" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize("arguments", [[], ["nonsense"], ["data"], ["data", "nonsense"]], ids=str)
    def test_may_be_an_unknown_command(self, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert refused(arguments, capsys).startswith("bnviz")


class TestSweep:
    @pytest.mark.parametrize(
        ("definition", "out", "words"),
        [
            ({}, "results.xlsx", "--out: "),
            ({}, "nowhere/results.csv", "is no folder"),
            ({"seeds": 0}, "results.csv", "seeds: '0' is not allowed; give a whole number from 1 to 10"),
            (None, "results.csv", "No such file"),
        ],
    )
    def test_refuses_bad_input_in_one_line(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], definition: object, out: str, words: str
    ) -> None:
        if definition is not None:
            (tmp_path / "sweep.json").write_text(json.dumps(definition))
        assert main(["sweep", str(tmp_path / "sweep.json"), "--out", str(tmp_path / out)]) == 2
        captured = capsys.readouterr().err
        assert captured.startswith("bnviz sweep: ")
        assert words in captured
        assert captured.count("\n") == 1

    def test_says_that_no_scheduler_answers(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("BNVIZ_SCHEDULER", "tcp://127.0.0.1:1")
        monkeypatch.setattr("bnviz.engine.cluster.CONNECT_TIMEOUT", 0.5)
        (tmp_path / "sweep.json").write_text("{}")
        assert main(["sweep", str(tmp_path / "sweep.json"), "--out", str(tmp_path / "r.csv")]) == 1
        assert "BNVIZ_SCHEDULER=tcp://127.0.0.1:1" in capsys.readouterr().err


class TestData:
    def test_status_says_which_sets_there_are(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["data", "status"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines == [
            "MNIST: comes with bnviz, 60,000 training and 10,000 test digits",
            f"downloaded sets: {tmp_path / 'nothing'}",
            "  Fashion-MNIST: not downloaded",
            "  KMNIST: not downloaded",
        ]
        half = tmp_path / "nothing" / "KMNIST" / "raw" / "t10k-labels-idx1-ubyte.gz"
        half.parent.mkdir(parents=True)
        half.write_bytes(b"damaged")
        assert main(["data", "status"]) == 0
        assert "  KMNIST: train-images-idx3-ubyte.gz is missing" in capsys.readouterr().out

    def test_download_of_a_set_that_nobody_knows_is_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "invalid choice: 'CIFAR'" in refused(["data", "download", "CIFAR"], capsys)

    def test_download_that_fails_says_why_in_one_line(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("BNVIZ_DATA_MIRROR", "ftp://nowhere")
        assert main(["data", "download", "KMNIST"]) == 1
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1
        assert "must begin with http" in captured.err


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["--version"])
    assert leaving.value.code == 0
    assert capsys.readouterr().out == f"bnviz {bnviz.__version__}\n"

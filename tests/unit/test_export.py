"""A run as files: strict JSON, a CSV for any spreadsheet, and a plain PyTorch script that trains the same networks."""

import csv
import io
import json
import math
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bnviz.data import as_npz
from bnviz.experiment.addresses import read_json
from bnviz.experiment.choices import ACTIVATIONS, Activation, Architecture
from bnviz.experiment.config import (
    INITS,
    LETTERS,
    BatchNormConfig,
    Experiment,
    Init,
    NetworkConfig,
    NormalizerConfig,
    TrainingConfig,
    Variant,
    replace,
)
from bnviz.experiment.edits import Edit
from bnviz.export import run as export
from bnviz.export.script import DIGITS_FILES, to_script
from bnviz.nn.network import NetworkState
from bnviz.records.frames import BINS, PLACES
from bnviz.records.history import History, View
from bnviz.training.batches import Batches
from tests.builders import (
    experiments,
    frame,
    frames_of,
    history_of,
    layer_frame,
    losses_of,
    twins,
    variant_frame,
    variants,
    view_of,
)

ROOT = Path(__file__).parents[2]

DIVERGED = view_of(
    twins(steps=30),
    frame(variant_frame(0, next_loss=math.inf), variant_frame(0)),
    frame(
        variant_frame(2, [1e30, math.nan], test_loss=math.nan, test_accuracy=math.nan, diverged=True),
        variant_frame(2, [2.3, 2.2]),
        seconds=0.5,
    ),
    frame(variant_frame(2, diverged=True, test_loss=math.nan), variant_frame(3, [2.1]), seconds=0.7),
)


@pytest.fixture(scope="module")
def view(batches: Batches) -> View:
    """Of a real run, too short for anything to be averaged: 30 steps, and a kept frame every second one."""
    experiment = twins(steps=30)
    return history_of(experiment, frames_of(experiment, batches)).view()


def strict(text: str) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


class TestTheJsonFile:
    def test_gives_back_its_experiment(self, view: View) -> None:
        assert read_json(export.to_json(view)) == (view.experiment, [])

    def test_holds_the_curves_of_every_variant(self, view: View) -> None:
        document = strict(export.to_json(view))
        assert document.keys() == {"experiment", "markers", "variants"}
        for letter, history in zip("AB", view.variants, strict=True):
            training, test = (document["variants"][letter][group] for group in ("training", "test"))
            assert training["step"] == list(range(1, 31))
            assert training["train_loss"] == history.losses.tolist()
            assert test["step"] == list(range(0, 31, 2))
            assert test["test_loss"] == [f.test_loss for f in history.frames]
            assert test["test_accuracy"] == [f.test_accuracy for f in history.frames]
            for curve in (training, test):
                assert {len(values) for values in curve.values()} == {len(curve["step"])}
                assert curve["seconds"] == sorted(curve["seconds"])

    def test_is_strict_json_also_where_losses_are_no_numbers(self) -> None:
        curves = strict(export.to_json(DIVERGED))["variants"]["A"]
        assert curves["training"]["train_loss"] == [1e30, None]
        assert curves["test"]["test_loss"] == [1.0, None]

    def test_names_the_changes_that_kept_the_weights(self) -> None:
        history = History(twins())
        history.add(frame(variant_frame(7), variant_frame(7)))
        change = Edit(twins(), label="A: init normal")
        history.edit(change, frame(variant_frame(7), variant_frame(7), seconds=1.23456))
        document = strict(export.to_json(history.view()))
        assert document["markers"] == [{"label": "A: init normal", "step": {"A": 7, "B": 7}}]

    def test_of_a_run_that_has_not_begun_is_empty(self) -> None:
        document = strict(export.to_json(History(twins()).view()))
        assert document["variants"]["A"]["training"]["step"] == []

    @settings(max_examples=20)
    @given(experiments)
    def test_gives_back_every_experiment(self, experiment: Experiment) -> None:
        assert read_json(export.to_json(History(experiment).view())) == (experiment, [])


class TestWhatMayBeUploaded:
    LIMIT = 1e6 * tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["server"]["maxUploadSize"]

    def test_is_the_history_of_a_run_of_usual_length_with_the_most_networks(self) -> None:
        network = NetworkConfig(hidden_layers=20, width=128)
        experiment = Experiment(variants=(Variant(network, BatchNormConfig()),) * len(LETTERS))
        bins = np.random.default_rng(0).multinomial(256 * 128, np.full(BINS + 3, 1 / (BINS + 3))).astype(np.int32)
        layer = replace(layer_frame(128), histograms=dict.fromkeys(PLACES, bins))
        history, every = History(experiment), experiment.training.keep_every
        for step in range(0, experiment.training.steps + 1, every):
            losses = np.random.default_rng(step).random(every)
            history.add(frame(*[variant_frame(step, losses, layers=(layer,) * 20)] * len(LETTERS)))
        text = export.to_json(history.view())
        assert len(text) < self.LIMIT
        assert read_json(text) == (experiment, [])

    @settings(max_examples=20)
    @given(experiments)
    def test_is_every_experiment_by_itself(self, experiment: Experiment) -> None:
        text = export.experiment_to_json(History(experiment).view())
        assert len(text) < self.LIMIT / 100
        assert read_json(text) == (experiment, [])


class TestTheCsvFile:
    def test_has_a_row_for_every_point_of_every_variant(self, view: View) -> None:
        rows = rows_of(export.to_csv(view))
        assert list(rows[0]) == ["variant", "step", "seconds", "train_loss", "test_loss", "test_accuracy"]
        assert [(row["variant"], int(row["step"])) for row in rows] == [(v, s) for v in "AB" for s in range(31)]

    def test_has_training_losses_at_every_step_and_test_results_where_there_are_any(self, view: View) -> None:
        rows = [row for row in rows_of(export.to_csv(view)) if row["variant"] == "B"]
        history = view.variants[1]
        assert [float(row["train_loss"]) for row in rows[1:]] == history.losses.tolist()
        assert rows[0]["train_loss"] == ""
        tested = [row for row in rows if row["test_loss"]]
        assert [int(row["step"]) for row in tested] == [f.step for f in history.frames]
        assert [float(row["test_loss"]) for row in tested] == [f.test_loss for f in history.frames]
        assert [float(row["test_accuracy"]) for row in tested] == [f.test_accuracy for f in history.frames]

    def test_leaves_a_value_that_is_no_number_empty(self) -> None:
        rows = rows_of(export.to_csv(DIVERGED))
        assert [row["train_loss"] for row in rows if row["variant"] == "A"] == ["", "1e+30", ""]
        assert "nan" not in export.to_csv(DIVERGED).lower()

    def test_of_a_run_that_has_not_begun_is_its_header(self) -> None:
        assert export.to_csv(History(twins()).view()).count("\n") == 1


def loaded(experiment: Experiment) -> dict[str, Any]:
    """The names that the exported script defines, without its main part."""
    names: dict[str, Any] = {"__name__": "experiment"}
    exec(compile(to_script(experiment), "experiment.py", "exec"), names)
    return names


CAREFUL = NetworkConfig(hidden_layers=2, width=24, activation="relu", init="he_normal")
EVERYTHING = Experiment(
    TrainingConfig(
        steps=20,
        batch_size=50,
        learning_rate=0.05,
        momentum=0.8,
        weight_decay=0.01,
        schedule="cosine",
        standardize=True,
        seed=7,
    ),
    (
        Variant(CAREFUL, BatchNormConfig(position="after")),
        Variant(CAREFUL),
        Variant(CAREFUL, BatchNormConfig(affine=False, eps=1e-3, momentum=0.3)),
        Variant(NetworkConfig(width=9, activation="gelu", init="orthogonal", init_scale=0.5)),
    ),
)


OPTIONS = Experiment(
    TrainingConfig(steps=20, batch_size=50),
    (
        Variant(CAREFUL, BatchNormConfig(bessel=True, detach=True)),
        Variant(CAREFUL, BatchNormConfig(cumulative=True, running="std")),
        Variant(CAREFUL, BatchNormConfig(inference="population", position="after")),
        Variant(CAREFUL, BatchNormConfig(inference="batch")),
    ),
)


LENET = NetworkConfig(architecture="lenet", activation="sigmoid", init="xavier_uniform")
CONVOLUTIONS = Experiment(
    TrainingConfig(steps=20, momentum=0.5),
    (
        Variant(LENET),
        Variant(LENET, BatchNormConfig()),
        Variant(LENET, BatchNormConfig(bessel=True, position="after", inference="population")),
    ),
)


WIDE = NetworkConfig(architecture="cnn", activation="relu", init="he_normal")
NESTEROV = Experiment(
    TrainingConfig(
        steps=20, optimizer="nesterov", learning_rate=0.01, momentum=0.5, weight_decay=0.01, decayed="all", batch_size=8
    ),
    (Variant(WIDE), Variant(WIDE, BatchNormConfig())),
)
ADAM = Experiment(
    TrainingConfig(steps=20, optimizer="adam", learning_rate=0.001, momentum=0.9, weight_decay=0.01, decayed="all"),
    (Variant(CAREFUL), Variant(CAREFUL, BatchNormConfig())),
)
NORMALIZERS = Experiment(
    TrainingConfig(steps=20, learning_rate=0.02, momentum=0.5, weight_decay=0.01),
    (
        Variant(CAREFUL, normalizer=NormalizerConfig("layer", eps=1e-3)),
        Variant(CAREFUL, normalizer=NormalizerConfig("group", groups=4)),
        Variant(CAREFUL, normalizer=NormalizerConfig("rms", affine=False)),
        Variant(CAREFUL, normalizer=NormalizerConfig("weight")),
    ),
)
MAPS = Experiment(
    TrainingConfig(steps=20),
    (
        Variant(LENET, normalizer=NormalizerConfig("layer")),
        Variant(LENET, normalizer=NormalizerConfig("group")),
        Variant(LENET, normalizer=NormalizerConfig("instance", position="after")),
        Variant(LENET, normalizer=NormalizerConfig("rms")),
        Variant(LENET, normalizer=NormalizerConfig("weight", affine=False)),
    ),
)


@pytest.fixture(scope="module")
def sample_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("digits") / DIGITS_FILES["MNIST sample"]
    path.write_bytes(as_npz("MNIST sample"))
    return path


def run_script(experiment: Experiment, folder: Path, *arguments: str | Path) -> str:
    """What the exported script prints; `folder` is where it lies and runs."""
    script = folder / "experiment.py"
    on_sample = replace(experiment, training=replace(experiment.training, data="MNIST sample"))
    script.write_text(to_script(on_sample), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script, *arguments],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def printed_losses(output: str, letter: str) -> list[tuple[int, float]]:
    return [(int(n), float(loss)) for n, loss in re.findall(rf"^{letter} step (\d+) loss (\S+)$", output, re.MULTILINE)]


class TestTheScript:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        "experiment",
        [Experiment(TrainingConfig(steps=20)), EVERYTHING, OPTIONS, CONVOLUTIONS, NORMALIZERS, MAPS, NESTEROV, ADAM],
        ids=[
            "twins",
            "all",
            "batchnorm's options",
            "convolutions",
            "normalizers",
            "of maps",
            "wide and Nesterov",
            "Adam",
        ],
    )
    def test_run_by_itself_gives_the_losses_of_the_trainer(
        self, experiment: Experiment, batches: Batches, tmp_path: Path, sample_file: Path
    ) -> None:
        """Up to rounding: one network after the other in torch's own layers, not a stack."""
        output = run_script(experiment, tmp_path, sample_file)
        frames = frames_of(experiment, batches)
        for i, letter in enumerate(experiment.letters):
            lines = printed_losses(output, letter)
            assert [step for step, _ in lines] == list(range(1, 21))
            np.testing.assert_allclose([loss for _, loss in lines], losses_of(frames, i), rtol=1e-3, atol=1e-4)
            (tested,) = re.findall(rf"^{letter} test loss (\S+) accuracy (\S+)$", output, re.MULTILINE)
            assert float(tested[0]) == pytest.approx(frames[-1].variants[i].test_loss, rel=1e-3)
            assert float(tested[1]) == pytest.approx(frames[-1].variants[i].test_accuracy, abs=2e-3)

    @pytest.mark.slow
    def test_numbers_its_steps_as_the_csv_does(self, view: View, tmp_path: Path, sample_file: Path) -> None:
        output = run_script(view.experiment, tmp_path, sample_file)
        rows = [row for row in rows_of(export.to_csv(view)) if row["variant"] == "A" and row["train_loss"]]
        printed = printed_losses(output, "A")
        assert [step for step, _ in printed] == [int(row["step"]) for row in rows]
        np.testing.assert_allclose([loss for _, loss in printed], [float(row["train_loss"]) for row in rows], rtol=1e-4)

    @pytest.mark.slow
    def test_reads_the_digits_beside_it_without_torchvision_and_without_a_network(
        self, batches: Batches, tmp_path: Path
    ) -> None:
        experiment = Experiment(TrainingConfig(steps=1), (Variant(NetworkConfig(width=4)),))
        (tmp_path / DIGITS_FILES["MNIST sample"]).write_bytes(as_npz("MNIST sample"))
        (tmp_path / "torchvision.py").write_text("raise ImportError('not here')")  # found first
        ((step, loss),) = printed_losses(run_script(experiment, tmp_path), "A")
        assert step == 1
        assert loss == pytest.approx(losses_of(frames_of(experiment, batches), 0)[0], rel=1e-5)

    @pytest.mark.slow
    def test_begins_alike_and_parts_from_the_app_where_the_gradient_explodes(
        self, batches: Batches, tmp_path: Path, sample_file: Path
    ) -> None:
        """Five layers with weights N(0,1): what its docstring and the page say of rounding."""
        deep = NetworkConfig(hidden_layers=5, init="normal")
        experiment = Experiment(TrainingConfig(steps=20), (Variant(deep), Variant(deep, BatchNormConfig())))
        output = run_script(experiment, tmp_path, sample_file)
        frames = frames_of(experiment, batches)
        apart = [
            np.abs(np.array([loss for _, loss in printed_losses(output, letter)]) - losses_of(frames, i))
            for i, letter in enumerate("AB")
        ]
        assert frames[0].variants[0].gradient_norm[0] > 10 * frames[0].variants[0].gradient_norm[-1]
        assert apart[0][0] < 1e-4
        assert apart[0].max() > 0.1
        assert apart[1].max() < 1e-3

    def test_names_each_network_as_the_screen_does(self) -> None:
        network = NetworkConfig(init="rand", init_scale=0.01)
        text = to_script(Experiment(variants=(Variant(network), Variant(network, BatchNormConfig()))))
        assert "\nA: no batchnorm, U[0,1) × 0.01\nB: batchnorm, U[0,1) × 0.01\n" in text

    @pytest.mark.parametrize("init", INITS)
    @pytest.mark.parametrize("architecture", ["mlp", "lenet", "cnn"])
    def test_begins_with_the_trainers_weights(self, init: Init, architecture: Architecture) -> None:
        network = NetworkConfig(2, 7, init=init, init_scale=0.3, architecture=architecture)
        experiment = Experiment(TrainingConfig(seed=11), (Variant(network), Variant(network, BatchNormConfig())))
        script = loaded(experiment)
        for letter, variant in zip("AB", experiment.variants, strict=True):
            built = script["NETWORKS"][letter]()
            linears = [m for m in built if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)]
            state = NetworkState.fresh(variant, seed=11)
            for linear, weight, bias in zip(linears, state.weights, state.biases, strict=True):
                assert torch.equal(linear.weight.flatten(1).T, weight.value)
                assert linear.bias is not None
                assert torch.equal(linear.bias, bias.value[0])

    @settings(max_examples=20)
    @given(st.integers(0, 2**31 - 1), st.integers(1, 1024), st.integers(0, 3000))
    def test_takes_the_trainers_batches(self, batches: Batches, seed: int, size: int, step: int) -> None:
        script = loaded(Experiment(TrainingConfig(seed=seed, batch_size=size), (Variant(),)))
        index = script["batch_at"](step, 10_000)
        _, labels = batches.at(step, seed=seed, size=size, standardize=False)
        assert torch.equal(batches.train_labels[index], labels)

    @settings(max_examples=20)
    @given(experiments)
    def test_follows_the_learning_rate(self, experiment: Experiment) -> None:
        rate = loaded(experiment)["learning_rate"]
        for step in {0, 1, experiment.training.steps // 2, experiment.training.steps - 1}:
            assert rate(step) == pytest.approx(experiment.training.rate(step), rel=1e-12)

    @settings(max_examples=20)
    @given(variants)
    def test_builds_every_network(self, variant: Variant) -> None:
        small = replace(variant.network, hidden_layers=2)
        script = loaded(Experiment(TrainingConfig(), (replace(variant, network=small),)))
        assert script["NETWORKS"]["A"]()(torch.rand(4, 784)).shape == (4, 10)

    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_names_the_activation(self, activation: Activation) -> None:
        script = loaded(Experiment(variants=(Variant(NetworkConfig(width=3, activation=activation)),)))
        kinds = [type(m).__name__.lower() for m in script["NETWORKS"]["A"]()]
        assert kinds[1] == {"none": "identity", "leaky_relu": "leakyrelu"}.get(activation, activation)

    @pytest.mark.parametrize(
        ("data", "count", "torchvision"),
        [
            ("MNIST sample", "10000, 2000", "MNIST"),
            ("MNIST", "60000, 10000", "MNIST"),
            ("Fashion-MNIST", "60000, 10000", "FashionMNIST"),
            ("KMNIST", "60000, 10000", "KMNIST"),
        ],
    )
    def test_takes_the_digits_that_the_run_did(self, data: Any, count: str, torchvision: str) -> None:
        script = to_script(Experiment(TrainingConfig(data=data)))
        assert f"TRAIN_DIGITS, TEST_DIGITS = {count}\n" in script
        assert f"from torchvision.datasets import {torchvision}\n" in script
        assert DIGITS_FILES[data] in script

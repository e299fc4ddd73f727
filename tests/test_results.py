"""Reproduced claims: how they are measured, written and drawn."""

import json
import math
from pathlib import Path

import pytest

from bnviz import figures, results
from bnviz.__main__ import main
from bnviz.config import NetworkConfig, TrainingConfig
from bnviz.results import Chart, Claim, Line, Result, Results, Table
from bnviz.settings import from_query
from bnviz.training import reproduce as module
from bnviz.training.batches import Batches
from bnviz.training.reproduce import Bench, bias, reproduce, twins

CHART = Chart("Accuracy", "rate", "accuracy (%)", (Line("with batchnorm", (0.1, 1.0), (90.0, None), True),), log_x=True)
FOUND = Results(
    "MNIST sample",
    1,
    True,
    0.6,
    (
        Result(
            "rates",
            "High rates",
            "A setting.",
            (
                Claim("It helps", "A paper, figure 1", "3 with, 1 without", True, "3 times"),
                Claim("Not", "B", "0", False, "-1"),
            ),
            {"learning_rate": "1"},
            Table(("rate", "accuracy"), (("1", "90 %"),)),
            (CHART,),
        ),
    ),
)


@pytest.fixture
def bench(batches: Batches) -> Bench:
    return Bench(batches, (0, 1), True, lambda _: None)


def test_a_document_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text(results.to_json(FOUND), encoding="utf-8")
    assert results.read(file) == FOUND


def test_the_report_has_every_claim_with_its_verdict_and_every_table() -> None:
    text = results.to_markdown(FOUND)
    assert "| It helps | A paper, figure 1 | 3 with, 1 without | agrees: 3 times |" in text
    assert "| Not | B | 0 | **differs**: -1 |" in text
    assert "| 1 | 90 % |" in text
    assert "reproduce --quick" in text


def test_a_value_that_is_no_number_leaves_a_gap() -> None:
    figure = figures.results(CHART)
    assert figure["layout"]["xaxis"]["type"] == "log"
    assert len(figure["data"]) == 1


def test_every_seed_is_a_training_of_its_own_and_a_seed_gives_the_same_again(bench: Bench) -> None:
    training, variants = TrainingConfig(steps=20), twins(NetworkConfig(width=8))
    first, again = bench.train(training, variants), bench.train(training, variants)
    assert [len(outcomes) for outcomes in first] == [2, 2]
    assert first[0][0].train_loss != first[0][1].train_loss
    assert [o.train_loss for o in first[0]] == [o.train_loss for o in again[0]]
    assert first[0][0].initial_loss == pytest.approx(math.log(10), abs=1)


def test_a_bias_before_batchnorm_is_measured_to_do_nothing(bench: Bench) -> None:
    (claim,) = bias(bench).claims
    assert claim.agrees
    assert "differ by at most" in claim.measured


def test_the_command_writes_report_and_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "EXPERIMENTS", (bias,))
    assert main(["reproduce", "--quick", "--json", "--out", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [result["key"] for result in printed["results"]] == ["bias"]
    assert results.read(tmp_path / "results.json").seeds == 1
    assert "## A bias before batchnorm" in (tmp_path / "RESULTS.md").read_text(encoding="utf-8")


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--out", str(tmp_path / "nowhere")]) == 2
    assert "--out" in capsys.readouterr().err


def test_what_the_repository_shows_was_measured_on_the_full_set_and_opens_in_the_live_lab() -> None:
    shown = results.read()
    assert shown.data == "MNIST"
    assert not shown.quick
    for result in shown.results:
        assert result.claims
        assert from_query(result.experiment)[1] == []


@pytest.mark.full_mnist
@pytest.mark.slow
def test_every_claim_agrees_in_the_quick_form(full_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bnviz.data import load

    monkeypatch.setenv("BNVIZ_DATA_DIR", str(full_mnist))
    found = reproduce(Batches(load("MNIST")), quick=True, say=lambda _: None)
    assert [claim.text for result in found.results for claim in result.claims if not claim.agrees] == []

"""Reproduced claims: how they are measured, written and drawn."""

import json
import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnviz import figures
from bnviz.__main__ import main
from bnviz.experiment.addresses import from_query
from bnviz.experiment.config import NetworkConfig, TrainingConfig
from bnviz.figures.reproduction import chart_legend
from bnviz.figures.style import round_step
from bnviz.figures.svg import svg_chart
from bnviz.records import reproduction as results
from bnviz.records.reproduction import Chart, Line, Result
from bnviz.training.batches import Batches
from bnviz.training.reproduction import claims as module
from bnviz.training.reproduction import normalizers as of_normalizers
from bnviz.training.reproduction import published_networks
from bnviz.training.reproduction import trials as bench_module
from bnviz.training.reproduction.claims import bias, reproduce
from bnviz.training.reproduction.trials import Bench, Outcome, twins
from tests.builders import MADE_UP_CHART, MADE_UP_RESULTS, variant_frame


@pytest.fixture
def bench(batches: Batches) -> Bench:
    return Bench(batches, (0, 1), True, lambda _: None)


def test_a_document_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text(results.to_json(MADE_UP_RESULTS), encoding="utf-8")
    assert results.read_results(file) == MADE_UP_RESULTS


def test_the_report_has_every_claim_with_its_verdict_and_every_table() -> None:
    text = results.to_markdown(MADE_UP_RESULTS)
    assert "![Accuracy](figures/rates-1.svg)" in text
    assert "| It helps | A paper, figure 1 | 3 with, 1 without | agrees: 3 times |" in text
    assert "| Not | B | 0 | **differs**: -1 |" in text
    assert "| Perhaps | C | 2 ± 1 against 1 ± 1 | no clear difference: +1 |" in text
    assert "| 1 | 90 % |" in text
    assert "reproduce --quick` on MNIST, one seed, quick form with shorter runs, 1 minute. The" in text


def test_the_full_form_names_its_seeds() -> None:
    assert (
        replace(MADE_UP_RESULTS, seeds=3, quick=False, minutes=13).extent
        == "mean ± standard deviation of 3 seeds, 13 minutes"
    )


def outcomes(*accuracies: float, watched: tuple[float, ...] = ()) -> list[Outcome]:
    """One outcome per accuracy, each with frames of the watched accuracies, every 100 steps."""
    frames = tuple(variant_frame(100 * i, test_accuracy=value) for i, value in enumerate(watched))
    return [Outcome(2.3, 0.2, 0.9, 0.2, accuracy, frames) for accuracy in accuracies]


@pytest.mark.parametrize(
    ("these", "those", "verdict"),
    [
        ((0.958, 0.955, 0.952), (0.953, 0.951, 0.949), None),  # 95.5 ± 0.3 against 95.1 ± 0.2
        ((0.9601, 0.96, 0.9599), (0.951, 0.95, 0.949), True),
        ((0.951, 0.95, 0.949), (0.9601, 0.96, 0.9599), False),
        ((0.95, 0.95, 0.95), (0.95, 0.95, 0.95), None),
    ],
)
def test_a_difference_is_clear_only_beyond_what_the_seeds_bring_about(
    these: tuple[float, ...], those: tuple[float, ...], verdict: bool | None
) -> None:
    assert bench_module.clearly_higher(outcomes(*these), outcomes(*those), "test_accuracy") is verdict


def test_the_spread_over_the_seeds_is_the_samples_standard_deviation() -> None:
    assert bench_module.mean_and_spread(outcomes(0.94, 0.95, 0.96), "test_accuracy") == "95.0 ± 1.0%"
    assert bench_module.mean_and_spread(outcomes(0.94), "test_accuracy") == "94.0%"


def test_a_goal_is_reached_on_the_watched_digits_and_not_at_the_last_step() -> None:
    (outcome,) = outcomes(0.99, watched=(0.1, 0.5, 0.9, 0.8, 0.99))
    assert published_networks.reached(outcome, 0.5) == 100
    assert published_networks.reached(outcome, 0.9) == 200
    assert published_networks.reached(outcome, 0.95) is None


def test_a_goal_is_reached_though_float32_falls_short_of_it() -> None:
    nine_tenths = float(np.float32(0.9))
    assert nine_tenths < 0.9
    (outcome,) = outcomes(0.99, watched=(0.1, nine_tenths, 0.8, 0.8))
    assert published_networks.reached(outcome, 0.9) == 100


def test_speed_is_told_by_the_first_steps_of_both_at_the_same_accuracy() -> None:
    (result,) = (result for result in results.read_results().results if result.key == "sigmoid")
    claim = next(claim for claim in result.claims if claim.text == "It trains faster")
    without, normalized = ([y for y in line.y[:-1] if y is not None] for line in result.charts[0].lines)
    goal = max(without)
    slow, fast = (
        result.charts[0].lines[0].x[next(i for i, y in enumerate(side) if y >= goal)] for side in (without, normalized)
    )
    assert claim.measured == f"{goal:.1f}% after {fast:,.0f} steps with, {slow:,.0f} without"
    assert claim.by == f"{slow / fast:.1f} times as fast"


def test_a_value_that_is_no_number_leaves_a_gap() -> None:
    figure = figures.reproduction_chart(MADE_UP_CHART)
    assert figure["layout"]["xaxis"]["type"] == "log"
    assert len(figure["data"]) == 1
    assert bench_module.lines((1.0, 2.0), ((0.5, math.nan), (math.inf, 0.123456)))[1].y == (None, 0.12346)


class TestPictures:
    """The charts of the report, read back from their SVG."""

    @staticmethod
    def drawn(chart: Chart) -> tuple[list[str], list[str]]:
        """The texts, and the strokes of the curves."""
        root = ElementTree.fromstring(svg_chart(chart))
        name = "{http://www.w3.org/2000/svg}"
        strokes = [p.attrib["d"] for p in root.iter(f"{name}path") if "stroke-linecap" in p.attrib]
        return [text.text or "" for text in root.iter(f"{name}text")], strokes

    def test_have_the_words_of_the_chart_and_the_curves_of_the_page(self) -> None:
        chart = Chart("A & B", "step", "loss", bench_module.lines((0, 1000), ((1.0, 0.5), (0.0, 1.0))))
        texts, strokes = self.drawn(chart)
        assert {"A & B", "step", "loss", "without batchnorm", "with batchnorm", "1,000"} <= set(texts)
        starts = [[tuple(map(float, point.split())) for point in stroke[1:].split("L")] for stroke in strokes]
        (a, b), (c, d) = starts
        assert (a, d) == ((c[0], a[1]), (b[0], d[1]))  # both begin at step 0 and end at step 1,000
        assert a[1] == d[1] < b[1] < c[1]  # 1 stands above 0.5, above 0

    def test_leave_gaps_and_keep_a_lonely_point(self) -> None:
        y = (1.0, None, 2.0, 3.0, None)
        chart = Chart("", "x", "y", (Line("with batchnorm", (1, 10, 100, 1e3, 1e4), y, True),), log_x=True)
        texts, strokes = self.drawn(chart)
        assert {"1", "10", "100", "1,000", "10,000"} <= set(texts)
        assert [stroke.count("L") for stroke in strokes] == [0, 1]

    def test_of_every_result_of_the_repository_lie_beside_the_report(self) -> None:
        report = (results.RESULTS_FILE.parent / "RESULTS.md").read_text(encoding="utf-8")
        folder = results.RESULTS_FILE.parent / results.FIGURES_FOLDER
        expected = {name: chart for result in results.read_results().results for name, chart in result.pictures.items()}
        assert {file.name for file in folder.iterdir()} == set(expected)
        for name, chart in expected.items():
            assert f"({results.FIGURES_FOLDER}/{name})" in report
            assert (folder / name).read_text(encoding="utf-8") == svg_chart(chart)

    @given(st.floats(1e-6, 1e6), st.integers(2, 9))
    def test_have_no_more_ticks_than_there_is_room_for(self, span: float, most: int) -> None:
        step = round_step(span, most)
        assert span / most <= step * (1 + 1e-9)
        assert step <= 2.5 * span / most * (1 + 1e-9)


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


class TestBatchSizeAgainstNormalizer:
    @pytest.mark.slow
    def test_trains_every_normalizer_and_finds_two_modes_in_batchnorm_alone(self, batches: Batches) -> None:
        found = of_normalizers._trained(Bench(batches, (0,), True, lambda _: None), 8, digits=160)
        assert len(found) == len(of_normalizers.NAMES)
        for name, (ended,) in zip(of_normalizers.NAMES, found, strict=True):
            assert 0 < ended.error < 1
            assert (abs(ended.gap) > 1e-3) == (name == "batchnorm"), name

    @pytest.mark.parametrize("rises", [True, False])
    def test_claims_follow_from_the_errors(self, bench: Bench, monkeypatch: pytest.MonkeyPatch, rises: bool) -> None:
        def trained(_: Bench, size: int, digits: int) -> list[list[of_normalizers.Ended]]:
            of_batch = 0.04 + (0.4 / size if rises else 0)
            usual = [of_normalizers.Ended(0.05, 0.0)] * 2
            own = [of_normalizers.Ended(of_batch, 0.3 if rises else 0.0)] * 2
            return [own if name == "batchnorm" else usual for name in of_normalizers.NAMES]

        monkeypatch.setattr(of_normalizers, "_trained", trained)
        result = of_normalizers.normalizers(bench)
        assert [claim.agrees for claim in result.claims] == [rises] * 4
        assert result.table is not None
        assert {len(row) for row in result.table.rows} == {len(result.table.columns)}
        assert [row[0] for row in result.table.rows] == list(of_normalizers.NAMES)
        experiment, problems = from_query(result.experiment)
        assert (experiment.variants, problems) == (of_normalizers.VARIANTS[:6], [])

    def test_is_drawn_with_lines_that_colour_or_dash_tells_apart(self) -> None:
        (chart,) = [Chart("", "x", "y", of_normalizers._lines([[1.0] * len(of_normalizers.SIZES)] * 7), log_x=True)]
        shown = [(color, dash) for _, color, dash in chart_legend(chart)]
        assert len(set(shown)) == len(of_normalizers.NAMES)
        drawn = svg_chart(chart)
        assert all(f">{name}</text>" in drawn for name in of_normalizers.NAMES)
        assert drawn.count("stroke-dasharray") == 2 * sum(dash != "solid" for _, dash in shown)
        assert {trace["line"]["dash"] for trace in figures.reproduction_chart(chart)["data"]} == set(
            of_normalizers.DASHES
        )


def test_the_command_writes_report_and_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "EXPERIMENTS", (bias,))
    assert main(["reproduce", "--quick", "--json", "--out", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [result["key"] for result in printed["results"]] == ["bias"]
    assert results.read_results(tmp_path / "results.json").seeds == 1
    assert "## A bias before batchnorm" in (tmp_path / "RESULTS.md").read_text(encoding="utf-8")

    def rates(_: Bench) -> Result:
        return MADE_UP_RESULTS.results[0]

    monkeypatch.setattr(module, "EXPERIMENTS", (rates,))
    assert main(["reproduce", "--quick", "--out", str(tmp_path)]) == 0
    assert (
        "It helps (A paper, figure 1)\n    measured: 3 with, 1 without\n    agrees: 3 times\n"
        in capsys.readouterr().out
    )
    assert (tmp_path / "figures" / "rates-1.svg").read_text(encoding="utf-8") == svg_chart(MADE_UP_CHART)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--out", str(tmp_path / "nowhere")]) == 2
    assert "--out" in capsys.readouterr().err


def test_what_the_repository_shows_was_measured_on_the_full_set_and_opens_in_the_live_lab() -> None:
    shown = results.read_results()
    assert shown.data == "MNIST"
    assert not shown.quick
    for result in shown.results:
        assert result.claims
        assert from_query(result.experiment)[1] == []


@pytest.mark.slow
def test_no_claim_differs_in_the_quick_form(mnist: Batches) -> None:
    found = reproduce(mnist, quick=True, say=lambda _: None)
    assert [claim.text for result in found.results for claim in result.claims if claim.agrees is False] == []

"""What the page of sweeps draws; no torch, no browser."""

import math
from typing import Any

import numpy as np
import pytest

from bnviz.experiment.sweep import Axis, Sweep
from bnviz.export.sweep import from_parquet, rows, to_csv, to_parquet
from bnviz.figures import sweep_lines, sweep_map, sweep_normalizers, sweep_panels, sweep_place
from bnviz.figures.style import WITH, WITHOUT
from bnviz.records.sweep import SweepResults
from tests.builders import numbers

GRID = Sweep((Axis("learning_rate", choices=(0.1, 1.0)), Axis("init", choices=("rand", "normal", "zeros"))))
LINE = Sweep((Axis("init_scale", 1e-3, 1.0, 4, "log"),), seeds=2)


@pytest.fixture
def found() -> SweepResults:
    """Losses 1, 2, 4, 8 ... without batchnorm, a quarter of them with; the last network diverged."""
    results = SweepResults.nothing(GRID.count)
    losses = np.repeat(2.0 ** np.arange(6), 2) * np.tile([1, 0.25], 6)
    results.train_loss[:], results.test_accuracy[:] = losses, np.linspace(0.1, 0.9, 12)
    results.diverged[-1] = True
    return results


def test_cells_stand_where_their_labels_say(found: SweepResults) -> None:
    heat = sweep_map(GRID, found, "train_loss", "off")["data"][0]
    assert (heat["x"], heat["y"]) == (["0.1", "1"], ["U[0,1)", "N(0,1)", "zeros"])
    np.testing.assert_allclose(numbers(heat["customdata"]), [[1, 8], [2, 16], [4, 32]])
    np.testing.assert_allclose(numbers(heat["z"]), np.log10([[1, 8], [2, 16], [4, 32]]), rtol=1e-5)


def test_off_and_on_share_one_scale_and_the_gain_has_one_around_zero(found: SweepResults) -> None:
    off, on, gain = (sweep_map(GRID, found, "train_loss", panel)["layout"] for panel in sweep_panels(GRID))
    assert off["coloraxis"] == on["coloraxis"]
    assert (off["coloraxis"]["cmin"], off["coloraxis"]["cmax"]) == (math.log10(0.2), 1)
    assert gain["coloraxis"]["cmin"] == -gain["coloraxis"]["cmax"] == -2.5
    assert gain["meta"]["scale"] == "batchnorm"
    heat = sweep_map(GRID, found, "train_loss", "gain")["data"][0]
    np.testing.assert_allclose(numbers(heat["z"]), [[0.75, 6], [1.5, 12], [3, math.nan]])


def test_a_higher_accuracy_is_a_gain_in_percentage_points(found: SweepResults) -> None:
    heat = sweep_map(GRID, found, "test_accuracy", "gain")["data"][0]
    assert numbers(heat["customdata"])[0, 0] == pytest.approx(100 * 0.8 / 11)
    assert sweep_map(GRID, found, "test_accuracy", "on")["layout"]["coloraxis"]["cmax"] == 100


def test_a_cell_with_a_diverged_network_has_a_cross_and_no_colour(found: SweepResults) -> None:
    for panel, marked in (("off", []), ("on", ["zeros"]), ("gain", ["zeros"])):
        heat, crosses = sweep_map(GRID, found, "train_loss", panel)["data"]  # type: ignore[arg-type]
        assert crosses["y"] == marked
        assert np.isnan(numbers(heat["z"])).sum() == len(marked)
    assert "diverged: 1" in sweep_map(GRID, found, "train_loss", "on")["layout"]["meta"]["alt"]


def test_a_sweep_with_batchnorm_alone_has_one_map() -> None:
    assert sweep_panels(Sweep(GRID.axes, "on")) == ["on"]


@pytest.mark.parametrize("metric", ["train_loss", "test_loss", "test_accuracy"])
def test_nothing_is_known_before_it_starts(metric: Any) -> None:
    for panel in sweep_panels(GRID):
        assert np.isnan(numbers(sweep_map(GRID, SweepResults.nothing(GRID.count), metric, panel)["data"][0]["z"])).all()
    assert sweep_lines(LINE, SweepResults.nothing(LINE.count), metric)["layout"]["xaxis"]["type"] == "log"


def test_lines_are_means_in_a_band_over_the_seeds() -> None:
    results = SweepResults.nothing(LINE.count)
    results.train_loss[:] = np.tile([1, 3, 0.4, 0.6], 4)
    results.diverged[0] = True
    figure = sweep_lines(LINE, results, "train_loss")
    off, on = (next(t for t in figure["data"] if t["name"] == f"{word} batchnorm") for word in ("without", "with"))
    np.testing.assert_allclose(numbers(off["y"]), [3, 2, 2, 2])
    np.testing.assert_allclose(numbers(on["y"]), 0.5)
    np.testing.assert_allclose(numbers(on["customdata"]), np.tile([0.5, 0.1], (4, 1)), rtol=1e-5)
    assert (off["line"]["color"], on["line"]["color"]) == (WITHOUT[0], WITH[1])
    (crosses,) = [t for t in figure["data"] if t["name"] == "without batchnorm, diverged"]
    assert crosses["x"] == [0.001]
    assert len([t for t in figure["data"] if t.get("fill") == "tonexty"]) == 2


def test_a_list_is_drawn_in_the_order_of_its_values_and_nothing_leaves_the_picture() -> None:
    line = Sweep((Axis("learning_rate", choices=(10.0, 0.01, 1.0)),), "on")
    results = SweepResults.nothing(3)
    results.train_loss[:] = 1e6, 2.0, 0.5
    figure = sweep_lines(line, results, "train_loss")
    (curve,) = [t for t in figure["data"] if t["name"] == "with batchnorm"]
    assert curve["x"] == [0.01, 1.0, 10.0]
    assert curve["text"] == ["0.01", "1", "10"]
    np.testing.assert_allclose(numbers(curve["y"]), [2.0, 0.5, 10 ** figure["layout"]["yaxis"]["range"][1]])
    np.testing.assert_allclose(numbers(curve["customdata"])[:, 0], [2.0, 0.5, 1e6])
    assert figure["layout"]["xaxis"]["type"] == "log"


def test_a_click_means_a_cell_or_the_nearest_point() -> None:
    assert sweep_place(GRID, "1", "N(0,1)") == (1, 1)
    assert sweep_place(GRID, "2", "N(0,1)") is None
    assert sweep_place(LINE, 0.012, 1.0) == (1,)
    assert sweep_place(Sweep((GRID.axes[1],)), "zeros", 1.0) == (2,)


NORMALIZERS = Axis("normalizer", choices=("none", "batch", "layer", "group"))
SIZES = Axis("batch_size", choices=(32, 2, 8))


@pytest.mark.parametrize("axes", [(NORMALIZERS, SIZES), (SIZES, NORMALIZERS)], ids=["first", "second"])
def test_normalizers_are_curves_over_the_other_axis_told_apart_by_colour_and_mark(axes: tuple[Axis, ...]) -> None:
    sweep = Sweep(axes, seeds=2)
    results = SweepResults.nothing(sweep.count)
    shape = [len(axis.values) for axis in axes]
    of_cell = np.arange(12).reshape(shape) / 10
    results.test_loss[:] = (of_cell[..., None] + [-0.01, 0.01]).ravel()
    results.diverged[-2:] = True
    drawn = sweep_normalizers(sweep, results, "test_loss", 8)
    assert [curve["name"] for curve in drawn["data"]] == ["no normalizer", "batchnorm", "layer norm", "group norm"]
    by_kind = of_cell if axes[0] is NORMALIZERS else of_cell.T
    for curve, values in zip(drawn["data"], by_kind, strict=True):
        assert list(curve["x"]) == [2.0, 8.0, 32.0]
        expected = values[[1, 2, 0]].copy()
        expected[np.isclose(expected, 1.1)] = np.nan  # both seeds diverged
        np.testing.assert_allclose(numbers(curve["y"]), expected, atol=1e-6)
    colors = [curve["line"]["color"] for curve in drawn["data"]]
    assert (colors[0] in WITHOUT, colors[1] in WITH) == (True, True)
    assert not {*colors[2:]} & {*WITH, *WITHOUT}
    assert len({(c["line"]["color"], c["marker"]["symbol"]) for c in drawn["data"]}) == 4
    assert "diverged: 2" in drawn["layout"]["meta"]["alt"]
    assert sweep_place(sweep, 8.0, 0.3) == tuple(2 if axis is SIZES else 0 for axis in axes)


def test_normalizers_alone_are_a_mark_each() -> None:
    sweep = Sweep((NORMALIZERS,))
    results = SweepResults.nothing(4)
    results.test_accuracy[:] = [0.1, 0.5, 0.6, 0.7]
    drawn = sweep_normalizers(sweep, results, "test_accuracy")
    assert [list(curve["x"]) for curve in drawn["data"]] == [[name] for name in NORMALIZERS.labels]
    assert [numbers(curve["y"])[0] for curve in drawn["data"]] == pytest.approx([10, 50, 60, 70])
    assert drawn["layout"]["yaxis"]["range"] == [0, 100]
    assert sweep_place(sweep, "layer norm", 60.0) == (0,)


def test_rows_say_which_normalizer_and_whether_it_is_batchnorm() -> None:
    sweep = Sweep((NORMALIZERS,))
    table = rows(sweep, SweepResults.nothing(4))
    assert [(row["normalizer"], row["batchnorm"]) for row in table] == [
        ("none", False),
        ("batch", True),
        ("layer", False),
        ("group", False),
    ]
    assert from_parquet(to_parquet(sweep, SweepResults.nothing(4)))[0] == sweep


def test_a_table_has_a_row_a_network_and_a_gap_where_nothing_is_known(found: SweepResults) -> None:
    table = rows(GRID, found)
    assert table[3] == {
        "learning_rate": 0.1,
        "init": "normal",
        "batchnorm": True,
        "seed": 0,
        "steps": 0,
        "diverged": False,
        "train_loss": 0.5,
        "test_loss": None,
        "test_accuracy": pytest.approx(0.1 + 3 * 0.8 / 11),
    }
    lines = to_csv(GRID, found).splitlines()
    assert len(lines) == 13
    assert lines[0] == "learning_rate,init,batchnorm,seed,steps,diverged,train_loss,test_loss,test_accuracy"


def test_the_value_of_the_live_lab_is_marked_on_a_logarithmic_axis_and_none_beyond_its_ends() -> None:
    def layout(current: Any) -> dict[str, Any]:
        drawn: dict[str, Any] = sweep_lines(LINE, SweepResults.nothing(LINE.count), "train_loss", current)["layout"]
        return drawn

    marked = layout(0.01)
    assert [shape["x0"] for shape in marked["shapes"]] == [0.01]
    assert [(words["text"], words["x"]) for words in marked["annotations"]] == [("live lab", -2)]
    assert "shapes" not in layout(5.0)
    assert "shapes" not in layout(None)


def test_a_choice_of_the_live_lab_is_marked_by_its_name() -> None:
    named = Sweep((Axis("init", choices=("rand", "normal")),))
    nothing = SweepResults.nothing(named.count)
    marked = sweep_lines(named, nothing, "train_loss", "normal")["layout"]
    assert [shape["x0"] for shape in marked["shapes"]] == ["N(0,1)"]
    assert "shapes" not in sweep_lines(named, nothing, "train_loss", "zeros")["layout"]


@pytest.mark.parametrize(
    ("current", "cell"),
    [
        ((0.1, "normal"), (0, 1)),
        ((0.9, "zeros"), (1, 2)),
        ((2.0, "normal"), None),
        ((0.1, "xavier_normal"), None),
        ((None, None), None),
    ],
)
def test_the_cell_of_the_live_lab_is_framed(current: tuple[Any, Any], cell: tuple[int, int] | None) -> None:
    for panel in sweep_panels(GRID):
        drawn = sweep_map(GRID, SweepResults.nothing(GRID.count), "train_loss", panel, current)["layout"]
        middles = [((s["x0"] + s["x1"]) / 2, (s["y0"] + s["y1"]) / 2) for s in drawn["shapes"]]
        assert middles == ([cell] if cell else [])
        assert ("framed: the live lab" in drawn["meta"]["words"]) == (cell is not None)


def test_the_nearest_cell_of_a_logarithmic_axis_is_framed() -> None:
    both = Sweep((Axis("init_scale", 1e-4, 1.0, 5, "log"), Axis("init", choices=("rand", "normal"))))
    drawn = sweep_map(both, SweepResults.nothing(both.count), "train_loss", "on", (0.02, "rand"))["layout"]
    assert [(s["x0"], s["x1"]) for s in drawn["shapes"]] == [(1.5, 2.5)]  # 0.01, not 0.1


def test_a_file_gives_back_the_sweep_and_what_it_found(found: SweepResults) -> None:
    found.steps[:] = GRID.training.steps
    found.curves[:, :3] = [3.0, 2.0, 1.0]
    found.steps[-1] = 50
    sweep, again = from_parquet(to_parquet(GRID, found))
    assert sweep == GRID
    np.testing.assert_array_equal(again.train_loss, found.train_loss)
    np.testing.assert_array_equal(again.steps, found.steps)
    np.testing.assert_array_equal(again.diverged, found.diverged)
    np.testing.assert_array_equal(again.curves[0, :3], [3, 2, 1])

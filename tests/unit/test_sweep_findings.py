"""The sentence about a finished sweep follows from its losses."""

import numpy as np
import pytest

from bnviz.experiment.sweep import Axis, Sweep
from bnviz.findings.sweep import sweep_findings
from bnviz.records.sweep import SweepResults

LINE = Sweep((Axis("init_scale", 1e-2, 10.0, 4, "log"),))  # 0.01, 0.1, 1 and 10, without and with batchnorm


def results(sweep: Sweep, losses: list[float], steps: int | None = None) -> SweepResults:
    found = SweepResults.nothing(sweep.count)
    found.train_loss[:] = losses
    found.steps[:] = sweep.training.steps if steps is None else steps
    return found


def test_a_sweep_that_is_not_complete_says_nothing() -> None:
    assert sweep_findings(LINE, results(LINE, [1.0] * 8, steps=20)) == []


def test_the_ranges_without_and_with_batchnorm_are_told() -> None:
    (said,) = sweep_findings(LINE, results(LINE, [0.3, 0.3, 0.4, 0.3, 2.3, 0.5, 2.3, 2.4]))
    assert said.startswith(
        "Training succeeds without batchnorm for init scale 0.01 to 0.1, with batchnorm for init scale 0.01 to 1 ("
    )
    assert "is below 2; guessing costs ln 10 = 2.30" in said


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([2.3] * 4, "for no init scale of these"),
        ([0.3] * 4, "for every init scale of these"),
        ([2.3, 0.3, 2.3, 2.3], "for init scale 0.1 alone"),
        ([0.3, 2.3, 0.3, 2.3], "for init scale at 2 of 4 values"),
    ],
)
def test_values_that_are_no_range_are_counted(losses: list[float], words: str) -> None:
    sweep = Sweep(LINE.axes, batchnorm="off")
    (said,) = sweep_findings(sweep, results(sweep, losses))
    assert f"without batchnorm {words} (" in said


def test_of_normalizers_each_is_told_along_the_other_axis() -> None:
    normalizers, sizes = Axis("normalizer", choices=("none", "batch", "rms")), Axis("batch_size", choices=(2, 8, 32))
    losses = np.array([[2.3, 2.3, 0.3], [2.3, 0.3, 0.3], [0.3, 0.3, 0.3]])
    told = (
        "Training succeeds without a normalizer for batch size 32 alone, with batchnorm for batch size 8 to 32, with "
        "RMS norm for every batch size of these ("
    )
    for axes, values in (((normalizers, sizes), losses), ((sizes, normalizers), losses.T)):
        (said,) = sweep_findings(Sweep(axes), results(Sweep(axes), values.ravel().tolist()))
        assert said.startswith(told)
    alone = Sweep((normalizers,))
    (said,) = sweep_findings(alone, results(alone, [2.3, 0.3, 0.3]))
    assert said.startswith("Training succeeds for normalizer batchnorm and RMS norm (")


def test_a_setting_with_a_network_that_diverged_does_not_succeed() -> None:
    sweep = Sweep(LINE.axes, batchnorm="off", seeds=2)
    found = results(sweep, [0.3] * 8)
    found.diverged[-1] = True
    found.steps[-1] = 7
    (said,) = sweep_findings(sweep, found)
    assert "for init scale 0.01 to 1 (" in said


def test_choices_are_named_and_cells_of_a_map_counted() -> None:
    named = Sweep((Axis("init", choices=("rand", "normal", "xavier_normal")),), batchnorm="on")
    (said,) = sweep_findings(named, results(named, [2.3, 0.3, 0.3]))
    assert "with batchnorm for init N(0,1) and Xavier normal (" in said
    grid = Sweep((*LINE.axes, Axis("learning_rate", choices=(0.1, 1.0))))
    (said,) = sweep_findings(grid, results(grid, np.tile([2.3, 0.3], 8).tolist()))
    assert "without batchnorm in 0 of 8 cells, with batchnorm in 8 of 8 cells (" in said

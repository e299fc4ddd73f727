"""The finished sweep that the app comes with: whole, made from its definition, and with something to show."""

import numpy as np

from bnviz.experiment.sweep_addresses import from_json
from bnviz.export.sweep import from_parquet
from bnviz.findings.sweep import sweep_findings
from bnviz.ui.sections.sweep_example import DEFINITION, FILE


def test_the_example_is_the_whole_sweep_of_its_definition() -> None:
    sweep, found = from_parquet(FILE.read_bytes())
    assert sweep == from_json(DEFINITION.read_text(encoding="utf-8"))
    assert ((found.steps == sweep.training.steps) | found.diverged).all()
    assert np.isfinite(found.train_loss).all()


def test_its_sentence_says_that_batchnorm_allows_weights_that_are_far_larger() -> None:
    (said,) = sweep_findings(*from_parquet(FILE.read_bytes()))
    assert "without batchnorm for init scale" in said
    assert "with batchnorm for init scale" in said

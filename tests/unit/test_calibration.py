"""Networks of torchvision go through `diagnose` and `watch`; the document says what was seriously wrong with them."""

import re
from pathlib import Path

import pytest

from bnviz.findings.own_network.table import RULES
from docs.calibration import DOCUMENT, examined, models

ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in Path(DOCUMENT).read_text(encoding="utf-8").splitlines()
    if line.startswith("| ")
]
SERIOUS = {row[0]: row[5] for row in ROWS}


def test_every_model_is_in_the_document() -> None:
    left_out = re.findall(r"\w+", Path(DOCUMENT).read_text(encoding="utf-8").split("Left out")[1])
    assert {name for name in models() if name not in SERIOUS} == {name for name in models() if name in left_out}


def test_every_serious_finding_of_the_document_is_explained_in_it() -> None:
    words = Path(DOCUMENT).read_text(encoding="utf-8").split("Serious findings that stay")[1].split("Guesses")[0]
    serious = {rule for found in SERIOUS.values() for rule in RULES if rule in found}
    assert serious == {rule for rule in RULES if f"**{rule}**" in words}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "squeezenet1_1", "shufflenet_v2_x0_5"])
def test_a_model_goes_through_and_is_seriously_wrong_where_the_document_says(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BNVIZ_DATABASE", "")
    row = examined(name)
    assert row is not None
    assert row.looks == 1
    assert row.found("serious") == SERIOUS[name]

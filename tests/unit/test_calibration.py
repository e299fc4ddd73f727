"""Networks of torchvision go through `diagnose` and `watch`; the document says what was seriously wrong with them."""

from dataclasses import replace
from pathlib import Path

import pytest

from bnviz.findings.own_network.table import RULES
from docs.calibration import (
    DOCUMENT,
    MOST_SECONDS,
    documented,
    examined,
    left_out,
    line_of,
    models,
    parameters_of,
)

ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in Path(DOCUMENT).read_text(encoding="utf-8").splitlines()
    if line.startswith("| ")
]
SERIOUS = {row[0]: row[5] for row in ROWS}


def test_every_model_is_in_the_document() -> None:
    largest = {name for name in models() if name not in SERIOUS}
    assert largest == {*left_out()}
    words = Path(DOCUMENT).read_text(encoding="utf-8").split("Left out")[1]
    assert all(f"{name} ({parameters_of(name) / 1e6:.0f} M)" in words for name in largest)


def test_what_takes_longer_than_a_minute_is_named_with_its_time() -> None:
    row = examined("squeezenet1_1")
    line, slow = line_of(row), line_of(replace(row, seconds=MOST_SECONDS + 12))
    assert slow == f"{line} 72 s |"
    within, beyond = documented([line, slow.replace("squeezenet1_1", "slow")]).split("These take more than 60 seconds")
    assert "| squeezenet1_1 |" in within
    assert "| slow |" not in within
    assert "| slow |" in beyond


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
    assert row.looks == 1
    assert row.found("serious") == SERIOUS[name]

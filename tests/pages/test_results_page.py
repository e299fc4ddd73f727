"""The page Results, of claims that were made up."""

import pytest
from streamlit.testing.v1 import AppTest

from bnviz.records import reproduction
from bnviz.records.reproduction import Claim, Result, Results
from tests.opening import ROOT

FOUND = Results(
    "MNIST sample",
    seeds=1,
    quick=True,
    minutes=0.6,
    results=(
        Result(
            "rates",
            "High rates",
            "A setting.",
            (
                Claim("It helps", "A paper, figure 1", "3 with, 1 without", True, "3 times"),
                Claim("Not", "B", "0", False, "-1"),
                Claim("Perhaps", "C", "2 ± 1 against 1 ± 1", None, "+1"),
            ),
            {"learning_rate": "1"},
        ),
    ),
)


def test_the_page_says_that_a_run_was_quick_and_shows_each_verdict_in_its_colour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reproduction, "read_results", lambda: FOUND)
    page = AppTest.from_file(str(ROOT / "pages" / "results.py"), default_timeout=60).run()
    assert not page.exception
    words = "\n".join(text.value for text in page.markdown)
    assert "one seed, quick form with shorter runs, 1 minute" in words
    assert ":green-badge[:material/check: agrees: 3 times]" in words
    assert ":orange-badge[:material/close: differs: -1]" in words
    assert ":gray-badge[:material/remove: no clear difference: +1]" in words

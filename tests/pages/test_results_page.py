"""The page Results, of claims that were made up."""

import pytest
from streamlit.testing.v1 import AppTest

from bnviz.records import reproduction
from tests.builders import MADE_UP_RESULTS
from tests.opening import ROOT


def test_the_page_says_that_a_run_was_quick_and_shows_each_verdict_in_its_colour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reproduction, "read_results", lambda: MADE_UP_RESULTS)
    page = AppTest.from_file(str(ROOT / "pages" / "results.py"), default_timeout=60).run()
    assert not page.exception
    words = "\n".join(text.value for text in page.markdown)
    assert "one seed, quick form with shorter runs, 1 minute" in words
    assert ":green-badge[:material/check: agrees: 3 times]" in words
    assert ":orange-badge[:material/close: differs: -1]" in words
    assert ":gray-badge[:material/remove: no clear difference: +1]" in words

"""The page of results, in a real browser."""

import pytest
from playwright.sync_api import expect

from bnviz.records import reproduction
from tests.browser.conftest import Lab, assert_accessible, assert_one_column, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHARTS = ("chart_results",)


def test_every_claim_is_shown_and_an_experiment_opens_in_the_live_lab(lab: Lab) -> None:
    found = reproduction.read_results()
    lab.open().go("Results", CHARTS)
    for result in found.results:
        for claim in result.claims:
            expect(lab.page.locator(".st-key-chart_results")).to_contain_text(claim.text)
    assert_accessible(lab.page)
    rates = next(result for result in found.results if result.key == "learning_rates")
    lab.click(f"open_{rates.key}")
    lab.ready()
    wait_for(lambda: lab.parameters() == rates.experiment, "the experiment's address")
    assert lab.step() == 0


def test_a_phone_has_no_sideways_scrolling(phone: Lab) -> None:
    assert_one_column(phone.open("results", CHARTS), CHARTS)

"""The page of results, in a real browser."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from bnviz import results
from tests.browser.conftest import START, Lab, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_every_claim_is_shown_and_an_experiment_opens_in_the_live_lab(lab: Lab) -> None:
    found = results.read()
    lab.open().page.get_by_role("link", name="Results").click()
    lab.page.wait_for_selector(".st-key-chart_results .bnviz-chart[data-ready]", timeout=START * 1000)
    for result in found.results:
        for claim in result.claims:
            expect(lab.page.locator(".st-key-chart_results")).to_contain_text(claim.text)
    serious = [v["id"] for v in Axe().run(lab.page).response["violations"] if v["impact"] in ("serious", "critical")]
    assert serious == []
    rates = next(result for result in found.results if result.key == "learning_rates")
    lab.click(f"open_{rates.key}")
    lab.ready()
    wait_for(lambda: lab.parameters() == rates.experiment, "the experiment's address")
    assert lab.step() == 0


def test_a_phone_has_no_sideways_scrolling(lab: Lab) -> None:
    lab.page.set_viewport_size({"width": 390, "height": 844})
    lab.page.goto(f"{lab.server.url}/results")
    lab.page.wait_for_selector(".st-key-chart_results .bnviz-chart[data-ready]", timeout=START * 1000)
    assert lab.page.evaluate("document.documentElement.scrollWidth") == 390
    lab.complaints[:] = [c for c in lab.complaints if "404" not in c]  # Streamlit looks for its base path

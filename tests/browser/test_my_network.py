"""The page on networks that do not train, in a real browser."""

import pytest
from playwright.sync_api import expect

from bnviz.experiment.addresses import address_of
from bnviz.experiment.symptoms import SYMPTOMS
from tests.browser.conftest import Lab, assert_accessible, assert_one_column, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ADDRESS = "my_network_does_not_train"


def test_every_symptom_is_shown_and_its_experiment_opens_in_the_live_lab(lab: Lab) -> None:
    lab.open(ADDRESS, ())
    for key, symptom in SYMPTOMS.items():
        expect(lab.page.locator(f".st-key-symptom_{key}")).to_contain_text(symptom.shows)
    assert_accessible(lab.page)
    lab.click("open_stale_statistics")
    lab.ready()
    wait_for(lambda: lab.parameters() == address_of(SYMPTOMS["stale_statistics"].experiment), "the experiment")
    assert lab.step() == 0


def test_a_phone_has_no_sideways_scrolling(phone: Lab) -> None:
    phone.open(ADDRESS, ())
    expect(phone.page.locator(".st-key-open_stale_statistics")).to_be_visible()
    assert_one_column(phone, ())

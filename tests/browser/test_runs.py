"""Runs that last, in a real browser: kept at their end, listed, opened by an address, gone on with."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Lab, OpenContext, Server, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

QUICK = "?steps=120&width=16&a_init=rand&b_init=rand"
CHARTS = ("chart_loss", "chart_activations", "chart_saturation", "chart_accuracy")


def trained(lab: Lab) -> Lab:
    lab.open(QUICK)
    lab.speed("max")
    lab.click("play")
    expect(lab.page.locator(".st-key-status")).to_contain_text("finished")
    return lab


def shared(lab: Lab) -> str:
    """The permalink of the lab's run."""
    lab.page.get_by_role("button", name="Share").click()
    lab.click("permalink")
    link = lab.page.locator("[data-testid=stCode]").filter(has_text="runs?id=")
    return link.inner_text().strip().removeprefix(f"{lab.server.url}/")


def test_a_run_is_opened_elsewhere_by_its_address_and_gone_on_with(
    lab: Lab, open_context: OpenContext, server: Server
) -> None:
    address = shared(trained(lab))
    other = Lab(open_context().new_page(), server).open(address, CHARTS)
    expect(other.page.locator(".bnviz-status")).to_contain_text("step 120")
    assert other.words("chart_saturation") == lab.words("chart_saturation")
    other.click("stored_open")
    other.ready()
    expect(other.page.locator(".st-key-status")).to_contain_text("finished")
    other.page.get_by_text("is made now, the weights stay").click()
    other.toggle("a_batchnorm")
    wait_for(lambda: other.step() > 120, "steps beyond those that were kept")
    assert lab.step() == 120, "the run that was shared stays as it is"
    assert other.complaints == []


def test_a_finished_run_is_in_the_list_without_asking(lab: Lab) -> None:
    trained(lab)
    lab.page.get_by_role("link", name="Runs").click()
    expect(lab.page.get_by_test_id("stDataFrame")).to_be_visible()
    expect(lab.page.get_by_text(re.compile("Choose one run"))).to_be_visible()

"""The page on depth and architecture, in a real browser: gradient flow, other architectures, feature maps."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Lab, assert_accessible, assert_one_column, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ALWAYS = ("chart_gradient_flow", "chart_reach", "chart_loss", "chart_accuracy")
OF_LENET = ("chart_map_digit", "chart_maps_A", "chart_maps_B", "chart_channels")
ADDRESS = "depth_and_architecture?architecture=lenet"


def has_layers(lab: Lab, count: int) -> None:
    """Wait until every network has so many layers with weights on the axis."""
    ends = "div.calcdata.filter(c => c[0].trace.mode).map(c => c.at(-1).x)"
    wait_for(lambda: set(lab.chart("chart_gradient_flow", ends)) == {count}, f"{count} layers")


def test_from_twenty_layers_to_lenet_and_its_feature_maps(lab: Lab) -> None:
    lab.open().go("Depth and architecture", ALWAYS)
    expect(lab.page.get_by_text("No network here has convolutions")).to_be_visible()
    lab.click("depth_5")
    has_layers(lab, 6)
    lab.click("network_deepest")
    has_layers(lab, 21)
    wait_for(lambda: lab.parameters().get("hidden_layers") == "20", "the address")

    lab.click("network_lenet")
    lab.ready(OF_LENET)
    has_layers(lab, 5)
    wait_for(lambda: lab.parameters().get("architecture") == "lenet", "the address")
    lab.open_settings()
    expect(lab.page.locator(".st-key-activation input")).to_have_value("sigmoid")
    before = lab.chart("chart_maps_B", "JSON.stringify(div.data[0].z)")
    lab.click("play")
    lab.wait_for_step(lambda step: step >= 5)
    wait_for(lambda: lab.chart("chart_maps_B", "JSON.stringify(div.data[0].z)") != before, "other maps")
    lab.pause()

    lab.page.locator(".st-key-map_place").get_by_role("radio", name="normalized", exact=True).click()
    expect(lab.page.locator(".st-key-chart_maps_A")).to_contain_text("nothing here")
    lab.choose("map_layer", "2")
    wait_for(lambda: lab.chart("chart_channels", "div.layout.yaxis.tickvals.length") == 16, "sixteen channels")


def test_accessibility_scan_finds_nothing_serious(lab: Lab) -> None:
    assert_accessible(lab.open(ADDRESS, (*ALWAYS, *OF_LENET)).page)


def test_on_a_phone_it_is_one_column(phone: Lab) -> None:
    assert_one_column(phone.open(ADDRESS, (*ALWAYS, *OF_LENET)), (*ALWAYS, *OF_LENET))

"""The page on depth and architecture, in a real browser: gradient flow, other architectures, feature maps."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.browser.conftest import START, Lab, Server, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ALWAYS = ("chart_gradient_flow", "chart_reach", "chart_loss", "chart_accuracy")
OF_LENET = ("chart_map_digit", "chart_feature_maps", "chart_channels")


def there(lab: Lab) -> Lab:
    """Go to the page by its link, as a visitor does."""
    lab.page.get_by_role("link", name="Depth and architecture").click()
    return shown(lab, *ALWAYS)


def shown(lab: Lab, *keys: str) -> Lab:
    for key in keys:
        lab.page.wait_for_selector(f".st-key-{key} .bnviz-chart[data-ready]", timeout=START * 1000)
    return lab


def layers(lab: Lab) -> object:
    """The last place on the axis of layers, for each network."""
    return lab.chart("chart_gradient_flow", "div.calcdata.filter(c => c[0].trace.mode).map(c => c.at(-1).x)")


def test_from_twenty_layers_to_lenet_and_its_feature_maps(lab: Lab) -> None:
    there(lab.open())
    expect(lab.page.get_by_text("No network here has convolutions")).to_be_visible()
    lab.click("depth_5")
    wait_for(lambda: set(layers(lab)) == {6}, "five hidden layers")  # type: ignore[call-overload]
    lab.click("network_deepest")
    wait_for(lambda: set(layers(lab)) == {21}, "twenty hidden layers")  # type: ignore[call-overload]
    assert lab.parameters()["hidden_layers"] == "20"

    lab.click("network_lenet")
    shown(lab, *OF_LENET)
    wait_for(lambda: lab.chart("chart_feature_maps", "div.calcdata.length") == 2, "the maps of both networks")
    wait_for(lambda: set(layers(lab)) == {5}, "four hidden layers")  # type: ignore[call-overload]
    assert lab.parameters()["architecture"] == "lenet"
    expect(lab.page.locator(".st-key-activation input")).to_have_value("sigmoid")
    before = lab.chart("chart_feature_maps", "JSON.stringify(div.data[1].z)")
    lab.click("play")
    lab.wait_for_step(lambda step: step >= 5)
    wait_for(lambda: lab.chart("chart_feature_maps", "JSON.stringify(div.data[1].z)") != before, "other maps")
    lab.click("play")
    wait_for(lambda: not lab.playing(), "the pause")

    lab.page.locator(".st-key-map_place").get_by_role("radio", name="normalized", exact=True).click()
    expect(lab.page.locator(".st-key-chart_feature_maps")).to_contain_text("A has no batchnorm")
    lab.page.locator(".st-key-map_layer input").click()
    lab.page.get_by_role("option", name="2").click()
    wait_for(lambda: lab.chart("chart_channels", "div.layout.yaxis.tickvals.length") == 16, "sixteen channels")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_scan_finds_nothing_serious(chromium: Browser, server: Server, scheme: str) -> None:
    context = chromium.new_context(viewport={"width": 1400, "height": 1000}, color_scheme=scheme)  # type: ignore[arg-type]
    lab = shown(there(Lab(context.new_page(), server).open("?architecture=lenet")), *OF_LENET)
    found = Axe().run(lab.page).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
    context.close()

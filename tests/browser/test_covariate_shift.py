"""The page on covariate shift, in a real browser: the live lab's run, its history scrubbed, and both measures."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import START, Lab, Server, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHARTS = ("chart_ridge", "chart_percentiles", "chart_shift", "chart_gradient_shift")
QUICK = "?steps=300&width=24&hidden_layers=2&a_init=xavier_normal&b_init=xavier_normal"  # a frame every 20 steps


def there(page: Page) -> None:
    """Go to the page by its link, as a visitor does."""
    page.get_by_role("link", name="Covariate shift").click()
    drawn(page)


def drawn(page: Page) -> None:
    for key in CHARTS:
        page.wait_for_selector(f".st-key-{key} .bnviz-chart[data-ready]", timeout=START * 1000)


@pytest.fixture
def here(lab: Lab) -> Lab:
    there(lab.open(QUICK).page)
    return lab


@pytest.fixture
def finished(here: Lab) -> Lab:
    here.speed("max")
    here.click("play")
    here.wait_for_step(lambda step: step == 300)
    wait_for(lambda: newest(here) == 300, "the last frame in the charts")
    return here


def newest(lab: Lab) -> object:
    """The last step that the percentiles show."""
    return lab.chart("chart_percentiles", "Math.max(...div.calcdata.flat().map(p => p.x))")


def shown(lab: Lab) -> str:
    return lab.page.locator(".bnviz-scrubber-shown").inner_text()


def words(lab: Lab, key: str) -> str:
    return lab.page.locator(f".st-key-{key} .bnviz-notes").inner_text()


def test_it_is_the_live_labs_run(here: Lab) -> None:
    here.click("step")
    here.wait_for_step(lambda step: step == 1)
    here.page.get_by_role("link", name="Live lab").click()
    here.ready()
    assert here.step() == 1


def test_both_measures_of_the_shift_are_told(finished: Lab) -> None:
    findings = finished.page.locator(".bnviz-findings")
    expect(findings).to_contain_text("Up to step 300 the input of the activation of layer 1 moved by W₁ =")
    expect(findings).to_contain_text(re.compile(r"Shift of the gradients, L2, mean of .*cosine"))
    assert "measurement" in words(finished, "chart_gradient_shift")


def test_the_slider_goes_back_in_all_charts_at_once(finished: Lab) -> None:
    assert shown(finished) == "Shown: now"
    slider = finished.page.get_by_role("slider", name="History")
    expect(slider).to_have_attribute("max", "15")
    slider.focus()
    for _ in range(5):
        slider.press("ArrowLeft")
    expect(finished.page.locator(".bnviz-scrubber-shown")).to_have_text("Shown: step 200, as it was")
    wait_for(lambda: newest(finished) == 200, "the percentiles up to step 200")
    wait_for(lambda: "Up to step 200" in finished.page.locator(".bnviz-findings").inner_text(), "the findings of then")
    last = "Math.max(...div.calcdata.flat().map(p => p.x).filter(isFinite))"
    assert finished.chart("chart_shift", last) == 200
    strong = "Math.min(...div.calcdata.find(c => c[0].trace.name === 'A newest').map(p => p.y).filter(isFinite))"
    assert finished.chart("chart_ridge", strong) == 200
    assert finished.step() == 300
    finished.page.get_by_role("button", name="Now").click()
    wait_for(lambda: newest(finished) == 300, "now")
    assert shown(finished) == "Shown: now"


@pytest.mark.parametrize("sidebar", ["open", "closed"])
def test_the_slider_stays_within_reach_of_the_last_chart(here: Lab, sidebar: str) -> None:
    if sidebar == "closed":
        here.page.get_by_test_id("stSidebar").hover()
        here.page.get_by_test_id("stSidebarCollapseButton").locator("button").click()
        expect(here.page.get_by_test_id("stExpandSidebarButton")).to_be_visible()
    here.page.locator(".st-key-chart_gradient_shift").scroll_into_view_if_needed()
    at_hand = (
        "i => { const b = i.getBoundingClientRect();"
        " return document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2) === i; }"
    )
    wait_for(lambda: here.page.locator(".bnviz-scrubber input").evaluate(at_hand), "the slider at hand")


def test_a_run_that_starts_over_is_shown_as_it_is(finished: Lab) -> None:
    finished.page.get_by_role("slider", name="History").press("Home")
    wait_for(lambda: newest(finished) == 0, "the first frame")
    finished.click("reset")
    finished.wait_for_step(lambda step: step == 0)
    wait_for(lambda: shown(finished) == "Shown: now", "the present")


def test_distributions_are_shown_in_three_ways_and_too_many_snapshots_refused(finished: Lab) -> None:
    choose = finished.page.locator(".st-key-shift_kind button")
    choose.get_by_text("heat map").click()
    wait_for(lambda: finished.chart("chart_ridge", "div.data[0].type") == "heatmap", "the heat map")
    choose.get_by_text("snapshots").click()
    wait_for(lambda: "a line every 200 steps" in words(finished, "chart_ridge"), "the snapshots")
    every = finished.page.locator(".st-key-shift_every input")
    every.fill("5")
    every.press("Enter")
    wait_for(lambda: "61 snapshots, but 16 are kept: choose 20 steps or more" in words(finished, "chart_ridge"), "no")


def test_a_layer_that_is_gone_is_no_longer_chosen(here: Lab) -> None:
    here.page.locator(".st-key-shift_layer input").click()
    here.page.get_by_role("option", name="2").click()
    wait_for(lambda: "layer 2" in str(here.chart("chart_ridge", "div.getAttribute('aria-label')")), "layer 2")
    slider = here.page.locator(".st-key-hidden_layers input")
    slider.focus()
    slider.press("ArrowLeft")
    wait_for(lambda: "layer 1" in str(here.chart("chart_ridge", "div.getAttribute('aria-label')")), "layer 1")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_scan_finds_nothing_serious(chromium: Browser, server: Server, scheme: str) -> None:
    context = chromium.new_context(viewport={"width": 1400, "height": 1000}, color_scheme=scheme)  # type: ignore[arg-type]
    lab = Lab(context.new_page(), server).open(QUICK)
    there(lab.page)
    lab.click("step")
    lab.wait_for_step(lambda step: step == 1)
    slider = lab.page.get_by_role("slider", name="History")
    expect(slider).to_be_enabled()
    slider.press("Home")
    wait_for(lambda: "as it was" in shown(lab), "the past")
    found = Axe().run(lab.page).response["violations"]
    serious = [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")]
    context.close()
    assert serious == []


def test_a_phone_gets_one_column_and_no_sideways_scrolling(chromium: Browser, server: Server) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    lab = Lab(context.new_page(), server)
    lab.page.goto(f"{server.url}/covariate_shift{QUICK}")
    drawn(lab.page)
    assert lab.page.evaluate("document.documentElement.scrollWidth") == 390
    scrolling = "[...document.querySelectorAll('.katex-display')].filter(f => f.scrollWidth > f.clientWidth + 1).length"
    assert lab.page.evaluate(scrolling) == 0
    for key in CHARTS:
        width = lab.chart(key, "div.clientWidth")
        assert isinstance(width, int)
        assert 300 < width <= 390
    context.close()

"""The page on covariate shift, in a real browser: the live lab's run, its history scrubbed, and both measures."""

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Lab, assert_accessible, assert_one_column, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHARTS = ("chart_ridge", "chart_percentiles", "chart_shift", "chart_gradient_shift")
QUICK = "?steps=300&width=24&hidden_layers=2&a_init=xavier_normal&b_init=xavier_normal"  # a frame every 20 steps


LAST = "Math.max(...div.calcdata.flat().map(p => p.x).filter(isFinite))"


@pytest.fixture
def here(lab: Lab) -> Lab:
    return lab.open(f"covariate_shift{QUICK}", CHARTS)


@pytest.fixture
def finished(here: Lab) -> Lab:
    here.speed("max")
    here.click("play")
    here.wait_for_step(lambda step: step == 300)
    wait_for(lambda: newest(here) == 300, "the last frame in the charts")
    expect(here.page.get_by_role("slider", name="History")).to_have_attribute("max", "15")
    return here


def newest(lab: Lab) -> object:
    """The last step that the percentiles show."""
    return lab.chart("chart_percentiles", LAST)


def shown(lab: Lab) -> Locator:
    return lab.page.locator(".bnviz-scrubber-shown")


def test_it_is_the_live_labs_run(lab: Lab) -> None:
    lab.open(QUICK).go("Covariate shift", CHARTS)
    lab.click("step")
    lab.wait_for_step(lambda step: step == 1)
    lab.go("Live lab").wait_for_step(lambda step: step == 1)


def test_both_measures_of_the_shift_are_told(finished: Lab) -> None:
    findings = finished.page.locator(".bnviz-findings")
    expect(findings).to_contain_text("Up to step 300 the input of the activation of layer 1 moved ")
    expect(findings).to_contain_text(re.compile(r"The gradients of the layers after the first shifted .*L2.*cosine"))
    wait_for(lambda: "measurement" in finished.words("chart_gradient_shift"), "the gradients' shift")


def test_the_slider_goes_back_in_all_charts_at_once(finished: Lab) -> None:
    expect(shown(finished)).to_have_text("Shown: now")
    finished.press("scrubber", "ArrowLeft", 5)
    expect(shown(finished)).to_have_text("Shown: step 200, as it was")
    wait_for(lambda: newest(finished) == 200, "the percentiles up to step 200")
    expect(finished.page.locator(".bnviz-findings")).to_contain_text("Up to step 200")
    wait_for(lambda: finished.chart("chart_shift", LAST) == 200, "the shift up to step 200")
    strong = "Math.min(...div.calcdata.find(c => c[0].trace.name === 'A newest').map(p => p.y).filter(isFinite))"
    wait_for(lambda: finished.chart("chart_ridge", strong) == 200, "the distribution at step 200")
    assert finished.step() == 300
    finished.page.get_by_role("button", name="Now").click()
    wait_for(lambda: newest(finished) == 300, "now")
    expect(shown(finished)).to_have_text("Shown: now")


@pytest.mark.parametrize("sidebar", ["open", "closed"])
def test_the_slider_stays_within_reach_of_the_last_chart(here: Lab, sidebar: str) -> None:
    if sidebar == "open":
        here.open_settings()
    here.page.locator(".st-key-chart_gradient_shift").scroll_into_view_if_needed()
    at_hand = (
        "i => { const b = i.getBoundingClientRect();"
        " return document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2) === i; }"
    )
    wait_for(lambda: here.page.locator(".bnviz-scrubber input").evaluate(at_hand), "the slider at hand")


def test_a_run_that_starts_over_is_shown_as_it_is(finished: Lab) -> None:
    finished.press("scrubber", "Home")
    wait_for(lambda: newest(finished) == 0, "the first frame")
    finished.click("reset")
    finished.wait_for_step(lambda step: step == 0)
    expect(shown(finished)).to_have_text("Shown: now")


def test_distributions_are_shown_in_three_ways_and_too_many_snapshots_refused(finished: Lab) -> None:
    choose = finished.page.locator(".st-key-shift_kind button")
    choose.get_by_text("heat map").click()
    wait_for(lambda: finished.chart("chart_ridge", "div.data[0].type") == "heatmap", "the heat map")
    choose.get_by_text("snapshots").click()
    wait_for(lambda: "a line every 200 steps" in finished.words("chart_ridge"), "the snapshots")
    every = finished.page.locator(".st-key-shift_every input")
    every.fill("5")
    every.press("Enter")
    refused = "61 snapshots, but 16 are kept: choose 20 steps or more"
    wait_for(lambda: refused in finished.words("chart_ridge"), "the refusal")


def test_a_layer_that_is_gone_is_no_longer_chosen(here: Lab) -> None:
    here.choose("shift_layer", "2")
    wait_for(lambda: "layer 2" in str(here.chart("chart_ridge", "div.getAttribute('aria-label')")), "layer 2")
    here.open_settings()
    here.press("hidden_layers", "ArrowLeft")
    wait_for(lambda: "layer 1" in str(here.chart("chart_ridge", "div.getAttribute('aria-label')")), "layer 1")


def test_accessibility_scan_finds_nothing_serious(here: Lab) -> None:
    here.click("step")
    here.wait_for_step(lambda step: step == 1)
    expect(here.page.get_by_role("slider", name="History")).to_be_enabled()
    here.press("scrubber", "Home")
    expect(shown(here)).to_contain_text("as it was")
    assert_accessible(here.page)


def test_one_hidden_layer_has_no_covariate_shift_and_five_are_one_click_away(lab: Lab) -> None:
    lab.open("covariate_shift?width=16", CHARTS)
    shallow = lab.page.locator(".st-key-shallow")
    expect(shallow).to_contain_text("one hidden layer")
    lab.click("deepen")
    expect(shallow.get_by_text("one hidden layer")).to_have_count(0)
    wait_for(lambda: lab.parameters().get("hidden_layers") == "5", "the address")


def test_a_phone_gets_one_column_and_no_sideways_scrolling(phone: Lab) -> None:
    assert_one_column(phone.open(f"covariate_shift{QUICK}", CHARTS), CHARTS)

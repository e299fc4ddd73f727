"""The page on training and inference, in a real browser: statistics, sliders, and one digit picked or drawn."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import START, Lab, Server, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MOVING = ("chart_running_stats", "chart_statistics_error", "chart_inference")
RESTING = ("chart_bessel", "chart_digit", "chart_answers")


def there(page: Page) -> None:
    """Go to the page by its link, as a visitor does."""
    page.get_by_role("link", name="Training and inference").click()
    for key in (*MOVING, *RESTING):
        page.wait_for_selector(f".st-key-{key} .bnviz-chart[data-ready]", timeout=START * 1000)


@pytest.fixture
def here(lab: Lab) -> Lab:
    there(lab.open().page)
    return lab


def labels(lab: Lab) -> object:
    """The changes that are marked on the curves."""
    return lab.chart("chart_running_stats", "(div.layout.shapes || []).map(s => s.label?.text)")


def answers(lab: Lab) -> str:
    return lab.page.locator(".st-key-one_digit").inner_text()


def test_the_running_statistics_chase_the_population(here: Lab) -> None:
    assert here.step() == 0
    here.click("play")
    here.wait_for_step(lambda step: step > 300)
    expect(here.page.locator(".bnviz-findings")).to_contain_text("standard deviations off those of the population")
    here.click("play")
    wait_for(lambda: not here.playing(), "the pause")
    first, last = here.chart(  # type: ignore[misc]  # running minus population, at the first and the last step
        "chart_running_stats",
        "(() => { const y = name => div.calcdata.find(c => c[0].trace.name === name).map(p => p.y);"
        " const off = y('running').map((v, i) => Math.abs(v - y('population')[i])); return [off[0], off.at(-1)]; })()",
    )
    assert last < first / 3
    assert here.chart("chart_inference", "div.calcdata.length") == 6


def test_the_momentum_slider_marks_the_change_on_the_network_as_it_is(here: Lab) -> None:
    here.click("step")
    here.wait_for_step(lambda step: step == 1)
    slider = here.page.locator(".st-key-bn_momentum input")
    slider.focus()
    for _ in range(5):
        slider.press("ArrowLeft")
    wait_for(lambda: len(labels(here)) == 1, "one marker for the whole way")  # type: ignore[arg-type]
    (label,) = labels(here)  # type: ignore[misc]
    told = slider.get_attribute("aria-valuetext")
    wait_for(lambda: labels(here) == [f"A: batchnorm momentum {told}"], f"the marker {label} to be that of {told}")
    assert here.step() == 1


def test_an_answer_in_eval_mode_is_the_same_in_every_company(here: Lab) -> None:
    assert "the same to the last bit" in answers(here)
    assert "refused. Batch statistics need a batch of at least 2 digits, got 1" in answers(here)
    here.click("play")
    here.wait_for_step(lambda step: step > 300)
    here.click("play")
    wait_for(lambda: not here.playing(), "the pause")
    wait_for(lambda: f"At step {here.step()}:" in answers(here), "answers of the network as it is")
    assert "the same to the last bit" in answers(here)
    here.page.locator(".st-key-bn_inference input").click()
    here.page.get_by_role("option", name="the batch at hand").click()
    expect(here.page.locator(".st-key-one_digit")).to_contain_text("with probabilities up to")


def test_a_digit_is_picked_by_keyboard(here: Lab) -> None:
    before = here.chart("chart_digit", "JSON.stringify(div.data[0].z)")
    field = here.page.locator(".st-key-digit_place input")
    field.fill("5")
    field.press("Enter")
    wait_for(lambda: here.chart("chart_digit", "JSON.stringify(div.data[0].z)") != before, "another digit")
    expect(here.page.locator(".st-key-one_digit")).to_contain_text("test digit 5, labelled 4")


def test_a_drawn_digit_is_asked_about_and_wiped(here: Lab) -> None:
    here.page.get_by_role("radio", name="draw it").click()
    expect(here.page.locator(".st-key-one_digit")).to_contain_text("Draw a digit to ask")
    pad = here.page.locator(".st-key-draw_pad svg[role=img]")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + 30
    here.page.mouse.move(x, y)
    here.page.mouse.down()
    here.page.mouse.move(x, y + box["height"] - 60, steps=8)
    here.page.mouse.up()
    expect(here.page.locator(".st-key-one_digit")).to_contain_text("drawn, then scaled and centred")
    expect(here.page.locator(".st-key-one_digit")).to_contain_text(re.compile("Eval mode says \\d"))
    here.page.locator(".st-key-draw_pad").get_by_role("button", name="Clear").click()
    expect(here.page.locator(".st-key-one_digit")).to_contain_text("Draw a digit to ask")


def test_both_pages_keep_their_runs(here: Lab) -> None:
    here.click("step")
    here.wait_for_step(lambda step: step == 1)
    here.page.get_by_role("link", name="Live lab").click()
    here.ready()
    assert here.step() == 0
    there(here.page)
    assert here.step() == 1


def test_a_new_server_shows_the_page_to_whoever_comes_to_its_address_first(chromium: Browser, tmp_path: Path) -> None:
    server = Server(tmp_path)
    try:
        page = chromium.new_page()
        page.goto(f"{server.url}/training_and_inference")
        page.wait_for_selector(".st-key-chart_answers .bnviz-chart[data-ready]", timeout=START * 1000)
        expect(page.get_by_role("link", name="Live lab")).to_be_visible()
        page.close()
    finally:
        server.stop()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_scan_finds_nothing_serious(chromium: Browser, server: Server, scheme: str) -> None:
    context = chromium.new_context(viewport={"width": 1400, "height": 1000}, color_scheme=scheme)  # type: ignore[arg-type]
    lab = Lab(context.new_page(), server).open()
    there(lab.page)
    lab.page.get_by_role("radio", name="draw it").click()
    lab.page.wait_for_selector(".st-key-draw_pad svg")
    found = Axe().run(lab.page).response["violations"]
    serious = [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")]
    context.close()
    assert serious == []


def test_a_phone_gets_one_column_and_no_sideways_scrolling(chromium: Browser, server: Server) -> None:
    context: BrowserContext = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    lab = Lab(context.new_page(), server)
    lab.page.goto(f"{server.url}/training_and_inference")
    for key in (*MOVING, *RESTING):
        lab.page.wait_for_selector(f".st-key-{key} .bnviz-chart[data-ready]", timeout=START * 1000)
    assert lab.page.evaluate("document.documentElement.scrollWidth") == 390
    for key in MOVING:
        width = lab.chart(key, "div.clientWidth")
        assert isinstance(width, int)
        assert 300 < width <= 390
    context.close()

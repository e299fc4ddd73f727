"""What a person does on the page "Initialization", in a real browser against the real server."""

import json
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import OWN_QUESTIONS, START, Lab, Server, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PICTURES = tuple(
    f"chart_{name}"
    for name in (
        "weights",
        "propagation",
        "logits",
        "probabilities",
        "schemes",
        "schemes_derived",
        "xavier_normal",
        "he_normal",
        "signs",
    )
)


def drawn(page: Page) -> None:
    for key in PICTURES:
        page.wait_for_selector(f".st-key-{key} .bnviz-chart[data-ready]", timeout=START * 1000)


@pytest.fixture
def here(lab: Lab) -> Iterator[Lab]:
    """The page, opened by its own address."""
    lab.page.goto(f"{lab.server.url}/initialization")
    drawn(lab.page)
    yield lab
    lab.complaints[:] = [said for said in lab.complaints if said != OWN_QUESTIONS]


def alt(lab: Lab, key: str) -> str:
    return lab.page.locator(f".st-key-{key} .bnviz-chart").get_attribute("aria-label") or ""


def words(lab: Lab, key: str) -> str:
    return lab.page.locator(f".st-key-{key} .bnviz-notes").inner_text()


def layers(lab: Lab) -> object:
    return lab.chart("chart_propagation", "div._fullData.find(t => t.name === 'measured 1').x.length")


def findings(lab: Lab) -> str:
    return lab.page.locator(".st-key-initial_findings").inner_text()


def choose(lab: Lab, key: str, option: str) -> None:
    lab.page.locator(f".st-key-{key} input").first.click()
    lab.page.get_by_role("option", name=option, exact=True).click()


def press(lab: Lab, key: str, button: str, times: int = 1) -> None:
    slider = lab.page.locator(f".st-key-{key} input")
    slider.focus()
    for _ in range(times):
        slider.press(button)


def type_width(lab: Lab, width: int) -> None:
    field = lab.page.locator(".st-key-initial_width input")
    field.fill(str(width))
    field.press("Enter")


def test_theory_lies_on_what_is_measured(here: Lab) -> None:
    assert layers(here) == 8
    for panel in (1, 3):  # standard deviation and gradient
        apart = here.chart(
            "chart_propagation",
            "(() => { const y = name => Array.from(div._fullData.find(t => t.name === name).y);"
            f" return y('measured {panel}').map((v, i) => v / y('theory {panel}')[i]); }})()",
        )
        assert isinstance(apart, list)
        assert apart == pytest.approx([1.0] * len(apart), abs=0.3)


def test_charts_follow_the_controls_in_place(here: Lab) -> None:
    here.chart("chart_propagation", "{ div.marked = true }")
    press(here, "initial_depth", "ArrowRight", 3)
    wait_for(lambda: layers(here) == 11, "eleven layers", seconds=10)
    choose(here, "initial_init", "zeros")
    wait_for(lambda: "No gradient reaches the first layer" in findings(here), "zeros", seconds=10)
    wait_for(lambda: "all weights are one value" in words(here, "chart_weights"), "the weights", seconds=10)
    choose(here, "initial_init", "He normal")
    choose(here, "initial_activation", "ReLU")
    wait_for(lambda: "keep their spread" in findings(here), "He for ReLU", seconds=10)
    here.toggle("initial_batchnorm")
    wait_for(lambda: here.page.get_by_text("a shift of its inputs does nothing").count() == 1, "signs", seconds=10)
    press(here, "initial_layer", "End")
    wait_for(lambda: "the output layer: 1,280 weights" in words(here, "chart_weights"), "the last layer", seconds=10)
    assert here.chart("chart_propagation", "div.marked") is True
    before = alt(here, "chart_schemes")
    here.page.locator(".st-key-initial_view button", has_text="spread").click()
    wait_for(lambda: alt(here, "chart_schemes") != before, "the other view", seconds=10)


def test_a_network_is_trained_in_place_and_goes_back(here: Lab) -> None:
    untrained = alt(here, "chart_propagation")
    here.click("initial_train_1")
    wait_for(lambda: "After 1 step " in findings(here), "one step", seconds=15)
    here.click("initial_train_200")
    wait_for(lambda: "After 201 steps" in findings(here), "200 more", seconds=30)
    wait_for(lambda: "after 201 steps" in words(here, "chart_propagation"), "its picture", seconds=15)
    here.click("initial_untrain")
    wait_for(lambda: alt(here, "chart_propagation") == untrained, "the untrained network", seconds=15)


def test_what_does_not_fit_is_refused_and_the_last_pictures_stay(here: Lab) -> None:
    warning = here.page.locator(".st-key-initial_problems [data-testid=stAlert]")
    type_width(here, 600)
    expect(warning).to_contain_text("Width: '600' is not allowed; give a whole number from 1 to 512.")
    assert layers(here) == 8
    press(here, "initial_depth", "End")
    type_width(here, 512)
    expect(warning).to_contain_text("10,240 units are not allowed here; give at most 5,120")
    assert layers(here) == 8
    type_width(here, 16)
    expect(warning).to_have_count(0)
    wait_for(lambda: layers(here) == 20, "twenty layers", seconds=15)


def test_settings_outlast_a_visit_to_another_page(here: Lab) -> None:
    type_width(here, 33)
    choose(here, "initial_init", "orthogonal")
    wait_for(lambda: "25,872 weights" in words(here, "chart_weights"), "33 units", seconds=15)
    here.page.get_by_role("link", name="Inside batchnorm").click()
    here.page.wait_for_selector(".st-key-chart_points .bnviz-chart[data-ready]")
    here.page.get_by_role("link", name="Initialization").click()
    drawn(here.page)
    assert here.page.locator(".st-key-initial_width input").input_value() == "33"
    wait_for(lambda: "25,872 weights" in words(here, "chart_weights"), "33 units", seconds=15)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_scan_finds_nothing_serious(chromium: Browser, server: Server, scheme: str) -> None:
    context = chromium.new_context(viewport={"width": 1400, "height": 1000}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{server.url}/initialization")
    drawn(page)
    serious: list[str] = []

    def clean() -> bool:
        """Looked at again until the page, whose answers come one by one, has come to rest."""
        found = Axe().run(page).response["violations"]
        serious[:] = [
            f"{v['id']}: {[n['target'] for n in v['nodes']]}" for v in found if v["impact"] in ("serious", "critical")
        ]
        return serious == []

    end = time.monotonic() + 15
    while not clean() and time.monotonic() < end:
        page.wait_for_timeout(500)
    assert serious == [], json.dumps(serious, indent=1)
    context.close()


def test_a_phone_gets_one_column_and_no_sideways_scrolling(chromium: Browser, server: Server) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(f"{server.url}/initialization")
    drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    scrollable = "[...document.querySelectorAll('.katex-display')].filter(e => e.scrollWidth > e.clientWidth).length"
    assert page.evaluate(scrollable) == 0
    tops = []
    for key in PICTURES:
        box = page.locator(f".st-key-{key} .bnviz-chart").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        tops.append((box["y"], box["y"] + box["height"]))
    assert all(bottom <= top for (_, bottom), (top, _) in pairwise(tops))
    context.close()

"""What a person does on the page "Initialization", in a real browser against the real server."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Lab, assert_accessible, assert_one_column, wait_for

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


@pytest.fixture
def here(lab: Lab) -> Lab:
    """The page, opened by its own address."""
    return lab.open("initialization", PICTURES)


def alt(lab: Lab, key: str) -> str:
    return lab.page.locator(f".st-key-{key} .bnviz-chart").get_attribute("aria-label") or ""


def layers(lab: Lab) -> object:
    return lab.chart("chart_propagation", "div._fullData.find(t => t.name === 'measured 1').x.length")


def findings(lab: Lab) -> Locator:
    return lab.page.locator(".st-key-initial_findings")


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
    here.press("initial_depth", "ArrowRight", 3)
    wait_for(lambda: layers(here) == 11, "eleven layers")
    here.choose("initial_init", "zeros", exact=True)
    expect(findings(here)).to_contain_text("No gradient reaches the first layer")
    wait_for(lambda: "all weights are one value" in here.words("chart_weights"), "the weights")
    here.choose("initial_init", "He normal", exact=True)
    here.choose("initial_activation", "ReLU", exact=True)
    expect(findings(here)).to_contain_text("keep their spread")
    here.toggle("initial_batchnorm")
    expect(here.page.get_by_text("a shift of its inputs does nothing")).to_have_count(1)
    here.press("initial_layer", "End")
    wait_for(lambda: "the output layer: 1,280 weights" in here.words("chart_weights"), "the last layer")
    assert here.chart("chart_propagation", "div.marked") is True
    before = alt(here, "chart_schemes")
    here.page.locator(".st-key-initial_view button", has_text="spread").click()
    wait_for(lambda: alt(here, "chart_schemes") != before, "the other view")


def test_a_network_is_trained_in_place_and_goes_back(here: Lab) -> None:
    untrained = alt(here, "chart_propagation")
    here.click("initial_train_1")
    expect(findings(here)).to_contain_text("After 1 step ")
    here.click("initial_train_200")
    expect(findings(here)).to_contain_text("After 201 steps")
    wait_for(lambda: "after 201 steps" in here.words("chart_propagation"), "its picture")
    here.click("initial_untrain")
    wait_for(lambda: alt(here, "chart_propagation") == untrained, "the untrained network")


def test_what_does_not_fit_is_refused_and_the_last_pictures_stay(here: Lab) -> None:
    warning = here.page.locator(".st-key-initial_problems [data-testid=stAlert]")
    type_width(here, 600)
    expect(warning).to_contain_text("Width: '600' is not allowed; give a whole number from 1 to 512.")
    assert layers(here) == 8
    here.press("initial_depth", "End")
    type_width(here, 512)
    expect(warning).to_contain_text("10,240 units are not allowed here; give at most 5,120")
    assert layers(here) == 8
    type_width(here, 16)
    expect(warning).to_have_count(0)
    wait_for(lambda: layers(here) == 20, "twenty layers")


def test_settings_outlast_a_visit_to_another_page(here: Lab) -> None:
    type_width(here, 33)
    here.choose("initial_init", "orthogonal", exact=True)
    wait_for(lambda: "25,872 weights" in here.words("chart_weights"), "33 units")
    here.go("Inside batchnorm", ["chart_points"])
    here.go("Initialization", PICTURES)
    expect(here.page.locator(".st-key-initial_width input")).to_have_value("33")
    wait_for(lambda: "25,872 weights" in here.words("chart_weights"), "33 units")


def test_accessibility_scan_finds_nothing_serious(here: Lab) -> None:
    assert_accessible(here.page)


def test_a_phone_gets_one_column_and_no_sideways_scrolling(phone: Lab) -> None:
    assert_one_column(phone.open("initialization", PICTURES), PICTURES)

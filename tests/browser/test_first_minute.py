"""A newcomer's first minute in the live lab: what one click shows, what a change leaves behind, what lasts."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Lab, OpenContext, Server, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FIRST_SCREEN = ("chart_loss", "chart_activations", "chart_saturation")
IN_SIGHT = """keys => keys.map(key => document.querySelector(`.st-key-${key}`).getBoundingClientRect())
  .map(({ top, left, bottom, right, height }) =>
    top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth && height > 0)"""
CARELESS = "?a_init=rand&b_init=rand"


def accuracies(lab: Lab) -> list[float]:
    found = [lab.page.locator(f".bnviz-numbers-{letter}").inner_text() for letter in "ab"]
    return [float(match[1]) for text in found if (match := re.search(r"([\d.]+)%", text))]


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1280, 720)])
def test_one_click_tells_the_story_without_scrolling(
    open_context: OpenContext, server: Server, width: int, height: int
) -> None:
    lab = Lab(open_context(width, height).new_page(), server).open(CARELESS)
    lab.click("play")

    def told() -> bool:
        seen = accuracies(lab)
        why = lab.page.locator(".bnviz-findings li").first
        return len(seen) == 2 and abs(seen[0] - seen[1]) > 40 and "saturated" in (why.text_content() or "")

    wait_for(told, "accuracies 40 points apart, and saturation named as the cause")
    assert lab.step() <= 1500
    assert lab.page.evaluate("scrollY") == 0
    boxes = [*FIRST_SCREEN, "a_batchnorm", "b_batchnorm", "a_init", "b_init", "play", "scrubber_bar"]
    assert dict(zip(boxes, lab.page.evaluate(IN_SIGHT, boxes), strict=True)) == dict.fromkeys(boxes, True)
    first = "document.querySelector('.bnviz-findings li').getBoundingClientRect().top"
    assert float(lab.page.evaluate(first)) < height - 20
    assert lab.complaints == []


def test_back_undoes_the_last_change_and_forward_makes_it_again(lab: Lab) -> None:
    lab.open("?steps=50000")
    lab.toggle("b_batchnorm")
    wait_for(lambda: lab.parameters().get("b_batchnorm") == "off", "the address")
    lab.toggle("a_batchnorm")
    wait_for(lambda: lab.parameters().get("a_batchnorm") == "on", "the address")
    switches = [lab.page.locator(f".st-key-{letter}_batchnorm input") for letter in "ab"]
    lab.page.go_back()
    expect(switches[0]).not_to_be_checked()
    expect(switches[1]).not_to_be_checked()
    lab.page.go_back()
    expect(switches[1]).to_be_checked()
    assert lab.parameters() == {"steps": "50000"}
    lab.page.go_forward()
    expect(switches[1]).not_to_be_checked()
    wait_for(lambda: lab.parameters() == {"steps": "50000", "b_batchnorm": "off"}, "the address of the change")


def test_a_flip_leaves_the_old_curve_as_a_ghost_and_the_changed_network_catches_up(lab: Lab) -> None:
    lab.open(f"{CARELESS}&steps=150")
    lab.speed("max")
    lab.click("play")
    expect(lab.page.locator(".st-key-status")).to_contain_text("finished")
    lab.toggle("a_batchnorm")
    expect(lab.page.locator(".st-key-chart_loss .bnviz-notes")).to_contain_text("no batchnorm before")
    expect(lab.page.locator(".st-key-status")).to_contain_text("finished")
    wait_for(lambda: len(accuracies(lab)) == 2 and min(accuracies(lab)) > 20, "two networks that learn")


def test_a_change_that_keeps_the_weights_goes_on_after_the_end(lab: Lab) -> None:
    lab.open(f"{CARELESS}&steps=300")
    lab.speed("max")
    lab.click("play")
    expect(lab.page.locator(".st-key-status")).to_contain_text("finished")
    before = accuracies(lab)[0]
    lab.page.get_by_text("is made now, the weights stay").click()
    lab.toggle("a_batchnorm")
    wait_for(lambda: lab.parameters().get("steps") == "600", "as many steps again")
    lab.wait_for_step(lambda step: step == 600)
    wait_for(lambda: accuracies(lab)[0] > before + 15, "the rescue")
    labels = "(div.layout.shapes || []).map(s => s.label?.text).join()"
    assert "batchnorm on" in str(lab.chart("chart_loss", labels))


def test_a_pinned_run_outlives_a_reload_and_can_be_let_go(lab: Lab) -> None:
    lab.open(f"{CARELESS}&steps=60")
    lab.speed("max")
    lab.click("play")
    expect(lab.page.locator(".st-key-status")).to_contain_text("finished")
    lab.click("pin")
    expect(lab.page.get_by_text("Pinned runs")).to_be_visible()
    lab.page.reload()
    lab.ready()
    expect(lab.page.locator(".st-key-chart_loss .bnviz-notes")).to_contain_text("no batchnorm, pin 1")
    lab.click("unpin_1")
    expect(lab.page.get_by_text("Pinned runs")).to_have_count(0)


def test_the_history_shows_every_chart_as_it_was_and_training_goes_on_from_the_end(lab: Lab) -> None:
    lab.open(f"{CARELESS}&steps=300")
    lab.speed("max")
    lab.click("play")
    expect(lab.page.locator(".st-key-status")).to_contain_text("finished")
    lab.press("scrubber", "Home")
    expect(lab.page.locator(".bnviz-scrubber-shown")).to_contain_text("step 0, as it was")
    expect(lab.page.locator(".st-key-chart_saturation [role=figure]")).to_have_attribute(
        "aria-label", re.compile("at step 0")
    )
    lab.page.locator(".st-key-scrubber button").click()
    expect(lab.page.locator(".st-key-chart_saturation [role=figure]")).to_have_attribute(
        "aria-label", re.compile("at step 300")
    )


def test_presenting_has_keys_for_what_a_lecture_needs(lab: Lab) -> None:
    lab.open("?steps=100000")
    lab.click("present")
    expect(lab.page.locator(".st-key-keys_help")).to_be_visible()
    expect(lab.page.get_by_test_id("stHeader")).to_be_hidden()
    lab.page.keyboard.press("ArrowRight")
    lab.wait_for_step(lambda step: step == 1)
    lab.page.keyboard.press("5")
    lab.page.keyboard.press("Space")
    lab.plays()
    lab.wait_for_step(lambda step: step > 20)
    lab.page.keyboard.press("b")
    wait_for(lambda: lab.parameters().get("b_batchnorm") == "off", "the flip")
    lab.page.keyboard.press("Space")
    lab.stands()
    lab.click("present")
    expect(lab.page.locator(".st-key-keys_help")).to_have_count(0)
    lab.page.keyboard.press("ArrowRight")  # no key of the lab's any more
    assert not lab.playing()


def test_presenting_ends_with_the_page(lab: Lab) -> None:
    lab.open("results", ()).go("Live lab")
    lab.click("present")
    body, presenting = lab.page.locator("body"), re.compile("bnviz-presenting")
    expect(body).to_have_class(presenting)
    lab.page.go_back()
    expect(lab.page.get_by_role("heading", name="Results", exact=True)).to_be_visible()
    expect(body).not_to_have_class(presenting)


FOCUSED = """() => {
  const focused = document.activeElement;
  return focused.closest("[class*=st-key-]")?.className.match(/st-key-([\\w-]+)/)?.[1] ?? focused.textContent;
}"""


def test_every_control_is_a_few_tabs_from_a_skip_link(lab: Lab) -> None:
    lab.open(CARELESS)

    def reached_from(link: str) -> set[str]:
        lab.page.get_by_role("link", name=link).focus()
        lab.page.keyboard.press("Enter")
        found = set()
        for _ in range(12):
            lab.page.keyboard.press("Tab")
            found.add(str(lab.page.evaluate(FOCUSED)))
        return found

    lab.page.evaluate("document.activeElement.blur()")
    lab.page.keyboard.press("Tab")
    assert lab.page.evaluate(FOCUSED) == "Skip to the controls"
    controls = {"play", "reset", "new_seed", "speed", "keep_weights"}
    controls |= {f"{letter}_{name}" for letter in "ab" for name in ("batchnorm", "init", "init_scale")}
    # More than once, because a rerun of the page that comes in between may take the focus elsewhere.
    wait_for(lambda: reached_from("Skip to the controls") >= controls, "all controls within 12 Tabs")
    lab.click("step")  # an untrained run has no history to go back in
    lab.wait_for_step(lambda step: step == 1)
    charts = {"layer", "place", "bars", "scrubber", "next_step_0", "next_step_1", "next_step_2"}
    wait_for(lambda: reached_from("Skip to the charts") >= charts, "all choices of the charts within 12 Tabs")

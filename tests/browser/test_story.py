"""The story in a real browser: each kind of guess, addresses, what a reload keeps, a phone and the keyboard."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Lab, assert_accessible, drag, script_has_run, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def chapter(lab: Lab, number: int) -> Lab:
    """The page of a chapter, waiting for a guess."""
    lab.page.goto(f"{lab.server.url}/story/{number}")
    expect(lab.page.locator(".st-key-guess_skip button")).to_be_visible()
    script_has_run(lab.page)
    return lab


def record(lab: Lab) -> None:
    expect(lab.page.locator(".st-key-guess_record button")).to_be_enabled()
    lab.click("guess_record")


def revealed(lab: Lab) -> str:
    """What a run showed, once it has ended."""
    expect(lab.page.locator(".st-key-reveal")).to_contain_text("Measured.")
    return lab.page.locator(".st-key-reveal").inner_text()


def path(lab: Lab) -> str:
    found: str = lab.page.evaluate("location.pathname")
    return found


def heading(lab: Lab, words: str) -> None:
    expect(lab.page.get_by_role("heading", level=1)).to_have_text(words)


def test_a_drawn_curve_is_the_ghost_beside_the_measured_loss(lab: Lab) -> None:
    chapter(lab, 1)
    drag(lab.page.locator(".bnviz-guess .plot"), (0.02, 0.3), (0.98, 0.9))
    record(lab)
    lab.ready(["chart_loss", "chart_accuracy"])
    words = revealed(lab)
    assert re.search(
        r"Your curve is \d\.\d\d nats from the measured one on average; at its end you drew 0\.\d\d", words
    )
    assert "learned nothing" in words
    ghost = "div.data.filter(t => t.name === 'your guess').map(t => t.line.dash)"
    assert lab.chart("chart_loss", ghost) == ["dash"]
    assert "dashed grey: your guess" in lab.words("chart_loss")


def test_a_point_is_placed_by_keyboard_and_outlives_a_reload_of_the_tab(lab: Lab) -> None:
    chapter(lab, 2)
    plot = lab.page.get_by_role("slider", name="Your point")
    expect(plot).to_have_attribute("aria-valuetext", re.compile("input of tanh"))  # it listens
    for _ in range(3):
        plot.press("Shift+ArrowRight")
    expect(plot).to_have_attribute("aria-valuetext", "input of tanh 33, output 1")
    record(lab)
    assert "You put the point at 33.00; measured:" in revealed(lab)
    lab.page.reload()
    expect(lab.page.locator(".st-key-guess_bar")).to_contain_text("Your guess: 33.00")
    assert path(lab) == "/story/2"
    assert "128 of 128" in wait_for(lambda: lab.words("chart_saturation"), "the run of before the reload")


def test_a_choice_leads_on_and_the_way_back_stays_in_the_story(lab: Lab) -> None:
    chapter(lab, 3)
    lab.page.locator(".st-key-guess_3").get_by_text("better", exact=True).click()
    record(lab)
    assert "You guessed: better. Right." in revealed(lab)
    lab.page.get_by_role("link", name="Next: 4 · Xavier and He").click()
    heading(lab, "4 · Xavier and He")
    assert path(lab) == "/story/4"
    lab.page.go_back()
    heading(lab, "3 · Scale by 0.01")
    expect(lab.page.locator(".st-key-guess_bar")).to_contain_text("Your guess: better")
    lab.page.go_forward()
    heading(lab, "4 · Xavier and He")
    lab.page.get_by_role("link", name="Chapter 13: Yours").click()
    expect(lab.page.get_by_role("cell", name="You guessed: better. Right.")).to_be_visible()
    lab.page.get_by_role("link", name="Skip to the lab").click()
    lab.ready(["chart_loss"])
    assert path(lab) == "/"


def test_a_chapter_is_accessible_and_what_opens_it_by_keyboard_is_near(lab: Lab) -> None:
    chapter(lab, 0)
    assert_accessible(lab.page)
    record(lab)
    lab.ready(["chart_class_shares"])
    assert "2.303" in revealed(lab)
    assert_accessible(lab.page)


def test_the_first_page_leads_to_a_chapter_and_a_wrong_number_to_the_first_page(lab: Lab) -> None:
    lab.page.goto(f"{lab.server.url}/story/99")
    heading(lab, "The story of batch normalization")
    assert path(lab) == "/story"
    lab.page.get_by_role("link", name="Begin with chapter 0").click()
    heading(lab, "0 · What is loss 2.30?")
    assert path(lab) == "/story/0"


@pytest.mark.parametrize("number", [1, 6, 9])
def test_a_chapter_fits_a_phone(phone: Lab, number: int) -> None:
    chapter(phone, number)
    wide = phone.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 1
    box = phone.page.locator(".st-key-guess_skip button").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390


def test_the_points_of_the_batch_by_hand_are_moved_by_keyboard(lab: Lab) -> None:
    chapter(lab, 6)
    lab.click("guess_skip")
    lab.ready(["chart_points", "chart_bias"])
    assert "The ringed point goes from (5.25, −2.11) to (0.48, −0.41)." in revealed(lab)
    points = lab.page.get_by_role("slider", name="The points of the batch")
    for _ in range(5):
        points.press("ArrowUp")
    expect(lab.page.locator(".st-key-reveal")).to_contain_text("The ringed point goes from (5.25, −1.71)")
    points.press("PageDown")
    expect(points).to_have_attribute("aria-valuetext", re.compile(r"^point 2 of 20: "))

"""The page on training and inference, in a real browser: statistics, sliders, and one digit picked or drawn."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests.browser.conftest import Lab, Server, assert_accessible, assert_one_column, drag, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MOVING = ("chart_running_stats", "chart_statistics_error", "chart_inference")
CHARTS = (*MOVING, "chart_bessel", "chart_digit", "chart_answers")
PAGE = "Training and inference"


@pytest.fixture
def here(lab: Lab) -> Lab:
    return lab.open("training_and_inference", CHARTS)


def labels(lab: Lab) -> object:
    """The changes that are marked on the curves."""
    return lab.chart("chart_running_stats", "(div.layout.shapes || []).map(s => s.label?.text)")


def answers(lab: Lab) -> Locator:
    return lab.page.locator(".st-key-one_digit")


def test_the_running_statistics_chase_the_population(here: Lab) -> None:
    here.wait_for_step(lambda step: step == 0)
    here.click("play")
    here.wait_for_step(lambda step: step > 300)
    expect(here.page.locator(".bnviz-findings")).to_contain_text("standard deviations off those of the population")
    here.pause()
    first, last = here.chart(  # running minus population, at the first and the last step
        "chart_running_stats",
        "(() => { const y = name => div.calcdata.find(c => c[0].trace.name === name).map(p => p.y);"
        " const off = y('running').map((v, i) => Math.abs(v - y('population')[i])); return [off[0], off.at(-1)]; })()",
    )
    assert last < first / 3
    assert here.chart("chart_inference", "div.calcdata.length") == 6


def test_the_momentum_slider_marks_the_change_on_the_network_as_it_is(here: Lab) -> None:
    here.click("step")
    here.wait_for_step(lambda step: step == 1)
    here.press("bn_momentum", "ArrowLeft", 5)
    told = here.page.locator(".st-key-bn_momentum input").get_attribute("aria-valuetext")
    wait_for(lambda: labels(here) == [f"running momentum {told}"], f"one marker for the whole way, to {told}")
    assert here.step() == 1


def test_an_answer_in_eval_mode_is_the_same_in_every_company(here: Lab) -> None:
    expect(answers(here)).to_contain_text("are exactly equal")
    expect(answers(here)).to_contain_text("refused. Batch statistics need a batch of at least 2 digits, got 1")
    here.click("play")
    here.wait_for_step(lambda step: step > 300)
    here.pause()
    wait_for(lambda: f"At step {here.step():,}:" in answers(here).inner_text(), "answers of the network as it is")
    expect(answers(here)).to_contain_text("are exactly equal")
    here.choose("bn_inference", "the batch at hand")
    expect(answers(here)).to_contain_text("have probabilities up to")


def test_a_digit_is_picked_by_keyboard(here: Lab) -> None:
    before = here.chart("chart_digit", "JSON.stringify(div.data[0].z)")
    field = here.page.locator(".st-key-digit_place input")
    field.fill("5")
    field.press("Enter")
    wait_for(lambda: here.chart("chart_digit", "JSON.stringify(div.data[0].z)") != before, "another digit")
    expect(answers(here)).to_contain_text("test digit 5, labelled 4")


def test_a_drawn_digit_is_asked_about_and_wiped(here: Lab) -> None:
    here.page.get_by_role("radio", name="draw it").click()
    expect(answers(here)).to_contain_text("Draw a digit to ask")
    drag(here.page.locator(".st-key-draw_pad svg[role=img]"), (0.5, 0.1), (0.5, 0.9))
    expect(answers(here)).to_contain_text("drawn, then scaled and centred")
    expect(answers(here)).to_contain_text(re.compile("Eval mode says \\d"))
    here.page.locator(".st-key-draw_pad").get_by_role("button", name="Clear").click()
    expect(answers(here)).to_contain_text("Draw a digit to ask")


def test_the_network_is_folded_and_leaves_as_files(here: Lab, tmp_path: Path) -> None:
    here.click("step")
    here.wait_for_step(lambda step: step == 1)
    here.click("fold")
    section = here.page.locator(".st-key-folded")
    expect(section).to_contain_text("Folded after 1 step: over 2,000 test digits")
    expect(section).to_contain_text("All digits get the same class")
    expect(section).to_contain_text("times as fast on one digit")
    expect(section).to_contain_text("Fold last.")
    for key, name in (("export_folded_pt", "folded.pt"), ("export_folded_py", "folded.py")):
        with here.page.expect_download() as download:
            here.page.locator(f".st-key-{key} button").click()
        assert download.value.suggested_filename == name
        download.value.save_as(tmp_path / name)
    asked = subprocess.run([sys.executable, "folded.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Linear(in_features=784, out_features=128, bias=True)" in asked.stdout
    assert "BatchNorm" not in asked.stdout
    here.choose("bn_inference", "the batch at hand")
    here.click("fold")
    expect(section).to_contain_text("No answer: inference: give 'running' or 'population'")


def test_both_pages_keep_their_runs(here: Lab) -> None:
    here.click("step")
    here.wait_for_step(lambda step: step == 1)
    here.go("Live lab").wait_for_step(lambda step: step == 0)
    here.go(PAGE, CHARTS).wait_for_step(lambda step: step == 1)


def test_a_new_server_shows_the_page_to_whoever_comes_to_its_address_first(
    context: BrowserContext, tmp_path: Path
) -> None:
    server = Server(tmp_path)
    try:
        page = Lab(context.new_page(), server).open("training_and_inference", CHARTS).page
        expect(page.get_by_role("link", name="Live lab")).to_be_visible()
    finally:
        server.stop()


def test_accessibility_scan_finds_nothing_serious(here: Lab) -> None:
    here.page.get_by_role("radio", name="draw it").click()
    here.page.wait_for_selector(".st-key-draw_pad svg")
    assert_accessible(here.page)


def test_a_phone_gets_one_column_and_no_sideways_scrolling(phone: Lab) -> None:
    assert_one_column(phone.open("training_and_inference", CHARTS), MOVING)


def test_the_network_of_the_lab_is_named_and_trained_here_with_one_click(lab: Lab) -> None:
    lab.open("training_and_inference?steps=200&width=16&b_init=normal&b_bn_momentum=0.5", CHARTS)
    watched = lab.page.locator(".st-key-watched_network")
    expect(watched).to_contain_text(
        "1 hidden layer of 16 tanh neurons, init N(0,1), batchnorm (running momentum 0.5), on MNIST. "
        "It is the live lab's network."
    )
    lab.press("bn_momentum", "ArrowLeft", 5)
    expect(watched).to_contain_text("The live lab's network has running momentum 0.5.")
    lab.click("train_here")
    expect(watched).to_contain_text("Trained here")
    assert lab.step() == 200
    expect(watched).to_contain_text("It is the live lab's network.")
    expect(lab.page.locator(".st-key-bn_momentum .bnviz-slider-value")).to_have_text("0.5")

"""The page on the loss landscape, in a real browser: sliders that move contours, a run that is watched, and scans."""

import re

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import SCRIPT, Lab, assert_accessible, assert_one_column, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

RAVINE = ("chart_ravine", "chart_ravine_standardized", "chart_ravine_batchnorm", "chart_ravine_loss")
BANDS = ("chart_loss_band", "chart_predictiveness", "chart_smoothness", "chart_effective_rate", "chart_gap")
BY_ITSELF = ("chart_scaling", "chart_batch_noise")
ASKED = ("chart_landscape", "chart_sharpness", "chart_largest_rate")  # folded until they are
ALL = (*RAVINE, *BANDS, *BY_ITSELF)
ASK = (("scan", "chart_landscape"), ("sharpness", "chart_sharpness"))
ADDRESS = "loss_landscape?width=16&steps=300"


def start(lab: Lab) -> list[float]:
    """Where the descent on raw inputs begins."""
    found: list[float] = lab.chart("chart_ravine", "[div.calcdata[1][0].x, div.calcdata[1][0].y]")
    return found


def click_the_ravine(lab: Lab, across: float, down: float) -> None:
    plot = lab.page.locator(".st-key-chart_ravine .nsewdrag").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    x, y = box["x"] + across * box["width"], box["y"] + down * box["height"]
    lab.page.mouse.move(x, y, steps=3)
    lab.page.mouse.click(x, y)


def choose_the_plane_of_the_path(lab: Lab) -> None:
    lab.choose("scan_kind", "the plane of the path")
    expect(lab.page.locator(".st-key-scan_reach input")).to_be_disabled()


UNANSWERED = f"{SCRIPT.format('live_slider')}.movesOf('ravine_{{}}').unanswered"


def rests(lab: Lab, slider: str) -> None:
    """Until Streamlit has answered what the slider told."""
    lab.page.wait_for_function(f"async () => {UNANSWERED.format(slider)} === undefined")


def test_sliders_and_clicks_replay_the_descents(lab: Lab) -> None:
    lab.open("loss_landscape", RAVINE)
    assert "condition number 25" in lab.words("chart_ravine")
    assert "condition number 1;" in lab.words("chart_ravine_standardized")
    slider = lab.page.locator(".st-key-ravine_rate input")
    slider.focus()
    with lab.page.expect_response(re.compile("/bnviz/figures/.*ravine_rate=")) as answer:  # past Streamlit
        slider.press("End")
    assert answer.value.ok
    wait_for(lambda: "diverges" in lab.words("chart_ravine"), "a rate that is too large without batchnorm")
    assert "diverges" not in lab.words("chart_ravine_batchnorm")
    slider.press("Home")
    wait_for(lambda: "diverges" not in lab.words("chart_ravine"), "a small rate")

    contours = "div.querySelectorAll('.contourlayer path').length"
    for key in RAVINE[:3]:
        assert lab.chart(key, contours) > 10  # a number

    before = start(lab)

    def clicked() -> bool:
        click_the_ravine(lab, 0.8, 0.2)  # Plotly does not hear of it while it draws
        return start(lab) != before

    wait_for(clicked, "another start")
    x, y = start(lab)
    assert x > 1
    assert y > 1
    wait_for(lambda: lab.chart("chart_ravine_batchnorm", "div.calcdata[1][0].x") == x, "the same start for all")
    expect(lab.page.locator(".st-key-ravine_w1 .bnviz-slider-value")).to_have_text(f"{x:.2f}")


def test_a_slider_that_is_moved_there_and_back_is_answered_too(lab: Lab) -> None:
    lab.open("loss_landscape", RAVINE)
    for _ in range(2):  # what it tells the second time is what it told before
        for key in ("ArrowRight", "ArrowLeft"):
            lab.press("ravine_w1", key)
        rests(lab, "w1")
    lab.press("ravine_w1", "End")
    lab.press("ravine_w2", "End")  # the first was left before it rested
    rests(lab, "w1")
    rests(lab, "w2")
    wait_for(lambda: start(lab) == [3, 3], "the start that both sliders say")


def test_a_slider_without_figures_of_its_own_moves_the_charts_when_it_rests(lab: Lab) -> None:
    asked: list[str] = []

    def say_nothing(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(json={})

    lab.open("loss_landscape", RAVINE)
    lab.press("ravine_w1", "End")
    rests(lab, "w1")
    lab.press("ravine_w1", "Home")
    wait_for(lambda: start(lab)[0] == -3, "the start at the left, drawn ahead")
    lab.page.route("**/bnviz/figures/*", say_nothing)
    lab.press("ravine_w1", "End")
    wait_for(lambda: start(lab)[0] == 3, "the start at the right again")
    lab.press("ravine_rate", "End")
    wait_for(lambda: "diverges" in lab.words("chart_ravine"), "a rate that is too large without batchnorm")
    assert asked


def test_a_run_is_watched_scanned_and_saved(lab: Lab) -> None:
    lab.open(ADDRESS, (*RAVINE, *BANDS))
    for button, chart in ASK:
        expect(lab.page.locator(f".st-key-{chart}_place")).to_contain_text("Nothing")
        lab.page.locator(f".st-key-{button} button").first.click()
        expect(lab.page.locator(f".st-key-{chart}_place")).not_to_contain_text("Nothing")
    lab.speed("max")
    lab.click("play")
    wait_for(lambda: "finished" in lab.page.locator(".st-key-status").inner_text(), "the end of the run")
    expect(lab.page.locator(".bnviz-findings")).to_contain_text("Effective β-smoothness over the newest quarter")
    points = "div.calcdata[0].length"  # Plotly hears of the last of them when the chart is at rest
    wait_for(lambda: lab.chart("chart_smoothness", points) == 21, "every kept step")
    under_way = re.compile("Scanning|Lanczos iteration")
    for button, chart in ASK:
        expect(lab.page.locator(f".st-key-{chart}")).not_to_contain_text(under_way)
        lab.page.locator(f".st-key-{button} button").first.click()
        # Else the next click might come within milliseconds, and Streamlit hear of it alone.
        expect(lab.page.locator(f".st-key-{chart}")).to_contain_text(re.compile(f"{under_way.pattern}|step 300"))
    landscape = lab.page.locator(".st-key-chart_landscape")
    expect(landscape).to_contain_text("step 300")
    expect(landscape).to_contain_text(re.compile("flatter with(out)? batchnorm here"))
    assert lab.chart("chart_landscape", "div.data.filter(t => t.type === 'contour').length") == 2
    expect(lab.page.locator(".st-key-chart_sharpness")).to_contain_text(re.compile(r"(?<!no )batchnorm: λmax"))
    expect(lab.page.locator(".st-key-chart_scaling")).to_contain_text("with weights 8 times as large")
    expect(lab.page.locator(".st-key-chart_batch_noise")).to_contain_text("Batch means of 32 digits")

    with lab.page.expect_download() as picture:
        lab.page.locator(".st-key-chart_landscape .bnviz-save").click()
    assert picture.value.suggested_filename == "chart_landscape.png"
    assert picture.value.path().read_bytes().startswith(b"\x89PNG")
    with lab.page.expect_download() as table:
        lab.page.locator(".st-key-scan_csv button").click()
    assert len(table.value.path().read_text().splitlines()) == 1 + 2 * 25**2

    lab.page.reload()
    expect(landscape).to_contain_text(re.compile("flatter with(out)? batchnorm here"))
    choose_the_plane_of_the_path(lab)
    lab.page.locator(".st-key-scan button").first.click()
    expect(landscape).to_contain_text(re.compile(r"this plane holds \d+% of the squared distances"))
    wait_for(lambda: lab.chart("chart_landscape", "div.data.filter(t => t.name === 'path').length") == 2, "the paths")
    ends = "[div.layout.yaxis2.domain[1], div.layout.yaxis.domain[0]]"
    assert lab.chart("chart_landscape", ends) == [1, 0]
    lab.page.set_viewport_size({"width": 390, "height": 844})
    wait_for(lambda: lab.chart("chart_landscape", f"(([b, a]) => b < a)({ends})"), "one panel below the other")


def test_a_long_search_is_cancelled_and_says_nothing(lab: Lab) -> None:
    lab.open(ADDRESS, (*RAVINE, *BANDS))
    found = lab.page.locator(".st-key-chart_largest_rate")
    lab.page.locator(".st-key-rates button").first.click()
    expect(found).to_contain_text("Bisection")
    lab.page.locator(".st-key-rates_cancel button").click()
    expect(lab.page.locator(".st-key-chart_largest_rate_place")).to_contain_text("Nothing searched yet")
    choose_the_plane_of_the_path(lab)
    lab.page.locator(".st-key-scan button").first.click()
    expect(lab.page.locator(".st-key-chart_landscape")).to_contain_text("train some steps first")


def test_one_button_scans_measures_and_searches(lab: Lab) -> None:
    lab.open(ADDRESS, ALL)
    for chart in ASKED:
        expect(lab.page.locator(f".st-key-{chart}")).to_have_count(0)
    lab.click("measure_all")
    lab.ready(ASKED)
    expect(lab.page.locator(".st-key-chart_landscape")).to_contain_text("step 0")


def test_the_run_leads_and_the_ravine_comes_last_with_its_three_pictures_level(lab: Lab) -> None:
    lab.page.set_viewport_size({"width": 1280, "height": 720})
    lab.open(ADDRESS, ALL)

    def top(key: str) -> float:
        box = lab.page.locator(f".st-key-{key} .bnviz-chart").bounding_box()
        assert box is not None
        return box["y"]

    assert top("chart_ravine") > max(top(key) for key in (*BANDS, *BY_ITSELF))
    wait_for(lambda: len({round(top(key)) for key in RAVINE[:3]}) == 1, "ravines side by side, on one height")


def test_accessibility_scan_finds_nothing_serious(lab: Lab) -> None:
    lab.open(ADDRESS, ALL)
    lab.click("measure_all")
    assert_accessible(lab.ready(ASKED).page)


def test_on_a_phone_it_is_one_column(phone: Lab) -> None:
    assert_one_column(phone.open(ADDRESS, ALL), (*RAVINE[:3], *BANDS))

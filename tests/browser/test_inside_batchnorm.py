"""What a person does on the page "Inside batchnorm", in a real browser against the real server."""

import json
import re
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import OWN_QUESTIONS, START, Lab, Server, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PICTURES = tuple(
    f"chart_{name}"
    for name in (
        "points",
        "histograms",
        "graph",
        "gradients_check",
        "axes",
        "bias",
        "scale",
        "scale_gradient",
        "runaway",
    )
)

TEXTS = "div.layout.annotations.filter(a => a.name).map(a => a.text)"


def drawn(page: Page) -> None:
    for key in PICTURES:
        page.wait_for_selector(f".st-key-{key} .bnviz-chart[data-ready]", timeout=START * 1000)


@pytest.fixture
def inside(lab: Lab) -> Iterator[Lab]:
    """The page, opened by its own address."""
    lab.page.goto(f"{lab.server.url}/inside_batchnorm")
    drawn(lab.page)
    yield lab
    lab.complaints[:] = [said for said in lab.complaints if said != OWN_QUESTIONS]


def data(lab: Lab, key: str, trace: str) -> list[list[float]]:
    """x and y of a trace."""
    found = lab.chart(key, f"[...'xy'].map(axis => Array.from(div._fullData.find(t => t.name === '{trace}')[axis]))")
    assert isinstance(found, list)
    return found


def press(lab: Lab, key: str, button: str, times: int = 1) -> None:
    slider = lab.page.locator(f".st-key-{key} input")
    slider.focus()
    for _ in range(times):
        slider.press(button)


def words(lab: Lab, key: str) -> str:
    return lab.page.locator(f".st-key-{key} .bnviz-notes").inner_text()


def test_the_batch_is_normalized_on_arrival(inside: Lab) -> None:
    assert len(data(inside, "chart_points", "before")[0]) == 20
    assert "after: mean 0.00 and 0.00, deviation 1.00 and 1.00" in words(inside, "chart_points")
    expect(inside.page.get_by_role("link", name="Live lab")).to_be_visible()


def test_the_gamma_slider_stretches_one_dimension_in_place(inside: Lab) -> None:
    before = data(inside, "chart_points", "after")
    inside.chart("chart_points", "{ div.marked = true }")
    press(inside, "gamma", "ArrowRight", 20)  # 20 steps of 0.05
    wait_for(lambda: "deviation 2.00 and 1.00" in words(inside, "chart_points"), "γ₁ = 2")
    after = data(inside, "chart_points", "after")
    assert after[0] == pytest.approx([2 * v for v in before[0]], rel=1e-5)
    assert after[1] == before[1]
    assert inside.page.locator(".st-key-gamma .bnviz-slider-value").inner_text() == "2.00"
    assert inside.chart("chart_points", "div.marked") is True


def test_the_pictures_follow_while_the_slider_is_dragged(inside: Lab) -> None:
    box = inside.page.locator(".st-key-beta_2 input").bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    inside.page.mouse.move(box["x"] + box["width"] / 2, y)
    inside.page.mouse.down()
    for share in (0.6, 0.7, 0.8):
        shown = words(inside, "chart_points")
        inside.page.mouse.move(box["x"] + share * box["width"], y)
        wait_for(lambda shown=shown: words(inside, "chart_points") != shown, f"the picture at {share}", seconds=5)
    inside.page.mouse.up()
    told = float(inside.page.locator(".st-key-beta_2 .bnviz-slider-value").inner_text())
    assert told == pytest.approx(6, abs=1)  # the thumb was not grabbed at its very middle
    wait_for(lambda: f"after: mean 0.00 and {told:.2f}" in words(inside, "chart_points"), "the last place")


def test_gamma_sigma_and_beta_mu_give_the_input_back(inside: Lab) -> None:
    inside.click("identity")
    said = inside.page.get_by_text("Largest difference between output and input:")
    expect(said).to_contain_text(re.compile(r"input: (0|(\d\.\d · )?10⁻¹[⁴⁵⁶⁷⁸⁹])\."))
    before, after = data(inside, "chart_points", "before"), data(inside, "chart_points", "after")
    assert after[0] == pytest.approx(before[0], abs=1e-5)
    assert after[1] == pytest.approx(before[1], abs=1e-5)
    inside.click("standard")
    expect(said).not_to_contain_text("10⁻")


def test_the_graph_runs_forward_and_backward_for_any_point(inside: Lab) -> None:
    forward = inside.chart("chart_graph", TEXTS)
    assert isinstance(forward, list)
    assert len(forward) == 11
    assert forward[0].startswith("<b>x</b><br>(20, 2)<br>")
    press(inside, "follow", "ArrowRight")
    wait_for(lambda: inside.chart("chart_graph", TEXTS) != forward, "the next point")
    inside.page.locator(".st-key-way button", has_text="backward").click()
    wait_for(lambda: "∂x = ∂c + ∂μ / N" in str(inside.chart("chart_graph", TEXTS)), "the gradients")


def test_closed_form_steps_and_autograd_agree_to_the_last_digits(inside: Lab) -> None:
    row = inside.page.locator(".st-key-chart_gradients_check tr", has_text="PyTorch autograd")
    for gamma in ("γ₁ = 1", "another γ₁"):
        expect(row, gamma).to_have_count(1, timeout=START * 1000)
        for cell in row.locator("td").all_inner_texts():
            assert re.fullmatch(r"0|(\d\.\d · )?10⁻¹[³⁴⁵⁶⁷⁸⁹]", cell)
        press(inside, "gamma", "ArrowRight", 3)


def type_into(inside: Lab, cell: tuple[float, float], text: str, taken: Callable[[], object]) -> None:
    """Replace what a cell of the table holds; again where its editor, which the first key opens, missed a key."""

    def once() -> bool:
        inside.page.mouse.click(*cell)
        inside.page.keyboard.type(text, delay=200)
        inside.page.keyboard.press("Enter")
        end = time.monotonic() + 5
        while not (done := bool(taken())) and time.monotonic() < end:
            time.sleep(0.05)
        return done

    wait_for(once, f"{text} in the table")


def test_a_point_out_of_range_is_refused_and_the_last_picture_stays(inside: Lab) -> None:
    before = data(inside, "chart_points", "before")
    cells = inside.page.locator(".st-key-points_0 canvas").first.bounding_box()
    assert cells is not None
    first = cells["x"] + 120, cells["y"] + 52
    warning = inside.page.locator("[data-testid=stAlert]")
    type_into(inside, first, "99", lambda: warning.count() and "99" in warning.inner_text())
    expect(warning).to_contain_text("Row 1, x₁: 99 is not allowed; give one from -20 to 20.")
    assert data(inside, "chart_points", "before") == before
    inside.page.mouse.click(*first)
    inside.page.keyboard.press("Delete")
    expect(warning).to_contain_text("Row 1, x₁: empty; give a number from -20 to 20.")
    assert data(inside, "chart_points", "before") == before
    type_into(inside, first, "7", lambda: warning.count() == 0)
    expect(warning).to_have_count(0)
    wait_for(lambda: data(inside, "chart_points", "before")[0][0] == 7, "the point")


def test_new_points_come_with_a_table_of_their_own(inside: Lab) -> None:
    before = data(inside, "chart_points", "before")
    inside.click("new_points")
    wait_for(lambda: data(inside, "chart_points", "before") != before, "new points")
    assert inside.page.locator(".st-key-points_1 canvas").count() > 0


def test_bias_scale_and_runaway_answer_their_sliders(inside: Lab) -> None:
    out = "div._fullData.filter(t => t.xaxis === 'x2').map(t => Array.from(t.y))"
    for key, chart, button in (("bias", "chart_bias", "Home"), ("scale", "chart_scale", "End")):
        outputs, seen = inside.chart(chart, out), inside.updates(chart)
        press(inside, key, button)
        wait_for(lambda chart=chart, seen=seen: inside.updates(chart) > seen, f"an update of {chart}")
        assert inside.chart(chart, out) == outputs
    assert inside.chart("chart_bias", "div.ariaLabel") == "A bias of -10 moves the inputs, not the outputs"
    assert words(inside, "chart_scale_gradient").strip() == "0.1 × that at a = 1; 1/a = 0.1"
    press(inside, "steps", "End")
    wait_for(lambda: len(data(inside, "chart_runaway", "bias b, kept out")[0]) == 501, "500 steps")
    kept_out, through = (data(inside, "chart_runaway", f"bias b, {way}")[1] for way in ("kept out", "through"))
    assert kept_out[-1] > 50
    assert abs(through[-1]) < 1e-6
    inside.toggle("learn_beta")
    wait_for(lambda: data(inside, "chart_runaway", "loss, through")[1][-1] < 0.3, "β at work")
    press(inside, "channel", "ArrowRight")
    wait_for(lambda: "column 3" in words(inside, "chart_axes"), "the third channel")


def test_the_batch_may_be_what_reaches_the_live_runs_layer(lab: Lab) -> None:
    lab.open()
    lab.page.get_by_role("link", name="Inside batchnorm").click()
    drawn(lab.page)
    lab.page.locator(".st-key-source button", has_text="live run").click()
    wait_for(lambda: len(data(lab, "chart_points", "before")[0]) == 64, "64 digits", seconds=15)
    assert lab.chart("chart_points", "div.layout.xaxis.title.text") == "unit 1"
    assert "deviation 1.00 and 1.00" in words(lab, "chart_points")
    lab.page.get_by_role("link", name="Live lab").click()  # and back: the lab's charts go on moving
    lab.ready()
    lab.click("play")
    seen = lab.updates("chart_loss")
    wait_for(lambda: lab.updates("chart_loss") > seen + 5, "the run")


def test_without_a_live_run_the_page_says_where_to_get_one(inside: Lab) -> None:
    inside.page.locator(".st-key-source button", has_text="live run").click()
    expect(inside.page.get_by_text("This tab has no live run yet.")).to_be_visible()
    assert len(data(inside, "chart_points", "before")[0]) == 20


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_scan_finds_nothing_serious(chromium: Browser, server: Server, scheme: str) -> None:
    context = chromium.new_context(viewport={"width": 1400, "height": 1000}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{server.url}/inside_batchnorm")
    drawn(page)
    found = Axe().run(page).response["violations"]
    serious = [
        f"{v['id']}: {[n['target'] for n in v['nodes']]}" for v in found if v["impact"] in ("serious", "critical")
    ]
    assert serious == [], json.dumps(serious, indent=1)
    context.close()


def test_a_phone_gets_one_column_and_no_sideways_scrolling(chromium: Browser, server: Server) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(f"{server.url}/inside_batchnorm")
    drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    tops = []
    for key in PICTURES:
        box = page.locator(f".st-key-{key} .bnviz-chart").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        tops.append((box["y"], box["y"] + box["height"]))
    assert all(bottom <= top for (_, bottom), (top, _) in pairwise(tops))
    context.close()

"""What a person does on the page "Inside batchnorm", in a real browser against the real server."""

import re
from functools import partial

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import (
    Lab,
    assert_accessible,
    assert_one_column,
    at_rest,
    grab,
    move,
    script_has_run,
    wait_for,
)

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


@pytest.fixture
def inside(lab: Lab) -> Lab:
    """The page, opened by its own address."""
    return lab.open("inside_batchnorm", PICTURES)


def data(lab: Lab, key: str, trace: str) -> list[list[float]]:
    """x and y of a trace."""
    found = lab.chart(key, f"[...'xy'].map(axis => Array.from(div._fullData.find(t => t.name === '{trace}')[axis]))")
    assert isinstance(found, list)
    return found


def test_the_gamma_slider_stretches_one_dimension_in_place(inside: Lab) -> None:
    before = data(inside, "chart_points", "after")
    inside.chart("chart_points", "{ div.marked = true }")
    inside.press("gamma", "ArrowRight", 20)  # 20 steps of 0.05
    wait_for(lambda: "deviation 2.00 and 1.00" in inside.words("chart_points"), "γ₁ = 2")
    doubled = [pytest.approx([2 * v for v in before[0]], rel=1e-5), before[1]]
    wait_for(lambda: data(inside, "chart_points", "after") == doubled, "the first dimension twice as wide")
    expect(inside.page.locator(".st-key-gamma .bnviz-slider-value")).to_have_text("2.00")
    assert inside.chart("chart_points", "div.marked") is True


def test_the_pictures_follow_while_the_slider_is_dragged(inside: Lab) -> None:
    def points_differ(shown: str) -> bool:
        return inside.words("chart_points") != shown

    slider = inside.page.locator(".st-key-beta_2 input")
    grab(slider, 0.5, 0.5)
    for share in (0.6, 0.7, 0.8):
        shown = inside.words("chart_points")
        move(slider, share, 0.5)
        wait_for(partial(points_differ, shown), f"the picture at {share}")
    inside.page.mouse.up()
    told = float(inside.page.locator(".st-key-beta_2 .bnviz-slider-value").inner_text())
    assert told == pytest.approx(6, abs=1)  # the thumb was not grabbed at its very middle
    wait_for(lambda: f"after: mean 0.00 and {told:.2f}" in inside.words("chart_points"), "the last place")


def test_gamma_sigma_and_beta_mu_give_the_input_back(inside: Lab) -> None:
    inside.click("identity")
    said = inside.page.get_by_text("Largest difference between output and input:")
    expect(said).to_contain_text(re.compile(r"input: (0|(\d(\.\d)? · )?10⁻¹[⁴⁵⁶⁷⁸⁹])\."))
    before = [pytest.approx(values, abs=1e-5) for values in data(inside, "chart_points", "before")]
    wait_for(lambda: data(inside, "chart_points", "after") == before, "the input")
    inside.click("standard")
    expect(said).not_to_contain_text("10⁻")


def test_the_graph_runs_forward_and_backward_for_any_point(inside: Lab) -> None:
    forward = inside.chart("chart_graph", TEXTS)
    assert isinstance(forward, list)
    assert len(forward) == 11
    assert forward[0].startswith("<b>x</b><br>(20, 2)<br>")
    inside.press("follow", "ArrowRight")
    wait_for(lambda: inside.chart("chart_graph", TEXTS) != forward, "the next point")
    inside.page.locator(".st-key-way button", has_text="backward").click()
    wait_for(lambda: "∂x = ∂c + ∂μ / N" in str(inside.chart("chart_graph", TEXTS)), "the gradients")


def differences(lab: Lab) -> list[str]:
    """What PyTorch's autograd differs from the closed form in; empty until it has answered."""
    row = lab.page.locator(".st-key-chart_gradients_check tr", has_text="PyTorch autograd")
    return row.locator("td").all_inner_texts()


def test_closed_form_steps_and_autograd_agree_to_the_last_digits(inside: Lab) -> None:
    tiny = re.compile(r"0|(\d(\.\d)? · )?10⁻¹[³⁴⁵⁶⁷⁸⁹]")
    found = wait_for(lambda: differences(inside), "PyTorch's answer")
    assert [cell for cell in found if not tiny.fullmatch(cell)] == []
    seen = inside.updates("chart_gradients_check")
    inside.press("gamma", "ArrowRight", 3)
    wait_for(lambda: inside.updates("chart_gradients_check") > seen, "the answer for another γ₁")
    assert [cell for cell in differences(inside) if not tiny.fullmatch(cell)] == []


def choose_first_cell(lab: Lab) -> None:
    """The first point's x₁; a second click on a chosen cell would open its editor."""
    table = lab.page.locator(".st-key-points_0 [data-testid=stDataFrame]")
    at_rest(table)
    table.click(position={"x": 120, "y": 52})


def type_into_chosen_cell(lab: Lab, text: str) -> None:
    script_has_run(lab.page)
    lab.page.keyboard.press("Enter")
    editor = lab.page.locator("#portal input")
    editor.fill(text)
    editor.press("Enter")
    expect(editor).to_have_count(0)


def test_a_point_out_of_range_is_refused_and_new_points_come_with_a_table_of_their_own(inside: Lab) -> None:
    before = data(inside, "chart_points", "before")
    warning = inside.page.locator("[data-testid=stAlert]")
    choose_first_cell(inside)
    type_into_chosen_cell(inside, "99")
    expect(warning).to_contain_text("Row 1, x₁: 99 is not allowed; give one from -20 to 20.")
    assert data(inside, "chart_points", "before") == before
    choose_first_cell(inside)
    inside.page.keyboard.press("Delete")
    expect(warning).to_contain_text("Row 1, x₁: empty; give a number from -20 to 20.")
    assert data(inside, "chart_points", "before") == before
    type_into_chosen_cell(inside, "7")
    expect(warning).to_have_count(0)
    wait_for(lambda: data(inside, "chart_points", "before")[0][0] == 7, "the point")
    before = data(inside, "chart_points", "before")
    inside.click("new_points")
    wait_for(lambda: data(inside, "chart_points", "before") != before, "new points")
    expect(inside.page.locator(".st-key-points_1 canvas").first).to_be_attached()


def test_bias_scale_and_runaway_answer_their_sliders(inside: Lab) -> None:
    out = "div._fullData.filter(t => t.xaxis === 'x2').map(t => Array.from(t.y))"
    for key, chart, button in (("bias", "chart_bias", "Home"), ("scale", "chart_scale", "End")):
        outputs, seen = inside.chart(chart, out), inside.updates(chart)
        inside.press(key, button)
        inside.wait_for_updates(chart, seen + 1)
        assert inside.chart(chart, out) == outputs
    bias = inside.page.locator(".st-key-chart_bias .bnviz-chart")
    expect(bias).to_have_attribute("aria-label", "A bias of -10 moves the inputs, not the outputs")
    gradient = inside.page.locator(".st-key-chart_scale_gradient .bnviz-notes")
    expect(gradient).to_have_text("0.1 × that at a = 1; 1/a = 0.1")
    inside.press("steps", "End")
    wait_for(lambda: len(data(inside, "chart_runaway", "bias b, kept out")[0]) == 501, "500 steps")
    kept_out, through = (data(inside, "chart_runaway", f"bias b, {way}")[1] for way in ("kept out", "through"))
    assert kept_out[-1] > 50
    assert abs(through[-1]) < 1e-6
    inside.toggle("learn_beta")
    wait_for(lambda: data(inside, "chart_runaway", "loss, through")[1][-1] < 0.3, "β at work")
    inside.press("channel", "ArrowRight")
    wait_for(lambda: "column 3" in inside.words("chart_axes"), "the third channel")


def test_the_batch_may_be_what_reaches_the_live_runs_layer(lab: Lab) -> None:
    lab.open().go("Inside batchnorm", PICTURES)
    lab.page.locator(".st-key-source button", has_text="live run").click()
    wait_for(lambda: len(data(lab, "chart_points", "before")[0]) == 64, "64 digits")
    assert lab.chart("chart_points", "div.layout.xaxis.title.text") == "unit 1"
    assert "deviation 1.00 and 1.00" in lab.words("chart_points")
    lab.go("Live lab")  # and back: the lab's charts go on moving
    lab.click("play")
    seen = lab.updates("chart_loss")
    wait_for(lambda: lab.updates("chart_loss") > seen + 5, "the run")


def test_points_are_normalized_on_arrival_and_without_a_live_run_the_page_says_where_to_get_one(
    inside: Lab,
) -> None:
    assert len(data(inside, "chart_points", "before")[0]) == 20
    assert "after: mean 0.00 and 0.00, deviation 1.00 and 1.00" in inside.words("chart_points")
    expect(inside.page.get_by_role("link", name="Live lab")).to_be_visible()
    inside.page.locator(".st-key-source button", has_text="live run").click()
    expect(inside.page.get_by_text("This tab has no live run yet.")).to_be_visible()
    assert len(data(inside, "chart_points", "before")[0]) == 20


def test_accessibility_scan_finds_nothing_serious(inside: Lab) -> None:
    assert_accessible(inside.page)


def test_a_phone_gets_one_column_and_no_sideways_scrolling(phone: Lab) -> None:
    assert_one_column(phone.open("inside_batchnorm", PICTURES), PICTURES)

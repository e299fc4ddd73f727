"""Marks that are moved without Plotly stand where Plotly would have drawn them."""

from itertools import count
from pathlib import Path

import pytest

from tests.browser.conftest import CHARTS, SCRIPT, Lab, at_rest, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

COMPARE = Path(__file__).with_name("moved_marks.js").read_text()
CHART = f"{SCRIPT.format('chart/charts')}.chartOf(div)"


def test_moved_marks_stand_where_plotly_draws_them(lab: Lab) -> None:
    """Every chart of the lab: lines, areas, markers, bars and heat maps, on linear and logarithmic axes."""
    lab.open("?steps=100000")
    lab.page.evaluate(COMPARE)
    lab.click("play")
    lab.wait_for_step(lambda step: step > 300)
    found = {key: lab.chart(key, f"await compareMovedMarks(div, {CHART})") for key in CHARTS}
    assert found == {key: [] for key in CHARTS}


# The label under the mouse, the point that it names, and whether the newest figure has that point there.
LABEL = """(() => {
  const label = div.querySelector(".hoverlayer .hovertext")?.textContent;
  const point = div._hoverdata?.[0];
  if (!label || !point) return null;
  const newest = div.calcdata[point.curveNumber].some(({ x, y }) => x === point.x && y === point.y);
  return { label, x: point.x, y: point.y, newest };
})()"""


def test_hover_says_the_value_under_it_while_the_run_moves(lab: Lab) -> None:
    lab.open("?steps=100000&log_loss=on")
    lab.click("play")
    lab.wait_for_step(lambda step: step > 100)
    wait_for(lambda: lab.chart("chart_activations", f"{CHART}.isAhead"), "marks that were moved")
    panel = lab.page.locator(".st-key-chart_loss .nsewdrag").first
    panel.hover()
    newest = "Math.max(...div.calcdata.flat().map(p => p.x).filter(isFinite))"
    assert lab.chart("chart_loss", f"{CHART}.isAhead") is False
    reached = lab.step()
    wait_for(lambda: float(str(lab.chart("chart_loss", newest))) > reached, "newer values under the mouse")
    assert lab.chart("chart_loss", f"{CHART}.isAhead") is False

    box = at_rest(panel)
    told: set[str] = set()
    places = count()

    def hovered() -> bool:
        """Whether three labels have been read, along the beginning of the curves, which are drawn all the time."""
        column, row = divmod(next(places), 8)
        across, down = 0.02 + 0.01 * (column % 8), 0.15 + 0.1 * row
        lab.page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
        if found := lab.chart("chart_loss", LABEL):
            assert found["newest"], found
            assert f"step {round(found['x']):,}" in found["label"], found
            assert f"{found['y']:.3f} nats" in found["label"], found
            told.add(found["label"])
        return len(told) >= 3

    wait_for(hovered, "labels under the mouse")
    assert lab.playing()


def test_plotly_knows_every_value_once_the_run_rests(lab: Lab) -> None:
    lab.open("?steps=100000")
    lab.click("play")
    lab.wait_for_step(lambda step: step > 100)
    lab.pause()
    for key in CHARTS:
        wait_for(lambda key=key: lab.chart(key, f"{CHART}.isAhead") is False, f"Plotly's own {key}")  # type: ignore[misc]


SMALL = "steps=20000&width=16&hidden_layers=2&a_init=normal&b_init=normal"
OTHER_PAGES = {
    "covariate_shift": ("chart_shift",),
    "depth_and_architecture": ("chart_gradient_flow", "chart_reach", "chart_loss", "chart_accuracy"),
    "training_and_inference": ("chart_running_stats", "chart_statistics_error", "chart_inference"),
    "loss_landscape": ("chart_smoothness",),
}  # the others are left to Plotly: closed outlines, and axes that grow


@pytest.mark.parametrize("page", OTHER_PAGES)
def test_moved_marks_of_other_pages_stand_where_plotly_draws_them(page: str, lab: Lab) -> None:
    charts = OTHER_PAGES[page]
    lab.open(f"{page}?{SMALL}", charts)
    lab.page.evaluate(COMPARE)
    lab.click("play")
    lab.wait_for_step(lambda step: step > 300)
    found = {key: lab.chart(key, f"await compareMovedMarks(div, {CHART})") for key in charts}
    assert found == {key: [] for key in charts}


COUNT_DRAWINGS = """(() => {
  window.drawn = 0;
  const { react } = window.Plotly;
  window.Plotly.react = (div, ...rest) => {
    window.drawn += Number(div.closest(".st-key-chart_saturation") !== null);
    return react(div, ...rest);
  };
})()"""


def test_figures_that_come_slowly_are_moved_too(lab: Lab) -> None:
    """If Plotly drew whenever a figure is a little late, a slow machine would be slower yet."""
    lab.open("?steps=100000")
    lab.speed("1")
    lab.click("play")
    lab.wait_for_step(lambda step: step > 2)
    lab.page.evaluate(COUNT_DRAWINGS)
    before = lab.updates("chart_saturation")
    wait_for(lambda: lab.updates("chart_saturation") >= before + 8, "eight figures of a slow run")
    assert lab.page.evaluate("window.drawn") <= 3

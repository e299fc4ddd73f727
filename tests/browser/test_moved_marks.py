"""Marks that are moved without Plotly stand where Plotly would have drawn them."""

from pathlib import Path

import pytest

from tests.browser.conftest import CHARTS, SCRIPT, Lab, wait_for

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


def test_plotly_knows_every_value_once_the_run_rests(lab: Lab) -> None:
    lab.open("?steps=100000")
    lab.click("play")
    lab.wait_for_step(lambda step: step > 100)
    lab.pause()
    for key in CHARTS:
        wait_for(lambda key=key: lab.chart(key, f"{CHART}.isAhead") is False, f"Plotly's own {key}")  # type: ignore[misc]

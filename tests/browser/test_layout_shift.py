"""What is on the screen stays where it is: the cumulative layout shift of every page, as Chromium measures it."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Lab, OpenContext, Server, at_rest, script_has_run

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = (
    "",
    "story",
    "story/1",
    "story/6",
    "inside_batchnorm",
    "training_and_inference",
    "initialization",
    "covariate_shift",
    "depth_and_architecture",
    "loss_landscape",
    "sweep",
    "results",
    "my_network_does_not_train",
)
SHIFTS = """{
  window.shifts = [];
  new PerformanceObserver(list => {
    for (const { value, startTime, sources } of list.getEntries()) {
      window.shifts.push({ value, at: startTime, what: sources.map(s => s.node?.className ?? "").join(" | ") });
    }
  }).observe({ type: "layout-shift", buffered: true });
  window.shifted = (since) => window.shifts.filter(s => s.at >= since).reduce((sum, s) => sum + s.value, 0);
}"""


@pytest.mark.parametrize("address", PAGES)
def test_a_page_stays_where_it_is_while_it_opens(address: str, open_context: OpenContext, server: Server) -> None:
    lab = Lab(open_context(1440, 900).new_page(), server)
    lab.page.add_init_script(SHIFTS)
    lab.page.goto(f"{server.url}/{address}")
    lab.page.wait_for_selector("h1, .bnviz-chart, .bnviz-links")
    script_has_run(lab.page)
    lab.page.wait_for_timeout(1000)  # for what comes late
    assert lab.page.evaluate("window.shifted(0)") <= 0.1, lab.page.evaluate("window.shifts")
    assert lab.complaints == []


def test_nothing_jumps_through_train_flip_and_finish(lab: Lab) -> None:
    lab.page.add_init_script(SHIFTS)
    lab.open("?a_init=rand&b_init=rand&steps=400")
    drawn = float(lab.page.evaluate("performance.now()"))
    at_rest(lab.page.locator(".st-key-play button"))
    lab.click("play")
    lab.wait_for_step(lambda step: step > 100)
    lab.toggle("b_batchnorm")
    expect(lab.page.locator(".st-key-status")).to_contain_text("finished")
    lab.page.wait_for_timeout(500)
    shifts = lab.page.evaluate("window.shifts")
    assert lab.page.evaluate("window.shifted(0)") <= 0.1, shifts
    assert lab.page.evaluate(f"window.shifted({drawn})") <= 0.01, shifts

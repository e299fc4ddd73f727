"""Links, Back and clicks while the page has something to tell the server."""

import pytest
from playwright.sync_api import Locator

from tests.browser.conftest import Lab, script_has_run, wait_for
from tests.browser.test_loss_landscape import RAVINE, rests

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# window.outdate() answers the page's standing question for news: it is out of date and must run again.
OUTDATE = """{
  const fetched = window.fetch;
  let told = 0;
  const news = () => JSON.stringify({ version: `x${told}`, page: `x${told++}`, html: {}, figures: {}, rerun: true });
  const outdated = () => new Promise((resolve) => { window.outdate = () => resolve(new Response(news())); });
  window.fetch = (url, ...options) => {
    const answer = fetched(url, ...options);
    return String(url).includes("/bnviz/news/") ? Promise.race([answer, outdated()]) : answer;
  };
}"""

# Whatever waits for ten seconds or longer waits for ever.
NEVER = (
    "{ const later = setTimeout; window.setTimeout = (f, ms, ...rest) => (ms < 10000 ? later(f, ms, ...rest) : 0); }"
)


@pytest.fixture
def here(lab: Lab) -> Lab:
    lab.page.add_init_script(OUTDATE)
    return lab.open("initialization", ["chart_propagation"])


def link(lab: Lab, page: str) -> Locator:
    return lab.page.get_by_role("link", name=page)


def test_a_link_is_followed_though_an_answer_comes_at_that_moment(here: Lab) -> None:
    link(here, "Inside batchnorm").evaluate("link => { link.click(); window.outdate(); }")
    here.ready(["chart_points"])
    assert here.page.url.endswith("/inside_batchnorm")


def test_back_is_followed_though_an_answer_comes_at_that_moment(here: Lab) -> None:
    here.go("Inside batchnorm", ["chart_points"])
    here.go("Initialization", ["chart_propagation"])
    here.page.evaluate("addEventListener('popstate', () => window.outdate()); history.back()")
    here.ready(["chart_points"])
    assert here.page.url.endswith("/inside_batchnorm")


def test_a_slider_that_is_moved_at_that_moment_is_found_where_it_was_left(lab: Lab) -> None:
    lab.open("loss_landscape", ["chart_ravine"])
    link(lab, "Inside batchnorm").evaluate(
        """link => {
          link.click();
          const slider = document.querySelector(".st-key-ravine_rate input");
          slider.value = slider.max;
          for (const event of ["input", "pointerup"]) slider.dispatchEvent(new Event(event));
        }"""
    )
    lab.ready(["chart_points"])
    lab.go("Loss landscape", ["chart_ravine"])
    wait_for(lambda: "diverges" in lab.words("chart_ravine"), "the rate that was chosen")


def test_a_link_to_the_page_itself_holds_nothing_back(here: Lab) -> None:
    here.page.add_init_script(NEVER)
    here.open("initialization", ["chart_propagation"])
    link(here, "Inside batchnorm").evaluate(
        "(there, here) => { there.click(); here.click(); }", link(here, "Initialization").element_handle()
    )
    here.press("initial_layer", "End")
    wait_for(lambda: "the output layer" in here.words("chart_weights"), "the last layer")


def test_a_picture_that_is_saved_holds_nothing_back(lab: Lab) -> None:
    lab.page.add_init_script(NEVER)
    lab.open("loss_landscape", RAVINE)
    with lab.page.expect_download():  # by a link to another address, which Plotly clicks
        lab.page.locator(".st-key-chart_ravine .bnviz-save").click()
    lab.press("ravine_w1", "End")
    rests(lab, "w1")


def test_a_click_is_not_overtaken_by_an_answer(lab: Lab) -> None:
    lab.page.add_init_script(OUTDATE)
    lab.open("?steps=100000")
    for step in range(1, 11):
        script_has_run(lab.page)
        lab.page.locator(".st-key-step button").evaluate("button => { button.click(); window.outdate(); }")
        lab.wait_for_step(lambda now, step=step: now == step)

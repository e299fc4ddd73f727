"""Links, Back and clicks while the page has something to tell the server."""

import operator
from functools import partial

import pytest
from playwright.sync_api import Locator

from tests.browser.conftest import Lab, script_has_run, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# After `await asked()`, outdate() answers the page's standing question for news: it is out of date and must run again.
OUTDATE = """{
  const fetched = window.fetch;
  let told = 0;
  let standing;
  const news = () => JSON.stringify({ version: `x${told}`, page: `x${told++}`, html: {}, figures: {}, rerun: true });
  window.fetch = (url, ...options) => {
    const answer = fetched(url, ...options);
    if (!String(url).includes("/bnviz/news/")) return answer;
    const outdated = new Promise((resolve) => { standing = () => resolve(new Response(news())); });
    const mine = standing;
    answer.catch(() => {}).then(() => { if (standing === mine) standing = undefined; });
    return Promise.race([answer, outdated]);
  };
  window.outdate = () => { standing?.(); standing = undefined; };
  window.asked = async () => { while (!standing) await new Promise(requestAnimationFrame); };
}"""

# Whatever waits for ten seconds or longer waits for ever.
NEVER = (
    "{ const later = setTimeout; window.setTimeout = (f, ms, ...rest) => (ms >= 10000 ? 0 : later(f, ms, ...rest)); }"
)


@pytest.fixture
def here(lab: Lab) -> Lab:
    lab.page.add_init_script(OUTDATE)
    return lab.open("initialization", ["chart_propagation"])


def link(lab: Lab, page: str) -> Locator:
    return lab.page.get_by_role("link", name=page)


def test_a_link_is_followed_though_an_answer_comes_at_that_moment(here: Lab) -> None:
    link(here, "Inside batchnorm").evaluate("async link => { await asked(); link.click(); outdate(); }")
    here.ready(["chart_points"])
    assert here.page.url.endswith("/inside_batchnorm")


def test_a_link_is_followed_though_the_tab_tells_its_id_at_that_moment(lab: Lab) -> None:
    lab.page.add_init_script(
        """{
          const keep = Storage.prototype.setItem;
          Storage.prototype.setItem = function (name, ...rest) {
            keep.call(this, name, ...rest);
            if (name !== "bnviz-tab") return;
            Storage.prototype.setItem = keep;
            [...document.querySelectorAll("a")].find((a) => a.pathname === "/initialization").click();
          };
        }"""
    )
    lab.page.goto(f"{lab.server.url}/inside_batchnorm")
    lab.ready(["chart_propagation"])
    script_has_run(lab.page)
    assert lab.page.url.endswith("/initialization")


def test_back_is_followed_though_an_answer_comes_at_that_moment(here: Lab) -> None:
    here.go("Inside batchnorm", ["chart_points"])
    here.go("Initialization", ["chart_propagation"])
    here.page.evaluate("asked().then(() => { addEventListener('popstate', () => outdate()); history.back(); })")
    here.ready(["chart_points"])
    script_has_run(here.page)
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


def test_a_reload_on_a_page_about_something_else_keeps_the_experiment_of_the_lab(lab: Lab) -> None:
    lab.open("?steps=300&a_init=normal").go("Inside batchnorm", ["chart_points"])
    lab.page.reload()
    lab.ready(["chart_points"])
    lab.go("Live lab")
    assert lab.parameters() == {"steps": "300", "a_init": "normal"}


def test_a_link_to_the_page_itself_holds_nothing_back(here: Lab) -> None:
    here.page.add_init_script(NEVER)
    here.open("initialization", ["chart_propagation"])
    link(here, "Inside batchnorm").evaluate(
        "(there, here) => { there.click(); here.click(); }", link(here, "Initialization").element_handle()
    )
    here.press("initial_layer", "End")
    wait_for(lambda: "the output layer" in here.words("chart_weights"), "the last layer")


def test_a_click_is_not_overtaken_by_an_answer(lab: Lab) -> None:
    lab.page.add_init_script(OUTDATE)
    lab.open("?steps=100000")
    for step in range(1, 11):
        script_has_run(lab.page)
        lab.page.locator(".st-key-step button").evaluate(
            "async button => { await asked(); button.click(); outdate(); }"
        )
        lab.wait_for_step(partial(operator.eq, step))

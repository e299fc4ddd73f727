"""The page of sweeps, in a real browser."""

import json
from itertools import chain

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from bnviz import sweep as sweeps
from bnviz.config import NetworkConfig, TrainingConfig
from bnviz.settings import to_query
from bnviz.sweep import Axis, Sweep
from tests.browser.conftest import OWN_QUESTIONS, START, Lab, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SMALL = Sweep(
    (Axis("learning_rate", choices=(0.05, 0.2)), Axis("init", choices=("rand_fan_in", "xavier_normal", "normal"))),
    training=TrainingConfig(steps=40),
    network=NetworkConfig(width=16),
)


def opened(lab: Lab, sweep: Sweep) -> Lab:
    query = "&".join(f"{k}={v}" for k, v in sweeps.to_query(sweep).items())
    lab.page.goto(f"{lab.server.url}/sweep?{query}")
    lab.page.wait_for_selector(".st-key-chart_sweep .bnviz-chart[data-ready]", timeout=START * 1000)
    return lab


def progress(lab: Lab) -> str:
    return lab.page.locator(".st-key-sweep_progress").inner_text()


def values(lab: Lab, key: str) -> list[list[float]]:
    found = lab.chart(key, "Array.from(div._fullData[0].z, row => Array.from(row))")
    assert isinstance(found, list)
    return found


def test_a_grid_is_watched_learning_and_a_cell_opens_in_the_live_lab(lab: Lab) -> None:
    page = opened(lab, SMALL).page
    expect(page.locator(".st-key-sweep_progress")).to_contain_text("12 networks")
    expect(page.locator(".st-key-sweep_progress")).to_contain_text("about 0:0", timeout=START * 1000)
    lab.click("sweep_start")
    wait_for(lambda: "finished" in progress(lab), "the end of the sweep", 2 * START)
    for key in ("chart_sweep_off", "chart_sweep_on", "chart_sweep_gain"):
        wait_for(lambda key=key: None not in chain(*values(lab, key)), f"values in every cell of {key}")
    ranges = [
        lab.chart(f"chart_sweep_{k}", "[div.layout.coloraxis.cmin, div.layout.coloraxis.cmax]") for k in ("off", "on")
    ]
    assert ranges[0] == ranges[1]
    serious = [v["id"] for v in Axe().run(page).response["violations"] if v["impact"] in ("serious", "critical")]
    assert serious == []

    before = values(lab, "chart_sweep_on")
    page.reload()
    page.wait_for_selector(".st-key-chart_sweep_on .bnviz-chart[data-ready]", timeout=START * 1000)
    wait_for(lambda: values(lab, "chart_sweep_on") == before, "the same results after a reload")
    assert "finished" in progress(lab)

    with page.expect_download() as download:
        page.locator(".st-key-chart_sweep_on .bnviz-png").click()
    assert download.value.suggested_filename == "bnviz_sweep_on.png"

    cell = lab.chart(
        "chart_sweep_on",
        "(({left, top}, {_fullLayout: {xaxis: x, yaxis: y}}) =>"
        " [left + x._offset + x.l2p(1), top + y._offset + y.l2p(1)])(div.getBoundingClientRect(), div)",
    )
    assert isinstance(cell, list)
    page.mouse.move(*cell)
    page.wait_for_selector(".st-key-chart_sweep_on .hoverlayer .hovertext")
    page.mouse.click(*cell)
    lab.ready()
    wait_for(lambda: lab.parameters() == to_query(SMALL.pair([1, 1])), "the address of the cell")
    lab.complaints[:] = [c for c in lab.complaints if c != OWN_QUESTIONS]


def test_a_long_sweep_is_paused_resumed_and_cancelled(lab: Lab) -> None:
    long = Sweep((Axis("init_scale", 0.01, 1.0, 4, "log"),), training=TrainingConfig(steps=100_000))
    page = opened(lab, long).page
    lab.click("sweep_start")
    wait_for(lambda: "network-steps/s" in progress(lab), "the sweep to run")
    lab.click("sweep_pause")
    wait_for(lambda: "paused" in progress(lab), "the pause")
    expect(page.locator(".st-key-sweep_pause")).to_contain_text("Resume")
    lab.click("sweep_pause")
    wait_for(lambda: "network-steps/s" in progress(lab), "the sweep to go on")
    lab.click("sweep_cancel")
    wait_for(lambda: "cancelled" in progress(lab), "the end")
    expect(page.locator(".st-key-sweep_start button")).to_be_enabled()
    expect(page.locator(".st-key-sweep_cancel button")).to_be_disabled()

    page.set_viewport_size({"width": 390, "height": 844})
    wait_for(lambda: page.evaluate("document.documentElement.scrollWidth") == 390, "no sideways scrolling")
    lab.complaints[:] = [c for c in lab.complaints if c != OWN_QUESTIONS]


def test_a_mistake_is_named_and_a_file_brings_a_definition(lab: Lab) -> None:
    page = lab.page
    page.goto(f"{lab.server.url}/sweep?x=init_scale:0..1:5:log&seeds=99")
    expect(page.locator(".st-key-problems")).to_contain_text("a log range cannot start at 0", timeout=START * 1000)
    expect(page.locator(".st-key-problems")).to_contain_text(
        "seeds: '99' is not allowed; give a whole number from 1 to 10"
    )
    field = page.locator(".st-key-sweep_init_scale_count input")
    field.fill("4000")
    field.press("Enter")
    expect(page.get_by_text("This is a sweep of 8,000 networks; at most 4,096 are allowed.")).to_be_visible()
    expect(page.locator(".st-key-sweep_start button")).to_be_disabled()
    page.get_by_role("button", name="Share and export").click()
    definition = json.dumps({"axes": [{"key": "init", "choices": ["rand", "normal"]}], "batchnorm": "on", "seeds": 2})
    page.locator(".st-key-sweep_upload input[type=file]").set_input_files(
        {"name": "sweep.json", "mimeType": "application/json", "buffer": definition.encode()}
    )
    wanted = sweeps.to_query(sweeps.from_json(definition))
    wait_for(lambda: lab.parameters() == wanted, "the definition's address")
    lab.complaints[:] = [c for c in lab.complaints if c != OWN_QUESTIONS]

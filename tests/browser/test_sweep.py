"""The page of sweeps, in a real browser."""

import csv
import io
import json
import math
import re
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from playwright.sync_api import expect

from bnviz.experiment import sweep_addresses
from bnviz.experiment.addresses import to_query
from bnviz.experiment.config import NetworkConfig, TrainingConfig
from bnviz.experiment.sweep import Axis, Sweep
from bnviz.export.sweep import from_parquet
from bnviz.ui.sections.sweep_example import FILE
from tests.browser.conftest import Lab, assert_accessible, assert_one_column, at_rest, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SMALL = Sweep(
    (Axis("learning_rate", choices=(0.05, 0.2)), Axis("init", choices=("rand_fan_in", "xavier_normal", "normal"))),
    training=TrainingConfig(steps=40),
    network=NetworkConfig(width=16),
)
LONG = Sweep((Axis("init_scale", 0.01, 1.0, 4, "log"),), training=TrainingConfig(steps=100_000))
MAPS = ("chart_sweep_off", "chart_sweep_on", "chart_sweep_gain")


def opened(lab: Lab, sweep: Sweep) -> Lab:
    query = "&".join(f"{k}={v}" for k, v in sweep_addresses.to_query(sweep).items())
    return lab.open(f"sweep?{query}", MAPS if len(sweep.axes) == 2 else ("chart_sweep_lines",))


def shows(lab: Lab, words: str) -> None:
    expect(lab.page.locator(".st-key-sweep_progress")).to_contain_text(re.compile(words))


def values(lab: Lab, key: str) -> list[list[float | None]]:
    found = lab.chart(key, "Array.from(div._fullData[0].z, row => Array.from(row))")
    assert isinstance(found, list)
    return found


def filled(lab: Lab, key: str) -> bool:
    return None not in [value for row in values(lab, key) for value in row]


def saved(lab: Lab, button: str, name: str) -> bytes:
    with lab.page.expect_download() as download:
        lab.page.locator(f".st-key-{button} button").click()
    assert download.value.suggested_filename == name
    return Path(download.value.path()).read_bytes()


def test_a_grid_is_watched_learning_and_a_cell_opens_in_the_live_lab(lab: Lab) -> None:
    opened(lab, SMALL)
    shows(lab, r"12 networks.*about 0:\d\d on")
    for key in MAPS:  # before a cell has a value
        assert lab.chart(key, "Array.from(div.querySelectorAll('.xtick text'), t => t.textContent)") == ["0.05", "0.2"]
    lab.click("sweep_start")
    shows(lab, "finished")
    for key in MAPS:
        wait_for(partial(filled, lab, key), f"values in every cell of {key}")
    expect(lab.page.locator(".bnviz-findings")).to_contain_text("Training succeeds")
    ends = "[div.layout.coloraxis.cmin, div.layout.coloraxis.cmax]"
    assert lab.chart("chart_sweep_off", ends) == lab.chart("chart_sweep_on", ends)
    lab.page.mouse.move(0, 0)  # a button under the mouse has another colour
    assert_accessible(lab.page)

    before = values(lab, "chart_sweep_on")
    lab.page.reload()
    lab.ready(MAPS)
    wait_for(lambda: values(lab, "chart_sweep_on") == before, "the same results after a reload")
    shows(lab, "finished")
    with lab.page.expect_download() as download:
        lab.page.locator(".st-key-chart_sweep_on .bnviz-save").click()
    assert download.value.suggested_filename == "chart_sweep_on.png"

    lab.page.get_by_role("button", name="Share and export").click()
    table = list(csv.DictReader(io.StringIO(saved(lab, "sweep_csv", "sweep.csv").decode())))
    losses = [math.log10(float(row["train_loss"])) for row in table if row["batchnorm"] == "True"]
    assert losses == pytest.approx(np.array(before).T.flatten().tolist(), abs=1e-4)  # what the colours stand for
    parquet = pyarrow.parquet.read_table(io.BytesIO(saved(lab, "sweep_parquet", "sweep.parquet"))).to_pylist()
    assert [row["test_accuracy"] for row in parquet] == pytest.approx([float(row["test_accuracy"]) for row in table])
    assert sweep_addresses.from_json(saved(lab, "sweep_json", "sweep.json")) == SMALL
    lab.page.keyboard.press("Escape")

    box = at_rest(lab.page.locator(".st-key-chart_sweep_on .nsewdrag"))
    cell = box["x"] + 0.75 * box["width"], box["y"] + 0.5 * box["height"]  # the second of two, the second of three
    lab.page.mouse.move(*cell)
    expect(lab.page.locator(".st-key-chart_sweep_on .hovertext")).to_contain_text("Learning rate 0.2")
    lab.page.mouse.click(*cell)
    lab.ready()
    wait_for(lambda: lab.parameters() == to_query(SMALL.pair([1, 1])), "the address of the cell")


def test_a_finished_example_says_what_it_shows_and_the_labs_value_is_marked(lab: Lab) -> None:
    lab.open("sweep", ("chart_sweep_lines", "chart_sweep_example"))
    expect(lab.page.get_by_text("Training succeeds without batchnorm for init scale 0.001 to 0.1,")).to_be_visible()
    assert lab.chart("chart_sweep_lines", "div.layout.shapes.map(shape => shape.x0)") == [1]
    lab.click("sweep_use_example")
    example = from_parquet(FILE.read_bytes())[0]
    wait_for(lambda: lab.parameters() == sweep_addresses.to_query(example), "the example's address")


def test_a_long_sweep_is_paused_resumed_and_cancelled(lab: Lab) -> None:
    opened(lab, LONG)
    lab.click("sweep_start")
    shows(lab, "network-steps/s")
    lab.click("sweep_pause")
    shows(lab, "paused")
    expect(lab.page.locator(".st-key-sweep_pause")).to_contain_text("Resume")
    lab.click("sweep_pause")
    shows(lab, "network-steps/s")
    lab.click("sweep_cancel")
    shows(lab, "cancelled")
    expect(lab.page.locator(".st-key-sweep_start button")).to_be_enabled()
    expect(lab.page.locator(".st-key-sweep_cancel button")).to_be_disabled()


def test_a_mistake_is_named_and_a_file_brings_a_definition(lab: Lab) -> None:
    page = lab.page
    page.goto(f"{lab.server.url}/sweep?x=init_scale:0..1:5:log&seeds=99")
    expect(page.locator(".st-key-problems")).to_contain_text("a log range cannot start at 0")
    expect(page.locator(".st-key-problems")).to_contain_text("seeds: '99' is not allowed; give a whole number from 1")
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
    wanted = sweep_addresses.to_query(sweep_addresses.from_json(definition))
    wait_for(lambda: lab.parameters() == wanted, "the definition's address")


def test_on_a_phone_it_is_one_column(phone: Lab) -> None:
    assert_one_column(opened(phone, SMALL), MAPS)

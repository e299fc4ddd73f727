"""What a person does in the live lab, in a real browser against the real server."""

import json
import operator
import re
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import (
    CHARTS,
    SCRIPT,
    START,
    Lab,
    OpenContext,
    Server,
    assert_accessible,
    assert_one_column,
    at_rest,
    drag,
    script_has_run,
    wait_for,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def mark(lab: Lab) -> None:
    """So that a chart that is mounted again can be told from this one."""
    for key in CHARTS:
        lab.chart(key, "{ div.marked = true }")


def mounted_again(lab: Lab) -> list[str]:
    return [key for key in CHARTS if not lab.chart(key, "div.marked")]


def test_page_opens_at_step_0_with_the_untrained_networks_drawn(lab: Lab) -> None:
    lab.open("?a_init=rand&b_init=rand")
    assert lab.step() == 0
    lab.stands()
    first = "div._fullData.filter(t => ['diamond', 'triangle-up'].includes(t.marker?.symbol)).map(t => t.customdata[0])"
    loss = lab.chart("chart_loss", first)
    assert isinstance(loss, list)
    assert all(value > 3 for value in loss)
    expect(lab.page.locator(".bnviz-findings")).to_contain_text("Before the first step the loss is")
    expect(lab.page.locator(".st-key-chart_saturation .bnviz-notes")).to_contain_text("100% saturated")


def test_words_come_back_into_a_part_that_a_rerun_has_drawn_anew_while_the_run_rests(lab: Lab) -> None:
    lab.open("?a_init=rand&b_init=rand&seed=811")
    for part in (".bnviz-findings", ".bnviz-numbers-a", ".bnviz-status"):
        expect(lab.page.locator(part)).not_to_be_empty()
        lab.page.locator(part).evaluate("part => part.replaceChildren()")
        expect(lab.page.locator(part)).not_to_be_empty()


def test_every_chart_moves_without_being_mounted_again(lab: Lab) -> None:
    lab.open("?steps=100000")
    mark(lab)
    before = {key: lab.updates(key) for key in CHARTS}
    lab.click("play")
    for key in CHARTS:
        lab.wait_for_updates(key, before[key] + 15)
        assert lab.page.locator(f".st-key-{key} .js-plotly-plot").count() == 1
    assert mounted_again(lab) == []
    lab.pause()


def test_pause_stops_and_step_trains_one_batch(lab: Lab) -> None:
    lab.open("?steps=50000")
    lab.speed("max")
    lab.click("play")
    lab.wait_for_step(lambda step: step > 20)
    lab.pause()
    expect(lab.page.locator(".st-key-status")).to_contain_text("paused")  # its step comes with it, a moment later
    step = lab.step()
    lab.click("step")
    assert lab.wait_for_step(lambda now: now != step) == step + 1


def test_a_run_ends_and_reset_goes_back_to_the_same_weights(lab: Lab) -> None:
    lab.open("?steps=60")
    drawn = "div._fullData.map(t => Array.from(t.y ?? []))"
    first = lab.chart("chart_loss", drawn)
    lab.click("play")
    lab.wait_for_step(lambda step: step == 60)
    expect(lab.page.locator(".st-key-status")).to_contain_text("finished")
    wait_for(lambda: lab.chart("chart_loss", drawn) != first, "the curves")
    lab.click("reset")
    lab.wait_for_step(lambda step: step == 0)
    wait_for(lambda: lab.chart("chart_loss", drawn) == first, f"the same losses, {first}")


def test_flipping_batchnorm_while_training_restarts_that_network_alone(lab: Lab) -> None:
    lab.open("?steps=50000")
    lab.click("play")
    lab.wait_for_step(lambda step: step > 300)
    seen = lab.updates("chart_network")
    lab.toggle("b_batchnorm")
    wait_for(lambda: lab.updates("chart_network") > seen, "a changed chart")
    wait_for(lambda: lab.parameters().get("b_batchnorm") == "off", "the address")
    annotation = "div.layout.annotations[1].text"
    wait_for(lambda: "no batchnorm" in str(lab.chart("chart_network", annotation)), "the network map's title")
    lab.plays()
    lab.wait_for_step(lambda step: step > 400)
    curves = lab.chart("chart_loss", "div.calcdata.filter(c => c[0].trace.name.endsWith('training')).map(c => c[0].y)")
    assert isinstance(curves, list)
    assert len(curves) == 2


def test_flipping_a_switch_again_and_again_changes_nothing_else(lab: Lab) -> None:
    lab.open("?steps=100000&b_bn_eps=0.001&b_bn_affine=off")
    settings = lab.parameters()
    mark(lab)
    lab.speed("max")
    lab.click("play")
    lab.wait_for_step(lambda step: step > 50)

    def title_says(word: str) -> bool:
        return word in str(lab.chart("chart_network", "div.layout.annotations[1].text"))

    for flip in range(1, 13):
        lab.toggle("b_batchnorm")
        if flip % 3:  # and sometimes as fast as a hand, which cuts the rerun of the click before short
            word = "no batchnorm B<" if flip % 2 else ">batchnorm<"
            wait_for(partial(title_says, word), f"flip {flip}")
        else:
            lab.page.wait_for_timeout(150)
    wait_for(lambda: lab.parameters() == settings, "the address of the settings before")
    wait_for(partial(title_says, ">batchnorm<"), "batchnorm")
    lab.plays()
    assert mounted_again(lab) == []


def test_every_click_counts_once(lab: Lab) -> None:
    def seed_is(seed: int) -> bool:
        return lab.parameters().get("seed") == str(seed)

    lab.open("?steps=100000")
    for count in range(1, 11):  # one after the other: Streamlit makes one click of two within a rerun
        lab.click("step")
        assert lab.wait_for_step(partial(operator.le, count)) == count
    lab.click("play")
    lab.wait_for_step(lambda step: step > 50)
    for seed in range(1, 6):
        script_has_run(lab.page)  # only then does the button know the next seed
        lab.click("new_seed")
        wait_for(partial(seed_is, seed), "the next seed")
    lab.plays()


def test_keeping_the_weights_leaves_a_labelled_marker(lab: Lab) -> None:
    lab.open("?steps=50000")
    lab.page.get_by_text("is made now, the weights stay").click()
    lab.click("play")
    step = lab.wait_for_step(lambda step: step > 100)
    lab.toggle("b_batchnorm")
    labels = "(div.layout.shapes || []).map(s => s.label?.text).join()"
    wait_for(lambda: "batchnorm off" in str(lab.chart("chart_loss", labels)), "the marker")
    assert lab.wait_for_step(lambda now: now > step) > step


def test_an_init_is_changed_while_training(lab: Lab) -> None:
    lab.open("?steps=50000")
    lab.click("play")
    lab.wait_for_step(lambda step: step > 50)
    lab.choose("a_init", "He normal")
    wait_for(lambda: lab.parameters().get("a_init") == "he_normal", "the address")
    wait_for(lambda: "He normal" in str(lab.chart("chart_network", "div.layout.annotations[0].text")), "the change")
    lab.plays()


def test_the_address_carries_the_whole_experiment(lab: Lab, open_context: OpenContext) -> None:
    lab.open("?hidden_layers=3&a_init=rand&width=32&batch_size=16")
    lab.toggle("a_batchnorm")
    wait_for(lambda: lab.parameters().get("a_batchnorm") == "on", "the address")
    copy = Lab(open_context().new_page(), lab.server).open(re.sub(r"^[^?]*", "", lab.page.url))
    assert copy.parameters() == lab.parameters()
    titles = "div.layout.annotations.map(a => a.text)"
    told = copy.chart("chart_network", titles)
    wait_for(lambda: lab.chart("chart_network", titles) == told, f"the titles {told}")
    assert copy.complaints == []


def test_a_hostile_address_gets_a_message_and_the_defaults(lab: Lab) -> None:
    lab.open("?hidden_layers=1000000000&learning_rate=nan&batch_size=-3&nonsense=%3Cscript%3Ealert(1)%3C/script%3E")
    warning = lab.page.locator("[data-testid=stAlert]")
    expect(warning).to_contain_text("hidden_layers: '1000000000' is not allowed; give a whole number from 1 to 20")
    expect(warning).to_contain_text("learning_rate: 'nan' is not allowed; give a number from 1e-05 to 10")
    expect(warning).to_contain_text("nonsense")
    wait_for(lambda: lab.parameters() == {"variants": "2"}, "the address of the defaults, without nonsense")
    lab.click("dismiss_problems")
    expect(warning).to_have_count(0)


def test_reload_finds_the_run_and_every_other_tab_has_its_own(lab: Lab, context: BrowserContext) -> None:
    lab.open("?steps=100000")
    stored = lab.page.evaluate("sessionStorage.getItem('bnviz-tab')")

    def has_another_id(tab: Lab) -> bool:
        return bool(tab.page.evaluate("sessionStorage.getItem('bnviz-tab')") != stored)

    lab.click("play")
    lab.wait_for_step(lambda step: step > 100)
    other, copied = (Lab(context.new_page(), lab.server) for _ in range(2))
    copy = f"sessionStorage.setItem('bnviz-tab', sessionStorage.getItem('bnviz-tab') ?? '{stored}')"
    copied.page.add_init_script(copy)
    for tab in (other, copied):
        tab.open("?steps=100000")
        assert tab.step() == 0
        tab.stands()
        wait_for(partial(has_another_id, tab), "an id of its own")
    step = lab.step()
    lab.page.reload()
    lab.ready()
    assert lab.wait_for_step(lambda now: now >= step) >= step
    lab.plays()
    assert other.complaints == copied.complaints == []


def test_zoom_outlives_the_updates(lab: Lab) -> None:
    """Also when the figure's own range grows, here from 1,000 steps on."""
    lab.open("?steps=100000&width=8")
    lab.speed("max")
    lab.click("play")
    lab.wait_for_step(lambda step: step > 5)
    panel = lab.page.locator(".st-key-chart_loss .nsewdrag").first
    drag(panel, (0.05, 0.2), (0.35, 0.6))
    wait_for(lambda: lab.chart("chart_loss", "div.layout.xaxis.range[1]") != 1010, "the zoom")
    zoomed, seen = lab.chart("chart_loss", "div._fullLayout.xaxis.range"), lab.updates("chart_loss")
    wait_for(lambda: lab.updates("chart_loss") > seen + 10, "ten updates")
    lab.wait_for_step(lambda step: step > 2500)
    assert lab.chart("chart_loss", "div._fullLayout.xaxis.range") == zoomed
    lab.pause()
    at_rest(panel)
    panel.dblclick()
    wait_for(lambda: lab.chart("chart_loss", "div._fullLayout.xaxis.range[1] > 2500"), "the whole curve")


def test_a_zoom_ends_with_the_axis_it_belongs_to(lab: Lab) -> None:
    lab.open("?variants=3&steps=100000")
    drag(lab.page.locator(".st-key-chart_network .nsewdrag").nth(2), (0.1, 0.5), (0.5, 0.5))
    zoomed = SCRIPT.format("chart/charts") + ".chartOf(div).zoom.axes.size"
    wait_for(lambda: lab.chart("chart_network", zoomed) != 0, "the zoom")
    lab.press("variants", "ArrowLeft")
    wait_for(lambda: lab.parameters().get("variants") is None, "two networks")
    lab.click("play")
    lab.wait_for_step(lambda step: step > 50)
    wait_for(lambda: lab.chart("chart_network", zoomed) == 0, "the end of the zoom")


def test_a_message_above_the_charts_mounts_none_of_them_again(lab: Lab, tmp_path: Path) -> None:
    lab.open()
    mark(lab)
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    lab.page.get_by_role("button", name="Share").click()
    lab.page.locator(".st-key-import_json input[type=file]").set_input_files(broken)
    expect(lab.page.locator("[data-testid=stAlert]")).to_contain_text("This is not a JSON document")
    lab.click("dismiss_problems")
    expect(lab.page.locator("[data-testid=stAlert]")).to_have_count(0)
    assert mounted_again(lab) == []


_SOCKETS = """window.sockets = [];
window.WebSocket = class extends window.WebSocket {
  constructor(...all) { super(...all); window.sockets.push(this); }
};"""


def test_a_lost_connection_is_found_again_and_the_run_goes_on(lab: Lab) -> None:
    lab.page.add_init_script(_SOCKETS)
    lab.open("?steps=100000")
    lab.click("play")
    step = lab.wait_for_step(lambda step: step > 100)
    lab.page.evaluate("window.sockets.forEach(socket => socket.close())")
    assert lab.wait_for_step(lambda now: now > step + 300) > step
    lab.plays()
    lab.complaints[:] = [c for c in lab.complaints if "when disconnected from server" not in c]


def noted_pins(home: Path) -> bool:
    """Whether a server has written down, in its database below `home`, that the run has a pin, and has kept that."""
    with closing(sqlite3.connect(next(home.rglob("runs.sqlite")))) as connection:
        notes = connection.execute("SELECT state FROM live").fetchall()
        (kept,) = connection.execute("SELECT count(*) FROM runs").fetchone()
    return kept == 1 and any('"pins":[[1,' in state for (state,) in notes)


def test_a_server_that_comes_back_is_found_again(context: BrowserContext, tmp_path: Path) -> None:
    server = Server(tmp_path)
    try:
        lab = Lab(context.new_page(), server).open("?steps=100000&width=32")
        lab.click("play")
        lab.wait_for_step(lambda step: step > 200)
        lab.click("pin")
        pins = lab.page.locator("table", has_text="Pin")
        pinned = pins.inner_text()
        wait_for(lambda: noted_pins(tmp_path), "the pin in the logbook")
        step = lab.step()
        server.process.kill()
        server.process.wait(START)
        server.start()
        expect(lab.page.locator(".bnviz-notice")).to_contain_text("The run was trained again to step")
        assert lab.parameters()["width"] == "32"
        assert lab.wait_for_step(lambda now: now > step - 200) < 100_000  # a second of training at most was lost
        lab.wait_for_step(lambda now: now > step + 100)  # it goes on by itself
        expect(lab.page.locator(".st-key-chart_loss .bnviz-notes")).to_contain_text("no batchnorm, pin 1")
        expect(pins).to_have_text(pinned, use_inner_text=True)
    finally:
        server.stop()


def test_a_click_on_the_network_map_picks_the_layer_below(lab: Lab) -> None:
    lab.open("?hidden_layers=4")
    panel = lab.page.locator(".st-key-chart_network .nsewdrag").first
    box = at_rest(panel)
    panel.click(position={"x": box["width"] / 2, "y": box["height"] * 0.62})
    title = "div.layout.xaxis.title.text"
    wait_for(
        lambda: lab.chart("chart_saturation", title) == "neurons of layer 3, the most saturated first",
        "the third layer",
    )
    wait_for(lambda: lab.chart("chart_activations", title) == "post-activation, layer 3", "its activations")


def test_a_killed_worker_is_replaced_and_the_run_goes_on(lab: Lab) -> None:
    lab.open("?steps=100000&seed=4711")  # an experiment of its own: what another test has trained needs no worker
    lab.click("play")
    step = lab.wait_for_step(lambda step: step > 100)
    for worker in lab.server.workers():
        worker.kill()
    expect(lab.page.locator(".bnviz-notice")).to_contain_text("A training worker stopped")
    assert lab.wait_for_step(lambda now: now > step + 100) > step
    wait_for(lambda: len(lab.server.workers()) == 2, "two workers again")


def test_the_run_leaves_as_files(lab: Lab) -> None:
    lab.open("?steps=40")
    lab.click("play")
    expect(lab.page.locator(".st-key-status")).to_contain_text("finished")
    lab.page.get_by_role("button", name="Share").click()
    files = {}
    for key in ("export_json", "export_csv", "export_script"):
        with lab.page.expect_download() as download:
            lab.click(key)
        files[key] = download.value.path().read_text()
    with lab.page.expect_download() as picture:
        lab.click("export_png")
    image = picture.value.path().read_bytes()
    assert image.startswith(b"\x89PNG")
    widths = sum(lab.chart(key, "div.clientWidth") for key in ("chart_loss", "chart_activations", "chart_saturation"))
    assert int.from_bytes(image[16:20]) == 2 * widths
    document = json.loads(files["export_json"])
    assert document["experiment"]["training"]["steps"] == 40
    assert len(document["variants"]["A"]["training"]["train_loss"]) == 40
    assert files["export_csv"].startswith("variant,step,seconds,train_loss")
    compile(files["export_script"], "experiment.py", "exec")


def test_accessibility_scan_finds_nothing_serious_in_both_themes_which_charts_that_stand_still_follow(lab: Lab) -> None:
    color = "getComputedStyle(div.querySelector('.xtick text')).fill"
    light = lab.open("?a_init=rand").chart("chart_loss", color)
    assert_accessible(lab.page)
    assert lab.chart("chart_loss", color) != light


def test_a_phone_gets_one_column_and_no_sideways_scrolling(phone: Lab) -> None:
    assert_one_column(phone.open("?hidden_layers=5&variants=3"), CHARTS)


def test_the_web_process_never_loads_torch(lab: Lab) -> None:
    lab.open()
    files = {mapped.path for mapped in psutil.Process(lab.server.process.pid).memory_maps()}
    assert not [path for path in files if "/torch/" in path]
    assert any("/torch/" in mapped.path for worker in lab.server.workers() for mapped in worker.memory_maps())


def test_data_that_are_not_there_say_how_they_come_and_others_train(lab: Lab) -> None:
    lab.open("?steps=30&width=8")
    lab.open_settings()
    lab.choose("data", "KMNIST")
    expect(lab.page.get_by_text("KMNIST is not on this server yet.")).to_be_visible()
    expect(lab.page.locator(".bnviz-notice")).to_contain_text("Training stopped: KMNIST is not on this machine.")
    lab.click("download")
    expect(lab.page.get_by_text("Could not download train-images-idx3-ubyte.gz")).to_be_visible(timeout=60_000)
    lab.choose("data", "MNIST", exact=True)
    expect(lab.page.get_by_text("Could not download")).to_be_hidden()
    expect(lab.page.locator(".st-key-step button")).to_be_enabled()
    lab.click("step")
    lab.wait_for_step(lambda step: step == 1)

"""Runs that last, in a real browser: kept at their end, listed, opened by an address, gone on with."""

import io
import re
from collections.abc import Iterator
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from playwright.sync_api import expect

from bnviz.export.run_file import to_bytes
from tests.browser.conftest import Lab, OpenContext, Server, at_rest, script_has_run, wait_for
from tests.keeping import made_up_run

pytestmark = [pytest.mark.browser, pytest.mark.slow]

QUICK = "?steps=120&width=16&a_init=rand&b_init=rand"
CHARTS = ("chart_loss", "chart_activations", "chart_saturation", "chart_accuracy")


def trained(lab: Lab) -> Lab:
    lab.open(QUICK)
    lab.speed("max")
    lab.click("play")
    expect(lab.page.locator(".st-key-status")).to_contain_text("finished")
    return lab


def shared(lab: Lab) -> str:
    """The permalink of the lab's run."""
    lab.page.get_by_role("button", name="Share").click()
    lab.click("permalink")
    link = lab.page.locator("[data-testid=stCode]").filter(has_text="runs?id=")
    return link.inner_text().strip().removeprefix(f"{lab.server.url}/")


def test_a_run_is_opened_elsewhere_by_its_address_and_gone_on_with(
    lab: Lab, open_context: OpenContext, server: Server
) -> None:
    address = shared(trained(lab))
    other = Lab(open_context().new_page(), server).open(address, CHARTS)
    expect(other.page.locator(".bnviz-status")).to_contain_text("step 120")
    assert other.words("chart_saturation") == lab.words("chart_saturation")
    other.click("stored_open")
    other.ready()
    expect(other.page.locator(".st-key-status")).to_contain_text("finished")
    other.page.get_by_text("is made now, the weights stay").click()
    other.toggle("a_batchnorm")
    wait_for(lambda: other.step() > 120, "steps beyond those that were kept")
    assert lab.step() == 120, "the run that was shared stays as it is"
    assert other.complaints == []


def test_a_finished_run_is_in_the_list_without_asking(lab: Lab) -> None:
    trained(lab)
    lab.page.get_by_role("link", name="Runs").click()
    expect(lab.page.get_by_test_id("stDataFrame")).to_be_visible()
    expect(lab.page.get_by_text(re.compile("Choose one run"))).to_be_visible()


TABLE_ROW, TABLE_HEAD = 35, 36  # pixels of the list


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose database is taken away in the end."""
    running = Server(tmp_path_factory.mktemp("keeping"))
    yield running
    running.stop()


@pytest.fixture
def runs(open_context: OpenContext, keeping: Server) -> Iterator[Lab]:
    """The page Runs of a visitor who has none yet."""
    opened = Lab(open_context().new_page(), keeping)
    opened.page.goto(f"{keeping.url}/runs")
    expect(opened.page.get_by_text("No runs yet")).to_be_visible()
    yield opened
    assert opened.complaints == []
    assert "Uncaught app execution" not in keeping.log.read_text()


def bring(lab: Lab, name: str, content: bytes) -> None:
    lab.page.locator("[data-testid=stFileUploaderDropzoneInput]").set_input_files(
        {"name": name, "mimeType": "application/zip", "buffer": content}
    )


def choose(lab: Lab, row: int) -> None:
    """Tick the box of a row of the list, which is drawn on a canvas."""
    box = at_rest(lab.page.get_by_test_id("stDataFrame"))
    lab.page.mouse.click(box["x"] + 16, box["y"] + TABLE_HEAD + TABLE_ROW * (row + 0.5))


def search(lab: Lab, words: str) -> None:
    field = lab.page.get_by_role("textbox", name="Search")
    field.fill(words)
    field.press("Enter")
    script_has_run(lab.page)


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


HOSTILE = {
    "text.bnviz": b"no zip at all",
    "empty.bnviz": zipped(),
    "outside.bnviz": zipped(**{"../../etc/passwd": b"x"}),
    "bomb.bnviz": zipped(**{"run.json": b"0" * 50_000_000}),
    "cut.bnviz": to_bytes(made_up_run())[:-200],
}


def test_a_hostile_file_is_refused_with_one_sentence_and_changes_nothing(runs: Lab) -> None:
    for name, content in HOSTILE.items():
        bring(runs, name, content)
        expect(runs.page.get_by_text(f"{name}: This run file cannot be used")).to_be_visible()
        expect(runs.page.get_by_text("No runs yet")).to_be_visible()
    bring(runs, "<img src=x onerror=alert(1)>.bnviz", to_bytes(made_up_run()))
    expect(runs.page.get_by_test_id("stDataFrame")).to_be_visible()
    choose(runs, 0)
    expect(runs.page.get_by_label("Name", exact=True)).to_have_value("<img src=x onerror=alert(1)>")


def test_runs_are_named_searched_compared_deleted_and_brought_back(runs: Lab) -> None:
    page = runs.page
    for seed in (1, 2):
        bring(runs, f"number {seed}.bnviz", to_bytes(made_up_run(seed=seed)))
        expect(page.get_by_text("The run is in your list")).to_be_visible()
        expect(page.get_by_text("The run is in your list")).not_to_be_visible()
    choose(runs, 0)  # the newest
    page.get_by_label("Name", exact=True).fill("my favourite")
    page.get_by_role("button", name="Save", exact=True).click()
    search(runs, "favourite")
    choose(runs, 0)
    expect(page.get_by_label("Name", exact=True)).to_have_value("my favourite")
    search(runs, "nothing like it")
    expect(page.get_by_text("No run fits the search")).to_be_visible()
    search(runs, "")
    choose(runs, 0)
    choose(runs, 1)
    runs.ready([f"chart_compared_{what}" for what in ("loss", "accuracy", "saturation", "gradients", "layer")])
    assert "my favourite" in runs.words("chart_compared_saturation")
    choose(runs, 1)
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Deleted: my favourite")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Deleted: my favourite")).not_to_be_visible()
    choose(runs, 0)
    expect(page.get_by_label("Name", exact=True)).to_have_value("my favourite")


def test_an_address_without_a_run_says_so(runs: Lab) -> None:
    runs.page.goto(f"{runs.server.url}/runs?id=guessed")
    expect(runs.page.get_by_text("There is no run at this address")).to_be_visible()


def test_a_database_that_is_gone_is_told_and_found_again(runs: Lab) -> None:
    (database,) = runs.server.log.parent.rglob("runs.sqlite")
    away = database.rename(database.with_name("away"))
    runs.page.reload()
    expect(runs.page.get_by_text("Kept runs cannot be reached now")).to_be_visible()
    away.rename(database)
    runs.click("retry_store")
    expect(runs.page.get_by_text("No runs yet")).to_be_visible()


def test_a_server_that_keeps_nothing_says_so(open_context: OpenContext, keeping: Server) -> None:
    keeping.stop()
    keeping.environment["BNVIZ_RUNS"] = "off"
    keeping.start()
    page = open_context().new_page()
    page.goto(f"{keeping.url}/runs")
    expect(page.get_by_text("This server keeps no runs")).to_be_visible()

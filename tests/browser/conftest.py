"""A real server with its real workers, and a real Chromium that looks at it."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from threading import Timer
from typing import Any, TypeVar

import psutil
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    FloatRect,
    Locator,
    Page,
    Playwright,
    TimeoutError,
    expect,
    sync_playwright,
)

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START = 60.0  # seconds for a server and its workers on a busy machine, and for whatever else must come
HUNG = 240.0  # seconds of one test in a browser: four times as long as anything in it waits
expect.set_options(timeout=START * 1000)
CHARTS = (
    "chart_network",
    "chart_loss",
    "chart_accuracy",
    "chart_activations",
    "chart_saturation",
    "chart_function",
    "chart_gradients",
)
THEMED = """scheme => getComputedStyle(document.querySelector("[data-testid=stApp]")).colorScheme === scheme &&
  [...document.querySelectorAll(".bnviz-chart[data-ready]")].every(div =>
    div._fullLayout.font.color === getComputedStyle(div).getPropertyValue("--st-text-color").trim())"""
CUT_OFF = """keys => {
  const boxes = keys.map(key => document.querySelector(`.st-key-${key} .bnviz-chart`).getBoundingClientRect());
  boxes.sort((one, other) => one.top - other.top);
  const sideways = [document.documentElement, ...document.querySelectorAll(".katex-display")];
  return [
    ...sideways.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => `${e.tagName} scrolls: ${e.textContent}`),
    ...boxes.filter(b => b.left < 0 || b.right > innerWidth || b.width < 300).map(b => `${b.left} to ${b.right}`),
    ...boxes.filter((b, i) => i && b.top < boxes[i - 1].bottom).map(b => `a chart at ${b.top} over another`),
  ];
}"""

# The page's own copy of one of its scripts, by its path without the ending: with what the script knows.
SCRIPT = "(await import(performance.getEntriesByType('resource').find(e => e.name.endsWith('/{}.js')).name))"

T = TypeVar("T")
OpenContext = Callable[..., BrowserContext]  # (width, height, **options)


class Server:
    """`streamlit run` of a script in a process of its own; ready when its workers are."""

    def __init__(self, folder: Path, script: str = "app.py", workers: int = 2) -> None:
        self._script, self._expected_workers = script, workers
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self.log = folder / "server.log"
        self.environment = os.environ | {
            "BNVIZ_DATA_DIR": str(folder / "data"),
            "BNVIZ_DATA_MIRROR": "http://127.0.0.1:9",  # where nobody listens
            "HOME": str(folder),
        }
        for other in ("BNVIZ_SCHEDULER", "BNVIZ_DATABASE", "BNVIZ_RUNS"):  # runs are kept below HOME
            self.environment.pop(other, None)
        self.start()

    def start(self) -> None:
        """Also once more on the same port, after a stop."""
        options = ["--server.port", str(self._port), "--server.address", "127.0.0.1", "--server.headless", "true"]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", self._script, *options],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_for(self._ready, "the server and its workers")

    def workers(self) -> list[psutil.Process]:
        """The processes that hold the trainers: the nannies' children."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if "spawn_main" in _command(child)]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(START)

    def _ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2) as answer:
                return answer.read() == b"ok" and len(self.workers()) == self._expected_workers
        except OSError:
            return False


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # it ended since it was listed
        return ""


def wait_for(condition: Callable[[], T], what: str) -> T:
    """Until the condition holds. Returns what it gave."""
    end = time.monotonic() + START
    while not (found := condition()):
        assert time.monotonic() < end, f"waited {START:g} s in vain for {what}"
        time.sleep(0.05)
    return found


def complaints_of(page: Page) -> list[str]:
    """All errors that the page will ever log or throw."""
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: complaints.append(str(e)))
    return complaints


def script_has_run(page: Page) -> None:
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def at_rest(seen: Locator) -> FloatRect:
    """Where an element is on the screen, once the script has run to its end and the element stays in its place."""
    seen.scroll_into_view_if_needed()

    def look() -> FloatRect | None:
        script_has_run(seen.page)
        return seen.bounding_box()

    def still() -> FloatRect | None:
        before = look()
        seen.page.wait_for_timeout(100)
        return before if before == look() else None

    box = wait_for(still, "an element that stays where it is")
    assert box is not None
    return box


def grab(seen: Locator, x: float, y: float) -> None:
    """Hold the mouse down on an element, at so much of its width and height."""
    box = at_rest(seen)
    seen.hover(position={"x": x * box["width"], "y": y * box["height"]})  # waits until the mouse hits it
    seen.page.mouse.down()


def move(seen: Locator, x: float, y: float) -> None:
    """Move the mouse that holds an element."""
    box = seen.bounding_box()
    assert box is not None
    seen.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=5)


def drag(seen: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag the mouse over an element, between two places in shares of its width and height."""
    grab(seen, *start)
    move(seen, *end)
    seen.page.mouse.up()


def assert_one_column(lab: "Lab", charts: Sequence[str]) -> None:
    """On a narrow screen: charts one below the other, wide enough to read, and nothing that is cut off."""
    faults: list[str] = []

    def fits() -> bool:
        faults[:] = lab.page.evaluate(CUT_OFF, charts)
        return not faults

    with suppress(AssertionError):
        wait_for(fits, "a page that fits")
    assert faults == []


def assert_accessible(page: Page) -> None:
    """Axe finds nothing serious on the page, in light and in dark."""

    def serious() -> list[str]:
        found = Axe().run(page).response["violations"]
        return [
            f"{v['id']}: {[n['target'] for n in v['nodes']]}" for v in found if v["impact"] in ("serious", "critical")
        ]

    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        wait_for(partial(page.evaluate, THEMED, scheme), f"the {scheme} theme")
        end = time.monotonic() + START / 4
        while (found := serious()) and time.monotonic() < end:  # what Streamlit is about to replace is pale
            page.wait_for_timeout(500)
        assert found == [], scheme


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    running.stop()


class Chromium:
    """One browser for all tests; another one where that was ended because it hung."""

    def __init__(self, playwright: Playwright) -> None:
        self._playwright, self._path = playwright, shutil.which("chromium")
        if self._path is None and not Path(playwright.chromium.executable_path).exists():
            if os.environ.get("BNVIZ_REQUIRE_BROWSER"):
                pytest.fail("no Chromium found, and BNVIZ_REQUIRE_BROWSER is set")
            pytest.skip("no Chromium found: install the package chromium, or run playwright install chromium")
        self._browser: Browser | None = None

    def browser(self) -> Browser:
        if self._browser is None or not self._browser.is_connected():
            self._browser = self._playwright.chromium.launch(executable_path=self._path, args=FLAGS)
        return self._browser

    def close(self) -> None:
        if self._browser is not None and self._browser.is_connected():
            self._browser.close()

    @staticmethod
    def kill() -> None:
        """End it from another thread, whatever it does: whoever waits for it is told so."""
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                if "chrom" in process.name():
                    process.kill()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    with sync_playwright() as playwright:
        made = Chromium(playwright)
        yield made
        made.close()


@pytest.fixture(autouse=True)
def hung_browser(request: pytest.FixtureRequest) -> Iterator[None]:
    """Ends a browser in which a test hangs: a question to a page has no timeout of its own, and would wait for ever."""
    if "chromium" not in request.fixturenames:
        yield
        return
    timer = Timer(HUNG, Chromium.kill)
    timer.daemon = True
    timer.start()
    yield
    timer.cancel()


class Lab:
    """The app in one tab, in the words of a test."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page, self.server = page, server
        self.complaints = complaints_of(page)

    def open(self, address: str = "", charts: Sequence[str] = CHARTS) -> "Lab":
        """The page of an address, drawn; the live lab unless the address names another."""
        self.page.goto(f"{self.server.url}/{address}")
        return self.ready(charts)

    def go(self, page: str, charts: Sequence[str] = CHARTS) -> "Lab":
        """To another page by its link, as a visitor does."""
        self.page.get_by_role("link", name=page).click()
        return self.ready(charts)

    def ready(self, charts: Sequence[str] = CHARTS) -> "Lab":
        for key in charts:
            self.page.wait_for_selector(f".st-key-{key} .bnviz-chart[data-ready]")
        return self

    def open_settings(self) -> None:
        """The sidebar, which is folded at first."""
        self.page.get_by_test_id("stExpandSidebarButton").click()
        expect(self.page.get_by_role("button", name="Collapse sidebar")).to_be_attached()

    def click(self, key: str) -> None:
        self.page.locator(f".st-key-{key} button").click()

    def toggle(self, key: str) -> None:
        self.page.locator(f".st-key-{key} label").first.click()

    def choose(self, key: str, option: str, *, exact: bool = False) -> None:
        """Choose from a select box; a list that opens while the page still moves closes again."""
        field = self.page.locator(f".st-key-{key} input").first
        wanted = self.page.get_by_role("option", name=option, exact=exact)

        def chosen() -> bool:
            at_rest(field)
            field.click()
            try:
                wanted.click(timeout=5000)
            except TimeoutError:
                return False
            return True

        wait_for(chosen, f"{option!r} among the options of {key}")

    def press(self, key: str, button: str, times: int = 1) -> None:
        """Move a slider by keyboard, once it can be moved: the history's is off until it has seen a first step."""
        slider = self.page.locator(f".st-key-{key} input")
        expect(slider).to_be_enabled()
        slider.focus()
        for _ in range(times):
            slider.press(button)

    def speed(self, label: str) -> None:
        self.page.locator(".st-key-speed button", has_text=re.compile(f"^{label}$")).click()

    def step(self) -> int:
        status = self.page.locator(".st-key-status")
        found = wait_for(lambda: re.search(r"step ([\d,]+)", status.inner_text()), "a status line")
        assert found is not None
        return int(found[1].replace(",", ""))

    def wait_for_step(self, reached: Callable[[int], bool]) -> int:
        wait_for(lambda: reached(self.step()), "a step of the run")
        return self.step()

    def playing(self) -> bool:
        return "Pause" in self.page.locator(".st-key-play button").inner_text()

    def plays(self) -> None:
        expect(self.page.locator(".st-key-play button")).to_contain_text("Pause")

    def stands(self) -> None:
        expect(self.page.locator(".st-key-play button")).to_contain_text("Train")

    def pause(self) -> None:
        """Only once the button says so: until then a click on it plays."""
        self.plays()
        self.click("play")
        self.stands()

    def words(self, key: str) -> str:
        """What stands above a chart."""
        return self.page.locator(f".st-key-{key} .bnviz-notes").inner_text()

    def updates(self, key: str) -> int:
        return int(self.page.locator(f".st-key-{key} .bnviz-chart").get_attribute("data-updates") or 0)

    def wait_for_updates(self, key: str, count: int) -> None:
        wait_for(lambda: self.updates(key) >= count, f"{count} updates of {key}")

    def chart(self, key: str, expression: str) -> Any:
        """A JavaScript expression of the chart's div, `div`."""
        return self.page.locator(f".st-key-{key} .bnviz-chart").evaluate(f"async div => {expression}")

    def parameters(self) -> dict[str, str]:
        found: dict[str, str] = self.page.evaluate("Object.fromEntries(new URLSearchParams(location.search))")
        return found


def _close(context: BrowserContext) -> None:
    browser = context.browser
    if browser is not None and browser.is_connected():
        context.close()


@pytest.fixture
def open_context(chromium: Chromium) -> Iterator[OpenContext]:
    """Gives each visitor of a test a browser of his own."""
    with ExitStack() as opened:

        def open_context(width: int = 1400, height: int = 1000, **options: Any) -> BrowserContext:
            context = chromium.browser().new_context(viewport={"width": width, "height": height}, **options)
            context.set_default_timeout(START * 1000)
            opened.callback(_close, context)
            return context

        yield open_context


@pytest.fixture
def context(open_context: OpenContext) -> BrowserContext:
    return open_context()


@pytest.fixture
def phone(open_context: OpenContext, server: Server) -> Iterator[Lab]:
    opened = Lab(open_context(390, 844, has_touch=True).new_page(), server)
    yield opened
    assert opened.complaints == []


@pytest.fixture
def lab(context: BrowserContext, server: Server) -> Iterator[Lab]:
    opened = Lab(context.new_page(), server)
    yield opened
    assert opened.complaints == []
    assert "Uncaught app execution" not in server.log.read_text()

"""A real server with its real workers, and a real Chromium that looks at it."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

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
START = 60.0  # seconds for a server and its workers on a busy machine
# Streamlit's browser side asks for its server below the page's address first, and is told that it is not there.
OWN_QUESTIONS = "Failed to load resource: the server responded with a status of 404 (Not Found)"
CHARTS = (
    "chart_network",
    "chart_loss",
    "chart_accuracy",
    "chart_activations",
    "chart_saturation",
    "chart_function",
    "chart_gradients",
)


class Server:
    """`streamlit run` of a script in a process of its own, with the bundled digits; ready when its workers are."""

    def __init__(self, folder: Path, script: str = "app.py", workers: int = 2) -> None:
        self._script, self._expected_workers = script, workers
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self.log = folder / "server.log"
        self._environment = os.environ | {"BNVIZ_DATA_DIR": str(folder / "data"), "HOME": str(folder)}
        self._environment.pop("BNVIZ_SCHEDULER", None)
        self.start()

    def start(self) -> None:
        """Also once more on the same port, after a stop."""
        options = ["--server.port", str(self._port), "--server.address", "127.0.0.1", "--server.headless", "true"]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", self._script, *options],
                cwd=ROOT,
                env=self._environment,
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


def wait_for(condition: Callable[[], object], what: str, seconds: float = START) -> None:
    """Until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    with sync_playwright() as playwright:
        if path is None and not Path(playwright.chromium.executable_path).exists():
            if os.environ.get("BNVIZ_REQUIRE_BROWSER"):
                pytest.fail("no Chromium found, and BNVIZ_REQUIRE_BROWSER is set")
            pytest.skip("no Chromium found: install the package chromium, or run playwright install chromium")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Lab:
    """The live lab in one tab, in the words of a test."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page, self.server = page, server
        self.complaints: list[str] = []
        page.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: self.complaints.append(str(e)))

    def open(self, query: str = "") -> "Lab":
        self.page.goto(f"{self.server.url}/{query}")
        return self.ready()

    def ready(self) -> "Lab":
        for key in CHARTS:
            self.page.wait_for_selector(f".st-key-{key} .bnviz-chart[data-ready]", timeout=START * 1000)
        return self

    def click(self, key: str) -> None:
        self.page.locator(f".st-key-{key} button").click()

    def toggle(self, key: str) -> None:
        self.page.locator(f".st-key-{key} label").first.click()

    def speed(self, label: str) -> None:
        self.page.locator(".st-key-speed button", has_text=re.compile(f"^{label}$")).click()

    def step(self) -> int:
        found = re.search(r"step (\d+)", self.page.locator(".st-key-status").inner_text())
        assert found is not None
        return int(found[1])

    def wait_for_step(self, reached: Callable[[int], bool]) -> int:
        wait_for(lambda: reached(self.step()), "a step of the run")
        return self.step()

    def playing(self) -> bool:
        return "Pause" in self.page.locator(".st-key-play button").inner_text()

    def updates(self, key: str) -> int:
        return int(self.page.locator(f".st-key-{key} .bnviz-chart").get_attribute("data-updates") or 0)

    def chart(self, key: str, expression: str) -> object:
        """A JavaScript expression of the chart's div, `div`."""
        return self.page.locator(f".st-key-{key} .bnviz-chart").evaluate(f"div => {expression}")

    def parameters(self) -> dict[str, str]:
        found: dict[str, str] = self.page.evaluate("Object.fromEntries(new URLSearchParams(location.search))")
        return found


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    opened = chromium.new_context(viewport={"width": 1400, "height": 1000})
    yield opened
    opened.close()


@pytest.fixture
def lab(context: BrowserContext, server: Server) -> Iterator[Lab]:
    opened = Lab(context.new_page(), server)
    yield opened
    assert opened.complaints == []
    assert "Uncaught app execution" not in server.log.read_text()

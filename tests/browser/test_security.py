"""What the server lets a browser do: scripts of its own alone, frames where a page is embedded, frames of bytes."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import expect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.browser.conftest import ROOT, OpenContext, Server, complaints_of, script_has_run, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = ["", *(file.stem for file in sorted((ROOT / "pages").glob("*.py")) if file.stem != "live_lab")]
CHAPTERS = ["story/0", "story/8"]
INJECTED = "<img src=x onerror=\"document.title='injected'\">"


@pytest.fixture
def course(server: Server) -> Iterator[str]:
    """A course page of another site that shows the lab in a frame."""
    shown = server.url.replace("127.0.0.1", "localhost")

    class Course(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = "?embed=true&steps=400" if self.path == "/embedded" else ""
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f'<iframe src="{shown}/{query}" width="1200" height="900"></iframe>'.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    site = ThreadingHTTPServer(("127.0.0.1", 0), Course)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{site.server_port}"
    site.shutdown()


def test_no_page_asks_for_what_the_policy_forbids(server: Server, open_context: OpenContext) -> None:
    page = open_context(1280, 800).new_page()
    complaints = complaints_of(page)
    for address in (*PAGES, *CHAPTERS):
        answer = page.goto(f"{server.url}/{address}")
        assert answer is not None
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self' blob: 'sha256-" in policy, address
        assert "frame-ancestors 'self'" in policy, address
        expect(page.get_by_test_id("stMain")).to_contain_text(" ")
        script_has_run(page)
        assert complaints == [], address


def test_words_that_are_drawn_as_html_run_nothing(server: Server, open_context: OpenContext) -> None:
    page = open_context(1280, 800).new_page()
    page.goto(server.url)
    script_has_run(page)
    page.evaluate(
        """html => {
          window.refused = [];
          document.addEventListener("securitypolicyviolation", (e) => window.refused.push(e.effectiveDirective));
          document.body.insertAdjacentHTML("beforeend", html);
          const script = document.createElement("script");
          script.textContent = "document.title = 'injected'";
          document.body.append(script);
        }""",
        INJECTED,
    )
    page.wait_for_function("window.refused.includes('script-src-attr') && window.refused.includes('script-src-elem')")
    assert page.title() != "injected"


def test_a_course_page_of_another_site_shows_what_is_embedded(course: str, open_context: OpenContext) -> None:
    page = open_context(1280, 1000).new_page()
    complaints = complaints_of(page)
    page.goto(f"{course}/embedded")
    lab = page.frame_locator("iframe")
    lab.locator(".st-key-play button").click()
    expect(lab.locator(".st-key-status")).to_contain_text("step 400")
    assert complaints == []


def test_a_page_of_another_site_shows_nothing_else(course: str, open_context: OpenContext) -> None:
    page = open_context(1280, 1000).new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto(course)
    wait_for(lambda: any("frame-ancestors" in text or "X-Frame-Options" in text for text in refused), "the refusal")
    assert page.frame_locator("iframe").get_by_test_id("stApp").count() == 0


def test_an_answer_keeps_addresses_from_other_sites(server: Server) -> None:
    for path in ("", "_stcore/health", "bnviz/health"):
        with urlopen(f"{server.url}/{path}") as answer:
            assert answer.headers["Referrer-Policy"] == "same-origin", path
            assert answer.headers["X-Content-Type-Options"] == "nosniff", path


@pytest.mark.parametrize(("sent", "code"), [("a text", 1003), (b"\xff\xff\xff", 1007)], ids=["a text", "no message"])
def test_a_frame_that_is_no_message_ends_its_connection_and_nothing_else(
    server: Server, sent: str | bytes, code: int
) -> None:
    before = server.log.read_text()
    with connect(f"{server.url.replace('http', 'ws')}/_stcore/stream", origin=Origin(server.url)) as socket:
        socket.send(sent)
        with suppress(ConnectionClosed):
            while True:
                socket.recv(timeout=30)
        assert socket.close_code == code
    assert "Traceback" not in log_since(server.log, before)


def log_since(log: Path, before: str) -> str:
    return log.read_text()[len(before) :]

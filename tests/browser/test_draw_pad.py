"""Drawing a digit with mouse, finger and pen, in a real browser."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.conftest import (
    OpenContext,
    Server,
    assert_accessible,
    at_rest,
    complaints_of,
    script_has_run,
    wait_for,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Points = Sequence[tuple[float, float]]  # shares of the pad's width and height
DOWN: Points = [(0.2, 0.1 + 0.1 * k) for k in range(8)]  # far left of the middle
ACROSS: Points = [(0.2 + 0.1 * k, 0.4) for k in range(6)]


@pytest.fixture(scope="module")
def pad_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("draw_pad"), "tests/browser/draw_pad_app.py", workers=0)
    yield running
    running.stop()


class Pad:
    """The pad in one tab, in the words of a test."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.complaints = complaints_of(page)
        page.goto(server.url)
        self.surface: Locator = page.locator(".st-key-draw_pad svg[role=img]")
        self.undo = page.get_by_role("button", name="Undo")
        self.clear = page.get_by_role("button", name="Clear")
        self.received = page.locator(".received").first  # one more, of the run before, goes when a run ends
        self.says("empty")
        at_rest(self.surface)

    def says(self, drawn: str) -> None:
        expect(self.surface).to_have_attribute("aria-label", f"Drawing pad: {drawn}")

    def at(self, point: tuple[float, float]) -> tuple[float, float]:
        box = self.surface.bounding_box()
        assert box is not None
        return box["x"] + point[0] * box["width"], box["y"] + point[1] * box["height"]

    def draw(self, points: Points) -> None:
        self.page.mouse.move(*self.at(points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.at(point))
        self.page.mouse.up()

    def touch(self, points: Points) -> None:
        session = self.page.context.new_cdp_session(self.page)
        places = [dict(zip("xy", self.at(point), strict=True)) for point in points]
        session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": places[:1]})
        for place in places[1:]:
            session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [place]})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def run(self) -> int:
        return int(self.received.get_attribute("data-run") or 0)

    def hide(self) -> None:
        self.page.get_by_text("Pad", exact=True).click()
        expect(self.surface).to_have_count(0)
        script_has_run(self.page)

    def show(self) -> None:
        self.page.get_by_text("Pad", exact=True).click()

    def pixels(self) -> NDArray[np.uint8] | None:
        """The digit that Python holds; None where it holds none."""
        sent = bytes.fromhex(self.received.get_attribute("data-pixels") or "")
        return np.frombuffer(sent, np.uint8).reshape(28, 28) if sent else None

    def answer(self, act: Callable[[], object]) -> NDArray[np.uint8] | None:
        """What Python holds after the one run of the page that `act` causes."""
        before = self.run()
        act()
        wait_for(lambda: self.run() > before, "another run of the page")
        self.page.wait_for_timeout(300)
        script_has_run(self.page)
        assert self.run() == before + 1
        return self.pixels()


@pytest.fixture
def pad(context: BrowserContext, pad_server: Server) -> Iterator[Pad]:
    with quiet(context, pad_server) as opened:
        yield opened


@contextmanager
def quiet(context: BrowserContext, server: Server) -> Iterator[Pad]:
    """A pad about which neither the browser nor the server complains."""
    opened = Pad(context.new_page(), server)
    yield opened
    assert opened.complaints == []
    assert "Traceback" not in server.log.read_text()


def centre_of_mass(digit: NDArray[np.uint8]) -> tuple[float, float]:
    index, mass = np.arange(28), digit.astype(float)
    return index @ mass.sum(1) / mass.sum(), index @ mass.sum(0) / mass.sum()


def assert_is_a_one(digit: NDArray[np.uint8] | None) -> None:
    """An upright stroke: 20 high, as thick as MNIST's strokes, solid, and in the middle."""
    assert digit is not None
    rows, columns = np.flatnonzero(digit.any(1)), np.flatnonzero(digit.any(0))
    assert rows[-1] - rows[0] == 19
    assert 2 <= columns[-1] - columns[0] + 1 <= 4
    assert digit.max() == 255
    assert centre_of_mass(digit) == pytest.approx((14, 14), abs=0.51)


def test_an_empty_pad_has_nothing_to_undo(pad: Pad) -> None:
    expect(pad.undo).to_be_disabled()
    expect(pad.clear).to_be_disabled()
    assert pad.pixels() is None
    box = pad.surface.bounding_box()
    assert box is not None
    assert 276 <= box["width"] == box["height"] <= 280


def test_a_stroke_of_the_mouse_becomes_a_centred_digit(pad: Pad) -> None:
    assert_is_a_one(pad.answer(lambda: pad.draw(DOWN)))
    pad.says("1 stroke")


def test_python_hears_of_a_stroke_when_it_is_finished(pad: Pad) -> None:
    run = pad.run()
    pad.page.mouse.move(*pad.at((0.5, 0.1)))
    pad.page.mouse.down()
    for k in range(20):
        pad.page.mouse.move(*pad.at((0.5, 0.1 + 0.04 * k)))
    pad.page.wait_for_timeout(300)
    assert pad.run() == run
    assert pad.surface.locator("path").count() == 1  # though the visitor sees it grow
    assert_is_a_one(pad.answer(pad.page.mouse.up))


def test_a_click_draws_a_dot(pad: Pad) -> None:
    digit = pad.answer(lambda: pad.draw([(0.5, 0.5)]))
    assert digit is not None
    assert digit[14, 14] == 255
    assert np.count_nonzero(digit > 127) == pytest.approx(np.pi * 10**2, rel=0.1)


def test_undo_takes_back_a_stroke_at_a_time_and_clear_all(pad: Pad) -> None:
    one = pad.answer(lambda: pad.draw(DOWN))
    cross = pad.answer(lambda: pad.draw(ACROSS))
    pad.says("2 strokes")
    np.testing.assert_array_equal(pad.answer(pad.undo.click), one)
    pad.says("1 stroke")
    np.testing.assert_array_equal(pad.answer(lambda: pad.draw(ACROSS)), cross)
    assert pad.answer(pad.clear.click) is None
    pad.says("empty")
    expect(pad.undo).to_be_disabled()
    expect(pad.clear).to_be_disabled()
    pad.answer(lambda: pad.draw(DOWN))
    assert pad.answer(pad.undo.click) is None
    expect(pad.clear).to_be_disabled()


def test_undo_and_clear_are_reached_by_keyboard_with_a_visible_focus(pad: Pad) -> None:
    pad.answer(lambda: pad.draw(DOWN))
    pad.answer(lambda: pad.draw(ACROSS))
    pad.hide()
    pad.show()
    pad.says("2 strokes")
    script_has_run(pad.page)
    pad.page.keyboard.press("Tab")
    expect(pad.undo).to_be_focused()
    assert pad.undo.evaluate("button => getComputedStyle(button).outlineStyle") == "solid"
    pad.page.keyboard.press("Space")
    pad.says("1 stroke")
    pad.page.keyboard.press("Tab")
    expect(pad.clear).to_be_focused()
    pad.page.keyboard.press("Enter")
    pad.says("empty")
    wait_for(lambda: pad.pixels() is None, "an empty pad")


def test_a_rerun_leaves_the_drawing_alone_even_half_a_stroke(pad: Pad) -> None:
    drawn = pad.answer(lambda: pad.draw(DOWN))
    np.testing.assert_array_equal(pad.answer(pad.page.get_by_role("button", name="Run again").click), drawn)
    pad.says("1 stroke")
    before = pad.run()
    pad.page.mouse.move(*pad.at(ACROSS[0]))
    pad.page.mouse.down()
    pad.page.mouse.move(*pad.at(ACROSS[2]))
    pad.page.locator(".st-key-again button").evaluate("button => button.click()")
    wait_for(lambda: pad.run() > before, "another run of the page")
    pad.page.mouse.move(*pad.at(ACROSS[-1]))
    halves = pad.answer(pad.page.mouse.up)
    pad.says("2 strokes")
    pad.answer(pad.clear.click)
    pad.answer(lambda: pad.draw(DOWN))
    whole = pad.answer(lambda: pad.draw([ACROSS[0], ACROSS[2], ACROSS[-1]]))
    np.testing.assert_array_equal(halves, whole)


def test_a_pad_that_was_away_comes_back_with_its_drawing(pad: Pad) -> None:
    drawn = pad.answer(lambda: pad.draw(DOWN))
    pad.hide()
    assert pad.pixels() is None
    pad.show()
    pad.says("1 stroke")
    wait_for(lambda: pad.pixels() is not None, "the drawing")
    np.testing.assert_array_equal(pad.pixels(), drawn)


def test_a_stroke_may_leave_the_pad_and_come_back(pad: Pad) -> None:
    digit = pad.answer(lambda: pad.draw([(0.5, 0.9), (1.3, 0.9), (1.3, 0.1), (0.5, 0.1)]))
    assert digit is not None
    pad.says("1 stroke")
    assert digit[5].any()
    assert digit[23].any()
    assert not digit[13].any()


def test_the_other_mouse_buttons_draw_nothing(pad: Pad) -> None:
    pad.page.mouse.move(*pad.at((0.5, 0.5)))
    pad.page.mouse.down(button="middle")
    pad.page.mouse.move(*pad.at((0.5, 0.8)))
    pad.page.mouse.up(button="middle")
    pad.says("empty")


def test_quick_strokes_all_arrive(pad: Pad) -> None:
    strokes = [[(0.1 + 0.2 * k, 0.1), (0.1 + 0.2 * k, 0.9)] for k in range(5)]
    for stroke in strokes:
        pad.draw(stroke)
    pad.says("5 strokes")
    wait_for(lambda: (digit := pad.pixels()) is not None and digit[14, 4:24].min() < 64, "the drawing")
    pad.page.wait_for_timeout(500)
    digit = pad.pixels()
    assert digit is not None
    middle = np.concatenate(([0], digit[14] > 127, [0]))
    assert np.count_nonzero(np.diff(middle) == 1) == 5


def test_a_finger_draws_and_does_not_scroll_on_a_phone(open_context: OpenContext, pad_server: Server) -> None:
    context = open_context(390, 844, has_touch=True, is_mobile=True, device_scale_factor=3)
    with quiet(context, pad_server) as pad:
        assert_is_a_one(pad.answer(lambda: pad.touch(DOWN)))
        pad.answer(lambda: pad.touch(DOWN[::-1]))
        pad.says("2 strokes")
        assert pad.page.evaluate("[...document.querySelectorAll('*')].every(e => e.scrollTop === 0)")
        assert pad.page.evaluate("document.documentElement.scrollWidth") <= 390
        pad.undo.tap()
        pad.clear.tap()
        pad.says("empty")


def test_a_second_finger_and_a_palm_draw_nothing(open_context: OpenContext, pad_server: Server) -> None:
    context = open_context(390, 844, has_touch=True)
    with quiet(context, pad_server) as pad:
        session = context.new_cdp_session(pad.page)
        first, second = ({**dict(zip("xy", pad.at(p), strict=True)), "id": k} for k, p in enumerate(DOWN[:2]))
        session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [first]})
        session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [first, second]})
        assert pad.surface.locator("path").count() == 1
        session.send("Input.dispatchTouchEvent", {"type": "touchCancel", "touchPoints": []})
        pad.says("empty")
        assert pad.surface.locator("path").count() == 0
        assert_is_a_one(pad.answer(lambda: pad.touch(DOWN)))


def test_a_pen_draws(pad: Pad) -> None:
    session = pad.page.context.new_cdp_session(pad.page)

    def draw() -> None:
        kinds = ["mousePressed", *["mouseMoved"] * (len(DOWN) - 2), "mouseReleased"]
        for kind, point in zip(kinds, DOWN, strict=True):
            x, y = pad.at(point)
            pen = {"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "pointerType": "pen", "clickCount": 1}
            session.send("Input.dispatchMouseEvent", pen)

    assert_is_a_one(pad.answer(draw))


def test_the_pad_shrinks_with_its_page_and_draws_alike(open_context: OpenContext, pad_server: Server) -> None:
    with quiet(open_context(230, 800), pad_server) as pad:
        box = pad.surface.bounding_box()
        assert box is not None
        assert box["width"] == box["height"] < 230
        assert_is_a_one(pad.answer(lambda: pad.draw(DOWN)))


def test_accessibility_scan_finds_nothing_serious(pad: Pad) -> None:
    pad.answer(lambda: pad.draw(DOWN))
    assert_accessible(pad.page)


def test_the_strokes_follow_the_theme(pad: Pad) -> None:
    pad.answer(lambda: pad.draw(DOWN))
    colour = "path => getComputedStyle(path).stroke"
    line = pad.surface.locator("path")
    light = line.evaluate(colour)
    pad.page.emulate_media(color_scheme="dark")
    wait_for(lambda: line.evaluate(colour) != light, "strokes in another colour")
    pad.says("1 stroke")

"""A drawing becomes a digit as MNIST's did, and what is no drawing becomes nothing."""

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from bnviz.data import centering, load
from bnviz.data.centering import as_mnist
from bnviz.experiment import layers
from bnviz.experiment.choices import DataName
from bnviz.ui.components.draw_pad import INK_SIDE, read_ink

Ink = NDArray[np.uint8]
ANY_INK = arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)))


def blank(height: int = INK_SIDE, width: int = INK_SIDE) -> Ink:
    return np.zeros((height, width), np.uint8)


def brush(*strokes: tuple[float, float, float, float], radius: float = 6.0) -> Ink:
    """Straight strokes (x, y to x, y) with round ends, anti-aliased."""
    y, x = np.mgrid[:INK_SIDE, :INK_SIDE] + 0.5
    ink = np.zeros((INK_SIDE, INK_SIDE))
    for x0, y0, x1, y1 in strokes:
        length = max((x1 - x0) ** 2 + (y1 - y0) ** 2, 1e-9)
        along = np.clip(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length, 0, 1)
        distance = np.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0))
        ink = np.maximum(ink, np.clip(radius + 0.5 - distance, 0, 1))
    return np.rint(255 * ink).astype(np.uint8)


def digit_of(ink: Ink) -> Ink:
    digit = as_mnist(ink)
    assert digit is not None
    return digit


def centre_of_mass(digits: Ink) -> NDArray[np.float64]:
    """Row and column, counted from 0, of digits of shape (..., 28, 28)."""
    index, mass = np.arange(28), digits.astype(float)
    total = mass.sum((-2, -1))
    return np.stack([mass.sum(-1) @ index / total, mass.sum(-2) @ index / total], axis=-1)


def extent(digit: Ink) -> tuple[int, int]:
    rows, columns = np.flatnonzero(digit.any(1)), np.flatnonzero(digit.any(0))
    return int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1)


def digits_of(name: DataName) -> Ink:
    digits = load(name)
    return np.concatenate([digits.train_images, digits.test_images]).reshape(-1, 28, 28)


@pytest.fixture(scope="module")
def sample() -> Ink:
    """The first 10,000 training and 2,000 test digits."""
    return digits_of("MNIST sample")


class TestRealDigits:
    def test_have_their_centre_of_mass_at_14_14(self) -> None:
        parts = np.array_split(digits_of("MNIST"), 10)
        off = np.concatenate([np.abs(centre_of_mass(digits) - 14).max(1) for digits in parts])
        assert len(off) == 70_000
        assert np.flatnonzero(off > 0.5 + 1e-9).tolist() == [19841, 45131]

    @pytest.mark.slow
    def test_come_back_unchanged_from_five_times_their_size(self, sample: Ink) -> None:
        enlarged = sample.repeat(5, axis=1).repeat(5, axis=2)
        again = np.stack([digit_of(ink) for ink in enlarged])
        difference = np.abs(again.astype(int) - sample).mean((1, 2))
        assert np.flatnonzero(difference).tolist() == [908, 4928]  # those whose last row MNIST has cut off
        assert difference.mean() < 0.01  # grey levels of 255

    def test_come_back_nearly_unchanged_from_a_size_that_is_no_multiple(self, sample: Ink) -> None:
        index = np.arange(131) * 28 // 131  # nearest neighbours: edges up to half a pixel of 131 off
        again = np.stack([digit_of(digit[index][:, index]) for digit in sample[:500]])
        difference = np.abs(again.astype(int) - sample[:500]).mean((1, 2))
        assert np.median(difference) < 3.0
        assert difference.mean() < 5.0  # a few lie between two places and are a pixel off


class TestADrawing:
    def test_that_is_empty_is_no_digit(self) -> None:
        assert as_mnist(blank()) is None

    def test_of_a_dot_fills_the_box(self) -> None:
        digit = digit_of(brush((30, 100, 30, 100)))
        assert extent(digit) == (20, 20)
        assert digit[14, 14] == 255
        assert digit.sum() / 255 == pytest.approx(np.pi * 10**2, rel=0.1)

    def test_of_one_pixel_fills_the_box(self) -> None:
        ink = blank()
        ink[3, 139] = 200
        digit = digit_of(ink)
        assert extent(digit) == (20, 20)
        assert set(np.unique(digit)) == {0, 200}

    @pytest.mark.parametrize("where", ["left", "right", "top", "bottom"])
    def test_of_a_line_at_the_border_is_a_line_in_the_middle(self, where: str) -> None:
        ink = blank()
        strips: dict[str, Any] = {
            "left": np.s_[:, :14],
            "right": np.s_[:, -14:],
            "top": np.s_[:14],
            "bottom": np.s_[-14:],
        }
        ink[strips[where]] = 255
        expected = np.zeros((28, 28), np.uint8)
        expected[4:24, 13:15] = 255
        if where in ("top", "bottom"):
            expected = expected.T
        np.testing.assert_array_equal(digit_of(ink), expected)

    def test_is_the_same_digit_wherever_it_is_drawn(self) -> None:
        seven = brush((30, 30, 80, 30), (80, 30, 45, 100))
        digit = digit_of(seven)
        for down, right in [(-20, -20), (30, 50), (-20, 50), (1, -3)]:
            moved = np.roll(seven, (down, right), (0, 1))
            np.testing.assert_array_equal(digit_of(moved), digit)

    def test_is_nearly_the_same_digit_at_twice_the_size(self) -> None:
        small = digit_of(brush((20, 20, 50, 20), (50, 20, 30, 60), radius=3)).astype(int)
        large = digit_of(brush((40, 40, 100, 40), (100, 40, 60, 120), radius=6)).astype(int)
        assert np.abs(small - large).mean() < 4.0

    def test_keeps_its_aspect_ratio(self) -> None:
        ink = blank()
        ink[20:120, 40:80] = 255
        assert extent(digit_of(ink)) == (20, 8)

    def test_is_averaged_over_areas(self) -> None:
        ink = np.tile(np.array([[0, 255], [255, 0]], np.uint8), (70, 70))  # 7 × 7 of these pixels make one of the digit
        ink[0, 0] = ink[-1, -1] = 255
        inner = digit_of(ink)[6:22, 6:22]
        assert np.abs(inner - 127.5).max() <= 255 / 49 / 2 + 0.5

    def test_that_is_lopsided_stops_at_the_edge_and_stays_whole(self) -> None:
        ink = blank()
        ink[:, 60:62] = 255
        ink[100:, 40:80] = 255
        digit = digit_of(ink)
        assert extent(digit)[0] == 20
        assert digit[0].any()

    def test_is_centred_by_the_ink_that_is_seen(self) -> None:
        ink = np.zeros((120, 16), np.uint8)
        ink[0, 0], ink[-6:, :6] = 1, 200  # of the first nothing is left at a sixth of the size
        down, across = centre_of_mass(digit_of(ink))
        assert abs(down - 14) <= 0.5
        assert abs(across - 14) <= 0.5

    @given(ANY_INK)
    def test_of_any_size_is_at_most_20_by_20_and_centred_unless_at_an_edge(self, ink: Ink) -> None:
        digit = as_mnist(ink)
        if digit is None:
            assert ink.max() < 255
            return
        assert digit.shape == (28, 28)
        assert digit.dtype == np.uint8
        assert max(extent(digit)) <= 20
        for axis, centre in enumerate(centre_of_mass(digit)):
            lines = digit.max(1 - axis)
            assert abs(centre - 14) <= 0.5 + 1e-5 or lines[0] or lines[-1]

    @given(ANY_INK, st.integers(0, 9), st.integers(0, 9))
    def test_may_have_any_margin(self, ink: Ink, before: int, after: int) -> None:
        padded = np.pad(ink, ((before, after), (after, before)))
        np.testing.assert_equal(as_mnist(padded), as_mnist(ink))

    @given(ANY_INK)
    def test_on_its_side_is_the_digit_on_its_side(self, ink: Ink) -> None:
        upright, sideways = as_mnist(ink), as_mnist(ink.T)
        assert (upright is None) == (sideways is None)
        if upright is not None and sideways is not None:
            difference = np.abs(upright.T.astype(int) - sideways)
            assert difference.max() <= 1  # where a sum's last bit decides the rounding


class TestWhatABrowserSends:
    @given(arrays(np.uint8, (INK_SIDE, INK_SIDE)))
    def test_is_read_pixel_by_pixel(self, ink: Ink) -> None:
        np.testing.assert_array_equal(read_ink(base64.b64encode(ink.tobytes()).decode()), ink)

    @pytest.mark.parametrize(
        "sent",
        [
            None,
            "",
            0,
            1e308,
            True,
            [],
            {"ink": "AAAA"},
            b"AAAA",
            "AAAA",
            base64.b64encode(bytes(INK_SIDE * INK_SIDE - 1)).decode(),
            base64.b64encode(bytes(INK_SIDE * INK_SIDE - 2)).decode(),
            base64.b64encode(bytes(INK_SIDE * INK_SIDE + 1)).decode(),
            base64.b64encode(bytes(INK_SIDE * INK_SIDE)).decode()[:-1],
            base64.b64encode(bytes(INK_SIDE * INK_SIDE)).decode()[:-4] + "====",
            "é" + base64.b64encode(bytes(INK_SIDE * INK_SIDE)).decode()[1:],
            "!" + base64.b64encode(bytes(INK_SIDE * INK_SIDE)).decode()[1:],
            "\n" + base64.b64encode(bytes(INK_SIDE * INK_SIDE)).decode()[1:],
            "=" + base64.b64encode(bytes(INK_SIDE * INK_SIDE)).decode()[1:],
            "A" * 50_000_000,
        ],
        ids=range(19),
    )
    def test_is_nothing_where_it_is_not_a_drawing(self, sent: object) -> None:
        assert read_ink(sent) is None

    @given(st.text() | st.binary() | st.integers() | st.floats() | st.none() | st.lists(st.text()))
    def test_is_nothing_where_it_is_anything_else(self, sent: object) -> None:
        assert read_ink(sent) is None


def test_a_digit_is_as_wide_as_what_a_network_takes() -> None:
    assert centering.DIGIT_SIDE == layers.SIDE

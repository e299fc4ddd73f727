"""Numbers are written as a reader expects them, and can be read back."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnviz.experiment import wording

NUMBERS = st.floats(-1e300, 1e300)
EVERYDAY = st.floats(-9999, 9999)
RATIOS = st.floats(1e-3, 1e12)
_PLAIN = str.maketrans("−⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "--0123456789", ",")


def read(text: str) -> float:
    """The number that a text stands for."""
    match = re.fullmatch(r"([+−]?)(?:([\d.,]+))?(?: · )?(?:10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?", text)
    assert match, text
    sign, factor, power = match.groups()
    value = float((factor or "1").translate(_PLAIN)) * 10.0 ** int((power or "⁰").translate(_PLAIN))
    return -value if sign == "−" else value


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_is_said_to_be_none(broken: float) -> None:
    for write in (wording.exact, wording.significant, wording.decimals, wording.signed_decimals):
        assert write(broken) == wording.NOT_FINITE
    assert wording.times(broken) == "not finite times"


@given(NUMBERS)
def test_no_number_is_written_with_a_hyphen_or_as_minus_zero(value: float) -> None:
    for write in (wording.exact, wording.significant, wording.decimals, wording.signed_decimals, wording.points):
        assert "-" not in write(value)
        assert not re.fullmatch(r"[+−]0(\.0*)?( points)?", write(value))


class TestSignificantDigits:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0, "0"),
            (0.25, "0.25"),
            (-1234.4, "−1,234"),
            (99_999, "99,999"),
            (1e-5, "10⁻⁵"),
            (-1e-5, "−10⁻⁵"),
            (-3.14e-16, "−3.1 · 10⁻¹⁶"),
            (2e7, "2 · 10⁷"),
        ],
    )
    def test_are_plain_where_they_are_few(self, value: float, text: str) -> None:
        assert wording.significant(value) == text

    @given(NUMBERS)
    def test_say_the_number_to_within_half_of_the_last_digit(self, value: float) -> None:
        assert read(wording.significant(value)) == pytest.approx(value, rel=0.05, abs=1e-300)

    @given(st.floats(1e-3, 99_999), st.integers(2, 6))
    def test_are_at_least_as_many_as_asked_for(self, value: float, digits: int) -> None:
        assert read(wording.significant(value, digits)) == pytest.approx(value, rel=0.51 * 10 ** (1 - digits))

    @given(NUMBERS)
    def test_take_no_more_than_thirteen_characters(self, value: float) -> None:
        assert len(wording.significant(value)) <= 13


class TestDecimals:
    @pytest.mark.parametrize(
        ("value", "text"),
        [(5.006, "5.01"), (-2.034, "−2.03"), (-0.001, "0.00"), (1234.5, "1,234.50"), (-12e6, "−1.2 · 10⁷")],
    )
    def test_have_a_real_minus_and_none_before_zero(self, value: float, text: str) -> None:
        assert wording.decimals(value) == text

    @given(EVERYDAY, st.integers(0, 4))
    def test_say_the_number_to_within_half_of_the_last_one(self, value: float, count: int) -> None:
        assert read(wording.decimals(value, count)) == pytest.approx(value, abs=0.501 * 10**-count)

    @given(EVERYDAY, st.integers(0, 4))
    def test_with_a_sign_differ_in_nothing_but_the_plus(self, value: float, count: int) -> None:
        text = wording.signed_decimals(value, count)
        assert text.removeprefix("+") == wording.decimals(value, count)
        assert text.startswith("+") == (read(text) > 0)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (1.0, "1.0 times"),
        (8.74, "8.7 times"),
        (9.96, "10 times"),
        (210.4, "210 times"),
        (87_370, "87,000 times"),
        (8.737e7, "8.7 · 10⁷ times"),
        (0.0621, "0.062 times"),
    ],
)
def test_ratios_have_two_digits(ratio: float, text: str) -> None:
    assert wording.times(ratio) == text


@given(RATIOS)
def test_a_ratio_is_right_to_two_digits(ratio: float) -> None:
    assert read(wording.times(ratio).removesuffix(" times")) == pytest.approx(ratio, rel=0.051)


@given(NUMBERS)
def test_exact_numbers_are_read_back_in_ten_digits(value: float) -> None:
    assert read(wording.exact(value)) == pytest.approx(value, rel=1e-9, abs=1e-300)


@given(RATIOS)
def test_a_lower_bound_lies_below_the_ratio_and_near_it(ratio: float) -> None:
    bound = read(wording.at_least(ratio).removeprefix("at least ").removesuffix(" times"))
    assert bound <= ratio * (1 + 1e-12)
    assert bound == pytest.approx(ratio, rel=0.1)


@pytest.mark.parametrize(("last", "text"), [(1.0, "× 0.25"), (math.inf, "× not finite")])
def test_a_factor_is_the_last_over_the_first(last: float, text: str) -> None:
    assert wording.factor(last, 4.0) == text
    assert wording.factor(last, 0.0) == "× not finite"


@pytest.mark.parametrize(("value", "text"), [(0.1234, "12.3%"), (0.0009, "less than 0.1%"), (23.0, "23 times")])
def test_a_part_may_be_more_than_the_whole(value: float, text: str) -> None:
    assert wording.part(value) == text


@pytest.mark.parametrize(("value", "step", "text"), [(3.0, 1.0, "3"), (3.25, 1.0, "3.2"), (0.5, 0.05, "0.50")])
def test_a_value_of_a_slider_has_the_decimals_of_its_steps(value: float, step: float, text: str) -> None:
    assert wording.in_steps(value, step) == text


def test_a_share_is_told_in_per_cent() -> None:
    assert [wording.percent(0.1234), wording.percent(0.1234, 0), wording.percent(1)] == ["12.3%", "12%", "100.0%"]


def test_points_of_a_difference_of_shares() -> None:
    assert [wording.points(d) for d in (0.0123, -0.003, 0.0)] == ["+1.2 points", "−0.3 points", "0.0 points"]


@pytest.mark.parametrize(("count", "text"), [(0, "0 steps"), (1, "1 step"), (1200, "1,200 steps")])
def test_counted_things_are_many_unless_there_is_one(count: int, text: str) -> None:
    assert wording.counted(count, "step") == text


def test_sentences_begin_with_a_large_letter_and_symbols_stay_as_they_are() -> None:
    assert [wording.capitalized(words) for words in ("σ of the weights", "with batchnorm")] == [
        "σ of the weights",
        "With batchnorm",
    ]


def test_lists_end_in_and() -> None:
    assert [wording.listed("ABC"[:n]) for n in (1, 2, 3)] == ["A", "A and B", "A, B and C"]


def test_a_mean_has_its_deviation_where_there_is_one() -> None:
    assert wording.mean_and_deviation([94.7, 94.9], 1, "%") == "94.8 ± 0.1%"
    assert wording.mean_and_deviation([0.3], 3) == "0.300"


@pytest.mark.parametrize(("seconds", "text"), [(5.9, "0:05"), (720, "12:00"), (11_100, "3:05:00")])
def test_durations_are_read_off_a_clock(seconds: float, text: str) -> None:
    assert wording.clock(seconds) == text


@pytest.mark.parametrize(
    ("rate", "text"), [(1200, "1,200 steps/s"), (2.5, "2.5 steps/s"), (0.25, "4.0 s a step"), (0, "– steps/s")]
)
def test_a_pace_below_one_step_a_second_is_told_the_other_way_round(rate: float, text: str) -> None:
    assert wording.pace(rate) == text

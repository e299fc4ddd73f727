"""How a number is written: every sentence, axis and table takes its digits from here.

A minus is a minus sign, thousands have commas, and what is no finite number is written as "not finite".
"""

import math
from collections.abc import Sequence
from decimal import ROUND_FLOOR, Context
from statistics import fmean, stdev

NOT_FINITE = "not finite"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def with_minus_signs(text: str) -> str:
    """Return the text with a minus sign in place of every hyphen."""
    return text.replace("-", "−")


def exact(value: float) -> str:
    """Return up to ten digits and no zeros at the end: '0.5', '12,345', '−0.001', '2.5 · 10⁻⁷'."""
    return _with_power_of_ten(f"{value:,.10g}") if math.isfinite(value) else NOT_FINITE


def _with_power_of_ten(text: str) -> str:
    """Return what Python writes as '2e-07' or '1e-05' as '2 · 10⁻⁷' or '10⁻⁵'."""
    mantissa, _, exponent = with_minus_signs(text).partition("e")
    if not exponent:
        return mantissa
    power = "10" + str(int(exponent.replace("−", "-"))).translate(_SUPERSCRIPTS)
    factor = mantissa.removesuffix(".0")
    return factor.replace("1", power) if factor in ("1", "−1") else f"{factor} · {power}"


def significant(value: float, digits: int = 3) -> str:
    """Return so many digits that count, or a power of ten if plain digits would be many.

    '0.25', '1,234', '3.1 · 10⁻¹⁶' or '10⁻⁵'. Whole numbers keep all their digits up to 100,000; beyond that, and below
    0.001, two digits and a power of ten are left.
    """
    if not math.isfinite(value):
        return NOT_FINITE
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return with_minus_signs(f"{value:,.0f}" if abs(value) >= 10**digits / 10 else f"{value:.{digits}g}")
    return _with_power_of_ten(f"{value:.1e}")


def decimals(value: float, count: int = 2) -> str:
    """Return so many decimals: '−2.03', '0.00' without a minus; from 10,000 on as `significant` writes it."""
    if not abs(value) < 10_000:
        return significant(value)
    text = f"{value:,.{count}f}"
    return with_minus_signs(text) if text.strip("-0.") else text.removeprefix("-")


def signed_decimals(value: float, count: int = 2) -> str:
    """Return so many decimals and the sign: '+0.12', '−2.03', '0.00'."""
    text = decimals(value, count)
    return f"+{text}" if 0 < value < math.inf and text.strip("0.") else text


def times(ratio: float) -> str:
    """Return two digits of how many times something is as much: '8.7 times', '210 times', '8.7 · 10⁷ times'."""
    if not math.isfinite(ratio):
        return f"{NOT_FINITE} times"
    rounded = float(f"{ratio:.1e}")
    text = f"{rounded:.1f}" if 1 <= abs(rounded) < 10 else significant(rounded)
    return f"{text} times"


def at_least(ratio: float) -> str:
    """Return a ratio that is known from below, rounded down to two digits: 'at least 4,000 times'."""
    return f"at least {times(float(Context(prec=2, rounding=ROUND_FLOOR).create_decimal(ratio)))}"


def factor(last: float, first: float) -> str:
    """Return by what something was multiplied from first to last: '× 0.25', '× not finite'."""
    return f"× {significant(float(last) / float(first) if first else math.nan)}"


def part(value: float) -> str:
    """Return a part of something that may be more than the whole: '12.5%', 'less than 0.1%', '23 times'."""
    if value >= 10:
        return times(value)
    return percent(value) if value >= 0.001 else "less than 0.1%"


def in_steps(value: float, step: float) -> str:
    """Return the decimals of a slider with such steps; a measured value between two steps of 1 has one more."""
    if step >= 1:
        return decimals(value, 0 if value == round(value) else 1)
    return decimals(value)


def percent(share: float, count: int = 1) -> str:
    """Return a share with so many decimals: '12.3%', with none '12%'."""
    return f"{share:.{count}%}"


def points(difference: float) -> str:
    """Return a difference of two shares in percentage points: '+1.2 points', '−0.3 points'."""
    return f"{signed_decimals(100 * difference, 1)} points"


def counted(number: int, noun: str) -> str:
    """Return '1 step' or '1,200 steps'; the noun is one whose plural takes an s."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def capitalized(words: str) -> str:
    """Return words as they begin a sentence: their first letter large, unless it is a symbol such as σ."""
    return words[0].upper() + words[1:] if words[0].isascii() else words


def listed(words: Sequence[str]) -> str:
    """Return 'A', 'A and B' or 'A, B and C'."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def mean_and_deviation(values: Sequence[float], count: int, unit: str = "") -> str:
    """Return mean and sample standard deviation with so many decimals: '0.300 ± 0.004', '94.8 ± 0.1%'."""
    spread = f" ± {decimals(stdev(values), count)}" if len(values) > 1 else ""
    return f"{decimals(fmean(values), count)}{spread}{unit}"


def clock(seconds: float) -> str:
    """Return a duration in whole seconds: '0:05', '12:00', '3:05:00'."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def pace(steps_per_second: float) -> str:
    """Return a rate: '1,200 steps/s', '2.5 steps/s', '4.0 s a step'; a dash in place of a rate that is not known."""
    if not steps_per_second:
        return "– steps/s"
    if steps_per_second < 1:
        return f"{1 / steps_per_second:.1f} s a step"
    return f"{steps_per_second:,.{0 if steps_per_second >= 10 else 1}f} steps/s"

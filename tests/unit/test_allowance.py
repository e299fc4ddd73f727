"""How often one visitor may have what costs."""

import pytest

from bnviz.engine.allowance import MOST_KNOWN, Allowance, TooFastError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_some_are_given_at_once_and_then_so_many_a_minute() -> None:
    clock = Clock()
    allowance = Allowance(3, 30, clock)
    for _ in range(3):
        allowance.take("one")
    with pytest.raises(TooFastError, match=r"too often for one visitor\. Please wait 2 s, and try again\."):
        allowance.take("one")
    clock.now += 2.0
    allowance.take("one")
    with pytest.raises(TooFastError):
        allowance.take("one")


def test_visitors_do_not_pay_for_each_other() -> None:
    allowance = Allowance(1, 1, Clock())
    allowance.take("one")
    allowance.take("two")


def test_what_costs_more_waits_longer_and_takes_nothing_when_refused() -> None:
    clock = Clock()
    allowance = Allowance(4, 60, clock)
    allowance.take("one", 3.0)
    with pytest.raises(TooFastError, match="wait 2 s"):
        allowance.take("one", 3.0)
    allowance.take("one", 1.0)


def test_no_more_is_saved_up_than_fits() -> None:
    clock = Clock()
    allowance = Allowance(2, 60, clock)
    allowance.take("one")
    clock.now += 3600
    allowance.take("one", 2.0)
    with pytest.raises(TooFastError):
        allowance.take("one")


def test_as_many_visitors_are_known_as_fit() -> None:
    allowance = Allowance(1, 1, Clock())
    for visitor in range(MOST_KNOWN + 1):
        allowance.take(visitor)
    allowance.take(0)
    with pytest.raises(TooFastError):
        allowance.take(MOST_KNOWN)

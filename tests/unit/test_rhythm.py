"""How far apart frames are: as a viewer can take them, and as they can be afforded."""

import pytest

from bnviz.engine import rhythm
from bnviz.engine.rhythm import (
    EVALUATE_EVERY,
    EVALUATION_SHARE,
    FORGOTTEN_AFTER,
    FORGOTTEN_INTERVAL,
    LOOKING_SHARE,
    ROUND,
    SHORTEST_INTERVAL,
    SHORTEST_TRAINING,
    SLOWEST_INTERVAL,
    UNWATCHED_INTERVAL,
    WISH_LASTS,
    Rhythm,
    training_seconds,
)


class Clock:
    """In place of time.monotonic."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(rhythm, "time", found)
    return found


@pytest.mark.parametrize("interval", [SHORTEST_INTERVAL, 0.05, UNWATCHED_INTERVAL])
@pytest.mark.parametrize("cost", [0.0, 0.001, 0.003])
def test_cheap_frames_come_as_they_are_wished(interval: float, cost: float) -> None:
    assert training_seconds(interval, cost) + cost == pytest.approx(interval)


@pytest.mark.parametrize("cost", [0.005, 0.01, 0.014])
def test_dearer_frames_take_no_more_than_their_share_of_the_time(cost: float) -> None:
    trained = training_seconds(SHORTEST_INTERVAL, cost)
    assert cost / (cost + trained) == pytest.approx(LOOKING_SHARE)


@pytest.mark.parametrize("cost", [0.03, 0.06, 0.09])
def test_the_dearest_still_come_ten_times_a_second(cost: float) -> None:
    assert training_seconds(SHORTEST_INTERVAL, cost) + cost == pytest.approx(SLOWEST_INTERVAL)
    assert pytest.approx(0.1) == SLOWEST_INTERVAL


def test_there_is_some_training_whatever_a_frame_costs() -> None:
    assert training_seconds(SHORTEST_INTERVAL, 5.0) == SHORTEST_TRAINING


@pytest.mark.parametrize("runs", [2, 5, 10, 20])
@pytest.mark.parametrize("cost", [0.001, 0.004])
def test_all_runs_of_a_worker_have_their_turn_within_a_round(runs: int, cost: float) -> None:
    trained = training_seconds(UNWATCHED_INTERVAL, cost, runs)
    assert SHORTEST_TRAINING <= trained <= training_seconds(UNWATCHED_INTERVAL, cost)
    assert runs * (cost + trained) == pytest.approx(min(ROUND, runs * UNWATCHED_INTERVAL))


def test_many_runs_still_train() -> None:
    assert training_seconds(SHORTEST_INTERVAL, 0.004, 500) == SHORTEST_TRAINING


def test_a_turn_is_no_longer_where_frames_are_wished_further_apart() -> None:
    assert training_seconds(FORGOTTEN_INTERVAL, 0.004) + 0.004 == pytest.approx(SLOWEST_INTERVAL)


@pytest.mark.parametrize(
    ("watched", "shares", "expected"),
    [
        (True, True, FORGOTTEN_INTERVAL),
        (True, False, UNWATCHED_INTERVAL),  # nobody waits for it to stand back
        (False, True, UNWATCHED_INTERVAL),  # nobody ever looked: a program trains it
    ],
)
def test_a_run_that_nobody_looks_at_any_more_stands_back_for_others(
    clock: Clock, watched: bool, shares: bool, expected: float
) -> None:
    beat = Rhythm()
    beat.shares = shares
    if watched:
        beat.wish(0.03)
    clock.now += WISH_LASTS + FORGOTTEN_AFTER - 0.1
    assert beat.interval == UNWATCHED_INTERVAL
    clock.now += 0.2
    assert beat.interval == expected
    beat.wish(0.03)
    assert beat.interval == 0.03


def test_a_viewer_that_asks_fast_can_have_forty_frames_a_second(clock: Clock) -> None:
    beat = Rhythm()
    assert beat.interval == UNWATCHED_INTERVAL
    beat.wish(0.0)
    assert beat.interval <= 1 / 40
    beat.wish(0.05)
    assert beat.interval == 0.05
    beat.wish(3.0)
    assert beat.interval == UNWATCHED_INTERVAL


def test_a_wish_is_forgotten_when_nobody_asks_any_more(clock: Clock) -> None:
    beat = Rhythm()
    beat.wish(0.03)
    clock.now += WISH_LASTS / 2
    assert beat.interval == 0.03
    clock.now += WISH_LASTS
    assert beat.interval == UNWATCHED_INTERVAL


def test_the_next_frame_is_awaited_from_the_last_one_on(clock: Clock) -> None:
    beat = Rhythm()
    beat.begin()
    assert beat.until_next() == pytest.approx(UNWATCHED_INTERVAL)
    clock.now += UNWATCHED_INTERVAL
    assert beat.until_next() == 0


def test_test_digits_are_looked_at_now_and_then_and_less_often_if_that_takes_long(clock: Clock) -> None:
    beat = Rhythm()
    assert beat.begin()
    clock.now += 0.11
    beat.end(0.1, evaluated=True)  # ten milliseconds
    assert not beat.begin()
    clock.now += EVALUATE_EVERY
    assert beat.begin()
    clock.now += 0.4
    beat.end(0.1, evaluated=True)
    clock.now += 0.3 / EVALUATION_SHARE - 0.01
    assert not beat.begin()
    clock.now += 0.02
    assert beat.begin()

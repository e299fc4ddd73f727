"""Stacks of a sweep, dealt out to workers: fair shares, what waits, and which may be saved."""

import pytest

from bnviz.engine import stack_pool
from bnviz.engine.stack_pool import PooledStack, StackPool


def pool_of(count: int) -> StackPool:
    pool = StackPool()
    pool.fill([[2 * k, 2 * k + 1] for k in range(count)], [None] * count)
    return pool


def taken(pool: StackPool, workers: int) -> dict[int, PooledStack]:
    """What one worker gets that takes as much as it may."""
    held: dict[int, PooledStack] = {}
    while (stack := pool.take(held, workers)) is not None:
        held[stack.number] = stack
    return held


def test_workers_share_the_stacks_and_the_first_ones_take_what_does_not_divide() -> None:
    pool = pool_of(5)
    assert [len(taken(pool, 3)) for _ in range(4)] == [2, 2, 1, 0]
    assert not pool.waits


def test_a_worker_more_takes_from_those_that_have_too_much_the_least_advanced() -> None:
    pool = pool_of(4)
    held = taken(pool, 1)
    for number, stack in held.items():
        stack.progress = 0.1 * (4 - number)
    surplus = pool.surplus(held, 2)
    assert [stack.number for stack in surplus] == [3, 2]
    for stack in surplus:
        pool.put_back(held.pop(stack.number))
    assert pool.waits
    assert taken(pool, 2).keys() == {2, 3}


def test_finished_stacks_are_counted_as_networks_and_no_longer_shared() -> None:
    pool = pool_of(3)
    held = taken(pool, 1)
    held[0].progress, held[1].progress = 1.0, 0.5
    assert pool.networks_done == 3.0
    assert not pool.finished
    assert len(pool.surplus({1: held[1], 2: held[2]}, 2)) == 1
    for stack in held.values():
        stack.progress = 1.0
    assert pool.finished


def test_a_new_checkpoint_needs_room_for_one_more_of_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_pool, "CHECKPOINT_BYTES", 100)
    pool = pool_of(3)
    first, second, third = taken(pool, 1).values()
    assert pool.may_save(first)
    first.saved = b"x" * 40
    assert pool.may_save(second)
    second.saved = b"x" * 30
    assert not pool.may_save(third)
    assert pool.may_save(first)  # an old one makes room for its successor

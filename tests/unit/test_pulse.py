"""The pulse of a cluster: silence is counted in looks, and whoever waits is told once."""

from collections.abc import Mapping

import pytest

from bnviz.engine import pulse
from bnviz.engine.bell import Bell
from bnviz.engine.pulse import NOTICE, Beat, Pulse


class Cluster:
    """A pulse over what a test says of a scheduler, and how often its bell was rung. No thread looks by itself."""

    def __init__(self) -> None:
        bell, self.rings = Bell(), 0
        self.pulse = Pulse(self._never, bell)
        self.pulse.end()
        bell.listen(self._ring)

    @staticmethod
    def _never(_: float) -> Mapping[str, Beat]:
        raise TimeoutError

    def _ring(self) -> None:
        self.rings += 1

    def look(self, seconds: float, **heard: float) -> None:
        self.pulse._count({name: Beat(0, None, when) for name, when in heard.items()}, seconds)

    def look_in_vain(self, seconds: float) -> None:
        self.pulse._count(None, seconds)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(pulse, "BEATS_LOOK_EVERY", 3600.0)
    return Cluster()


def test_a_worker_that_is_heard_again_and_again_is_not_silent(cluster: Cluster) -> None:
    for when in range(10):
        cluster.look(1.0, a=float(when))
    assert cluster.pulse.silence("a") == 0
    assert cluster.rings == 0


def test_silence_counts_from_the_last_time_a_worker_was_heard_and_rings_once(cluster: Cluster) -> None:
    cluster.look(0.5, a=1.0, b=1.0)
    for when in range(6):
        cluster.look(0.5, a=1.0, b=2.0 + when)
    assert (cluster.pulse.silence("a"), cluster.pulse.silence("b")) == (3.0, 0.0)
    assert cluster.rings == 1
    cluster.look(0.5, a=2.0, b=9.0)
    assert cluster.pulse.silence("a") == 0
    assert cluster.rings == 2


def test_where_the_scheduler_is_silent_so_are_all(cluster: Cluster) -> None:
    cluster.look(0.5, a=1.0)
    cluster.look_in_vain(NOTICE)
    assert cluster.pulse.silence("a") == cluster.pulse.silence() == cluster.pulse.silence("unknown") == NOTICE
    assert cluster.rings == 1
    cluster.look(0.5, a=2.0)
    assert cluster.pulse.silence("a") == cluster.pulse.silence() == 0


def test_a_worker_that_is_gone_is_not_silent(cluster: Cluster) -> None:
    cluster.look(0.5, a=1.0)
    cluster.look(NOTICE, a=1.0)
    cluster.look(0.5)
    assert cluster.pulse.silence("a") == 0
    assert cluster.rings == 2

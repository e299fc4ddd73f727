"""The kept moments of a run, and the run as it was at one of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnviz.analysis.moments import as_of, kept_every, kept_steps, snapshots
from bnviz.records.frames import VariantFrame
from tests.moving import StandIn, moving


class TestGoingBack:
    view = moving((30, 30), (31, 30), (33, 31))

    def test_shows_nothing_later(self) -> None:
        past = as_of(self.view, 100)
        assert past.latest is not None
        assert [v.step for v in past.latest.variants] == [100, 100]
        assert [[f.step for f in h.frames] for h in past.variants] == [[0, 100], [0, 100]]
        assert [len(h.losses) for h in past.variants] == [100, 100]

    @given(st.integers(0, 250))
    def test_is_what_the_history_was_then(self, step: int) -> None:
        before = moving(*[(30, 30), (31, 30), (33, 31)][: step // 100 + 1])
        past = as_of(self.view, step)
        for was, now in zip(before.variants, past.variants, strict=True):
            assert [id_of(f) for f in was.frames] == [id_of(f) for f in now.frames]

    def test_knows_the_kept_moments(self) -> None:
        assert kept_steps(self.view) == [0, 100, 200]
        assert kept_every(self.view) == 100


def id_of(found: VariantFrame) -> tuple[int, int]:
    return found.step, int(found.layers[0].histograms["pre_activation"].argmax())


class TestSnapshots:
    def test_are_of_the_nearest_kept_frames(self) -> None:
        assert snapshots(range(0, 1501, 100), 200) == [0, 2, 4, 6, 8, 10, 12, 14]
        assert snapshots(range(0, 1501, 100), 5000) == [0]

    def test_more_than_are_kept_are_refused_with_the_limit(self) -> None:
        with pytest.raises(ValueError, match=r"51 snapshots, but 16 are kept: choose 100 steps or more"):
            snapshots(range(0, 1501, 100), 30)

    def test_of_one_frame_is_that_frame(self) -> None:
        assert snapshots([0], 1) == [0]
        assert snapshots([], 1) == []


class TestRewound:
    def test_shows_a_kept_moment_until_told_otherwise_or_the_run_starts_over(self) -> None:
        from bnviz.ui.sections.rewind import Rewound

        run = StandIn(moving((30, 30), (31, 30), (33, 31)))
        past = Rewound(run)  # type: ignore[arg-type]
        assert past.view() is run.view()
        past.go(170)
        assert past.step == 100
        first, again = past.view().latest, past.view().latest
        assert first is again  # a page that stands still has no news
        assert first is not None
        assert first.step == 100
        past.go(None)
        assert past.view() is run.view()
        past.go(0)
        assert past.step == 0
        run.history = object()
        assert past.step is None
        assert past.view() is run.view()

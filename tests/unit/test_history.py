"""What a run has shown: bounded, the same however its losses arrived, and safe to read while it is written."""

from collections.abc import Sequence
from threading import Event, Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnviz.experiment.config import BatchNormConfig, Experiment, TrainingConfig, Variant
from bnviz.experiment.edits import Edit
from bnviz.records.history import KEPT_FRAMES, LOSS_POINTS, History, Marker, VariantHistory
from tests.builders import frame, twins, variant_frame

ONE = Experiment(TrainingConfig(steps=100_000), (Variant(),))


def filled(experiment: Experiment, losses: np.ndarray, cuts: Sequence[int]) -> History:
    """A history of one variant whose losses came in frames that end at these steps; ten steps a second."""
    history = History(experiment)
    begin = 0
    history.add(frame(variant_frame(0)))
    for end in (*cuts, len(losses)):
        history.add(frame(variant_frame(end, losses[begin:end]), seconds=end / 10))
        begin = end
    return history


def track(history: History) -> VariantHistory:
    return history.view().variants[0]


class TestTheLossCurve:
    @pytest.fixture(scope="class")
    @staticmethod
    def losses() -> np.ndarray:
        return np.random.default_rng(0).uniform(0, 3, 100_000)

    def test_is_bounded(self, losses: np.ndarray) -> None:
        found = track(filled(ONE, losses, range(37, 100_000, 37)))
        assert LOSS_POINTS / 2 <= len(found.losses) <= LOSS_POINTS
        assert len(found.seconds) == len(found.losses)

    def test_has_points_that_are_means_of_stride_losses(self, losses: np.ndarray) -> None:
        found = track(filled(ONE, losses, range(37, 100_000, 37)))
        assert found.stride == 64  # 100,000 / 2,000 = 50, and strides are powers of two
        complete = len(losses) // 64 * 64
        np.testing.assert_allclose(found.losses, losses[:complete].reshape(-1, 64).mean(1), rtol=1e-12)

    def test_names_the_step_at_which_each_point_ends(self, losses: np.ndarray) -> None:
        found = track(filled(ONE, losses, [500, 6000]))
        np.testing.assert_array_equal(found.steps, np.arange(64, 100_001, 64))

    def test_has_a_point_for_every_step_of_a_short_run(self, losses: np.ndarray) -> None:
        found = track(filled(ONE, losses[:1500], range(7, 1500, 7)))
        assert found.stride == 1
        np.testing.assert_array_equal(found.losses, losses[:1500])
        np.testing.assert_array_equal(found.steps, np.arange(1, 1501))

    @settings(max_examples=30)
    @given(st.integers(0, 9000), st.lists(st.integers(0, 9000), max_size=12))
    def test_does_not_depend_on_how_the_losses_were_cut_into_frames(
        self, losses: np.ndarray, count: int, cuts: list[int]
    ) -> None:
        few = losses[:count]
        whole = track(filled(ONE, few, []))
        cut = track(filled(ONE, few, sorted(c for c in cuts if c < count)))
        assert cut.stride == whole.stride
        np.testing.assert_array_equal(cut.losses, whole.losses)

    @settings(max_examples=30)
    @given(st.lists(st.integers(1, 700), max_size=30))
    def test_has_times_that_grow_up_to_the_newest_frame(self, losses: np.ndarray, lengths: list[int]) -> None:
        ends = np.cumsum(lengths, dtype=int).tolist()
        found = track(filled(ONE, losses[: ends[-1] + 5 if ends else 5], ends))
        assert len(found.seconds) == len(found.losses)
        assert (np.diff(found.seconds) >= 0).all()
        assert (found.seconds > 0).all()
        assert found.seconds[-1] <= (ends[-1] + 5 if ends else 5) / 10 + 1e-9

    @pytest.mark.parametrize("length", [64, 4096, 10_240], ids="{} steps a frame".format)
    def test_has_times_that_follow_the_steps_at_a_steady_pace(self, losses: np.ndarray, length: int) -> None:
        found = track(filled(ONE, losses[:10_240], range(length, 10_240, length)))
        assert found.stride == 8
        np.testing.assert_allclose(found.seconds, found.steps / 10)

    def test_keeps_a_loss_that_is_not_finite(self) -> None:
        found = track(filled(ONE, np.array([2.0, 1e30, np.nan]), [1, 2]))
        np.testing.assert_array_equal(found.losses, [2.0, 1e30, np.nan])


class TestTheKeptFrames:
    @pytest.mark.parametrize("steps", [1, 30, 1500, 20_000, 100_000])
    def test_of_a_run_are_about_200_and_evenly_spaced(self, steps: int) -> None:
        experiment = Experiment(TrainingConfig(steps=steps), (Variant(),))
        every = experiment.training.keep_every
        history = History(experiment)
        for step in sorted({0, steps, *range(0, steps, max(1, every // 4)), *range(0, steps, every)}):
            history.add(frame(variant_frame(step), finished=step == steps))
        kept = [f.step for f in track(history).frames]
        assert len(kept) <= 202
        assert kept[-1] == steps
        assert kept[:-1] == list(range(0, steps, every))

    @pytest.mark.slow
    def test_are_bounded_also_past_the_end_that_the_settings_name(self) -> None:
        short = Experiment(TrainingConfig(steps=30), (Variant(),))
        history = History(short)
        for step in range(0, 100_000, short.training.keep_every):
            history.add(frame(variant_frame(step)))
        found = track(history)
        assert KEPT_FRAMES / 2 <= len(found.frames) <= KEPT_FRAMES
        assert found.frames[0].step == 0
        assert len(found.frame_seconds) == len(found.frames)

    def test_are_thinned_by_every_second_one(self) -> None:
        short = Experiment(TrainingConfig(steps=30), (Variant(),))
        history = History(short)
        for step in range(0, 2 * KEPT_FRAMES + 1, 2):
            history.add(frame(variant_frame(step)))
        assert [f.step for f in track(history).frames] == list(range(0, 2 * KEPT_FRAMES + 1, 4))

    def test_are_the_same_however_the_run_was_watched(self) -> None:
        experiment = Experiment(TrainingConfig(steps=300), (Variant(),))  # keeps every 20th
        calm, watched = History(experiment), History(experiment)
        for step in range(301):
            found = frame(variant_frame(step), finished=step == 300)
            watched.add(found)
            if step % 20 == 0:
                calm.add(found)
        assert [f.step for f in track(calm).frames] == [f.step for f in track(watched).frames]

    def test_are_held_without_their_losses(self) -> None:
        history = History(ONE)
        history.add(frame(variant_frame(0, [1.0, 2.0])))
        assert len(track(history).frames[0].losses) == 0

    def test_include_the_one_at_which_a_variant_diverged_and_that_only_once(self) -> None:
        history = History(twins(steps=300))
        for step in range(30):
            stopped = variant_frame(min(step, 13), diverged=step >= 13, test_loss=np.nan)
            history.add(frame(stopped, variant_frame(step)))
        diverged, other = history.view().variants
        assert [f.step for f in diverged.frames] == [0, 13]
        assert diverged.frames[-1].diverged
        assert [f.step for f in other.frames] == [0, 20]


class TestALiveChange:
    def history(self) -> History:
        history = History(twins(steps=300))
        history.add(frame(variant_frame(0), variant_frame(0)))
        for end in (20, 40):
            losses = np.full(20, end / 10)
            history.add(frame(variant_frame(end, losses), variant_frame(end, losses), seconds=end / 10))
        return history

    def test_clears_the_curves_of_a_restarted_variant_and_no_other(self) -> None:
        history = self.history()
        before = history.view().variants
        history.edit(Edit(twins(steps=300), restart=frozenset({0})), frame(variant_frame(0), variant_frame(40)))
        restarted, other = history.view().variants
        assert len(restarted.losses) == len(restarted.seconds) == 0
        assert [f.step for f in restarted.frames] == [0]
        np.testing.assert_array_equal(other.losses, before[1].losses)
        assert [f.step for f in other.frames] == [0, 20, 40]

    def test_goes_on_with_the_curve_of_the_others_while_one_catches_up(self) -> None:
        history = self.history()
        history.edit(
            Edit(twins(steps=300), restart=frozenset({0})), frame(variant_frame(0), variant_frame(40), seconds=4.0)
        )
        history.add(frame(variant_frame(20, np.ones(20)), variant_frame(40), seconds=6.0))
        history.add(frame(variant_frame(40, np.ones(20)), variant_frame(40), seconds=8.0))
        history.add(frame(variant_frame(41, [0.5]), variant_frame(41, [0.7]), seconds=8.1))
        restarted, other = history.view().variants
        assert (len(restarted.losses), len(other.losses)) == (41, 41)
        assert restarted.seconds[-1] == pytest.approx(4.1)  # its own time: it waited for nobody
        assert other.seconds[-1] == pytest.approx(4.1)

    def test_leaves_a_marker_where_it_has_a_label(self) -> None:
        history = self.history()
        history.edit(Edit(twins(steps=300)), frame(variant_frame(40), variant_frame(40), seconds=4.0))
        assert history.view().markers == ()
        history.edit(
            Edit(twins(steps=300), label="A: init rand"), frame(variant_frame(40), variant_frame(40), seconds=4)
        )
        seconds = history.view().variants[0].frame_seconds[-1]
        assert history.view().markers == (Marker("A: init rand", {0: (40, seconds), 1: (40, seconds)}),)

    def test_a_number_that_is_moved_like_a_slider_leaves_one_marker_where_it_comes_to_rest(self) -> None:
        history = self.history()
        moves = [("learning rate 0.1", 40), ("learning rate 0.05", 45), ("learning rate 1e-05", 60)]
        others = [
            ("learning rate 0.2", 100),
            ("batch size 8", 101),
            ("B: batchnorm off", 102),
            ("B: batchnorm on", 103),
        ]
        for label, step in moves + others:
            history.edit(Edit(twins(steps=300), label=label), frame(variant_frame(step), variant_frame(step)))
        assert [(m.label, m.at[0][0]) for m in history.view().markers] == [moves[-1], *others]

    def test_marks_each_variant_at_its_own_step_and_forgets_one_that_starts_over(self) -> None:
        history = self.history()
        edit = Edit(twins(steps=300), label="batch size 8")
        history.edit(edit, frame(variant_frame(80), variant_frame(30)))
        assert {i: step for i, (step, _) in history.view().markers[0].at.items()} == {0: 80, 1: 30}
        history.edit(Edit(twins(steps=300), restart=frozenset({0})), frame(variant_frame(0), variant_frame(30)))
        assert list(history.view().markers[0].at) == [1]
        history.edit(Edit(twins(steps=300), restart=frozenset({1})), frame(variant_frame(0), variant_frame(0)))
        assert history.view().markers == ()

    def test_may_add_a_variant_and_take_it_away(self) -> None:
        history, two = self.history(), twins(steps=300)
        three = Experiment(two.training, (*two.variants, Variant(batchnorm=BatchNormConfig())))
        frames = [variant_frame(40), variant_frame(40), variant_frame(0)]
        history.edit(Edit(three, restart=frozenset({2})), frame(*frames))
        view = history.view()
        assert view.experiment == three
        assert [len(v.losses) for v in view.variants] == [40, 40, 0]
        history.edit(Edit(two), frame(*frames[:2]))
        assert [len(v.losses) for v in history.view().variants] == [40, 40]

    def test_is_what_the_view_shows_as_the_experiment_of_its_frames(self) -> None:
        history = self.history()
        assert history.view().experiment == twins(steps=300)
        history.edit(Edit(twins(steps=600)), frame(variant_frame(40), variant_frame(40)))
        assert history.view().experiment == twins(steps=600)


class TestReading:
    def test_before_the_first_frame_shows_nothing_yet(self) -> None:
        view = History(twins()).view()
        assert view.latest is None
        assert [len(v.losses) for v in view.variants] == [0, 0]
        assert view.markers == ()

    def test_shows_the_latest_frame_kept_or_not(self) -> None:
        history = History(ONE)
        latest = frame(variant_frame(3, [1.0, 1.0, 1.0]))
        history.add(latest)
        assert history.view().latest is latest
        assert track(history).frames == ()

    def test_gives_a_view_that_later_frames_do_not_change(self) -> None:
        history = History(ONE)
        history.add(frame(variant_frame(1, [1.0])))
        view = history.view()
        losses, frames = view.variants[0].losses.copy(), view.variants[0].frames
        for step in range(2, 3000):
            history.add(frame(variant_frame(step, [float(step)])))
        np.testing.assert_array_equal(view.variants[0].losses, losses)
        assert view.variants[0].frames == frames

    def test_from_one_thread_while_another_writes_sees_whole_moments_only(self) -> None:
        experiment = twins(steps=100_000)
        history, reading = History(experiment), Event()
        problems: list[int] = []

        def read() -> None:
            while not written.is_set():
                view = history.view()
                if view.latest is None:
                    continue
                first, second = view.variants
                whole = (
                    first.stride == second.stride
                    and len(first.losses) == len(first.seconds) == len(second.losses)
                    and np.array_equal(first.losses, second.losses)
                    and len(first.losses) == view.latest.step // first.stride
                    and len(first.frames) == len(first.frame_seconds) == len(second.frames)
                )
                if not whole:
                    problems.append(view.latest.step)
                reading.set()

        written = Event()
        readers = [Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        for step in range(0, 40_000, 10):
            losses = np.arange(step - 10, step) if step else np.empty(0)
            history.add(frame(variant_frame(step, losses), variant_frame(step, losses), seconds=step / 100))
            if step == 10:
                assert reading.wait(30)
        written.set()
        for reader in readers:
            reader.join()
        assert problems == []

"""The trainer: the same experiment and the same edits give the same bits, however a run is cut, watched or edited."""

import copy
import math
import pickle
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

import bnviz
from bnviz.data import Digits
from bnviz.experiment.choices import Position, Schedule
from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, TrainingConfig, Variant, replace
from bnviz.experiment.edits import Edit, plan
from bnviz.records.frames import MOVING_DIGITS, PROBE_DIGITS, TEST_DIGITS, Focus, Frame
from bnviz.training import probes, saving
from bnviz.training.batches import Batches
from bnviz.training.trainer import Trainer, train
from tests.builders import frames_of, losses_of, trainer_of, twins

SMALL = NetworkConfig(hidden_layers=2, width=12, init="xavier_normal")
DIVERGING = Variant(NetworkConfig(hidden_layers=6, width=32, activation="relu", init="normal", init_scale=30.0))
CALM = Variant(NetworkConfig(hidden_layers=6, width=32, activation="relu", init="he_normal"))
THREE = Experiment(
    TrainingConfig(steps=30, batch_size=16, momentum=0.5),
    (Variant(SMALL), Variant(SMALL, BatchNormConfig()), Variant(SMALL, BatchNormConfig(position="after"))),
)


def plain(value: object) -> object:
    """A record as nested tuples and bytes, less the seconds, which are measured and not computed."""
    if is_dataclass(value):
        return tuple((f.name, plain(getattr(value, f.name))) for f in fields(value) if f.name != "seconds")
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, dict):
        return tuple((key, plain(found)) for key, found in value.items())
    if isinstance(value, (tuple, list)):
        return tuple(plain(item) for item in value)
    return value


def assert_same_bits(found: Sequence[Frame], expected: Sequence[Frame]) -> None:
    assert len(found) == len(expected) > 0
    for a, b in zip(found, expected, strict=True):
        assert plain(a) == plain(b), f"tick {a.tick}"


def assert_same_losses(found: Sequence[Frame], expected: Sequence[Frame]) -> None:
    for i in range(len(expected[-1].variants)):
        np.testing.assert_array_equal(losses_of(found, i), losses_of(expected, i))


class TestTheSameExperiment:
    def test_gives_the_same_bits_twice(self, batches: Batches) -> None:
        assert_same_bits(frames_of(THREE, batches), frames_of(THREE, batches))

    def test_gives_another_curve_for_another_seed(self, batches: Batches) -> None:
        other = replace(THREE, training=replace(THREE.training, seed=1))
        assert not np.array_equal(losses_of(frames_of(THREE, batches), 0), losses_of(frames_of(other, batches), 0))

    @pytest.mark.slow
    @settings(max_examples=15)
    @given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1))
    def test_gives_the_same_bits_however_it_is_cut_and_watched(
        self, batches: Batches, cuts: list[tuple[int, bool]]
    ) -> None:
        expected = frames_of(THREE, batches)
        trainer = trainer_of(THREE, batches)
        found = [trainer.advance(steps=0)]
        for steps, evaluate in cuts:
            found.append(trainer.advance(steps=steps, evaluate=evaluate))
        while not trainer.finished:
            found.append(trainer.advance())
        assert_same_losses(found, expected)
        assert plain(replace_losses(found[-1])) == plain(replace_losses(expected[-1]))

    @pytest.mark.parametrize("seconds", [0.0, 1e-4])
    def test_gives_the_same_bits_in_slices_of_time(self, batches: Batches, seconds: float) -> None:
        trainer = trainer_of(THREE, batches)
        found = [trainer.advance(seconds=0.0)]
        assert found[0].step == 1  # a slice of time too short for a step still makes one
        while not trainer.finished:
            found.append(trainer.advance(seconds=seconds, evaluate=False))
        assert_same_losses(found, frames_of(THREE, batches))

    def test_neither_reads_nor_moves_the_global_random_generator(self, batches: Batches) -> None:
        torch.manual_seed(1)
        first = frames_of(THREE, batches)
        torch.manual_seed(2)
        before = torch.get_rng_state()
        assert_same_bits(frames_of(THREE, batches), first)
        assert torch.equal(torch.get_rng_state(), before)


def replace_losses(frame: Frame) -> Frame:
    return replace(frame, variants=tuple(replace(v, losses=np.empty(0)) for v in frame.variants))


class TestVariants:
    def test_with_one_init_start_from_the_same_weights_and_the_same_batch(self, batches: Batches) -> None:
        a, b, c = trainer_of(THREE, batches).advance(steps=0).variants
        for other in (b, c):
            np.testing.assert_array_equal(
                a.layers[0].histograms["pre_activation"], other.layers[0].histograms["pre_activation"]
            )

    @pytest.mark.parametrize("index", range(3))
    def test_learn_alone_as_they_do_beside_others(self, batches: Batches, index: int) -> None:
        """Not to the bit: a product over one matrix and one over three may add up in another order."""
        training = replace(THREE.training, steps=50)
        together = frames_of(replace(THREE, training=training), batches)
        alone = frames_of(Experiment(training, (THREE.variants[index],)), batches)
        assert together[0].variants[index].next_loss == pytest.approx(alone[0].variants[0].next_loss, rel=1e-6)
        np.testing.assert_allclose(losses_of(together, index), losses_of(alone, 0), atol=1e-4)

    def test_of_different_architectures_train_in_lockstep_on_the_same_batches(self, batches: Batches) -> None:
        others = (
            Variant(SMALL),
            Variant(replace(SMALL, width=9), BatchNormConfig()),
            Variant(replace(SMALL, hidden_layers=4)),
            Variant(replace(SMALL, activation="relu")),
        )
        training = TrainingConfig(steps=25, batch_size=16)
        frames = frames_of(Experiment(training, others), batches, at_most=4)
        for frame in frames:
            assert {v.step for v in frame.variants} == {frame.step} == {frame.tick}
        for i, variant in enumerate(others):
            alone = frames_of(Experiment(training, (variant,)), batches)
            np.testing.assert_allclose(losses_of(frames, i), losses_of(alone, 0), atol=1e-4)

    def test_learn(self, batches: Batches) -> None:
        frames = frames_of(twins(NetworkConfig(width=32, init="xavier_normal"), steps=150), batches)
        for before, after in zip(frames[0].variants, frames[-1].variants, strict=True):
            assert before.test_accuracy < 0.3
            assert after.test_accuracy > 0.75


class TestFrames:
    def test_tell_every_loss_once_and_in_order(self, batches: Batches) -> None:
        for frames in (frames_of(THREE, batches), frames_of(THREE, batches, at_most=3)):
            for i in range(3):
                steps = [f.variants[i].step for f in frames]
                counts = [len(f.variants[i].losses) for f in frames]
                assert np.array_equal(np.cumsum(counts), steps)

    def test_show_the_loss_of_the_next_batch_before_its_update(self, batches: Batches) -> None:
        frames = frames_of(THREE, batches, at_most=1)
        for before, after in pairwise(frames):
            for a, b in zip(before.variants, after.variants, strict=True):
                assert a.next_loss == pytest.approx(b.losses[0], rel=1e-5)

    def test_hold_numpy_arrays_and_plain_values_only(self, batches: Batches) -> None:
        trainer = Trainer(THREE.training, THREE.variants, batches, watch="inference")
        frame = trainer.advance(steps=2)

        def look(value: object) -> None:
            if is_dataclass(value):
                for f in fields(value):
                    look(getattr(value, f.name))
            elif isinstance(value, dict):
                for found in value.values():
                    look(found)
            elif isinstance(value, tuple):
                for found in value:
                    look(found)
            else:
                assert type(value) in (np.ndarray, bool, int, float, type(None)), type(value)

        look(frame)
        assert plain(pickle.loads(pickle.dumps(frame))) == plain(frame)

    def test_do_not_change_when_training_goes_on(self, batches: Batches) -> None:
        trainer = trainer_of(THREE, batches)
        frame = trainer.advance(steps=3)
        before = copy.deepcopy(frame)
        trainer.advance(steps=3)
        assert plain(frame) == plain(before)

    def test_of_a_look_without_training_leave_the_step_and_the_seconds_as_they_were(self, batches: Batches) -> None:
        trainer = trainer_of(THREE, batches)
        before = trainer.advance(steps=1)
        after = trainer.advance(steps=0)
        assert (after.tick, after.step) == (before.tick, before.step) == (1, 1)
        assert all(len(v.losses) == 0 for v in after.variants)
        assert plain(replace_losses(after)) == plain(replace_losses(before))

    def test_that_are_not_kept_may_leave_out_the_test_digits(self, batches: Batches) -> None:
        experiment = replace(THREE, training=replace(THREE.training, steps=300))  # keeps every 20th
        trainer = trainer_of(experiment, batches)
        first = trainer.advance(steps=0)
        unkept = trainer.advance(steps=7, evaluate=False)
        kept = trainer.advance(evaluate=False)
        assert {v.tested for v in unkept.variants} == {0}
        assert [v.tested for v in kept.variants] == [v.step for v in kept.variants]
        assert (unkept.step, kept.step) == (7, 20)
        for i in range(3):
            assert unkept.variants[i].test_loss == first.variants[i].test_loss
            assert kept.variants[i].test_loss != first.variants[i].test_loss

    def test_come_at_the_latest_where_one_is_kept(self, batches: Batches) -> None:
        experiment = replace(THREE, training=replace(THREE.training, steps=65))
        assert experiment.training.keep_every == 5
        steps = [frame.step for frame in frames_of(experiment, batches, at_most=7)]
        assert steps == list(range(0, 66, 5))

    def test_tell_percentiles_and_summaries_of_every_layer_only_where_they_are_kept(self, batches: Batches) -> None:
        deep = NetworkConfig(hidden_layers=2, width=12)
        after = Variant(deep, BatchNormConfig(position="after"))
        experiment = Experiment(TrainingConfig(steps=300), (Variant(deep), Variant(deep, BatchNormConfig()), after))
        trainer = trainer_of(experiment, batches)
        between = trainer.advance(steps=7)
        kept = trainer.advance()
        layers = [layer for variant in between.variants for layer in variant.layers]
        assert all(layer.percentiles is None and layer.summaries is None for layer in layers)
        probe = batches.probe(PROBE_DIGITS, False)
        for i, variant in enumerate(kept.variants):
            for layer, trace in zip(variant.layers, trainer.copy_of(i).trace(probe)[0], strict=True):
                expected = np.percentile(trace.activation_input.numpy(), (15, 50, 85), axis=0)
                assert layer.percentiles is not None
                step = np.ptp(expected) / 2**7  # the widest that the grid may have
                np.testing.assert_allclose(layer.percentiles, expected, atol=step / 2)
                np.testing.assert_allclose(layer.mean, trace.places["post_activation"].mean(0), atol=step / 2)
                assert layer.summaries is not None
                means = {place: values.double().mean().item() for place, values in trace.places.items()}
                assert {place: each.mean for place, each in layer.summaries.items()} == pytest.approx(means, abs=1e-9)

    def test_between_kept_ones_hold_histograms_of_the_layers_in_focus_alone(self, batches: Batches) -> None:
        experiment = replace(THREE, training=replace(THREE.training, steps=300))  # keeps every 20th
        whole, focused = trainer_of(experiment, batches), trainer_of(experiment, batches)
        for steps, layers in ((7, (1,)), (5, ()), (3, (0, 1)), (2, (5,))):
            frame, expected = focused.advance(steps=steps, focus=Focus(layers)), whole.advance(steps=steps)
            for seen, full in zip(frame.variants, expected.variants, strict=True):
                for number, (layer, all_of_it) in enumerate(zip(seen.layers, full.layers, strict=True)):
                    counts = all_of_it.histograms if number in layers else {}
                    close_ups = all_of_it.close_ups if number in layers else {}
                    assert plain(layer) == plain(replace(all_of_it, histograms=counts, close_ups=close_ups))
            assert frame.shows(Focus(layers))
            assert frame.shows(Focus((0,))) == (0 in layers)
        assert focused.advance(steps=0, focus=Focus((0,))).shows(Focus((0,)))  # at once, without training

    def test_of_a_large_network_count_few_digits_while_it_moves_and_all_when_it_stands(self, batches: Batches) -> None:
        deep = Experiment(TrainingConfig(steps=300), (Variant(replace(SMALL, hidden_layers=9)),))
        trainer = trainer_of(deep, batches)

        def digits(frame: Frame) -> float:
            return float(frame.variants[0].layers[8].histograms["pre_activation"].sum()) / SMALL.width

        assert digits(trainer.advance(steps=7, evaluate=False)) == MOVING_DIGITS
        assert digits(trainer.advance(steps=0)) == PROBE_DIGITS
        assert digits(trainer.advance(evaluate=False)) == PROBE_DIGITS  # kept

    def test_that_are_kept_are_the_same_to_the_bit_whatever_is_in_focus(self, batches: Batches) -> None:
        focused = trainer_of(THREE, batches)
        found = [focused.advance(steps=0, focus=Focus(()))]
        while not focused.finished:
            found.append(focused.advance(focus=Focus(())))
        assert_same_bits(found, frames_of(THREE, batches))

    def test_in_which_a_network_diverges_hold_everything_whatever_is_in_focus(self, batches: Batches) -> None:
        experiment = Experiment(TrainingConfig(steps=300), (DIVERGING, CALM))
        whole, focused = trainer_of(experiment, batches), trainer_of(experiment, batches)
        while not (found := focused.advance(evaluate=False, focus=Focus(()))).variants[0].diverged:
            pass
        while not (expected := whole.advance()).variants[0].diverged:
            pass
        assert found.step % experiment.training.keep_every  # between two kept frames
        assert plain(found) == plain(expected)

    @pytest.mark.parametrize("strange", [math.nan, math.inf, -math.inf])
    @pytest.mark.parametrize("digits", [1, 2, 7, 256])
    def test_tell_the_percentiles_that_numpy_finds_also_of_what_is_no_number(self, strange: float, digits: int) -> None:
        values = torch.randn(digits, 5, generator=torch.Generator().manual_seed(0))
        values[0, 1] = strange
        values[: digits // 2, 3] = strange
        with np.errstate(invalid="ignore"):
            expected = np.percentile(values.numpy(), (15, 50, 85), axis=0)
        np.testing.assert_array_equal(probes._percentiles(values), expected)

    def test_use_the_first_test_digits_and_the_last_one_all_of_them(self) -> None:
        random = np.random.default_rng(0)
        images = random.integers(0, 256, (TEST_DIGITS + 300, 784), dtype=np.uint8)
        labels = random.integers(0, 10, TEST_DIGITS + 300, dtype=np.uint8)
        others = labels.copy()
        others[TEST_DIGITS:] = (others[TEST_DIGITS:] + 1) % 10  # the same up to the last 300 digits
        training = images[:200], labels[:200]
        found, expected = (
            frames_of(
                twins(steps=4, batch_size=20), Batches(Digits("MNIST sample", *training, images.copy(), test.copy()))
            )
            for test in (labels, others)
        )
        for a, b in zip(found[:-1], expected[:-1], strict=True):
            assert [v.test_loss for v in a.variants] == [v.test_loss for v in b.variants]
        last, other = found[-1].variants[0], expected[-1].variants[0]
        assert last.test_loss != other.test_loss
        assert last.test_accuracy * len(labels) == pytest.approx(round(last.test_accuracy * len(labels)), abs=1e-3)

    def test_before_training_show_a_loss_near_ln_10_for_xavier_and_far_above_for_normal(self, batches: Batches) -> None:
        experiment = Experiment(
            variants=(Variant(NetworkConfig(init="xavier_normal")), Variant(NetworkConfig(init="normal")))
        )
        xavier, normal = trainer_of(experiment, batches).advance(steps=0).variants
        assert xavier.next_loss == pytest.approx(math.log(10), abs=0.4)
        assert normal.next_loss > 5

    def test_count_the_saturated_outputs_of_a_careless_init(self, batches: Batches) -> None:
        careless = twins(NetworkConfig(width=32, init="rand"))
        plain_, normalized = trainer_of(careless, batches).advance(steps=0).variants
        assert plain_.layers[0].saturated.mean() > 0.99
        assert plain_.layers[0].always_saturated == 32
        assert normalized.layers[0].saturated.mean() < 0.2


class TestEdits:
    """`plan` says what a change of the settings means; here the trainer carries it out."""

    experiment = replace(THREE, variants=THREE.variants[:2])

    def changed(self, index: int, **network: Any) -> Experiment:
        variant = self.experiment.variants[index]
        return self.experiment.with_variant(index, replace(variant, network=replace(variant.network, **network)))

    def with_training(self, **changes: Any) -> Experiment:
        return replace(self.experiment, training=replace(self.experiment.training, **changes))

    def planned(self, new: Experiment, keep_weights: bool) -> Edit:
        edit = plan(self.experiment, new, keep_weights)
        assert edit is not None
        return edit

    def halfway(self, batches: Batches, step: int = 10) -> tuple[bnviz.Trainer, Frame]:
        trainer = trainer_of(self.experiment, batches)
        while trainer.tick < step:
            frame = trainer.advance(steps=step - trainer.tick)
        return trainer, frame

    def test_restarting_a_variant_replays_the_batches_from_the_first(self, batches: Batches) -> None:
        """With the losses of a run that began so, less the last bits: it catches up in a stack of its own."""
        new = self.changed(0, init="he_normal")
        frames = frames_of(self.experiment, batches, edits={10: self.planned(new, keep_weights=False)})
        edited = next(i for i, f in enumerate(frames) if f.tick == 10 and f.step == 0)
        expected = frames_of(new, batches)
        np.testing.assert_allclose(losses_of(frames[edited:], 0), losses_of(expected, 0), atol=1e-4)
        assert frames[-1].variants[0].test_loss == pytest.approx(expected[-1].variants[0].test_loss, abs=1e-4)

    def test_restarting_a_variant_leaves_the_others_as_they_were(self, batches: Batches) -> None:
        new = self.changed(0, init="he_normal")
        frames = frames_of(self.experiment, batches, edits={10: self.planned(new, keep_weights=False)})
        unedited = frames_of(self.experiment, batches)
        np.testing.assert_allclose(losses_of(frames, 1), losses_of(unedited, 1), atol=1e-4)
        steps = [f.variants[1].step for f in frames]
        assert steps == sorted(steps)

    def test_a_restarted_variant_catches_up_before_the_others_go_on(self, batches: Batches) -> None:
        trainer, _ = self.halfway(batches)
        frame = trainer.edit(self.planned(self.changed(0, init="he_normal"), keep_weights=False))
        assert [v.step for v in frame.variants] == [0, 10]
        assert (frame.tick, frame.step) == (10, 0)
        for _ in range(10):
            frame = trainer.advance(steps=1)
            assert frame.variants[1].step == 10
        assert [v.step for v in frame.variants] == [10, 10]
        frame = trainer.advance(steps=1)
        assert [v.step for v in frame.variants] == [11, 11]
        assert frame.tick == 21

    def test_a_variant_may_be_added_and_catches_up(self, batches: Batches) -> None:
        new = replace(self.experiment, variants=THREE.variants)
        frames = frames_of(self.experiment, batches, edits={10: self.planned(new, keep_weights=True)})
        edited = next(i for i, f in enumerate(frames) if len(f.variants) == 3)
        expected = frames_of(THREE, batches)
        np.testing.assert_allclose(losses_of(frames[edited:], 2), losses_of(expected, 2), atol=1e-4)
        assert [v.step for v in frames[-1].variants] == [30, 30, 30]

    def test_a_variant_may_be_taken_away(self, batches: Batches) -> None:
        trainer, _ = self.halfway(batches)
        new = replace(self.experiment, variants=self.experiment.variants[:1])
        frame = trainer.edit(self.planned(new, keep_weights=True))
        assert [v.step for v in frame.variants] == [10]
        unedited = losses_of(frames_of(self.experiment, batches), 0)
        np.testing.assert_allclose(trainer.advance(steps=1).variants[0].losses, unedited[10:11], atol=1e-5)

    def test_a_finished_run_goes_on_when_a_variant_restarts(self, batches: Batches) -> None:
        trainer, frame = self.halfway(batches, step=30)
        assert frame.finished
        frame = trainer.edit(self.planned(self.changed(1, init="he_normal"), keep_weights=False))
        assert not frame.finished
        while not trainer.finished:
            frame = trainer.advance()
        assert [v.step for v in frame.variants] == [30, 30]

    @pytest.mark.parametrize("position", ["before", "after"])
    def test_batchnorm_is_inserted_and_removed_without_touching_the_weights(
        self, batches: Batches, position: Position
    ) -> None:
        trainer, before = self.halfway(batches)
        variant = replace(self.experiment.variants[0], batchnorm=BatchNormConfig(position=position))
        with_norm = self.experiment.with_variant(0, variant)
        inserted = trainer.edit(self.planned(with_norm, keep_weights=True))
        assert "normalized" in inserted.variants[0].layers[0].histograms
        assert first_layer(inserted, 0) == first_layer(before, 0)
        back = plan(with_norm, self.experiment, keep_weights=True)
        assert back is not None
        removed = trainer.edit(back)
        assert plain(replace_losses(removed)) == plain(replace_losses(before))
        unedited, _ = self.halfway(batches)
        while not trainer.finished:
            assert plain(trainer.advance(steps=2).variants) == plain(unedited.advance(steps=2).variants)

    def test_learned_batchnorm_is_dropped_without_touching_the_weights(self, batches: Batches) -> None:
        trainer, before = self.halfway(batches)
        without = self.experiment.with_variant(1, replace(self.experiment.variants[1], batchnorm=None))
        after = trainer.edit(self.planned(without, keep_weights=True))
        assert first_layer(after, 1) == first_layer(before, 1)
        assert "normalized" not in after.variants[1].layers[0].histograms
        assert after.variants[1].step == 10

    def test_a_change_of_its_settings_keeps_what_batchnorm_has_learned(self, batches: Batches) -> None:
        trainer, before = self.halfway(batches)
        variant = replace(self.experiment.variants[1], batchnorm=BatchNormConfig(momentum=0.5))
        after = trainer.edit(self.planned(self.experiment.with_variant(1, variant), keep_weights=True))
        assert after.variants[1].test_loss == before.variants[1].test_loss  # eval mode: from the running statistics

    def test_a_new_init_redraws_the_weights_and_keeps_the_step(self, batches: Batches) -> None:
        trainer, before = self.halfway(batches)
        new = self.changed(0, init="he_normal")
        edit = self.planned(new, keep_weights=True)
        after = trainer.edit(edit)
        fresh = trainer_of(new, batches).advance(steps=0)
        assert edit.redraw == {0}
        assert [v.step for v in after.variants] == [10, 10]
        assert first_layer(after, 0) == first_layer(fresh, 0) != first_layer(before, 0)
        assert plain(after.variants[1].layers) == plain(before.variants[1].layers)

    @pytest.mark.parametrize(
        "changes",
        [
            {"learning_rate": 0.5},
            {"momentum": 0.9},
            {"weight_decay": 0.1},
            {"optimizer": "nesterov", "momentum": 0.5},
            {"optimizer": "adam"},
        ],
        ids=str,
    )
    def test_a_change_of_the_descent_keeps_the_weights_and_the_batches(
        self, batches: Batches, changes: dict[str, Any]
    ) -> None:
        trainer, before = self.halfway(batches)
        after = trainer.edit(self.planned(self.with_training(**changes), keep_weights=True))
        for a, b in zip(after.variants, before.variants, strict=True):
            assert (a.step, a.test_loss, a.next_loss) == (b.step, b.test_loss, b.next_loss)
        trainer.advance(steps=5)
        edited = trainer.advance(steps=0)
        unedited, _ = self.halfway(batches, step=15)
        assert edited.variants[0].test_loss != unedited.advance(steps=0).variants[0].test_loss

    def test_adam_begins_without_the_velocity_of_sgd(self, batches: Batches) -> None:
        """So that no weight moves by more than the rate in its first step, and most by as much."""
        trainer = trainer_of(replace(THREE, training=replace(THREE.training, momentum=0.9)), batches)
        trainer.advance(steps=10)
        adam = replace(THREE.training, optimizer="adam", learning_rate=0.001, schedule="constant")
        change = plan(Experiment(trainer.training, trainer.variants), replace(THREE, training=adam), True)
        assert change is not None
        trainer.edit(change)
        before = [linear.weight.value.clone() for linear in trainer.copy_of(0).linears()]
        trainer.advance(steps=1)
        for old, linear in zip(before, trainer.copy_of(0).linears(), strict=True):
            moves = (linear.weight.value - old).abs()
            assert moves.max() < 0.001 * 1.01
            assert moves[moves > 0].median() == pytest.approx(0.001, rel=0.01)

    def test_a_new_batch_size_keeps_the_weights(self, batches: Batches) -> None:
        trainer, before = self.halfway(batches)
        after = trainer.edit(self.planned(self.with_training(batch_size=64), keep_weights=True))
        for a, b in zip(after.variants, before.variants, strict=True):
            assert (a.step, a.test_loss) == (b.step, b.test_loss)
            assert a.next_loss != b.next_loss

    def test_a_new_activation_keeps_the_weights(self, batches: Batches) -> None:
        trainer, before = self.halfway(batches)
        after = trainer.edit(self.planned(self.changed(0, activation="relu"), keep_weights=True))
        assert first_layer(after, 0) == first_layer(before, 0)
        assert after.variants[0].test_loss != before.variants[0].test_loss
        assert [v.step for v in trainer.advance(steps=1).variants] == [11, 11]

    def test_fewer_steps_than_were_taken_end_the_run(self, batches: Batches) -> None:
        trainer, _ = self.halfway(batches)
        assert trainer.edit(self.planned(self.with_training(steps=5), keep_weights=True)).finished

    def test_replaying_an_experiment_and_its_edits_gives_the_same_bits(self, batches: Batches) -> None:
        edits = self.several_edits()
        found = frames_of(self.experiment, batches, edits=edits)
        assert len(found) > 15
        assert_same_bits(frames_of(self.experiment, batches, edits=edits), found)

    @pytest.mark.slow
    @settings(max_examples=8)
    @given(st.integers(1, 9))
    def test_a_replay_ends_with_the_same_bits_however_it_is_cut(self, batches: Batches, at_most: int) -> None:
        edits = self.several_edits()
        found = frames_of(self.experiment, batches, edits=edits, at_most=at_most)
        expected = frames_of(self.experiment, batches, edits=edits)
        assert plain(replace_losses(found[-1])) == plain(replace_losses(expected[-1]))

    @pytest.mark.parametrize("tick", [9, 13, 26])  # after each change, while a network still catches up or not
    def test_a_trainer_that_is_saved_goes_on_elsewhere_with_the_same_bits(self, batches: Batches, tick: int) -> None:
        def train_until(trainer: Trainer, begin: int, end: int) -> list[Frame]:
            frames = []
            for now in range(begin, end):
                if now in edits:
                    trainer.edit(edits[now])
                frames.append(trainer.advance(steps=1))
            return frames

        edits, trainer = self.several_edits(), trainer_of(self.experiment, batches)
        train_until(trainer, 0, tick)
        saved = saving.save(trainer, 10**8)
        assert saved is not None
        here, there = (train_until(each, tick, 32) for each in (trainer, saving.restored(saved, lambda _: batches)))
        assert_same_bits(there, here)

    def test_a_trainer_is_not_saved_where_it_is_too_large(self, batches: Batches) -> None:
        trainer = trainer_of(self.experiment, batches)
        assert saving.save(trainer, 1000) is None
        assert saving.save(trainer, 10**8) is not None

    def several_edits(self) -> dict[int, Edit]:
        restarted = self.changed(0, init="he_normal")
        normalized = restarted.with_variant(0, replace(restarted.variants[0], batchnorm=BatchNormConfig()))
        faster = replace(normalized, training=replace(normalized.training, learning_rate=0.3, momentum=0.8))
        steps = (
            (8, self.experiment, restarted, False),
            (12, restarted, normalized, True),  # while the first is still catching up
            (25, normalized, faster, True),
        )
        edits = {tick: plan(old, new, keep) for tick, old, new, keep in steps}
        return {tick: edit for tick, edit in edits.items() if edit is not None}


def first_layer(frame: Frame, index: int) -> list[int]:
    """What the first layer's weights make of the probe digits."""
    found: list[int] = frame.variants[index].layers[0].histograms["pre_activation"].tolist()
    return found


class TestAVariantThatDiverges:
    STEPS = 90  # a frame is kept every 6 steps, and the divergence comes before the first

    def experiment(self, *variants: Variant) -> Experiment:
        return Experiment(TrainingConfig(steps=self.STEPS, learning_rate=0.5, final_learning_rate=0.5), variants)

    def test_ends_a_run_of_its_own(self, batches: Batches) -> None:
        frames = frames_of(self.experiment(DIVERGING), batches)
        last = frames[-1]
        assert last.finished
        assert last.variants[0].diverged
        assert last.variants[0].step < 6

    @pytest.mark.parametrize("at_most", [1, 2, 3, 5, None])
    def test_is_told_of_however_the_run_is_cut(self, batches: Batches, at_most: int | None) -> None:
        frames = frames_of(self.experiment(DIVERGING, CALM), batches, at_most=at_most)
        assert frames[-1].variants[0].diverged
        assert not frames[-1].variants[1].diverged
        assert frames[-1].variants[1].step == self.STEPS

    @pytest.mark.parametrize("at_most", [1, 2, 3, 5, None])
    def test_keeps_its_losses_up_to_the_first_that_is_not_finite(self, batches: Batches, at_most: int | None) -> None:
        frames = frames_of(self.experiment(DIVERGING, CALM), batches, at_most=at_most)
        losses = losses_of(frames, 0)
        assert len(losses) == frames[-1].variants[0].step
        assert np.isfinite(losses[:-1]).all()
        assert not np.isfinite(losses[-1])

    @pytest.mark.parametrize("at_most", [1, 4, None])
    def test_leaves_the_losses_of_the_others_as_they_were(self, batches: Batches, at_most: int | None) -> None:
        together = frames_of(self.experiment(DIVERGING, CALM), batches, at_most=at_most)
        alone = frames_of(self.experiment(CALM), batches)
        np.testing.assert_allclose(losses_of(together, 1), losses_of(alone, 0), atol=1e-4)

    def test_is_not_what_the_frames_step_waits_for(self, batches: Batches) -> None:
        frames = frames_of(self.experiment(DIVERGING, CALM), batches, at_most=1)
        assert [f.step for f in frames] == list(range(self.STEPS + 1))

    def test_is_the_one_with_a_reckless_learning_rate_too(self, batches: Batches) -> None:
        deep = NetworkConfig(hidden_layers=6, width=32, activation="relu", init="he_normal", init_scale=3.0)
        training = TrainingConfig(steps=30, learning_rate=10.0, final_learning_rate=10.0)
        frames = frames_of(Experiment(training, (Variant(deep),)), batches)
        assert frames[0].variants[0].diverged is False
        assert frames[-1].variants[0].diverged

    def test_trains_again_when_its_weights_are_redrawn(self, batches: Batches) -> None:
        old = self.experiment(DIVERGING, CALM)
        trainer = trainer_of(old, batches)
        while trainer.tick < 10:
            frame = trainer.advance(steps=10 - trainer.tick)
        stopped = frame.variants[0].step
        edit = plan(old, old.with_variant(0, CALM), keep_weights=True)
        assert edit is not None
        frame = trainer.edit(edit)
        assert not frame.variants[0].diverged
        assert frame.variants[0].step == stopped < 6
        while not trainer.finished:
            frame = trainer.advance()
        assert [v.step for v in frame.variants] == [self.STEPS, self.STEPS]


@pytest.fixture(scope="module")
def few() -> Batches:
    """103 digits, numbered by their first pixel: ten batches of ten an epoch, and three digits left over."""
    images = np.zeros((103, 784), dtype=np.uint8)
    images[:, 0] = np.arange(103)
    labels = (np.arange(103) % 10).astype(np.uint8)
    return Batches(Digits("MNIST sample", images, labels, images[:5].copy(), labels[:5].copy()))


class TestBatches:
    def numbers(self, few: Batches, step: int, seed: int = 0) -> list[int]:
        images, labels = few.at(step, seed=seed, size=10, standardize=False)
        found: list[int] = (images[:, 0] * 255).round().int().tolist()
        assert [number % 10 for number in found] == labels.tolist()
        return found

    @settings(max_examples=20)
    @given(st.integers(0, 2**31 - 1), st.integers(0, 500))
    def test_of_an_epoch_hold_no_digit_twice_and_all_but_an_incomplete_batch(
        self, few: Batches, seed: int, epoch: int
    ) -> None:
        epoch_batches = [self.numbers(few, epoch * 10 + place, seed) for place in range(10)]
        assert all(len(batch) == 10 for batch in epoch_batches)
        digits = [number for batch in epoch_batches for number in batch]
        assert len(set(digits)) == len(digits) == 100

    def test_of_an_epoch_are_a_permutation_where_the_size_divides_the_count(self, few: Batches) -> None:
        images, _ = few.at(3, seed=0, size=103, standardize=False)
        assert sorted((images[:, 0] * 255).round().int().tolist()) == list(range(103))

    def test_are_in_another_order_in_every_epoch(self, few: Batches) -> None:
        firsts = {tuple(self.numbers(few, epoch * 10)) for epoch in range(50)}
        assert len(firsts) == 50

    @given(st.lists(st.integers(0, 2000), min_size=1, max_size=20))
    def test_are_a_function_of_the_step_alone(self, few: Batches, steps: list[int]) -> None:
        forwards = [self.numbers(few, step) for step in steps]
        backwards = [self.numbers(few, step) for step in reversed(steps)]
        assert forwards == backwards[::-1]

    @given(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1))
    @example(0, 4096)
    @example(7, 7 + 2**30)
    def test_are_in_another_order_for_another_seed(self, few: Batches, first: int, second: int) -> None:
        assert (self.numbers(few, 0, first) == self.numbers(few, 0, second)) is (first == second)

    def test_have_pixels_from_0_to_1_or_standardized(self, batches: Batches) -> None:
        plain_, labels = batches.at(0, seed=0, size=512, standardize=False)
        standardized, same = batches.at(0, seed=0, size=512, standardize=True)
        assert (plain_.min().item(), plain_.max().item()) == (0.0, 1.0)
        assert torch.equal(labels, same)
        torch.testing.assert_close(standardized, (plain_ - 0.1307) / 0.3081)
        assert standardized.mean().item() == pytest.approx(0, abs=0.05)
        assert standardized.std().item() == pytest.approx(1, abs=0.05)


class TestTheLearningRate:
    @given(st.sampled_from(["linear", "cosine"]), st.floats(1e-5, 10), st.floats(0, 10), st.integers(2, 5000))
    def test_goes_from_its_start_to_its_end(self, schedule: Schedule, start: float, end: float, steps: int) -> None:
        training = TrainingConfig(schedule=schedule, learning_rate=start, final_learning_rate=end, steps=steps)
        assert training.rate(0) == start
        assert training.rate(steps - 1) == pytest.approx(end, abs=1e-12)
        assert training.rate(10 * steps) == pytest.approx(end, abs=1e-12)
        rates = [training.rate(step) for step in range(0, steps, max(1, steps // 20))]
        assert rates == sorted(rates, reverse=end < start)

    def test_is_half_way_in_the_middle(self) -> None:
        for schedule in ("linear", "cosine"):
            training = TrainingConfig(schedule=schedule, learning_rate=0.3, final_learning_rate=0.1, steps=101)
            assert training.rate(50) == pytest.approx(0.2)

    @given(st.integers(0, 10**6))
    def test_may_be_constant(self, step: int) -> None:
        assert TrainingConfig(schedule="constant", learning_rate=0.3).rate(step) == 0.3


class TestThePackage:
    def test_trains_in_two_lines(self, batches: Batches) -> None:
        experiment = bnviz.Experiment(bnviz.TrainingConfig(steps=6), (bnviz.Variant(bnviz.NetworkConfig(width=4)),))
        steps = [frame.step for frame in bnviz.train(experiment, batches)]
        assert steps == [0, 1, 2, 3, 4, 5, 6]

    def test_yields_the_kept_frames_the_untrained_networks_first(self, batches: Batches) -> None:
        frames = list(train(replace(THREE, training=replace(THREE.training, steps=50)), batches))
        assert [frame.step for frame in frames] == [0, *range(4, 50, 4), 50]
        assert [frame.finished for frame in frames] == [False] * 13 + [True]

    def test_names_what_it_lacks(self) -> None:
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            bnviz.nothing  # noqa: B018

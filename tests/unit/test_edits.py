"""What a change of the settings means for a run under way: who restarts, who is redrawn, what the marker says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, Variant, replace
from bnviz.experiment.edits import Edit, plan
from tests.builders import experiments, twins

OLD = twins(NetworkConfig(width=12))


def with_network(index: int, **changes: Any) -> Experiment:
    variant = OLD.variants[index]
    return OLD.with_variant(index, replace(variant, network=replace(variant.network, **changes)))


def with_training(**changes: Any) -> Experiment:
    return replace(OLD, training=replace(OLD.training, **changes))


def kept(new: Experiment, old: Experiment = OLD) -> Edit:
    edit = plan(old, new, keep_weights=True)
    assert edit is not None
    return edit


def restarted(new: Experiment, old: Experiment = OLD) -> Edit:
    edit = plan(old, new, keep_weights=False)
    assert edit is not None
    return edit


class TestAnyChange:
    @given(experiments, st.booleans())
    def test_of_nothing_is_none(self, experiment: Experiment, keep_weights: bool) -> None:
        assert plan(experiment, replace(experiment), keep_weights) is None

    @given(experiments, experiments, st.booleans())
    def test_leads_to_the_new_experiment(self, old: Experiment, new: Experiment, keep_weights: bool) -> None:
        edit = plan(old, new, keep_weights)
        if edit is None:
            assert old == new
            return
        everyone = set(range(len(new.variants)))
        assert edit.experiment == new
        assert edit.restart <= everyone
        assert edit.redraw <= everyone - edit.restart
        assert edit.restarts_all == (edit.restart == everyone)
        assert set(range(len(old.variants), len(new.variants))) <= edit.restart  # what is added starts at step 0

    @given(experiments, experiments)
    def test_leaves_a_marker_only_where_weights_are_kept(self, old: Experiment, new: Experiment) -> None:
        edit = plan(old, new, keep_weights=False)
        assert edit is None or edit.label == ""

    @pytest.mark.parametrize("keep_weights", [True, False])
    def test_of_the_seed_restarts_all(self, keep_weights: bool) -> None:
        assert plan(OLD, with_training(seed=1), keep_weights) == Edit(with_training(seed=1), restart=frozenset({0, 1}))

    @pytest.mark.parametrize("keep_weights", [True, False])
    def test_of_the_data_restarts_all(self, keep_weights: bool) -> None:
        new = with_training(data="Fashion-MNIST")
        assert plan(OLD, new, keep_weights) == Edit(new, restart=frozenset({0, 1}))


class TestWithoutKeepingTheWeights:
    def test_a_change_of_one_network_restarts_that_one(self) -> None:
        new = with_network(1, init="normal")
        assert restarted(new) == Edit(new, restart=frozenset({1}))

    def test_a_change_of_the_training_restarts_all(self) -> None:
        assert restarted(with_training(learning_rate=0.5)).restarts_all

    def test_a_network_more_starts_and_the_others_go_on(self) -> None:
        new = replace(OLD, variants=(*OLD.variants, Variant()))
        assert restarted(new) == Edit(new, restart=frozenset({2}))

    def test_a_network_less_restarts_nobody(self) -> None:
        new = replace(OLD, variants=OLD.variants[:1])
        assert restarted(new) == Edit(new)


class TestKeepingTheWeights:
    @pytest.mark.parametrize(
        ("changes", "label"),
        [
            ({"learning_rate": 0.5}, "learning rate 0.5"),
            ({"batch_size": 64}, "batch size 64"),
            ({"momentum": 0.9, "weight_decay": 0.1}, "momentum 0.9, weight decay 0.1"),
            ({"schedule": "constant"}, "schedule constant"),
            ({"steps": 100}, "steps 100"),
        ],
        ids=str,
    )
    def test_a_change_of_the_training_restarts_nobody(self, changes: dict[str, object], label: str) -> None:
        new = with_training(**changes)
        assert kept(new) == Edit(new, label=label)

    def test_batchnorm_is_switched_on_and_off_in_the_network_as_it_is(self) -> None:
        on = OLD.with_variant(0, replace(OLD.variants[0], batchnorm=BatchNormConfig()))
        assert kept(on) == Edit(on, label="A: batchnorm on")
        assert kept(OLD, old=on) == Edit(OLD, label="A: batchnorm off")

    def test_batchnorms_own_settings_change_in_place(self) -> None:
        new = OLD.with_variant(1, replace(OLD.variants[1], batchnorm=BatchNormConfig(momentum=0.5, affine=False)))
        assert kept(new) == Edit(new, label="B: running momentum 0.5, B: learn γ and β off")

    def test_another_activation_restarts_nobody(self) -> None:
        new = with_network(0, activation="relu")
        assert kept(new) == Edit(new, label="A: activation ReLU")

    @pytest.mark.parametrize(
        ("changes", "label"),
        [({"init": "normal"}, "A: init N(0,1)"), ({"init_scale": 0.5}, "A: init scale 0.5")],
        ids=str,
    )
    def test_another_init_redraws_the_weights(self, changes: dict[str, object], label: str) -> None:
        new = with_network(0, **changes)
        assert kept(new) == Edit(new, redraw=frozenset({0}), label=label)

    @pytest.mark.parametrize("changes", [{"hidden_layers": 3}, {"width": 5}, {"width": 5, "init": "normal"}], ids=str)
    def test_another_shape_has_no_weights_to_keep(self, changes: dict[str, object]) -> None:
        new = with_network(1, **changes)
        assert kept(new) == Edit(new, restart=frozenset({1}))

    def test_a_network_more_starts_without_a_marker(self) -> None:
        new = replace(OLD, variants=(*OLD.variants, Variant()))
        assert kept(new) == Edit(new, restart=frozenset({2}))

    def test_changes_of_several_networks_are_told_in_one_label(self) -> None:
        both = with_network(0, init="normal")
        both = both.with_variant(1, replace(both.variants[1], batchnorm=None))
        both = replace(both, training=replace(both.training, learning_rate=0.2))
        assert kept(both) == Edit(
            both, redraw=frozenset({0}), label="learning rate 0.2, A: init N(0,1), B: batchnorm off"
        )

"""What is special about a network: the settings in which it differs from others, as the controls name them."""

from collections import Counter

import pytest
from hypothesis import given

from bnviz.experiment.comparison import (
    changed_settings,
    distinguishing_settings,
    network_settings,
    special_settings,
    what_differs,
)
from bnviz.experiment.config import (
    BatchNormConfig,
    Experiment,
    NetworkConfig,
    NormalizerConfig,
    TrainingConfig,
    Variant,
)
from bnviz.experiment.settings import SHARED, VARIANT
from tests.builders import experiments

CARELESS = NetworkConfig(init="rand")
TRAINING = TrainingConfig()


def test_titles_are_different_from_each_other() -> None:
    titles = Counter(setting.title for setting in (SHARED | VARIANT).values())
    assert [title for title, count in titles.items() if count > 1] == []


def test_every_setting_is_told_under_its_title() -> None:
    variant = Variant(NetworkConfig(init="rand", init_scale=0.01, activation="relu"), BatchNormConfig(affine=False))
    told = network_settings(TrainingConfig(learning_rate=0.5), variant)
    other = network_settings(TRAINING, Variant(normalizer=NormalizerConfig("group", groups=8)))
    assert (other["Normalization"], other["Groups"]) == ("group norm", "8")
    assert {*told, *other} == {s.title for s in (SHARED | VARIANT).values()} - {
        "Init scale",
        "Batchnorm",
        "Noisy batchnorm",
        "Instead of batchnorm",
    } | {"Normalization"}
    expected = {"Normalization": "batchnorm", "Init": "U[0,1) × 0.01", "Activation": "ReLU", "Learning rate": "0.5"}
    expected |= {"Learn γ and β": "off", "Place": "before the activation"}
    assert told | expected == told


def test_a_network_has_no_settings_of_what_it_lacks() -> None:
    told = network_settings(TRAINING, Variant(NetworkConfig(architecture="lenet")))
    assert told["Architecture"] == "LeNet"
    assert not {"Hidden layers", "Width", "ε", "Place"} & {*told}


@pytest.mark.parametrize(
    ("variants", "told"),
    [
        ((Variant(), Variant(normalizer=NormalizerConfig("layer"))), "same weights, same digits. One difference: norm"),
        ((Variant(), Variant(CARELESS)), "Same network, same digits. One difference: init."),
        (
            (Variant(), Variant(NetworkConfig(activation="relu"))),
            "Same weights, same digits. One difference: activation.",
        ),
        (
            (Variant(), Variant(NetworkConfig(width=64, activation="relu"), BatchNormConfig())),
            "Same digits. Differences: batch normalization, width and activation.",
        ),
        (
            (Variant(normalizer=NormalizerConfig("layer")), Variant(NetworkConfig(2, 64, "relu", "normal"))),
            "Same digits. 5 differences.",
        ),
        (
            (Variant(batchnorm=BatchNormConfig()), Variant(batchnorm=BatchNormConfig(momentum=0.01))),
            "Same network, same weights, same digits. One difference: running momentum.",
        ),
        ((Variant(), Variant()), "Same network, same weights, same digits. No difference."),
        ((Variant(batchnorm=BatchNormConfig()),), "One network, with batchnorm."),
    ],
)
def test_the_title_of_the_lab_names_the_differences(variants: tuple[Variant, ...], told: str) -> None:
    assert told in what_differs(Experiment(variants=variants))


def test_twins_differ_in_batchnorm_alone() -> None:
    plain, normalized = Variant(CARELESS), Variant(CARELESS, BatchNormConfig())
    assert distinguishing_settings([(TRAINING, plain), (TRAINING, normalized)]) == [
        {"Normalization": "no batchnorm"},
        {"Normalization": "batchnorm"},
    ]


def test_what_is_always_wanted_is_told_also_where_all_agree() -> None:
    found = distinguishing_settings(
        [(TRAINING, Variant(CARELESS)), (TrainingConfig(seed=3), Variant(CARELESS))], always=("Init",)
    )
    assert found == [{"Init": "U[0,1)", "Seed": "0"}, {"Init": "U[0,1)", "Seed": "3"}]


def test_options_of_batchnorm_count_only_among_networks_that_have_it() -> None:
    variants = (Variant(), Variant(batchnorm=BatchNormConfig()), Variant(batchnorm=BatchNormConfig(momentum=0.5)))
    assert distinguishing_settings([(TRAINING, variant) for variant in variants]) == [
        {"Normalization": "no batchnorm"},
        {"Normalization": "batchnorm", "Running momentum": "0.1"},
        {"Normalization": "batchnorm", "Running momentum": "0.5"},
    ]


@given(experiments)
def test_networks_that_differ_in_a_setting_are_told_apart(experiment: Experiment) -> None:
    networks = [(experiment.training, variant) for variant in experiment.variants]
    rows = distinguishing_settings(networks)
    told = [network_settings(*network) for network in networks]
    for i in range(len(networks)):
        for j in range(i):
            shared = {*told[i]} & {*told[j]}
            if any(told[i][title] != told[j][title] for title in shared):
                assert rows[i] != rows[j]


def test_a_change_names_the_setting_and_its_new_value() -> None:
    assert changed_settings(TRAINING, TRAINING) == []
    assert changed_settings(TRAINING, TrainingConfig(steps=9, schedule="cosine")) == ["schedule cosine", "steps 9"]
    assert changed_settings(NetworkConfig(), NetworkConfig(init="he_normal", activation="relu")) == [
        "activation ReLU",
        "init He normal",
    ]
    new = BatchNormConfig(inference="batch", bessel=True)
    assert changed_settings(BatchNormConfig(), new) == [
        "eval mode uses the batch at hand",
        "normalize with Bessel's correction on",
    ]


class TestWhatIsSpecial:
    def test_of_the_default_experiment_is_nothing(self) -> None:
        assert special_settings(Experiment()) == []

    def test_is_told_once_if_all_networks_share_it_and_else_by_letter(self) -> None:
        plain, normalized = Variant(CARELESS), Variant(NetworkConfig(init="rand", width=64), BatchNormConfig(eps=0.1))
        found = special_settings(Experiment(TrainingConfig(steps=30), (plain, normalized)))
        assert found == ["steps 30", "init U[0,1)", "B: width 64", "B: ε 0.1"]

    def test_are_the_networks_if_they_are_not_one_without_and_one_with_batchnorm(self) -> None:
        normalized = Variant(batchnorm=BatchNormConfig())
        assert special_settings(Experiment(variants=(normalized,))) == ["batchnorm"]
        assert special_settings(Experiment(variants=(normalized, Variant()))) == ["batchnorm + no batchnorm"]

    @given(experiments)
    def test_is_something_of_every_other_experiment(self, experiment: Experiment) -> None:
        assert bool(special_settings(experiment)) == (experiment != Experiment())

"""Networks are called by what they are."""

from hypothesis import given

from bnviz.experiment.config import BatchNormConfig, Experiment, Variant, replace
from bnviz.experiment.naming import network_names
from tests.builders import experiments

WITH = Variant(batchnorm=BatchNormConfig())


def test_twins_need_no_letters() -> None:
    assert network_names(Experiment()) == ("no batchnorm", "batchnorm")


def test_letters_tell_apart_what_is_alike_and_only_that() -> None:
    assert network_names(Experiment(variants=(WITH, Variant(), WITH))) == ("batchnorm A", "no batchnorm", "batchnorm C")


def test_noise_is_told() -> None:
    noisy = replace(WITH, batchnorm=BatchNormConfig(noisy=True))
    assert network_names(Experiment(variants=(WITH, noisy))) == ("batchnorm", "noisy batchnorm")


@given(experiments)
def test_no_two_networks_share_a_name(experiment: Experiment) -> None:
    names = network_names(experiment)
    assert len(set(names)) == len(names) == len(experiment.variants)

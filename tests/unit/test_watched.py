"""Which network a page watches, and how it is told."""

from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, TrainingConfig, Variant
from bnviz.experiment.watched import differences, network_in_words, watched_network

PLAIN, NORMALIZED = Variant(NetworkConfig(init="normal")), Variant(NetworkConfig(), BatchNormConfig(momentum=0.5))


def test_the_first_network_with_batchnorm_is_watched() -> None:
    assert watched_network(Experiment(variants=(PLAIN, NORMALIZED))).variants == (NORMALIZED,)


def test_without_one_the_first_network_is_given_batchnorm_and_a_batch_that_it_can_normalize() -> None:
    found = watched_network(Experiment(TrainingConfig(batch_size=1), (PLAIN,)))
    assert found.variants == (Variant(PLAIN.network, BatchNormConfig()),)
    assert found.training.batch_size == 2


def test_a_network_is_told_with_the_options_that_are_not_the_usual_ones() -> None:
    assert network_in_words(PLAIN) == "1 hidden layer of 128 tanh neurons, init N(0,1), no batchnorm"
    assert network_in_words(NORMALIZED).endswith(", batchnorm (running momentum 0.5)")
    lenet = Variant(NetworkConfig(architecture="lenet", activation="sigmoid", init_scale=0.5))
    assert network_in_words(lenet) == "LeNet with sigmoid, init U[0,1) / √fan_in × 0.5, no batchnorm"


def test_differences_are_told_with_the_values_of_the_other() -> None:
    one = watched_network(Experiment(variants=(NORMALIZED,)))
    other = watched_network(Experiment(TrainingConfig(batch_size=8), (PLAIN,)))
    assert differences(one, other) == ["batch size 8", "init N(0,1)", "running momentum 0.1"]
    assert differences(one, one) == []

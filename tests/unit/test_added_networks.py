"""A network that is added differs from the first one in exactly the thing that its button names."""

from bnviz.experiment.comparison import distinguishing_settings
from bnviz.experiment.config import BatchNormConfig, NetworkConfig, TrainingConfig, Variant
from bnviz.ui.sections.networks import added_networks

TRAINING = TrainingConfig()


def differences(first: Variant, other: Variant) -> set[str]:
    rows = distinguishing_settings([(TRAINING, first), (TRAINING, other)])
    return {title for row in rows for title in row}


def test_each_offer_changes_one_thing() -> None:
    first = Variant(NetworkConfig(init="rand"))
    offers = added_networks(first)
    assert {label: differences(first, other) for label, other in offers.items()} == {
        "with batchnorm": {"Normalization"},
        "with init Xavier normal": {"Init"},
        "with weights × 0.01": {"Init"},
    }
    assert offers["with weights × 0.01"].network.init_scale == 0.01


def test_what_would_be_a_copy_is_not_offered() -> None:
    first = Variant(NetworkConfig(init="xavier_normal"), BatchNormConfig())
    assert list(added_networks(first)) == ["without batchnorm", "with weights × 0.01"]

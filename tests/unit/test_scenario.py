"""Which changes a scenario may plan."""

import pytest

from bnviz.experiment.config import BatchNormConfig, Experiment, Variant, replace
from bnviz.experiment.scenario import Change, Scenario
from tests.builders import twins

TWINS = twins(steps=300)
SWITCHED = TWINS.with_variant(0, Variant(TWINS.variants[0].network, BatchNormConfig()))


def test_changes_come_in_the_order_of_their_steps() -> None:
    changes = (Change(1, SWITCHED), Change(299, TWINS))
    assert Scenario(TWINS, changes).changes == changes


@pytest.mark.parametrize("steps", [(0,), (300,), (50, 50), (60, 50)])
def test_changes_that_are_out_of_order_or_never_come_are_refused(steps: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="give steps that grow, from 1 to 299"):
        Scenario(TWINS, tuple(Change(step, SWITCHED) for step in steps))


@pytest.mark.parametrize(
    "experiment",
    [replace(TWINS, training=replace(TWINS.training, seed=1)), replace(TWINS, variants=TWINS.variants[:1])],
    ids=["another seed", "another number of networks"],
)
def test_changes_that_would_start_networks_over_are_refused(experiment: Experiment) -> None:
    with pytest.raises(ValueError, match="the one at step 10 would start networks over"):
        Scenario(TWINS, (Change(10, experiment),))

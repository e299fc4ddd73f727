"""Questions to a worker about untrained networks: plain functions that import torch when a worker calls them."""

from bnviz.engine.in_worker.trainer_actor import batches
from bnviz.experiment.choices import DataName
from bnviz.records.initialization import InitialNetwork, InitialSetting, Propagated, SignAgreement


def measure(setting: InitialSetting, data: DataName) -> InitialNetwork:
    """Measure one network, trained for as many steps as the setting says."""
    from bnviz.training.questions import initialization as initial

    return initial.measure(setting, batches(data))


def schemes(setting: InitialSetting, data: DataName) -> dict[str, Propagated]:
    """Measure the same network drawn by every scheme."""
    from bnviz.training.questions import initialization as initial

    return initial.schemes(setting, batches(data))


def scales(setting: InitialSetting, data: DataName) -> dict[tuple[str, float], Propagated]:
    """Measure the derived schemes at and around their scale."""
    from bnviz.training.questions import initialization as initial

    return initial.scales(setting, batches(data))


def signs(setting: InitialSetting, data: DataName) -> SignAgreement:
    """Measure the sign agreement of the first layer's gradients."""
    from bnviz.training.questions import initialization as initial

    return initial.signs(setting, batches(data))

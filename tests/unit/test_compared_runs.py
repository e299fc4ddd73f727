"""The charts of several kept runs, which tell networks apart by colour and by the names of their runs."""

import pytest

from bnviz import figures
from bnviz.experiment.config import NetworkConfig
from bnviz.figures.comparison import compared_networks
from bnviz.records.history import View
from bnviz.training.batches import Batches
from tests.builders import frames_of, history_of, numbers, twins


@pytest.fixture(scope="module")
def view(batches: Batches) -> View:
    experiment = twins(NetworkConfig(width=8, init="xavier_normal"), steps=30)
    return history_of(experiment, frames_of(experiment, batches)).view()


def test_networks_are_told_apart_by_colour_and_name(view: View) -> None:
    networks = compared_networks([("one", view), ("two", view)])
    assert len({network.color for network in networks}) == len({network.name for network in networks}) == 4
    for figure in (figures.compared_saturation(networks), figures.compared_gradients(networks)):
        assert [trace["name"] for trace in figure["data"]] == [network.name for network in networks]


def test_the_saturation_of_the_most_saturated_layer_is_shown(view: View) -> None:
    networks = compared_networks([("one", view)])
    for trace, network in zip(figures.compared_saturation(networks)["data"], networks, strict=True):
        expected = [100 * frame.saturated for frame in network.history.frames]
        assert numbers(trace["y"]) == pytest.approx(expected, rel=1e-6)


def test_the_values_of_any_layer_are_shown_where_a_network_has_it(view: View) -> None:
    networks = compared_networks([("one", view)])
    for trace in figures.compared_layer(networks, layer=0, place="post_activation")["data"]:
        assert sum(numbers(trace["y"])[::2]) == pytest.approx(100, rel=1e-4)
    missing = figures.compared_layer(networks, layer=30, place="post_activation")
    assert missing["data"] == []
    assert "Nothing here" in missing["layout"]["meta"]["words"]

"""Charts of a watched network: every one of a small network, of one with 200 layers, and of one that went wrong."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import bnviz
from bnviz.figures import (
    own_network_gradients,
    own_network_histogram,
    own_network_loss,
    own_network_map,
    own_network_saturation,
    own_network_statistics,
)
from bnviz.figures.own_network import MAP_CELLS
from bnviz.records.own_network import LayerLook, Look, Network
from bnviz.records.watched_run import WatchedRun


def seen(layers: int) -> tuple[Network, Look]:
    torch.manual_seed(0)
    blocks = [m for _ in range(-(-layers // 3)) for m in (nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Tanh())]
    model = nn.Sequential(*blocks[:layers])
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    diagnosis = bnviz.diagnose(model, [(torch.randn(64, 8), torch.zeros(64, 8))] * 2, optimizer=optimizer)
    return diagnosis.network, diagnosis.look


@pytest.fixture(scope="module")
def small() -> tuple[Network, Look]:
    return seen(6)


def numbers(trace: dict[str, Any], of: str) -> Any:
    import base64

    values = np.frombuffer(base64.b64decode(trace[of]["bdata"]), np.float32)
    shape = trace[of].get("shape")
    return values.reshape([int(n) for n in shape.split(",")]) if shape else values


@pytest.mark.parametrize("layers", [3, 200])
def test_the_map_has_a_strip_for_each_layer_and_frames_the_chosen_one(layers: int) -> None:
    network, look = seen(layers)
    figure = own_network_map(network, look, 1)
    assert numbers(figure["data"][0], "z").shape == (layers, MAP_CELLS)
    assert figure["layout"]["shapes"][0]["y0"] == 1.5
    assert figure["layout"]["height"] <= 650
    assert len(figure["layout"]["yaxis"]["tickvals"]) <= 24
    assert "layer 2 is 1 · BatchNorm1d" in figure["layout"]["meta"]["words"]


def test_a_strip_holds_all_values_within_three_deviations(small: tuple[Network, Look]) -> None:
    cells = numbers(own_network_map(*small, 0)["data"][0], "z")
    assert (cells.sum(axis=1) > 95).all()
    assert (cells.sum(axis=1) <= 100.001).all()


def test_the_histogram_adds_up_and_is_in_bins_that_fit(small: tuple[Network, Look]) -> None:
    network, look = small
    figure = own_network_histogram(network, look, 2)
    (drawn,) = figure["data"]
    assert numbers(drawn, "y")[::2].sum() == pytest.approx(100)
    assert figure["layout"]["xaxis"]["range"] == [look.layers[2].low, look.layers[2].high]


def test_saturation_and_gradients_have_a_point_for_each_layer_that_has_some(small: tuple[Network, Look]) -> None:
    saturated, dead = own_network_saturation(*small)["data"]
    assert numbers(saturated, "x").tolist() == [3, 6]
    assert numbers(dead, "y").tolist() == [0, 0]
    norms, ratios = own_network_gradients(*small)["data"]
    assert numbers(norms, "x").tolist() == [1, 4]
    assert (numbers(ratios, "y") > 0).all()


def test_statistics_are_drawn_by_channel_running_beside_those_of_the_batch(small: tuple[Network, Look]) -> None:
    network, look = small
    figure = own_network_statistics(network, look, 1)
    assert [trace["name"] for trace in figure["data"]] == [
        name for name in ("running", "this batch", "all batches of this step") for _ in range(2)
    ]
    found = look.layers[1].normalization
    assert found is not None
    assert numbers(figure["data"][2], "y") == pytest.approx(found.batch_mean[-1], rel=1e-5)
    assert numbers(figure["data"][3], "y") == pytest.approx(np.sqrt(found.batch_var[-1]), rel=1e-5)
    assert "train mode · 0 batches tracked" in figure["layout"]["meta"]["words"]


def test_a_layer_without_running_statistics_says_so(small: tuple[Network, Look]) -> None:
    assert "0 has no running statistics" in own_network_statistics(*small, 0)["layout"]["meta"]["words"]


def test_what_is_not_seen_is_said(small: tuple[Network, Look]) -> None:
    network, look = small
    blind = replace(look, layers=tuple(LayerLook() for _ in look.layers))
    words = own_network_histogram(network, blind, 0)["layout"]["meta"]["words"]
    assert "what passes through this layer is not seen" in words
    assert np.isnan(numbers(own_network_map(network, blind, 0)["data"][0], "z")).all()
    assert own_network_gradients(network, blind)["data"]


def test_markup_in_a_layers_name_is_text(small: tuple[Network, Look]) -> None:
    network, look = small
    named = replace(network, layers=(replace(network.layers[0], name="<b>x"), *network.layers[1:]))
    assert own_network_map(named, look, 0)["layout"]["yaxis"]["ticktext"][0] == "&lt;b&gt;x"


def test_the_loss_is_drawn_over_its_steps(small: tuple[Network, Look]) -> None:
    steps, losses = np.arange(1, 4), np.array([2.0, np.nan, 1.0])
    run = WatchedRun("id", "name", "training", 0.0, 0.0, 3, small[0], steps, losses, ())
    (drawn,) = own_network_loss(run, small[0])["data"]
    assert numbers(drawn, "x").tolist() == [1, 2, 3]
    assert np.isnan(numbers(drawn, "y")[1])

"""Untrained networks, drawn and put into sentences, also where their numbers overflow."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bnviz import figures
from bnviz.analysis.initialization import softmax
from bnviz.experiment.config import ACTIVATIONS, INITS, NetworkConfig, replace
from bnviz.figures.logarithmic import log_axis, log_axis_around
from bnviz.findings.initialization import initialization_findings, sign_findings
from bnviz.records.frames import PROBE_DIGITS
from bnviz.records.initialization import (
    ACTIVATION_BINS,
    DERIVED_SCALES,
    InitialNetwork,
    InitialSetting,
    SignAgreement,
    activation_edges,
)
from bnviz.theory.propagation import Theory, propagate
from bnviz.theory.weight_laws import density
from bnviz.training.questions import initialization as initial
from tests.builders import numbers

if TYPE_CHECKING:
    from bnviz.training.batches import Batches

COLOR = "#123456"
TANH = InitialSetting(NetworkConfig(3, 24, "tanh", "xavier_normal"), batchnorm=False, standardize=True, seed=5)
HUGE = replace(TANH, network=NetworkConfig(20, 40, "none", "rand", 100.0))  # overflows


def named(figure: dict[str, Any], name: str) -> dict[str, Any]:
    (trace,) = [trace for trace in figure["data"] if trace.get("name") == name]
    return dict(trace)


def theory_of(setting: InitialSetting, found: InitialNetwork) -> Theory:
    gradient = softmax(found.logits)
    gradient[np.arange(len(gradient)), found.labels] -= 1
    squares = np.nan_to_num(gradient**2).sum(axis=1)
    return propagate(setting.network, found.inputs, squares, batchnorm=setting.batchnorm)


# -- drawn ----------------------------------------------------------------------------------------------------------


def test_the_weights_are_drawn_as_a_density_under_their_law(batches: "Batches") -> None:
    drawn = initial.measure(TANH, batches).weights[0]
    law = density("xavier_normal", drawn.fan_in, drawn.fan_out)
    figure = figures.weight_histogram(drawn, law, layer="layer 1", color=COLOR, trained=False)
    heights = np.array(numbers(named(figure, "weights")["y"]))
    assert heights[::2].sum() * (drawn.edges[1] - drawn.edges[0]) == pytest.approx(1, rel=1e-4)
    assert max(numbers(named(figure, "law")["y"])) == pytest.approx(law[1].max(), rel=1e-5)
    assert "18,816 weights, 784 in, 24 out" in figure["layout"]["meta"]["words"]


def test_weights_of_one_value_say_so(batches: "Batches") -> None:
    setting = replace(TANH, network=replace(TANH.network, init="zeros"))
    figure = figures.weight_histogram(
        initial.measure(setting, batches).weights[0],
        density("zeros", 784, 24),
        layer="layer 1",
        color=COLOR,
        trained=False,
    )
    assert len(figure["data"]) == 1
    assert "all weights are one value" in figure["layout"]["meta"]["words"]


def test_propagation_shows_four_panels_measured_and_in_theory(batches: "Batches") -> None:
    found = initial.measure(TANH, batches)
    theory = theory_of(TANH, found)
    figure = figures.layer_propagation(found.propagated, theory, color=COLOR, steps=0)
    for i, name in enumerate(("mean", "std", "saturated", "gradient")):
        factor = 100 if name == "saturated" else 1
        for kind, values in (("measured", found.propagated), ("theory", theory)):
            drawn = numbers(named(figure, f"{kind} {i}")["y"])
            assert drawn == pytest.approx((getattr(values, name) * factor).tolist(), rel=1e-5, abs=1e-7)
    assert figure["layout"]["xaxis4"]["ticktext"][-1] == "out"


def test_a_short_logarithmic_axis_names_its_ticks_in_full() -> None:
    axis = log_axis(-1.1, 0.1)
    named = dict(zip(axis["ticktext"], axis["tickvals"], strict=True))
    assert {"0.1", "0.2", "0.5", "1"} <= set(named)
    assert named["0.2"] == pytest.approx(0.2)
    assert "2 · 10⁻⁷" in log_axis(-7.1, -6)["ticktext"]
    assert log_axis(-4, 0)["dtick"] == 1


@pytest.mark.parametrize("value", [2e-5, 3.1, 3.16, 7.0, 4.4e8])
def test_an_axis_around_values_that_are_alike_has_a_label(value: float) -> None:
    axis = log_axis_around(np.array([value, 1.01 * value]))
    low, high = (10**end for end in axis["range"])
    assert any(low <= tick <= high for tick in axis["tickvals"])


def test_zeros_on_a_logarithmic_axis_are_told_in_words(batches: "Batches") -> None:
    setting = replace(TANH, network=replace(TANH.network, init="zeros"))
    found = initial.measure(setting, batches)
    figure = figures.layer_propagation(found.propagated, theory_of(setting, found), color=COLOR, steps=0)
    words = figure["layout"]["meta"]["words"]
    assert "their standard deviation: 0 in layers 1 to 3" in words
    assert "gradient going back: 0 in layers 1 to 3" in words


@pytest.mark.filterwarnings("ignore:.*encountered in.*:RuntimeWarning")
@pytest.mark.parametrize("setting", [TANH, HUGE, replace(HUGE, batchnorm=True), replace(HUGE, steps=3)])
def test_every_figure_is_plain_json_even_where_numbers_overflow(batches: "Batches", setting: InitialSetting) -> None:
    found = initial.measure(setting, batches)
    schemes, scales = initial.schemes(setting, batches), initial.scales(setting, batches)
    names: dict[str, str] = {scheme: scheme for scheme in INITS[:5]}
    drawn = [
        figures.layer_propagation(found.propagated, theory_of(setting, found), color=COLOR, steps=setting.steps),
        figures.logit_means(found, color=COLOR),
        figures.class_probabilities(found),
        figures.scheme_histograms(schemes, names, setting.network.activation),
        figures.scheme_spreads(schemes, names, schemes),
        figures.derived_scales({scale: scales["he_normal", scale] for scale in DERIVED_SCALES}, "He normal"),
        figures.sign_agreement(initial.signs(setting, batches), 32),
    ]
    for figure in drawn:
        json.dumps(figure, allow_nan=False)
        assert figure["layout"]["meta"]["alt"]
    assert len(initialization_findings(setting, found)) == 3


def test_probabilities_stand_in_the_order_of_the_labels(batches: "Batches") -> None:
    found = initial.measure(TANH, batches)
    (heat,) = figures.class_probabilities(found)["data"]
    z = np.array(numbers(heat["z"])).reshape(10, PROBE_DIGITS)
    np.testing.assert_allclose(z.sum(axis=0), 1, rtol=1e-5)
    first = int(np.flatnonzero(found.labels == 0)[0])
    np.testing.assert_allclose(z[:, 0], softmax(found.logits)[first], rtol=1e-5)


def test_mean_probabilities_are_a_bar_per_class_and_network_that_add_up(batches: "Batches") -> None:
    found = initial.measure(TANH, batches)
    bars = figures.mean_probabilities({"one": found, "the same": found})["data"]
    assert [bar["name"] for bar in bars] == ["one", "the same"]
    for bar in bars:
        assert np.array(numbers(bar["y"])).sum() == pytest.approx(100, rel=1e-4)
        np.testing.assert_allclose(numbers(bar["y"]), softmax(found.logits).mean(axis=0) * 100, rtol=1e-4)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activation_bins_hold_zero_in_the_middle_of_one(activation: str) -> None:
    edges = activation_edges(activation)
    assert len(edges) == ACTIVATION_BINS + 1
    if activation != "sigmoid":
        assert edges[ACTIVATION_BINS // 2] < 0 < edges[ACTIVATION_BINS // 2 + 1]


# -- said -----------------------------------------------------------------------------------------------------------


def test_findings_follow_from_the_network(batches: "Batches") -> None:
    def said(**changes: Any) -> str:
        setting = replace(TANH, network=replace(TANH.network, hidden_layers=8, width=64, **changes))
        return " ".join(initialization_findings(setting, initial.measure(setting, batches)))

    assert "tanh outputs in layer" in said(init="rand")
    assert "No gradient reaches the first layer" in said(init="zeros")
    assert "The activations grow" in said(init="normal", activation="relu")
    assert "gradient explodes" in said(init="normal", activation="relu")
    assert "gradient grows" in said(init="normal", init_scale=0.3, activation="relu")
    assert "The activations fade" in said(init="xavier_normal", init_scale=0.3)
    assert "gradient vanishes" in said(init="xavier_normal", init_scale=0.3)
    assert "gradient shrinks" in said(init="xavier_normal", init_scale=0.8)
    assert "keep their spread" in said(init="he_normal", activation="relu")
    assert "knowing nothing gives ln 10 = 2.303" in said()


def test_a_loss_above_ln_10_is_explained_by_the_logits(batches: "Batches") -> None:
    deaf = replace(TANH, network=NetworkConfig(8, 64, "tanh", "rand"), standardize=False)
    assert "favour the same classes" in initialization_findings(deaf, initial.measure(deaf, batches))[2]
    wild = replace(TANH, network=NetworkConfig(1, 64, "tanh", "normal"))
    assert "favour the right class for" in initialization_findings(wild, initial.measure(wild, batches))[2]
    trained = replace(TANH, steps=100)
    assert "After 100 steps" in initialization_findings(trained, initial.measure(trained, batches))[2]


def test_no_signs_without_a_gradient(batches: "Batches") -> None:
    none = SignAgreement({(kind, 32): np.empty(0) for kind in ("raw", "standardized", "centred")})
    assert "No finite gradient" in sign_findings(TANH, none, 32)
    found = initial.signs(TANH, batches)
    assert "With one digit, 100%" in sign_findings(TANH, found, 1)

"""What the page on covariate shift draws."""

from typing import Any

import numpy as np
import pytest

from bnviz import figures
from bnviz.analysis import shift
from bnviz.analysis.shift import ACTIVATION_INPUT
from bnviz.experiment.config import Experiment, NetworkConfig, TrainingConfig, replace
from bnviz.figures.distributions import Kind
from bnviz.figures.shift import MEASURES, MOST_LAYERS
from bnviz.findings.shift import shift_findings
from bnviz.records.answers import GradientShift
from bnviz.records.frames import BINS
from tests.builders import frame, numbers, twins, variant_frame, view_of
from tests.moving import TWINS, counted, layer, measurement, moving, replace_layer


def no_nan_axis(figure: dict[str, Any]) -> bool:
    axes = [value for key, value in figure["layout"].items() if key[1:5] == "axis"]
    return all(np.isfinite(axis["range"]).all() and axis["range"][0] < axis["range"][1] for axis in axes)


class TestFigures:
    view = moving((30, 30), (31, 30), (33, 31))
    measured = ([measurement(0, 0.1), measurement(200, 0.3)], [measurement(0, 0.2), measurement(200, 0.4)])

    @pytest.mark.parametrize("kind", ["ridges", "overlay", "heat"])
    def test_show_a_panel_a_variant_on_shared_axes(self, kind: Kind) -> None:
        figure = figures.distributions_over_steps(self.view, layer=0, place=ACTIVATION_INPUT, kind=kind)
        assert {trace["xaxis"] for trace in figure["data"]} == {"x", "x2"}
        first, second = figure["layout"]["yaxis"], figure["layout"]["yaxis2"]
        assert first["range"] == second["range"]
        assert second["matches"] == "y"

    def test_ridges_stand_on_their_steps(self) -> None:
        old, newest = figures.distributions_over_steps(self.view, layer=0, place=ACTIVATION_INPUT, kind="ridges")[
            "data"
        ][:2]
        lows = [np.nanmin(part) for part in np.split(numbers(old["y"]), 2)]
        assert lows == [0, 100]
        assert np.nanmin(numbers(newest["y"])) == 200

    def test_a_heat_map_has_a_column_a_moment(self) -> None:
        heat = figures.distributions_over_steps(self.view, layer=0, place=ACTIVATION_INPUT, kind="heat")["data"][0]
        assert numbers(heat["x"]).tolist() == [0, 100, 200]
        cells = numbers(heat["z"])
        assert cells.shape == (BINS, 3)
        assert cells.argmax(0).tolist() == [29, 30, 32]  # the first bin is place 1 of the counts
        np.testing.assert_allclose(cells.sum(0), 100)

    def test_percentiles_are_those_that_were_kept(self) -> None:
        low, high, *_ = figures.unit_percentiles(self.view, layer=0, unit=4)["data"]
        np.testing.assert_allclose(numbers(low["y"]), [2.0, 2.1, 2.3], atol=1e-6)
        np.testing.assert_allclose(numbers(high["y"]), [4.0, 4.1, 4.3], atol=1e-6)
        assert numbers(low["x"]).tolist() == [0, 100, 200]

    def test_percentiles_of_a_network_that_diverged_are_not_called_those_of_now(self) -> None:
        lost = variant_frame(100, layers=(layer(),), diverged=True)
        first = frame(*(variant_frame(layers=(layer(30),)) for _ in range(2)))
        view = view_of(TWINS, first, frame(lost, variant_frame(100, layers=(layer(30),))))
        words = figures.unit_percentiles(view, layer=0, unit=0)["layout"]["meta"]["words"]
        assert "no batchnorm</b></span> diverged" in words
        assert words.count("2.00, 3.00, 4.00") == 1

    def test_percentiles_are_told_without_negative_zeros_and_long_numbers(self) -> None:
        almost = replace_layer(layer(), percentiles=np.array([[-1.2e7] * 10, [-0.004] * 10, [-1.0] * 10]))
        view = view_of(TWINS, frame(*(variant_frame(layers=(almost,)) for _ in range(2))))
        assert "−1.2 · 10⁷, 0.00, −1.00" in figures.unit_percentiles(view, layer=0, unit=0)["layout"]["meta"]["words"]

    def test_one_network_of_equal_values_does_not_pale_the_heat_map_of_the_others(self) -> None:
        flat = replace_layer(
            layer(), histograms=dict.fromkeys(layer().histograms, counted(*((k, 5) for k in range(20, 40))))
        )
        three = Experiment(TWINS.training, (*TWINS.variants, TWINS.variants[0]))
        view = view_of(three, frame(*(variant_frame(layers=(each,)) for each in (flat, flat, layer()))))
        heat = figures.distributions_over_steps(view, layer=0, place=ACTIVATION_INPUT, kind="heat")["data"][0]
        assert heat["zmax"] == 10  # twice the 5% of the others, not the 100% of the third

    def test_layers_of_a_deep_network_are_named_with_room_between(self) -> None:
        deep = Experiment(
            TrainingConfig(), tuple(replace(v, network=replace(v.network, hidden_layers=20)) for v in TWINS.variants)
        )
        view = view_of(deep, frame(*(variant_frame(layers=(layer(),) * 20) for _ in range(2))))
        axis = figures.gradient_shift(view, [[measurement(0, *[0.1] * 20)]] * 2)["layout"]["xaxis"]
        assert len(axis["tickvals"]) == len(axis["ticktext"]) <= 11
        assert axis["ticktext"][-1] == "output"
        assert min(np.diff(axis["tickvals"])) >= 2

    def test_of_a_unit_that_one_network_has_not_show_the_other(self) -> None:
        figure = figures.unit_percentiles(self.view, layer=0, unit=99)
        assert "nothing kept of such a unit" in figure["layout"]["meta"]["words"]
        assert no_nan_axis(figure)

    def test_a_deep_network_gets_some_panels_and_the_chosen_layer_among_them(self) -> None:
        layers = tuple(layer() for _ in range(20))
        deep = twins(NetworkConfig(hidden_layers=20))
        view = view_of(deep, *(frame(*(variant_frame(k * 100, [1.0] * k * 100, layers=layers),) * 2) for k in (0, 1)))
        words = figures.distribution_shift(view, place=ACTIVATION_INPUT, measure="distance", since="start", layer=6)
        titles = [a["title"]["text"] for key, a in words["layout"].items() if key.startswith("yaxis")]
        assert len(titles) == MOST_LAYERS
        assert "W₁, layer 7" in titles
        assert {"W₁, layer 1", "W₁, layer 20"} <= set(titles)

    def test_gradients_stand_in_their_layers_column(self) -> None:
        points, mean, *_ = figures.gradient_shift(self.view, self.measured)["data"]
        x, y = numbers(points["x"]), numbers(points["y"])
        assert x[0] == pytest.approx(1.6)
        np.testing.assert_allclose(y[:2], [0.1, 0.3], rtol=1e-6)
        np.testing.assert_allclose(numbers(mean["y"])[:2], 0.2, rtol=1e-6)

    @pytest.mark.parametrize("measure", list(MEASURES))
    @pytest.mark.parametrize("broken", ["one frame", "diverged", "no layer", "nothing measured"])
    def test_survive_what_is_missing(self, broken: str, measure: str) -> None:
        view, measured = self.view, [list(m) for m in self.measured]
        chosen = 0
        if broken == "one frame":
            view = moving((30, 30))
        elif broken == "diverged":
            lost = replace_layer(
                layer(), histograms={"pre_activation": counted(broken=9)}, percentiles=None, summaries=None
            )
            frames = [
                frame(variant_frame(k * 100, [1.0] * k * 100, layers=(lost,), diverged=k > 0), variant_frame(k * 100))
                for k in (0, 1)
            ]
            view = view_of(TWINS, *frames)
            measured[0] = [GradientShift(0, *[np.full(2, np.nan)] * 3)]
        elif broken == "no layer":
            chosen = 5
        else:
            measured = []
        drawn = [
            figures.distributions_over_steps(view, layer=chosen, place=place, kind=kind)
            for kind in ("ridges", "overlay", "heat")
            for place in shift.PLACES
        ]
        drawn.append(figures.unit_percentiles(view, layer=chosen, unit=0))
        drawn += [
            figures.distribution_shift(view, place=ACTIVATION_INPUT, measure=measure, since=since, layer=chosen)
            for since in ("start", "before")
        ]
        drawn.append(figures.gradient_shift(view, measured))
        assert all(no_nan_axis(figure) for figure in drawn)
        assert shift_findings(view, measured, layer=chosen, place=ACTIVATION_INPUT)

    def test_a_refusal_is_told_above_the_chart(self) -> None:
        view = moving((30, 30), (31, 30), (33, 31))
        figure = figures.distributions_over_steps(view, layer=0, place=ACTIVATION_INPUT, kind="overlay", every=10)
        assert "Refused: every 10 steps makes 21 snapshots, but 3 are kept" in figure["layout"]["meta"]["words"]

"""Figures are pure functions of records: plain dicts that Plotly accepts, calm from one frame to the next."""

import copy
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bnviz import figures
from bnviz.experiment.config import (
    ACTIVATIONS,
    LETTERS,
    Activation,
    BatchNormConfig,
    Experiment,
    NetworkConfig,
    TrainingConfig,
    Variant,
)
from bnviz.experiment.edits import Edit
from bnviz.figures.activations import input_place
from bnviz.figures.histograms import PLACE_NAMES
from bnviz.figures.loss import LINE_POINTS, smooth
from bnviz.figures.saturation import BARS
from bnviz.figures.style import ACCENTS, WITH, WITHOUT, Figure, color_of, network_color, nice_ceiling, typed
from bnviz.records.frames import BINS, PLACES, VariantFrame
from bnviz.records.ghosts import Ghost, ghosts_of
from bnviz.records.history import History, View
from bnviz.training.batches import Batches
from tests.builders import frame, frames_of, history_of, layer_frame, numbers, twins, variant_frame, view_of


@dataclass(frozen=True)
class Case:
    """A run at a moment, and a way to draw it."""

    name: str
    draw: Callable[[View], Figure]


def _latest(draw: Callable[..., Figure], **options: Any) -> Callable[[View], Figure]:
    def of(view: View) -> Figure:
        assert view.latest is not None
        return draw(view.latest, view.experiment, **options)

    return of


DRAWN = [
    *(
        Case(f"loss, {x}, {'log' if log else 'linear'}", partial(figures.training_loss, smoothing=30, x=x, log=log))
        for x in ("steps", "seconds")
        for log in (False, True)
    ),
    *(Case(f"accuracy, {x}", partial(figures.accuracy_curves, x=x)) for x in ("steps", "seconds")),
    *(
        Case(f"map, {quantity}, layer {layer}", _latest(figures.network_map, quantity=quantity, layer=layer))
        for quantity in ("mean", "saturated")
        for layer in (0, 19)
    ),
    *(
        Case(f"histograms, {place}, layer {layer}", _latest(figures.activation_histograms, layer=layer, place=place))
        for place in PLACES
        for layer in (0, 19)
    ),
    *(
        Case(f"bars, {bars}, layer {layer}", _latest(figures.saturation_bars, layer=layer, bars=bars))
        for bars in BARS
        for layer in (0, 19)
    ),
    *(Case(f"function, layer {layer}", _latest(figures.activation_function, layer=layer)) for layer in (0, 19)),
    Case("gradients", _latest(figures.layer_gradients)),
]


def loss(
    view: View, *, smoothing: int = 30, log: bool = False, x: str = "steps", ghosts: Sequence[Ghost] = ()
) -> Figure:
    return figures.training_loss(view, smoothing=smoothing, log=log, x=x, ghosts=ghosts)


def accuracy(view: View) -> Figure:
    return figures.accuracy_curves(view, x="steps")


def finished(experiment: Experiment, batches: Batches) -> View:
    return history_of(experiment, frames_of(experiment, batches)).view()


def ruined(step: int = 2, layers: int = 2) -> VariantFrame:
    """A network whose numbers are no numbers any more."""
    nan = layer_frame(mean=math.nan, saturated=1.0, dead=10)
    for counts in nan.histograms.values():
        counts[:], counts[-1] = 0, 2560
    return variant_frame(
        step,
        [1e30, math.nan],
        next_loss=math.nan,
        test_loss=math.nan,
        test_accuracy=0.1,
        layers=(nan,) * layers,
        gradient_norm=np.array([math.nan, math.inf, -math.inf][: layers + 1]),
        update_ratio=np.full(layers + 1, math.nan),
        diverged=True,
    )


def six_of_all_kinds(activation: Activation = "tanh") -> Experiment:
    networks = [NetworkConfig(hidden_layers=2, width=3, activation=activation, init="xavier_normal")] * 6
    networks[2] = NetworkConfig(hidden_layers=20, width=2, activation="relu", init="he_normal")
    networks[3] = NetworkConfig(hidden_layers=1, width=1)
    norms = [None, BatchNormConfig(), BatchNormConfig(position="after"), None, BatchNormConfig(affine=False), None]
    variants = (Variant(network, norm) for network, norm in zip(networks, norms, strict=True))
    return Experiment(TrainingConfig(steps=4, batch_size=8), tuple(variants))


VIEWS: dict[str, Callable[[Batches], View]] = {
    "untrained": lambda batches: view_of(twins(), frame(variant_frame(0), variant_frame(0))),
    "after one step": lambda batches: view_of(
        twins(), frame(variant_frame(0), variant_frame(0)), frame(variant_frame(1, [2.3]), variant_frame(1, [2.2]))
    ),
    "twins": lambda batches: finished(twins(steps=20), batches),
    "six of all kinds": lambda batches: finished(six_of_all_kinds(), batches),
    "one alone, width 1": lambda batches: finished(
        Experiment(TrainingConfig(steps=3), (Variant(NetworkConfig(width=1, activation="none")),)), batches
    ),
    "20 layers, gelu": lambda batches: finished(
        twins(NetworkConfig(hidden_layers=20, width=3, activation="gelu"), steps=2), batches
    ),
    "zeros": lambda batches: finished(twins(NetworkConfig(width=4, init="zeros"), steps=3), batches),
    "one diverged": lambda batches: view_of(
        twins(),
        frame(variant_frame(0), variant_frame(0)),
        frame(ruined(), variant_frame(2, [2.3, 2.2], layers=(layer_frame(),) * 2), seconds=0.2),
    ),
    "all no numbers from the start": lambda batches: view_of(
        twins(), frame(ruined(0), ruined(0)), frame(ruined(2), ruined(2), seconds=0.2, finished=True)
    ),
}


@pytest.fixture(scope="module")
def views(batches: Batches) -> dict[str, View]:
    return {name: make(batches) for name, make in VIEWS.items()}


@pytest.mark.parametrize("case", DRAWN, ids=lambda case: case.name)
class TestEveryFigure:
    """Each figure, of every kind of run."""

    def test_is_drawn_without_an_error_or_a_warning(self, views: dict[str, View], case: Case) -> None:
        with np.errstate(all="raise", under="ignore"):
            for name, view in views.items():
                assert case.draw(view).keys() == {"data", "layout"}, name

    def test_travels_as_strict_json(self, views: dict[str, View], case: Case) -> None:
        for name, view in views.items():
            found = case.draw(view)
            assert json.loads(json.dumps(found, allow_nan=False)) == found, name

    def test_is_accepted_by_plotly(self, views: dict[str, View], case: Case) -> None:
        for name, view in views.items():
            found = case.draw(view)
            assert len(go.Figure(copy.deepcopy(found)).data) == len(found["data"]), name

    def test_says_in_words_what_it_shows(self, views: dict[str, View], case: Case) -> None:
        for name, view in views.items():
            alt = case.draw(view)["layout"]["meta"]["alt"]
            assert len(alt) > 20, name
            assert "<" not in alt, name

    def test_is_a_pure_function(self, views: dict[str, View], case: Case) -> None:
        for name, view in views.items():
            untouched = copy.deepcopy(view)
            assert case.draw(view) == case.draw(view) == case.draw(untouched), name

    def test_keeps_a_zoom_over_every_update(self, views: dict[str, View], case: Case) -> None:
        for name, view in views.items():
            assert case.draw(view)["layout"]["uirevision"] == "keep", name


@pytest.fixture(scope="module")
def two_moments(batches: Batches) -> tuple[View, View]:
    """The same run after 20 and after 22 of 30 steps."""
    experiment = twins(NetworkConfig(width=8, init="xavier_normal"), steps=30)
    frames = frames_of(experiment, batches)
    return history_of(experiment, frames[:11]).view(), history_of(experiment, frames[:12]).view()


@pytest.mark.parametrize("case", DRAWN, ids=lambda case: case.name)
def test_only_data_and_words_change_from_one_frame_to_the_next(two_moments: tuple[View, View], case: Case) -> None:
    """An axis that moves in every frame cannot be read, and a changed layout is dear to draw."""
    before, after = (case.draw(view) for view in two_moments)
    for found in (before, after):
        del found["layout"]["meta"]
    assert before["layout"] == after["layout"]


def traces(found: Figure, **properties: object) -> list[Figure]:
    return [t for t in found["data"] if all(t.get(key) == value for key, value in properties.items())]


class TestTheLossChart:
    def long(self, count: int) -> View:
        history = History(twins(steps=100_000))
        random = np.random.default_rng(0)
        history.add(frame(variant_frame(0), variant_frame(0)))
        for end in range(500, count + 1, 500):
            losses = random.uniform(1, 2, (2, 500))
            a, b = (variant_frame(end, row, test_loss=1.5) for row in losses)
            history.add(frame(a, b, seconds=end / 1000))
        return history.view()

    @pytest.mark.parametrize("count", [500, 5000, 50_000])
    def test_shows_few_points_and_always_the_newest(self, count: int) -> None:
        (line,) = traces(loss(self.long(count)), name="A training")
        x = numbers(line["x"])
        assert len(x) == len(numbers(line["y"])) <= LINE_POINTS + 1
        assert x[-1] == pytest.approx(count, rel=0.01)
        assert (np.diff(x) > 0).all()

    @pytest.mark.parametrize(("earlier", "later"), [(1000, 1500), (20_000, 20_500)])
    def test_draws_no_point_where_it_drew_none_before(self, earlier: int, later: int) -> None:
        """Points may go as the line grows, but those that stay do not move."""
        before, after = (numbers(traces(loss(self.long(n)), name="A training")[0]["x"]) for n in (earlier, later))
        assert np.isin(after[after <= earlier], before).all()

    def test_averages_over_as_many_steps_at_every_stride(self) -> None:
        view = self.long(8000)
        assert view.variants[0].stride > 1
        (line,) = traces(loss(view, smoothing=2000), name="A training")
        assert numbers(line["y"])[-1] == pytest.approx(
            view.variants[0].losses[-2000 // view.variants[0].stride :].mean()
        )

    def test_shows_test_losses_as_points_with_the_newest_look(self) -> None:
        history = History(twins(steps=1500))
        history.add(frame(variant_frame(0, test_loss=2.3), variant_frame(0)))
        history.add(frame(variant_frame(7, [1.0] * 7, test_loss=2.0), variant_frame(7, [1.0] * 7)))
        (points,) = traces(loss(history.view()), name="A test")
        assert numbers(points["x"]).tolist() == [0, 7]
        assert numbers(points["y"]).tolist() == pytest.approx([2.3, 2.0])

    def test_keeps_results_on_all_digits_apart_from_the_curve_of_the_first_thousand(self) -> None:
        history = History(twins(steps=20))
        history.add(frame(variant_frame(0, test_loss=2.3), variant_frame(0)))
        end = variant_frame(20, [1.0] * 20, test_loss=0.5, tested_on_all=True)
        history.add(frame(end, variant_frame(20, [1.0] * 20), finished=True))
        found = loss(history.view())
        (rings,), (square,) = traces(found, name="A test"), traces(found, name="A on all test digits")
        assert numbers(rings["x"]).tolist() == [0]
        assert (numbers(square["x"]).tolist(), numbers(square["y"]).tolist()) == ([20], [0.5])

    def test_shows_the_loss_before_training(self) -> None:
        view = view_of(twins(), frame(variant_frame(0, next_loss=3.5), variant_frame(0)))
        (point, _) = [t for t in loss(view)["data"] if t.get("marker", {}).get("symbol") == "diamond"]
        assert (numbers(point["x"]).tolist(), numbers(point["y"]).tolist()) == ([0], [3.5])

    @pytest.mark.parametrize("log", [False, True])
    def test_marks_ln_10_and_every_change_that_kept_the_weights(self, log: bool) -> None:
        history = History(twins())
        history.add(frame(variant_frame(9, [1.0] * 9), variant_frame(9, [1.0] * 9), seconds=1.5))
        history.edit(Edit(twins(), label="A: init normal"), frame(variant_frame(9), variant_frame(9), seconds=1.5))
        guide, marker = loss(history.view(), log=log)["layout"]["shapes"]
        assert guide["y0"] == guide["y1"] == pytest.approx(math.log(10))
        assert (marker["x0"], marker["label"]["text"]) == (9, "init normal")
        assert marker["label"]["font"]["color"] == network_color(twins(), 0)
        assert loss(history.view(), x="seconds")["layout"]["shapes"][1]["x0"] == 1.5

    def test_a_strangers_label_is_text_and_no_markup(self) -> None:
        history = History(twins())
        history.add(frame(variant_frame(9, [1.0] * 9), variant_frame(9, [1.0] * 9)))
        label = 'A: <a href="https://elsewhere">x</a>'
        history.edit(Edit(twins(), label=label), frame(variant_frame(9), variant_frame(9)))
        told = loss(history.view())["layout"]["shapes"][1]["label"]["text"]
        assert told == '&lt;a href="https://elsewhere"&gt;x&lt;/a&gt;'

    def test_a_marker_names_the_network_by_its_letter_where_another_has_its_colour(self) -> None:
        both = replace(twins(), variants=(twins().variants[0],) * 2)
        history = History(both)
        history.add(frame(variant_frame(9, [1.0] * 9), variant_frame(9, [1.0] * 9)))
        history.edit(Edit(both, label="A: init normal"), frame(variant_frame(9), variant_frame(9)))
        assert loss(history.view())["layout"]["shapes"][1]["label"]["text"] == "A: init normal"

    @pytest.mark.parametrize("x", ["steps", "seconds"])
    def test_a_curve_has_the_colour_that_its_network_had_at_the_time(self, x: str) -> None:
        """Switched on with the weights kept at step 4, and off again at step 7."""
        off, on = twins(), replace(twins(), variants=(twins().variants[1],) * 2)
        history = History(off)
        history.add(frame(variant_frame(4, [4.0] * 4), variant_frame(4, [1.0] * 4), seconds=4.0))
        for now, step, label in ((on, 4, "A: batchnorm on"), (off, 7, "A: batchnorm off")):
            history.edit(Edit(now, label=label), frame(variant_frame(step), variant_frame(step), seconds=step))
            after = variant_frame(step + 3, [2.0] * 3), variant_frame(step + 3, [1.0] * 3)
            history.add(frame(*after, seconds=step + 3.0))
        (earlier,) = traces(loss(history.view(), x=x), name="A earlier")
        assert earlier["line"]["color"] == network_color(on, 0) != network_color(off, 0)
        assert set(numbers(earlier["x"]).tolist()) == {4.0, 5.0, 6.0, 7.0}
        assert not traces(loss(history.view(), x=x), name="B earlier")

    def test_a_high_first_loss_stands_at_the_edge_and_is_told(self) -> None:
        """It must not press the part of the curve flat in which something happens."""
        for first in (3.6, 15.0, 1e6):
            view = view_of(twins(), frame(variant_frame(0, next_loss=first), variant_frame(0)))
            found = loss(view)
            assert found["layout"]["yaxis"]["range"] == [0, 3.5]
            (point, _) = [t for t in found["data"] if t.get("marker", {}).get("symbol") in ("triangle-up", "diamond")]
            assert 3.4 < numbers(point["y"])[0] < 3.5
            assert numbers(point["customdata"])[0] == np.float32(first)
            assert f"starts at {first:.3g} ↑" in found["layout"]["meta"]["words"]

    @pytest.mark.parametrize(("level", "top"), [(2.2, 2.6), (3.0, 3.5), (7.9, 10.0), (1e6, 20.0)])
    def test_has_room_for_losses_that_stay_but_not_for_any(self, level: float, top: float) -> None:
        start = frame(variant_frame(0, next_loss=2.3), variant_frame(0))
        later = frame(variant_frame(500, [level] * 500), variant_frame(500, [1.0] * 500))
        low, high = loss(view_of(twins(), start, later))["layout"]["yaxis"]["range"]
        assert (low, high) == (0, pytest.approx(top, rel=0.25))
        assert high >= min(level, 20.0)

    def test_curves_that_lie_on_one_another_are_both_seen(self) -> None:
        same, other = [1.0, 0.9], [1.0, 0.8]
        for second, dash in ((same, "dash"), (other, None)):
            found = loss(view_of(twins(), frame(variant_frame(2, same), variant_frame(2, second))))
            lines = [traces(found, name=f"{letter} training")[0]["line"].get("dash") for letter in "AB"]
            assert lines == [None, dash]

    def test_what_a_change_replaced_and_what_was_pinned_stay_as_pale_named_curves(self) -> None:
        before = view_of(twins(), frame(variant_frame(2, [1.0, 0.9]), variant_frame(2, [1.0, 0.8])))
        found = loss(view_of(twins(), frame(variant_frame(0), variant_frame(0))), ghosts=ghosts_of(before, "{} before"))
        (ghost,) = traces(found, name="no batchnorm before")
        assert numbers(ghost["y"])[-1] == pytest.approx(0.95)
        assert ghost["line"]["dash"] == "dash"
        assert "no batchnorm before" in found["layout"]["meta"]["words"]

    def test_goes_on_after_a_loss_that_is_no_number(self) -> None:
        """As when the weights of a diverged network are redrawn: its line must not be lost for ever."""
        mean = smooth(np.array([1.0, 1.0, math.nan, *[3.0] * 10]), 4)
        np.testing.assert_allclose(mean[-5:], 3.0)


class TestSmoothing:
    @given(arrays("f8", st.integers(1, 60), elements=st.floats(0, 100)), st.integers(0, 80))
    def test_is_the_mean_of_the_last_points_or_of_as_many_as_there_are(self, losses: np.ndarray, window: int) -> None:
        expected = [losses[max(0, i + 1 - max(window, 1)) : i + 1].mean() for i in range(len(losses))]
        np.testing.assert_allclose(smooth(losses, window), expected, atol=1e-9)


class TestTheAccuracyChart:
    def test_is_in_per_cent_on_a_fixed_scale(self) -> None:
        view = view_of(twins(), frame(variant_frame(0, test_accuracy=0.125), variant_frame(0)))
        found = accuracy(view)
        assert numbers(traces(found, name="A")[0]["y"]).tolist() == [12.5]
        assert found["layout"]["yaxis"]["range"] == [0, 101]


class TestTheHistograms:
    @pytest.mark.parametrize("activation", ACTIVATIONS)
    @pytest.mark.parametrize("place", PLACES)
    def test_have_the_same_bins_for_all_variants(self, batches: Batches, activation: Activation, place: str) -> None:
        view = finished(twins(NetworkConfig(width=3, activation=activation), steps=1), batches)
        found = _latest(figures.activation_histograms, layer=0, place=place)(view)
        edges = [numbers(t["x"]).tolist() for t in found["data"]]
        assert edges
        assert all(e == edges[0] for e in edges)
        assert len(edges[0]) == 2 * BINS

    def test_outermost_bars_hold_what_lies_beyond_which_is_told(self) -> None:
        layer = layer_frame()
        layer.histograms["normalized"][:] = 0
        layer.histograms["normalized"][[0, 5, -2, -1]] = [10, 60, 20, 10]
        found = figures.activation_histograms(
            frame(variant_frame(layers=(layer,)), variant_frame()), twins(), layer=0, place="normalized"
        )
        (line,) = traces(found, name="A")
        shares = numbers(line["y"])[::2]  # every bin has two corners
        assert (shares[0], shares[4], shares[-1], shares.sum()) == pytest.approx((10, 60, 20, 90))
        words = found["layout"]["meta"]["words"].split("<br>")
        assert "10.0% below -5 · 20.0% above 5 · 10.0% NaN or infinite · 60 % ↑" in words[0]
        assert words[1].endswith("batchnorm</b></span> · 100 % ↑ at −0.083")

    def test_have_a_row_a_network_on_the_same_axes(self, batches: Batches) -> None:
        """One bar of 100 % must not press the other network to the floor: it is cut, and told."""
        careless = twins(NetworkConfig(init="rand"), steps=1)
        found = _latest(figures.activation_histograms, layer=0, place="post_activation")(finished(careless, batches))
        rows = [found["layout"][axis] for axis in ("yaxis", "yaxis2")]
        assert [row["range"] for row in rows] == [[0, 12.0]] * 2
        assert rows[0]["domain"][0] > rows[1]["domain"][1]
        assert "100 % ↑ at 0.98" in found["layout"]["meta"]["words"].split("<br>")[0]

    @pytest.mark.parametrize("draw", [figures.activation_histograms, figures.activation_function])
    def test_of_a_layer_that_was_not_in_focus_there_is_nothing_to_see_or_to_say(self, draw: Callable[..., Any]) -> None:
        unseen = frame(*[variant_frame(layers=(layer_frame(places=()),)) for _ in range(2)])
        told = {"place": "normalized"} if draw is figures.activation_histograms else {}
        found = draw(unseen, twins(), layer=0, **told)
        assert all(trace.get("fill") is None for trace in found["data"])
        assert "batchnorm" not in "".join(found["layout"]["meta"]["words"])

    def test_say_so_where_a_network_has_no_batchnorm(self, batches: Batches) -> None:
        found = _latest(figures.activation_histograms, layer=0, place="normalized")(finished(twins(steps=1), batches))
        assert len(found["data"]) == 1
        assert "has no batchnorm: nothing here" in found["layout"]["meta"]["words"]

    def test_have_a_name_for_every_place(self) -> None:
        assert set(PLACE_NAMES) == set(PLACES)


class TestTheActivationFunction:
    @pytest.mark.parametrize(
        ("norm", "place"),
        [
            (None, "pre_activation"),
            (BatchNormConfig(), "batchnorm_output"),
            (BatchNormConfig(position="after"), "pre_activation"),
        ],
        ids=["none", "before", "after"],
    )
    def test_stands_above_what_really_goes_into_it(self, norm: BatchNormConfig | None, place: str) -> None:
        assert input_place(Experiment(variants=(Variant(batchnorm=norm),)), 0, 0) == place

    def test_shades_where_it_is_flat_and_nowhere_else(self) -> None:
        flat: dict[Activation, list[tuple[float, float]]] = {
            "tanh": [(-6.5, -2.09), (2.09, 6.5)],
            "relu": [(-6.5, 0.0)],
            "none": [],
        }
        for kind, zones in flat.items():
            experiment = twins(NetworkConfig(width=3, activation=kind))
            shapes = figures.activation_function(frame(variant_frame(), variant_frame()), experiment, layer=0)
            found = [(s["x0"], s["x1"]) for s in shapes["layout"]["shapes"]]
            np.testing.assert_allclose(np.array(found).reshape(-1, 2), np.array(zones).reshape(-1, 2), atol=0.02)

    def test_shows_the_inputs_beyond_the_picture_as_bars_at_its_edges(self) -> None:
        layer = layer_frame()
        layer.histograms["pre_activation"][:] = 0
        layer.histograms["pre_activation"][[BINS // 2, -2]] = [30, 70]
        found = figures.activation_function(frame(variant_frame(layers=(layer,)), variant_frame()), twins(), layer=0)
        (above,) = traces(found, name="A above 6")
        assert numbers(above["y"]).max() == pytest.approx(70)

    def test_tells_how_many_of_its_inputs_lie_outside_the_picture(self) -> None:
        layer = layer_frame()
        counts = layer.histograms["pre_activation"]
        counts[:] = 0
        below, at_minus_8, at_0, above, no_number = 0, 1 + BINS // 10, BINS // 2, -2, -1
        counts[[below, at_minus_8, at_0, above, no_number]] = [5, 10, 60, 20, 5]
        found = figures.activation_function(frame(variant_frame(layers=(layer,)), variant_frame()), twins(), layer=0)
        words = found["layout"]["meta"]["words"]
        assert ": 40% beyond ±6" in words
        assert ": 0% beyond ±6" in words

    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_is_the_one_that_is_trained_with_its_slope(self, activation: Activation) -> None:
        import torch

        from bnviz.nn.layers import ACTIVATION

        experiment = twins(NetworkConfig(width=3, activation=activation))
        found = figures.activation_function(frame(variant_frame(), variant_frame()), experiment, layer=0)
        curve, slope = found["data"][:2]
        x = (
            torch.tensor(numbers(curve["x"])[:-1:2].copy()) + 0.05
        )  # the points lie at tenths: not where ReLU has a corner
        y = ACTIVATION[activation].f(x)
        at = numbers(curve["x"])
        np.testing.assert_allclose(np.interp(x, at, numbers(curve["y"])), y, atol=5e-3)
        expected = ACTIVATION[activation].slope(x, y)
        away = (x.abs() > 0.1).numpy()
        np.testing.assert_allclose(np.interp(x, at, numbers(slope["y"]))[away], expected[away], atol=1e-2)


class TestTheNetworkMap:
    def test_has_a_strip_a_layer_and_a_cell_a_neuron_for_every_variant(self, batches: Batches) -> None:
        experiment = six_of_all_kinds()
        found = _latest(figures.network_map, quantity="mean", layer=0)(finished(experiment, batches))
        shapes = [numbers(t["z"]).shape for t in found["data"]]
        assert shapes == [(v.network.hidden_layers, v.network.width) for v in experiment.variants]

    def test_has_one_scale_for_all_variants(self, batches: Batches) -> None:
        found = _latest(figures.network_map, quantity="mean", layer=0)(finished(six_of_all_kinds(), batches))
        assert {t["coloraxis"] for t in found["data"]} == {"coloraxis"}
        axis = found["layout"]["coloraxis"]
        assert axis["cmin"] == -axis["cmax"] < 0

    def test_frames_the_layer_that_is_looked_at_where_a_variant_has_it(self, batches: Batches) -> None:
        view = finished(six_of_all_kinds(), batches)
        for layer, count in ((0, 6), (1, 5), (7, 1)):
            shapes = _latest(figures.network_map, quantity="mean", layer=layer)(view)["layout"]["shapes"]
            assert len(shapes) == count
            assert all(s["y0"] < layer + 1 < s["y1"] for s in shapes)

    def test_puts_no_strip_over_another(self, batches: Batches) -> None:
        found = _latest(figures.network_map, quantity="saturated", layer=0)(finished(six_of_all_kinds(), batches))
        domains = [found["layout"][f"yaxis{i or ''}"]["domain"] for i in (0, *range(2, 7))]
        for upper, lower in pairwise(domains):
            assert 0 <= lower[0] < lower[1] < upper[0] < upper[1] <= 1


class TestTheBars:
    def test_are_one_a_neuron_in_rows_that_do_not_overlap(self, batches: Batches) -> None:
        found = _latest(figures.saturation_bars, layer=0, bars="saturated")(finished(six_of_all_kinds(), batches))
        assert [len(numbers(t["y"])) for t in found["data"]] == [3, 3, 2, 1, 3, 3]
        domains = [found["layout"][f"yaxis{i or ''}"]["domain"] for i in (0, *range(2, 7))]
        for upper, lower in pairwise(domains):
            assert 0 <= lower[0] < lower[1] < upper[0] < upper[1] <= 1

    def test_are_sorted_with_the_most_saturated_first_where_asked_to(self) -> None:
        layer = replace(layer_frame(3), saturated=np.array([0.1, 0.9, 0.5], dtype=np.float32))
        one = frame(variant_frame(layers=(layer,)), variant_frame())
        for bars, heights in (("sorted", [90, 50, 10]), ("saturated", [10, 90, 50])):
            found = figures.saturation_bars(one, twins(), layer=0, bars=bars)
            np.testing.assert_allclose(numbers(found["data"][0]["y"]), heights, rtol=1e-5)
        assert '<b class="bnviz-share">50%</b> saturated' in found["layout"]["meta"]["words"]

    def test_have_the_same_range_for_all_variants(self, batches: Batches) -> None:
        for bars in BARS:
            layout = _latest(figures.saturation_bars, layer=0, bars=bars)(finished(six_of_all_kinds(), batches))[
                "layout"
            ]
            ranges = [layout[key]["range"] for key in layout if key.startswith("yaxis")]
            assert all(r == ranges[0] for r in ranges)


class TestTheGradients:
    def test_are_a_point_a_layer_with_the_output_as_the_last(self, batches: Batches) -> None:
        found = _latest(figures.layer_gradients)(finished(six_of_all_kinds(), batches))
        counts = [len(numbers(t["x"])) for t in found["data"] if t.get("xaxis", "x") == "x"]
        assert counts == [3, 3, 21, 2, 3, 3]
        assert found["layout"]["xaxis"]["ticktext"][-1] == "out"
        assert len(found["layout"]["xaxis"]["ticktext"]) == len(found["layout"]["xaxis"]["tickvals"])

    def test_that_are_zero_are_still_drawn_on_the_logarithmic_axis(self) -> None:
        dead = variant_frame(gradient_norm=np.array([0.0, 0.1]))
        found = figures.layer_gradients(frame(dead, variant_frame()), twins())
        lowest = numbers(found["data"][0]["y"]).min()
        assert lowest > 0
        assert math.log10(lowest) >= found["layout"]["yaxis"]["range"][0] - 1e-6

    def test_that_vanish_stay_inside_the_axis(self) -> None:
        tiny = variant_frame(gradient_norm=np.array([3e-9, 20.0]))
        low, high = figures.layer_gradients(frame(tiny, variant_frame()), twins())["layout"]["yaxis"]["range"]
        assert low <= math.log10(3e-9)
        assert high >= math.log10(20)


class TestStyle:
    def test_has_a_colour_for_every_network_and_no_other_thing_has_one_of_them(self) -> None:
        assert len({*WITHOUT, *WITH, *ACCENTS}) == 2 * len(LETTERS) + len(ACCENTS)
        assert len(WITHOUT) == len(WITH) == len(LETTERS)

    def test_orange_is_a_network_without_batchnorm_and_blue_one_with_it_whatever_its_place(self) -> None:
        plain, normalized = Variant(), Variant(batchnorm=BatchNormConfig())
        experiment = Experiment(variants=(normalized, plain, normalized, plain))
        colors = [network_color(experiment, i) for i in range(4)]
        assert colors == [WITH[0], WITHOUT[1], WITH[2], WITHOUT[3]]
        assert [network_color(Experiment(), i) for i in (0, 1)] == [color_of(normalized=n) for n in (False, True)]

    @given(st.floats(1e-12, 1e12))
    def test_a_calm_ceiling_is_a_round_number_not_far_above(self, value: float) -> None:
        ceiling = nice_ceiling(value)
        assert value * (1 - 1e-6) <= ceiling <= value * 1.6
        assert float(f"{ceiling:.1e}") == pytest.approx(ceiling)

    @pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
    def test_a_ceiling_of_nothing_is_one(self, value: float) -> None:
        assert nice_ceiling(value) == 1

    @given(arrays("f4", st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=st.floats(width=32)))
    def test_arrays_travel_as_the_bytes_that_plotly_reads(self, values: np.ndarray) -> None:
        np.testing.assert_array_equal(numbers(typed(values)), values)
        np.testing.assert_array_equal(numbers(typed(values[0])), values[0])


def _all_text(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for found in value.values():
            yield from _all_text(found)
    elif isinstance(value, list):
        for found in value:
            yield from _all_text(found)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("case", DRAWN, ids=lambda case: case.name)
def test_no_figure_shows_nan_or_none_as_a_word(two_moments: tuple[View, View], case: Case) -> None:
    texts = [text for text in _all_text(case.draw(two_moments[1])) if len(text) < 300]
    assert not [text for text in texts if "None" in text or "nan" in text.split()]

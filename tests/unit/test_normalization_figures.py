"""The page "Inside batchnorm": what it computes, and what its pictures claim."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from bnviz import figures
from bnviz.engine.in_worker.autograd_task import batchnorm_gradients
from bnviz.experiment.wording import decimals, significant
from bnviz.figures.statistics_axes import AXES, shared_with
from bnviz.theory import walkthrough
from tests.builders import numbers

NAMES = ("x₁", "x₂")
ONES, ZEROS = np.ones(2), np.zeros(2)
batches = st.integers(2, 30).flatmap(lambda n: arrays(np.float64, (n, 2), elements=st.floats(-20, 20)))
SCALES = np.geomspace(0.1, 10, 5)


def dots(figure: dict[str, Any], name: str) -> npt.NDArray[np.float32]:
    trace = next(t for t in figure["data"] if t["name"] == name)
    return np.stack([numbers(trace["x"]), numbers(trace["y"])], axis=1)


def texts(figure: dict[str, Any]) -> dict[str, str]:
    return {a["name"]: a["text"] for a in figure["layout"]["annotations"] if "name" in a}


def examples() -> dict[str, dict[str, Any]]:
    walk = walkthrough.walk(walkthrough.sample_points(0), ONES, ZEROS)
    staged = (walk.gradients["x"], walk.gradients["gamma"], walk.gradients["beta"])
    dense, convolutional = walkthrough.example_inputs()
    changed = walkthrough.change_weights(bias=3)
    fell = walkthrough.descend(20, 0.1, learn_beta=False)
    norms = walkthrough.gradient_norms(SCALES)
    pair = {"before": changed.before, "after": changed.after}
    return {
        "points": figures.batch_points(walk.x, walk.y, names=NAMES, follow=0),
        "histograms": figures.batch_histograms(walk.x, walk.y, names=NAMES),
        "axes": figures.statistics_axes(dense, convolutional, channel=0),
        "forward": figures.computation_graph(walk.values, backward=False, follow=0),
        "backward": figures.computation_graph(walk.gradients, backward=True, follow=0),
        "check": figures.gradient_check(walk.closed, staged, walk.closed),
        "bias": figures.bias_effect(**pair, bias=3, difference=1e-16, gradient=0.0),
        "scale": figures.scale_effect(**pair, scale=3, difference=1e-16),
        "gradient": figures.scale_gradient(SCALES, norms, scale=3, now=1, was=3),
        "runaway": figures.runaway_bias(fell.bias, fell.loss),
    }


class TestBatch:
    def test_the_sample_is_n_5_2_with_the_second_axis_scaled_and_shifted(self) -> None:
        points = np.concatenate([walkthrough.sample_points(seed) for seed in range(200)])
        np.testing.assert_allclose(points.mean(0), [5, 0.4 * 5 - 4], atol=0.1)
        np.testing.assert_allclose(points.std(0), [2, 0.8], atol=0.1)

    def test_the_same_seed_gives_the_same_points(self) -> None:
        assert (walkthrough.sample_points(3) == walkthrough.sample_points(3)).all()
        assert (walkthrough.sample_points(3) != walkthrough.sample_points(4)).any()

    @given(batches)
    def test_gamma_sigma_and_beta_mu_give_every_batch_back(self, x: npt.NDArray[np.float64]) -> None:
        y = walkthrough.walk(x, *walkthrough.undoing(x)).y
        np.testing.assert_allclose(y, x, rtol=0, atol=1e-12)

    @pytest.mark.parametrize(
        ("rows", "said"),
        [
            ([[1, 2]], "Points: 1 given; a batch here has from 2 to 200."),
            ([], "Points: 0 given; a batch here has from 2 to 200."),
            ([[1, 2]] * 201, "Points: 201 given; a batch here has from 2 to 200."),
            ([[1, 2], [3, None]], "Row 2, x₂: empty; give a number from -20 to 20."),
            ([[math.nan, 2], [3, 4]], "Row 1, x₁: empty; give a number from -20 to 20."),
            ([[1, 2], [3, 20.5]], "Row 2, x₂: 20.5 is not allowed; give one from -20 to 20."),
            ([[1, 2], [-math.inf, 4]], "Row 2, x₁: -inf is not allowed; give one from -20 to 20."),
        ],
    )
    def test_what_is_no_batch_is_refused_by_field_and_range(self, rows: list[list[float]], said: str) -> None:
        assert walkthrough.problems(NAMES, rows) == [said]

    def test_good_points_are_not_refused(self) -> None:
        assert walkthrough.problems(NAMES, [[-20, 20], [0, 1]]) == []

    def test_a_worker_gives_the_gradients_of_autograd(self) -> None:
        walk = walkthrough.walk(walkthrough.sample_points(0), np.array([0.5, -2]), np.array([1, 3]))
        x, gamma, beta, dout = (walkthrough.hashable(array) for array in (walk.x, walk.gamma, walk.beta, walk.dout))
        found = batchnorm_gradients(x, gamma, beta, dout, walk.eps)
        for ours, theirs in zip(walk.closed, found, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


class TestPoints:
    def test_before_and_after_are_drawn_where_they_are(self) -> None:
        walk = walkthrough.walk(walkthrough.sample_points(0), np.array([2, 1]), np.array([0, 3]))
        figure = figures.batch_points(walk.x, walk.y, names=NAMES, follow=4)
        np.testing.assert_allclose(dots(figure, "before"), walk.x, rtol=1e-6)
        np.testing.assert_allclose(dots(figure, "after"), walk.y, rtol=1e-6)
        np.testing.assert_allclose(dots(figure, "followed"), [walk.x[4], walk.y[4]], rtol=1e-6)

    def test_words_tell_mean_and_deviation(self) -> None:
        words = examples()["points"]["layout"]["meta"]["words"]
        assert "after: mean 0.00 and 0.00, deviation 1.00 and 1.00" in words

    def test_every_point_is_counted_in_the_histograms(self) -> None:
        for trace in examples()["histograms"]["data"]:
            assert numbers(trace["y"])[::2].sum() == walkthrough.SAMPLE_POINTS

    @given(batches)
    def test_no_batch_leaves_the_picture(self, x: npt.NDArray[np.float64]) -> None:
        walk = walkthrough.walk(x, ONES, ZEROS)
        limit = figures.batch_points(x, walk.y, names=NAMES, follow=0)["layout"]["xaxis"]["range"][1]
        assert max(np.abs(x).max(), np.abs(walk.y).max()) <= limit
        json.dumps(figures.computation_graph(walk.gradients, backward=True, follow=0), allow_nan=False)


class TestGraph:
    def test_every_node_shows_formula_shape_and_value(self) -> None:
        walk = walkthrough.walk(np.array([[1.0, 0], [3, 0], [5, 3]]), ONES, ZEROS)
        shown = texts(figures.computation_graph(walk.values, backward=False, follow=2))
        assert shown["x"] == "<b>x</b><br>(3, 2)<br>5,  3"
        assert shown["mean"] == "<b>μ = mean(x)</b><br>(2,)<br>3,  1"
        assert shown["centered"] == "<b>c = x − μ</b><br>(3, 2)<br>2,  2"
        assert shown["squared"] == "<b>q = c²</b><br>(3, 2)<br>4,  4"
        assert shown["var"] == "<b>σ² = mean(q)</b><br>(2,)<br>2.67,  2"
        assert set(shown) == set(walk.values) == set(walk.gradients)

    def test_backward_shows_the_gradient_at_every_node_and_turns_the_arrows(self) -> None:
        walk = walkthrough.walk(walkthrough.sample_points(0), ONES, ZEROS)
        forward, backward = (
            figures.computation_graph(nodes, backward=back, follow=1)
            for nodes, back in ((walk.values, False), (walk.gradients, True))
        )
        for name, gradient in walk.gradients.items():
            row = gradient[1] if gradient.ndim == 2 else gradient
            assert texts(backward)[name].endswith(f"<br>{gradient.shape}<br>" + ",  ".join(map(significant, row)))

        def arrows(figure: dict[str, Any]) -> set[tuple[float, ...]]:
            return {(a["ax"], a["ay"], a["x"], a["y"]) for a in figure["layout"]["annotations"] if a["showarrow"]}

        assert arrows(backward) == {(x, y, ax, ay) for ax, ay, x, y in arrows(forward)}
        assert len(arrows(forward)) == 12

    def test_the_check_names_the_largest_differences(self) -> None:
        walk = walkthrough.walk(walkthrough.sample_points(0), ONES, ZEROS)
        off = (walk.closed[0] + 0.25, walk.closed[1], walk.closed[2])
        layout = figures.gradient_check(walk.closed, walk.closed, off)["layout"]
        assert '<th scope="row">PyTorch autograd</th><td>0.25</td><td>0</td><td>0</td>' in layout["meta"]["words"]
        assert "step by step, largest difference 0" in layout["meta"]["alt"]

    def test_without_a_worker_the_check_says_so_and_shows_the_rest(self) -> None:
        closed = walkthrough.walk(walkthrough.sample_points(0), ONES, ZEROS).closed
        figure = figures.gradient_check(closed, closed, None, "No worker answers at <nowhere>.")
        assert "No worker answers at &lt;nowhere&gt;." in figure["layout"]["meta"]["words"]
        assert "PyTorch" not in figure["layout"]["meta"]["words"]
        assert not any("autograd" in trace["name"] for trace in figure["data"])


class TestAxes:
    def test_a_mean_is_over_one_column_of_a_dense_input_and_one_channel_of_all_maps(self) -> None:
        dense, convolutional = walkthrough.example_inputs()
        layout = figures.statistics_axes(dense, convolutional, channel=2)["layout"]
        outlined = [s["xref"] for s in layout["shapes"]]
        assert outlined == ["x"] + ["x2"] * len(convolutional)
        words = layout["meta"]["words"]
        assert f"mean over N: shape (4,); column 3: {decimals(dense[:, 2].mean())} over 6 values" in words
        of_maps = decimals(convolutional[:, 2].mean())
        assert f"mean over N, H, W: shape (4,); column 3: {of_maps} over 48 values" in words

    @pytest.mark.parametrize("kind", ["layer", "group", "instance", "rms"])
    def test_of_another_normalizer_are_over_what_torch_takes_them_over(self, kind: str) -> None:
        """The outlined values are those that, moved together, move torch's output of the first of them."""
        dense, convolutional = walkthrough.example_inputs()
        made: dict[str, Callable[[Any], nn.Module]] = {
            "layer": lambda maps: nn.LayerNorm([4, *maps]),
            "group": lambda _: nn.GroupNorm(2, 4),
            "instance": lambda _: nn.InstanceNorm2d(4),
            "rms": lambda maps: nn.RMSNorm([4, *maps]),
        }
        for values in (dense, convolutional):
            if kind == "instance" and values is dense:
                continue
            x = torch.tensor(values, requires_grad=True)
            layer: nn.Module = made[kind](values.shape[2:]).double()
            torch.autograd.backward(layer(x)[0, 2].flatten()[0])
            assert x.grad is not None
            whole = values.reshape(*values.shape, *[1] * (4 - values.ndim))
            shared = shared_with(kind, whole.shape, 2)
            np.testing.assert_array_equal((x.grad != 0).numpy().reshape(whole.shape), shared)

    def test_of_instance_norm_are_none_in_a_dense_input(self) -> None:
        figure = figures.statistics_axes(*walkthrough.example_inputs(), channel=0, kind="instance")
        assert {shape["xref"] for shape in figure["layout"]["shapes"]} == {"x2"}
        assert figure["layout"]["meta"]["words"].startswith("dense: one value for each unit and digit")

    def test_are_told_with_the_shape_of_the_statistics(self) -> None:
        inputs = walkthrough.example_inputs()
        told = {
            kind: figures.statistics_axes(*inputs, channel=3, kind=kind)["layout"]["meta"]["words"] for kind in AXES
        }
        assert "mean over C: shape (6,); row 1: " in told["layer"]
        assert "mean over C, H, W of a group: shape (3, 2); row 1, group 2: " in told["group"]
        assert "mean over H, W: shape (3, 4); row 1, column 4: " in told["instance"]
        assert "root mean square over C: shape (6,); row 1: " in told["rms"]
        assert "mean over I, H, W: shape (4,); column 4: " in told["weight"]


class TestInvariances:
    @given(st.floats(-10, 10))
    def test_no_bias_changes_the_output_or_gets_a_gradient(self, bias: float) -> None:
        changed = walkthrough.change_weights(bias=bias)
        assert changed.largest_difference < 1e-13
        assert abs(changed.gradients[1][-1]) < 1e-13
        np.testing.assert_allclose(changed.before[1], changed.before[0] + bias)

    @given(st.floats(0.1, 10))
    def test_scaled_weights_give_the_same_output_and_a_gradient_of_one_over_a(self, scale: float) -> None:
        changed = walkthrough.change_weights(scale=scale)
        assert changed.largest_difference < 1e-3  # what eps leaves
        was, now = (np.linalg.norm(gradient[:-1]) for gradient in changed.gradients)
        np.testing.assert_allclose(now / was, 1 / scale, rtol=2e-3)

    def test_kept_out_of_the_gradient_the_bias_grows_without_bound_for_nothing(self) -> None:
        found = walkthrough.descend(400, 0.1, learn_beta=False)
        steps = np.diff(found.bias[0])
        np.testing.assert_allclose(steps, steps[0], rtol=1e-9)
        assert steps[0] > 0.05
        np.testing.assert_allclose(found.loss[0], found.loss[0][0], rtol=1e-9)

    def test_through_the_statistics_the_bias_stays(self) -> None:
        found = walkthrough.descend(400, 0.1, learn_beta=False)
        np.testing.assert_allclose(found.bias[1], 0, atol=1e-14)

    def test_a_learned_beta_does_the_work_of_the_bias(self) -> None:
        found = walkthrough.descend(400, 0.1, learn_beta=True)
        assert found.loss[0][-1] < 0.5 * found.loss[0][0]
        np.testing.assert_allclose(found.loss[0], found.loss[1], rtol=1e-9)
        assert abs(np.diff(found.bias[0])[-1]) < 1e-12

    def test_the_runaway_is_told_in_numbers(self) -> None:
        found = walkthrough.descend(100, 0.1, learn_beta=False)
        words = figures.runaway_bias(found.bias, found.loss)["layout"]["meta"]["words"]
        assert f"bias 0 → {found.bias[0][-1]:.2f}" in words


@pytest.mark.parametrize("name", list(examples()))
def test_every_figure_is_json_with_words_for_those_who_cannot_see_it(name: str) -> None:
    figure = examples()[name]
    json.dumps(figure, allow_nan=False)
    assert len(figure["layout"]["meta"]["alt"]) > 20
    assert figure["layout"]["dragmode"] is False

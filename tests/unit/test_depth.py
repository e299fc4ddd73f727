"""Depth and architecture: LeNet in the trainer, its feature maps, gradient flow, and the table of layers."""

import base64
import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from torch.nn import functional

from bnviz import figures
from bnviz.experiment import architecture
from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, TrainingConfig, Variant
from bnviz.experiment.edits import Edit, plan
from bnviz.figures.feature_maps import STAGES, tiled_maps
from bnviz.records.answers import Convolved
from bnviz.records.frames import BINS, MAP_DIGITS, PROBE_DIGITS
from bnviz.records.questions import InputsOfLayer, MapsOfDigit, ShiftOfGradients
from bnviz.training.batches import Batches
from bnviz.training.questions.registry import answer
from bnviz.training.trainer import Trainer
from tests.builders import frame, frames_of, losses_of, trainer_of, twins, variant_frame, view_of

LENET = NetworkConfig(architecture="lenet", activation="sigmoid", init="xavier_uniform")
BOTH = Experiment(TrainingConfig(steps=12, batch_size=16), (Variant(LENET), Variant(LENET, BatchNormConfig())))


@pytest.fixture(scope="module")
def lenets(batches: Batches, one_thread: None) -> Trainer:
    trainer = trainer_of(BOTH, batches)
    trainer.advance(steps=4)
    return trainer


@pytest.fixture(scope="module")
def convolved(lenets: Trainer) -> Convolved:
    return answer(lenets, MapsOfDigit(0, 3))


class TestLeNet:
    def test_has_the_published_layers(self) -> None:
        assert [(layer.fan_in, layer.units) for layer in LENET.layers] == [
            (25, 6),
            (150, 16),
            (400, 120),
            (120, 84),
            (84, 10),
        ]
        assert sum((layer.fan_in + 1) * layer.units for layer in LENET.layers) == 61_706

    @pytest.mark.slow
    def test_trains_to_the_same_bits_however_it_is_watched(self, batches: Batches) -> None:
        watched = frames_of(BOTH, batches)
        trainer = trainer_of(BOTH, batches)
        one_by_one = [trainer.advance(steps=1, evaluate=False) for _ in range(12)]
        for place in range(2):
            assert losses_of(watched, place).tobytes() == losses_of(one_by_one, place).tobytes()

    @pytest.mark.slow
    def test_catches_up_after_a_change_to_the_bit(self, batches: Batches) -> None:
        changed = BOTH.with_variant(1, Variant(LENET, BatchNormConfig(eps=1e-3)))
        edited = trainer_of(BOTH, batches)
        edited.advance(steps=5)
        edit = plan(BOTH, changed, keep_weights=False)
        assert edit is not None
        frames = [edited.edit(edit)]
        while not edited.finished:
            frames.append(edited.advance())
        alone = frames_of(Experiment(BOTH.training, changed.variants[1:]), batches)
        assert losses_of(frames, 1).tobytes() == losses_of(alone, 0).tobytes()

    def test_becomes_another_architecture_only_by_starting_over(self) -> None:
        dense = BOTH.with_variant(0, Variant(NetworkConfig()))
        edit = plan(BOTH, dense, keep_weights=True)
        assert edit == Edit(dense, restart=frozenset({0}))

    def test_has_its_covariate_shift_and_layer_inputs_measured(self, lenets: Trainer) -> None:
        for shift in answer(lenets, ShiftOfGradients()):
            assert shift.difference[0] == 0
            assert np.isfinite(shift.cosine).all()
            assert len(shift.norm) == 5
        inputs = answer(lenets, InputsOfLayer(1, 0, (0, 5), 200)).values
        assert inputs.shape == (200, 2)
        with pytest.raises(ValueError, match="units: give 0 to 5"):
            answer(lenets, InputsOfLayer(1, 0, (6,), 20))


class TestFeatureMaps:
    def test_are_what_torch_computes(self, lenets: Trainer, convolved: Convolved) -> None:
        net = lenets.copy_of(1)
        x = lenets.batches.probe(PROBE_DIGITS, standardize=False)
        kernels = net.hidden[0].linear.weight.value[0].T.view(6, 1, 5, 5)
        maps = functional.conv2d(x.view(-1, 1, 28, 28), kernels, net.hidden[0].linear.bias.value[0, 0], padding=2)
        x_hat = functional.batch_norm(maps, None, None, training=True)
        (norm, _), *_ = net.norms_of(0)
        assert norm is not None
        out = torch.sigmoid(x_hat * norm.gamma.value[0] + norm.beta.value[0])
        found = convolved.variants[1]
        assert found is not None
        expected = {"pre_activation": maps, "normalized": x_hat, "post_activation": out}
        expected["pooled"] = functional.avg_pool2d(out, 2)
        for place, values in expected.items():
            np.testing.assert_allclose(found.maps[place], values[3], rtol=1e-4, atol=1e-5)

    def test_are_pooled_after_a_batchnorm_that_follows_the_activation(self, batches: Batches) -> None:
        after = BatchNormConfig(position="after")
        trainer = trainer_of(BOTH.with_variant(0, Variant(LENET, after)), batches)
        net = trainer.copy_of(0)
        net.forward(batches.probe(PROBE_DIGITS, standardize=False), "probe")
        found = answer(trainer, MapsOfDigit(0, 3))
        maps = found.variants[0]
        assert maps is not None
        assert np.array_equal(maps.maps["pooled"], net.hidden[1].linear.x[0, 3].numpy())
        experiment = BOTH.with_variant(0, Variant(LENET, after))
        figure = figures.feature_maps(found, experiment, variant=0, place="pooled")
        assert figure["layout"]["coloraxis"]["cmin"] < 0
        words = figures.channel_histograms(found, experiment, layer=0)["layout"]["xaxis"]["title"]["text"]
        assert words == "post-activation or pre-activation"

    def test_of_the_wide_cnn_are_pooled_to_their_largest_values(self, batches: Batches) -> None:
        network = NetworkConfig(architecture="cnn", activation="relu", init="he_normal")
        found = answer(trainer_of(Experiment(variants=(Variant(network),)), batches), MapsOfDigit(1, 5)).variants[0]
        assert found is not None
        outputs = torch.from_numpy(found.maps["post_activation"])
        assert outputs.shape == (50, 8, 8)
        assert torch.equal(torch.from_numpy(found.maps["pooled"]), functional.max_pool2d(outputs, 2))

    def test_without_batchnorm_have_nothing_normalized(self, convolved: Convolved) -> None:
        assert convolved.variants[0] is not None
        assert set(convolved.variants[0].maps) == {"pre_activation", "post_activation", "pooled"}

    def test_count_every_value_of_every_channel(self, convolved: Convolved) -> None:
        for variant in convolved.variants:
            assert variant is not None
            for counts in variant.histograms.values():
                assert counts.shape == (6, BINS + 3)
                assert set(counts.sum(1)) <= {MAP_DIGITS * 28 * 28, MAP_DIGITS * 14 * 14}
                assert (counts[:, [0, -2, -1]] == 0).all()  # all within the limits

    def test_leave_the_trainer_as_it_was(self, batches: Batches) -> None:
        asked, unasked = trainer_of(BOTH, batches), trainer_of(BOTH, batches)
        for trainer in (asked, unasked):
            trainer.advance(steps=2)
        answer(asked, MapsOfDigit(1, 0))
        later, expected = asked.advance(steps=3), unasked.advance(steps=3)
        for place in range(2):
            assert losses_of([later], place).tobytes() == losses_of([expected], place).tobytes()

    def test_of_a_multilayer_perceptron_there_are_none(self, batches: Batches) -> None:
        found = answer(trainer_of(twins(), batches), MapsOfDigit(0, 0))
        assert found.step == 0
        assert found.variants == (None, None)

    def test_of_a_digit_that_is_not_there_are_refused_by_name(self, lenets: Trainer) -> None:
        with pytest.raises(ValueError, match="digit: give 0 to 255, got 256"):
            answer(lenets, MapsOfDigit(0, 256))

    @pytest.mark.parametrize("place", STAGES)
    def test_are_drawn_a_panel_a_network_on_one_scale(self, convolved: Convolved, place: str) -> None:
        without, normalized = (figures.feature_maps(convolved, BOTH, variant=i, place=place) for i in range(2))
        for figure in (without, normalized):
            go.Figure(_plain(figure))  # Plotly's own schema accepts it
        assert without["layout"]["coloraxis"] == normalized["layout"]["coloraxis"]
        assert len(normalized["data"]) == 1
        missing = place in ("normalized", "batchnorm_output")
        assert len(without["data"]) == (0 if missing else 1)
        assert ("nothing here" in without["layout"]["meta"]["words"]) == missing

    def test_lie_side_by_side_with_a_gap(self) -> None:
        picture = tiled_maps(np.ones((5, 2, 2)), 3)
        assert picture.shape == (5, 8)
        assert np.isnan(picture[2]).all()
        assert np.nansum(picture) == 5 * 4

    def test_histograms_stand_on_their_channel(self, convolved: Convolved) -> None:
        figure = figures.channel_histograms(convolved, BOTH, layer=0)
        go.Figure(_plain(figure))
        assert [trace["xaxis"] for trace in figure["data"]] == ["x", "x", "x2"]

    def test_of_dead_networks_are_drawn_too(self, batches: Batches) -> None:
        zeros = NetworkConfig(architecture="lenet", activation="none", init="zeros")
        experiment = Experiment(TrainingConfig(), (Variant(zeros), Variant(zeros, BatchNormConfig())))
        found = answer(trainer_of(experiment, batches), MapsOfDigit(1, 0))
        assert found.limits["pre_activation"] == 1.0
        go.Figure(_plain(figures.channel_histograms(found, experiment, layer=1)))


class TestGradientFlow:
    def test_shows_each_layer_now_and_before_training(self) -> None:
        first, now = ([1e-4, 1e-2, 1.0], [1e-3, 1e-2, 1.0])
        view = view_of(
            twins(NetworkConfig(hidden_layers=2)),
            frame(*(variant_frame(0, gradient_norm=np.array(first)) for _ in range(2))),
            frame(*(variant_frame(100, gradient_norm=np.array(now)) for _ in range(2))),
        )
        figure = figures.gradient_flow(view)
        assert [trace["line"].get("dash") for trace in figure["data"]] == ["dot", None] * 2
        assert figure["layout"]["yaxis"]["type"] == "log"
        reach = figures.gradient_reach(view)
        shares = np.frombuffer(_decoded(reach["data"][0]["y"]), dtype="f4")
        np.testing.assert_allclose(shares, [1e-4, 1e-3])

    @pytest.mark.parametrize("norms", [[0.0, 0.0], [math.nan, math.nan], [math.inf, 1.0]])
    def test_of_a_network_without_gradients_is_drawn(self, norms: list[float]) -> None:
        view = view_of(twins(), frame(*(variant_frame(0, gradient_norm=np.array(norms)) for _ in range(2))))
        go.Figure(_plain(figures.gradient_flow(view)))
        reach = figures.gradient_reach(view)
        go.Figure(_plain(reach))
        if not norms[-1] > 0:
            assert np.isnan(np.frombuffer(_decoded(reach["data"][0]["y"]), dtype="f4")).all()


class TestTheTableOfLayers:
    def test_says_over_what_batchnorm_takes_its_statistics(self) -> None:
        rows = architecture.layer_table(LENET.layers, 32)
        assert [row["weights"] for row in rows] == ["150", "2,400", "48,000", "10,080", "840"]
        assert rows[0]["one mean and variance"] == "a channel, over 32 × 28 × 28 = 25,088 values"
        assert rows[2]["one mean and variance"] == "a neuron, over 32 values, one a digit"
        assert rows[4]["one mean and variance"].startswith("none")

    def test_has_one_row_for_equal_layers(self) -> None:
        rows = architecture.layer_table(NetworkConfig(hidden_layers=4, width=9).layers, 32)
        assert [(row["layer"], row["weights"]) for row in rows] == [
            ("1", "7,056"),
            ("2 to 4", "81 each"),
            ("out", "90"),
        ]

    def test_is_one_for_each_architecture(self) -> None:
        mixed = Experiment(variants=(Variant(LENET), Variant(NetworkConfig()), Variant(LENET, BatchNormConfig())))
        assert list(architecture.architectures_by_letters(mixed)) == ["AC", "B"]


def _decoded(spec: dict[str, Any]) -> bytes:
    return base64.b64decode(spec["bdata"])


def _plain(figure: dict[str, Any]) -> dict[str, Any]:
    return {"data": figure["data"], "layout": {k: v for k, v in figure["layout"].items() if k != "meta"}}

"""Each finding: what brings it up, and what does not."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnviz.experiment.config import Experiment, NetworkConfig, Variant
from bnviz.experiment.layers import LN_10
from bnviz.findings.live import SHOWN_AT_ONCE, live_findings
from bnviz.records.frames import VariantFrame
from bnviz.records.history import History, View
from tests.builders import frame, layer_frame, twins, variant_frame, view_of

TANH = twins(NetworkConfig(width=10, hidden_layers=3))
RELU = twins(NetworkConfig(width=10, hidden_layers=3, activation="relu"))


def at_step(step: int, a: VariantFrame, b: VariantFrame, experiment: Experiment = TANH) -> View:
    return view_of(experiment, frame(a, b, tick=step))


def network(step: int = 100, **changes: Any) -> VariantFrame:
    return variant_frame(step, **changes)


def found(view: View, words: str) -> list[str]:
    return [sentence for sentence in live_findings(view) if words in sentence]


class TestFindings:
    def test_are_none_before_the_first_frame(self) -> None:
        assert live_findings(History(TANH).view()) == []

    def test_are_three_at_most_and_the_most_telling_first(self) -> None:
        bad = network(
            0, next_loss=9.0, layers=(layer_frame(saturated=0.9, dead=9),) * 3, gradient_norm=np.array([0, 0, 0, 1.0])
        )
        sentences = live_findings(at_step(0, bad, bad))
        assert len(sentences) == SHOWN_AT_ONCE
        assert sentences[0].startswith(
            "Without batchnorm, 90% of the tanh outputs in layer 1 are saturated from the start"
        )

    def test_never_repeat_a_sentence(self) -> None:
        sentences = live_findings(at_step(100, network(), network()))
        assert len(sentences) == len(set(sentences)) > 0

    @given(
        st.lists(st.sampled_from([0.0, 1e-30, 1.0, math.nan, math.inf]), min_size=4, max_size=4),
        st.floats(),
        st.floats(),
        st.sampled_from([0, 50, 5000]),
        st.booleans(),
    )
    def test_come_without_an_error_or_a_nan_whatever_the_numbers(
        self, norms: list[float], next_loss: float, test_loss: float, step: int, diverged: bool
    ) -> None:
        odd = network(
            step, next_loss=next_loss, test_loss=test_loss, gradient_norm=np.array(norms), layers=(layer_frame(),) * 3
        )
        stopped = network(
            step, diverged=diverged, next_loss=math.nan, test_loss=math.nan, gradient_norm=np.array(norms)
        )
        with np.errstate(all="raise"):
            sentences = live_findings(at_step(step, odd, stopped))
        for sentence in sentences:
            assert "nan" not in sentence
            assert "inf " not in sentence


class TestDiverged:
    def test_is_said_first_with_the_step(self) -> None:
        view = at_step(1500, network(1234, diverged=True), network(1500))
        assert live_findings(view)[0].startswith(
            "Without batchnorm, training diverged: the loss stopped being a finite number at step 1,234"
        )

    def test_is_not_said_of_a_network_that_trains(self) -> None:
        assert found(at_step(100, network(), network()), "diverged") == []

    def test_is_all_that_is_said_of_that_network(self) -> None:
        ruined = layer_frame(mean=math.nan, saturated=1.0, dead=10)
        view = at_step(100, network(diverged=True, layers=(ruined,) * 3), network(layers=(layer_frame(),) * 3))
        assert not [sentence for sentence in live_findings(view)[1:] if "ithout batchnorm" in sentence]


class TestStuck:
    def stuck(self, count: int, **changes: Any) -> View:
        losses = LN_10 + 0.02 * np.resize([1, -1], count)
        guess = {"test_loss": LN_10, "test_accuracy": 0.1}
        return view_of(
            TANH, frame(network(0), network(0)), frame(network(count, losses=losses, **guess | changes), network(count))
        )

    def test_names_the_saturated_layer_where_there_is_one(self) -> None:
        layers = (layer_frame(), layer_frame(saturated=0.987), layer_frame())
        (sentence,) = found(self.stuck(200, layers=layers), "no better than ln 10 = 2.30")
        assert sentence.startswith("Without batchnorm, 99% of the tanh outputs in layer 2 are saturated, so almost no")
        assert "for more than 150 steps" in sentence

    def test_says_that_nothing_was_learned_where_nothing_is_saturated(self) -> None:
        (sentence,) = found(self.stuck(200), "no better than ln 10 = 2.30")
        assert sentence.startswith("Without batchnorm, nothing has been learned yet")

    def test_waits_for_150_steps(self) -> None:
        assert found(self.stuck(149), "no better than ln 10") == []
        assert found(self.stuck(192), "no better than ln 10") != []

    def test_is_not_said_of_a_network_that_learns(self) -> None:
        learning = network(200, losses=np.linspace(2.3, 1.0, 200))
        view = view_of(TANH, frame(network(0), network(0)), frame(learning, network(200)))
        assert found(view, "ln 10") == []

    def test_is_not_said_of_a_network_that_recognizes_digits_with_a_large_loss(self) -> None:
        assert found(self.stuck(200, test_loss=3.0, test_accuracy=0.5), "no better than ln 10") == []

    def test_is_not_said_of_a_diverged_network(self) -> None:
        assert found(self.stuck(200, diverged=True), "no better than ln 10") == []


class TestBeforeTraining:
    def test_a_loss_near_ln_10_is_guessing(self) -> None:
        (sentence,) = found(at_step(0, network(0, next_loss=2.4), network(0, next_loss=9.0)), "is 2.40")
        assert sentence == (
            "Before the first step the loss is 2.40 without batchnorm, close to ln 10 = 2.30: all ten digits are "
            "guessed about equally."
        )

    def test_a_loss_far_above_it_is_being_sure_and_wrong(self) -> None:
        (sentence,) = found(at_step(0, network(0, next_loss=2.4), network(0, next_loss=9.0)), "is 9.00")
        assert "9.00 with batchnorm, above ln 10 = 2.30: the logits are large" in sentence

    def test_losses_that_say_the_same_share_a_sentence(self) -> None:
        (sentence,) = found(at_step(0, network(0, next_loss=4.2), network(0, next_loss=4.5)), "Before the first step")
        assert "the loss is 4.20 without batchnorm and 4.50 with batchnorm, above" in sentence

    def test_a_loss_that_is_no_number_is_not_guessing(self) -> None:
        (sentence,) = found(at_step(0, network(0, next_loss=math.nan), network(0)), "is not finite")
        assert sentence == (
            "Before the first step the loss is not finite without batchnorm: the logits are too large to compute."
        )

    def test_saturation_from_the_start_is_said(self) -> None:
        careless = network(0, layers=(layer_frame(saturated=0.31), layer_frame(), layer_frame()))
        view = at_step(0, careless, network(0))
        assert found(view, "saturated from the start") == [
            "Without batchnorm, 31% of the tanh outputs in layer 1 are saturated from the start."
        ]

    def test_a_little_saturation_is_not(self) -> None:
        view = at_step(0, network(0, layers=(layer_frame(saturated=0.29),)), network(0))
        assert found(view, "from the start") == []

    def test_is_over_after_the_first_step(self) -> None:
        assert found(at_step(1, network(1), network(1)), "Before the first step") == []


class TestTheVerdict:
    def ended(self, one: tuple[float, float], other: tuple[float, float], steps: int = 1500) -> list[str]:
        """What is said of two networks by test loss and accuracy."""
        a, b = (network(steps, test_loss=loss, test_accuracy=accuracy) for loss, accuracy in (one, other))
        return found(at_step(steps, a, b), "After ")

    def test_goes_by_accuracy(self) -> None:
        assert self.ended((0.5, 0.84), (0.31, 0.9), 200) == [
            "After 200 steps 90.0% of the test digits are classified correctly with batchnorm, 84.0% without batchnorm."
        ]

    def test_goes_by_loss_between_networks_that_are_about_equally_accurate(self) -> None:
        assert self.ended((0.3, 0.898), (0.5, 0.9)) == [
            "After 1,500 steps the networks are about equally accurate (89.8% to 90.0%); the test loss is 0.30 without "
            "batchnorm, 0.50 with batchnorm."
        ]

    def test_names_no_better_one_where_neither_differs(self) -> None:
        assert self.ended((0.300, 0.9), (0.309, 0.905)) == [
            "After 1,500 steps the networks are about equally accurate (90.0% to 90.5%), and their test losses are "
            "alike (0.300 to 0.309)."
        ]

    def test_names_no_better_one_where_both_guess(self) -> None:
        assert self.ended((2.31, 0.104), (3.35, 0.104)) == [
            "After 1,500 steps no network does better than guessing, whose test loss is ln 10 = 2.30."
        ]

    def test_waits_for_200_steps(self) -> None:
        assert self.ended((0.5, 0.8), (0.3, 0.9), 199) == []

    def test_waits_for_a_network_that_catches_up(self) -> None:
        view = at_step(300, network(800, test_loss=0.3), network(300, test_loss=0.5))
        assert found(view, "test loss") == []

    def test_needs_two_networks_that_still_train(self) -> None:
        view = at_step(500, network(500, diverged=True, test_loss=math.nan), network(500))
        assert found(view, "test loss") == []


class TestVanishingGradients:
    def with_norms(self, *norms: float) -> View:
        return at_step(100, network(gradient_norm=np.array(norms)), network())

    def test_are_said_with_how_much_is_lost(self) -> None:
        assert found(self.with_norms(0.001, 0.01, 0.1, 0.2), "vanishes") == [
            "Without batchnorm, the gradient vanishes towards the first layer: there it is about 200 times smaller "
            "than in the output layer."
        ]

    def test_are_said_to_two_digits(self) -> None:
        assert "about 1,200 times smaller" in found(self.with_norms(1.0, 1.0, 1234.0), "vanishes")[0]
        assert "about 8.7 · 10⁷ times smaller" in found(self.with_norms(1e-8, 0.1, 0.87370176), "vanishes")[0]

    def test_are_not_said_of_a_gradient_a_fiftieth_as_large(self) -> None:
        assert found(self.with_norms(0.0041, 0.01, 0.1, 0.2), "vanishes") == []

    def test_are_not_said_of_one_hidden_layer(self) -> None:
        assert found(self.with_norms(0.0001, 0.2), "vanishes") == []

    @pytest.mark.parametrize("norms", [(0.0, 0.0, 0.2), (1e-12, 0.2), (0.0, 0.0, 0.0, 1e-10), (0.0, 0.0, 0.0)], ids=str)
    def test_that_are_gone_altogether_leave_the_weights_where_they_are(self, norms: tuple[float, ...]) -> None:
        with np.errstate(all="raise"):
            (sentence,) = found(self.with_norms(*norms), "gradient")
        assert sentence.startswith("Without batchnorm, no gradient reaches the first layer")

    def test_are_not_said_where_the_gradient_is_no_number(self) -> None:
        view = self.with_norms(math.nan, math.nan, math.nan)
        assert found(view, "the gradient") == found(view, "no gradient") == []


class TestExplodingGradients:
    def with_norms(self, *norms: float) -> View:
        return at_step(100, network(gradient_norm=np.array(norms)), network())

    def test_are_said_with_how_much_is_gained(self) -> None:
        assert found(self.with_norms(50.0, 1.0, 0.2), "gradient") == [
            "Without batchnorm, the gradient explodes towards the first layer: there it is about 250 times larger than "
            "in the output layer."
        ]

    def test_are_not_said_of_a_gradient_fifty_times_as_large(self) -> None:
        assert found(self.with_norms(9.9, 1.0, 0.2), "explodes") == []

    def test_are_not_said_of_one_hidden_layer_nor_of_numbers_past_the_largest(self) -> None:
        assert found(self.with_norms(100.0, 0.2), "explodes") == []
        assert found(self.with_norms(math.inf, 1.0, 0.2), "explodes") == []
        assert found(self.with_norms(1.0, 1.0, 0.0), "explodes") == []


class TestDeadNeurons:
    def with_dead(self, *dead: int) -> View:
        layers = tuple(layer_frame(units=40, dead=count) for count in dead)
        return at_step(100, network(layers=layers), network())

    def test_are_counted_in_the_first_layer_that_has_many(self) -> None:
        assert found(self.with_dead(3, 4, 9), "dead") == [
            "Without batchnorm, 4 of 40 neurons in layer 2 are dead: at every digit their slope is nearly 0."
        ]

    def test_are_not_said_below_a_tenth(self) -> None:
        assert found(self.with_dead(3, 3), "dead") == []

    def test_are_not_said_of_a_single_one_in_a_narrow_layer(self) -> None:
        layers = (layer_frame(units=4, dead=1),)
        assert found(at_step(100, network(layers=layers), network()), "dead") == []


class TestSaturation:
    def test_is_said_of_the_most_saturated_layer(self) -> None:
        layers = (layer_frame(saturated=0.25), layer_frame(saturated=0.5), layer_frame())
        view = at_step(100, network(layers=layers), network())
        assert found(view, "saturated.") == ["Without batchnorm, 50% of the tanh outputs in layer 2 are saturated."]

    def test_is_not_said_below_a_fifth(self) -> None:
        view = at_step(100, network(layers=(layer_frame(saturated=0.19),)), network())
        assert found(view, "are saturated.") == []

    def test_is_not_said_of_relu_whose_zeros_are_what_it_is_made_of(self) -> None:
        view = at_step(100, network(layers=(layer_frame(saturated=0.5),)), network(), RELU)
        assert found(view, "are saturated.") == []


class TestCalm:
    def test_is_said_where_no_layer_is_saturated(self) -> None:
        view = at_step(100, network(layers=(layer_frame(saturated=0.04),)), network())
        assert live_findings(view) == ["No layer has more than 4% of its outputs saturated: gradients pass."]

    def test_is_not_said_beside_a_saturated_layer(self) -> None:
        view = at_step(100, network(layers=(layer_frame(saturated=0.21),)), network())
        assert found(view, "gradients pass") == []

    def test_is_not_said_beside_a_gradient_that_does_not_pass(self) -> None:
        view = at_step(100, network(gradient_norm=np.array([1e-5, 0.1, 0.1])), network())
        assert found(view, "vanishes") != []
        assert found(view, "gradients pass") == []

    def test_does_not_go_by_a_network_that_diverged(self) -> None:
        ruined = network(100, diverged=True, layers=(layer_frame(saturated=1.0),))
        assert len(found(at_step(100, ruined, network()), "gradients pass")) == 1

    def test_is_not_said_where_all_diverged(self) -> None:
        alone = Experiment(TANH.training, (Variant(),))
        view = view_of(alone, frame(network(5, diverged=True), tick=5))
        assert found(view, "gradients pass") == []

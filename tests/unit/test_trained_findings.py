"""The findings of networks that are trained here, on MNIST: they say what happens."""

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from bnviz.analysis.shift import ACTIVATION_INPUT
from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, TrainingConfig, Variant, replace
from bnviz.experiment.presets import PRESETS
from bnviz.findings.live import live_findings
from bnviz.findings.shift import shift_findings
from bnviz.findings.smoothness import smoothness_findings
from bnviz.records.history import History, View
from bnviz.training.trainer import Trainer, train

if TYPE_CHECKING:
    from bnviz.training.batches import Batches


pytestmark = pytest.mark.slow  # trains networks to their end


def views(experiment: Experiment, mnist: "Batches") -> list[View]:
    """The run as it was at each kept frame."""
    history, found = History(experiment), []
    for frame in train(experiment, mnist):
        history.add(frame)
        found.append(history.view())
    return found


def of_preset(name: str, steps: int, mnist: "Batches") -> list[View]:
    experiment = PRESETS[name].experiment
    return views(replace(experiment, training=replace(experiment.training, steps=steps)), mnist)


@pytest.fixture(scope="module")
def careless(mnist: "Batches") -> list[View]:
    return of_preset("careless", 600, mnist)


class TestCarelessInit:
    def test_saturation_is_the_first_thing_that_is_said(self, careless: list[View]) -> None:
        assert live_findings(careless[0])[0] == (
            "Without batchnorm, 100% of the tanh outputs in layer 1 are saturated from the start."
        )

    def test_saturation_is_named_as_the_cause_of_not_learning(self, careless: list[View]) -> None:
        assert live_findings(careless[-1])[0] == (
            "Without batchnorm, 100% of the tanh outputs in layer 1 are saturated, so almost no gradient reaches the "
            "weights below: for more than 550 steps the loss has been no better than ln 10 = 2.30, that of guessing."
        )
        frame = careless[-1].latest
        assert frame is not None
        assert frame.variants[0].gradient_norm[0] < 1e-6
        assert frame.variants[0].test_accuracy < 0.15

    def test_the_steps_that_nothing_was_learned_for_never_become_fewer(self, careless: list[View]) -> None:
        counts = [re.search(r"for more than ([\d,]+) steps", " ".join(live_findings(view))) for view in careless]
        steps = [int(count[1].replace(",", "")) for count in counts if count]
        assert len(steps) > 5
        assert all(before <= after for before, after in pairwise(steps))

    def test_the_verdict_names_both_networks_and_both_accuracies(self, careless: list[View]) -> None:
        (verdict,) = (sentence for sentence in live_findings(careless[-1]) if sentence.startswith("After 600 steps"))
        match = re.fullmatch(
            r"After 600 steps ([\d.]+)% of the test digits are classified correctly with batchnorm, ([\d.]+)% without "
            r"batchnorm\.",
            verdict,
        )
        assert match
        assert float(match[1]) > float(match[2]) + 35

    def test_that_hardly_moves_without_batchnorm_is_no_success_of_it(self, careless: list[View]) -> None:
        moved, doubt = shift_findings(careless[-1], [], layer=0, place=ACTIVATION_INPUT)
        assert re.search(r"moved by W₁ = \S+ \(no batchnorm\), \S+ \(batchnorm\)\.$", moved)
        assert "times" not in moved
        assert doubt.startswith("Without batchnorm, the network only guesses")


def test_the_smoothness_of_a_network_that_guesses_is_not_compared(mnist: "Batches") -> None:
    experiment = PRESETS["careless"].experiment
    experiment = replace(experiment, training=replace(experiment.training, steps=100))
    history = History(experiment, watch="landscape")
    trainer = Trainer(experiment.training, experiment.variants, mnist, watch="landscape")
    history.add(trainer.advance(steps=0))
    while not trainer.finished:
        history.add(trainer.advance())
    said = smoothness_findings(history.view())
    assert not any("Santurkar" in sentence for sentence in said)
    assert any(sentence.startswith("Without batchnorm, the network only guesses") for sentence in said)


def test_five_deep_layers_explode_from_the_start_without_batchnorm_alone(mnist: "Batches") -> None:
    view = of_preset("deep", 1, mnist)[0]
    assert [sentence for sentence in live_findings(view) if "explodes" in sentence] == [
        "Without batchnorm, the gradient explodes towards the first layer: there it is about 75 times larger than in "
        "the output layer."
    ]


def test_two_networks_that_both_guess_have_no_better_one(mnist: "Batches") -> None:
    network = NetworkConfig(init="zeros")  # every unit is alike, and stays so
    experiment = Experiment(TrainingConfig(steps=200), (Variant(network), Variant(network, BatchNormConfig())))
    view = views(experiment, mnist)[-1]
    assert "After 200 steps no network does better than guessing, whose test loss is ln 10 = 2.30." in live_findings(
        view
    )


def test_no_neuron_of_a_small_init_is_dead(mnist: "Batches") -> None:
    network = NetworkConfig(init="rand_fan_in", init_scale=1e-4)
    (view, *_) = views(Experiment(TrainingConfig(steps=1), (Variant(network),)), mnist)
    assert view.latest is not None
    assert [layer.dead for layer in view.latest.variants[0].layers] == [0]
    assert not any("dead" in sentence for sentence in live_findings(view))


def test_neurons_of_a_relu_network_with_a_far_too_large_rate_die(mnist: "Batches") -> None:
    network = NetworkConfig(init="he_normal", activation="relu")
    training = TrainingConfig(steps=100, learning_rate=10.0, schedule="constant")
    view = views(Experiment(training, (Variant(network),)), mnist)[-1]
    assert view.latest is not None
    (layer,) = view.latest.variants[0].layers
    assert any(f"{layer.dead} of 128 neurons in layer 1 are dead" in sentence for sentence in live_findings(view))

"""Every row of the page on networks that do not train: its experiment is trained, and fails in the way it tells."""

import re

import numpy as np
import pytest

from bnviz.experiment.layers import LN_10
from bnviz.experiment.presets import PRESETS
from bnviz.experiment.symptoms import SYMPTOMS
from bnviz.records.frames import Frame
from bnviz.records.initialization import InitialSetting
from bnviz.training.batches import Batches
from bnviz.training.questions.initialization import measure
from bnviz.training.trainer import Trainer

GUESSING = 0.05  # nats around ln 10
ROUNDING = 2.5  # points of accuracy: in the sentence, and in another processor's sums


def trained(key: str, mnist: Batches, steps: int | None = None) -> tuple[Frame, Frame]:
    """The untrained networks, and the last frame after so many steps, or at the end."""
    experiment = SYMPTOMS[key].experiment
    trainer = Trainer(experiment.training, experiment.variants, mnist)
    first = last = trainer.advance(steps=0)
    until = experiment.training.steps if steps is None else steps
    while last.step < until and not last.finished:
        last = trainer.advance(steps=until - last.step)
    return first, last


def told(key: str, pattern: str) -> list[float]:
    """The numbers of the row's sentence."""
    return [float(number) for number in re.findall(pattern, SYMPTOMS[key].shows)]


def assert_accuracies_are_told(key: str, last: Frame) -> None:
    found = [100 * variant.test_accuracy for variant in last.variants]
    np.testing.assert_allclose(told(key, r"(\d+)%"), found, rtol=0, atol=ROUNDING)


def test_every_preset_among_them_is_told_with_its_own_promise() -> None:
    presets = {preset.promise: preset.experiment for preset in PRESETS.values()}
    own = {"confident", "alike", "stale_statistics"}  # held below
    for key in SYMPTOMS.keys() - own:
        assert presets[SYMPTOMS[key].shows] == SYMPTOMS[key].experiment


def test_careless_weights_cost_what_guessing_does_and_their_gradient_is_gone(mnist: Batches) -> None:
    first, last = trained("saturated", mnist)
    assert first.variants[0].layers[0].saturated.mean() == 1
    assert first.variants[0].gradient_norm[0] < 1e-9
    losses = np.asarray(last.variants[0].losses)
    assert losses[: len(losses) // 100 * 100].reshape(-1, 100).mean(1).min() > LN_10 - GUESSING
    assert abs(last.variants[0].test_loss - LN_10) < GUESSING


def test_the_deep_network_has_no_saturated_output_and_no_gradient_in_its_first_layer(mnist: Batches) -> None:
    first, last = trained("vanishing", mnist, 100)
    sick = first.variants[0]
    assert max(float(layer.saturated.mean()) for layer in sick.layers) == 0
    assert (np.diff(sick.gradient_norm[1:]) > 0).all()
    assert sick.gradient_norm[0] < 1e-6 * sick.gradient_norm[-1]
    assert abs(last.variants[0].test_loss - LN_10) < GUESSING


def test_the_spread_fades_from_layer_to_layer_and_the_logits_are_alike(mnist: Batches) -> None:
    network = SYMPTOMS["fading"].experiment.variants[0].network
    measured = measure(InitialSetting(network, batchnorm=False, standardize=False, seed=0), mnist)
    assert (np.diff(measured.propagated.std) < 0).all()
    assert measured.logits.std(0).max() < 1e-6
    assert abs(measured.propagated.loss - LN_10) < GUESSING


def test_the_first_loss_of_large_weights_is_the_one_that_is_told(mnist: Batches) -> None:
    first, last = trained("confident", mnist)
    assert told("confident", r"(?:is|and) (\d+\.\d)") == pytest.approx([v.test_loss for v in first.variants], abs=0.1)
    assert_accuracies_are_told("confident", last)


def test_equal_weights_have_no_gradient_and_stay_equal(mnist: Batches) -> None:
    first, last = trained("alike", mnist)
    assert first.variants[0].gradient_norm.max() == 0
    assert last.variants[0].gradient_norm.max() == 0
    assert first.variants[1].gradient_norm.min() > 0
    assert_accuracies_are_told("alike", last)


def test_a_rate_that_is_too_large_lets_the_loss_jump_up_at_once(mnist: Batches) -> None:
    first, last = trained("too_fast", mnist, 20)
    assert max(last.variants[0].losses) > 4 * first.variants[0].test_loss


def test_in_training_stale_statistics_are_not_seen_and_in_eval_mode_they_are(mnist: Batches) -> None:
    _, last = trained("stale_statistics", mnist)
    stale, fresh = (np.asarray(variant.losses[-50:]) for variant in last.variants)
    np.testing.assert_array_equal(stale, fresh)
    assert_accuracies_are_told("stale_statistics", last)

"""Presets keep what they promise: each is trained on MNIST, and held against its sentence."""

import re
from itertools import groupby

import numpy as np
import pytest

from bnviz.experiment.addresses import address_of, from_query, open_address, to_query
from bnviz.experiment.config import Experiment, from_json, to_json
from bnviz.experiment.presets import OPENING, PRESETS, Preset
from bnviz.records.frames import Frame
from bnviz.training.batches import Batches
from bnviz.training.trainer import Trainer

POINTS = 2.5  # percentage points: rounding in the sentence, and in another processor's sums
WIDER = {"deep": 10.0}  # its gradient explodes and magnifies the rounding of sums


def promised_accuracies(preset: Preset) -> list[float]:
    return [float(number) for number in re.findall(r"([\d.]+)%", preset.promise)]


def promised_step(preset: Preset) -> int:
    """After how many steps the accuracies hold; those of the whole run where the sentence names none."""
    found = re.search(r"after ([\d,]+) steps", preset.promise)
    return int(found[1].replace(",", "")) if found else preset.experiment.training.steps


def trained(experiment: Experiment, mnist: Batches, step: int) -> tuple[Frame, Frame]:
    """The untrained networks, and the frame after so many steps."""
    trainer = Trainer(experiment.training, experiment.variants, mnist)
    first = trainer.advance(steps=0)
    last = first
    while last.step < step and not last.finished:
        last = trainer.advance(steps=step - last.step)
    return first, last


@pytest.mark.slow
@pytest.mark.parametrize("key", PRESETS)
def test_its_accuracies_are_those_that_it_promises(key: str, mnist: Batches) -> None:
    preset = PRESETS[key]
    _, last = trained(preset.experiment, mnist, promised_step(preset))
    found = [100 * variant.test_accuracy for variant in last.variants]
    np.testing.assert_allclose(found, promised_accuracies(preset), rtol=0, atol=WIDER.get(key, POINTS))


@pytest.mark.parametrize("key", PRESETS)
def test_its_promise_is_one_sentence_with_the_accuracy_of_every_network(key: str) -> None:
    preset = PRESETS[key]
    assert len(promised_accuracies(preset)) == len(preset.experiment.variants)
    assert preset.promise.endswith(".")
    assert len(preset.promise) <= 140


@pytest.mark.parametrize("key", PRESETS)
class TestAPreset:
    def test_is_valid_and_survives_the_address_bar_and_json(self, key: str) -> None:
        experiment = PRESETS[key].experiment
        assert from_query(to_query(experiment)) == (experiment, [])
        assert from_json(to_json(experiment)) == experiment

    def test_compares_networks_of_one_architecture(self, key: str) -> None:
        variants = PRESETS[key].experiment.variants
        assert 2 <= len(variants) <= 3
        assert len({(v.network.hidden_layers, v.network.width, v.network.activation) for v in variants}) == 1


def test_careless_weights_saturate_every_tanh(mnist: Batches) -> None:
    first, _ = trained(PRESETS["careless"].experiment, mnist, 0)
    assert first.variants[0].layers[0].saturated.min() == 1.0


def test_the_gradient_of_five_deep_layers_explodes_as_told(mnist: Batches) -> None:
    first, _ = trained(PRESETS["deep"].experiment, mnist, 0)
    norms = first.variants[0].gradient_norm
    (told,) = re.findall(r"(\d+) times", PRESETS["deep"].promise)
    assert norms[0] / norms[-1] == pytest.approx(float(told), rel=0.1)
    assert (np.diff(norms) < 0).all()


@pytest.mark.parametrize("key", ["deep_relu", "deepest"])
def test_hardly_any_gradient_gets_through_the_layers_without_batchnorm(key: str, mnist: Batches) -> None:
    without, normalized = trained(PRESETS[key].experiment, mnist, 0)[0].variants
    assert without.gradient_norm[0] < 1e-8
    assert normalized.gradient_norm[0] > 1


class TestTheList:
    def test_keeps_the_presets_of_a_heading_together(self) -> None:
        headings = [preset.group for preset in PRESETS.values()]
        assert [heading for heading, _ in groupby(headings)] == list(dict.fromkeys(headings))

    def test_begins_with_what_the_live_lab_opens(self) -> None:
        first, *_ = PRESETS.values()
        assert first.experiment == OPENING

    def test_has_no_two_that_are_the_same(self) -> None:
        assert len({to_json(p.experiment) for p in PRESETS.values()}) == len(PRESETS) == len({*PRESETS})
        assert len({p.title for p in PRESETS.values()}) == len(PRESETS)


class TestTheAddressOfTheLab:
    def test_without_settings_opens_the_first_preset(self) -> None:
        assert open_address({}) == (OPENING, [])
        assert address_of(OPENING) == {}

    def test_with_settings_is_read_against_the_defaults_that_it_always_had(self) -> None:
        assert open_address({"hidden_layers": "5"})[0].variants[0].network.init == "rand_fan_in"
        assert open_address({"a_init": "rand", "b_init": "rand"}) == (OPENING, [])

    @pytest.mark.parametrize("key", PRESETS)
    def test_of_every_preset_opens_it(self, key: str) -> None:
        experiment = PRESETS[key].experiment
        assert open_address(address_of(experiment)) == (experiment, [])

    def test_names_something_where_all_settings_are_the_defaults(self) -> None:
        assert address_of(Experiment()) == {"variants": "2"}

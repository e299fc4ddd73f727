"""What the live lab says at the end of a run and offers next, held to runs that are really trained."""

from typing import TYPE_CHECKING

import pytest

from bnviz.experiment.config import Experiment, NetworkConfig, replace
from bnviz.experiment.edits import plan
from bnviz.findings.next_steps import next_steps
from bnviz.findings.outcome import outcome
from bnviz.records.ghosts import Pin, ghosts_of
from bnviz.records.history import View
from bnviz.training.trainer import Trainer
from bnviz.ui.sections.pins import pin_rows
from tests.builders import frames_of, history_of, twins

if TYPE_CHECKING:
    from bnviz.training.batches import Batches

CARELESS = twins(NetworkConfig(init="rand"))
pytestmark = pytest.mark.slow


def twice_as_long(experiment: Experiment) -> Experiment:
    """As the lab asks for it after the end of a run."""
    return replace(experiment, training=replace(experiment.training, steps=2 * experiment.training.steps))


@pytest.fixture(scope="module")
def careless(batches: "Batches") -> View:
    """The experiment that the lab opens with, trained to its end."""
    return history_of(CARELESS, frames_of(CARELESS, batches)).view()


class TestTheOutcome:
    def test_of_careless_init_names_saturation_as_the_cause_and_what_batchnorm_reaches(self, careless: View) -> None:
        assert careless.latest is not None
        plain, normalized = careless.latest.variants
        (said,) = outcome(careless)
        assert said.startswith(
            f"Without batchnorm the network only guesses, with a loss of 2.31 and {plain.test_accuracy:.1%} correct: "
            "all of its tanh outputs are saturated, so no gradient reaches layer 1. With it, the same weights reach "
        )
        assert said.endswith(f"{normalized.test_accuracy:.1%}.")
        assert normalized.test_accuracy - plain.test_accuracy > 0.4

    def test_of_networks_that_both_learn_compares_them(self, batches: "Batches") -> None:
        experiment = twins(NetworkConfig(width=32, init="xavier_normal"), steps=600)
        (said,) = outcome(history_of(experiment, frames_of(experiment, batches)).view())
        assert said.startswith(("Both networks learn, and end alike: test loss 0.", "Batchnorm helps here, by "))

    def test_of_networks_that_learn_nothing_says_just_that(self, batches: "Batches") -> None:
        experiment = twins(NetworkConfig(width=8, init="zeros"), steps=200, learning_rate=1e-5, final_learning_rate=0.0)
        (said,) = outcome(history_of(experiment, frames_of(experiment, batches)).view())
        assert said == ("Neither network has learned: both end no better than by guessing, whose loss is ln 10 = 2.30.")

    def test_is_silent_before_the_end(self, batches: "Batches") -> None:
        untrained = [next(iter(frames_of(CARELESS, batches)))]
        assert outcome(history_of(CARELESS, untrained).view()) == []


class TestTheNextSteps:
    def test_for_a_saturated_network_are_ways_out_and_each_is_one(self, careless: View, batches: "Batches") -> None:
        steps = next_steps(careless)
        assert [step.label for step in steps] == ["Switch batchnorm on now", "The same weights × 0.01", "Xavier normal"]
        for step in steps:
            trainer = Trainer(CARELESS.training, CARELESS.variants, batches)
            while step.keep_weights and not trainer.finished:
                trainer.advance(evaluate=False)
            asked = twice_as_long(step.experiment) if step.keep_weights else step.experiment
            edit = plan(CARELESS, asked, step.keep_weights)
            assert edit is not None
            found = trainer.edit(edit)
            while not trainer.finished:
                found = trainer.advance(evaluate=False)
            assert found.variants[0].test_accuracy > 0.5, step.label

    def test_for_networks_that_learn_make_it_harder(self, batches: "Batches") -> None:
        experiment = twins(NetworkConfig(width=16), steps=1)
        steps = next_steps(history_of(experiment, frames_of(experiment, batches)).view())
        assert [step.label for step in steps] == ["5 hidden layers", "Careless init: U[0,1)", "Batches of 4"]
        assert all(step.experiment != experiment and not step.keep_weights for step in steps)


class TestGhosts:
    def test_hold_the_curves_and_the_end_of_each_network(self, careless: View) -> None:
        plain, normalized = ghosts_of(careless, "{}, pin 1")
        assert (plain.name, normalized.name) == ("no batchnorm, pin 1", "batchnorm, pin 1")
        assert (plain.variant, normalized.variant) == CARELESS.variants
        assert plain.saturated == 1.0
        assert normalized.saturated < 0.2
        assert len(plain.history.losses) == CARELESS.training.steps
        assert all(frame.layers == () for frame in plain.history.frames)

    def test_are_of_the_networks_that_were_asked_for(self, careless: View) -> None:
        assert [ghost.name for ghost in ghosts_of(careless, "{} before", {1})] == ["batchnorm before"]

    def test_stand_in_a_table_with_what_is_special_about_each(self, careless: View) -> None:
        training = replace(CARELESS.training, learning_rate=0.05)
        slower = replace(careless, experiment=replace(CARELESS, training=training))
        pins = [
            Pin(number, view.experiment, ghosts_of(view, "{}"), "") for number, view in enumerate((careless, slower), 1)
        ]
        rows = pin_rows(pins)
        assert [(row["Pin"], row["Normalization"], row["Learning rate"]) for row in rows] == [
            ("1", "no batchnorm", "0.1"),
            ("1", "batchnorm", "0.1"),
            ("2", "no batchnorm", "0.05"),
            ("2", "batchnorm", "0.05"),
        ]
        assert {row["Init"] for row in rows} == {"U[0,1)"}
        assert "Batch size" not in rows[0]
        assert (rows[0]["Saturated"], rows[0]["Steps"]) == ("100%", f"{CARELESS.training.steps:,}")

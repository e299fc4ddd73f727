"""Every claim of the story, held by training what its chapter trains: the sentence says what this very run did.

Each test asks two things: that the sentence's numbers are those of the run, and that what the chapter is there to show
happened. The last class gives the rules runs in which it did not.
"""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bnviz.analysis import story as measured
from bnviz.analysis.inference import inference_frames, statistic_error, variance_estimates
from bnviz.analysis.initialization import softmax
from bnviz.experiment.chapter import Act, Untrained
from bnviz.experiment.guesses import GUESS_POINTS
from bnviz.experiment.layers import LN_10
from bnviz.experiment.scenario import Scenario
from bnviz.experiment.story import CHAPTERS, COMPANIES, SECOND_SEVEN, SHIFTED_LAYER, SWITCHED_AT
from bnviz.experiment.sweep import Sweep
from bnviz.experiment.wording import significant
from bnviz.findings.story import Reveal, run_reveal
from bnviz.findings.story_measurements import (
    batch_reveal,
    batch_sizes_reveal,
    company_reveal,
    first_losses_reveal,
    spreads_reveal,
    variances_reveal,
)
from bnviz.records.answers import Answers
from bnviz.records.frames import VariantFrame
from bnviz.records.history import View
from bnviz.records.initialization import InitialNetwork, InitialSetting
from bnviz.records.questions import AnswersInCompany, DigitOfTestSet, InputsOfLayer
from bnviz.records.sweep import SweepResults
from bnviz.theory import walkthrough
from bnviz.training.questions import initialization as initial
from bnviz.training.questions.registry import answer
from tests.builders import frame, rehearsed, variant_frame, view_of

if TYPE_CHECKING:
    from bnviz.training.batches import Batches
    from bnviz.training.trainer import Trainer

pytestmark = pytest.mark.slow  # trains networks to their end

BESSEL_SIZES = (2, 4, 8, 16, 32, 64, 128)


def trained(chapter: int, act: int, mnist: "Batches") -> "tuple[Trainer, View]":
    played = CHAPTERS[chapter].acts[act]
    assert isinstance(played.what, Scenario)
    trainer, history = rehearsed(played.what, mnist, watch=played.watch)
    return trainer, history.view()


def shown(chapter: int, act: int, mnist: "Batches") -> tuple[Reveal, View, list[VariantFrame]]:
    _, view = trained(chapter, act, mnist)
    reveal = run_reveal(chapter, act, view)
    assert reveal is not None
    assert view.latest is not None
    return reveal, view, list(view.latest.variants)


def untrained(act: Act, mnist: "Batches", yours: float = 1.0) -> list[InitialNetwork]:
    assert isinstance(act.what, Untrained)
    networks = list(act.what.networks)
    if act.what.your_scale:
        networks[0] = replace(networks[0], init_scale=yours)
    return [initial.measure(InitialSetting(n, False, act.what.standardize, 0), mnist) for n in networks]


def assert_told(sentence: str, *numbers: str) -> None:
    assert [number for number in numbers if number not in sentence] == [], sentence


class TestChapter0:
    def test_ten_equal_bars_cost_ln_10_and_large_logits_more(self, mnist: "Batches") -> None:
        nothing, careless = untrained(CHAPTERS[0].acts[0], mnist)
        reveal = first_losses_reveal(nothing, careless)
        assert np.allclose(softmax(nothing.logits), 0.1)
        assert nothing.propagated.loss == pytest.approx(LN_10, abs=1e-6)
        assert reveal.truth == nothing.propagated.loss
        assert careless.propagated.loss > LN_10 + 1
        assert_told(reveal.sentence, "10.0%", "2.303", f"{careless.propagated.loss:.2f}", "confident and wrong")


class TestChapter1:
    def test_the_careless_network_never_leaves_ln_10(self, mnist: "Batches") -> None:
        reveal, _, (careless,) = shown(1, 0, mnist)
        assert abs(careless.test_loss - LN_10) < 0.05
        assert careless.test_accuracy < 0.15
        assert_told(reveal.sentence, "1,500 steps", f"{careless.test_accuracy:.1%}", "learned nothing")
        assert isinstance(reveal.truth, tuple)
        assert len(reveal.truth) == GUESS_POINTS
        assert all(abs(loss - LN_10) < 0.5 for loss in reveal.truth[5:])


class TestChapter2:
    def test_every_tanh_is_flat_and_layer_1_gets_no_gradient(self, mnist: "Batches") -> None:
        reveal, view, (careless,) = shown(2, 0, mnist)
        low, middle, high = measured.input_percentiles(view, 0, 0, (15, 50, 85))
        assert 20 < low < middle < high < 100
        assert careless.layers[0].saturated.mean() == 1
        assert careless.gradient_norm[0] == 0
        assert_told(reveal.sentence, f"{low:.0f} and {high:.0f}", "100% of the outputs", "norm 0")
        assert reveal.truth == (middle, 1.0)
        first, last = (
            frame.layers[0].percentiles for frame in view.variants[0].frames[:: len(view.variants[0].frames) - 1]
        )
        assert first is not None
        assert last is not None
        assert np.array_equal(first, last), "weights without a gradient stay as they were drawn"


class TestChapter3:
    def test_the_same_weights_times_a_hundredth_learn(self, mnist: "Batches") -> None:
        reveal, _, (careless, scaled) = shown(3, 0, mnist)
        assert scaled.test_loss < 0.5 < 2.2 < careless.test_loss
        assert reveal.truth == "better"
        assert_told(reveal.sentence, f"{scaled.test_accuracy:.1%}", f"{careless.test_accuracy:.1%}")

    def test_the_same_factor_does_not_carry_to_five_layers(self, mnist: "Batches") -> None:
        reveal, _, (plain, normalized) = shown(3, 1, mnist)
        assert plain.test_loss > 1.2
        assert plain.test_accuracy < 0.5
        assert normalized.test_loss < plain.test_loss - 0.2
        assert_told(reveal.sentence, f"{plain.test_accuracy:.1%}", f"{normalized.test_accuracy:.1%}")


class TestChapter4:
    @pytest.mark.parametrize("yours", [0.02, 0.5])
    def test_another_sigma_lets_the_gradient_fade_or_explode(self, mnist: "Batches", yours: float) -> None:
        own, xavier = untrained(CHAPTERS[4].acts[0], mnist, yours)
        reveal = spreads_reveal(0, own, xavier, guessed=True)
        derived = math.sqrt(2 / (128 + 128))
        assert isinstance(reveal.truth, float)
        assert reveal.truth == pytest.approx(derived, rel=0.03)
        kept, lost = (p.gradient[0] / p.gradient[-2] for p in (xavier.propagated, own.propagated))
        assert 0.1 < kept < 10
        assert not 1e-3 < lost < 1e3
        assert_told(
            reveal.sentence, f"Your σ, {significant(own.weights[1].std)}", f"Xavier's σ, {significant(reveal.truth)}"
        )

    def test_relu_fades_with_xavier_and_not_with_he(self, mnist: "Batches") -> None:
        xavier, he = untrained(CHAPTERS[4].acts[1], mnist)
        reveal = spreads_reveal(1, xavier, he, guessed=True)
        assert xavier.propagated.std[-1] < xavier.propagated.std[0] / 100
        assert he.propagated.std[-1] > he.propagated.std[0] / 5
        assert he.weights[1].std == pytest.approx(math.sqrt(2) * xavier.weights[1].std, rel=0.03)
        assert reveal.truth is None
        assert_told(reveal.sentence, "With Xavier's σ", "With He's σ", "in layer 20")


class TestChapter5:
    def test_what_reaches_layer_3_does_not_stay_where_it_was(self, mnist: "Batches") -> None:
        reveal, view, (network,) = shown(5, 0, mnist)
        moved = measured.moved(view, 0, SHIFTED_LAYER)
        assert moved is not None
        assert moved.relative > 0.3
        assert network.test_accuracy > 0.8, "a network that does not learn would move nothing"
        assert reveal.truth == moved.kind == "spread"
        assert_told(reveal.sentence, "500 steps", "layer 3", f"{moved.relative:.2f}", f"{moved.deviations[1]:.2f}")


class TestChapter6:
    def test_gamma_and_beta_give_back_and_a_bias_does_nothing(self) -> None:
        x = walkthrough.sample_points(0)
        walk = walkthrough.walk(x, np.ones(2), np.zeros(2))
        undone = np.abs(walkthrough.walk(x, *walkthrough.undoing(x)).y - x).max()
        changed = walkthrough.change_weights(bias=5.0).largest_difference
        reveal = batch_reveal(x[0], walk.y[0], float(undone), 5.0, changed)
        assert undone < 1e-12
        assert changed < 1e-12
        assert np.allclose(walk.y.mean(0), 0, atol=1e-12)
        assert np.allclose(walk.y.std(0), 1, atol=1e-4)
        assert reveal.truth == pytest.approx(tuple(walk.y[0]))
        assert_told(reveal.sentence, "10⁻", "a bias of 5")


class TestChapter7:
    def test_the_variance_of_a_batch_of_two_is_half_and_the_correction_mends_it(self, mnist: "Batches") -> None:
        trainer, _ = trained(7, 0, mnist)
        values = answer(trainer, InputsOfLayer(0, 0, (0,), 2000)).values[:, 0]
        estimates = variance_estimates(values, BESSEL_SIZES)
        reveal = variances_reveal(estimates)
        assert reveal.truth == pytest.approx(0.5, abs=0.03)
        assert estimates[2][1].mean() == pytest.approx(1, abs=0.06)
        assert estimates[128][0].mean() == pytest.approx(1, abs=0.02)
        assert_told(reveal.sentence, "5,000 batches of 2", f"{reveal.truth:.2f}", "(B − 1) = 2")


class TestChapter8:
    def test_kept_weights_come_to_life_with_batchnorm_and_die_without(self, mnist: "Batches") -> None:
        reveal, view, (switched_on, switched_off) = shown(8, 0, mnist)
        before = [measured.kept_at(view, i, SWITCHED_AT) for i in (0, 1)]
        assert before[0] is not None
        assert before[1] is not None
        assert before[0].test_accuracy < 0.15
        assert before[1].test_accuracy > 0.5
        assert switched_on.test_accuracy > 0.5
        assert switched_off.test_accuracy < 0.15
        accuracies = (before[0], switched_on, before[1], switched_off)
        assert_told(reveal.sentence, *(f"{network.test_accuracy:.1%}" for network in accuracies))
        assert isinstance(reveal.truth, tuple)
        assert reveal.truth[-1] < 1.6 < 2 < reveal.truth[0]


@pytest.fixture(scope="module")
def asked(mnist: "Batches") -> tuple[Answers, View]:
    trainer, view = trained(9, 0, mnist)
    digit = answer(trainer, DigitOfTestSet(SECOND_SEVEN))
    assert digit.label == 7
    assert (mnist.test_labels[: SECOND_SEVEN + 1] == 7).sum() == 2
    return answer(trainer, AnswersInCompany(0, tuple(digit.pixels.tolist()), seed=0)), view


class TestChapter9:
    def test_company_changes_an_answer_in_training_mode_and_never_in_eval_mode(
        self, asked: tuple[Answers, View]
    ) -> None:
        found, view = asked
        reveal = company_reveal(view, found)
        assert np.array_equal(found.evaluated, np.repeat(found.evaluated[:1], 3, axis=0))
        in_pairs = found.trained[2].argmax(1) == 7
        assert len(in_pairs) == COMPANIES
        assert 0 < in_pairs.sum() < COMPANIES
        assert np.ptp(found.trained[2][:, 7]) > 0.3
        assert reveal.truth == in_pairs.sum()
        assert_told(reveal.sentence, "Eval mode says 7", f"{in_pairs.sum()} say 7", "the same in any company")

    def test_the_running_means_are_closer_to_the_population_than_one_batch(self, asked: tuple[Answers, View]) -> None:
        found, view = asked
        _, newest = inference_frames(view)[-1]
        running, batch = (statistic_error(newest.layers[0], kind, "mean") for kind in ("running", "batch"))
        assert running < batch / 2
        assert_told(
            company_reveal(view, found).sentence, f"{running:.2f} standard deviations", f"batch of 32 {batch:.2f}"
        )


class TestChapter10:
    def test_twenty_sigmoids_learn_with_batchnorm_alone(self, mnist: "Batches") -> None:
        reveal, _, (plain, normalized) = shown(10, 0, mnist)
        assert plain.test_accuracy < 0.15
        assert normalized.test_accuracy > 0.7
        assert plain.gradient_norm[0] / plain.gradient_norm[-1] < 1e-6
        assert normalized.gradient_norm[0] / normalized.gradient_norm[-1] > 0.01
        assert reveal.truth == 100 * plain.test_accuracy
        assert_told(reveal.sentence, "300 steps", f"{plain.test_accuracy:.1%}", f"{normalized.test_accuracy:.1%}")

    def test_lenet_learns_with_batchnorm_alone_within_a_hundred_steps(self, mnist: "Batches") -> None:
        reveal, _, (plain, normalized) = shown(10, 1, mnist)
        assert plain.test_accuracy < 0.2
        assert normalized.test_accuracy > 0.6
        assert_told(reveal.sentence, "100 steps", f"{plain.test_accuracy:.1%}", f"{normalized.test_accuracy:.1%}")


class TestChapter11:
    def test_with_two_digits_a_batch_the_network_without_batchnorm_wins(self, mnist: "Batches") -> None:
        reveal, _, (plain, normalized) = shown(11, 0, mnist)
        assert plain.test_loss < normalized.test_loss - 0.1
        assert reveal.truth == "without"
        assert_told(reveal.sentence, "With 2 digits", "2,000 steps")

    @pytest.mark.slow
    def test_with_enough_digits_a_batch_batchnorm_wins(self, mnist: "Batches") -> None:
        sweep = CHAPTERS[11].acts[1].what
        assert isinstance(sweep, Sweep)
        found = SweepResults.nothing(sweep.count)
        for k in range(len(sweep.axes[0].values)):
            newest = rehearsed(Scenario(sweep.pair((k,))), mnist)[1].view().latest
            assert newest is not None
            found.test_loss[2 * k : 2 * k + 2] = [network.test_loss for network in newest.variants]
        assert_told(
            batch_sizes_reveal(sweep, found).sentence,
            "Up to batches of",
            "without batchnorm",
            "from",
            "on the one with it",
        )
        assert found.test_loss[0] < found.test_loss[1] - 0.1
        assert found.test_loss[-1] < found.test_loss[-2] - 0.01


class TestChapter12:
    def test_shift_on_purpose_does_not_undo_what_batchnorm_gains(self, mnist: "Batches") -> None:
        reveal, _, (plain, normalized, noisy) = shown(12, 0, mnist)
        assert normalized.test_loss < plain.test_loss - 0.02
        assert noisy.test_loss < plain.test_loss - 0.02
        assert reveal.truth == "most"
        kept = (plain.test_loss - noisy.test_loss) / (plain.test_loss - normalized.test_loss)
        assert_told(reveal.sentence, f"{kept:.0%} of the gain is left")

    def test_two_measurements_of_smoothness_do_not_give_one_answer(self, mnist: "Batches") -> None:
        careless, _, _ = shown(12, 1, mnist)
        careful, _, _ = shown(12, 2, mnist)
        assert careless.sentence.endswith("This loss is smoother with batchnorm.")
        assert "This loss is smoother" not in careful.sentence


class TestRunsInWhichItIsOtherwise:
    """A rule tells what was measured also where that is not what the chapter is there to show."""

    @staticmethod
    def told(chapter: int, act: int, *networks: VariantFrame) -> Reveal:
        played = CHAPTERS[chapter].acts[act].what
        assert isinstance(played, Scenario)
        start = frame(*(variant_frame() for _ in networks))
        reveal = run_reveal(chapter, act, view_of(played.experiment, start, frame(*networks, finished=True)))
        assert reveal is not None
        return reveal

    def test_a_careless_network_that_learned_is_said_to_have(self) -> None:
        reveal = self.told(1, 0, variant_frame(1500, test_loss=0.5, test_accuracy=0.85))
        assert "learned nothing" not in reveal.sentence
        assert "0.500" in reveal.sentence

    @pytest.mark.parametrize(("scaled", "truth"), [(2.305, "same"), (2.5, "worse"), (1.0, "better")])
    def test_a_scale_that_does_not_help_is_told(self, scaled: float, truth: str) -> None:
        reveal = self.told(3, 0, variant_frame(1500, test_loss=2.31), variant_frame(1500, test_loss=scaled))
        assert reveal.truth == truth

    @pytest.mark.parametrize(("normalized", "truth"), [(0.445, "alike"), (0.3, "with"), (0.6, "without")])
    def test_whoever_wins_with_a_tiny_batch_is_told(self, normalized: float, truth: str) -> None:
        reveal = self.told(11, 0, variant_frame(2000, test_loss=0.44), variant_frame(2000, test_loss=normalized))
        assert reveal.truth == truth

    @pytest.mark.parametrize(
        ("losses", "truth"),
        [((0.4, 0.3, 0.31), "most"), ((0.4, 0.3, 0.35), "half"), ((0.4, 0.3, 0.45), "none"), ((0.4, 0.41, 0.4), None)],
    )
    def test_what_noise_leaves_of_the_gain_is_told(self, losses: tuple[float, ...], truth: str | None) -> None:
        reveal = self.told(12, 0, *(variant_frame(1000, test_loss=loss) for loss in losses))
        assert reveal.truth == truth
        assert ("gained nothing" in reveal.sentence) is (truth is None)

    def test_networks_without_a_gradient_are_not_compared_by_it(self) -> None:
        none = np.zeros(2)
        reveal = self.told(10, 1, variant_frame(100, gradient_norm=none), variant_frame(100, gradient_norm=none))
        assert "Layer 1" not in reveal.sentence

    @pytest.mark.parametrize(
        ("better", "words"),
        [
            ([1, 1, 1, 1, 1, 1], "In batches of 2 to 64 the network with batchnorm"),
            ([0, 0, 0, 0, 0, 0], "In batches of 2 to 64 the network without batchnorm"),
            ([0, 0, 1, 1, 1, 1], "Up to batches of 4 the network without batchnorm"),
            ([0, 1, 0, 1, 1, 1], "lower test loss in batches of 4, 16, 32 and 64"),
        ],
    )
    def test_a_sweep_is_told_as_it_came_out(self, better: list[int], words: str) -> None:
        sweep = CHAPTERS[11].acts[1].what
        assert isinstance(sweep, Sweep)
        found = SweepResults.nothing(sweep.count)
        found.test_loss[:] = [loss for with_ in better for loss in (0.4, 0.3 if with_ else 0.5)]
        assert words in batch_sizes_reveal(sweep, found).sentence

    def test_an_unfinished_sweep_names_no_winner(self) -> None:
        sweep = CHAPTERS[11].acts[1].what
        assert isinstance(sweep, Sweep)
        assert "no size" in batch_sizes_reveal(sweep, SweepResults.nothing(sweep.count)).sentence

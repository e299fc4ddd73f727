"""What the page on covariate shift says."""

import numpy as np

from bnviz.analysis.shift import ACTIVATION_INPUT
from bnviz.experiment.config import Experiment, replace
from bnviz.findings.shift import shift_findings
from bnviz.records.frames import QUANTILES, Summary
from tests.builders import frame, variant_frame, view_of
from tests.moving import TWINS, layer, measurement, moving


class TestFindings:
    view = moving((30, 30), (31, 30), (34, 31))

    def test_repeat_the_numbers_and_compare(self) -> None:
        moved, gradients = shift_findings(
            self.view, [[measurement(0, 0.1, 0.3)], [measurement(0, 0.2, 0.4)]], layer=0, place=ACTIVATION_INPUT
        )
        assert moved == (
            "Up to step 200 the input of the activation of layer 1 moved 4.0 times less with batchnorm than without "
            "batchnorm: W₁ 0.333 against 1.33."
        )
        assert gradients == (
            "The gradients of the layers after the first shifted 1.5 times more with batchnorm than without batchnorm: "
            "L2 0.3 against 0.2 (mean of 1 measurement); relative to the gradient's norm: 20.0% (no batchnorm), 30.0% "
            "(batchnorm); cosine: 0.900 (no batchnorm), 0.900 (batchnorm)."
        )

    def test_say_so_where_batchnorm_makes_no_difference(self) -> None:
        told = shift_findings(
            moving((30, 30), (31, 31)),
            [[measurement(0, 0.10)], [measurement(0, 0.105)]],
            layer=0,
            place=ACTIVATION_INPUT,
        )
        assert "moved about as far with batchnorm as without batchnorm: W₁ 0.333 against 0.333" in told[0]
        assert "shifted about as far with batchnorm as without batchnorm: L2 0.105 against 0.1" in told[1]

    def test_compare_nothing_without_a_pair(self) -> None:
        both = replace(TWINS, variants=TWINS.variants[:1] * 2)
        (moved,) = shift_findings(moving((30, 30), (31, 32), experiment=both), [], layer=0, place=ACTIVATION_INPUT)
        assert moved.endswith("moved by W₁ = 0.333 (no batchnorm A), 0.667 (no batchnorm B).")

    def test_tell_distances_of_what_leaves_the_bins_in_full(self) -> None:
        far = layer(summaries={"pre_activation": Summary(50.0, 0.0, np.full(QUANTILES, 50.0))})
        frames = (
            frame(*(variant_frame(k * 100, layers=(each,)) for _ in "AB")) for k, each in enumerate((layer(), far))
        )
        (told,) = shift_findings(view_of(TWINS, *frames), [], layer=0, place="pre_activation")
        assert "W₁ 50.2 against 50.2" in told

    def test_of_many_networks_compare_the_first_two_and_tell_the_others(self) -> None:
        four = Experiment(TWINS.training, TWINS.variants * 2)
        first = frame(*(variant_frame(layers=(layer(),)) for _ in range(4)))
        told = shift_findings(view_of(four, first), [[measurement(0, 0.1)]] * 4, layer=0, place=ACTIVATION_INPUT)
        assert "about as far with batchnorm (B) as without batchnorm (A): L2 0.1 against 0.1, and 0.1 (no" in told[1]

    def test_leave_out_a_network_that_diverged(self) -> None:
        lost = variant_frame(layers=(layer(),), diverged=True)
        view = view_of(TWINS, frame(lost, variant_frame(layers=(layer(),))))
        told = shift_findings(view, [[measurement(0, 1e30)], [measurement(0, 0.2)]], layer=0, place=ACTIVATION_INPUT)
        assert not any("no batchnorm" in sentence for sentence in told)
        assert told[-1].startswith("Without batchnorm, training diverged")

    def test_do_not_take_a_network_that_does_not_learn_for_one_that_hardly_moves(self) -> None:
        """A network that guesses moves by a thousandth of what the other one moves."""
        guess = {"test_loss": 2.31, "test_accuracy": 0.1}
        frames = [
            frame(variant_frame(k * 100, layers=(layer(30),), **guess), variant_frame(k * 100, layers=(layer(30 + k),)))
            for k in (0, 1)
        ]
        moved, doubt = shift_findings(view_of(TWINS, *frames), [], layer=0, place=ACTIVATION_INPUT)
        assert moved.endswith("moved by W₁ = 0 (no batchnorm), 0.333 (batchnorm).")
        assert doubt.startswith("Without batchnorm, the network only guesses: it does not learn")

    def test_name_a_layer_that_a_network_does_not_have(self) -> None:
        (first, second) = TWINS.variants
        deeper = replace(TWINS, variants=(replace(first, network=replace(first.network, hidden_layers=2)), second))
        told = shift_findings(moving((30, 30), experiment=deeper), [], layer=1, place=ACTIVATION_INPUT)
        assert "The network with batchnorm has no layer 2." in told[-1]

    def test_of_nothing_are_none(self) -> None:
        assert shift_findings(view_of(TWINS), [], layer=0, place=ACTIVATION_INPUT) == []
        (sentence,) = shift_findings(moving((30, 30)), [], layer=0, place=ACTIVATION_INPUT)
        assert sentence.startswith("Train to see")

"""What the page on covariate shift says."""

import numpy as np
from builders import frame, variant_frame, view_of
from moving import TWINS, layer, measurement, moving

from bnviz.analysis.shift import ACTIVATION_INPUT
from bnviz.experiment.config import Experiment, replace
from bnviz.findings.shift import shift_findings
from bnviz.records.frames import QUANTILES, Summary


class TestFindings:
    view = moving((30, 30), (31, 30), (34, 31))

    def test_repeat_the_numbers_and_compare(self) -> None:
        moved, gradients = shift_findings(
            self.view, [[measurement(0, 0.1, 0.3)], [measurement(0, 0.2, 0.4)]], layer=0, place=ACTIVATION_INPUT
        )
        assert "Up to step 200" in moved
        assert "W₁ = 1.33 in A (no batchnorm; mean by +1.33)" in moved
        assert moved.endswith("B moved 0.25 times as far as A.")
        assert "0.2 in A (no batchnorm; 20.0% of the gradient's norm; cosine 0.900)" in gradients
        assert gradients.endswith("B has 1.5 times the shift of A here.")

    def test_say_so_where_batchnorm_makes_no_difference(self) -> None:
        told = shift_findings(
            moving((30, 30), (31, 31)),
            [[measurement(0, 0.10)], [measurement(0, 0.105)]],
            layer=0,
            place=ACTIVATION_INPUT,
        )
        assert told[0].endswith("both about as far.")
        assert told[1].endswith("about the same here.")

    def test_compare_nothing_without_a_pair(self) -> None:
        both = replace(TWINS, variants=TWINS.variants[:1] * 2)
        (moved,) = shift_findings(moving((30, 30), (31, 32), experiment=both), [], layer=0, place=ACTIVATION_INPUT)
        assert moved.endswith("mean by +0.67).")

    def test_tell_distances_of_what_leaves_the_bins_in_full(self) -> None:
        far = layer(summaries={"pre_activation": Summary(50.0, 0.0, np.full(QUANTILES, 50.0))})
        frames = (
            frame(*(variant_frame(k * 100, layers=(each,)) for _ in "AB")) for k, each in enumerate((layer(), far))
        )
        (told,) = shift_findings(view_of(TWINS, *frames), [], layer=0, place="pre_activation")
        assert "W₁ = 50.2 in A (no batchnorm; mean by +50.17)" in told

    def test_of_many_networks_tell_only_the_shift(self) -> None:
        four = Experiment(TWINS.training, TWINS.variants * 2)
        first = frame(*(variant_frame(layers=(layer(),)) for _ in range(4)))
        told = shift_findings(view_of(four, first), [[measurement(0, 0.1)]] * 4, layer=0, place=ACTIVATION_INPUT)
        assert "0.1 in A (no batchnorm), 0.1 in B (batchnorm), " in told[1]

    def test_leave_out_a_network_that_diverged(self) -> None:
        lost = variant_frame(layers=(layer(),), diverged=True)
        view = view_of(TWINS, frame(lost, variant_frame(layers=(layer(),))))
        told = shift_findings(view, [[measurement(0, 1e30)], [measurement(0, 0.2)]], layer=0, place=ACTIVATION_INPUT)
        assert not any("in A" in sentence for sentence in told)
        assert "A diverged" in told[-1]

    def test_of_nothing_are_none(self) -> None:
        assert shift_findings(view_of(TWINS), [], layer=0, place=ACTIVATION_INPUT) == []
        (sentence,) = shift_findings(moving((30, 30)), [], layer=0, place=ACTIVATION_INPUT)
        assert sentence.startswith("Train to see")

"""What a trainer measures when it looks at its networks: decided here alone, and measured in `trainer` and `probes`.

| watched     | test results                     | population | inference | summaries | smoothness |
|-------------|----------------------------------|------------|-----------|-----------|------------|
| nothing     | when asked, and in the history   | if used    | never     | if kept   | never      |
| inference   | when asked, and in the history   | as tests   | as tests  | never     | never      |
| landscape   | in every LANDSCAPE_LOOKSth kept  | if used    | never     | never     | if kept    |

In the history are kept frames, and those in which a network diverged. They hold the histograms of all layers; others
those of the layers in focus, and if the network is large, of fewer digits.
"""

from dataclasses import dataclass

from bnviz.experiment.config import NetworkConfig, TrainingConfig, Watch
from bnviz.records.frames import LARGE_DEPTH

LANDSCAPE_LOOKS = 5  # kept frames from one look at the test digits to the next, if the landscape is watched


@dataclass(frozen=True)
class MeasurementPlan:
    """What one look measures beside activations and gradients, which every look measures.

    few_digits: activations on the first MOVING_DIGITS of the probe digits. all_histograms: of every layer, and not only
    of those in focus.
    test_results: loss and accuracy on test digits; all_digits: on all of them and not on the first. population: the
    population statistics of every batchnorm layer, which test results may need. inference: what the modes of inference
    give. summaries: of the distribution in every place of a layer. smoothness: of the loss ahead of the next step.
    """

    few_digits: bool
    all_histograms: bool
    test_results: bool
    all_digits: bool
    population: bool
    inference: bool
    summaries: bool
    smoothness: bool


def is_kept(training: TrainingConfig, watch: Watch | None, step: int) -> bool:
    """Return whether the frame at a step belongs to the history of a run."""
    return step % training.kept_every(watch) == 0 or step >= training.steps


def measurement_plan(
    training: TrainingConfig,
    watch: Watch | None,
    step: int,
    *,
    evaluate: bool = False,
    diverged: bool = False,
    uses_population: bool = False,
    large: bool = False,
) -> MeasurementPlan:
    """Return what to measure of networks at a step.

    evaluate: whether test results are asked for. A run whose landscape is watched does not listen to it, because its
    history must not depend on the clock. diverged: whether one of them has. uses_population: whether a network's eval
    mode uses population statistics. large: whether a pass over all probe digits takes long.
    """
    kept, last = is_kept(training, watch, step), step >= training.steps
    in_history = kept or diverged
    if watch == "landscape":
        tests = last or step % (LANDSCAPE_LOOKS * training.kept_every(watch)) == 0
    else:
        tests = evaluate or in_history
    return MeasurementPlan(
        few_digits=large and not in_history and not evaluate,
        all_histograms=in_history,
        test_results=tests,
        all_digits=last,
        population=tests and (watch == "inference" or uses_population),
        inference=tests and watch == "inference",
        summaries=kept and watch is None,
        smoothness=kept and watch == "landscape",
    )


def is_large(network: NetworkConfig) -> bool:
    """Return whether a pass over all probe digits takes as long as several steps."""
    return len(network.hidden) > LARGE_DEPTH or any(layer.kernel for layer in network.hidden)


def edit_needs_tests(watch: Watch | None, *, fares_as_before: bool) -> bool:
    """Return whether the frame after an edit has new test results.

    fares_as_before: whether every network goes on with the same answers in eval mode. Watching inference takes longer
    than a hand that moves a slider should wait, and would then be in vain.
    """
    return not (watch == "inference" and fares_as_before)

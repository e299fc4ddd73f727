"""How a run ended, and why: the sentence of its end."""

import math

from bnviz.analysis.learning import is_guessing
from bnviz.experiment.choices import BOUNDED_OUTPUTS
from bnviz.experiment.layers import LN_10
from bnviz.experiment.wording import percent, times
from bnviz.findings.thresholds import FAR_GRADIENTS, MOSTLY_SATURATED, NO_GRADIENT
from bnviz.records.frames import VariantFrame
from bnviz.records.history import View

EQUAL_POINTS = 1.0  # points of accuracy


def outcome(view: View) -> list[str]:
    """Return one sentence on the end of a run of one network without and one with batchnorm; nothing before the end.

    Networks that diverged, and runs of other networks, have their own findings.
    """
    if view.latest is None or not view.latest.finished or len(view.variants) != 2:
        return []
    kinds = [variant.normalized for variant in view.experiment.variants]
    ends = view.latest.variants
    if set(kinds) != {False, True} or any(end.diverged or not math.isfinite(end.test_loss) for end in ends):
        return []
    plain, normalized = kinds.index(False), kinds.index(True)
    guessing = [is_guessing(end) for end in ends]
    if all(guessing):
        return [f"Neither network has learned: both end no better than by guessing, whose loss is ln 10 = {LN_10:.2f}."]
    if guessing[plain]:
        same = len({variant.network for variant in view.experiment.variants}) == 1
        reached = (
            f"{'the same weights reach' if same else 'the other network reaches'} "
            f"{percent(ends[normalized].test_accuracy)}"
        )
        return [f"Without batchnorm {_no_better_than_guessing(view, plain)} With it, {reached}."]
    if guessing[normalized]:
        said = f"With batchnorm {_no_better_than_guessing(view, normalized)}"
        return [f"{said} Without it, the network reaches {percent(ends[plain].test_accuracy)}."]
    return [_compared(ends[plain], ends[normalized])]


def _compared(plain: VariantFrame, normalized: VariantFrame) -> str:
    points = 100 * (normalized.test_accuracy - plain.test_accuracy)
    ends = (
        f"test loss {normalized.test_loss:.2f} and accuracy {percent(normalized.test_accuracy)} with batchnorm, "
        f"{plain.test_loss:.2f} and {percent(plain.test_accuracy)} without"
    )
    if abs(points) < EQUAL_POINTS:
        return f"Both networks learn, and end alike: {ends}."
    better = "Batchnorm helps here" if points > 0 else "Batchnorm harms here"
    return f"{better}, by {abs(points):.1f} points: {ends}."


def _no_better_than_guessing(view: View, i: int) -> str:
    assert view.latest is not None
    end = view.latest.variants[i]
    fares = f"a loss of {end.test_loss:.2f} and {percent(end.test_accuracy)} correct"
    return f"the network only guesses, with {fares}{_why(view, i)}"


def _why(view: View, i: int) -> str:
    """The measured cause: a saturated layer whose gradient is gone, or a gradient that vanishes; else none."""
    assert view.latest is not None
    end, network = view.latest.variants[i], view.experiment.variants[i].network
    shares = [float(layer.saturated.mean()) for layer in end.layers]
    first, last = float(end.gradient_norm[0]), float(end.gradient_norm[-1])
    if max(shares) > MOSTLY_SATURATED and network.activation in BOUNDED_OUTPUTS and first < last / FAR_GRADIENTS:
        layer = shares.index(max(shares)) + 1
        where = "" if len(shares) == 1 else f" in layer {layer}"
        gradient = "no gradient" if first < NO_GRADIENT else "almost no gradient"
        share = "all" if max(shares) > 0.995 else percent(max(shares), 0)
        return f": {share} of its {network.activation} outputs{where} are saturated, so {gradient} reaches layer 1."
    if 0 < first < last / FAR_GRADIENTS:
        return f": its gradient is {times(last / first)} smaller in layer 1 than in the output layer."
    return "."

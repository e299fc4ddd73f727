"""What a run shows of its covariate shift, in plain sentences that follow from the numbers."""

import math
from collections.abc import Sequence

import numpy as np

from bnviz.analysis import shift
from bnviz.analysis.comparison import ALIKE_WITHIN
from bnviz.analysis.gradient_shift import mean_gradient_shift, relative_gradient_shift
from bnviz.records.answers import GradientShift
from bnviz.records.history import View
from bnviz.wording import counted, decimals, signed_decimals, significant, times

TOLD_IN_FULL = 3  # networks of which all is told; of more, only the shift itself


def shift_findings(view: View, measured: Sequence[Sequence[GradientShift]], *, layer: int, place: str) -> list[str]:
    """What this run shows so far: the distributions of the chosen layer, then the gradients, then what to doubt."""
    if view.latest is None:
        return []
    return [*_moved(view, layer, place), *_gradients(view, measured), *_doubts(view, layer, place)]


def _moved(view: View, layer: int, place: str) -> list[str]:
    told, distances, until = [], {}, 0
    for i, letter in enumerate(view.experiment.letters):
        found = shift.drift(view, i, layer, place, "start")
        if not len(found.steps) or not math.isfinite(found.distance[-1]):
            continue
        distances[i], until = float(found.distance[-1]), max(until, int(found.steps[-1]))
        mean = f"; mean by {signed_decimals(found.mean[-1])}" if len(view.experiment.variants) <= TOLD_IN_FULL else ""
        told.append(f"W₁ = {significant(distances[i])} in {_name(view, i, letter)}{mean})")
    if not told:
        return ["Train to see the distributions move: so far one moment of each network is kept."]
    sentence = f"Up to step {until:,} the {shift.PLACES[place]} of layer {layer + 1} moved by {', by '.join(told)}"
    return [sentence + _compared(view, distances, "{with_} moved {ratio} as far as {without}.", "both about as far.")]


def _gradients(view: View, measured: Sequence[Sequence[GradientShift]]) -> list[str]:
    told, means = [], {}
    few = len(view.experiment.variants) <= TOLD_IN_FULL
    for i, (letter, found) in enumerate(zip(view.experiment.letters, measured, strict=False)):
        difference, cosine = mean_gradient_shift(found)
        if not np.isfinite(difference).any() or (view.latest is not None and view.latest.variants[i].diverged):
            continue
        means[i] = float(np.nanmean(difference))
        share = relative_gradient_shift(found)
        parts = [f"{_share(share)} of the gradient's norm"] if math.isfinite(share) else []
        parts += [f"cosine {decimals(float(np.nanmean(cosine)), 3)}"] if np.isfinite(cosine).any() else []
        told.append("; ".join([f"{significant(means[i])} in {_name(view, i, letter)}", *(parts if few else [])]) + ")")
    if not told:
        return []
    measurements = counted(max(map(len, measured)), "measurement")
    sentence = f"Shift of the gradients, L2, mean of {measurements} and all layers after the first: "
    words = "{with_} has {ratio} the shift of {without} here."
    return [sentence + ", ".join(told) + _compared(view, means, words, "about the same here.")]


def _doubts(view: View, layer: int, place: str) -> list[str]:
    assert view.latest is not None
    told = []
    for i, letter in enumerate(view.experiment.letters):
        if view.latest.variants[i].diverged:
            told.append(f"{letter} diverged: its values are no numbers any more.")
        elif not shift.distribution_course(view, i, layer, place).steps:
            told.append(f"{letter} has no layer {layer + 1}.")
    return [" ".join(told)] if told else []


def _compared(view: View, values: dict[int, float], words: str, alike: str) -> str:
    """'; B moved 0.2 times as far as A.' for the first network without and the first with batchnorm, if there are."""
    variants, letters = view.experiment.variants, view.experiment.letters
    without = next((i for i in values if variants[i].batchnorm is None), None)
    with_ = next((i for i in values if variants[i].batchnorm is not None), None)
    if without is None or with_ is None or not values[without] > 0:
        return "."
    ratio = values[with_] / values[without]
    if abs(ratio - 1) < ALIKE_WITHIN:
        return f": {alike}"
    return ": " + words.format(with_=letters[with_], without=letters[without], ratio=times(ratio))


def _name(view: View, i: int, letter: str) -> str:
    """The beginning of what is said in brackets."""
    return f"{letter} ({'batchnorm' if view.experiment.variants[i].batchnorm else 'no batchnorm'}"


def _share(value: float) -> str:
    if value >= 10:
        return times(value)
    return f"{value:.1%}" if value >= 0.001 else "less than 0.1%"

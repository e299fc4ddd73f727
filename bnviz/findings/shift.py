"""What a run shows of its covariate shift, in plain sentences that follow from the numbers."""

import math
from collections.abc import Sequence

import numpy as np

from bnviz.analysis import shift
from bnviz.analysis.comparison import are_alike, compared_pair
from bnviz.analysis.gradient_shift import mean_gradient_shift, relative_gradient_shift
from bnviz.analysis.learning import is_guessing
from bnviz.experiment.naming import network_conditions, network_names
from bnviz.experiment.wording import capitalized, counted, decimals, listed, part, significant, times
from bnviz.records.answers import GradientShift
from bnviz.records.history import View


def shift_findings(view: View, measured: Sequence[Sequence[GradientShift]], *, layer: int, place: str) -> list[str]:
    """Return what this run shows so far: how the chosen layer's distributions moved, the gradients, and doubts."""
    if view.latest is None:
        return []
    return [*_moved(view, layer, place), *_gradients(view, measured), *_doubts(view, layer, place)]


def _moved(view: View, layer: int, place: str) -> list[str]:
    distances, until = {}, 0
    for i in range(len(view.variants)):
        found = shift.drift(view, i, layer, place, "start")
        if len(found.steps) and math.isfinite(found.distance[-1]):
            distances[i], until = float(found.distance[-1]), max(until, int(found.steps[-1]))
    if not distances:
        return ["Train to see the distributions move: so far one moment of each network is kept."]
    moved = _compared(view, distances, "moved", "W₁")
    return [f"Up to step {until:,} the {shift.PLACES[place]} of layer {layer + 1} {moved}."]


def _gradients(view: View, measured: Sequence[Sequence[GradientShift]]) -> list[str]:
    assert view.latest is not None
    means, shares, cosines = {}, {}, {}
    for i, (frame, found) in enumerate(zip(view.latest.variants, measured, strict=False)):
        difference, cosine = mean_gradient_shift(found)
        if not np.isfinite(difference).any() or frame.diverged:
            continue
        means[i], shares[i] = float(np.nanmean(difference)), relative_gradient_shift(found)
        cosines[i] = float(np.nanmean(cosine)) if np.isfinite(cosine).any() else math.nan
    if not means:
        return []
    measurements = counted(max(map(len, measured)), "measurement")
    shifted = _compared(view, means, "shifted", "L2")
    parts = [
        _each(view, {i: part(v) for i, v in shares.items() if math.isfinite(v)}, "relative to the gradient's norm"),
        _each(view, {i: decimals(v, 3) for i, v in cosines.items() if math.isfinite(v)}, "cosine"),
    ]
    more = "".join(f"; {part}" for part in parts if part)
    return [f"The gradients of the layers after the first {shifted} (mean of {measurements}){more}."]


def _doubts(view: View, layer: int, place: str) -> list[str]:
    """Networks that a comparison says nothing of."""
    assert view.latest is not None
    told = []
    conditions = network_conditions(view.experiment)
    courses = shift.distribution_courses(view, layer, place)
    for i, frame in enumerate(view.latest.variants):
        if frame.diverged:
            told.append(f"{capitalized(conditions[i])}, training diverged: there are no values to compare any more.")
        elif layer >= len(view.experiment.variants[i].network.hidden):
            told.append(f"The network {conditions[i]} has no layer {layer + 1}.")
        elif not courses[i].steps:
            told.append(f"Nothing is kept of the {shift.PLACES[place]} {conditions[i]} yet.")
        elif is_guessing(frame):
            told.append(
                f"{capitalized(conditions[i])}, the network only guesses: it does not learn, so its layers have "
                "nothing to follow, and its small shift is no advantage."
            )
    return [" ".join(told)] if told else []


def _compared(view: View, values: dict[int, float], verb: str, measure: str) -> str:
    """'moved 180 times less with batchnorm than without batchnorm: W₁ 0.0231 against 4.16', or the values alone if
    there are no two networks to compare that both learn."""
    assert view.latest is not None
    names, conditions = network_names(view.experiment), network_conditions(view.experiment)
    pair = compared_pair(view.experiment)
    if pair is None or any(i not in values or values[i] <= 0 or is_guessing(view.latest.variants[i]) for i in pair):
        return f"{verb} by {measure} = {', '.join(f'{significant(v)} ({names[i]})' for i, v in values.items())}"
    without, with_it = pair
    ratio = values[with_it] / values[without]
    if are_alike(values[with_it], values[without]):
        verdict = f"{verb} about as far {conditions[with_it]} as {conditions[without]}"
    else:
        more = f"{times(ratio)} more" if ratio > 1 else f"{times(1 / ratio)} less"
        verdict = f"{verb} {more} {conditions[with_it]} than {conditions[without]}"
    others = [f"{significant(v)} ({names[i]})" for i, v in values.items() if i not in pair]
    numbers = f"{measure} {significant(values[with_it])} against {significant(values[without])}"
    return f"{verdict}: {numbers}" + (f", and {listed(others)}" if others else "")


def _each(view: View, values: dict[int, str], what: str) -> str:
    names = network_names(view.experiment)
    return f"{what}: {', '.join(f'{value} ({names[i]})' for i, value in values.items())}" if values else ""

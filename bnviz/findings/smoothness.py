"""What a run says of the smoothness of its loss, in plain sentences."""

import math
from collections.abc import Iterator

import numpy as np

from bnviz.analysis.comparison import are_alike, compared_pair
from bnviz.analysis.learning import is_guessing
from bnviz.analysis.smoothness import generalization_gap, newest_median, smoothness_course
from bnviz.experiment.naming import network_conditions, network_names
from bnviz.experiment.wording import capitalized, counted, listed, significant, times
from bnviz.records.history import View

STEPS_TO_COMPARE = 4  # kept steps
LOOKS_TO_COMPARE = 3  # at the gap between test and training loss, after step 0
GAPS_ALIKE_WITHIN = 0.01  # nats
LOSSES_TO_COMPARE = 20  # points of a loss curve
LOSS_RANGE = "range of the loss"


def smoothness_findings(view: View) -> list[str]:
    """Return what the newest quarter of the steps says of the two explanations, for this run; most telling first."""
    smooth = list(_compared(view))
    return [*_troubles(view), *smooth[:1], *_noisy(view), *smooth[1:]][:3]


def effective_rate_findings(view: View) -> list[str]:
    """Return how far the effective learning rate of each network with batchnorm has come, and what brought it there."""
    said = []
    for i, (name, variant) in enumerate(zip(network_names(view.experiment), view.experiment.variants, strict=True)):
        found = smoothness_course(view, i)
        changed = max((marker.at[i][0] for marker in view.markers if i in marker.at), default=0)
        since = np.flatnonzero(np.isfinite(found.effective_rate) & (found.steps >= changed))
        if variant.batchnorm is None or len(since) < 2:
            continue
        ends = since[[0, -1]]
        (begin, end), (first, last) = found.steps[ends], found.effective_rate[ends]
        rate = found.rate[ends[1]] / found.rate[ends[0]] if found.rate[ends[0]] else math.nan
        square = (found.weights[ends[1], 0] / found.weights[ends[0], 0]) ** 2
        said.append(
            f"{name}: {significant(first, 2)} at step {begin:,.0f}, {significant(last, 2)} at "
            f"step {end:,.0f}: η is {times(rate)} what it was, ‖W₁‖² {times(square)}."
        )
    return said


def gap_findings(view: View) -> list[str]:
    """Return whether the gap is smaller with batchnorm in this run, once there are some looks at trained networks."""
    if (pair := compared_pair(view.experiment)) is None or any(_guessing(view)):
        return []
    looks = [found[steps > 0] for steps, found in (generalization_gap(view, i) for i in pair)]
    if min(map(len, looks)) < LOOKS_TO_COMPARE:
        return []
    without, with_it = map(newest_median, looks)
    if are_alike(without, with_it, GAPS_ALIKE_WITHIN):
        verdict = "they are alike"
    else:
        verdict = f"{'smaller' if with_it < without else '<b>larger</b>'} with batchnorm"
    return [
        f"Gap over the newest quarter of the looks: {without:.3f} without batchnorm, {with_it:.3f} with it; {verdict}."
    ]


def _troubles(view: View) -> Iterator[str]:
    for i, (condition, history) in enumerate(zip(network_conditions(view.experiment), view.variants, strict=True)):
        where = capitalized(condition)
        if history.frames and history.frames[-1].diverged:
            yield f"{where}, training diverged at step {history.frames[-1].step:,}: nothing is measured from there on."
        elif (found := smoothness_course(view, i)).steps.size and found.gradient[-1] == 0:
            yield f"{where}, the gradient is zero: there is no direction to look along."


def _guessing(view: View) -> Iterator[str]:
    """The conditions of the compared networks that have not learned anything."""
    pair, latest = compared_pair(view.experiment), view.latest
    if pair is not None and latest is not None:
        conditions = network_conditions(view.experiment)
        yield from (conditions[i] for i in pair if is_guessing(latest.variants[i]))


def _compared(view: View) -> Iterator[str]:
    if (pair := compared_pair(view.experiment)) is None:
        yield "To compare, train one network without batchnorm and one with it."
        return
    without, with_it = (smoothness_course(view, i) for i in pair)
    if (fewest := min(len(without.steps), len(with_it.steps))) < STEPS_TO_COMPARE:
        so_far = counted(fewest, "kept step")
        if view.latest is not None and view.latest.finished:
            yield (
                f"This run has {so_far}, and a comparison takes {STEPS_TO_COMPARE}: choose more steps to see how "
                "smooth it is."
            )
        else:
            yield f"{so_far} so far, and a comparison takes {STEPS_TO_COMPARE}: train to see how smooth the way is."
        return
    if guessing := list(_guessing(view)):
        yield (
            f"{capitalized(listed(guessing))}, the network only guesses: how smooth its loss is there says nothing of "
            "networks that learn."
        )
        return
    last = f"over the newest quarter of {int(min(without.steps[-1], with_it.steps[-1])):,} steps (medians)"
    measures = {
        "effective β-smoothness": (without.beta, with_it.beta),
        "largest change of the gradient": (without.change_high, with_it.change_high),
        LOSS_RANGE: (without.range, with_it.range),
    }
    for name, values in measures.items():
        one, other = (newest_median(v) for v in values)
        if not (math.isfinite(one) and math.isfinite(other) and one > 0 and other > 0):
            continue
        numbers = f"{significant(one)} without batchnorm, {significant(other)} with it"
        # A range that lies below the loss here is how far down the way goes, and says nothing of roughness.
        down = name == LOSS_RANGE and newest_median((without if one > other else with_it).ascent) < 0
        verdict = _downhill(one, other) if down else _verdict(one, other)
        yield f"{capitalized(name)} {last}: {numbers}. {verdict}"


def _verdict(without: float, with_it: float) -> str:
    """The comparison in words; a smaller number is a smoother loss."""
    if are_alike(without, with_it):
        return "They are alike."
    if with_it < without:
        return f"{times(without / with_it)} smoother with batchnorm, as Santurkar et al. 2018 found."
    return f"{times(with_it / without)} <b>less</b> smooth with batchnorm, unlike what Santurkar et al. 2018 found."


def _downhill(without: float, with_it: float) -> str:
    if are_alike(without, with_it):
        return "They are alike."
    ratio = max(with_it, without) / min(with_it, without)
    more = "more" if with_it > without else "less"
    return f"The loss varies {times(ratio)} {more} with batchnorm: most of it is descent."


def _noisy(view: View) -> Iterator[str]:
    """Whether a network with noisy batchnorm still trains better than one without."""
    noisy = [i for i, v in enumerate(view.experiment.variants) if v.batchnorm and v.batchnorm.noisy]
    plain = [i for i, v in enumerate(view.experiment.variants) if v.plain]
    if not (noisy and plain):
        return
    one, other = (view.variants[i].losses for i in (noisy[0], plain[0]))
    if min(len(one), len(other)) < LOSSES_TO_COMPARE:
        return
    ours, theirs = newest_median(one), newest_median(other)
    better = "still lower than" if ours < theirs else "<b>not</b> lower than"
    yield (
        f"The training loss with noisy batchnorm is {significant(ours)}, {better} that without batchnorm, "
        f"{significant(theirs)} (medians of the newest quarter)."
    )

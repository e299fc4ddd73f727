"""What each chapter of the story showed, in sentences whose every number its run measured."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bnviz.analysis import smoothness
from bnviz.analysis import story as measured
from bnviz.analysis.comparison import are_alike
from bnviz.analysis.learning import UNINFORMED_WITHIN
from bnviz.experiment.guesses import Answer, CurveGuess
from bnviz.experiment.layers import LN_10
from bnviz.experiment.naming import network_names
from bnviz.experiment.story import CHAPTERS, SHIFTED_LAYER, SWITCHED_AT
from bnviz.experiment.wording import counted, decimals, percent, significant
from bnviz.records.frames import VariantFrame
from bnviz.records.history import View

ALIKE_NATS = 0.02  # nats; two losses that differ by less are called alike


@dataclass(frozen=True)
class Reveal:
    """What a run showed. truth: the answer to the chapter's question in the guess's own terms; None if it gave none."""

    sentence: str
    truth: Answer | None = None


# -- chapters that train --------------------------------------------------------------------------------------------


def run_reveal(chapter: int, act: int, view: View) -> Reveal | None:
    """Return what a chapter's finished run showed; None while it is on its way, or if its chapter has no rule."""
    if view.latest is None or not view.latest.finished or (chapter, act) not in _RULES:
        return None
    for name, variant in zip(network_names(view.experiment), view.latest.variants, strict=True):
        if variant.diverged:
            return Reveal(
                f"The network with {name} diverged at step {variant.step:,}: its loss is no number any more, so this "
                "run does not answer the question."
            )
    return _RULES[chapter, act](view)


def _careless(view: View) -> Reveal:
    (variant,) = _latest(view)
    guess = CHAPTERS[1].guess
    assert isinstance(guess, CurveGuess)
    truth = _curve(view, guess)
    if abs(variant.test_loss - LN_10) < UNINFORMED_WITHIN:
        verdict = f"that is what guessing costs (ln 10 = {LN_10:.3f}), so it has learned nothing"
    else:
        verdict = f"guessing costs {LN_10:.3f}"
    return Reveal(
        f"After {_steps(variant)} the test loss is {_nats(variant.test_loss)} and {percent(variant.test_accuracy)} of "
        f"the test digits are recognized: {verdict}.",
        truth,
    )


def _saturated(view: View) -> Reveal:
    (variant,) = _latest(view)
    low, middle, high = measured.input_percentiles(view, 0, 0, (15, 50, 85))
    slope = 1 - math.tanh(low) ** 2 if low < 15 else 4 * math.exp(-2 * low)  # 1 - tanh^2 is 0 to a float from 19 on
    gradient, flat = float(variant.gradient_norm[0]), float(variant.layers[0].saturated.mean())
    sentence = (
        f"70% of the sums lie between {low:.0f} and {high:.0f}, half of them above {middle:.0f}. At {low:.0f} the "
        f"slope of tanh is {significant(slope)}; {percent(flat, 0)} of the outputs are saturated, and the gradient of "
        f"layer 1's weights has norm {significant(gradient)}."
    )
    return Reveal(sentence, (float(middle), math.tanh(middle)))


def _scaled(view: View) -> Reveal:
    careless, scaled = _latest(view)
    difference = scaled.test_loss - careless.test_loss
    truth = "same" if abs(difference) < ALIKE_NATS else "better" if difference < 0 else "worse"
    return Reveal(
        f"Times 0.01 the test loss is {_nats(scaled.test_loss)} and {percent(scaled.test_accuracy)} of the test digits "
        f"are recognized; as they come, the weights end at {_nats(careless.test_loss)} and "
        f"{percent(careless.test_accuracy)}.",
        truth,
    )


def _scaled_deep(view: View) -> Reveal:
    plain, normalized = _latest(view)
    return Reveal(
        f"With five layers of the same weights times 0.01 the test loss is {_nats(plain.test_loss)} "
        f"({percent(plain.test_accuracy)} recognized), and {_nats(normalized.test_loss)} "
        f"({percent(normalized.test_accuracy)}) if batchnorm is added."
    )


def _shifted(view: View) -> Reveal:
    (variant,) = _latest(view)
    found = measured.moved(view, 0, SHIFTED_LAYER)
    if found is None:
        return Reveal("Too few moments of this run were kept to tell how the values moved.")
    before, after = found.deviations
    return Reveal(
        f"In {_steps(variant)} the standard deviation of what reaches the tanh of layer {SHIFTED_LAYER + 1} went from "
        f"{before:.2f} to {after:.2f} and its mean moved by {abs(found.mean):.2f}; on average a value moved by "
        f"{found.relative:.2f} of the first standard deviation.",
        found.kind,
    )


def _rescued(view: View) -> Reveal:
    switched_on, switched_off = _latest(view)
    before = [measured.kept_at(view, i, SWITCHED_AT) for i in (0, 1)]
    if before[0] is None or before[1] is None:
        return Reveal("")
    guess = CHAPTERS[8].guess
    assert isinstance(guess, CurveGuess)
    return Reveal(
        f"Batchnorm switched on at step {SWITCHED_AT}, with the weights kept: from {percent(before[0].test_accuracy)} "
        f"of the test digits to {percent(switched_on.test_accuracy)} at step {switched_on.step:,}. Switched off in its "
        f"twin: from {percent(before[1].test_accuracy)} to {percent(switched_off.test_accuracy)}.",
        _curve(view, guess),
    )


def _deep(view: View) -> Reveal:
    plain, normalized = _latest(view)
    return Reveal(
        f"After {_steps(plain)} the network without batchnorm recognizes {percent(plain.test_accuracy)} of the test "
        f"digits, with it {percent(normalized.test_accuracy)}. {_reaching(plain, normalized)}",
        100 * plain.test_accuracy,
    )


def _lenet(view: View) -> Reveal:
    plain, normalized = _latest(view)
    return Reveal(
        f"LeNet after {_steps(plain)}: {percent(plain.test_accuracy)} without batchnorm, "
        f"{percent(normalized.test_accuracy)} with it. {_reaching(plain, normalized)}"
    )


def _tiny_batch(view: View) -> Reveal:
    plain, normalized = _latest(view)
    difference = normalized.test_loss - plain.test_loss
    size = view.experiment.training.batch_size
    return Reveal(
        f"With {size} digits a batch the test loss after {_steps(plain)} is {_nats(plain.test_loss)} without batchnorm "
        f"and {_nats(normalized.test_loss)} with it.",
        "alike" if abs(difference) < ALIKE_NATS else "with" if difference < 0 else "without",
    )


def _noisy(view: View) -> Reveal:
    plain, normalized, noisy = _latest(view)
    losses = (
        f"The test loss after {_steps(plain)} is {_nats(plain.test_loss)} without batchnorm, "
        f"{_nats(normalized.test_loss)} with it, and {_nats(noisy.test_loss)} with noise after it"
    )
    kept = measured.kept_gain(plain.test_loss, normalized.test_loss, noisy.test_loss)
    if not plain.test_loss - normalized.test_loss > ALIKE_NATS:
        return Reveal(f"{losses}: here batchnorm gained nothing that could be lost.")
    return Reveal(
        f"{losses}: {percent(max(kept, 0.0), 0)} of the gain is left.",
        "none" if kept < 0.25 else "half" if kept < 0.75 else "most",
    )


def _smooth(view: View) -> Reveal:
    courses = [smoothness.smoothness_course(view, i) for i in (0, 1)]
    changes = [smoothness.newest_median(each.change_high) for each in courses]
    slopes = [smoothness.newest_median(each.beta) for each in courses]
    if not all(math.isfinite(value) and value > 0 for value in (*changes, *slopes)):
        return Reveal("")
    apart = not any(are_alike(*pair) for pair in (changes, slopes))
    smaller = [with_ < without for without, with_ in (changes, slopes)]
    verdict = "neither clearly smoother nor less so"
    if apart and (all(smaller) or not any(smaller)):
        verdict = "smoother" if all(smaller) else "less smooth"
    (change, change_with), (slope, slope_with) = (tuple(map(significant, pair)) for pair in (changes, slopes))
    return Reveal(
        f"Within four step lengths the gradient changes by up to {change} without batchnorm and {change_with} with it; "
        f"a unit of the way changes it by up to {slope} and {slope_with} (medians over the last quarter of the run). "
        f"This loss is {verdict} with batchnorm."
    )


_RULES: dict[tuple[int, int], Callable[[View], Reveal]] = {
    (1, 0): _careless,
    (2, 0): _saturated,
    (3, 0): _scaled,
    (3, 1): _scaled_deep,
    (5, 0): _shifted,
    (8, 0): _rescued,
    (10, 0): _deep,
    (10, 1): _lenet,
    (11, 0): _tiny_batch,
    (12, 0): _noisy,
    (12, 1): _smooth,
    (12, 2): _smooth,
}


# -- words ----------------------------------------------------------------------------------------------------------


def _latest(view: View) -> tuple[VariantFrame, ...]:
    assert view.latest is not None
    return view.latest.variants


def _curve(view: View, guess: CurveGuess) -> tuple[float, ...] | None:
    """The measured heights of a drawn curve, cut at the ends of its axis as the reader's own is."""
    found = measured.loss_at(view, 0, guess.places)
    return tuple(np.clip(found, guess.y.low, guess.y.high).tolist()) if np.isfinite(found).all() else None


def _reaching(plain: VariantFrame, normalized: VariantFrame) -> str:
    shares = []
    for variant in (plain, normalized):
        first, last = float(variant.gradient_norm[0]), float(variant.gradient_norm[-1])
        if not (math.isfinite(first) and math.isfinite(last) and last > 0):
            return ""
        shares.append(first / last)
    return (
        f"Layer 1 gets {significant(shares[0])} of the output layer's gradient without it, "
        f"{significant(shares[1])} with it."
    )


def _steps(variant: VariantFrame) -> str:
    return counted(variant.step, "step")


def _nats(loss: float) -> str:
    return decimals(loss, 3)

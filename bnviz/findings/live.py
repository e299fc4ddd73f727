"""What the live lab's networks do at this moment: two or three plain sentences."""

import math
from collections.abc import Callable, Iterator

import numpy as np

from bnviz.experiment.choices import BOUNDED_OUTPUTS
from bnviz.experiment.layers import LN_10
from bnviz.records.frames import VariantFrame
from bnviz.records.history import VariantHistory, View
from bnviz.wording import decimals, times

UNINFORMED_WITHIN = 0.05  # nats around ln 10 that count as knowing nothing
FAR_GRADIENTS = 100.0  # times from layer to layer; a smaller change of the gradient neither vanishes nor explodes
EARLIEST_VERDICT = 200  # steps after which test losses are compared
SHOWN_AT_ONCE = 3  # findings


def live_findings(view: View) -> list[str]:
    """The findings that hold now, the most telling first."""
    if view.latest is None:
        return []
    rules: tuple[Callable[[View], Iterator[str]], ...] = (
        _diverged,
        _stuck,
        _before_training,
        _verdict,
        _far_gradients,
        _dead,
        _saturated,
        _calm,
    )
    found = dict.fromkeys(sentence for rule in rules for sentence in rule(view))
    return list(found)[:SHOWN_AT_ONCE]


def steps_near_ln_10(history: VariantHistory) -> int:
    """Return for how many steps, up to now, the mean loss of 50 steps has stayed within UNINFORMED_WITHIN of ln 10."""
    group = max(1, 50 // history.stride)
    usable = len(history.losses) // group * group
    if not usable:
        return 0
    means = history.losses[len(history.losses) - usable :].reshape(-1, group).mean(1)
    away = np.flatnonzero(~(np.abs(means - LN_10) <= UNINFORMED_WITHIN))
    count = len(means) - (away[-1] + 1 if len(away) else 0)
    return int(count) * group * history.stride


def _named(view: View) -> Iterator[tuple[str, int, VariantFrame]]:
    assert view.latest is not None
    yield from ((view.experiment.letters[i], i, v) for i, v in enumerate(view.latest.variants))


def _training(view: View) -> Iterator[tuple[str, int, VariantFrame]]:
    yield from (found for found in _named(view) if not found[2].diverged)


def _diverged(view: View) -> Iterator[str]:
    others = "the other networks go on" if any(_training(view)) else "none is left"
    for letter, _, variant in _named(view):
        if variant.diverged:
            yield (
                f"{letter} diverged: its loss stopped being a finite number at step {variant.step:,} and it no longer "
                f"trains. Its curves stay; {others}."
            )


def _stuck(view: View) -> Iterator[str]:
    for letter, i, variant in _named(view):
        steps = 0 if variant.diverged else steps_near_ln_10(view.variants[i])
        if steps < 150:
            continue
        stayed = f"its loss has stayed within {UNINFORMED_WITHIN:g} of ln 10 for {steps:,} steps"
        layer, share = _most_saturated(variant)
        activation = view.experiment.variants[i].network.activation
        if share > 0.5 and activation in BOUNDED_OUTPUTS:
            yield (
                f"Layer {layer} of {letter}: {share:.0%} of {activation} outputs are saturated, so almost no gradient "
                f"reaches the weights below; {stayed}."
            )
        else:
            yield f"{letter} has learned nothing yet: {stayed}."


def _before_training(view: View) -> Iterator[str]:
    assert view.latest is not None
    if view.latest.tick:
        return
    for letter, _, variant in _named(view):
        if not math.isfinite(variant.next_loss):
            yield f"Before the first step {letter}'s loss is not a finite number: its logits are too large to compute."
        elif variant.next_loss > LN_10 + 0.5:
            yield (
                f"Before the first step {letter}'s loss is {decimals(variant.next_loss)}, above ln 10 = {LN_10:.2f}: "
                "its logits are large, so it is sure of itself and mostly wrong."
            )
        else:
            yield (
                f"Before the first step {letter}'s loss is {variant.next_loss:.2f}, close to ln 10 = {LN_10:.2f}: it "
                "guesses all ten digits about equally."
            )
    for letter, i, variant in _named(view):
        layer, share = _most_saturated(variant)
        activation = view.experiment.variants[i].network.activation
        if share > 0.3 and activation in BOUNDED_OUTPUTS:
            yield f"{share:.0%} of the {activation} outputs in layer {layer} of {letter} are saturated from the start."


def _verdict(view: View) -> Iterator[str]:
    assert view.latest is not None
    running = [(letter, v) for letter, _, v in _training(view) if math.isfinite(v.test_loss)]
    if view.latest.step < EARLIEST_VERDICT or len(running) < 2 or len({v.step for _, v in running}) > 1:
        return  # too early, or a network that started over has not caught up yet
    (best, first), (worst, last) = (f(running, key=lambda found: found[1].test_loss) for f in (min, max))
    points = (first.test_accuracy - last.test_accuracy) * 100
    if last.test_loss - first.test_loss < 0.01:
        losses = f"{first.test_loss:.3f} to {last.test_loss:.3f}"
        yield f"After {view.latest.step:,} steps the test losses differ by less than 0.01 ({losses})."
        return
    yield (
        f"After {view.latest.step:,} steps {best} leads: test loss {first.test_loss:.2f} against {last.test_loss:.2f} "
        f"of {worst}, {abs(points):.1f} points {'more' if points >= 0 else 'less'} accuracy."
    )


def _far_gradients(view: View) -> Iterator[str]:
    for letter, _, variant in _training(view):
        first, last = float(variant.gradient_norm[0]), float(variant.gradient_norm[-1])
        if first < 1e-9:
            yield f"No gradient reaches the first layer of {letter}."
        elif len(variant.gradient_norm) > 2 and first < last / FAR_GRADIENTS < math.inf:
            yield (
                f"The gradient of {letter} vanishes on its way down: in layer 1 it is about {times(last / first)} "
                "smaller than in the output layer."
            )
        elif len(variant.gradient_norm) > 2 and 0 < last < first / FAR_GRADIENTS < math.inf:
            yield (
                f"The gradient of {letter} explodes on its way down: in layer 1 it is about {times(first / last)} "
                "larger than in the output layer."
            )


def _dead(view: View) -> Iterator[str]:
    for letter, i, variant in _training(view):
        for number, layer in enumerate(variant.layers, 1):
            units, kind = len(layer.mean), view.experiment.variants[i].network.hidden[number - 1].unit
            if layer.dead >= max(2, units // 10):
                yield f"Layer {number} of {letter}: {layer.dead} of {units} {kind}s give every digit the same output."
                break


def _saturated(view: View) -> Iterator[str]:
    for letter, i, variant in _training(view):
        layer, share = _most_saturated(variant)
        activation = view.experiment.variants[i].network.activation
        if share > 0.2 and activation in BOUNDED_OUTPUTS:
            yield f"Layer {layer} of {letter}: {share:.0%} of {activation} outputs are saturated."


def _calm(view: View) -> Iterator[str]:
    bounded = [v for _, i, v in _training(view) if view.experiment.variants[i].network.activation in BOUNDED_OUTPUTS]
    shares = [_most_saturated(v)[1] for v in bounded]
    if shares and max(shares) <= 0.2 and not any(_far_gradients(view)):
        yield f"No layer has more than {max(shares):.0%} of its outputs saturated: gradients pass."


def _most_saturated(variant: VariantFrame) -> tuple[int, float]:
    """Number of the layer, from 1, and its saturated share."""
    shares = [float(layer.saturated.mean()) for layer in variant.layers]
    most = int(np.argmax(shares))
    return most + 1, shares[most]

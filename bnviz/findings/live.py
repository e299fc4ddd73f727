"""What the live lab's networks do at this moment: two or three plain sentences."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from bnviz.analysis.learning import is_guessing, steps_without_learning
from bnviz.experiment.choices import BOUNDED_OUTPUTS
from bnviz.experiment.config import Variant
from bnviz.experiment.layers import LN_10
from bnviz.experiment.naming import network_conditions
from bnviz.experiment.wording import capitalized, decimals, listed, percent, times
from bnviz.findings.thresholds import FAR_GRADIENTS, MOSTLY_SATURATED, NO_GRADIENT
from bnviz.records.frames import VariantFrame
from bnviz.records.history import VariantHistory, View

STUCK_AFTER = 150  # steps without learning
VERDICT_AFTER = 200  # steps
EQUALLY_ACCURATE = 0.01  # of 1,000 test digits: the standard deviation of an accuracy of 10% or 90%
EQUAL_LOSSES = 0.01  # nats
SURE_BY = 0.5  # nats above ln 10, of a first loss that comes from large logits
SATURATED_FROM_START, SATURATED_NOW = 0.3, 0.2  # shares of a layer's outputs that are told
DEAD_SHARE = 0.1  # of a layer's units
SHOWN_AT_ONCE = 3  # findings


def live_findings(view: View) -> list[str]:
    """Return the findings that hold now, the most telling first."""
    if view.latest is None:
        return []
    rules: tuple[Callable[[View], Iterator[str]], ...] = (
        _diverged,
        _stuck,
        _saturated_from_start,
        _before_training,
        _verdict,
        _far_gradients,
        _dead,
        _saturated,
        _calm,
    )
    found = dict.fromkeys(sentence for rule in rules for sentence in rule(view))
    return [capitalized(sentence) for sentence in found][:SHOWN_AT_ONCE]


@dataclass(frozen=True)
class _Network:
    """One network now. condition: 'without batchnorm', as a sentence begins with it."""

    condition: str
    variant: Variant
    frame: VariantFrame
    history: VariantHistory

    @property
    def saturated(self) -> tuple[int, float]:
        """Number, from 1, and saturated share of the layer that is most saturated. The share is 0 unless the activation
        is flat at both ends: half of a healthy ReLU layer is flat, and no cause for alarm."""
        if self.variant.network.activation not in BOUNDED_OUTPUTS:
            return 1, 0.0
        shares = [float(layer.saturated.mean()) for layer in self.frame.layers]
        most = int(np.argmax(shares))
        return most + 1, shares[most]

    def saturation(self) -> str:
        """Words for the layer that is most saturated, and its share."""
        (layer, share), activation = self.saturated, self.variant.network.activation
        return f"{self.condition}, {percent(share, 0)} of the {activation} outputs in layer {layer} are saturated"


def _networks(view: View) -> list[_Network]:
    assert view.latest is not None
    parts = (network_conditions(view.experiment), view.experiment.variants, view.latest.variants, view.variants)
    return [_Network(*each) for each in zip(*parts, strict=True)]


def _training(view: View) -> list[_Network]:
    return [network for network in _networks(view) if not network.frame.diverged]


def _diverged(view: View) -> Iterator[str]:
    others = "the other networks go on" if _training(view) else "none is left"
    for network in _networks(view):
        if network.frame.diverged:
            yield (
                f"{network.condition}, training diverged: the loss stopped being a finite number at step "
                f"{network.frame.step:,}. Its curves stay; {others}."
            )


def _stuck(view: View) -> Iterator[str]:
    for network in _training(view):
        steps = steps_without_learning(network.history)
        if steps < STUCK_AFTER or not is_guessing(network.frame):
            continue
        stayed = (
            f"for more than {(steps - 1) // 50 * 50:,} steps the loss has been no better than ln 10 = {LN_10:.2f}, "
            "that of guessing"
        )
        if network.saturated[1] > MOSTLY_SATURATED:
            yield f"{network.saturation()}, so almost no gradient reaches the weights below: {stayed}."
        else:
            yield f"{network.condition}, nothing has been learned yet: {stayed}."


def _saturated_from_start(view: View) -> Iterator[str]:
    assert view.latest is not None
    for network in _training(view):
        if not view.latest.tick and network.saturated[1] > SATURATED_FROM_START:
            yield f"{network.saturation()} from the start."


def _before_training(view: View) -> Iterator[str]:
    """Networks whose first loss says the same share a sentence."""
    assert view.latest is not None
    if view.latest.tick:
        return
    reasons: dict[str, list[str]] = {}
    for network in _networks(view):
        loss = network.frame.next_loss
        if not math.isfinite(loss):
            why = ": the logits are too large to compute"
        elif loss > LN_10 + SURE_BY:
            why = f", above ln 10 = {LN_10:.2f}: the logits are large, so a network is sure of itself and mostly wrong"
        else:
            why = f", close to ln 10 = {LN_10:.2f}: all ten digits are guessed about equally"
        reasons.setdefault(why, []).append(f"{decimals(loss)} {network.condition}")
    for why, losses in reasons.items():
        yield f"before the first step the loss is {listed(losses)}{why}."


def _verdict(view: View) -> Iterator[str]:
    assert view.latest is not None
    running = [network for network in _training(view) if math.isfinite(network.frame.test_loss)]
    if view.latest.step < VERDICT_AFTER or len(running) < 2 or len({network.frame.step for network in running}) > 1:
        return  # too early, or a network that started over has not caught up yet
    after = f"after {view.latest.step:,} steps"
    if all(is_guessing(network.frame) for network in running):
        yield f"{after} no network does better than guessing, whose test loss is ln 10 = {LN_10:.2f}."
        return
    worst, *_, best = sorted(running, key=lambda network: network.frame.test_accuracy)
    low, high = worst.frame.test_accuracy, best.frame.test_accuracy
    if high - low > EQUALLY_ACCURATE:
        yield (
            f"{after} {percent(high)} of the test digits are classified correctly {best.condition}, {percent(low)} "
            f"{worst.condition}."
        )
        return
    best, *_, worst = sorted(running, key=lambda network: network.frame.test_loss)
    one, other = best.frame.test_loss, worst.frame.test_loss
    equal = f"{after} the networks are about equally accurate ({percent(low)} to {percent(high)})"
    if other - one < EQUAL_LOSSES:
        yield f"{equal}, and their test losses are alike ({one:.3f} to {other:.3f})."
    else:
        yield f"{equal}; the test loss is {one:.2f} {best.condition}, {other:.2f} {worst.condition}."


def _far_gradients(view: View) -> Iterator[str]:
    for network in _training(view):
        norms = network.frame.gradient_norm
        first, last = float(norms[0]), float(norms[-1])
        if first < NO_GRADIENT:
            yield f"{network.condition}, no gradient reaches the first layer."
        elif len(norms) > 2 and first < last / FAR_GRADIENTS < math.inf:
            yield (
                f"{network.condition}, the gradient vanishes towards the first layer: there it is about "
                f"{times(last / first)} smaller than in the output layer."
            )
        elif len(norms) > 2 and 0 < last < first / FAR_GRADIENTS < math.inf:
            yield (
                f"{network.condition}, the gradient explodes towards the first layer: there it is about "
                f"{times(first / last)} larger than in the output layer."
            )


def _dead(view: View) -> Iterator[str]:
    for network in _training(view):
        if network.saturated[1] > MOSTLY_SATURATED:  # which says the same, and why
            continue
        for number, layer in enumerate(network.frame.layers, 1):
            units, kind = len(layer.mean), network.variant.network.hidden[number - 1].unit
            if layer.dead >= max(2, int(units * DEAD_SHARE)):
                yield (
                    f"{network.condition}, {layer.dead} of {units} {kind}s in layer {number} are dead: at every digit "
                    "their slope is nearly 0."
                )
                break


def _saturated(view: View) -> Iterator[str]:
    for network in _training(view):
        if network.saturated[1] > SATURATED_NOW:
            yield f"{network.saturation()}."


def _calm(view: View) -> Iterator[str]:
    bounded = [network for network in _training(view) if network.variant.network.activation in BOUNDED_OUTPUTS]
    most = max((network.saturated[1] for network in bounded), default=1.0)
    if most <= SATURATED_NOW and not any(_far_gradients(view)):
        yield f"no layer has more than {percent(most, 0)} of its outputs saturated: gradients pass."

"""What follows from the measurements of an untrained network, or one after a few steps, in plain sentences."""

import math

import numpy as np

from bnviz.analysis.initialization import logit_spread
from bnviz.experiment.choices import BOUNDED_OUTPUTS
from bnviz.figures.normalization import scientific
from bnviz.findings.live import FAR, LN_10, counted
from bnviz.records.initialization import InitialNetwork, InitialSetting, Propagated, SignAgreement

MANY = 3.0  # times; a smaller change from the first layer to the last is called none


def findings(setting: InitialSetting, found: InitialNetwork) -> list[str]:
    """Activations, gradients, loss: one sentence each."""
    p = found.propagated
    return [_activations(setting, p), _gradients(p), _loss(found)]


def _activations(setting: InitialSetting, p: Propagated) -> str:
    name = setting.network.activation
    worst = int(np.nanargmax(p.saturated))
    if name in BOUNDED_OUTPUTS and p.saturated[worst] > 0.5:
        return (
            f"{p.saturated[worst]:.0%} of the {name} outputs in layer {worst + 1} are saturated: there its slope is "
            "nearly 0, and little gradient passes."
        )
    first, last = float(p.std[0]), float(p.std[-1])
    if not math.isfinite(first) or not math.isfinite(last):
        return "The activations grow past the largest number that a float of 4 bytes can hold."
    if first == 0 and last == 0:
        return "Every unit gives every digit the same output: nothing of the input gets through."
    if len(p.std) == 1:
        return f"The activations of the one hidden layer have a standard deviation of {_number(first)}."
    if last < first / MANY:
        return f"The activations fade: their standard deviation falls from {_number(first)} to {_number(last)}."
    if last > first * MANY:
        return f"The activations grow: their standard deviation rises from {_number(first)} to {_number(last)}."
    return f"The activations keep their spread: {_number(first)} in the first layer, {_number(last)} in the last."


def _gradients(p: Propagated) -> str:
    first, last = float(p.gradient[0]), float(p.gradient[-2])
    if not math.isfinite(first) or not math.isfinite(last):
        return "Its gradients are no finite numbers."
    if first == 0:
        return "No gradient reaches the first layer, so its weights stay as they are."
    if len(p.std) == 1:
        return f"The gradient of the hidden layer has size {_number(first)}, of the logits {_number(p.gradient[-1])}."
    if first < last / MANY:
        verb = "vanishes" if first < last / FAR else "shrinks"
        return f"Going back, the gradient {verb}: {_number(last / first)} times smaller in layer 1 than in the last."
    if first > last * MANY:
        verb = "explodes" if first > last * FAR else "grows"
        return f"Going back, the gradient {verb}: {_number(first / last)} times larger in layer 1 than in the last."
    return f"Going back, the gradient keeps its size: {_number(last)} in the last layer, {_number(first)} in the first."


def _loss(found: InitialNetwork) -> str:
    loss = found.propagated.loss
    if not math.isfinite(loss):
        return "Its loss is not a finite number: the logits are too large to compute."
    said = f"The loss on these digits is {_number(loss)}; knowing nothing gives ln 10 = {LN_10:.3f}."
    values = found.logits.astype(float)
    right = float((values.argmax(axis=1) == found.labels).mean())
    if found.steps:
        return f"{said} After {counted(found.steps)} {right:.0%} of them are named rightly."
    if loss < LN_10 + 0.05:
        return said
    spread = logit_spread(values)
    if spread.between > 0.9 * spread.within:
        return f"{said} What is above it comes from logits that favour the same classes for every digit."
    return (
        f"{said} What is above it comes from logits that spread by {_number(spread.within)}, and favour the right "
        f"class for {right:.0%} of the digits."
    )


def agreement(setting: InitialSetting, found: SignAgreement, size: int) -> str:
    """What the inputs' sign does to the gradients of a neuron."""
    shares = {kind: found.shares[kind, size] for kind in ("raw", "standardized", "centred")}
    if not all(map(len, shares.values())):
        return "No finite gradient but 0 reaches the first layer of this network, so there are no signs to compare."
    raw, standardized, centred = (float(share.mean()) for share in shares.values())
    if setting.batchnorm:
        return (
            f"With batchnorm a neuron's gradients sum to 0 over the batch, so a shift of its inputs does nothing: raw "
            f"{raw:.0%}, centred {centred:.0%}."
        )
    digits = "one digit" if size == 1 else f"a batch of {size}"
    return (
        f"With {digits}, {raw:.0%} of a neuron's weights move the same way on raw pixels, {standardized:.0%} on "
        f"standardized ones, {centred:.0%} where every pixel has its own mean taken out."
    )


def _number(value: float) -> str:
    """Three digits; a power of ten where plain digits would be many."""
    if value and not 1e-3 <= value < 1e5:
        return scientific(value)
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

"""What follows from the measurements of an untrained network, or one after a few steps, in plain sentences."""

import math

import numpy as np

from bnviz.analysis.initialization import logit_spread
from bnviz.analysis.learning import UNINFORMED_WITHIN
from bnviz.experiment.choices import BOUNDED_OUTPUTS
from bnviz.experiment.layers import LN_10
from bnviz.experiment.wording import counted, percent, significant, times
from bnviz.findings.thresholds import FAR_GRADIENTS, MOSTLY_SATURATED
from bnviz.records.initialization import InitialNetwork, InitialSetting, Propagated, SignAgreement

CHANGED_SPREAD = 3.0  # times from the first layer to the last; a smaller change is called none


def initialization_findings(setting: InitialSetting, found: InitialNetwork) -> list[str]:
    """Return what follows for activations, gradients and loss, one sentence each."""
    p = found.propagated
    return [_activations(setting, p), _gradients(p), _loss(found)]


def _activations(setting: InitialSetting, p: Propagated) -> str:
    name = setting.network.activation
    worst = int(np.nanargmax(p.saturated))
    if name in BOUNDED_OUTPUTS and p.saturated[worst] > MOSTLY_SATURATED:
        return (
            f"{percent(p.saturated[worst], 0)} of the {name} outputs in layer {worst + 1} are saturated: there its "
            "slope is nearly 0, and little gradient passes."
        )
    first, last = float(p.std[0]), float(p.std[-1])
    if not math.isfinite(first) or not math.isfinite(last):
        return "The activations grow past the largest number that a float of 4 bytes can hold."
    if first == 0 and last == 0:
        return "Every unit gives every digit the same output: nothing of the input gets through."
    if len(p.std) == 1:
        return f"The activations of the one hidden layer have a standard deviation of {significant(first)}."
    if last < first / CHANGED_SPREAD:
        return f"The activations fade: their standard deviation falls from {significant(first)} to {significant(last)}."
    if last > first * CHANGED_SPREAD:
        return f"The activations grow: their standard deviation rises from {significant(first)} to {significant(last)}."
    return (
        f"The activations keep their spread: {significant(first)} in the first layer, {significant(last)} in the last."
    )


def _gradients(p: Propagated) -> str:
    first, last = float(p.gradient[0]), float(p.gradient[-2])
    if not math.isfinite(first) or not math.isfinite(last):
        return "Its gradients are no finite numbers."
    if first == 0:
        return "No gradient reaches the first layer, so its weights stay as they are."
    if len(p.std) == 1:
        return (
            f"The gradient of the hidden layer has size {significant(first)}, that of the logits "
            f"{significant(float(p.gradient[-1]))}."
        )
    if first < last / CHANGED_SPREAD:
        verb = "vanishes" if first < last / FAR_GRADIENTS else "shrinks"
        return f"Going back, the gradient {verb}: {times(last / first)} smaller in layer 1 than in the last."
    if first > last * CHANGED_SPREAD:
        verb = "explodes" if first > last * FAR_GRADIENTS else "grows"
        return f"Going back, the gradient {verb}: {times(first / last)} larger in layer 1 than in the last."
    return (
        f"Going back, the gradient keeps its size: {significant(last)} in the last layer, {significant(first)} in the "
        "first."
    )


def _loss(found: InitialNetwork) -> str:
    loss = found.propagated.loss
    if not math.isfinite(loss):
        return "Its loss is not a finite number: the logits are too large to compute."
    said = f"The loss on these digits is {significant(loss)}; knowing nothing gives ln 10 = {LN_10:.3f}."
    values = found.logits.astype(float)
    right = float((values.argmax(axis=1) == found.labels).mean())
    if found.steps:
        return f"{said} After {counted(found.steps, 'step')} {percent(right, 0)} of them are classified correctly."
    if loss < LN_10 + UNINFORMED_WITHIN:
        return said
    spread = logit_spread(values)
    if spread.between > 0.9 * spread.within:
        return f"{said} What is above it comes from logits that favour the same classes for every digit."
    return (
        f"{said} What is above it comes from logits that spread by {significant(spread.within)}, and favour the right "
        f"class for {percent(right, 0)} of the digits."
    )


def sign_findings(setting: InitialSetting, found: SignAgreement, size: int) -> str:
    """Return what the sign of the inputs does to the gradients of a neuron."""
    shares = {kind: found.shares[kind, size] for kind in ("raw", "standardized", "centred")}
    if not all(map(len, shares.values())):
        return "No finite gradient but 0 reaches the first layer of this network, so there are no signs to compare."
    raw, standardized, centred = (float(share.mean()) for share in shares.values())
    if setting.batchnorm:
        return (
            f"With batchnorm a neuron's gradients sum to 0 over the batch, so a shift of its inputs does nothing: raw "
            f"{percent(raw, 0)}, centred {percent(centred, 0)}."
        )
    digits = "one digit" if size == 1 else f"a batch of {size}"
    return (
        f"With {digits}, {percent(raw, 0)} of a neuron's weights move the same way on raw pixels, "
        f"{percent(standardized, 0)} on standardized ones, {percent(centred, 0)} where every pixel has its own mean "
        "taken out."
    )

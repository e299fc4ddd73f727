"""Rules on how normalization is used: over what, after what, how often, with which settings."""

import math
from collections.abc import Callable, Iterator

import numpy as np

from bnviz.experiment.wording import counted, exact, percent, significant
from bnviz.findings.own_network.seen import SeenNormalization, Whole, found
from bnviz.findings.own_network.table import RULES
from bnviz.records.own_network import Finding, NormalizationLook, Severity

DECAY_STEPS = 10_000  # after which a finding says what is left of γ


def _few_values(seen: SeenNormalization, whole: Whole) -> Iterator[Finding]:
    limit = RULES["few_values"].limits["values"]
    if not seen.how.over_batch or not seen.now.training or not seen.now.values.size:
        return
    values = int(seen.now.values.min())
    if values <= limit:
        text = f"{seen.layer.name} takes its statistics over {counted(values, 'value')} a channel."
        yield found("few_values", "serious", seen.layer, text, f"more than {exact(limit)}", values=values)


def _keras(seen: SeenNormalization, whole: Whole) -> Iterator[Finding]:
    limits, m = RULES["keras_momentum"].limits, seen.how.momentum
    if seen.averages and m is not None and limits["momentum"] <= m < limits["below"]:
        noise = m / (2 - m)
        text = (
            f"{seen.layer.name} has momentum {exact(m)}: its running statistics are as noisy as {percent(noise, 0)} of "
            "one batch's variance. Keras means the share of the old by it."
        )
        yield found(
            "keras_momentum", "serious", seen.layer, text, f"below {exact(limits['momentum'])}", momentum=m, noise=noise
        )


def _apart(now: NormalizationLook) -> tuple[float, float]:
    """The share of channels whose batches differ too much to be of one distribution, and the median distance in σ."""
    limits = RULES["two_distributions"].limits
    if len(now.batch_mean) < 2 or not now.population_var.size:
        return 0.0, 0.0
    sigma = np.sqrt(np.maximum(now.population_var, 1e-30))
    distance = (now.batch_mean.max(axis=0) - now.batch_mean.min(axis=0)) / sigma
    return float((distance > limits["apart"]).mean()), float(np.median(distance))


def _two_distributions(seen: SeenNormalization, whole: Whole) -> Iterator[Finding]:
    limits = RULES["two_distributions"].limits
    if not seen.averages or not seen.now.training:
        return
    share, distance = _apart(seen.now)
    if share > limits["channels"]:
        text = f"The batches that {seen.layer.name} sees are {significant(distance, 2)} σ apart."
        yield found(
            "two_distributions",
            "serious",
            seen.layer,
            text,
            f"{exact(limits['apart'])} σ in {percent(limits['channels'], 0)} of the channels",
            apart=distance,
            channels=share,
        )


def _used_twice(seen: SeenNormalization, whole: Whole) -> Iterator[Finding]:
    if seen.averages and seen.now.training and seen.now.uses > RULES["used_twice"].limits["uses"]:
        text = f"{seen.layer.name} is used {seen.now.uses} times in one forward pass."
        yield found("used_twice", "warning", seen.layer, text, "once", uses=seen.now.uses)


def _half_frozen(seen: SeenNormalization, whole: Whole) -> Iterator[Finding]:
    if seen.averages and seen.now.training and seen.how.learns is False and seen.how.momentum != 0:
        text = f"γ and β of {seen.layer.name} do not learn, and its running statistics still move."
        yield found("half_frozen", "serious", seen.layer, text, "eval mode", momentum=seen.how.momentum or math.nan)


def _bias_before(seen: SeenNormalization, whole: Whole) -> Iterator[Finding]:
    before = whole.by_name.get(seen.layer.takes)
    if seen.how.over_batch and seen.now.training and before and before.bias:
        text = f"{before.name} adds a bias, which {seen.layer.name} takes away again."
        yield found("bias_before", "note", before, text, "no bias", biases=1)


def _decay(seen: SeenNormalization, whole: Whole) -> Iterator[Finding]:
    if seen.how.learns and seen.how.decay > RULES["decay_on_norm"].limits["decay"]:
        left = (1 - seen.how.rate * seen.how.decay) ** DECAY_STEPS
        text = (
            f"Weight decay {exact(seen.how.decay)} on γ and β of {seen.layer.name}: without gradient, "
            f"{percent(left, 0)} of them would be left after {DECAY_STEPS:,} steps."
        )
        yield found("decay_on_norm", "note", seen.layer, text, "0", decay=seen.how.decay, left=left)


def _dropout_before(seen: SeenNormalization, whole: Whole) -> Iterator[Finding]:
    before = whole.by_name.get(seen.layer.takes)
    if before and before.kind in ("linear", "convolution"):
        before = whole.by_name.get(before.takes)
    if seen.averages and seen.now.training and before and before.kind == "dropout" and before.dropout:
        text = f"{before.name} drops {percent(before.dropout, 0)} right before {seen.layer.name}."
        yield found("dropout_before", "warning", seen.layer, text, "no dropout", dropout=before.dropout)


def _no_effect(seen: SeenNormalization, whole: Whole) -> Iterator[Finding]:
    limits, gamma = RULES["no_effect"].limits, np.abs(seen.now.gamma)
    share = float((gamma < limits["gamma"]).mean()) if gamma.size else 0.0
    if share > limits["channels"]:
        text = f"γ is below {exact(limits['gamma'])} in {percent(share, 0)} of the channels of {seen.layer.name}."
        severity: Severity = "note" if seen.untouched and not gamma.any() else "warning"
        yield found(
            "no_effect", severity, seen.layer, text, f"{percent(limits['channels'], 0)} of the channels", share=share
        )


ON_USE: tuple[Callable[[SeenNormalization, Whole], Iterator[Finding]], ...] = (
    _few_values,
    _keras,
    _two_distributions,
    _used_twice,
    _half_frozen,
    _bias_before,
    _decay,
    _dropout_before,
    _no_effect,
)

"""Rules on running statistics: whether eval mode can go by them."""

import math
from collections.abc import Callable, Iterator

import numpy as np

from bnviz.experiment.wording import counted, exact, percent, significant, times
from bnviz.findings.own_network.seen import SeenNormalization, Whole, found
from bnviz.findings.own_network.table import RULES
from bnviz.records.own_network import Finding, Floats, NormalizationLook, Severity

BESIDE = 2.0  # standard errors that an average over a few batches may be off by itself
SMALLEST_LOSS = 0.01  # below it, half of a loss is no difference worth telling


def losses_apart(whole: Whole) -> Iterator[Finding]:
    """Compare the loss with the statistics of each batch and with the running ones."""
    batch, evaluated = whole.look.batch_loss, whole.look.eval_loss
    if math.isnan(batch) or math.isnan(evaluated) or all(n.untouched for n in whole.normalizations):
        return
    limit = RULES["train_eval_apart"].limits["loss"]
    if abs(evaluated - batch) > limit * max(abs(batch), SMALLEST_LOSS):
        text = (
            f"The loss is {significant(batch)} with the statistics of each batch and {significant(evaluated)} with "
            "the running statistics."
        )
        yield found(
            "train_eval_apart",
            "serious",
            None,
            text,
            f"{percent(limit, 0)} apart",
            batch_loss=batch,
            eval_loss=evaluated,
        )


def _statistics_not_finite(seen: SeenNormalization) -> Iterator[Finding]:
    if seen.now.unfit:
        text = (
            f"Running statistics of {counted(seen.now.unfit, 'channel')} of {seen.layer.name} are not finite, or a "
            "variance is negative."
        )
        yield found("not_finite", "serious", seen.layer, text, "finite, variance from 0", channels=seen.now.unfit)


def _never_updated(seen: SeenNormalization) -> Iterator[Finding]:
    if seen.untouched:
        text = f"The running statistics of {seen.layer.name} are mean 0 and variance 1: no batch is in them."
        yield found("never_updated", "warning", seen.layer, text, "counter above 0", counter=0)


def _not_converged(seen: SeenNormalization) -> Iterator[Finding]:
    limits, share = RULES["average_not_converged"].limits, seen.beginning
    if share > limits["share"]:
        counter, momentum = seen.now.counter or 0, seen.how.momentum or 0.0
        needed = math.ceil(math.log(limits["share"]) / math.log1p(-momentum)) if momentum else math.inf
        text = (
            f"After {counter:,} batches with momentum {exact(momentum)}, {percent(share)} of the running statistics of "
            f"{seen.layer.name} are what they began with; 1% takes {significant(needed)} batches."
        )
        severity: Severity = "serious" if share > limits["serious"] else "warning"
        yield found(
            "average_not_converged",
            severity,
            seen.layer,
            text,
            "(1 − m)^counter at most 0.01",
            share=share,
            counter=counter,
            momentum=momentum,
            needed=needed,
        )


def _channels_off(now: NormalizationLook, eps: float) -> tuple[Floats, Floats]:
    """Distances of the running means in σ, and ratios of variances, both less what the batches at hand explain."""
    k = max(len(now.batch_mean), 1)
    error_of_mean = now.batch_mean.std(axis=0) / math.sqrt(k) if k > 1 else np.zeros_like(now.population_mean)
    error_of_var = now.batch_var.std(axis=0) / math.sqrt(k) if k > 1 else np.zeros_like(now.population_var)
    sigma = np.sqrt(now.population_var + eps)
    distance = np.maximum(np.abs(now.running_mean - now.population_mean) - BESIDE * error_of_mean, 0) / sigma
    low, high = np.maximum(now.population_var - BESIDE * error_of_var, 0), now.population_var + BESIDE * error_of_var
    nearest = np.clip(now.running_var, low, high)
    return distance, (now.running_var + eps) / (nearest + eps)


def _running_off(seen: SeenNormalization) -> Iterator[Finding]:
    limits, now = RULES["running_off"].limits, seen.now
    known = seen.averages and now.population_mean.size == now.running_mean.size and not now.unfit
    if not known or seen.untouched or seen.beginning > RULES["average_not_converged"].limits["share"]:
        return
    distance, ratio = _channels_off(now, seen.how.eps)
    off = (distance > limits["mean"]) | (ratio < limits["low"]) | (ratio > limits["high"])
    share = float(off.mean())
    if share > limits["channels"]:
        worst_mean, worst_ratio = float(distance.max()), float(np.exp(np.abs(np.log(ratio)).max()))
        text = (
            f"In {percent(share, 0)} of the channels of {seen.layer.name} the running statistics are not those of "
            f"these batches: the means are up to {significant(worst_mean)} σ apart, the variances up to "
            f"{times(worst_ratio)}."
        )
        severity: Severity = "serious" if share > limits["serious"] else "warning"
        yield found(
            "running_off",
            severity,
            seen.layer,
            text,
            f"{exact(limits['mean'])} σ, variance ratio {exact(limits['low'])} to {exact(limits['high'])}, in "
            f"{percent(limits['channels'], 0)} of the channels",
            channels=share,
            mean=worst_mean,
            variance=worst_ratio,
        )


def _near_eps(seen: SeenNormalization) -> Iterator[Finding]:
    limits = RULES["variance_near_eps"].limits
    variance = seen.now.running_var if seen.averages and not seen.untouched else seen.now.population_var
    if not seen.how.over_batch or not variance.size or seen.now.unfit:
        return
    share = float((variance < limits["times"] * seen.how.eps).mean())
    if share:
        below = float((variance < seen.how.eps).mean())
        severity: Severity = (
            "serious" if below > limits["serious"] else "warning" if share > limits["channels"] else "note"
        )
        text = (
            f"{percent(share, 0)} of the channels of {seen.layer.name} have a variance below 10 ε; the smallest is "
            f"{significant(float(variance.min()))}, ε is {exact(seen.how.eps)}."
        )
        yield found(
            "variance_near_eps",
            severity,
            seen.layer,
            text,
            f"{exact(limits['times'])} ε",
            channels=share,
            below=below,
            smallest=float(variance.min()),
            eps=seen.how.eps,
        )


def _outputs_apart(seen: SeenNormalization) -> Iterator[Finding]:
    limit = RULES["train_eval_apart"].limits["alike"]
    if seen.averages and not seen.untouched and seen.now.alike < limit:
        text = (
            f"The outputs of {seen.layer.name} with the statistics of the batch and with the running ones are alike "
            f"by {significant(seen.now.alike, 2)} (the cosine between them)."
        )
        yield found("train_eval_apart", "warning", seen.layer, text, f"{exact(limit)}", alike=seen.now.alike)


ON_STATISTICS: tuple[Callable[[SeenNormalization], Iterator[Finding]], ...] = (
    _statistics_not_finite,
    _never_updated,
    _not_converged,
    _running_off,
    _near_eps,
    _outputs_apart,
)

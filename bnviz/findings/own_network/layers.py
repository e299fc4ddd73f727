"""Rules on the whole network, and on each of its layers: losses, gradients, units, weights."""

import math
from collections.abc import Callable, Iterator

from bnviz.experiment.wording import counted, exact, percent, significant, times
from bnviz.findings.own_network.seen import Seen, Whole, found
from bnviz.findings.own_network.table import RULES
from bnviz.records.own_network import Finding, Severity


def _loss_not_finite(whole: Whole) -> Iterator[Finding]:
    if math.isinf(whole.look.loss) or (math.isnan(whole.look.loss) and not math.isnan(whole.look.first_loss)):
        yield found("not_finite", "serious", None, "The loss is not finite.", "finite", loss=whole.look.loss)


def _first_loss(whole: Whole) -> Iterator[Finding]:
    classes, first = whole.network.classes, whole.look.first_loss
    if not classes:
        return
    guessing, above = math.log(classes), RULES["first_loss"].limits["above"]
    if first > guessing + above:
        text = f"The first loss is {significant(first)}; guessing costs ln {classes} = {significant(guessing)}."
        yield found(
            "first_loss", "warning", None, text, f"ln {classes} + {exact(above)}", loss=first, guessing=guessing
        )


def _gradient_range(whole: Whole) -> Iterator[Finding]:
    learning = [s for s in whole.seen if s.layer.weights and math.isfinite(s.look.gradient)]
    if len(learning) < 2 or not learning[-1].look.gradient:
        return
    first, last = learning[0], learning[-1]
    limits, ratio = RULES["gradient_range"].limits, first.look.gradient / last.look.gradient
    factor = max(ratio, 1 / ratio if ratio else math.inf)
    if factor <= limits["times"]:
        return
    severity: Severity = "serious" if limits["serious"] < factor < math.inf else "warning"
    if ratio:
        text = (
            f"The gradient of {first.layer.name} is {times(factor)} {'larger' if ratio > 1 else 'smaller'} than that "
            f"of {last.layer.name}."
        )
    else:
        text = f"No gradient reaches {first.layer.name}, though {last.layer.name} has some: does a layer begin at 0?"
    yield found(
        "gradient_range",
        severity,
        first.layer,
        text,
        f"a factor of {exact(limits['times'])}",
        first=first.look.gradient,
        last=last.look.gradient,
        ratio=ratio,
    )


def _last_batch(whole: Whole) -> Iterator[Finding]:
    over_batch = [n for n in whole.normalizations if n.how.over_batch and n.now.training]
    if whole.network.last_batch != 1 or not over_batch:
        return
    examples = whole.look.examples
    fails = next((n for n in over_batch if examples and n.now.values.size and n.now.values.min() == examples), None)
    text = "The last batch of an epoch has 1 example" + (
        f", and {fails.layer.name} has one value a channel for each: train mode fails there." if fails else "."
    )
    yield found(
        "last_batch_of_one",
        "serious" if fails else "warning",
        fails.layer if fails else over_batch[0].layer,
        text,
        "2 examples",
        examples=1,
    )


def _weights_not_finite(seen: Seen) -> Iterator[Finding]:
    if seen.look.unfit:
        text = f"{counted(seen.look.unfit, 'weight')} of {seen.layer.name} are not finite."
        yield found("not_finite", "serious", seen.layer, text, "finite", weights=seen.look.unfit)


def _saturated(seen: Seen) -> Iterator[Finding]:
    limit, share = RULES["saturated"].limits["share"], seen.look.saturated
    if share > limit:
        text = f"{percent(share, 0)} of the values of {seen.layer.name} ({seen.layer.module}) are saturated."
        yield found("saturated", "serious", seen.layer, text, percent(limit, 0), saturated=share)


def _dead(seen: Seen) -> Iterator[Finding]:
    limits, share = RULES["dead"].limits, seen.look.dead
    if share > limits["units"]:
        severity: Severity = "serious" if share > limits["serious"] else "warning"
        where = f"{seen.layer.name} ({seen.layer.module})"
        text = f"{percent(share, 0)} of the units of {where} have slope 0 for every input here."
        yield found("dead", severity, seen.layer, text, f"{percent(limits['units'], 0)} of the units", dead=share)


def _update_ratio(seen: Seen) -> Iterator[Finding]:
    limits, ratio = RULES["update_ratio"].limits, seen.look.update
    if seen.layer.weights and ratio and math.isfinite(ratio) and not limits["low"] <= ratio <= limits["high"]:
        text = f"A step changes the weights of {seen.layer.name} by {significant(ratio)} of their standard deviation."
        threshold = f"{exact(limits['low'])} to {exact(limits['high'])}"
        yield found("update_ratio", "warning", seen.layer, text, threshold, ratio=ratio)


ON_NETWORK: tuple[Callable[[Whole], Iterator[Finding]], ...] = (
    _loss_not_finite,
    _last_batch,
    _gradient_range,
    _first_loss,
)
ON_LAYER: tuple[Callable[[Seen], Iterator[Finding]], ...] = (_weights_not_finite, _saturated, _dead, _update_ratio)

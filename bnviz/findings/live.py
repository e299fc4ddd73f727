"""Two or three plain sentences that follow from what is on the screen."""

import math
from collections.abc import Callable, Iterator

import numpy as np

from bnviz.analysis.inference import error, watched
from bnviz.experiment.choices import BOUNDED_OUTPUTS
from bnviz.figures.normalization import scientific
from bnviz.records.frames import BATCH_SIZES, Answers, VariantFrame
from bnviz.records.history import VariantHistory, View

LN_10 = math.log(10)
NEAR = 0.05  # nats around ln 10 that count as knowing nothing
FAR = 100.0  # times; a smaller change of the gradient on its way down is no vanishing and no explosion
RECENT = 200  # steps whose mean loss is compared
MOST = 3  # findings shown at once


def findings(view: View) -> list[str]:
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
    return list(found)[:MOST]


def inference_findings(view: View) -> list[str]:
    """What a watched network shows of batchnorm's two modes, over the units of its first layer."""
    found = watched(view)
    if not found:
        return []
    step, frame = found[-1]
    running, batch = (error(frame.layers[0], kind, "mean") for kind in ("running", "batch"))
    losses = frame.losses
    sentences = [
        f"After {counted(step)} the running means of layer 1 are {running:.2f} standard deviations off those of the "
        f"population, the means of one batch {batch:.2f}."
    ]
    if all(math.isfinite(loss) for loss in losses.values()):
        few, many = str(BATCH_SIZES[0]), str(BATCH_SIZES[-1])
        sentences.append(
            f"Test loss: {losses['eval']:.3f} in eval mode, {losses['population']:.3f} with population statistics; in "
            f"training mode {losses[many]:.3f} in batches of {many}, {losses[few]:.3f} in batches of {few}."
        )
    return sentences


def company(found: Answers) -> list[str]:
    """One digit's answers in words, in HTML."""
    first = found.evaluated[0]
    apart = float(np.abs(found.evaluated - first).max())
    same = "the same to the last bit" if apart == 0 else f"with probabilities up to {apart:.1%} apart"
    best = int(first.argmax())
    refused = f"refused. <i>{found.alone[0].upper()}{found.alone[1:]}.</i>"
    sentences = [f"<b>Training mode, alone</b>: {refused}"]
    if len(found.evaluated) == 3:
        said = f"alone, among 31 and among 255 other digits {same}."
    else:
        said = f"among 31 and among 255 other digits {same}."
        sentences.insert(0, f"<b>Eval mode, alone</b>: {refused}")
    sentences.insert(0, f"<b>Eval mode</b> says <b>{best}</b> ({first[best]:.1%}): {said}")
    for size, drawn in found.trained.items():
        agree = int((drawn.argmax(1) == best).sum())
        low, high = float(drawn[:, best].min()), float(drawn[:, best].max())
        sentences.append(
            f"<b>Training mode, batches of {size}</b>: {agree} of {len(drawn)} say {best}; with the company its "
            f"probability goes from {low:.1%} to {high:.1%}."
        )
    return sentences


def steps_near_ln_10(history: VariantHistory) -> int:
    """For how many steps, up to now, the loss has stayed within NEAR of ln 10 (mean over points of 50 steps)."""
    group = max(1, 50 // history.stride)
    usable = len(history.losses) // group * group
    if not usable:
        return 0
    means = history.losses[len(history.losses) - usable :].reshape(-1, group).mean(1)
    away = np.flatnonzero(~(np.abs(means - LN_10) <= NEAR))
    count = len(means) - (away[-1] + 1 if len(away) else 0)
    return int(count) * group * history.stride


def counted(steps: int) -> str:
    return "1 step" if steps == 1 else f"{steps:,} steps"


def _times(ratio: float) -> str:
    """Two significant digits: '210', '8.7 · 10⁷'."""
    return f"{float(f'{ratio:.1e}'):,.0f}" if ratio < 99_500 else scientific(ratio)


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
        stayed = f"its loss has stayed within {NEAR:g} of ln 10 for {steps:,} steps"
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
                f"Before the first step {letter}'s loss is {_loss(variant)}, above ln 10 = {LN_10:.2f}: its "
                "logits are large, so it is sure of itself and mostly wrong."
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
    if view.latest.step < RECENT or len(running) < 2 or len({v.step for _, v in running}) > 1:
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
        elif len(variant.gradient_norm) > 2 and first < last / FAR < math.inf:
            yield (
                f"The gradient of {letter} vanishes on its way down: in layer 1 it is about {_times(last / first)} "
                "times smaller than in the output layer."
            )
        elif len(variant.gradient_norm) > 2 and 0 < last < first / FAR < math.inf:
            yield (
                f"The gradient of {letter} explodes on its way down: in layer 1 it is about {_times(first / last)} "
                "times larger than in the output layer."
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


def _loss(variant: VariantFrame) -> str:
    return f"{variant.next_loss:.2f}" if variant.next_loss < 1000 else f"{variant.next_loss:.2g}"


def _most_saturated(variant: VariantFrame) -> tuple[int, float]:
    """Number of the layer, from 1, and its saturated share."""
    shares = [float(layer.saturated.mean()) for layer in variant.layers]
    most = int(np.argmax(shares))
    return most + 1, shares[most]

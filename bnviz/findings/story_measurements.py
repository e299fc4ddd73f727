"""What chapters of the story showed that look at something other than a run's end, in sentences of measured numbers."""

import math
from collections.abc import Mapping

import numpy as np

from bnviz.analysis import story as measured
from bnviz.analysis.inference import inference_frames, statistic_error
from bnviz.analysis.initialization import softmax
from bnviz.analysis.learning import UNINFORMED_WITHIN
from bnviz.experiment.story import COMPANIES
from bnviz.experiment.sweep import Sweep
from bnviz.experiment.wording import decimals, listed, percent, significant
from bnviz.findings.story import Reveal
from bnviz.records.answers import Answers
from bnviz.records.frames import Floats
from bnviz.records.history import View
from bnviz.records.initialization import InitialNetwork
from bnviz.records.sweep import SweepResults, cells


def first_losses_reveal(knows_nothing: InitialNetwork, careless: InitialNetwork) -> Reveal:
    """Chapter 0: two untrained networks, one with all weights 0."""
    losses = [found.propagated.loss for found in (knows_nothing, careless)]
    if not all(map(math.isfinite, losses)):
        return Reveal("The loss of one of these networks is not a finite number.")
    equal, surest = (softmax(found.logits).max(axis=1).mean() for found in (knows_nothing, careless))
    right = float((careless.logits.argmax(axis=1) == careless.labels).mean())
    sentence = (
        f"The network whose weights are all 0 gives its likeliest digit {percent(equal)}, and its loss is "
        f"{losses[0]:.3f}. The careless one gives it {percent(surest, 0)} on average, is right about "
        f"{percent(right, 0)} of the digits, and its loss is {losses[1]:.2f}"
    )
    verdict = ": confident and wrong." if surest > 2 * right and losses[1] > losses[0] + UNINFORMED_WITHIN else "."
    return Reveal(sentence + verdict, losses[0])


def spreads_reveal(act: int, first: InitialNetwork, second: InitialNetwork, *, guessed: bool) -> Reveal:
    """Chapter 4: what is left of activations and gradients at the end of their way through two networks."""
    yours = "Your σ" if guessed else "Without a guess, σ"
    names = (yours, "Xavier's σ") if act == 0 else ("With Xavier's σ", "With He's σ")
    told = []
    for name, found in zip(names, (first, second), strict=True):
        p, drawn = found.propagated, significant(found.weights[1].std)
        spread, faded = significant(float(p.std[0])), significant(float(p.std[-1]))
        back, front = significant(float(p.gradient[-2])), significant(float(p.gradient[0]))
        told.append(
            f"{name}, {drawn}: the spread of the activations goes from {spread} in layer 1 to {faded} in layer "
            f"{len(p.std)}, the gradient on its way back from {back} to {front}."
        )
    sigma = second.weights[1].std
    return Reveal(" ".join(told), sigma if act == 0 and math.isfinite(sigma) else None)


def batch_reveal(ringed: Floats, normalized: Floats, undone: float, bias: float, changed: float) -> Reveal:
    """Chapter 6. ringed, normalized: one point before and after, (2,). undone, changed: largest differences left by
    gamma = sigma and beta = mu, and by a bias before batchnorm."""
    before, after = (f"({decimals(x)}, {decimals(y)})" for x, y in (ringed, normalized))
    return Reveal(
        f"The ringed point goes from {before} to {after}. With γ = σ and β = μ the layer gives back what it got, but "
        f"for {significant(undone)}; a bias of {bias:g} before it changes what comes out by {significant(changed)}.",
        (float(normalized[0]), float(normalized[1])),
    )


def variances_reveal(estimates: Mapping[int, tuple[Floats, Floats]]) -> Reveal:
    """Chapter 7: batch size -> biased and unbiased estimates, as shares of the true variance."""
    small, large = min(estimates), max(estimates)
    (biased, unbiased), (many, _) = (tuple(float(e.mean()) for e in estimates[size]) for size in (small, large))
    return Reveal(
        f"Over {len(estimates[small][0]):,} batches of {small} the variance comes out at {biased:.2f} of the true one; "
        f"times B/(B − 1) = {small / (small - 1):g} it is {unbiased:.2f}. In batches of {large} it is {many:.3f}.",
        biased,
    )


def company_reveal(view: View, found: Answers) -> Reveal:
    """Chapter 9: one digit in eval mode, and in training mode in batches of 2."""
    answer = int(found.evaluated[0].argmax())
    drawn = found.trained[2]
    agree = int((drawn.argmax(axis=1) == answer).sum())
    low, high = float(drawn[:, answer].min()), float(drawn[:, answer].max())
    alone = float(np.abs(found.evaluated - found.evaluated[0]).max())
    company = "and the same in any company" if alone == 0 else f"within {percent(alone)} in any company"
    sentence = (
        f"Eval mode says {answer} ({percent(found.evaluated[0][answer])}), alone {company}; of {len(drawn)} batches of "
        f"2, {agree} say {answer}, with a probability from {percent(low)} to {percent(high)}."
    )
    if looked := inference_frames(view):
        running, batch = (statistic_error(looked[-1][1].layers[0], kind, "mean") for kind in ("running", "batch"))
        sentence += (
            f" The running means of layer 1 are {running:.2f} standard deviations off the population's, those of one "
            f"batch of {view.experiment.training.batch_size} {batch:.2f}."
        )
    return Reveal(sentence, float(agree) if len(drawn) == COMPANIES else None)


def batch_sizes_reveal(sweep: Sweep, found: SweepResults) -> Reveal:
    """Chapter 11: who has the lower test loss, by the size of the batch."""
    sizes = [int(value) for value in sweep.axes[0].values]
    names = measured.winners(cells(sweep, found, "test_loss"))
    if not all(names):
        return Reveal("Some of these networks have no test loss, so there is no size from which batchnorm wins.")
    changes = [k for k in range(1, len(names)) if names[k] != names[k - 1]]
    if not changes:
        who = "with" if names[0] == "with" else "without"
        return Reveal(f"In batches of {sizes[0]} to {sizes[-1]} the network {who} batchnorm has the lower test loss.")
    if len(changes) == 1 and names[0] == "without":
        last, first = sizes[changes[0] - 1], sizes[changes[0]]
        return Reveal(
            f"Up to batches of {last} the network without batchnorm has the lower test loss, from {first} on the one "
            "with it."
        )
    with_ = listed([str(size) for size, name in zip(sizes, names, strict=True) if name == "with"])
    return Reveal(f"The network with batchnorm has the lower test loss in batches of {with_}, and not in the others.")

"""The largest learning rate with which a network still trains, by bisection."""

import math
from collections.abc import Generator

import numpy as np

from bnviz.experiment.config import TrainingConfig, Variant
from bnviz.nn.descent import Descent
from bnviz.nn.network import NetworkState, Stack
from bnviz.records.landscape import LEARNED_BELOW, SEARCH_SEEDS, SEARCH_STEPS, LargestRates
from bnviz.records.questions import LargestLearningRates
from bnviz.training.batches import Batches
from bnviz.training.trainer import Trainer

LOWEST, HIGHEST = -10, 12  # of the rates that are tried, as powers of 2
HALVINGS = 3  # of the last octave: to a factor of 2^(1/8), a twelfth
STRIDE = 10  # steps between two shares of the work


def largest_rates(trainer: Trainer, _: LargestLearningRates) -> Generator[float, None, LargestRates]:
    """Search the largest rate of every network, from SEARCH_SEEDS seeds; yields the share that is done.

    The networks have their own settings and those of the training, but for a constant learning rate.

    Rates are doubled, or halved, until one trains and the next does not, and then bisected; so a network that trains
    with some rate but not with a smaller one is judged by the first gap.
    """
    seeds = [trainer.training.seed + k for k in range(SEARCH_SEEDS)]
    total = len(trainer.variants) * len(seeds)
    variants, training, batches = trainer.variants, trainer.training, trainer.batches
    found = np.full((len(variants), len(seeds)), math.nan)
    for i, variant in enumerate(variants):
        for k, seed in enumerate(seeds):
            done = (i * len(seeds) + k) / total
            search = _largest(variant, training, batches, seed)
            try:
                while True:
                    yield done + next(search) / total
            except StopIteration as end:
                found[i, k] = end.value
    return LargestRates(tuple(seeds), found, 2.0**LOWEST, 2.0**HIGHEST)


def _largest(variant: Variant, training: TrainingConfig, batches: Batches, seed: int) -> Generator[float, None, float]:
    def at(exponent: float) -> Generator[float, None, bool]:
        return trains(variant, training, batches, seed, 2.0**exponent)

    exponent = float(np.clip(round(math.log2(training.learning_rate)), LOWEST, HIGHEST))
    if (yield from at(exponent)):
        while exponent < HIGHEST and (yield from at(exponent + 1)):
            exponent += 1
        if exponent >= HIGHEST:
            return 2.0**HIGHEST
    else:
        while True:
            if exponent <= LOWEST:
                return 2.0**LOWEST
            exponent -= 1
            if (yield from at(exponent)):
                break
    for halving in range(1, HALVINGS + 1):
        if (yield from at(exponent + 0.5**halving)):
            exponent += 0.5**halving
    return float(2.0**exponent)


def trains(
    variant: Variant, training: TrainingConfig, batches: Batches, seed: int, rate: float
) -> Generator[float, None, bool]:
    """Return whether a fresh network learns with a constant rate.

    It does if its loss stays finite for SEARCH_STEPS steps and is, on average over their last fifth, below
    LEARNED_BELOW.
    """
    stack = Stack([0], [variant], [NetworkState.fresh(variant, seed)])
    descent = Descent.by(training, rate)
    losses: list[float] = []
    for step in range(SEARCH_STEPS):
        x, labels = batches.at(step, seed=seed, size=training.batch_size, standardize=training.standardize)
        losses += stack.losses(x, labels, "train").tolist()
        stack.update(descent)
        if not math.isfinite(losses[-1]):
            return False
        if step % STRIDE == 0:
            yield 0.0
    return float(np.mean(losses[-(SEARCH_STEPS // 5) :])) < LEARNED_BELOW

"""What the convolutions of a run's networks make of one digit."""

import math

import numpy as np
from torch import Tensor

from bnviz.experiment.config import SIDE
from bnviz.nn.pooling import pooling
from bnviz.records.answers import Convolved, FeatureMaps
from bnviz.records.frames import MAP_DIGITS, PROBE_DIGITS
from bnviz.records.questions import MapsOfDigit
from bnviz.training import metrics
from bnviz.training.trainer import Trainer


def maps_of_digit(trainer: Trainer, question: MapsOfDigit) -> Convolved:
    """Return the feature maps of one of the probe digits, normalized among all of them.

    Raises ValueError for a digit or a layer that is not there.
    """
    layer, digit = question.layer, question.digit
    if not 0 <= digit < PROBE_DIGITS:
        raise ValueError(f"digit: give 0 to {PROBE_DIGITS - 1}, got {digit}")
    pixels, labels = trainer.batches.train_sample(PROBE_DIGITS, standardize=False)
    x = trainer.batches.probe(PROBE_DIGITS, trainer.training.standardize)
    if layer < 0:
        raise ValueError(f"layer: give 0 or more, got {layer}")
    guesses, places = [], []
    for i, variant in enumerate(trainer.variants):
        net = trainer.copy_of(i)
        guesses.append(int(net.forward(x, "probe")[0, digit].argmax()))
        kind = variant.network.hidden[layer].pooling if layer < len(net.hidden) else None
        found = net.places(layer, 0) if kind else {}
        if kind:
            after = variant.normalizes == "post_activation"
            found["pooled"] = pooling(kind).forward(found["batchnorm_output" if after else "post_activation"])
        places.append(found)
    names = dict.fromkeys(name for found in places for name in found)
    limits = {name: _limit([found[name] for found in places if name in found]) for name in names}
    return Convolved(
        step=min(trainer.steps),
        digit=pixels[digit].mul(255).view(SIDE, SIDE).numpy(),
        label=int(labels[digit]),
        guesses=tuple(guesses),
        variants=tuple(_feature_maps(found, digit, limits) if found else None for found in places),
        limits=limits,
    )


def _feature_maps(places: dict[str, Tensor], digit: int, limits: dict[str, float]) -> FeatureMaps:
    return FeatureMaps(
        {name: values[digit].numpy().copy() for name, values in places.items()},
        {
            name: np.stack(
                [metrics.histogram(channel, -limits[name], limits[name]) for channel in values[:MAP_DIGITS].unbind(1)]
            )
            for name, values in places.items()
        },
    )


def _limit(values: list[Tensor]) -> float:
    """The largest magnitude, rounded up to a power of the square root of 2: it grows and shrinks in calm steps."""
    largest = max(float(v[:MAP_DIGITS].abs().nan_to_num(posinf=0).max()) for v in values)
    return 2 ** (math.ceil(2 * math.log2(largest)) / 2) if largest > 0 else 1.0

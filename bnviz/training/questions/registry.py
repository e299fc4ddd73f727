"""Questions about a trainer's networks, answered on copies: the trainer stays as it was."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bnviz.experiment.config import CLASSES, SIDE
from bnviz.nn.convolution import pool
from bnviz.nn.network import Stack
from bnviz.nn.stacked import Mode
from bnviz.records.frames import (
    BATCH_SIZES,
    MAP_DIGITS,
    POPULATION_DIGITS,
    PROBE_DIGITS,
    Answers,
    Convolved,
    FeatureMaps,
    Floats,
    GradientShift,
)
from bnviz.training import metrics
from bnviz.training.batches import scaled
from bnviz.training.questions import long as long_questions
from bnviz.training.questions import scaling as scales
from bnviz.training.trainer import Trainer

COMPANIES = (0, 31, 255)  # other digits beside the one that is asked about, in eval mode
DRAWS = 12  # batches of each size, in training mode


def inputs_at(trainer: Trainer, **question: Any) -> tuple[int, Floats]:
    """`layer_inputs`, with the network's step."""
    return trainer.steps[question["variant"]], layer_inputs(trainer, **question)


def answers_at(trainer: Trainer, **question: Any) -> tuple[int, Answers]:
    """`answers`, with the network's step."""
    return trainer.steps[question["variant"]], answers(trainer, **question)


def layer_inputs(trainer: Trainer, *, variant: int, layer: int, units: Sequence[int], digits: int) -> Floats:
    """What reaches the batchnorm of one hidden layer, (digits, units), over the first training digits.

    After a convolution a row is one position of one of the first digits, and as many rows are drawn evenly from them.
    Without batchnorm: the pre-activations. Raises ValueError for a network, layer or unit that is not there.
    """
    if not 0 <= variant < len(trainer.variants):
        raise ValueError(f"variant: give 0 to {len(trainer.variants) - 1}, got {variant}")
    hidden = trainer.variants[variant].network.hidden
    if not 0 <= layer < len(hidden):
        raise ValueError(f"layer: give 0 to {len(hidden) - 1}, got {layer}")
    if not all(0 <= unit < hidden[layer].units for unit in units):
        raise ValueError(f"units: give 0 to {hidden[layer].units - 1}, got {list(units)}")
    net = trainer.copy_of(variant)
    trace = net.trace(trainer.batches.probe(digits, trainer.training.standardize))[0][layer]
    values = trace.places[trainer.variants[variant].normalizes][:, list(units)]
    return values[:: max(1, len(values) // digits)][:digits].numpy().copy()


def feature_maps(trainer: Trainer, *, layer: int, digit: int) -> tuple[int, Convolved]:
    """The step; what the convolution `layer` of every network makes of one of the probe digits, among all of them."""
    if not 0 <= digit < PROBE_DIGITS:
        raise ValueError(f"digit: give 0 to {PROBE_DIGITS - 1}, got {digit}")
    pixels, labels = trainer.batches.train_sample(PROBE_DIGITS, standardize=False)
    x = scaled(pixels, trainer.training.standardize)
    if layer < 0:
        raise ValueError(f"layer: give 0 or more, got {layer}")
    guesses, places = [], []
    for i, variant in enumerate(trainer.variants):
        net = trainer.copy_of(i)
        guesses.append(int(net.forward(x, "probe")[0, digit].argmax()))
        has_maps = layer < len(net.hidden) and variant.network.hidden[layer].kernel
        found = net.places(layer, 0) if has_maps else {}
        if found:
            after = variant.normalizes == "post_activation"
            found["pooled"] = pool(found["batchnorm_output" if after else "post_activation"])
        places.append(found)
    names = dict.fromkeys(name for found in places for name in found)
    limits = {name: _limit([found[name] for found in places if name in found]) for name in names}
    return min(trainer.steps), Convolved(
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


def answers(trainer: Trainer, *, variant: int, pixels: Floats, seed: int) -> Answers:
    """What a network with batchnorm says of one digit, pixels (784,) from 0 to 255, alone and in company."""
    net, t = trainer.copy_of(variant), trainer.training
    batchnorm = trainer.variants[variant].batchnorm
    if batchnorm is None:
        raise ValueError("variant: only a network with batchnorm can answer differently in company")
    if batchnorm.inference == "population":
        finished = trainer.steps[variant] >= t.steps
        net.measure_population(trainer.population(None if finished else POPULATION_DIGITS))
    digit = scaled(torch.as_tensor(np.asarray(pixels)).float().div(255).view(1, -1), t.standardize)
    others, _ = trainer.batches.test(None, t.standardize)
    generator = np.random.default_rng(seed)

    def among(size: int, mode: Mode, fill: int = 0) -> Tensor:
        company = others[torch.from_numpy(generator.choice(len(others), size, replace=False))]
        # One shape for every company: a matrix product of another shape may round its last bit differently.
        empty = torch.zeros(fill, digit.shape[1])
        return _probabilities(net, torch.cat([digit, company, empty]), mode)[0]

    most, needs_company = max(COMPANIES), batchnorm.inference == "batch"
    sizes = [size for size in COMPANIES if size or not needs_company]
    evaluated = [among(size, "eval", 0 if needs_company else most - size) for size in sizes]
    trained = {size: [among(size - 1, "probe") for _ in range(DRAWS)] for size in BATCH_SIZES}
    try:
        _probabilities(net, digit, "probe")
    except ValueError as error:
        alone = str(error)
    return Answers(
        torch.stack(evaluated).numpy(), {size: torch.stack(drawn).numpy() for size, drawn in trained.items()}, alone
    )


def test_digit(trainer: Trainer, *, place: int) -> tuple[int, tuple[Floats, int]]:
    """The trainer's step; pixels (784,) from 0 to 255 and label of one test digit."""
    count = len(trainer.batches.test_labels)
    if not 0 <= place < count:
        raise ValueError(f"place: give 0 to {count - 1}, got {place}")
    pixels: Floats = (trainer.batches.test_images[place] * 255).round().numpy()
    return min(trainer.steps), (pixels, int(trainer.batches.test_labels[place]))


def covariate_shift(trainer: Trainer) -> list[GradientShift]:
    """Internal covariate shift of every network at its next step: Santurkar et al. 2018, definition 2.1.

    G_i  = dL/dW_i (W_1(t),   ..., W_(i-1)(t),   W_i(t), ..., W_k(t);  the batch of step t)
    G'_i = dL/dW_i (W_1(t+1), ..., W_(i-1)(t+1), W_i(t), ..., W_k(t);  the same batch)

    A layer's gamma and beta move with its W. Batchnorm uses the batch's statistics, without the option's noise.
    """
    return [_gradient_shift(trainer, variant) for variant in range(len(trainer.variants))]


def _gradient_shift(trainer: Trainer, variant: int) -> GradientShift:
    x, labels, sgd = trainer.next_step(variant)
    net, later = trainer.copy_of(variant), trainer.copy_of(variant)
    net.losses(x, labels, "probe")
    before = [linear.gradient().double() for linear in net.linears()]
    later.losses(x, labels, "probe")
    later.update(sgd)
    after = before[:1]
    for i in range(1, len(before)):
        net.hidden[i - 1] = later.hidden[i - 1]
        net.losses(x, labels, "probe")
        after.append(net.linears()[i].gradient().double())
    norm, norm_after, difference = (
        np.array([float(torch.linalg.vector_norm(g)) for g in found])
        for found in (before, after, [b - a for b, a in zip(before, after, strict=True)])
    )
    product = np.array([float((b * a).sum()) for b, a in zip(before, after, strict=True)])
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.clip(product / (norm * norm_after), -1, 1)
    return GradientShift(trainer.steps[variant], norm, difference, cosine)


def _probabilities(net: Stack, images: Tensor, mode: Mode) -> Tensor:
    """(B, 784) -> (B, 10)"""
    return torch.softmax(net.forward(images, mode), 2).view(-1, CLASSES)


QUESTIONS: dict[str, Callable[..., Any]] = {
    "layer_inputs": layer_inputs,
    "inputs_at": inputs_at,
    "feature_maps": feature_maps,
    "answers_at": answers_at,
    "test_digit": test_digit,
    "covariate_shift": covariate_shift,
    "begin": long_questions.begin,
    "go_on": long_questions.go_on,
    "drop": long_questions.drop,
    "scaling": scales.scaling,
    "batch_noise": scales.batch_noise,
}

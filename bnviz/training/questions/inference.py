"""What reaches a batchnorm layer, and what a network says of one digit alone and beside others."""

import numpy as np
import torch
from torch import Tensor

from bnviz.experiment.config import CLASSES
from bnviz.nn.network import Stack
from bnviz.nn.stacked import Mode
from bnviz.records.answers import Answers, LabelledDigit, LayerInputs
from bnviz.records.frames import BATCH_SIZES, Floats
from bnviz.records.questions import AnswersInCompany, DigitOfTestSet, InputsOfLayer
from bnviz.training.batches import scaled
from bnviz.training.trainer import Trainer

COMPANIES = (0, 31, 255)  # other digits beside the one that is asked about, in eval mode
BATCHES_OF_EACH_SIZE = 12  # in training mode


def inputs_of_layer(trainer: Trainer, question: InputsOfLayer) -> LayerInputs:
    """Return the inputs of the units' batchnorm, (digits, units), or their pre-activations if there is no batchnorm.

    After a convolution a row is one position of one of the first digits, and as many rows as digits are drawn evenly
    from them. Raises ValueError for a network, layer or unit that is not there.
    """
    variant, layer, units, digits = question.variant, question.layer, question.units, question.digits
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
    return LayerInputs(trainer.steps[variant], values[:: max(1, len(values) // digits)][:digits].numpy().copy())


def answers_in_company(trainer: Trainer, question: AnswersInCompany) -> Answers:
    """Return the network's class probabilities. Raises ValueError for a network without batchnorm."""
    variant = question.variant
    net, t = trainer.copy_of(variant), trainer.training
    batchnorm = trainer.variants[variant].batchnorm
    if batchnorm is None:
        raise ValueError("variant: only a network with batchnorm can answer differently in company")
    if batchnorm.inference == "population":
        finished = trainer.steps[variant] >= t.steps
        net.measure_population(trainer.population(at_end=finished))
    digit = scaled(torch.tensor(question.pixels, dtype=torch.float32).view(1, -1), t.standardize)
    others, _ = trainer.batches.test(None, t.standardize)
    generator = np.random.default_rng(question.seed)

    def among(size: int, mode: Mode, fill: int = 0) -> Tensor:
        company = others[torch.from_numpy(generator.choice(len(others), size, replace=False))]
        # One shape for every company: a matrix product of another shape may round its last bit differently.
        empty = torch.zeros(fill, digit.shape[1])
        return _probabilities(net, torch.cat([digit, company, empty]), mode)[0]

    most, needs_company = max(COMPANIES), batchnorm.inference == "batch"
    sizes = [size for size in COMPANIES if size or not needs_company]
    evaluated = [among(size, "eval", 0 if needs_company else most - size) for size in sizes]
    trained = {size: [among(size - 1, "probe") for _ in range(BATCHES_OF_EACH_SIZE)] for size in BATCH_SIZES}
    try:
        _probabilities(net, digit, "probe")
    except ValueError as error:
        alone = str(error)
    return Answers(
        trainer.steps[variant],
        torch.stack(evaluated).numpy(),
        {size: torch.stack(rows).numpy() for size, rows in trained.items()},
        alone,
    )


def digit_of_test_set(trainer: Trainer, question: DigitOfTestSet) -> LabelledDigit:
    """Return one test digit. Raises ValueError for a place that is not there."""
    place, count = question.place, len(trainer.batches.test_labels)
    if not 0 <= place < count:
        raise ValueError(f"place: give 0 to {count - 1}, got {place}")
    pixels: Floats = trainer.batches.test_images[place].float().numpy()
    return LabelledDigit(pixels, int(trainer.batches.test_labels[place]))


def _probabilities(net: Stack, images: Tensor, mode: Mode) -> Tensor:
    """(B, 784) -> (B, 10)"""
    return torch.softmax(net.forward(images, mode), 2).view(-1, CLASSES)

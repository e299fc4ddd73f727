"""What the scale of a network's weights and the size of its batches do to its gradients and statistics."""

import numpy as np
import torch

from bnviz.records.landscape import NOISE_DIGITS, NOISE_SIZES, WEIGHT_SCALES, BatchNoise, Scaling
from bnviz.records.questions import EffectOfScale, NoiseOfBatches
from bnviz.training import weight_space
from bnviz.training.trainer import Trainer

BATCHES_OF_EACH_SIZE = 200


def effect_of_scale(trainer: Trainer, question: EffectOfScale) -> list[Scaling]:
    """Measure every network with the weights of one hidden layer scaled by WEIGHT_SCALES, all scales as one stack.

    With batchnorm right after the layer, BN(aWx) = BN(Wx) and so dL/d(aW) = 1/a dL/dW (Ioffe and Szegedy 2015,
    section 3.3), but for eps and the networks whose batchnorm comes after the activation.
    """
    found = []
    for variant in range(len(trainer.variants)):
        x, labels, _ = trainer.next_step(variant)
        many = weight_space.copies(trainer.copy_of(variant), [trainer.variants[variant]], len(WEIGHT_SCALES))
        linear = many.linears()[min(question.layer, len(many.hidden) - 1)]
        linear.weight.value *= torch.tensor(WEIGHT_SCALES).view(-1, *[1] * (linear.weight.value.dim() - 1))
        many.losses(x, labels, "probe")
        gradient = torch.linalg.vector_norm(linear.gradient().flatten(1), dim=1).numpy()
        logits = many.output.y
        usual = WEIGHT_SCALES.index(1.0)
        difference = (logits - logits[usual]).abs().flatten(1).amax(1).numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            found.append(Scaling(trainer.steps[variant], gradient / gradient[usual], difference))
    return found


def noise_of_batches(trainer: Trainer, question: NoiseOfBatches) -> BatchNoise:
    """Compare the statistics of random batches with those of NOISE_DIGITS training digits, in layer 1 of a network."""
    stack = trainer.copy_of(question.variant)
    stack.forward(trainer.batches.probe(NOISE_DIGITS, trainer.training.standardize), "probe")
    values = stack.linears()[0].y[0]
    units = values.flatten(2).transpose(1, 2).flatten(0, 1) if values.dim() > 2 else values
    places = units.shape[0] // NOISE_DIGITS  # of one feature map; 1 in a dense layer
    by_digit = units.view(NOISE_DIGITS, places, -1)
    mean, var = units.mean(0), units.var(0, correction=0).clamp_min(1e-12)
    generator = np.random.default_rng(0)
    means, variances = [], []
    for size in NOISE_SIZES:
        chosen = torch.from_numpy(generator.integers(0, NOISE_DIGITS, (BATCHES_OF_EACH_SIZE, size)))
        batches = torch.stack([by_digit[row].flatten(0, 1) for row in chosen])  # (batches, size * places, units)
        means.append(float(((batches.mean(1) - mean).square().mean(0) / var).sqrt().mean()))
        ratio = batches.var(1, correction=1) / var
        variances.append(float(ratio.std(0).mean()))
    return BatchNoise(trainer.steps[question.variant], np.array(means), np.array(variances))

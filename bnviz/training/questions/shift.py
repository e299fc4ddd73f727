"""Internal covariate shift, as gradients show it."""

import numpy as np
import torch

from bnviz.records.answers import GradientShift
from bnviz.records.questions import ShiftOfGradients
from bnviz.training.trainer import Trainer


def shift_of_gradients(trainer: Trainer, _: ShiftOfGradients) -> list[GradientShift]:
    """Return the internal covariate shift of every network at its next step: Santurkar et al. 2018, definition 2.1.

    G_i  = dL/dW_i (W_1(t),   ..., W_(i-1)(t),   W_i(t), ..., W_k(t);  the batch of step t)
    G'_i = dL/dW_i (W_1(t+1), ..., W_(i-1)(t+1), W_i(t), ..., W_k(t);  the same batch)

    A layer's gamma and beta move with its W. Batchnorm uses the batch's statistics, without the option's noise.
    """
    return [_gradient_shift(trainer, variant) for variant in range(len(trainer.variants))]


def _gradient_shift(trainer: Trainer, variant: int) -> GradientShift:
    x, labels, descent = trainer.next_step(variant)
    net, later = trainer.copy_of(variant), trainer.copy_of(variant)
    net.losses(x, labels, "probe")
    before = [linear.gradient().double() for linear in net.linears()]
    later.losses(x, labels, "probe")
    later.update(descent)
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

"""A finding's address in the lab shows that very fault: the lab's network, trained there, is diagnosed with it."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

import bnviz
from bnviz.experiment.config import TrainingConfig, Variant
from bnviz.findings.own_network.table import RULES
from bnviz.nn.as_torch import as_sequential
from bnviz.training.batches import Batches
from bnviz.training.trainer import Trainer

MOMENTS = (0, 1, 2, 5, 20, 100_000)  # steps
SHOWN = [rule for rule, known in RULES.items() if known.experiment and not known.instead]


def as_a_users(network: nn.Sequential, variant: Variant, training: TrainingConfig, step: int) -> torch.optim.Optimizer:
    """Give it what a user's network has, and the lab's as torch's layers has not; the optimizer."""
    weights: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert variant.batchnorm is not None
            assert module.num_batches_tracked is not None
            module.momentum = variant.batchnorm.momentum
            module.num_batches_tracked.fill_(step)
            module.requires_grad_(variant.batchnorm.affine)
        for name, parameter in module.named_parameters(recurse=False):
            is_weight = name == "weight" and isinstance(module, nn.Linear | nn.Conv2d)
            (weights if is_weight or training.decayed == "all" else others).append(parameter)
    groups = [{"params": weights, "weight_decay": training.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.SGD([group for group in groups if group["params"]], training.learning_rate)


def faults(rule: str, batches: Batches) -> Iterator[set[str]]:
    """Yield the rules that fire on each network of the rule's experiment, from its first step to its last."""
    experiment = RULES[rule].experiment
    assert experiment is not None
    training = experiment.training
    trainer = Trainer(training, experiment.variants, batches)
    for moment in MOMENTS:
        while not trainer.finished and max(trainer.steps) < moment:
            trainer.advance(steps=min(moment - max(trainer.steps), 200))
        for place, variant in enumerate(experiment.variants):
            step = trainer.steps[place]
            network = as_sequential(trainer.copy_of(place), variant)
            optimizer = as_a_users(network, variant, training, step)
            data = [
                batches.at(s, seed=training.seed, size=training.batch_size, standardize=training.standardize)
                for s in range(step, step + 4)
            ]
            yield {finding.rule for finding in bnviz.diagnose(network, data, optimizer=optimizer).findings}


@pytest.mark.parametrize("rule", SHOWN)
def test_the_lab_has_the_very_fault(rule: str, batches: Batches) -> None:
    assert any(rule in found for found in faults(rule, batches))


def test_where_it_has_not_what_it_shows_instead_is_told() -> None:
    instead = {rule for rule, known in RULES.items() if known.instead}
    assert instead == {"last_batch_of_one", "running_off", "two_distributions", "used_twice", "dropout_before"}
    assert {rule for rule in RULES if rule not in SHOWN} - instead == {"bias_before"}  # shown by hand, no run

"""Loss and gradient ahead of a step, the paths through weight space, and that looking changes nothing of a run."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, TrainingConfig, Variant
from bnviz.experiment.edits import Edit, plan
from bnviz.nn.network import NetworkState, Stack
from bnviz.records.frames import STEP_LENGTHS, Frame, Smoothness, VariantFrame
from bnviz.training import path, weight_space
from bnviz.training.batches import Batches
from bnviz.training.smoothness import smoothness
from bnviz.training.trainer import Trainer
from tests.builders import losses_of, twins

SMALL = NetworkConfig(hidden_layers=2, width=6)
MIXED = (
    Variant(SMALL),
    Variant(SMALL, BatchNormConfig()),
    Variant(SMALL, BatchNormConfig(position="after", affine=False)),
    Variant(SMALL, BatchNormConfig(noisy=True)),
)


def plain(stack: Stack, place: int) -> nn.Sequential:
    """The network at one place in PyTorch's own layers, in training mode."""
    layers: list[nn.Module] = []
    found = [norm for norm, _ in stack.norms_of(place)]
    after = any(of.start <= place < of.stop for of, _ in stack.hidden[0].after)
    for i, linear in enumerate(stack.linears()):
        weight, bias = linear.weight.value[place], linear.bias.value[place, 0]
        layers.append(nn.Linear(*weight.shape))
        layers[-1].weight = nn.Parameter(weight.T.clone())
        layers[-1].bias = nn.Parameter(bias.clone())
        if i < len(stack.hidden):
            norm = [nn.BatchNorm1d(weight.shape[1], affine=not after)] if found else []
            layers += [nn.Tanh(), *norm] if after else [*norm, nn.Tanh()]
    return nn.Sequential(*layers)


def loss_and_gradient(network: nn.Sequential, x: Tensor, labels: Tensor) -> tuple[Tensor, list[Tensor]]:
    loss = nn.functional.cross_entropy(network(x), labels)
    return loss.detach(), list(torch.autograd.grad(loss, list(network.parameters())))


def watched(experiment: Experiment, batches: Batches) -> Trainer:
    return Trainer(experiment.training, experiment.variants, batches, watch="landscape")


def kept(trainer: Trainer) -> list[VariantFrame]:
    found = [trainer.advance(steps=0)]
    while not trainer.finished:
        found.append(trainer.advance())
    return [frame.variants[0] for frame in found]


class TestSmoothness:
    """Santurkar et al. 2018, section 3.2."""

    @pytest.mark.parametrize("at_once", [0.0, 128.0])
    def test_is_what_autograd_finds_at_every_step_length(
        self, batches: Batches, at_once: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bnviz.training.smoothness.COPIES_MIB", at_once)
        stack = Stack(range(4), MIXED, [NetworkState.fresh(v, 1) for v in MIXED])
        x, labels = batches.at(0, seed=0, size=32, standardize=False)
        found = smoothness(stack, MIXED, x, labels, 0.3, [math.nan] * 4)
        for place in range(4):
            network = plain(stack, place)
            loss, here = loss_and_gradient(network, x, labels)
            size = torch.stack([g.norm() for g in here]).norm()
            assert found[place].loss == pytest.approx(loss.item(), rel=1e-5)
            assert found[place].gradient == pytest.approx(size.item(), rel=1e-4)
            ratios = []
            for k, length in enumerate(STEP_LENGTHS):
                there = plain(stack, place)
                with torch.no_grad():
                    for parameter, gradient in zip(there.parameters(), here, strict=True):
                        parameter.sub_(length * 0.3 * gradient)
                loss, gradients = loss_and_gradient(there, x, labels)
                change = torch.stack([(a - b).norm() for a, b in zip(gradients, here, strict=True)]).norm()
                assert found[place].losses[k] == pytest.approx(loss.item(), rel=1e-4)
                assert found[place].changes[k] == pytest.approx(change.item(), rel=1e-2, abs=1e-5)
                ratios.append(float(change / (length * 0.3 * size)))
            assert found[place].beta == pytest.approx(max(ratios), rel=1e-2)

    def test_of_a_network_without_gradient_has_no_number(self) -> None:
        zero = Smoothness(0.1, 2.3, 0.0, np.full(7, 2.3), np.zeros(7), np.ones(2), math.nan)
        assert math.isnan(zero.beta)
        assert math.isnan(replace(zero, rate=0.0, gradient=1.0).beta)

    @pytest.mark.parametrize(("steps", "every"), [(1200, 20), (300, 15)])
    def test_is_kept_for_every_sixtieth_of_the_run_but_seldom_enough(
        self, batches: Batches, steps: int, every: int
    ) -> None:
        found = kept(watched(twins(steps=steps), batches))
        assert [v.step for v in found if v.smoothness] == [*range(0, steps + 1, every)]
        gaps = [v.step for v in found if v.smoothness and math.isfinite(v.smoothness.gap)]
        assert gaps == [*range(0, steps + 1, 5 * every)]


class TestLooking:
    @pytest.mark.parametrize("momentum", [0.0, 0.9])
    def test_changes_no_bit_of_the_training(self, batches: Batches, momentum: float) -> None:
        experiment = Experiment(TrainingConfig(steps=40, momentum=momentum), MIXED)
        looked, alone = watched(experiment, batches), Trainer(experiment.training, experiment.variants, batches)
        frames: tuple[list[Frame], list[Frame]] = [], []
        state = torch.get_rng_state()
        for trainer, found in zip((looked, alone), frames, strict=True):
            while not trainer.finished:
                found.append(trainer.advance(steps=7))
        assert torch.equal(torch.get_rng_state(), state)
        for variant in range(len(MIXED)):
            assert losses_of(frames[0], variant).tobytes() == losses_of(frames[1], variant).tobytes()
            one, other = looked.copy_of(variant), alone.copy_of(variant)
            for (_, a), (_, b) in zip(weight_space.parameters(one), weight_space.parameters(other), strict=True):
                assert torch.equal(a.value, b.value)
                assert (a.velocity is None) == (b.velocity is None)
            for mine, theirs in zip(one.norms(), other.norms(), strict=True):
                assert torch.equal(mine.running_mean, theirs.running_mean)
                assert torch.equal(mine.running_var, theirs.running_var)
                assert mine.batches == theirs.batches

    def test_keeps_the_same_whenever_somebody_looks(self, batches: Batches) -> None:
        a, b = watched(twins(steps=90), batches), watched(twins(steps=90), batches)
        quickly, slowly = kept(a), [b.advance(steps=0).variants[0]]
        while not b.finished:
            slowly.append(b.advance(steps=1, evaluate=True).variants[0])
        known = {v.step: v.smoothness for v in slowly if v.smoothness}
        for v in quickly:
            assert v.smoothness is not None
            assert v.smoothness.losses.tobytes() == known[v.step].losses.tobytes()
            assert v.smoothness.gap == known[v.step].gap or math.isnan(v.smoothness.gap)
        assert a.paths[0].steps == b.paths[0].steps
        assert all(torch.equal(p, q) for p, q in zip(a.paths[0].points, b.paths[0].points, strict=True))


class TestAPath:
    def test_holds_the_weights_as_they_were(self, batches: Batches) -> None:
        trainer = watched(twins(steps=20), batches)
        kept(trainer)
        stack = trainer.copy_of(1)
        assert torch.equal(trainer.paths[1].points[-1], weight_space.flat(stack))
        first = weight_space.flat(Stack([0], [twins().variants[1]], [NetworkState.fresh(twins().variants[1], 0)]))
        assert torch.equal(trainer.paths[1].points[0], first)
        weight_space.place_at(stack, first)
        assert torch.equal(weight_space.flat(stack), first)

    def test_is_bounded_and_evenly_spaced(self) -> None:
        way = path.Path()
        for step in range(0, 1000, 10):
            way.add(step, torch.tensor([float(step)]), room=20)
        assert len(way.points) <= 20
        assert way.steps == [*range(0, 1000, 80)]
        assert [p.item() for p in way.points] == way.steps

    def test_of_networks_too_large_for_three_points_is_not_kept(self) -> None:
        way = path.Path()
        for step in range(5):
            way.add(step, torch.zeros(1), path.room(network=30.0, count=2))
        assert way.points == []
        assert path.room(network=0.4, count=2) == path.MOST_POINTS

    def test_starts_anew_where_a_network_does(self, batches: Batches) -> None:
        trainer = watched(twins(steps=90), batches)
        for steps in (0, *[None] * 4):
            trainer.advance(steps=steps)
        experiment = twins(steps=90)
        other = experiment.with_variant(0, Variant(NetworkConfig(width=9)))
        edit = plan(experiment, other, keep_weights=False)
        assert edit is not None
        trainer.edit(edit)
        assert trainer.paths[0].steps == [0]
        assert trainer.paths[1].steps == [0, 15, 30, 45, 60]

    def test_starts_anew_where_batchnorm_is_switched_with_the_weights_kept(self, batches: Batches) -> None:
        experiment = twins(steps=90)
        trainer = watched(experiment, batches)
        for steps in (0, *[None] * 3):
            trainer.advance(steps=steps)
        both = experiment.with_variant(0, Variant(experiment.variants[0].network, BatchNormConfig()))
        trainer.edit(Edit(both))
        trainer.advance()
        assert trainer.paths[0].steps == [45, 60]
        assert trainer.paths[1].steps == [0, 15, 30, 45, 60]


def test_noisy_batchnorm_makes_the_shift_worse_that_is_shown(batches: Batches) -> None:
    network = NetworkConfig(width=30, init="xavier_normal")
    variants = (Variant(network, BatchNormConfig()), Variant(network, BatchNormConfig(noisy=True)))
    trainer = Trainer(TrainingConfig(steps=60), variants, batches)
    frames = [trainer.advance(steps=0)]
    while not trainer.finished:
        frames.append(trainer.advance())
    moved = []
    for i in range(2):
        medians = np.array([f.variants[i].layers[0].percentiles[1] for f in frames])  # type: ignore[index]
        moved.append(np.abs(np.diff(medians, axis=0)).mean())  # of a unit's median input, from frame to frame
    assert moved[1] > 3 * moved[0]

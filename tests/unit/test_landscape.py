"""Pictures of the landscape: directions, planes, many points at once, and that a scan changes nothing of a run."""

import gc
import weakref
from dataclasses import dataclass, replace
from typing import Any, TypeVar, get_args

import numpy as np
import pytest
import torch
from torch.nn import functional

from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, TrainingConfig, Variant
from bnviz.nn.network import NetworkState, Stack
from bnviz.records.landscape import Plane, Slice, Slices
from bnviz.records.questions import Continue, Drop, GradualQuestion, LossSlices, Open, Share, SharpnessAlongPath
from bnviz.training import weight_space
from bnviz.training.batches import Batches
from bnviz.training.questions import gradual, plane, slices
from bnviz.training.questions.registry import answer
from bnviz.training.trainer import Trainer
from tests.builders import losses_of, twins

A = TypeVar("A")
SMALL = NetworkConfig(hidden_layers=2, width=6)
EXPERIMENT = Experiment(
    TrainingConfig(steps=40),
    (
        Variant(SMALL),
        Variant(SMALL, BatchNormConfig(noisy=True, noise=0.2)),
        Variant(SMALL, BatchNormConfig(position="after", affine=False)),
    ),
)


SIDE = 9  # points; the page offers more


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "RESOLUTIONS", (SIDE,))


def trained(batches: Batches, experiment: Experiment = EXPERIMENT, steps: int = 20) -> Trainer:
    trainer = Trainer(experiment.training, experiment.variants, batches, watch="landscape")
    trainer.advance(steps=0)
    while trainer.tick < steps and not trainer.finished:
        trainer.advance(steps=steps - trainer.tick)
    return trainer


def answered(trainer: Trainer, question: GradualQuestion[A]) -> A:
    """The answer to a gradual question in the end, in shares as small as they come."""
    ticket = answer(trainer, Open(question))
    done = [0.0]
    while True:
        share = answer(trainer, Continue(ticket, 1e-9))
        assert done[-1] <= share.done <= 1
        done.append(share.done)
        if share.answer is not None:
            return share.answer


def slices_of(trainer: Trainer, kind: Plane = "random", **changes: Any) -> Slices:
    return answered(trainer, replace(LossSlices(kind, SIDE, 250, half_width=1.0, seed=3), **changes))


def loss_at(trainer: Trainer, variant: int, point: torch.Tensor) -> float:
    """Of one network with other weights, in the plainest way."""
    stack = trainer.copy_of(variant)
    weight_space.place_at(stack, point)
    images, labels = trainer.batches.train_sample(250, False)
    return float(functional.cross_entropy(stack.forward(images, "probe")[0], labels))


class TestASlice:
    @pytest.mark.parametrize("kind", ["random", "path", "line"])
    def test_has_the_networks_own_loss_at_its_weights(self, batches: Batches, kind: Plane) -> None:
        trainer = trained(batches)
        for variant, found in enumerate(slices_of(trainer, kind)):
            assert isinstance(found, Slice)
            assert found.step == 20
            assert found.centre == pytest.approx(
                loss_at(trainer, variant, weight_space.flat(trainer.copy_of(variant))), rel=1e-5
            )
            row, column = (int(np.flatnonzero(axis == 0)[0]) for axis in (found.y, found.x))
            assert found.loss[row, column] == np.float32(found.centre)

    @pytest.mark.parametrize("kind", ["random", "path"])
    def test_is_what_weights_set_one_by_one_give(self, batches: Batches, kind: Plane) -> None:
        trainer = trained(batches)
        for variant, found in enumerate(slices_of(trainer, kind)):
            assert isinstance(found, Slice)
            stack = trainer.copy_of(variant)
            way = list(zip(trainer.paths[variant].steps, trainer.paths[variant].points, strict=True))
            where = plane.grid(stack, kind, way, 20, resolution=SIDE, seed=3)
            for i, j in ((0, 0), (8, 3), (2, 8), (4, 5)):
                point = where.origin + where.x[j] * where.directions[0] + where.y[i] * where.directions[1]
                assert found.loss[i, j] == pytest.approx(loss_at(trainer, variant, point), rel=1e-4)

    def test_ends_a_line_at_the_initial_weights(self, batches: Batches) -> None:
        trainer = trained(batches)
        found = slices_of(trainer, "line")[0]
        assert isinstance(found, Slice)
        assert found.loss.shape == (1, SIDE)
        start = int(np.abs(found.x + 1).argmin())
        first, now = trainer.paths[0].points[0], weight_space.flat(trainer.copy_of(0))
        assert found.loss[0, start] == pytest.approx(
            loss_at(trainer, 0, now + float(found.x[start]) * (now - first)), rel=1e-4
        )

    def test_of_an_after_activation_layer_takes_the_same_path(self, batches: Batches) -> None:
        found = slices_of(trained(batches), "path")
        assert all(isinstance(each, Slice) and len(each.path) == len(each.path_steps) for each in found)

    def test_leaves_the_run_bit_identical(self, batches: Batches) -> None:
        asked, alone = trained(batches), trained(batches)
        state = torch.get_rng_state()
        answered(asked, SharpnessAlongPath())
        for kind in get_args(Plane):
            slices_of(asked, kind)
            a, b = asked.advance(steps=5), alone.advance(steps=5)
            for variant in range(3):
                assert losses_of([a], variant).tobytes() == losses_of([b], variant).tobytes()
        assert torch.equal(torch.get_rng_state(), state)
        for variant in range(3):
            one, other = asked.copy_of(variant), alone.copy_of(variant)
            assert torch.equal(weight_space.flat(one), weight_space.flat(other))
            for mine, theirs in zip(one.norms(), other.norms(), strict=True):
                assert torch.equal(mine.running_mean, theirs.running_mean)
                assert torch.equal(mine.running_var, theirs.running_var)


class TestDirections:
    def test_are_as_long_as_the_weights_filter_by_filter(self) -> None:
        stack = Stack([0], [EXPERIMENT.variants[1]], [NetworkState.fresh(EXPERIMENT.variants[1], 1)])
        found = weight_space.split(stack, plane.filter_normalized(stack, torch.Generator().manual_seed(1)))
        for k, (_, parameter) in enumerate(weight_space.parameters(stack)):
            if k % 2 == 0 and k < 6:
                torch.testing.assert_close(found[k].norm(dim=1), parameter.value.norm(dim=1))
            else:
                assert not found[k].any()  # biases, gamma and beta

    def test_of_a_path_are_those_of_numpys_svd(self) -> None:
        points = np.random.default_rng(0).normal(size=(12, 300)).cumsum(0).astype(np.float32)
        away = points.astype(np.float64) - points[-1]
        _, lengths, right = np.linalg.svd(away, full_matrices=False)
        directions, coordinates, explained = plane.principal(torch.tensor(points), torch.tensor(points[-1]))
        for k in range(2):
            ours = directions[k].double().numpy()
            assert abs(ours @ right[k]) == pytest.approx(1, abs=1e-5)
            assert explained[k] == pytest.approx(lengths[k] ** 2 / (lengths**2).sum(), rel=1e-4)
            np.testing.assert_allclose(coordinates[:, k], away @ ours, atol=1e-3)


class TestWhatCannotBeSeen:
    def said(self, trainer: Trainer, kind: Plane = "random", **changes: Any) -> str:
        found = slices_of(trainer, kind, **changes)[0]
        assert isinstance(found, str)
        return found

    def test_one_kept_point_is_no_path(self, batches: Batches) -> None:
        trainer = trained(batches, steps=0)
        assert "there is one point of its path so far: train some steps first" in self.said(trainer, "line")
        assert "there is one point of its path so far, and a plane needs three" in self.said(trainer, "path")
        assert isinstance(slices_of(trainer)[0], Slice)

    def test_a_diverged_network_has_no_landscape_and_the_others_have(self, batches: Batches) -> None:
        explosive = NetworkConfig(width=6, activation="none", init="normal", init_scale=50.0)
        wild = Experiment(TrainingConfig(steps=40, learning_rate=5.0), (Variant(explosive), Variant(SMALL)))
        trainer = trained(batches, wild, 1000)
        assert "it has diverged" in self.said(trainer)
        assert isinstance(slices_of(trainer)[1], Slice)

    def test_a_network_of_zeros_has_no_random_direction(self, batches: Batches) -> None:
        zeros = Experiment(TrainingConfig(steps=40), (Variant(NetworkConfig(width=6, init="zeros")),))
        assert "all its weights are zero" in self.said(trained(batches, zeros, 0))

    def test_weights_that_stand_still_make_no_path(self, batches: Batches) -> None:
        still = Experiment(
            TrainingConfig(steps=300, learning_rate=1e-5, final_learning_rate=0.0),
            (Variant(NetworkConfig(width=6, init="zeros", activation="relu")),),
        )
        trainer = trained(batches, still, 30)
        for point in trainer.paths[0].points:
            point.copy_(weight_space.flat(trainer.copy_of(0)))
        assert "its weights have not moved" in self.said(trainer, "path")

    def test_too_much_memory_is_refused_by_name(self, batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(slices, "SCAN_MIB", 0.01)
        assert "and the limit is 0 MiB: choose fewer digits, layers or neurons" in self.said(trained(batches))

    @pytest.mark.parametrize(
        ("changes", "words"), [({"resolution": 5000}, "resolution: give"), ({"digits": 1}, "digits")]
    )
    def test_other_resolutions_are_refused(self, batches: Batches, changes: dict[str, Any], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            slices_of(trained(batches, steps=0), **changes)


class TestALongQuestion:
    def test_that_the_worker_has_no_memory_for_leaves_the_run_alone(
        self, batches: Batches, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        @dataclass(frozen=True)
        class Greedy(GradualQuestion[float]):
            """A question that takes more memory than there is."""

        def greedy(*_: object) -> Any:
            yield 0.1
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

        monkeypatch.setitem(gradual.ANSWERERS, Greedy, greedy)
        trainer = trained(batches, twins(steps=20), 0)
        ticket = answer(trainer, Open(Greedy()))
        assert answer(trainer, Continue(ticket, 0)) == Share(0.1, None)
        with pytest.raises(ValueError, match="the worker could not answer it: DefaultCPUAllocator"):
            answer(trainer, Continue(ticket, 0))

    def test_that_is_open_lets_its_trainer_end(self, batches: Batches) -> None:
        trainer = trained(batches, twins(steps=20), 0)
        ticket = answer(trainer, Open(SharpnessAlongPath()))
        answer(trainer, Continue(ticket, 0))  # under way, it holds the trainer
        gone = weakref.ref(trainer)
        del trainer
        gc.collect()
        assert gone() is None

    def test_that_was_dropped_or_overtaken_is_refused_and_says_why(self, batches: Batches) -> None:
        trainer = trained(batches, twins(steps=20), 0)
        overtaken, dropped, _, _, last = [answer(trainer, Open(SharpnessAlongPath())) for _ in range(5)]
        answer(trainer, Drop(dropped))
        for ticket in (overtaken, dropped):
            with pytest.raises(ValueError, match=r"the run started over .* Start it again"):
                answer(trainer, Continue(ticket, 0.01))
        assert answer(trainer, Continue(last, 1e-9)).answer is None

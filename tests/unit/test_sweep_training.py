"""A stack of a sweep trains its networks as the live lab would, and may be stopped and resumed anywhere."""

import io
import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch

from bnviz.experiment.choices import Optimizer
from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, TrainingConfig, Variant, replace
from bnviz.experiment.sweep import Axis, Sweep, stacks
from bnviz.nn.descent import Descent
from bnviz.nn.network import NetworkState, Stack
from bnviz.records.sweep import SweepResults, batchnorm_gain, cells, is_tested_at
from bnviz.training import device as device_module
from bnviz.training.batches import Batches
from bnviz.training.device import device, moved
from bnviz.training.sweep import SweepStack, estimate
from tests.builders import frames_of, losses_of

NETWORK = NetworkConfig(width=16)
STEPS = TrainingConfig(steps=60)


def trained(stack: SweepStack) -> SweepResults:
    while not stack.finished:
        stack.advance()
    return stack.found


def whole(sweep: Sweep, batches: Batches, most: int = 8) -> SweepResults:
    experiments, found = sweep.experiments(), SweepResults.nothing(sweep.count)
    for members in stacks(experiments, most):
        found.take(np.array(members), trained(SweepStack([experiments[i] for i in members], batches)))
    return found


def same(a: SweepResults, b: SweepResults) -> None:
    for name, values in vars(a).items():
        np.testing.assert_array_equal(values, getattr(b, name), err_msg=name)


def live(experiment: Experiment, batches: Batches) -> Any:
    """All losses of the first network of an experiment as the live lab trains it, and its last frame."""
    frames = frames_of(experiment, batches)
    return losses_of(frames, 0), frames[-1].variants[0]


class TestACell:
    @pytest.mark.parametrize("compared", ["off", "on"])
    def test_is_the_live_labs_own_run_to_the_bit(self, compared: Any, batches: Batches) -> None:
        """In a stack of the same size, here of one."""
        sweep = Sweep((Axis("init_scale", choices=(0.5, 1.0)),), compared, training=STEPS, network=NETWORK)
        found = whole(sweep, batches, most=1)
        for k, experiment in enumerate(sweep.experiments()):
            losses, last = live(experiment, batches)
            np.testing.assert_array_equal(found.curves[k], losses.astype(np.float32))
            assert found.test_loss[k] == np.float32(last.test_loss)
            assert found.test_accuracy[k] == np.float32(last.test_accuracy)

    def test_is_so_beside_another_with_batchnorm(self, batches: Batches) -> None:
        sweep = Sweep((Axis("init_scale", choices=(0.5, 1.0)),), training=STEPS, network=NETWORK)
        found = whole(sweep, batches, most=2)
        frames = frames_of(sweep.pair([0]), batches)
        for k in (0, 1):
            np.testing.assert_array_equal(found.curves[k], losses_of(frames, k).astype(np.float32))

    @pytest.mark.slow
    @pytest.mark.parametrize("momentum", [0.0, 0.5])
    def test_is_the_same_to_tolerance_among_others_of_all_kinds(self, batches: Batches, momentum: float) -> None:
        axes = (Axis("learning_rate", choices=(0.05, 0.2)), Axis("momentum", choices=(momentum, 0.9)))
        training = replace(STEPS, steps=50, weight_decay=0.01)
        sweep = Sweep(axes, seeds=2, training=training, network=NETWORK)
        found = whole(sweep, batches)
        for k, experiment in enumerate(sweep.experiments()):
            losses, last = live(experiment, batches)
            np.testing.assert_allclose(found.curves[k, :50], losses, rtol=2e-3, atol=1e-4)
            assert found.test_loss[k] == pytest.approx(last.test_loss, rel=0.02)

    @pytest.mark.slow
    def test_may_be_a_lenet(self, batches: Batches) -> None:
        training = replace(STEPS, steps=8, batch_size=8)
        network = NetworkConfig(architecture="lenet", activation="tanh", init="xavier_normal")
        sweep = Sweep((Axis("learning_rate", choices=(0.05, 0.2)),), "both", 2, training, network)
        found = whole(sweep, batches)
        for k, experiment in enumerate(sweep.experiments()):
            np.testing.assert_allclose(found.curves[k, :8], live(experiment, batches)[0], rtol=2e-3, atol=1e-4)

    def test_of_another_seed_has_weights_and_batches_of_its_own(self, batches: Batches) -> None:
        found = whole(Sweep((Axis("width", choices=(8, 16)),), "off", 2, STEPS), batches)
        assert found.curves[0, 0] != found.curves[1, 0]

    def test_sees_population_statistics_where_it_asks_for_them(self, batches: Batches) -> None:
        options = BatchNormConfig(inference="population")
        sweep = Sweep((Axis("init_scale", choices=(0.5, 1.0)),), "on", 1, STEPS, NETWORK, options)
        found = whole(sweep, batches, most=1)
        _, last = live(sweep.experiments()[0], batches)
        assert found.test_loss[0] == np.float32(last.test_loss)

    def test_shows_test_results_that_the_live_lab_shows_too(self) -> None:
        training = TrainingConfig(steps=1500)
        looks = [step for step in range(1501) if is_tested_at(training, step)]
        assert looks == [100, 200, 400, 800, 1500]
        assert all(step % training.keep_every == 0 for step in looks)


class TestDivergence:
    WILD = Sweep(
        (Axis("learning_rate", choices=(0.001, 10.0)), Axis("init_scale", choices=(0.5, 1.0))),
        "off",
        training=replace(STEPS, schedule="constant"),
        network=NetworkConfig(width=16, activation="none", hidden_layers=3, init="he_normal"),
    )

    def test_of_one_network_leaves_the_others_as_they_are(self, batches: Batches) -> None:
        found, alone = whole(self.WILD, batches), whole(self.WILD, batches, most=1)
        np.testing.assert_array_equal(found.diverged, alone.diverged)
        assert found.diverged.any()
        assert not found.diverged.all()
        calm = ~found.diverged
        np.testing.assert_allclose(found.curves[calm][:, :50], alone.curves[calm][:, :50], rtol=2e-3, atol=1e-4)

    def test_is_dated_and_keeps_the_losses_before(self, batches: Batches) -> None:
        found = whole(self.WILD, batches)
        for k in np.flatnonzero(found.diverged):
            losses, _ = live(self.WILD.experiments()[k], batches)
            assert found.steps[k] == np.isfinite(losses).argmin()
            assert found.train_loss[k] == pytest.approx(losses[: found.steps[k]].mean(), rel=1e-2)
            assert np.isnan(found.test_loss[k])

    def test_of_all_ends_the_stack(self, batches: Batches) -> None:
        wild = [e for e in self.WILD.experiments() if e.training.learning_rate == 10.0]
        stack = SweepStack(wild, batches)
        found = trained(stack)
        assert stack.finished
        assert stack.progress == 1
        assert found.diverged.all()


def test_a_stack_that_waits_holds_no_activations(batches: Batches) -> None:
    """Of hundreds of test digits they would be as much as the weights, and dozens of stacks wait for their turn."""
    sweep = Sweep((Axis("learning_rate", choices=(0.1, 0.3)),), training=STEPS, network=NETWORK)
    stack = SweepStack(sweep.experiments(), batches)
    trained(stack)
    assert stack._stack is not None
    held = [v for part in (*stack._stack.linears(), *stack._stack.norms()) for v in vars(part).values()]
    activations = [v for v in held if isinstance(v, torch.Tensor)]
    assert len(activations) > 6
    assert stack._stack._saved == []
    assert sum(v.untyped_storage().nbytes() for v in activations) < 10_000


class TestACheckpoint:
    SWEEP = Sweep(
        (Axis("learning_rate", choices=(0.1, 0.3)),), seeds=2, training=replace(STEPS, momentum=0.5), network=NETWORK
    )

    def test_goes_on_to_the_same_bits(self, batches: Batches) -> None:
        experiments = self.SWEEP.experiments()
        first = SweepStack(experiments, batches)
        for _ in range(3):
            first.advance()
        second = SweepStack(experiments, batches, first.save())
        assert second.step == first.step > 0
        same(trained(second), trained(first))
        same(first.found, trained(SweepStack(experiments, batches)))

    def test_of_a_stack_in_which_one_diverged_goes_on_without_it(self, batches: Batches) -> None:
        experiments = TestDivergence.WILD.experiments()
        first = SweepStack(experiments, batches)
        while not first.found.diverged.any():
            first.advance()
        same(trained(SweepStack(experiments, batches, first.save())), trained(first))


class TestColumns:
    """A rate and a momentum for each network, against the same as numbers."""

    @pytest.mark.parametrize("decay", [0.0, 0.1])
    @pytest.mark.parametrize(("optimizer", "momentum"), [("sgd", 0.0), ("sgd", 0.9), ("nesterov", 0.9), ("adam", 0.9)])
    def test_are_the_same_steps(self, batches: Batches, optimizer: Optimizer, momentum: float, decay: float) -> None:
        variants = [
            Variant(NETWORK),
            Variant(NETWORK, BatchNormConfig()),
            Variant(NETWORK, BatchNormConfig(position="after")),
        ]

        first = 0.01 if optimizer == "adam" else 0.1

        def weights(rate: Any, momentum: Any) -> list[torch.Tensor]:
            stack = Stack(range(3), variants, [NetworkState.fresh(v, 0) for v in variants])
            for step in range(5):
                stack.losses(*batches.at(step, seed=0, size=8, standardize=False), "train")
                stack.update(Descent(rate, momentum, decay, optimizer))
            return [li.weight.value for li in stack.linears()] + [norm.gamma.value for norm in stack.norms()]

        column = torch.full((3, 1, 1), first)
        for a, b in zip(weights(first, momentum), weights(column, momentum), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
        if momentum:
            for a, b in zip(weights(first, momentum), weights(column, torch.full((3, 1, 1), momentum)), strict=True):
                torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


class TestResults:
    SWEEP = Sweep((Axis("init_scale", choices=(0.5, 1.0)),), seeds=2)

    def test_are_means_over_the_seeds_that_have_not_diverged(self) -> None:
        found = SweepResults.nothing(8)  # (2 scales, off and on, 2 seeds)
        found.train_loss[:] = [1, 3, 0.5, 0.5, 2, 9, math.nan, math.nan]
        found.diverged[5] = True
        of = cells(self.SWEEP, found, "train_loss")
        np.testing.assert_array_equal(of.mean, [[2, 0.5], [2, math.nan]])
        np.testing.assert_array_equal(of.deviation, [[1, 0], [0, math.nan]])
        np.testing.assert_array_equal(of.diverged, [[0, 0], [1, 0]])
        np.testing.assert_array_equal(batchnorm_gain(of, "train_loss"), [1.5, math.nan])
        np.testing.assert_array_equal(batchnorm_gain(of, "test_accuracy"), [-1.5, math.nan])

    def test_come_with_an_estimate_of_their_time(self, batches: Batches) -> None:
        short = Sweep(training=TrainingConfig(steps=100))
        assert 0 < estimate(short, batches, 0.01) < 600


class TestTheDevice:
    @pytest.mark.parametrize(("asked", "words"), [("gpu", "give one of auto, cpu, cuda, mps"), ("", "")])
    def test_is_refused_where_there_is_no_such(self, monkeypatch: pytest.MonkeyPatch, asked: str, words: str) -> None:
        monkeypatch.setenv("BNVIZ_DEVICE", asked)
        if words:
            with pytest.raises(ValueError, match=words):
                device()
        else:
            assert device() in device_module.CHOICES

    def test_is_refused_where_this_machine_has_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setenv("BNVIZ_DEVICE", "cuda")
        with pytest.raises(ValueError, match="BNVIZ_DEVICE=cuda: PyTorch finds no such device on this machine"):
            device()

    def test_gets_every_tensor_of_a_step(self, batches: Batches) -> None:
        """On torch's device without memory an operation that mixes it with the CPU is an error."""
        options = BatchNormConfig(cumulative=True, bessel=True, noise=0.1)
        variants = [
            Variant(NETWORK),
            Variant(NETWORK, options),
            Variant(NETWORK, BatchNormConfig(affine=False, running="std")),
        ]
        stack = Stack(range(3), variants, [moved(NetworkState.fresh(v, 0), "meta") for v in variants])
        x, labels = torch.empty(3, 8, 784, device="meta"), torch.empty(3, 8, dtype=torch.long, device="meta")
        column = torch.full((3, 1, 1), 0.1, device="meta")
        loss = stack.losses(x, labels, "train")
        stack.update(Descent(column, column, 0.1))
        assert {t.device.type for t in (loss, stack.output.weight.value, stack.norms()[0].running_var)} == {"meta"}

    @pytest.mark.parametrize("name", ["cuda", "mps"])
    def test_agrees_with_the_cpu(self, name: str, batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
        here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        if not here[name]:
            pytest.skip(f"PyTorch finds no {name} device on this machine")
        from bnviz.data import load

        sweep = Sweep(
            (Axis("init_scale", choices=(0.5, 1.0)),), seeds=2, training=replace(STEPS, steps=50), network=NETWORK
        )
        there = whole(sweep, Batches(load("MNIST sample"), name))
        np.testing.assert_allclose(there.curves, whole(sweep, batches).curves, rtol=5e-3, atol=1e-3)


def test_a_checkpoint_that_would_run_something_is_refused(batches: Batches) -> None:
    """It may lie in a database meanwhile."""

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return print, ("it ran",)

    out = io.BytesIO()
    torch.save((0, {}, [], torch.zeros(1), {0: Evil()}), out)
    with pytest.raises(pickle.UnpicklingError):
        SweepStack(Sweep().experiments()[:1], batches, out.getvalue())

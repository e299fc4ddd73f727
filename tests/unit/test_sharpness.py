"""Hessian eigenvalues against a dense Hessian, rates that train, scales and noise against what theory says of them."""

import math
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from bnviz.experiment.choices import Optimizer
from bnviz.experiment.config import BatchNormConfig, NetworkConfig, TrainingConfig, Variant
from bnviz.experiment.presets import PRESETS
from bnviz.nn.descent import Descent
from bnviz.nn.layers import Parameter
from bnviz.nn.network import NetworkState, Stack
from bnviz.records.landscape import NOISE_SIZES, WEIGHT_SCALES, Sharpness
from bnviz.records.questions import (
    EffectOfScale,
    LargestLearningRates,
    LossSlices,
    NoiseOfBatches,
    SharpnessAlongPath,
)
from bnviz.training import weight_space
from bnviz.training.batches import Batches
from bnviz.training.questions import learning_rates, scaling, sharpness, slices
from bnviz.training.questions.sharpness import TOLERANCE, hessian, largest_eigenvalue, stability_limits
from bnviz.training.trainer import Trainer
from tests.unit.test_landscape import answered

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = NetworkConfig(hidden_layers=2, width=4)


def answer(work: Generator[float, None, Any]) -> Any:
    while True:
        try:
            assert 0 <= next(work) <= 1
        except StopIteration as end:
            return end.value


def by_matrix(matrix: np.ndarray) -> Callable[[Tensor], Tensor]:
    held = torch.tensor(matrix, dtype=torch.float32)
    return lambda v: held @ v


def few_pixels(variant: Variant, seed: int) -> tuple[Stack, Tensor, Tensor]:
    """A network that sees three pixels: small enough to write its Hessian down."""
    stack = Stack([0], [variant], [NetworkState.fresh(variant, seed)])
    generator = torch.Generator().manual_seed(seed)
    first = stack.linears()[0]
    first.weight.value = torch.randn(1, 3, 4, generator=generator)
    return stack, torch.randn(20, 3, generator=generator), torch.randint(0, 10, (20,), generator=generator)


class TestTheLargestEigenvalue:
    @given(st.integers(1, 25), st.integers(0, 1000))
    @settings(max_examples=30)
    def test_of_a_matrix_is_numpys(self, size: int, seed: int) -> None:
        half = np.random.default_rng(seed).normal(size=(size, size))
        matrix = half + half.T
        found = answer(largest_eigenvalue(by_matrix(matrix), size))
        expected = np.linalg.eigvalsh(matrix)[-1]
        assert found == pytest.approx(expected, rel=20 * TOLERANCE, abs=5e-3)

    @pytest.mark.parametrize("beta", [0.01, 1.0, 250.0])
    def test_of_a_quadratic_is_its_known_smoothness(self, beta: float) -> None:
        assert answer(largest_eigenvalue(by_matrix(np.diag([beta, beta / 10, beta / 1000, 0])), 4)) == pytest.approx(
            beta
        )

    @pytest.mark.parametrize(
        "batchnorm",
        [None, BatchNormConfig(), BatchNormConfig(position="after"), BatchNormConfig(affine=False, noisy=True)],
        ids=str,
    )
    @pytest.mark.parametrize("activation", ["tanh", "gelu"])
    def test_of_a_network_is_that_of_its_dense_hessian(
        self, batchnorm: BatchNormConfig | None, activation: Any
    ) -> None:
        variant = Variant(NetworkConfig(hidden_layers=2, width=4, activation=activation), batchnorm)
        stack, x, labels = few_pixels(variant, 3)
        product, size = hessian(stack, x, labels)
        found = answer(largest_eigenvalue(product, size))
        held = [
            p
            for (_, p), learned in zip(weight_space.parameters(stack), weight_space.trained(stack), strict=True)
            if learned
        ]
        start = [p.value.clone() for p in held]

        def loss(*values: Tensor) -> Tensor:
            for parameter, value in zip(held, values, strict=True):
                parameter.value = value
            return functional.cross_entropy(stack.forward(x, "probe")[0], labels)

        blocks = torch.autograd.functional.hessian(loss, tuple(start))
        sizes = [value.numel() for value in start]
        dense = torch.cat(
            [
                torch.cat([b.reshape(n, m) for b, m in zip(row, sizes, strict=True)], 1)
                for row, n in zip(blocks, sizes, strict=True)
            ]
        )
        assert sum(sizes) == size
        assert found == pytest.approx(float(torch.linalg.eigvalsh(dense)[-1]), rel=5e-3)
        v = torch.randn(size, generator=torch.Generator().manual_seed(1))
        torch.testing.assert_close(product(v), dense @ v, rtol=1e-3, atol=1e-4)

    def test_is_told_along_the_path_with_the_limit_of_each_steps_rate(self, batches: Batches) -> None:
        t = TrainingConfig(steps=20, momentum=0.5, schedule="linear", final_learning_rate=0.0)
        trainer = Trainer(t, (Variant(TINY), Variant(TINY, BatchNormConfig())), batches, watch="landscape")
        trainer.advance(steps=0)
        while not trainer.finished:
            trainer.advance()
        for found in answered(trainer, SharpnessAlongPath()):
            assert isinstance(found, Sharpness)
            assert found.steps[0] == 0
            assert found.steps[-1] == 20
            assert (found.eigenvalue > 0).all()
            assert found.limit[0] == pytest.approx(2 * 1.5 / 0.1)
            assert np.isinf(found.limit[-1])  # a rate of 0 is stable anywhere

    @pytest.mark.parametrize("optimizer", ["sgd", "nesterov"])
    @pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
    def test_has_a_limit_that_parts_growing_from_shrinking_on_a_quadratic(
        self, optimizer: Optimizer, momentum: float
    ) -> None:
        """Loss h w^2 / 2: with h a little below the limit w dies out, a little above it grows."""
        t = TrainingConfig(momentum=momentum, optimizer=optimizer)
        (limit,) = stability_limits(t, np.array([0.1]))
        for share, shrinks in ((0.98, True), (1.02, False)):
            w = Parameter(torch.ones(1, 1, 1))
            for _ in range(2000):
                w.descend(share * float(limit) * w.value, Descent.by(t, 0.1))
            assert (abs(w.value.item()) < 1e-3) is shrinks
        assert np.isnan(stability_limits(TrainingConfig(optimizer="adam"), np.array([0.1]))).all()


class TestTheLargestRate:
    def test_is_found_to_a_twelfth_where_training_says_so(
        self, batches: Batches, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def trains(
            _: Variant, __: TrainingConfig, ___: Batches, seed: int, rate: float
        ) -> Generator[float, None, bool]:
            yield 0.0
            return rate <= 0.37 * (seed + 1)

        monkeypatch.setattr(learning_rates, "trains", trains)
        trainer = Trainer(TrainingConfig(), (Variant(TINY), Variant(TINY)), batches)
        found = answer(learning_rates.largest_rates(trainer, LargestLearningRates()))
        for seed in range(3):
            assert found.rates[0, seed] <= 0.37 * (seed + 1) < found.rates[0, seed] * 2 ** (1 / 8) * 1.0001
        assert (found.rates[0] == found.rates[1]).all()

    @pytest.mark.parametrize(
        ("always", "expected"), [(True, 2.0**learning_rates.HIGHEST), (False, 2.0**learning_rates.LOWEST)]
    )
    def test_ends_where_every_rate_or_none_trains(
        self, batches: Batches, monkeypatch: pytest.MonkeyPatch, always: bool, expected: float
    ) -> None:
        def trains(*_: Any) -> Generator[float, None, bool]:
            yield 0.0
            return always

        monkeypatch.setattr(learning_rates, "trains", trains)
        trainer = Trainer(TrainingConfig(), (Variant(TINY),), batches)
        found = answer(learning_rates.largest_rates(trainer, LargestLearningRates()))
        assert (found.rates == expected).all()

    def test_judges_a_network_by_its_own_training(self, batches: Batches) -> None:
        variant = Variant(NetworkConfig(width=16, init="xavier_normal"))
        verdicts = [
            answer(learning_rates.trains(variant, TrainingConfig(), batches, 0, rate)) for rate in (1e-4, 0.2, 1e4)
        ]
        assert verdicts == [False, True, False]


class TestTheScaleOfWeights:
    @pytest.mark.parametrize("layer", [0, 1])
    def test_divides_the_gradient_where_batchnorm_follows(self, batches: Batches, layer: int) -> None:
        variants = (Variant(NetworkConfig(2, 8)), Variant(NetworkConfig(2, 8), BatchNormConfig(eps=1e-12)))
        trainer = Trainer(TrainingConfig(), variants, batches)
        without, with_it = scaling.effect_of_scale(trainer, EffectOfScale(layer))
        np.testing.assert_allclose(with_it.gradient, 1 / np.array(WEIGHT_SCALES), rtol=1e-3)
        assert with_it.difference.max() < 1e-3
        assert without.difference.max() > 1e-2


class TestTheNoiseOfABatch:
    def test_falls_with_the_root_of_its_size(self, batches: Batches) -> None:
        trainer = Trainer(TrainingConfig(), (Variant(TINY, BatchNormConfig()),), batches)
        found = scaling.noise_of_batches(trainer, NoiseOfBatches(0))
        np.testing.assert_allclose(found.mean, 1 / np.sqrt(NOISE_SIZES), rtol=0.12)
        assert (np.diff(found.variance) < 0).all()


@pytest.mark.parametrize("question", ["slices", "sharpness"])
def test_convolutions_have_a_landscape_too(batches: Batches, question: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "RESOLUTIONS", (3,))
    monkeypatch.setattr(sharpness, "SHARPNESS_DIGITS", 50)
    monkeypatch.setattr(sharpness, "ITERATIONS", 3)
    experiment = PRESETS["lenet"].experiment
    trainer = Trainer(experiment.training, experiment.variants, batches, watch="landscape")
    trainer.advance(steps=0)
    if question == "slices":
        found = answered(trainer, LossSlices("random", 3, 250, half_width=1.0, seed=1))
        images, labels = batches.train_sample(250, experiment.training.standardize)
        loss = functional.cross_entropy(trainer.copy_of(1).forward(images, "probe")[0], labels)
        assert found[1].centre == pytest.approx(float(loss), rel=1e-4)
    else:
        assert all(math.isfinite(each.eigenvalue[0]) for each in answered(trainer, SharpnessAlongPath()))

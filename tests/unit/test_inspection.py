"""Watching inference and asking about a network: what is answered, and that nothing changes by it."""

import numpy as np
import pytest
import torch

from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, TrainingConfig, Variant, replace
from bnviz.experiment.edits import Edit
from bnviz.records.frames import BATCH_SIZES, INFERENCE_DIGITS, LAST_POPULATION_DIGITS, POPULATION_DIGITS, Frame
from bnviz.records.questions import AnswersInCompany, InputsOfLayer, ShiftOfGradients
from bnviz.training.batches import Batches
from bnviz.training.questions.inference import BATCHES_OF_EACH_SIZE, COMPANIES
from bnviz.training.questions.registry import answer
from bnviz.training.trainer import Trainer
from tests.builders import losses_of, trainer_of

SMALL = NetworkConfig(hidden_layers=2, width=12)
TWINS = Experiment(TrainingConfig(steps=60), (Variant(SMALL, BatchNormConfig()), Variant(SMALL)))


def watched(batches: Batches, experiment: Experiment = TWINS) -> Trainer:
    return Trainer(experiment.training, experiment.variants, batches, watch="inference")


def pixels(batches: Batches, place: int = 0) -> tuple[float, ...]:
    return tuple(batches.test_images[place].float().tolist())


class TestWatchingInference:
    @pytest.mark.slow
    def test_changes_no_bit_of_the_training(self, batches: Batches) -> None:
        plain: list[Frame] = []
        seen: list[Frame] = []
        for trainer, frames in ((trainer_of(TWINS, batches), plain), (watched(batches), seen)):
            while not trainer.finished:
                frames.append(trainer.advance())
        for place in range(2):
            assert losses_of(plain, place).tobytes() == losses_of(seen, place).tobytes()
            tested = {f.variants[place].step: f.variants[place].test_loss for f in seen}
            assert all(tested[f.variants[place].step] == f.variants[place].test_loss for f in plain)
        assert len(seen) > 2 * len(plain)  # more of a watched run is kept

    def test_tells_of_networks_with_batchnorm_only(self, batches: Batches) -> None:
        frame = watched(batches).advance(steps=0)
        assert frame.variants[0].inference is not None
        assert len(frame.variants[0].inference.layers) == 2
        assert frame.variants[1].inference is None

    def test_finds_the_population_of_the_first_layer(self, batches: Batches) -> None:
        trainer = watched(batches)
        found = trainer.advance(steps=10).variants[0].inference
        assert found is not None
        inputs = answer(trainer, InputsOfLayer(0, 0, tuple(range(12)), POPULATION_DIGITS)).values
        whole = inputs[: POPULATION_DIGITS // 32 * 32]
        np.testing.assert_allclose(found.layers[0].population_mean, whole.mean(0), rtol=1e-3, atol=1e-4)
        within = np.mean([part.var(0, ddof=1) for part in np.split(whole, len(whole) // 32)], axis=0)
        np.testing.assert_allclose(found.layers[0].population_var, within, rtol=1e-3)

    @pytest.mark.slow
    def test_takes_more_digits_for_the_population_at_the_end(self, batches: Batches) -> None:
        trainer = watched(batches)
        counts = [sum(len(x) for x in trainer.population(at_end=at_end)) for at_end in (False, True)]
        size = trainer.training.batch_size
        assert counts == [POPULATION_DIGITS // size * size, LAST_POPULATION_DIGITS // size * size]

    def test_sees_the_running_statistics_approach_the_population(self, batches: Batches) -> None:
        trainer = watched(batches)
        first = trainer.advance(steps=0).variants[0].inference
        while not trainer.finished:
            last = trainer.advance().variants[0].inference
        assert first is not None
        assert last is not None
        errors = [np.abs(f.layers[0].running_mean - f.layers[0].population_mean).mean() for f in (first, last)]
        assert errors[1] < errors[0] / 2

    def test_compares_the_modes_on_the_same_digits(self, batches: Batches) -> None:
        trainer = watched(batches)
        found = trainer.advance(steps=30).variants[0].inference
        assert found is not None
        assert list(found.losses) == ["eval", "population", *map(str, BATCH_SIZES)]
        net = trainer.copy_of(0)
        images, labels = batches.test(INFERENCE_DIGITS, False)
        expected = torch.nn.functional.cross_entropy(net.forward(images, "eval")[0], labels)
        assert found.losses["eval"] == pytest.approx(expected.item(), rel=1e-5)
        assert found.losses["2"] > found.losses["128"]  # two digits say little about the mean

    def test_compares_them_on_whole_batches(self) -> None:
        assert all(INFERENCE_DIGITS % size == 0 for size in BATCH_SIZES)

    def test_looks_again_where_eval_mode_changes_and_only_there(self, batches: Batches) -> None:
        trainer = watched(batches, replace(TWINS, training=TrainingConfig()))
        before = trainer.advance(steps=1).variants[0]
        slower, population = (
            replace(TWINS, training=TrainingConfig(), variants=(Variant(SMALL, bn), TWINS.variants[1]))
            for bn in (BatchNormConfig(momentum=0.5), BatchNormConfig(inference="population"))
        )
        assert trainer.edit(Edit(slower)).variants[0].inference is before.inference
        assert trainer.edit(Edit(population)).variants[0].test_loss != before.test_loss

    def test_is_told_again_by_frames_that_did_not_look(self, batches: Batches) -> None:
        trainer = watched(batches, replace(TWINS, training=TrainingConfig()))
        known = trainer.advance(steps=0).variants[0].inference
        later = trainer.advance(steps=1, evaluate=False).variants[0].inference
        assert known is not None
        assert later is known


class TestOneDigit:
    def test_gets_the_same_answer_to_the_bit_in_eval_mode_whatever_its_company(self, batches: Batches) -> None:
        trainer = watched(batches)
        trainer.advance(steps=30)
        for seed in range(5):
            found = answer(trainer, AnswersInCompany(0, pixels(batches, seed), seed))
            assert found.evaluated.shape == (len(COMPANIES), 10)
            assert all(row.tobytes() == found.evaluated[0].tobytes() for row in found.evaluated)

    def test_gets_another_answer_in_every_training_batch(self, batches: Batches) -> None:
        trainer = watched(batches)
        trainer.advance(steps=30)
        found = answer(trainer, AnswersInCompany(0, pixels(batches), 0))
        assert {size: drawn.shape for size, drawn in found.trained.items()} == dict.fromkeys(
            BATCH_SIZES, (BATCHES_OF_EACH_SIZE, 10)
        )
        spread = [found.trained[size].std(0).mean() for size in BATCH_SIZES]
        assert spread == sorted(spread, reverse=True)  # the larger the batch, the less the company matters
        assert spread[-1] > 0

    def test_is_refused_alone_in_training_mode(self, batches: Batches) -> None:
        found = answer(watched(batches), AnswersInCompany(0, pixels(batches), 0))
        assert "at least 2 digits, got 1" in found.alone

    def test_without_running_statistics_is_at_the_mercy_of_its_company_in_eval_mode_too(self, batches: Batches) -> None:
        experiment = Experiment(variants=(Variant(SMALL, BatchNormConfig(inference="batch")),))
        found = answer(watched(batches, experiment), AnswersInCompany(0, pixels(batches), 0))
        assert len(found.evaluated) == 2  # alone it is refused in eval mode as well
        assert not np.allclose(found.evaluated[0], found.evaluated[1])

    def test_can_only_be_asked_of_a_network_with_batchnorm(self, batches: Batches) -> None:
        with pytest.raises(ValueError, match="batchnorm"):
            answer(watched(batches), AnswersInCompany(1, pixels(batches), 0))


class Plain(torch.nn.Sequential):
    """A network of a trainer as PyTorch's own layers, in blocks of one linear layer and what follows it."""

    def __init__(self, trainer: Trainer, variant: int) -> None:
        stack, blocks = trainer.copy_of(variant), []
        norms = [norm for norm, _ in stack.norms_of(0)]
        for i, source in enumerate(stack.linears()):
            weight = source.weight.value[0]
            linear = torch.nn.Linear(*weight.shape)
            with torch.no_grad():
                linear.weight.copy_(weight.T)
                linear.bias.copy_(source.bias.value[0, 0])
            block: list[torch.nn.Module] = [linear]
            if i < len(stack.hidden):
                if norms:
                    norm = torch.nn.BatchNorm1d(weight.shape[1], eps=float(norms[i].eps))
                    with torch.no_grad():
                        norm.weight.copy_(norms[i].gamma.value[0, 0])
                        norm.bias.copy_(norms[i].beta.value[0, 0])
                    block.append(norm)
                block.append(torch.nn.Tanh())
            blocks.append(torch.nn.Sequential(*block))
        super().__init__(*blocks)

    def gradients(self, x: torch.Tensor, labels: torch.Tensor) -> list[torch.Tensor]:
        self.zero_grad()
        torch.nn.functional.cross_entropy(self(x), labels).backward()
        return [block[0].weight.grad.clone() for block in self]  # type: ignore[index]


class TestInternalCovariateShift:
    """Santurkar et al. 2018, definition 2.1."""

    deep = NetworkConfig(hidden_layers=3, width=12)
    twins = Experiment(TrainingConfig(steps=60), (Variant(deep, BatchNormConfig()), Variant(deep)))

    @pytest.mark.parametrize("variant", [0, 1])
    def test_is_what_autograd_finds_layer_by_layer(self, batches: Batches, variant: int) -> None:
        trainer = trainer_of(self.twins, batches)
        while trainer.tick < 20:
            trainer.advance(steps=20 - trainer.tick)
        found = answer(trainer, ShiftOfGradients())[variant]
        x, labels = batches.at(20, seed=0, size=32, standardize=False)
        before = Plain(trainer, variant).gradients(x, labels)
        for layer in range(4):
            net = Plain(trainer, variant)
            net.gradients(x, labels)
            for parameter in (p for block in list(net)[:layer] for p in block.parameters()):
                assert parameter.grad is not None
                parameter.data -= trainer.training.rate(20) * parameter.grad
            after = net.gradients(x, labels)[layer]
            assert found.norm[layer] == pytest.approx(before[layer].norm().item(), rel=1e-4)
            # float32 gradients that are nearly equal: their difference has the error of the gradients themselves
            close = pytest.approx((before[layer] - after).norm().item(), rel=1e-3, abs=1e-5 * found.norm[layer])
            assert found.difference[layer] == close
            cosine = torch.cosine_similarity(before[layer].flatten(), after.flatten(), dim=0).item()
            assert found.cosine[layer] == pytest.approx(cosine, abs=1e-5)
        assert found.difference[0] == 0
        assert (found.difference[1:] > 0).all()

    def test_is_zero_where_nothing_is_learned(self, batches: Batches) -> None:
        still = replace(self.twins, training=TrainingConfig(steps=20, final_learning_rate=0.0))
        trainer = trainer_of(still, batches)
        while not trainer.finished:
            trainer.advance()
        for found in answer(trainer, ShiftOfGradients()):
            assert found.step == 20
            assert (found.difference == 0).all()
            np.testing.assert_allclose(found.cosine, 1)

    def test_is_told_of_finished_and_of_diverged_networks(self, batches: Batches) -> None:
        explosive = replace(self.deep, activation="none", init="normal", init_scale=10.0)
        wild = Experiment(TrainingConfig(steps=60, learning_rate=0.5), (Variant(self.deep), Variant(explosive)))
        trainer = trainer_of(wild, batches)
        while not trainer.finished:
            frame = trainer.advance()
        calm, diverged = answer(trainer, ShiftOfGradients())
        assert calm.step == 60
        assert np.isfinite(calm.difference).all()
        assert frame.variants[1].diverged
        assert np.isnan(diverged.difference).all()

    def test_leaves_the_run_as_it_was(self, batches: Batches) -> None:
        asked, left_alone = trainer_of(self.twins, batches), trainer_of(self.twins, batches)
        for _ in range(4):
            answer(asked, ShiftOfGradients())
            a, b = asked.advance(steps=5), left_alone.advance(steps=5)
            assert [v.losses.tobytes() for v in a.variants] == [v.losses.tobytes() for v in b.variants]
            assert [v.test_loss for v in a.variants] == [v.test_loss for v in b.variants]


def test_questions_leave_the_trainer_as_it_was(batches: Batches) -> None:
    asked, left_alone = trainer_of(TWINS, batches), trainer_of(TWINS, batches)
    for _ in range(3):
        answer(asked, AnswersInCompany(0, pixels(batches), 1))
        answer(asked, InputsOfLayer(1, 1, (0,), 50))
        a, b = asked.advance(steps=5), left_alone.advance(steps=5)
        assert [v.losses.tobytes() for v in a.variants] == [v.losses.tobytes() for v in b.variants]
        assert [v.test_loss for v in a.variants] == [v.test_loss for v in b.variants]


@pytest.mark.parametrize(
    ("question", "field"),
    [
        (InputsOfLayer(2, 0, (0,), 5), "variant: give 0 to 1"),
        (InputsOfLayer(0, 2, (0,), 5), "layer: give 0 to 1"),
        (InputsOfLayer(0, 0, (12,), 5), "units: give 0 to 11"),
    ],
)
def test_a_question_about_what_is_not_there_is_refused(batches: Batches, question: InputsOfLayer, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        answer(watched(batches), question)

"""The lab's network, folded for inference: the same answers, what is measured and said of it, and the files of it."""

import io
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, TrainingConfig, Variant
from bnviz.experiment.layers import MEAN_PIXEL, STD_PIXEL
from bnviz.export.folded import SCRIPT_FILE, WEIGHTS_FILE, to_folded_script
from bnviz.findings.folding import folding_findings
from bnviz.nn.as_torch import as_sequential
from bnviz.records.answers import Folded
from bnviz.records.questions import FoldedForInference
from bnviz.training.batches import Batches
from bnviz.training.questions.registry import answer
from bnviz.training.trainer import Trainer
from tests.builders import torchs_activation, trainer_of

SMALL = NetworkConfig(hidden_layers=2, width=12)
NETWORKS = {
    "before": Variant(SMALL, BatchNormConfig()),
    "after": Variant(NetworkConfig(hidden_layers=2, width=12, activation="gelu"), BatchNormConfig(position="after")),
    "options": Variant(SMALL, BatchNormConfig(affine=False, bessel=True, eps=1e-3, running="std", noise=0.1)),
    "population": Variant(
        NetworkConfig(width=12, activation="none"), BatchNormConfig(inference="population", cumulative=True)
    ),
    "LeNet": Variant(NetworkConfig(architecture="lenet", activation="leaky_relu"), BatchNormConfig()),
    "LeNet, after": Variant(NetworkConfig(architecture="lenet"), BatchNormConfig(position="after")),
    "wide CNN": Variant(NetworkConfig(architecture="cnn", activation="relu", init="he_normal"), BatchNormConfig()),
}


def trained(variant: Variant, batches: Batches, steps: int = 12, **training: Any) -> Trainer:
    trainer = trainer_of(Experiment(TrainingConfig(steps=steps, **training), (variant,)), batches)
    while not trainer.finished:
        trainer.advance(evaluate=False)
    return trainer


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.slow) if name == "wide CNN" else name for name in NETWORKS],
)
def trainer(request: pytest.FixtureRequest, batches: Batches) -> Trainer:
    return trained(NETWORKS[request.param], batches, standardize=request.param == "after")


@pytest.fixture(scope="module")
def folded(trainer: Trainer) -> Folded:
    return answer(trainer, FoldedForInference(0))


def measured(trainer: Trainer) -> Any:
    """The network as its own eval mode has it."""
    net = trainer.copy_of(0)
    norm = trainer.variants[0].batchnorm
    if norm is not None and norm.inference == "population":
        net.measure_population(trainer.population(at_end=True))
    return net


def test_torchs_layers_answer_as_the_stack_does(trainer: Trainer) -> None:
    net, (x, _) = measured(trainer), trainer.batches.test(100, trainer.training.standardize)
    theirs = as_sequential(net, trainer.variants[0])
    torch.testing.assert_close(theirs(x).detach(), net.forward(x, "eval")[0], rtol=1e-4, atol=1e-4)
    assert not theirs.training


def test_a_network_without_batchnorm_is_one_of_torchs_too(batches: Batches) -> None:
    trainer = trained(Variant(SMALL), batches)
    net, (x, _) = trainer.copy_of(0), batches.test(100, standardize=False)
    torch.testing.assert_close(as_sequential(net, Variant(SMALL))(x).detach(), net.forward(x, "eval")[0])


def test_every_activation_is_torchs_module() -> None:
    for name in ("tanh", "sigmoid", "relu", "leaky_relu", "gelu", "none"):
        variant = Variant(NetworkConfig(hidden_layers=1, width=2, activation=name))
        made = as_sequential(Trainer(TrainingConfig(), (variant,), NO_DIGITS).copy_of(0), variant)[1]
        assert repr(made) == repr(torchs_activation(name))


NO_DIGITS: Any = None


def test_the_answers_are_the_same_but_for_rounding(folded: Folded) -> None:
    assert folded.digits == 2000
    assert folded.agree >= 1998
    assert 0 < folded.difference < 1e-5 * max(folded.largest, 1)


def test_where_it_goes_wrong_is_measured(trainer: Trainer, folded: Folded) -> None:
    assert folded.training > 100 * folded.difference
    if trainer.variants[0].batchnorm.inference == "population":
        assert folded.moved is None
    else:
        assert folded.moved is not None
        assert folded.moved > 100 * folded.difference


def test_how_much_faster_is_measured_for_one_digit_and_many(folded: Folded) -> None:
    assert folded.faster.keys() == {1, 256}
    assert all(0.2 < ratio < 20 for ratio in folded.faster.values())


def test_the_question_leaves_the_trainer_as_it_was(batches: Batches) -> None:
    trainer = trained(NETWORKS["before"], batches)
    before = trainer.copy_of(0).norms()[0].running_mean.clone()
    answer(trainer, FoldedForInference(0))
    assert torch.equal(trainer.copy_of(0).norms()[0].running_mean, before)


def test_script_and_weights_answer_with_torch_alone(trainer: Trainer, folded: Folded, tmp_path: Path) -> None:
    script = to_folded_script(Experiment(trainer.training, trainer.variants))
    (tmp_path / WEIGHTS_FILE).write_bytes(folded.weights)
    (tmp_path / SCRIPT_FILE).write_text(script, encoding="utf-8")
    assert "bnviz." not in script.replace("of bnviz for", "")
    made = runpy.run_path(str(tmp_path / SCRIPT_FILE))
    assert not any(isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) for layer in made["NETWORK"])
    x, _ = trainer.batches.test(100, trainer.training.standardize)
    pixels = (x * STD_PIXEL + MEAN_PIXEL if trainer.training.standardize else x) * 255
    torch.testing.assert_close(made["logits"](pixels), measured(trainer).forward(x, "eval")[0], rtol=1e-3, atol=1e-3)


def test_weights_are_read_without_running_code(folded: Folded) -> None:
    assert all(
        isinstance(each, torch.Tensor) for each in torch.load(io.BytesIO(folded.weights), weights_only=True).values()
    )


@pytest.mark.parametrize(
    ("variant", "place", "message"),
    [
        (Variant(SMALL, BatchNormConfig()), 1, "variant: give 0 to 0, got 1"),
        (Variant(SMALL), 0, "variant: only a network with batchnorm has one to fold"),
        (Variant(SMALL, BatchNormConfig(inference="batch")), 0, "inference: give 'running' or 'population'"),
        (
            Variant(NetworkConfig(architecture="cnn"), BatchNormConfig(position="after")),
            0,
            "position: batchnorm after the activation stands before max pooling here.* give before",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_folded_is_told(variant: Variant, place: int, message: str, batches: Batches) -> None:
    trainer = trained(variant, batches, steps=1)
    with pytest.raises(ValueError, match=message):
        answer(trainer, FoldedForInference(place))


def test_a_network_that_diverged_has_nothing_to_fold(batches: Batches) -> None:
    network = NetworkConfig(hidden_layers=1, width=4, activation="relu")
    trainer = trained(Variant(network, BatchNormConfig()), batches, learning_rate=10.0, weight_decay=1.0, steps=200)
    net = trainer.copy_of(0)
    net.output.weight.value.fill_(torch.nan)
    trainer._states[0], trainer._stacks = net.state(0), []
    with pytest.raises(ValueError, match="no longer finite"):
        answer(trainer, FoldedForInference(0))


def found(**changes: Any) -> Folded:
    usual: dict[str, Any] = {
        "step": 1500,
        "digits": 2000,
        "difference": 3.8e-6,
        "largest": 14.23,
        "agree": 2000,
        "batch_size": 32,
        "training": 5.07,
        "moved_batches": 50,
        "moved": 0.312,
        "faster": {1: 1.62, 256: 1.1},
        "weights": b"",
    }
    return Folded(**usual | changes)


class TestFindings:
    def test_tell_what_is_kept_gained_and_where_it_goes_wrong(self) -> None:
        assert folding_findings(found()) == [
            "Folded after 1,500 steps: over 2,000 test digits its logits are at most 3.8 · 10⁻⁶ from those of the "
            "network in eval mode, whose largest in size is 14.2: sums are rounded in another order. All digits "
            "get the same class.",
            "Measured on the worker just now, it is beside the same layers of PyTorch with batchnorm 1.6 times as fast "
            "on one digit and 1.1 times as fast on 256 at once.",
            "It is not the network in training mode: there batches of 32 have statistics of their own, and logits are "
            "up to 5.07 away.",
            "It does not follow the network: 50 more batches in training mode move the running statistics, with the "
            "same weights, and logits are up to 0.312 away. Fold last.",
        ]

    def test_tell_how_many_digits_get_the_same_class_where_not_all_do(self) -> None:
        assert "1,999 digits get the same class." in folding_findings(found(agree=1999))[0]

    def test_tell_that_population_statistics_stay(self) -> None:
        assert folding_findings(found(moved=None))[3] == (
            "Eval mode goes by population statistics here, which no later batch moves."
        )

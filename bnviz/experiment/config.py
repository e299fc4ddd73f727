"""What is trained: an Experiment and its parts, frozen and validated, with every range in one place.

The ranges, titles, help texts and names of choices declared here are the only ones: the controls, the address bar, the
command line, the figures and every error message read them from these fields (`bnviz.experiment.settings`).
"""

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from bnviz.experiment.choices import (
    ACTIVATIONS,
    USUAL_ACTIVATION,
    Activation,
    Architecture,
    ChoiceNames,
)
from bnviz.experiment.inits import INITS, SCHEMES, SMALLEST_SCALE, Init
from bnviz.experiment.layers import CLASSES, CNN, LENET, PIXELS, SIDE, Layer, perceptron
from bnviz.experiment.normalizers import STRICT, BatchNormConfig, CombinationError, NormalizerConfig
from bnviz.experiment.training import TrainingConfig, Watch

LETTERS = "ABCDEF"  # variants are named by their place
MOST_HIDDEN_LAYERS = 20


@dataclass(frozen=True, config=STRICT)
class NetworkConfig:
    """A network from 784 pixels to 10 logits: its architecture, and how its weights are drawn.

    LeNet has two convolutions, each followed by average pooling, and two dense layers, and no hidden_layers and width
    to choose. It is the form of Zhang et al., Dive into Deep Learning, section 7.6: LeCun et al. 1998 with all maps
    connected, plain averages and a plain output layer. The wide CNN has more maps, max pooling and one dense layer
    before the output: the network that Caffe's example for MNIST calls LeNet.
    """

    hidden_layers: int = Field(
        default=1,
        ge=1,
        le=MOST_HIDDEN_LAYERS,
        title="Hidden layers",
        description="Hidden layers between pixels and logits of a multilayer perceptron.",
    )
    width: int = Field(
        default=128, ge=1, le=512, title="Width", description="Neurons in each hidden layer of a multilayer perceptron."
    )
    activation: Activation = Field(
        default="tanh", title="Activation", description="The function applied after every hidden layer."
    )
    init: Annotated[Init, ChoiceNames(**{key: scheme.name for key, scheme in SCHEMES.items()})] = Field(
        default="rand_fan_in",
        title="Init",
        description="How weights are drawn before the first step, such as U[0,1) (rand) or that divided by √fan_in "
        "(rand_fan_in).",
    )
    init_scale: float = Field(
        default=1.0,
        ge=SMALLEST_SCALE,
        le=100.0,
        title="Init scale",
        description="Every drawn weight is multiplied by this; 0.01 makes the small init.",
    )

    architecture: Architecture = Field(
        default="mlp",
        title="Architecture",
        description="A multilayer perceptron; LeNet: convolutions 6@5×5 and 16@5×5, each followed by average pooling, "
        "then 120, 84 and 10 neurons; or a wide CNN: convolutions 20@5×5 and 50@5×5, each followed by max pooling, "
        "then 500 and 10 neurons.",
    )

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers with weights, the output layer last."""
        if self.architecture == "mlp":
            return perceptron(self.hidden_layers, self.width)
        return LENET if self.architecture == "lenet" else CNN

    @property
    def hidden(self) -> tuple[Layer, ...]:
        """The layers with an activation function, and with batchnorm if the variant has it."""
        return self.layers[:-1]


@dataclass(frozen=True, config=STRICT)
class Variant:
    """One network of an experiment, with batch normalization, another normalizer in its place, or neither."""

    network: NetworkConfig = NetworkConfig()
    batchnorm: BatchNormConfig | None = None
    normalizer: NormalizerConfig | None = None

    @model_validator(mode="after")
    def _has_one_normalizer_that_fits(self) -> "Variant":
        if self.normalizer and self.batchnorm:
            raise CombinationError("normalizer", "a network has one; give batchnorm off, or no other normalizer")
        if self.normalizer:
            self.normalizer.require_fit(self.network.hidden)
        return self

    @property
    def plain(self) -> bool:
        """Whether nothing is normalized."""
        return self.batchnorm is None and self.normalizer is None

    @property
    def normalized(self) -> bool | None:
        """True with batchnorm, False without, None with another normalizer in its place."""
        return None if self.normalizer else self.batchnorm is not None

    @property
    def normalizes(self) -> Literal["pre_activation", "post_activation"]:
        """The place whose values are normalized, or would be if the variant had batchnorm."""
        norm = self.batchnorm or self.normalizer
        return "post_activation" if norm and norm.position == "after" else "pre_activation"

    def activation_input(self, layer: int) -> Literal["pre_activation", "batchnorm_output"]:
        """Return the place whose values go into the activation function of a hidden layer, from 0."""
        norm, shape = self.batchnorm or self.normalizer, self.network.hidden[layer]
        if norm is None or norm.position == "after":
            return "pre_activation"
        if isinstance(norm, NormalizerConfig) and (norm.kind == "weight" or not norm.is_in(shape)):
            return "pre_activation"
        return "batchnorm_output"


@dataclass(frozen=True, config=STRICT)
class Experiment:
    """All that is needed to reproduce a run: one training, and up to six variants that share its batches."""

    training: TrainingConfig = TrainingConfig()
    variants: tuple[Variant, ...] = Field(
        default=(Variant(), Variant(batchnorm=BatchNormConfig())),
        min_length=1,
        max_length=len(LETTERS),
        title="Variants",
    )

    @model_validator(mode="after")
    def _a_batch_has_a_variance(self) -> "Experiment":
        if self.training.batch_size < 2 and any(v.batchnorm for v in self.variants):
            raise CombinationError("batch_size", BATCH_OF_ONE)
        return self

    @property
    def letters(self) -> str:
        return LETTERS[: len(self.variants)]

    def with_variant(self, index: int, variant: Variant) -> "Experiment":
        """Return the same experiment with another variant in one place."""
        return replace(self, variants=(*self.variants[:index], variant, *self.variants[index + 1 :]))


BATCH_OF_ONE = "batchnorm needs a batch size from 2 to 1024, because a batch of one digit has no variance"
_EXPERIMENT = TypeAdapter(Experiment)


def to_json(experiment: Experiment) -> str:
    """Return a JSON document that `from_json` reads."""
    return _EXPERIMENT.dump_json(experiment).decode()


def to_dict(experiment: Experiment) -> dict[str, Any]:
    """Return the experiment as plain JSON values, nested as in the document of `to_json`."""
    values: dict[str, Any] = _EXPERIMENT.dump_python(experiment, mode="json")
    return values


def from_json(text: str | bytes) -> Experiment:
    """Return the experiment that a JSON document describes.

    Raises pydantic.ValidationError, which `bnviz.experiment.addresses.explain` turns into plain sentences.
    """
    return _EXPERIMENT.validate_json(text)


__all__ = [
    "ACTIVATIONS",
    "BATCH_OF_ONE",
    "CLASSES",
    "INITS",
    "LETTERS",
    "MOST_HIDDEN_LAYERS",
    "PIXELS",
    "SIDE",
    "STRICT",
    "USUAL_ACTIVATION",
    "Activation",
    "BatchNormConfig",
    "CombinationError",
    "Experiment",
    "Init",
    "Layer",
    "NetworkConfig",
    "NormalizerConfig",
    "TrainingConfig",
    "ValidationError",
    "Variant",
    "Watch",
    "from_json",
    "replace",
    "to_dict",
    "to_json",
]

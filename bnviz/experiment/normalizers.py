"""How the hidden layers of a network are normalized: batchnorm's options, the other normalizers, and what fits what."""

from collections.abc import Sequence

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from bnviz.experiment.choices import Inference, Normalizer, Position, Running
from bnviz.experiment.layers import Layer

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)  # no field too many, no number as text
MOST_GROUPS = 256
_USUAL = ("eps", "affine", "position")
OPTIONS: dict[Normalizer, tuple[str, ...]] = {  # fields of a NormalizerConfig that a kind has
    "layer": _USUAL,
    "group": ("groups", *_USUAL),
    "instance": _USUAL,
    "rms": _USUAL,
    "weight": ("eps", "affine"),
}


class CombinationError(ValueError):
    """Settings that are allowed each, and make no sense together. key: the one that is to be changed, as a file's part
    of a training or a variant calls it, and the flat table too."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"{key}: {why}")
        self.key, self.why = key, why


@dataclass(frozen=True, config=STRICT)
class BatchNormConfig:
    """Batch normalization after every hidden layer's linear map (Ioffe and Szegedy 2015)."""

    eps: float = Field(
        default=1e-5, ge=1e-12, le=1.0, title="ε", description="Added to the variance before the square root."
    )
    momentum: float = Field(
        default=0.1,
        ge=0.001,
        le=1.0,
        title="Running momentum",
        description="Share of the newest batch in the running mean and variance, as PyTorch counts it.",
    )
    affine: bool = Field(
        default=True, title="Learn γ and β", description="A learned scale and shift after the normalization."
    )
    position: Position = Field(
        default="before", title="Place", description="Normalize before or after the activation function."
    )
    cumulative: bool = Field(
        default=False,
        title="Cumulative average",
        description="Weigh all batches alike in the running statistics, instead of by the running momentum.",
    )
    running: Running = Field(
        default="variance",
        title="Running average of",
        description="The variance, as usual, or the standard deviation.",
    )
    inference: Inference = Field(
        default="running",
        title="Eval mode uses",
        description="The running statistics; the population statistics, averaged over training batches of the finished "
        "network; or those of the batch at hand, as with track_running_stats=False.",
    )
    bessel: bool = Field(
        default=False,
        title="Normalize with Bessel's correction",
        description="Divide by the unbiased standard deviation of the batch, with B − 1 in place of B.",
    )
    detach: bool = Field(
        default=False,
        title="No gradient through the statistics",
        description="Treat mean and variance as constants in the backward pass, as gradient descent must not.",
    )
    noise: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        title="Noise on the statistics",
        description="While training, the mean moves by this many standard deviations and the log of the standard "
        "deviation by this much, times a normal deviate for each unit and batch.",
    )
    noisy: bool = Field(
        default=False,
        title="Noisy batchnorm",
        description="While training, multiply and move every output of the layer by noise whose mean and spread are "
        "drawn anew for each unit and batch: covariate shift on purpose (Santurkar et al. 2018, section 2.1).",
    )


@dataclass(frozen=True, config=STRICT)
class NormalizerConfig:
    """A normalizer that needs no batch, after every hidden layer's linear map: each digit is normalized by itself.

    layer: over all units (Ba et al. 2016). group: over each group of units (Wu and He 2018). instance: over each
    feature map, only after convolutions (Ulyanov et al. 2016). rms: all units over their root mean square, without a
    mean and without β (Zhang and Sennrich 2019). weight: no activations but each unit's weights, centred and of length
    1, times γ (Qiao et al. 2019; without their factor √fan_in, as Brock et al. 2021).

    Two definitions of the same layers are equal: fields that a kind does not have are the default ones.
    """

    kind: Normalizer = Field(
        default="layer",
        title="Instead of batchnorm",
        description="Another normalizer, which takes no statistics over the batch: layer, group, instance or RMS norm "
        "of every digit's activations, or standardized weights.",
    )
    groups: int = Field(
        default=2,
        ge=1,
        le=MOST_GROUPS,
        title="Groups",
        description="Equal groups of units or channels that group norm takes its statistics over.",
    )
    eps: float = Field(
        default=1e-5,
        ge=1e-12,
        le=1.0,
        title="ε of the normalizer",
        description="Added to the variance, the mean square or the sum of squares before the square root.",
    )
    affine: bool = Field(
        default=True,
        title="Learn γ and β of the normalizer",
        description="A learned scale and shift; RMS norm and weight standardization have the scale alone.",
    )
    position: Position = Field(
        default="before", title="Place of the normalizer", description="Normalize before or after the activation."
    )

    @model_validator(mode="after")
    def _has_what_its_kind_has(self) -> "NormalizerConfig":
        for name in {"groups", *_USUAL} - {*OPTIONS[self.kind]}:
            object.__setattr__(self, name, getattr(NormalizerConfig, name))
        return self

    def is_in(self, layer: Layer) -> bool:
        """Tell whether a hidden layer gets it: instance norm is in convolutions alone."""
        return self.kind != "instance" or layer.kernel > 0

    def require_fit(self, hidden: Sequence[Layer]) -> None:
        """Raises CombinationError if in one of the hidden layers nothing would be left of its inputs."""
        narrowest = min(layer.fan_in if self.kind == "weight" else layer.units * layer.size**2 for layer in hidden)
        if self.kind == "instance" and not any(layer.kernel for layer in hidden):
            raise CombinationError(
                "normalizer",
                "instance norm is over the places of a feature map, and a dense layer has none: each value less its "
                "own mean is 0; give layer, group, rms or weight, or architecture lenet",
            )
        if self.kind == "group":
            self._require_groups(hidden)
        elif self.kind in ("layer", "weight") and narrowest < 2:
            raise CombinationError("normalizer", "one value less its own mean is 0; give a width from 2 to 512, or rms")

    def _require_groups(self, hidden: Sequence[Layer]) -> None:
        def fits(groups: int, layer: Layer) -> bool:
            return layer.units % groups == 0 and layer.units // groups * layer.size**2 > 1

        for number, layer in enumerate(hidden, 1):
            if not fits(self.groups, layer):
                allowed = [n for n in range(1, MOST_GROUPS + 1) if all(fits(n, each) for each in hidden)]
                advice = f"one of {', '.join(map(str, allowed))}" if allowed else "a width from 2 to 512"
                raise CombinationError(
                    "norm_groups",
                    f"{self.groups} groups do not part the {layer.units} {layer.unit}s of hidden layer {number} into "
                    f"equal groups of at least 2 values; give {advice}",
                )

"""How networks are trained: batches, optimizer, learning rate, data; and which moments of a run are kept."""

import math
from typing import Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from bnviz.experiment.choices import DataName, Decayed, Optimizer, Schedule
from bnviz.experiment.layers import MEAN_PIXEL, STD_PIXEL
from bnviz.experiment.normalizers import STRICT

Watch = Literal["inference", "landscape"]  # what a run measures beside the usual, for the page that shows it


@dataclass(frozen=True, config=STRICT)
class TrainingConfig:
    """Gradient descent in batches on the softmax cross-entropy, the same for every variant."""

    batch_size: int = Field(
        default=32, ge=1, le=1024, title="Batch size", description="Digits in one step; batchnorm needs at least 2."
    )
    optimizer: Optimizer = Field(
        default="sgd",
        title="Optimizer",
        description="What is made of a gradient: SGD, plain or with momentum; SGD that takes its gradient as if the "
        "momentum's step were done (Nesterov); or Adam, which divides each weight's step by the size of its gradients.",
    )
    learning_rate: float = Field(
        default=0.1, ge=1e-5, le=10.0, title="Learning rate", description="Step length at step 0."
    )
    schedule: Schedule = Field(
        default="linear",
        title="Schedule",
        description="How the learning rate goes from its start to its end value over the run.",
    )
    final_learning_rate: float = Field(
        default=0.01,
        ge=0.0,
        le=10.0,
        title="Final rate",
        description="Learning rate at the last step (linear and cosine schedules).",
    )
    momentum: float = Field(
        default=0.0,
        ge=0.0,
        le=0.999,
        title="Momentum",
        description="Share of the step before that is taken again; SGD with 0 is plain SGD. Of Adam it is β₁.",
    )
    weight_decay: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        title="Weight decay",
        description="L2 penalty, whose gradient is this times the value; on what Decays says.",
    )
    decayed: Decayed = Field(
        default="weights",
        title="Decays",
        description="Whether weight decay is on the weights alone, or, as in PyTorch's optimizers unless told "
        "otherwise, on biases, γ and β too.",
    )
    steps: int = Field(default=1500, ge=1, le=100_000, title="Steps", description="Batches until the run ends.")
    standardize: bool = Field(
        default=False,
        title="Standardize inputs",
        description=f"Subtract MNIST's mean pixel ({MEAN_PIXEL}) and divide by its standard deviation ({STD_PIXEL}).",
    )
    seed: int = Field(
        default=0,
        ge=0,
        le=2**31 - 1,
        title="Seed",
        description="Fixes the initial weights and the order of the batches.",
    )
    data: DataName = Field(
        default="MNIST",
        title="Data",
        description="MNIST; its first 10,000 and 2,000 digits; or others of its shape, which are downloaded once.",
    )

    def rate(self, step: int) -> float:
        """Return the learning rate of one step: `learning_rate` at step 0, `final_learning_rate` at the last one."""
        if self.schedule == "constant":
            return self.learning_rate
        done = min(step / max(self.steps - 1, 1), 1.0)
        if self.schedule == "cosine":
            done = (1 - math.cos(math.pi * done)) / 2
        return self.learning_rate + (self.final_learning_rate - self.learning_rate) * done

    @property
    def keep_every(self) -> int:
        """Steps between two kept frames: a multiple of this is a point of the test curves and of the history.

        A function of the experiment alone, so that a run's history does not depend on how fast it was watched.
        """
        return max(self.kept_every("inference"), min(100, math.ceil(self.steps / 15)))

    def kept_every(self, watch: Watch | None) -> int:
        """Return `keep_every` for a run that is watched.

        The curves of inference need every point that the history can hold. The landscape has fewer, because a look
        ahead costs as much as some ten steps: so a run keeps half of its speed.
        """
        if watch == "landscape":
            return max(math.ceil(self.steps / 60), 15)
        return self.keep_every if watch is None else math.ceil(self.steps / 200)

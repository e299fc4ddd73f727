"""What a chapter of the story is made of: a question, a guess, and the acts that answer it."""

from dataclasses import dataclass
from typing import Literal

from bnviz.experiment.config import NetworkConfig, Watch
from bnviz.experiment.guesses import Guess
from bnviz.experiment.scenario import Scenario
from bnviz.experiment.sweep import Sweep

Chart = Literal[
    "loss",
    "accuracy",
    "function",
    "saturation",
    "gradients",
    "gradient_flow",
    "ridges",
    "class_shares",
    "propagation",
    "points",
    "bias",
    "bessel",
    "digit",
    "answers",
    "running",
    "sweep",
    "predictiveness",
    "smoothness",
]
Page = Literal[
    "live_lab",
    "inside_batchnorm",
    "training_and_inference",
    "initialization",
    "covariate_shift",
    "depth_and_architecture",
    "loss_landscape",
    "sweep",
    "results",
]


@dataclass(frozen=True)
class Untrained:
    """Networks that are drawn and looked at, and not trained. your_scale: the first one's init scale is the guess."""

    networks: tuple[NetworkConfig, ...]
    standardize: bool = False
    your_scale: bool = False


@dataclass(frozen=True)
class Act:
    """One thing that a chapter does, and the charts that show it. what: None for what is reckoned without a network.

    layer: the hidden layer that the charts look into, from 0. title: what it is called beside the chapter's others.
    """

    charts: tuple[Chart, ...]
    what: Scenario | Untrained | Sweep | None = None
    watch: Watch | None = None
    layer: int = 0
    title: str = ""


@dataclass(frozen=True)
class Chapter:
    """One page of the story. idea: what to take along, told once the run has ended. further: pages that show more."""

    number: int
    title: str
    minutes: int
    question: str
    guess: Guess | None
    acts: tuple[Act, ...]
    idea: str
    further: tuple[Page, ...] = ("live_lab",)

"""What a page may ask of a run's networks: frozen, picklable records whose type says what the answer is.

A `Question[A]` is answered at once with an A; a `GradualQuestion[A]` takes seconds and is answered a share at a time:
opened, continued until there is an answer, or dropped. Answering changes nothing about the run. Who answers which
stands in `bnviz.training.questions.registry`.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from bnviz.records.answers import Answers, Convolved, Folded, GradientShift, LabelledDigit, LayerInputs
from bnviz.records.landscape import BatchNoise, LargestRates, Plane, Scaling, Sharpness, Slices

A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)


class Question(Generic[A_co]):
    """A question about the networks of a run as they are; its answer is an A."""


class GradualQuestion(Generic[A_co]):
    """A question that takes seconds; its answer is an A."""


@dataclass(frozen=True)
class InputsOfLayer(Question[LayerInputs]):
    """What reaches some units of one hidden layer of one network, over the first `digits` training digits?"""

    variant: int
    layer: int
    units: tuple[int, ...]
    digits: int


@dataclass(frozen=True)
class AnswersInCompany(Question[Answers]):
    """What does a network with batchnorm say of one digit, pixels (784,) from 0 to 255, alone and among others?

    seed: which others.
    """

    variant: int
    pixels: tuple[float, ...]
    seed: int


@dataclass(frozen=True)
class FoldedForInference(Question[Folded]):
    """What becomes of a network whose batchnorm is folded into the layers beside it: its answers, its speed?"""

    variant: int


@dataclass(frozen=True)
class DigitOfTestSet(Question[LabelledDigit]):
    """Which digit is at this place of the test set?"""

    place: int


@dataclass(frozen=True)
class MapsOfDigit(Question[Convolved]):
    """What does the convolution `layer` of every network make of one of the probe digits?"""

    layer: int
    digit: int


@dataclass(frozen=True)
class ShiftOfGradients(Question[list[GradientShift]]):
    """How much internal covariate shift does every network have at its next step?"""


@dataclass(frozen=True)
class EffectOfScale(Question[list[Scaling]]):
    """What does scaling the weights of one hidden layer do to every network?"""

    layer: int


@dataclass(frozen=True)
class NoiseOfBatches(Question[BatchNoise]):
    """How far are the statistics of random batches from those of many digits, in layer 1 of one network?"""

    variant: int


@dataclass(frozen=True)
class LossSlices(GradualQuestion[Slices]):
    """What is the loss around the weights of every network, on the first `digits` training digits?

    resolution: points along each side. half_width: how far from the weights a random plane goes, in both directions;
    seed: of its two directions.
    """

    kind: Plane
    resolution: int
    digits: int
    half_width: float
    seed: int


@dataclass(frozen=True)
class SharpnessAlongPath(GradualQuestion[tuple[Sharpness | str, ...]]):
    """How sharp was the loss at the moments of every network's path? In place of a network's sharpness, why it has
    none."""


@dataclass(frozen=True)
class LargestLearningRates(GradualQuestion[LargestRates]):
    """How large a learning rate may be with which every network still trains."""


@dataclass(frozen=True)
class Ticket(Generic[A_co]):
    """The name of a gradual question that is open at a trainer."""

    name: str


@dataclass(frozen=True)
class Share(Generic[A_co]):
    """How far a gradual question is: the part that is done, 0 to 1, and the answer, None until all is done."""

    done: float
    answer: A_co | None


@dataclass(frozen=True)
class Open(Question[Ticket[A]]):
    """Will you take this question? Nothing is computed yet."""

    question: GradualQuestion[A]


@dataclass(frozen=True)
class Continue(Question[Share[A]]):
    """How far is a question after `seconds` more of work?"""

    ticket: Ticket[A]
    seconds: float


@dataclass(frozen=True)
class Drop(Question[None]):
    """Will you forget a question unanswered?"""

    ticket: Ticket[object]

"""What the networks of a run answer: frozen records of numpy arrays and plain values, one for each question."""

from dataclasses import dataclass

from bnviz.records.frames import Counts, Floats


@dataclass(frozen=True)
class LayerInputs:
    """What reaches the batchnorm of one hidden layer of one network at step `step`.

    values: (digits, units) pre-activations, or post-activations in a network whose batchnorm comes after the
    activation. After a convolution a row is one position of one digit.
    """

    step: int
    values: Floats


@dataclass(frozen=True)
class LabelledDigit:
    """A digit of the data set: pixels (784,) from 0 to 255, and its label, 0 to 9."""

    pixels: Floats
    label: int


@dataclass(frozen=True)
class Answers:
    """Class probabilities that one network gives one digit at step `step`, (10,), by the digits beside it in the batch.

    evaluated: in eval mode: (3, 10) alone, and among 31 and 255 others; without "alone", (2, 10), if that is refused
    too, because eval mode takes the statistics of the batch at hand. trained: batch size -> (batches, 10) in training
    mode, among others drawn anew each time. alone: why training mode refuses a batch of this digit alone.
    """

    step: int
    evaluated: Floats
    trained: dict[int, Floats]
    alone: str


@dataclass(frozen=True)
class Folded:
    """One network at step `step` with its batchnorm folded into the layers beside it, and how it differs from itself.

    All over `digits` test digits: difference, the largest between logits of the folded network and of the network in
    eval mode; largest, the largest logit itself; agree, digits that both give the same class. training: the largest
    difference from the network in training mode, in batches of `batch_size`. moved: that from the network in eval mode
    after `moved_batches` more batches have gone through it in training mode and moved its statistics, with the weights
    as they are; None if eval mode goes by population statistics, which stay.
    faster: digits at once -> how many times as fast the folded network answers as the network in torch's own layers.
    weights: the folded network's state_dict, as torch.save writes it.
    """

    step: int
    digits: int
    difference: float
    largest: float
    agree: int
    batch_size: int
    training: float
    moved_batches: int
    moved: float | None
    faster: dict[int, float]
    weights: bytes


@dataclass(frozen=True)
class FeatureMaps:
    """What one convolution makes of one digit, and how its values are distributed, channel by channel.

    maps: place -> (channels, H, W), of PLACES; "pooled", what the next layer gets, is half as high and wide.
    histograms: place -> (channels, BINS + 3) counts as in LayerFrame, of the first MAP_DIGITS digits, from
    -limits[place] to limits[place].
    """

    maps: dict[str, Floats]
    histograms: dict[str, Counts]


@dataclass(frozen=True)
class Convolved:
    """One digit, (28, 28) pixels from 0 to 255, and its feature maps in each variant at step `step`; None for a variant
    that has no such convolution.

    guesses: the class that each variant gives the digit, among the digits that it is normalized with.
    limits: place -> the end of the histograms' bins, the same for all variants.
    """

    step: int
    digit: Floats
    label: int
    guesses: tuple[int, ...]
    variants: tuple[FeatureMaps | None, ...]
    limits: dict[str, float]


@dataclass(frozen=True)
class GradientShift:
    """Internal covariate shift of one network at step `step`, after Santurkar et al. 2018, definition 2.1.

    A linear layer each, the output layer last: norm = ||G||, difference = ||G - G'|| (L2), cosine = that of the angle
    between G and G', where G is the loss gradient of the layer's weights and G' the same once the layers before it have
    taken their next step. The first layer has none before it: difference 0, cosine 1. The cosine is NaN if a gradient
    is zero; all are if the network diverged.
    """

    step: int
    norm: Floats
    difference: Floats
    cosine: Floats

"""Why a network does not train: what one sees, an experiment that shows it on purpose, and what to check."""

from dataclasses import dataclass

from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, TrainingConfig, Variant
from bnviz.experiment.presets import PRESETS


@dataclass(frozen=True)
class Symptom:
    """One way in which training fails.

    sign: what one sees. cause: why, in the experiment. check: what to look at in a network of one's own, and what
    helps. shows: a sentence with what the experiment's run shows on MNIST.
    """

    sign: str
    cause: str
    check: str
    experiment: Experiment
    shows: str


def _of_preset(key: str, sign: str, cause: str, check: str) -> Symptom:
    return Symptom(sign, cause, check, PRESETS[key].experiment, PRESETS[key].promise)


_XAVIER = NetworkConfig(init="xavier_normal")

SYMPTOMS: dict[str, Symptom] = {
    "saturated": _of_preset(
        "careless",
        "The loss never falls below ln 10 = 2.30, which is what guessing costs.",
        "The weights are so large that every tanh is saturated: its slope is zero, and so is the gradient of layer 1.",
        "The share of saturated outputs after one batch. Draw weights of standard deviation near 1/√n for n inputs "
        "(Xavier; He for ReLU), or put batchnorm before the activation.",
    ),
    "vanishing": _of_preset(
        "deepest",
        "The loss stays at 2.30 in a deep network, though none of its outputs is saturated.",
        "Each layer passes back less gradient than it gets, and nothing is left of it in the first layers.",
        "The gradient norm of layer 1 beside that of the last layer, before the first step. Use batchnorm, ReLU with "
        "He's init, or fewer layers.",
    ),
    "fading": _of_preset(
        "deep_relu",
        "Every digit gets nearly the same logits, and the loss stays at 2.30.",
        "The weights are so small that each layer passes on less spread than it gets.",
        "The standard deviation of every layer's outputs over a batch: it should neither shrink nor grow from layer to "
        "layer. For ReLU that takes weights of standard deviation √(2/n), He's init.",
    ),
    "confident": Symptom(
        "The first loss is far above that of guessing.",
        "Weights that large make logits that large: the network is sure of answers that it has not learned.",
        "The first loss: near ln 10 for ten classes. Make the weights smaller, those of the last layer above all.",
        Experiment(variants=(Variant(NetworkConfig(init="normal")), Variant(_XAVIER))),
        "The first loss is 15.3 with weights N(0,1) and 2.4 with Xavier's; in the end 81% against 93% are correct.",
    ),
    "alike": Symptom(
        "The gradient of the weights is exactly zero, or the neurons of a layer stay equal.",
        "All weights begin with the same value, here zero: equal neurons get equal gradients, and stay equal.",
        "Whether the rows of a weight matrix differ. Draw weights at random; only biases, γ and β may begin alike.",
        Experiment(variants=(Variant(NetworkConfig(init="zeros")), Variant(_XAVIER))),
        "Weights of zero stay at 11%, those of Xavier's init reach 93%.",
    ),
    "too_fast": _of_preset(
        "fast",
        "The loss jumps far up within the first steps, or is no number any more.",
        "A step of this learning rate goes further than the slope at its start can tell.",
        "A tenth of the learning rate, for a hundred steps. The page Loss landscape searches for the largest rate that "
        "trains, and batchnorm allows a larger one.",
    ),
    "small_batch": _of_preset(
        "tiny_batch",
        "It trains worse with batchnorm than without.",
        "A mean and a variance over two digits are mostly noise.",
        "How many examples a mean is taken over: the batch of one device, not of all. Make it larger, or use a "
        "normalization that needs no batch (layer or group normalization).",
    ),
    "stale_statistics": Symptom(
        "It does well in training and worse as soon as it is asked, in eval mode.",
        "The running statistics follow so slowly that they are still those of the untrained network.",
        "The loss on the same digits in training mode, in a large batch. If that one is good, take a larger momentum "
        "or more steps, or measure the statistics once more over training data.",
        Experiment(
            TrainingConfig(steps=200),
            (Variant(_XAVIER, BatchNormConfig(momentum=0.001)), Variant(_XAVIER, BatchNormConfig())),
        ),
        "Their training losses are equal; in eval mode 78% are correct with momentum 0.001 and 90% with 0.1.",
    ),
}

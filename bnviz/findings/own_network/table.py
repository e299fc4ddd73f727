"""What is looked for in a network of the user's own: each rule with its thresholds and where they are from."""

from dataclasses import dataclass
from urllib.parse import urlencode

from bnviz.experiment.addresses import address_of
from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, TrainingConfig, Variant
from bnviz.experiment.presets import PRESETS
from bnviz.experiment.symptoms import SYMPTOMS

OURS = "a guess of ours, calibrated on torchvision's models (docs/CALIBRATION.md)"
_PAPER = "Ioffe and Szegedy 2015"


@dataclass(frozen=True)
class Rule:
    """One thing that goes wrong with networks.

    limits: the thresholds by name. source: where they are from. meaning: what it does to the network. advice: what to
    do. page, experiment: a page of bnviz, by its path, and what is trained there to see the same fault. instead: what
    that shows in its place, where the lab cannot have the very fault.
    """

    limits: dict[str, float]
    source: str
    meaning: str
    advice: str
    page: str = ""
    experiment: Experiment | None = None
    instead: str = ""

    @property
    def lab(self) -> str:
        """The page's address, below that of the app."""
        query = urlencode(address_of(self.experiment)) if self.experiment else ""
        return f"/{self.page}" + (f"?{query}" if query else "")


def _shown_with(batchnorm: BatchNormConfig, network: NetworkConfig | None = None, batch: int = 32) -> Experiment:
    """The network with this batchnorm beside one with the usual."""
    network = network or NetworkConfig(init="xavier_normal")
    twins = (Variant(network, batchnorm), Variant(network, BatchNormConfig()))
    return Experiment(TrainingConfig(batch_size=batch, steps=200), twins)


def _decayed(weight_decay: float, steps: int) -> Experiment:
    """Weight decay on γ and β too, which are then seen as the spread of the histograms before the activation."""
    training = TrainingConfig(weight_decay=weight_decay, decayed="all", steps=steps)
    return Experiment(training, (Variant(NetworkConfig(init="xavier_normal"), BatchNormConfig()),))


def _overflowing() -> Experiment:
    """Return networks of which that without batchnorm has NaN at the third step."""
    network = NetworkConfig(hidden_layers=3, activation="relu", init="normal")
    return Experiment(
        TrainingConfig(learning_rate=10.0, steps=100), (Variant(network), Variant(network, BatchNormConfig()))
    )


_STALE = SYMPTOMS["stale_statistics"].experiment
_INFERENCE, _INSIDE = "training_and_inference", "inside_batchnorm"

RULES: dict[str, Rule] = {
    "not_finite": Rule(
        {},
        "IEEE 754: whatever is computed from NaN is NaN",
        "One such number makes every output NaN, and a running average never forgets it.",
        "Find the first step at which it comes up: a smaller learning rate, clipped gradients, or a division by "
        "zero in the loss. The running statistics have to be reset (reset_running_stats) or measured anew.",
        experiment=_overflowing(),
    ),
    "few_values": Rule(
        {"values": 2},
        f"{_PAPER}, algorithm 1: of two values a channel, one becomes +1 and the other −1, whatever they are",
        "The layer passes on which of two values is the larger one, and nothing of how large they are.",
        "Take a larger batch, or a normalization within each example (LayerNorm, GroupNorm).",
        experiment=PRESETS["tiny_batch"].experiment,
    ),
    "last_batch_of_one": Rule(
        {"examples": 1},
        "PyTorch's batch_norm refuses one value a channel in train mode",
        "The last batch of each epoch has a single example: where a channel has one value, train mode fails, and "
        "elsewhere its statistics are those of one example, with the weight of a whole batch.",
        "DataLoader(..., drop_last=True), or another batch size.",
        experiment=PRESETS["tiny_batch"].experiment,
        instead="batches of two, as the lab leaves an incomplete batch out",
    ),
    "never_updated": Rule(
        {"counter": 0},
        "torch.nn.BatchNorm: mean 0, variance 1 and counter 0 are what it begins with",
        "Eval mode would divide by a standard deviation of 1, as if there were no normalization. That is so before "
        "training; after it, the layer never ran in train mode, or its buffers were not loaded.",
        "Train in train mode (model.train()), load the buffers with the weights, or measure them: "
        "torch.optim.swa_utils.update_bn(batches, model).",
        _INFERENCE,
        _STALE,
    ),
    "average_not_converged": Rule(
        {"share": 0.01, "serious": 0.1},
        "(1 − m)^counter is the weight of the beginning, mean 0 and variance 1; 1 % is the usual meaning of settled",
        "The running statistics are still part of what they began with, so eval mode is worse than train mode.",
        "More steps, a larger momentum, momentum=None (all batches alike), or measure them over some batches: "
        "torch.optim.swa_utils.update_bn(batches, model).",
        _INFERENCE,
        _STALE,
    ),
    "running_off": Rule(
        {"mean": 0.5, "low": 0.5, "high": 2.0, "channels": 0.1, "serious": 0.5},
        f"half a σ and a factor of 2 are {OURS}",
        "Eval mode subtracts another mean, or divides by another deviation, than these batches have.",
        "If these batches are like those of training, measure the statistics anew: "
        "torch.optim.swa_utils.update_bn(batches, model). If not, look at how they are prepared in training and here.",
        _INFERENCE,
        _STALE,
        "statistics that have not settled, as the lab asks with digits like those of its training",
    ),
    "variance_near_eps": Rule(
        {"times": 10, "channels": 0.1, "serious": 0.5},
        f"{_PAPER}, algorithm 1: x̂ = (x − μ)/√(σ² + ε), whose deviation is 1 only while σ² is far above ε, "
        f"and below 0.71 where σ² is below it, which is serious in half of the channels; the factor 10 is {OURS}",
        "ε, and not the variance, decides the scale of the outputs: the layer does not normalize these channels.",
        "Look at what comes before: weights near zero, or channels that are the same for every input. A smaller eps "
        "helps only if that spread is meant to be small.",
        _INFERENCE,
        _shown_with(BatchNormConfig(), NetworkConfig(init="rand", init_scale=1e-4)),
    ),
    "train_eval_apart": Rule(
        {"loss": 0.5, "alike": 0.75},
        f"half of the loss and a cosine of 0.75 are {OURS}",
        "The same batches, everything but the normalization in eval mode: the running statistics make another "
        "network of it than those of the batch.",
        "Measure the statistics anew (torch.optim.swa_utils.update_bn), take larger batches, or look whether "
        "training and evaluation see data prepared alike.",
        _INFERENCE,
        _STALE,
    ),
    "keras_momentum": Rule(
        {"momentum": 0.9, "below": 1.0},
        "Keras counts the share of the old, PyTorch that of the new: m = 1 − Keras's, whose default is 0.99",
        "The running statistics are nearly those of the last batch: their noise has m/(2 − m) of one batch's variance.",
        "Keras's 0.99 is momentum=0.01 here, 0.9 is 0.1. Mind eps as well: Keras's 0.001 is not PyTorch's 0.00001.",
        _INFERENCE,
        _shown_with(BatchNormConfig(momentum=0.99), batch=8),
    ),
    "two_distributions": Rule(
        {"apart": 2.0, "channels": 0.5},
        f"two standard deviations, beyond what batches of that size differ by, are {OURS}",
        "The running statistics hold the mixture, which is neither: eval mode fits none of the two.",
        "Give each kind of input a normalization of its own, or mix them in every batch.",
        _INFERENCE,
        _shown_with(BatchNormConfig(momentum=1.0), batch=2),
        "running statistics that are those of one batch of two, as the lab has one kind of digits",
    ),
    "used_twice": Rule(
        {"uses": 1},
        "torch.nn.BatchNorm keeps one set of running statistics, whoever calls it",
        "Both uses update the same running statistics, which then fit neither of them in eval mode.",
        "Give each place a layer of its own; weights may be shared, normalization should not.",
        _INFERENCE,
        _shown_with(BatchNormConfig(momentum=1.0), batch=2),
        "running statistics that are those of one batch of two, as the lab has a layer for each place",
    ),
    "half_frozen": Rule(
        {},
        "torch.nn.BatchNorm updates its statistics in train mode, whatever requires_grad says",
        "γ and β do not learn, but the running statistics still move with every batch: the layer is not frozen.",
        "layer.eval() after every model.train(), or override the model's train().",
        _INFERENCE,
        _shown_with(BatchNormConfig(affine=False)),
    ),
    "bias_before": Rule(
        {},
        f"{_PAPER}, section 3.2: the mean that is subtracted takes the bias with it",
        "The bias changes nothing in training: its gradient is 0 but for rounding, which Adam turns into steps. "
        "Changed after training, it shifts eval mode.",
        "bias=False in the layer before; β does its work.",
        _INSIDE,
    ),
    "decay_on_norm": Rule(
        {"decay": 0.0},
        "van Laarhoven 2017: without gradient, a weight falls as (1 − rate λ)^t",
        "Weight decay pulls γ and β to 0. It does not bound the network, whose next layer makes up for it.",
        "Two parameter groups: weights with decay; γ, β and biases with weight_decay=0.",
        experiment=_decayed(0.01, 1500),
    ),
    "dropout_before": Rule(
        {},
        "Li et al. 2018, Understanding the disharmony between dropout and batch normalization",
        "Dropout changes the variance in train mode and not in eval mode: the running variance does not fit there.",
        "Dropout after the last batchnorm, or none where there is batchnorm.",
        _INFERENCE,
        _shown_with(BatchNormConfig(noise=0.5)),
        "noise on the statistics in train mode alone, as the lab has no dropout",
    ),
    "no_effect": Rule(
        {"gamma": 0.01, "channels": 0.5},
        f"γ below 0.01 where it begins at 1 is {OURS}",
        "What these channels pass on does not depend on the input any more, but on β alone.",
        "Less weight decay on γ, or a smaller network: pruning by γ removes just such channels (Liu et al. 2017). "
        "In the last layer of a residual branch γ = 0 is a way to begin, and grows.",
        experiment=_decayed(1.0, 200),
    ),
    "saturated": Rule(
        {"share": 0.5},
        "Glorot and Bengio 2010; saturated is a slope below 5.9 % of the steepest, for tanh |y| > 0.97",
        "Little gradient passes a saturated unit: the layers before this one hardly learn.",
        "Smaller weights (Xavier's init: a standard deviation near 1/√n for n inputs), or batchnorm before this layer.",
        experiment=PRESETS["careless"].experiment,
    ),
    "dead": Rule(
        {"units": 0.1, "serious": 0.5},
        f"He et al. 2015 on ReLU; a tenth and half of the units are {OURS}",
        "No gradient passes a unit whose slope is 0 for every input: its weights never change again.",
        "A smaller learning rate, He's init, biases that begin at 0, leaky ReLU, or batchnorm before the activation.",
        experiment=PRESETS["fast"].experiment,
    ),
    "gradient_range": Rule(
        {"times": 100.0, "serious": 10_000.0},
        f"Glorot and Bengio 2010; the factors of 100 and 10,000 are {OURS}",
        "With one learning rate for all, either the first layers hardly move, or the last ones do.",
        "He's or Xavier's init, normalization, residual connections, or an optimizer that scales each step (Adam).",
        experiment=PRESETS["deepest"].experiment,
    ),
    "update_ratio": Rule(
        {"low": 1e-5, "high": 1e-1},
        f"about 10⁻³ is healthy (Karpathy, makemore); the two ends are {OURS}",
        "A step that is a large part of the weights overwrites them; one of 10⁻⁵ of them takes 10⁵ steps to matter.",
        "Change the learning rate by the factor that is missing.",
        experiment=PRESETS["fast"].experiment,
    ),
    "first_loss": Rule(
        {"above": 0.5},
        "guessing alike among C classes costs ln C; half a nat above it as in the live lab",
        "The network is sure of answers that it has not learned, and spends its first steps on unlearning them.",
        "Smaller weights in the last layer.",
        experiment=SYMPTOMS["confident"].experiment,
    ),
}

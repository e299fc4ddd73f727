"""The charts of the story by name: what they are called, and how they are made from a run."""

from collections.abc import Callable

from bnviz import figures
from bnviz.experiment.chapter import Act, Chart
from bnviz.experiment.layers import LN_10
from bnviz.figures.story import with_words
from bnviz.figures.style import Figure
from bnviz.records.frames import SATURATED, TEST_DIGITS, Frame
from bnviz.records.history import View

HEADINGS: dict[Chart, tuple[str, str]] = {
    "loss": (
        "Loss",
        "Cross-entropy on each batch (shadow), its mean over the last 30 steps (line) and on the test digits "
        f"(circles). ln 10 = {LN_10:.3f} is the loss of a network that gives every digit the same probability.",
    ),
    "accuracy": ("Test accuracy", f"Share of the first {TEST_DIGITS:,} test digits that is recognized, in eval mode."),
    "function": (
        "Activation function and its inputs",
        "Where the slope is flat, no gradient passes. Below: the values that reach the activation function.",
    ),
    "saturation": (
        "Saturation",
        f"One bar per neuron: the share of digits at which it is saturated, a tanh beyond ±{SATURATED}.",
    ),
    "gradients": (
        "Gradients",
        "For the step about to be taken, one point per layer. Left: L2 norm of the gradient of the layer's weights. "
        "Right: log₁₀ of the standard deviation of the update over that of the weights.",
    ),
    "gradient_flow": (
        "Gradient by layer",
        "L2 norm of the gradient of each layer's weights: now, and dotted before the first step.",
    ),
    "ridges": (
        "What reaches the activation function",
        "One ridge per kept moment of the run, the newest one strong: wider ridges are more widely spread values.",
    ),
    "class_shares": (
        "What the untrained networks answer",
        "The probability that each of the ten digits gets, on average over the digits that are looked at.",
    ),
    "propagation": (
        "Through the layers and back",
        "Measured, and as a grey band what theory expects of wide layers.",
    ),
    "points": ("The batch, before and after", "Threads lead from each point to where batchnorm puts it."),
    "bias": ("A bias before batchnorm", "What goes into batchnorm and what comes out, without the bias and with it."),
    "bessel": (
        "Estimates of the variance",
        "Over many batches of each size. Box: the middle half; whiskers: 5 % to 95 %.",
    ),
    "digit": ("The digit", "As the network gets it: 28 × 28 pixels."),
    "answers": ("Its answers", "Bars: eval mode. Points: training mode, a point for each batch."),
    "running": (
        "Error of the statistics",
        "How far the running averages of layer 1, and the statistics of one batch, are from the population's.",
    ),
    "sweep": ("Test loss by batch size", "Each point is a network of its own, trained for as many steps."),
    "predictiveness": (
        "Change of the gradient ahead",
        "How much the gradient changes within half to four step lengths along the way that the step takes.",
    ),
    "smoothness": (
        "Effective β-smoothness",
        "The largest change of the gradient ahead, as a share of the distance.",
    ),
}


def run_figures(act: Act, view: View, frame: Frame) -> dict[Chart, Figure]:
    """Return the charts of an act that a run moves, at one moment of it."""
    experiment, layer = view.experiment, act.layer
    makers: dict[Chart, Callable[[], Figure]] = {
        "loss": lambda: figures.training_loss(view, smoothing=30, log=False, x="steps"),
        "accuracy": lambda: figures.accuracy_curves(view, x="steps"),
        "function": lambda: figures.activation_function(frame, experiment, layer=layer),
        "saturation": lambda: figures.saturation_bars(frame, experiment, layer=layer, bars="saturated"),
        "gradients": lambda: figures.layer_gradients(frame, experiment),
        "gradient_flow": lambda: figures.gradient_flow(view),
        "ridges": lambda: figures.distributions_over_steps(
            view, layer=layer, place="activation_input", kind="ridges", until=experiment.training.steps
        ),
        "running": lambda: figures.statistics_error(view, layer=layer),
        "predictiveness": lambda: figures.gradient_predictiveness(view, log=True),
        "smoothness": lambda: figures.effective_smoothness(view, log=True),
    }
    found = {name: makers[name]() for name in act.charts if name in makers}
    if view.markers and "loss" in found:
        found["loss"] = with_words(found["loss"], "at the line both were switched")
    return found

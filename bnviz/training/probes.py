"""One look at a stack of networks: it reads activations, gradients and test results and leaves the stack as it was."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bnviz.nn.layers import Activation, Sgd
from bnviz.nn.network import Stack, Trace
from bnviz.nn.stacked import Mode, StackedBatchNorm
from bnviz.records.frames import (
    BATCH_SIZES,
    EVALUATION_CHUNK,
    PERCENTILES,
    Floats,
    InferenceFrame,
    LayerFrame,
    Statistics,
    bin_range,
)
from bnviz.training import metrics


@dataclass(frozen=True)
class Gradients:
    """The step that is about to be taken, a row a network: loss (V,), norm and update ratio (V, linear layers)."""

    loss: Floats
    norm: Floats
    update_ratio: Floats


def gradients(stack: Stack, x: Tensor, labels: Tensor, sgd: Sgd) -> Gradients:
    """Forward and backward on the next batch, without the update and without touching running statistics."""
    loss = stack.losses(x, labels, "probe")
    found = [(li, li.gradient()) for li in stack.linears()]
    norm = torch.stack([metrics.norms(gradient) for _, gradient in found], 1)
    ratio = torch.stack([metrics.update_to_data(li.next_update(g, sgd), li.weight.value) for li, g in found], 1)
    return Gradients(loss.numpy(), norm.numpy(), ratio.numpy())


def evaluate(stack: Stack, images: Tensor, labels: Tensor, mode: Mode | int = "eval") -> tuple[Floats, Floats]:
    """Loss and accuracy, each (V,)."""
    loss, right = images.new_zeros(2, len(stack))
    for x, y in zip(images.split(EVALUATION_CHUNK), labels.split(EVALUATION_CHUNK), strict=True):
        logits = stack.forward(x, mode)
        log_p = torch.log_softmax(logits, 2)
        loss -= log_p.gather(2, y.view(1, -1, 1).expand(len(stack), -1, 1)).sum((1, 2))
        right += (logits.argmax(2) == y).sum(1)
    return (loss / len(labels)).cpu().numpy(), (right / len(labels)).cpu().numpy()


def inference(stack: Stack, images: Tensor, labels: Tensor, next_batch: Tensor) -> list[InferenceFrame | None]:
    """Where each network with batchnorm stands at inference, by place; its population must have been measured."""
    modes: dict[str, Mode | int] = {"eval": "eval", "population": "population", **{str(k): k for k in BATCH_SIZES}}
    found = {name: evaluate(stack, images, labels, mode)[0] for name, mode in modes.items()}
    stack.forward(next_batch, "probe")
    frames: list[InferenceFrame | None] = []
    for place in range(len(stack)):
        norms = stack.norms_of(place)
        losses = {name: float(loss[place]) for name, loss in found.items()}
        frames.append(InferenceFrame(losses, tuple(_statistics(norm, k) for norm, k in norms)) if norms else None)
    return frames


def _statistics(norm: StackedBatchNorm, place: int) -> Statistics:
    assert norm.population is not None
    six = (norm.running_mean, norm.running_var, norm.mean, norm.unbiased, *norm.population)
    return Statistics(*(tensor[place].flatten().numpy().copy() for tensor in six))


def layers(stack: Stack, probe: Tensor, activation: str, *, summaries: bool = False) -> list[tuple[LayerFrame, ...]]:
    """Measure activations over the probe digits, with the statistics of the probe batch: [place in the stack][layer].

    summaries: also percentiles and summaries, which take as long as all the rest.
    """
    return [
        tuple(_layer_frame(trace, stack.activation, activation, summaries) for trace in traces)
        for traces in stack.trace(probe)
    ]


def _layer_frame(trace: Trace, activation: Activation, name: str, summaries: bool) -> LayerFrame:
    saturated = metrics.saturated(activation, trace.activation_input, trace.post_activation)
    return LayerFrame(
        mean=trace.post_activation.mean(0).numpy(),
        saturated=saturated.float().mean(0).numpy(),
        dead=int(metrics.dead_units(activation, trace.activation_input, trace.post_activation).sum()),
        always_saturated=int(saturated.all(0).sum()),
        histograms={
            place: metrics.histogram(values, *bin_range(place, name)) for place, values in trace.places.items()
        },
        percentiles=_percentiles(trace.activation_input) if summaries else None,
        summaries={place: metrics.summary(values) for place, values in trace.places.items()} if summaries else None,
    )


def _percentiles(values: Tensor) -> Floats:
    """(digits, units) -> (3, units), interpolated between digits; NaN where a value is.

    To the bit what np.percentile says, by sorting, in a twelfth of its time.
    """
    x = np.sort(values.T.contiguous().numpy(), axis=1)
    at = np.array(PERCENTILES) / 100 * (x.shape[1] - 1)
    place = at.astype(int)
    share = at - place
    low, high = x[:, place], x[:, np.minimum(place + 1, x.shape[1] - 1)]
    with np.errstate(invalid="ignore", over="ignore"):  # between infinities
        apart = high - low
        found: Floats = np.where(share >= 0.5, high - apart * (1 - share), low + apart * share).T
    found[:, np.isnan(x[:, -1])] = np.nan  # sorted last
    return found

"""One look at a stack of networks: it reads activations, gradients and test results and leaves the stack as it was."""

from dataclasses import dataclass

import torch
from torch import Tensor

from bnviz.nn.layers import Activation, Sgd
from bnviz.nn.network import Stack, Trace
from bnviz.records import Floats, LayerFrame, bin_range
from bnviz.training import metrics

EVALUATION_CHUNK = 500  # test digits in one forward pass: their activations stay in the cache


@dataclass(frozen=True)
class Gradients:
    """The step that is about to be taken, a row a network: loss (V,), norm and update ratio (V, linear layers)."""

    loss: Floats
    norm: Floats
    update_ratio: Floats


def gradients(stack: Stack, x: Tensor, labels: Tensor, sgd: Sgd) -> Gradients:
    """Forward and backward on the next batch, without the update and without touching running statistics."""
    loss = stack.losses(x, labels, "probe")
    linears = stack.linears()
    norm = torch.stack([metrics.norms(li.gradient()) for li in linears], 1)
    ratio = torch.stack([metrics.update_to_data(li.next_update(sgd), li.weight.value) for li in linears], 1)
    return Gradients(loss.numpy(), norm.numpy(), ratio.numpy())


def evaluate(stack: Stack, images: Tensor, labels: Tensor) -> tuple[Floats, Floats]:
    """Loss and accuracy in eval mode, each (V,)."""
    loss, right = torch.zeros(len(stack)), torch.zeros(len(stack))
    for x, y in zip(images.split(EVALUATION_CHUNK), labels.split(EVALUATION_CHUNK), strict=True):
        logits = stack.forward(x, "eval")
        log_p = torch.log_softmax(logits, 2)
        loss -= log_p.gather(2, y.view(1, -1, 1).expand(len(stack), -1, 1)).sum((1, 2))
        right += (logits.argmax(2) == y).sum(1)
    return (loss / len(labels)).numpy(), (right / len(labels)).numpy()


def layers(stack: Stack, probe: Tensor, activation: str) -> list[tuple[LayerFrame, ...]]:
    """Activations over the probe digits, with the statistics of the probe batch: [place in the stack][layer]."""
    return [
        tuple(_layer_frame(trace, stack.activation, activation) for trace in traces) for traces in stack.trace(probe)
    ]


def _layer_frame(trace: Trace, activation: Activation, name: str) -> LayerFrame:
    saturated = metrics.saturated(activation, trace.activation_input, trace.post_activation)
    return LayerFrame(
        mean=trace.post_activation.mean(0).numpy(),
        saturated=saturated.float().mean(0).numpy(),
        dead=int(metrics.dead_units(trace.post_activation).sum()),
        always_saturated=int(saturated.all(0).sum()),
        histograms={
            place: metrics.histogram(values, *bin_range(place, name)) for place, values in trace.places.items()
        },
    )

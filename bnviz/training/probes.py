"""One look at a stack of networks: it reads activations, gradients and test results and leaves the stack as it was."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from bnviz.nn.descent import Descent
from bnviz.nn.network import Stack
from bnviz.nn.stacked import Mode, StackedBatchNorm
from bnviz.records.frames import (
    BATCH_SIZES,
    EVALUATION_CHUNK,
    PERCENTILES,
    Floats,
    InferenceFrame,
    LayerFrame,
    Statistics,
    Summary,
    bin_range,
)
from bnviz.training import metrics

# Of the grids of what kept frames hold most of.
UNIT_BITS = 8  # of what is measured of each unit, which is only looked at
QUANTILE_BITS = 14  # of quantiles: calm layers move by a ten-thousandth of their range, and that is drawn


@dataclass(frozen=True)
class Gradients:
    """The step that is about to be taken, a row a network: loss (V,), norm and update ratio (V, linear layers)."""

    loss: Tensor
    norm: Floats
    update_ratio: Floats


def gradients(stack: Stack, x: Tensor, labels: Tensor, descent: Descent) -> Gradients:
    """Pass the next batch forward and backward, without the update and without touching running statistics."""
    loss = stack.losses(x, labels, "probe")
    linears = stack.linears()
    gradients = [linear.gradient() for linear in linears]
    directions = [linear.direction(g, descent) for linear, g in zip(linears, gradients, strict=True)]
    norm = _of_each(metrics.norms, gradients)
    same = all(direction is gradient for direction, gradient in zip(directions, gradients, strict=True))
    weights = [linear.weight.value for linear in linears]
    count = torch.tensor([weight[0].numel() for weight in weights])
    update = metrics.spread(
        norm if same else _of_each(metrics.norms, directions), _of_each(metrics.means, directions), count
    )
    weight = metrics.spread(_of_each(metrics.norms, weights), _of_each(metrics.means, weights), count)
    return Gradients(loss, norm.numpy(), metrics.log10_ratio(descent.rate * update, weight).numpy())


def _of_each(measure: Callable[[Tensor], Tensor], matrices: Sequence[Tensor]) -> Tensor:
    """(V, layers) from a measure of one layer's matrices (V, I, O) -> (V,)."""
    return torch.stack([measure(each) for each in matrices], 1)


def evaluate(
    stack: Stack,
    images: Tensor,
    labels: Tensor,
    mode: Mode | int = "eval",
    prepared: Callable[[Tensor], Tensor] = lambda images: images,
) -> tuple[Floats, Floats]:
    """Return loss and accuracy, each (V,). prepared: what the networks get of some images, if it is not they."""
    loss, right = torch.zeros(2, len(stack), device=images.device)
    for x, y in zip(images.split(EVALUATION_CHUNK), labels.split(EVALUATION_CHUNK), strict=True):
        logits = stack.forward(prepared(x), mode)
        log_p = torch.log_softmax(logits, 2)
        loss -= log_p.gather(2, y.view(1, -1, 1).expand(len(stack), -1, 1)).sum((1, 2))
        right += (logits.argmax(2) == y).sum(1)
    return (loss / len(labels)).cpu().numpy(), (right / len(labels)).cpu().numpy()


def inference(stack: Stack, images: Tensor, labels: Tensor, next_batch: Tensor) -> list[InferenceFrame | None]:
    """Measure how each network with batchnorm fares at inference, by place; its population must have been measured."""
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


def layers(
    stack: Stack, probe: Tensor, activation: str, *, histograms: Collection[int] | None = None, summaries: bool = False
) -> list[tuple[LayerFrame, ...]]:
    """Measure activations over the probe digits, with the statistics of the probe batch: [place in the stack][layer].

    histograms: the hidden layers that get them; None: all. summaries: whether all get percentiles and summaries too.
    """
    stack.forward(probe, "rehearsal")
    found = [
        _layer_frames(stack, layer, activation, counted=histograms is None or layer in histograms, summaries=summaries)
        for layer in range(len(stack.hidden))
    ]
    return list(zip(*found, strict=True))


def _layer_frames(stack: Stack, layer: int, activation: str, *, counted: bool, summaries: bool) -> list[LayerFrame]:
    """One hidden layer of every network, in the order of their places."""
    x, y = stack.activations(layer)
    over = (1, *range(3, y.dim()))  # digits, and the positions of a feature map
    responsive = metrics.responsive(stack.activation, x, y).mean(over)
    saturated, mean, always = 1 - responsive, y.mean(over), (responsive == 0).sum(1).tolist()
    dead = metrics.dead_units(stack.activation, x, y, over).sum(1).tolist()
    frames = []
    for place in range(len(stack)):
        trace = stack.trace_of(layer, place) if counted else None
        ordered = {name: np.sort(rows.flatten().numpy()) for name, rows in trace.places.items()} if trace else {}
        frames.append(
            LayerFrame(
                mean=metrics.on_grid(mean[place].numpy(), UNIT_BITS),
                saturated=saturated[place].numpy(),
                dead=dead[place],
                always_saturated=always[place],
                histograms={n: metrics.histogram_of_sorted(v, *bin_range(n, activation)) for n, v in ordered.items()},
                close_ups={
                    name: close
                    for name, values in ordered.items()
                    if (close := metrics.close_up_of_sorted(values, *bin_range(name, activation)))
                },
                percentiles=metrics.on_grid(_percentiles(trace.activation_input), UNIT_BITS)
                if trace and summaries
                else None,
                summaries={n: _summary(v) for n, v in ordered.items()} if summaries else None,
            )
        )
    return frames


def _summary(ordered: Floats) -> Summary:
    found = metrics.summary_of_sorted(ordered)
    return replace(found, quantiles=metrics.on_grid(found.quantiles, QUANTILE_BITS))


def _percentiles(values: Tensor) -> Floats:
    """(digits, units) -> (3, units), interpolated between digits; NaN for a unit with a NaN.

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

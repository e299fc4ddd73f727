"""A network with batchnorm folded into the layers beside it: whether it answers the same, and how much faster."""

import io
import math
import time

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bnviz.experiment.config import BatchNormConfig
from bnviz.nn.as_torch import as_sequential
from bnviz.nn.folding import fold
from bnviz.nn.network import Stack
from bnviz.nn.stacked import Mode
from bnviz.records.answers import Folded
from bnviz.records.frames import EVALUATION_CHUNK
from bnviz.records.questions import FoldedForInference
from bnviz.training.trainer import Trainer

MOVED_BATCHES = 50
FOLDING_DIGITS = 2000  # test digits whose answers are compared
AT_ONCE = (1, 256)  # digits whose answers are timed
TIMED = 0.15  # seconds of each timing


def folded_for_inference(trainer: Trainer, question: FoldedForInference) -> Folded:
    """Fold one network as it is and compare it with itself, in eval mode, in training mode and a little later.

    Raises ValueError for a network that is not there, without batchnorm or statistics of its own, or that diverged, and
    for batchnorm before max pooling.
    """
    variant, t = question.variant, trainer.training
    bn = _batchnorm_of(trainer, variant)
    net = trainer.copy_of(variant)
    if bn.inference == "population":
        finished = trainer.steps[variant] >= t.steps
        net.measure_population(trainer.population(at_end=finished))
    plain = as_sequential(net, trainer.variants[variant])
    small = _without_batchnorm(plain)
    images, _ = trainer.batches.test(FOLDING_DIGITS, t.standardize)
    with torch.no_grad():
        logits = torch.cat([small(x) for x in images.split(EVALUATION_CHUNK)])
        own = _logits(net, images, "eval")
        if not own.isfinite().all():
            raise ValueError("network: its logits are no longer finite, so there is nothing to fold")
        whole = len(images) // t.batch_size * t.batch_size
        faster = {size: _times_as_fast(plain, small, images[:size]) for size in AT_ONCE}
    weights = io.BytesIO()
    torch.save(small.state_dict(), weights)
    return Folded(
        step=trainer.steps[variant],
        digits=len(images),
        difference=_apart(logits, own),
        largest=float(own.abs().max()),
        agree=int((logits.argmax(1) == own.argmax(1)).sum()),
        batch_size=t.batch_size,
        training=_apart(logits[:whole], _logits(net, images[:whole], t.batch_size)),
        moved_batches=MOVED_BATCHES,
        moved=None
        if bn.inference == "population"
        else _apart(logits, _logits(_moved(trainer, variant), images, "eval")),
        faster=faster,
        weights=weights.getvalue(),
    )


def _batchnorm_of(trainer: Trainer, variant: int) -> BatchNormConfig:
    if not 0 <= variant < len(trainer.variants):
        raise ValueError(f"variant: give 0 to {len(trainer.variants) - 1}, got {variant}")
    bn = trainer.variants[variant].batchnorm
    if bn is None:
        raise ValueError("variant: only a network with batchnorm has one to fold")
    return bn


def _without_batchnorm(network: nn.Sequential) -> nn.Sequential:
    """The folded network, less the places where batchnorm was."""
    folded = fold(network)
    if any(isinstance(layer, _BatchNorm) for layer in folded):
        raise ValueError(
            "position: batchnorm after the activation stands before max pooling here, which is not linear, so the "
            "layer behind it cannot take it in; give before"
        )
    kept = [new for new, old in zip(folded, network, strict=True) if not isinstance(old, _BatchNorm)]
    return nn.Sequential(*kept)


def _logits(net: Stack, images: Tensor, mode: Mode | int) -> Tensor:
    """(N, 784) -> (N, 10); with a number as mode, in batches of that size."""
    size = EVALUATION_CHUNK if isinstance(mode, str) else mode * math.ceil(EVALUATION_CHUNK / mode)
    return torch.cat([net.forward(x, mode)[0] for x in images.split(size)])


def _moved(trainer: Trainer, variant: int) -> Stack:
    """The network, through which the next batches have gone in training mode without a step."""
    net, t, step = trainer.copy_of(variant), trainer.training, trainer.steps[variant]
    for later in range(MOVED_BATCHES):
        x, _ = trainer.batches.at(step + later, seed=t.seed, size=t.batch_size, standardize=t.standardize)
        net.forward(x, "train")
    return net


def _apart(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())


def _times_as_fast(plain: nn.Module, folded: nn.Module, x: Tensor) -> float:
    """The quickest answer of one over that of the other, asked in turn so that both meet the same machine."""
    best, end = [math.inf, math.inf], time.perf_counter() + TIMED
    while math.inf in best or time.perf_counter() < end:
        for place, network in enumerate((plain, folded)):
            begin = time.perf_counter()
            network(x)
            best[place] = min(best[place], time.perf_counter() - begin)
    return best[0] / best[1]

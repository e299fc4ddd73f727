"""Untrained networks, and how a few steps change them: every measured number of the page on initialization."""

import numpy as np
import torch
from torch import Tensor

from bnviz.experiment.config import INITS, NetworkConfig, replace
from bnviz.experiment.layers import STD_PIXEL
from bnviz.nn.network import NetworkState, Stack
from bnviz.records.frames import PROBE_DIGITS, Counts, Floats
from bnviz.records.initialization import (
    DERIVED,
    DERIVED_DEPTH,
    DERIVED_SCALES,
    SIGN_BATCHES,
    WEIGHT_BINS,
    InitialNetwork,
    InitialSetting,
    Inputs,
    Propagated,
    SignAgreement,
    WeightHistogram,
    activation_edges,
)
from bnviz.training import metrics
from bnviz.training.batches import Batches
from bnviz.training.trainer import Trainer


def measure(setting: InitialSetting, batches: Batches) -> InitialNetwork:
    """Draw the network, train it for as many steps as the setting says, and look at it."""
    trainer = Trainer(setting.training, [setting.variant], batches)
    done = 0
    while done < setting.steps and not trainer.finished:
        done = trainer.advance(steps=setting.steps - done, evaluate=False).variants[0].step
    net = trainer.copy_of(0)
    x, labels = batches.probe(PROBE_DIGITS, setting.standardize), batches.train_labels[:PROBE_DIGITS]
    seen = _propagated(net, x, labels, setting.network.activation)
    return InitialNetwork(
        propagated=seen,
        weights=tuple(_weights(linear.weight.value[0]) for linear in net.linears()),
        inputs=inputs(x),
        logits=net.output.y[0].numpy().copy(),
        labels=labels.numpy().copy(),
        steps=done,
    )


def schemes(setting: InitialSetting, batches: Batches) -> dict[str, Propagated]:
    """Measure the same network drawn by each scheme, untrained."""
    return {init: _untrained(replace(setting, network=replace(setting.network, init=init)), batches) for init in INITS}


def scales(setting: InitialSetting, batches: Batches) -> dict[tuple[str, float], Propagated]:
    """Measure the derived schemes with the activation they were derived for, at their own scale and around it."""
    found: dict[tuple[str, float], Propagated] = {}
    for init, activation in DERIVED.items():
        for scale in DERIVED_SCALES:
            network = NetworkConfig(DERIVED_DEPTH, setting.network.width, activation, init, scale)
            found[init, scale] = _untrained(replace(setting, network=network, batchnorm=False), batches)
    return found


def signs(setting: InitialSetting, batches: Batches) -> SignAgreement:
    """Measure how often the gradients of a first-layer neuron's weights agree in sign, for three ways to feed digits.

    dL/dw_i = sum over the digits of delta x_i: for one digit whose inputs are all positive, every sign is delta's.
    """
    found: dict[tuple[str, int], Floats] = {}
    net = _fresh(setting)
    means = batches.mean_digit()
    for size in SIGN_BATCHES:
        if setting.batchnorm and size < 2:
            continue  # a batch of one digit has no variance
        raw, labels = batches.at(0, seed=setting.seed, size=size, standardize=False)
        standardized, _ = batches.at(0, seed=setting.seed, size=size, standardize=True)
        fed = {"raw": raw, "standardized": standardized, "centred": (raw - means) / STD_PIXEL}
        inked = raw.amax(0) > 0
        for kind, x in fed.items():
            net.losses(x, labels, "probe")
            found[kind, size] = sign_agreement(net.hidden[0].linear.gradient()[0][inked])
    return SignAgreement(found)


def sign_agreement(gradient: Tensor) -> Floats:
    """Return the share of a unit's nonzero entries that have the commoner sign, from (inputs, units); units without any
    are left out."""
    positive, negative = (gradient > 0).sum(0), (gradient < 0).sum(0)
    counted = positive + negative
    shares: Floats = (torch.maximum(positive, negative)[counted > 0] / counted[counted > 0]).numpy()
    return shares


def inputs(x: Tensor) -> Inputs:
    """Return the sums that the theory needs of digits x, (digits, pixels), added up in double precision."""
    x = x.double()
    return Inputs(x.sum(1).numpy(), x.square().sum(1).numpy(), float(x.var(0, correction=0).sum()))


def _fresh(setting: InitialSetting) -> Stack:
    return Stack([0], [setting.variant], [NetworkState.fresh(setting.variant, setting.seed)])


def _untrained(setting: InitialSetting, batches: Batches) -> Propagated:
    x, labels = batches.probe(PROBE_DIGITS, setting.standardize), batches.train_labels[:PROBE_DIGITS]
    return _propagated(_fresh(setting), x, labels, setting.network.activation)


def _propagated(net: Stack, x: Tensor, labels: Tensor, activation: str) -> Propagated:
    loss = float(net.losses(x, labels, "probe"))
    # The loss is the mean over the digits: times their number, this is the gradient of one digit's own loss.
    deltas = [linear.delta[0].double() * len(labels) for linear in net.linears()]
    traces = net.trace(x)[0]
    outputs = [trace.post_activation.double() for trace in traces]
    flat = [metrics.saturated(net.activation, t.activation_input, t.post_activation) for t in traces]
    return Propagated(
        mean=np.array([float(h.mean()) for h in outputs]),
        std=np.array([float(h.std(correction=0)) for h in outputs]),
        saturated=np.array([float(share.double().mean()) for share in flat]),
        gradient=np.array([float(delta.square().mean().sqrt()) for delta in deltas]),
        histograms=np.stack([_histogram(h, activation) for h in outputs]),
        loss=loss,
    )


def _histogram(h: Tensor, activation: str) -> Counts:
    edges = activation_edges(activation)
    values = h.flatten().numpy()
    values = values[np.isfinite(values)]
    if edges[-1] > 1:
        values = np.arcsinh(values)
    counts: Counts = np.histogram(values.clip(edges[0], edges[-1]), edges)[0]
    return counts


def _weights(weight: Tensor) -> WeightHistogram:
    values = weight.double().flatten().numpy()
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(values, WEIGHT_BINS, (low, high))
    mean, std = (float(values.mean()), float(values.std())) if len(values) else (np.nan, np.nan)
    return WeightHistogram(weight.shape[0], weight.shape[1], edges, counts, mean, std)

"""Looks at a network of the user's own as a few kilobytes each, and back."""

import json
import math
import zlib
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from bnviz.records.own_network import (
    BINS,
    QUANTILES,
    Floats,
    Layer,
    LayerLook,
    Look,
    Network,
    Normalization,
    NormalizationLook,
)

_OF_LAYER = ("mean", "std", "low", "high", "saturated", "dead", "gradient", "update")
_OF_CHANNELS = ("running_mean", "running_var", "gamma", "beta", "population_mean", "population_var")
_OF_PASSES = ("batch_mean", "batch_var")
_LOSSES = ("loss", "first_loss", "batch_loss", "eval_loss")
_MOST = 64 * 2**20  # bytes of one look, unpacked


def network_to_bytes(network: Network) -> bytes:
    """Return the network as compressed JSON."""
    return zlib.compress(json.dumps(asdict(network)).encode())


def network_from_bytes(content: bytes) -> Network:
    """Return the network that `network_to_bytes` wrote."""
    told: dict[str, Any] = json.loads(_unpacked(content))
    layers = tuple(
        Layer(**layer | {"normalization": Normalization(**n) if (n := layer["normalization"]) else None})
        for layer in told["layers"]
    )
    return Network(**told | {"layers": layers, "unseen": tuple(told["unseen"])})


def look_to_bytes(look: Look) -> bytes:
    """Return the look: whole numbers exactly, all others with three digits that count, histograms to 1/255."""
    header: dict[str, Any] = {"step": look.step, "examples": look.examples, "layers": []}
    numbers: list[Floats] = [np.array([getattr(look, name) for name in _LOSSES])]
    counts = []
    for layer in look.layers:
        numbers.append(np.array([getattr(layer, name) for name in _OF_LAYER]))
        numbers.append(layer.quantiles if layer.quantiles.size else np.full(len(QUANTILES), math.nan))
        counts.append(np.round(255 * layer.counts / max(layer.counts.max(), 1)).astype(np.uint8))
        norm = layer.normalization
        header["layers"].append([layer.unfit, _norm_header(norm) if norm else None])
        if norm:
            numbers += [getattr(norm, name) for name in _OF_CHANNELS]
            numbers += [getattr(norm, name).ravel() for name in _OF_PASSES]
            numbers.append(np.array([norm.alike]))
    head = json.dumps(header, separators=(",", ":")).encode()
    narrow = _narrow(np.concatenate(numbers))
    parts = (
        len(head).to_bytes(4, "little"),
        head,
        len(narrow).to_bytes(4, "little"),
        narrow,
        np.array(counts).tobytes(),
    )
    return zlib.compress(b"".join(parts), 6)


def _norm_header(norm: NormalizationLook) -> list[Any]:
    sizes = [getattr(norm, name).size for name in _OF_CHANNELS]
    return [
        norm.training,
        norm.counter,
        norm.unfit,
        norm.uses,
        norm.values.tolist(),
        sizes,
        list(norm.batch_mean.shape),
    ]


def look_from_bytes(content: bytes) -> Look:
    """Return the look that `look_to_bytes` wrote."""
    plain = _unpacked(content)
    length = int.from_bytes(plain[:4], "little")
    header: dict[str, Any] = json.loads(plain[4 : 4 + length])
    begin = 8 + length
    end = begin + int.from_bytes(plain[begin - 4 : begin], "little")
    reader = _Reader(_wide(plain[begin:end]))
    counts = np.frombuffer(plain[end:], np.uint8).reshape(-1, BINS).astype(np.int64)
    losses = dict(zip(_LOSSES, reader.take(len(_LOSSES)).tolist(), strict=True))
    layers = []
    for place, (unfit, norm) in enumerate(header["layers"]):
        scalars = dict(zip(_OF_LAYER, reader.take(len(_OF_LAYER)).tolist(), strict=True))
        quantiles = reader.take(len(QUANTILES))
        told = _norm_from(norm, reader) if norm else None
        layers.append(LayerLook(**scalars, quantiles=quantiles, counts=counts[place], unfit=unfit, normalization=told))
    return Look(header["step"], tuple(layers), examples=header["examples"], **losses)


def _norm_from(header: list[Any], reader: "_Reader") -> NormalizationLook:
    training, counter, unfit, uses, values, sizes, shape = header
    of_channels = {name: reader.take(size) for name, size in zip(_OF_CHANNELS, sizes, strict=True)}
    of_passes = {name: reader.take(math.prod(shape)).reshape(shape) for name in _OF_PASSES}
    return NormalizationLook(
        training,
        counter,
        values=np.array(values, np.int64),
        unfit=unfit,
        uses=uses,
        alike=float(reader.take(1)[0]),
        **of_channels,
        **of_passes,
    )


class _Reader:
    def __init__(self, numbers: Floats) -> None:
        self._numbers, self._place = numbers, 0

    def take(self, count: int) -> Floats:
        self._place += count
        return self._numbers[self._place - count : self._place]


def _narrow(numbers: Floats) -> bytes:
    """Return the upper halves of float32: 8 bits of exponent, 7 of mantissa, rounded; the upper bytes first."""
    with np.errstate(over="ignore"):
        whole = np.ascontiguousarray(numbers, np.float32)
    bits = whole.view(np.uint32)
    rounded = np.where(np.isfinite(whole), bits + 0x7FFF + ((bits >> 16) & 1), bits) >> 16
    halves: npt.NDArray[np.uint16] = np.where(np.isnan(whole), 0x7FC0, rounded).astype(np.uint16)
    return (halves >> 8).astype(np.uint8).tobytes() + (halves & 0xFF).astype(np.uint8).tobytes()


def _wide(content: bytes) -> Floats:
    upper, lower = np.frombuffer(content, np.uint8).reshape(2, -1).astype(np.uint32)
    return ((upper << 24) | (lower << 16)).view(np.float32).astype(np.float64)


def _unpacked(content: bytes) -> bytes:
    machine = zlib.decompressobj()
    plain = machine.decompress(content, _MOST)
    if machine.unconsumed_tail:
        raise ValueError("a look of a watched run is larger than any network's")
    return plain

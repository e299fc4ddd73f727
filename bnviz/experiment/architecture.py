"""A network's layers in words: shapes, weights, and what batchnorm takes its statistics over."""

from itertools import groupby

from bnviz.experiment.config import SIDE, Experiment, Layer


def architectures_by_letters(experiment: Experiment) -> dict[str, tuple[Layer, ...]]:
    """Return the different architectures, by the letters of the variants that have them, such as 'AC' and 'B'."""
    found: dict[tuple[Layer, ...], str] = {}
    for letter, variant in zip(experiment.letters, experiment.variants, strict=True):
        layers = variant.network.layers
        found[layers] = found.get(layers, "") + letter
    return {letters: layers for layers, letters in found.items()}


def layer_table(layers: tuple[Layer, ...], batch: int) -> list[dict[str, str]]:
    """Return a table with one row for each layer, and one for several equal layers.

    batch: digits in one training batch.
    """
    *hidden, last = layers
    found, number = [], 1
    for layer, group in groupby(hidden):
        after = number + len(list(group))
        found.append(_row(number, after - 1, layer, batch))
        number = after
    return [
        *found,
        {
            "layer": "out",
            "linear map": f"dense, {last.inputs} → {last.units}",
            "output": f"{last.units} logits",
            "weights": f"{last.fan_in * last.units:,}",
            "one mean and variance": "none: no batchnorm here",
        },
    ]


def _row(first: int, last: int, layer: Layer, batch: int) -> dict[str, str]:
    name, each = (f"{first}", "") if first == last else (f"{first} to {last}", " each")
    if layer.kernel:
        window = f"{layer.kernel}×{layer.kernel}"
        padded = f", padding {layer.padding}" if layer.padding else ""
        half = layer.size // 2
        return {
            "layer": name,
            "linear map": f"convolution {layer.units}@{window}{padded}",
            "output": f"{layer.units} maps {layer.size}×{layer.size}, {layer.pooling} pooling to {half}×{half}",
            "weights": f"{layer.fan_in * layer.units:,}",
            "one mean and variance": f"a channel, over {batch} × {layer.size} × {layer.size} = "
            f"{batch * layer.size**2:,} values",
        }
    inputs = f"{SIDE}×{SIDE} pixels" if first == 1 else f"{layer.inputs}"
    return {
        "layer": name,
        "linear map": f"dense, {inputs} → {layer.units}",
        "output": f"{layer.units} neurons",
        "weights": f"{layer.fan_in * layer.units:,}{each}",
        "one mean and variance": f"a neuron, over {batch} values, one a digit",
    }

"""A network's layers in words: shapes, weights, and what batchnorm takes its statistics over."""

from bnviz.config import SIDE, Experiment, Layer


def kinds(experiment: Experiment) -> dict[str, tuple[Layer, ...]]:
    """The different architectures, by the letters of the variants that have them."""
    found: dict[tuple[Layer, ...], str] = {}
    for letter, variant in zip(experiment.letters, experiment.variants, strict=True):
        layers = variant.network.layers
        found[layers] = found.get(layers, "") + letter
    return {letters: layers for layers, letters in found.items()}


def rows(layers: tuple[Layer, ...], batch: int) -> list[dict[str, str]]:
    """A row a layer of a table; batch: digits in one training batch."""
    found = [_row(i, layer, batch) for i, layer in enumerate(layers[:-1], 1)]
    last = layers[-1]
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


def _row(number: int, layer: Layer, batch: int) -> dict[str, str]:
    if layer.kernel:
        window = f"{layer.kernel}×{layer.kernel}"
        padded = f", padding {layer.padding}" if layer.padding else ""
        half = layer.size // 2
        return {
            "layer": str(number),
            "linear map": f"convolution {layer.units}@{window}{padded}",
            "output": f"{layer.units} maps {layer.size}×{layer.size}, pooled to {half}×{half}",
            "weights": f"{layer.fan_in * layer.units:,}",
            "one mean and variance": f"a channel, over {batch} × {layer.size} × {layer.size} = "
            f"{batch * layer.size**2:,} values",
        }
    inputs = f"{SIDE}×{SIDE} pixels" if number == 1 else f"{layer.inputs}"
    return {
        "layer": str(number),
        "linear map": f"dense, {inputs} → {layer.units}",
        "output": f"{layer.units} neurons",
        "weights": f"{layer.fan_in * layer.units:,}",
        "one mean and variance": f"a neuron, over {batch} values, one a digit",
    }

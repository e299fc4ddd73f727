"""A run as files: its settings and curves as JSON and CSV, and the same experiment as a plain PyTorch script."""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

from bnviz.data import COUNTS, DataName
from bnviz.experiment.config import BatchNormConfig, Experiment, Layer, NetworkConfig, Variant, to_dict
from bnviz.records.frames import EVALUATION_CHUNK, VariantFrame
from bnviz.records.history import VariantHistory, View
from bnviz.theory.activations import ACTIVATION_FUNCTIONS

_COLUMNS = ("variant", "step", "seconds", "train_loss", "test_loss", "test_accuracy")


def to_json(view: View, data: DataName) -> str:
    """{"experiment", "data", "markers", "variants"}; NaN and infinite values become null, as JSON has none.

    Histograms are counts as in `records.LayerFrame`: below the bins of `records.bin_range`, the bins, above, NaN.
    """
    document = {
        "experiment": to_dict(view.experiment),
        "data": data,
        "markers": [
            {"label": m.label, "step": {view.experiment.letters[i]: step for i, (step, _) in m.at.items()}}
            for m in view.markers
        ],
        "variants": {
            letter: _curves(history) | {"frames": [_network(f) for f in history.frames]}
            for letter, history in zip(view.experiment.letters, view.variants, strict=True)
        },
    }
    return json.dumps(document, allow_nan=False)


def to_csv(view: View) -> str:
    """One row a point: training losses (mean of the steps since the row before) and test results, by variant."""
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for letter, history in zip(view.experiment.letters, view.variants, strict=True):
        curves = _curves(history)
        rows: dict[int, dict[str, Any]] = {}
        for group in ("training", "test"):
            for values in zip(*curves[group].values(), strict=True):
                point = dict(zip(curves[group], values, strict=True))
                rows.setdefault(point["step"], {}).update(point)
        for step in sorted(rows):
            writer.writerow({"variant": letter} | rows[step])
    return out.getvalue()


def _curves(history: VariantHistory) -> dict[str, dict[str, list[Any]]]:
    return {
        "training": {
            "step": [int(step) for step in history.steps],
            "seconds": [round(s, 4) for s in history.seconds.tolist()],
            "train_loss": [_finite(v) for v in history.losses.tolist()],
        },
        "test": {
            "step": [f.step for f in history.frames],
            "seconds": [round(s, 4) for s in history.frame_seconds],
            "test_loss": [_finite(f.test_loss) for f in history.frames],
            "test_accuracy": [_finite(f.test_accuracy) for f in history.frames],
        },
    }


def _network(frame: VariantFrame) -> dict[str, Any]:
    """What a kept frame says of the network itself; a layer each, hidden layers and, for gradients, the output."""
    return {
        "step": frame.step,
        "gradient_norm": [_finite(v) for v in frame.gradient_norm.tolist()],
        "update_to_data_log10": [_finite(v) for v in frame.update_ratio.tolist()],
        "layers": [
            {
                "mean_output": _finite(float(layer.mean.mean())),
                "saturated": float(layer.saturated.mean()),
                "always_saturated": layer.always_saturated,
                "dead": layer.dead,
                "histograms": {place: counts.tolist() for place, counts in layer.histograms.items()},
            }
            for layer in frame.layers
        ],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def to_script(experiment: Experiment, data: DataName) -> str:
    """A script with torch and torchvision alone that trains the same networks on the same batches.

    Live edits made with the weights kept are not part of it. It prints every variant's loss, step by step. Where
    torch's own batchnorm lacks an option, the script brings this package's layer with it; noise is drawn by another
    generator there, so that its curve is another sample.
    """
    t = experiment.training
    builders = "\n\n".join(
        _builder(letter, v) for letter, v in zip(experiment.letters, experiment.variants, strict=True)
    )
    count = COUNTS[data]
    networks = ", ".join(f'"{letter}": network_{letter.lower()}' for letter in experiment.letters)
    norms = {letter: v.batchnorm for letter, v in zip(experiment.letters, experiment.variants, strict=True)}
    layer = f"\n\n{_LAYER.read_text(encoding='utf-8').rstrip()}" if any(map(_is_unusual, norms.values())) else ""
    measured = [letter for letter, bn in norms.items() if bn and bn.inference == "population"]
    population = _POPULATION.format(names=measured) if measured else ""
    return _SCRIPT.format(
        seed=t.seed,
        steps=t.steps,
        batch=t.batch_size,
        train_count=count[0],
        test_count=count[1],
        scaled="((images / 255) - 0.1307) / 0.3081" if t.standardize else "images / 255",
        rate=_rate(experiment),
        layer=layer,
        population=population,
        chunk=EVALUATION_CHUNK,
        builders=builders,
        networks=networks,
        momentum=t.momentum,
        decay=t.weight_decay,
    )


def _rate(experiment: Experiment) -> str:
    t = experiment.training
    start, end = t.learning_rate, t.final_learning_rate
    if t.schedule == "constant":
        return f"{start!r}"
    done = f"min(step / {max(t.steps - 1, 1)}, 1.0)"
    if t.schedule == "cosine":
        done = f"(1 - math.cos(math.pi * {done})) / 2"
    return f"{start!r} + ({end!r} - {start!r}) * {done}"


_DRAW = {
    "rand": "nn.init.uniform_(w, 0.0, 1.0, generator=g)",
    "rand_fan_in": "nn.init.uniform_(w, 0.0, 1.0, generator=g).div_(math.sqrt(w[0].numel()))",
    "normal": "nn.init.normal_(w, generator=g)",
    "xavier_normal": "nn.init.xavier_normal_(w, generator=g)",
    "xavier_uniform": "nn.init.xavier_uniform_(w, generator=g)",
    "he_normal": 'nn.init.kaiming_normal_(w, nonlinearity="relu", generator=g)',
    "he_uniform": 'nn.init.kaiming_uniform_(w, nonlinearity="relu", generator=g)',
    "lecun_normal": "nn.init.normal_(w, std=1 / math.sqrt(w[0].numel()), generator=g)",
    "orthogonal": "nn.init.orthogonal_(w, generator=g)",
    "zeros": "nn.init.zeros_(w)",
}


_LAYER = Path(__file__).parents[1] / "nn" / "batchnorm.py"  # read, never imported here: it needs torch


def _is_unusual(bn: BatchNormConfig | None) -> bool:
    """Whether torch's own batchnorm cannot do it."""
    return bn is not None and (
        bn.bessel or bn.detach or bn.noise > 0 or bn.noisy or bn.running == "std" or bn.inference == "population"
    )


def _batchnorm(layer: Layer, bn: BatchNormConfig) -> str:
    momentum = None if bn.cumulative else bn.momentum
    usual = f"{layer.units}, eps={bn.eps!r}, momentum={momentum!r}, affine={bn.affine}"
    if bn.inference == "batch":
        usual += ", track_running_stats=False"
    if not _is_unusual(bn):
        return f"nn.BatchNorm{2 if layer.kernel else 1}d({usual})"
    running = "standard deviation" if bn.running == "std" else "variance"
    noise = f"noise={bn.noise!r}, noisy={bn.noisy}"
    return f"BatchNorm({usual}, bessel={bn.bessel}, running={running!r}, detach={bn.detach}, {noise})"


def _hidden(layer: Layer, net: NetworkConfig, bn: BatchNormConfig | None, fan_in: str | int) -> str:
    linear = f"nn.Linear({fan_in}, {layer.units})"
    if layer.kernel:
        linear = f"nn.Conv2d({layer.inputs}, {layer.units}, {layer.kernel}, padding={layer.padding})"
    modules = [linear, ACTIVATION_FUNCTIONS[net.activation].module]
    if bn:
        modules.insert(1 if bn.position == "before" else 2, _batchnorm(layer, bn))
    return ", ".join([*modules, "nn.AvgPool2d(2)"] if layer.kernel else modules)


def _sequential(net: NetworkConfig, bn: BatchNormConfig | None) -> str:
    if net.architecture == "mlp":
        return f"""    layers, fan_in = [], 784
    for _ in range({net.hidden_layers}):
        layers += [{_hidden(net.hidden[0], net, bn, "fan_in")}]
        fan_in = {net.width}
    network = nn.Sequential(*layers, nn.Linear(fan_in, 10))"""
    rows = ["nn.Unflatten(1, (1, 28, 28))"]
    for before, layer in zip((None, *net.hidden), net.layers, strict=True):
        rows += ["nn.Flatten()"] if before and before.kernel and not layer.kernel else []
        rows += [_hidden(layer, net, bn, layer.inputs)] if layer in net.hidden else ["nn.Linear(84, 10)"]
    listed = "".join(f"        {row},\n" for row in rows)
    return f"    network = nn.Sequential(\n{listed}    )"


def _builder(letter: str, variant: Variant) -> str:
    net = variant.network
    return f"""def network_{letter.lower()}():
{_sequential(net, variant.batchnorm)}
    g = torch.Generator().manual_seed(SEED)
    for layer in network:
        if isinstance(layer, LINEAR):
            w = layer.weight
            with torch.no_grad():
                {_DRAW[net.init]}
                w.mul_({net.init_scale!r})
                layer.bias.zero_()
    return network"""


_POPULATION = """        if name in {names!r}:
            population_statistics(network, x_train[: len(x_train) // BATCH * BATCH].split(BATCH))
"""
_SCRIPT = '''"""An experiment of bnviz as plain PyTorch: python experiment.py [mnist_sample.npz]

Reads MNIST through torchvision (and downloads it into ./data the first time), or the .npz file that is named.
"""

import math
import sys

import numpy as np
import torch
from torch import nn
from torchvision.datasets import MNIST

SEED, STEPS, BATCH = {seed}, {steps}, {batch}
TRAIN_DIGITS, TEST_DIGITS = {train_count}, {test_count}
LINEAR = (nn.Linear, nn.Conv2d)
{layer}


def digits(train):
    count = TRAIN_DIGITS if train else TEST_DIGITS
    if len(sys.argv) > 1:
        name = "train" if train else "test"
        with np.load(sys.argv[1]) as arrays:
            images, labels = arrays[f"{{name}}_images"], arrays[f"{{name}}_labels"]
        images, labels = torch.tensor(images), torch.tensor(labels)
    else:
        mnist = MNIST("data", train=train, download=True)
        images, labels = mnist.data.flatten(1), mnist.targets
    images = images[:count].float()
    return {scaled}, labels[:count].long()


def batch_at(step, count):
    """The digits of one step: each epoch is a permutation drawn from the seed and the epoch's number."""
    epoch, place = divmod(step, count // BATCH)
    order = np.random.default_rng((SEED, epoch)).permutation(count)
    return order[place * BATCH : (place + 1) * BATCH]


def learning_rate(step):
    return {rate}


{builders}


NETWORKS = {{{networks}}}


def main():
    x_train, y_train = digits(train=True)
    x_test, y_test = digits(train=False)
    for name, build in NETWORKS.items():
        network = build()
        weights = [layer.weight for layer in network if isinstance(layer, LINEAR)]
        others = [p for p in network.parameters() if not any(p is w for w in weights)]
        groups = [{{"params": weights, "weight_decay": {decay!r}}}, {{"params": others, "weight_decay": 0.0}}]
        optimizer = torch.optim.SGD(groups, lr=learning_rate(0), momentum={momentum!r})
        for step in range(STEPS):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step)
            index = batch_at(step, len(y_train))
            loss = nn.functional.cross_entropy(network(x_train[index]), y_train[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            print(f"{{name}} step {{step}} loss {{loss.item():.6f}}")
{population}        network.eval()
        with torch.no_grad():
            logits = torch.cat([network(x) for x in x_test.split({chunk})])
        loss = nn.functional.cross_entropy(logits, y_test).item()
        accuracy = (logits.argmax(1) == y_test).float().mean().item()
        print(f"{{name}} test loss {{loss:.6f}} accuracy {{accuracy:.4f}}")


if __name__ == "__main__":
    main()
'''

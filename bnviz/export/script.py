"""An experiment as a plain PyTorch script, with torch's own layers and optimizer."""

import ast
from functools import lru_cache

from bnviz.data import COUNTS, SOURCES
from bnviz.experiment.choices import ADAM_EPS, SQUARED_DECAY, DataName
from bnviz.experiment.config import Experiment, NetworkConfig, TrainingConfig, Variant
from bnviz.experiment.inits import SCHEMES, Init, init_name
from bnviz.experiment.layers import MEAN_PIXEL, STD_PIXEL
from bnviz.experiment.naming import kind_of
from bnviz.export.script_layers import NN, own_layers, sequential, standardizing
from bnviz.records.frames import EVALUATION_CHUNK, LAST_POPULATION_DIGITS

# The file of digits that a script looks for beside it.
DIGITS_FILES: dict[DataName, str] = {
    "MNIST": "mnist.npz",
    "MNIST sample": "mnist_sample.npz",
    "Fashion-MNIST": "fashion_mnist.npz",
    "KMNIST": "kmnist.npz",
}


def to_script(experiment: Experiment) -> str:
    """Return a script that trains the same networks from the same weights on the same batches, with torch alone.

    It numbers steps as the CSV does, from 1. Its sums are rounded in another order than the trainer's. Live edits made
    with the weights kept are not part of it. Where torch's own batchnorm lacks an option, the script brings this
    package's layer with it; noise is drawn by another generator there, so that its curve is another sample.
    """
    t, letters = experiment.training, experiment.letters
    variants = dict(zip(letters, experiment.variants, strict=True))
    measured = [letter for letter, v in variants.items() if v.batchnorm and v.batchnorm.inference == "population"]
    train_count, test_count = COUNTS[t.data]
    return _SCRIPT.format(
        networks="\n".join(f"{letter}: {_in_words(v)}" for letter, v in variants.items()),
        digits_file=DIGITS_FILES[t.data],
        torchvision=SOURCES[t.data].torchvision if t.data in SOURCES else "MNIST",
        seed=t.seed,
        steps=t.steps,
        batch=t.batch_size,
        train_count=train_count,
        test_count=test_count,
        scaled=scaled_images(standardize=t.standardize),
        rate=_learning_rate(t),
        layer=own_layers(experiment.variants),
        population=_POPULATION.format(names=measured, digits=LAST_POPULATION_DIGITS) if measured else "",
        chunk=EVALUATION_CHUNK,
        builders="\n\n\n".join(_builder(letter, v) for letter, v in variants.items()),
        table=", ".join(f'"{letter}": network_{letter.lower()}' for letter in letters),
        optimizer=_optimizer(t),
        decay=t.weight_decay,
        others=t.weight_decay if t.decayed == "all" else 0.0,
    )


def _in_words(variant: Variant) -> str:
    return f"{kind_of(variant)}, {init_name(variant.network.init, variant.network.init_scale)}"


def _learning_rate(t: TrainingConfig) -> str:
    """The expression of `TrainingConfig.rate`, for steps from 0."""
    start, end = t.learning_rate, t.final_learning_rate
    if t.schedule == "constant":
        return f"{start!r}"
    done = f"min(step / {max(t.steps - 1, 1)}, 1.0)"
    if t.schedule == "cosine":
        done = f"(1 - math.cos(math.pi * {done})) / 2"
    return f"{start!r} + ({end!r} - {start!r}) * {done}"


def _optimizer(t: TrainingConfig) -> str:
    if t.optimizer == "adam":
        betas = t.momentum, SQUARED_DECAY
        return f"torch.optim.Adam(groups, lr=learning_rate(0), betas={betas}, eps={ADAM_EPS!r})"
    # Without momentum there is none of Nesterov's either, and torch refuses it.
    nesterov = ", nesterov=True" if t.optimizer == "nesterov" and t.momentum else ""
    return f"torch.optim.SGD(groups, lr=learning_rate(0), momentum={t.momentum!r}{nesterov})"


# -- networks ---------------------------------------------------------------------------------------------------------


def _builder(letter: str, variant: Variant) -> str:
    net = variant.network
    return f'''def network_{letter.lower()}():
    """{_in_words(variant)}"""
{sequential(net, variant.batchnorm or variant.normalizer)}
    g = torch.Generator().manual_seed(SEED)
    for layer in network:
        if isinstance(layer, LINEAR):
            w = layer.weight
            with torch.no_grad():
                {_drawing(net.init)}
                w.mul_({net.init_scale!r})
                {_biases(net)}
{standardizing(variant)}    return network'''


def scaled_images(*, standardize: bool) -> str:
    """Return the expression of what a network gets of pixels `images` from 0 to 255."""
    return f"((images / 255) - {MEAN_PIXEL}) / {STD_PIXEL}" if standardize else "images / 255"


def _biases(net: NetworkConfig) -> str:
    if not SCHEMES[net.init].draws_biases:
        return "layer.bias.zero_()"
    end = "1 / math.sqrt(w[0].numel())"
    return f"init.uniform_(layer.bias, -{end}, {end}, generator=g).mul_({net.init_scale!r})"


def _drawing(init: Init) -> str:
    """The very expression by which `bnviz.nn.initialization` draws a tensor w with a generator g."""
    return _drawings()[init]


@lru_cache(maxsize=1)
def _drawings() -> dict[str, str]:
    source = (NN / "initialization.py").read_text(encoding="utf-8")
    tables = (node.value for node in ast.parse(source).body if isinstance(node, ast.AnnAssign))
    (table,) = (table for table in tables if isinstance(table, ast.Dict))
    return {
        ast.literal_eval(key): ast.get_source_segment(source, value.body) or ""
        for key, value in zip(table.keys, table.values, strict=True)
        if key is not None and isinstance(value, ast.Lambda)
    }


_POPULATION = """        if name in {names!r}:
            population = x_train[:{digits}]
            population_statistics(network, population[: len(population) // BATCH * BATCH].split(BATCH))
"""
_SCRIPT = '''"""An experiment of bnviz as plain PyTorch: python experiment.py [DIGITS.npz]

{networks}

The networks begin with the same weights as in the app and take the same batches. Sums are rounded in another order:
losses differ in their last digits, and a network whose gradient explodes magnifies that difference within a few steps.

The digits are those of the .npz file that is named, else of {digits_file} beside this script, which the app offers with
it, else torchvision's, which downloads them into ./data the first time.
"""

import math
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import init

SEED, STEPS, BATCH = {seed}, {steps}, {batch}
TRAIN_DIGITS, TEST_DIGITS = {train_count}, {test_count}
LINEAR = (nn.Linear, nn.Conv2d)
{layer}


def digits(train):
    count = TRAIN_DIGITS if train else TEST_DIGITS
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("{digits_file}")
    if len(sys.argv) > 1 or file.exists():
        name = "train" if train else "test"
        with np.load(file) as arrays:
            images, labels = arrays[f"{{name}}_images"], arrays[f"{{name}}_labels"]
        images, labels = torch.tensor(images), torch.tensor(labels)
    else:
        from torchvision.datasets import {torchvision}

        found = {torchvision}("data", train=train, download=True)
        images, labels = found.data.flatten(1), found.targets
    images = images[:count].float()
    return {scaled}, labels[:count].long()


def batch_at(step, count):
    """The digits of one step: each epoch is a permutation drawn from the seed and the epoch's number."""
    epoch, place = divmod(step, count // BATCH)
    order = np.random.default_rng((SEED, epoch)).permutation(count)
    return order[place * BATCH : (place + 1) * BATCH]


def learning_rate(step):
    return {rate}


def weights_of(layer):
    """The weights that are trained, before anything standardizes them."""
    return layer.parametrizations.weight.original if hasattr(layer, "parametrizations") else layer.weight


{builders}


NETWORKS = {{{table}}}


def main():
    torch.set_num_threads(1)  # as in the app: fastest for networks of this size
    x_train, y_train = digits(train=True)
    x_test, y_test = digits(train=False)
    for name, build in NETWORKS.items():
        network = build()
        weights = [weights_of(layer) for layer in network if isinstance(layer, LINEAR)]
        others = [p for p in network.parameters() if not any(p is w for w in weights)]
        groups = [{{"params": weights, "weight_decay": {decay!r}}}, {{"params": others, "weight_decay": {others!r}}}]
        optimizer = {optimizer}
        for step in range(STEPS):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step)
            index = batch_at(step, len(y_train))
            loss = nn.functional.cross_entropy(network(x_train[index]), y_train[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            print(f"{{name}} step {{step + 1}} loss {{loss.item():.6f}}")
{population}        network.eval()
        with torch.no_grad():
            logits = torch.cat([network(x) for x in x_test.split({chunk})])
        loss = nn.functional.cross_entropy(logits, y_test).item()
        accuracy = (logits.argmax(1) == y_test).float().mean().item()
        print(f"{{name}} test loss {{loss:.6f}} accuracy {{accuracy:.4f}}")


if __name__ == "__main__":
    main()
'''

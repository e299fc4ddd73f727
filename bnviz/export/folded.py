"""A network with batchnorm folded into its layers, for use elsewhere: a script beside the file of its weights."""

from bnviz.experiment.config import Experiment
from bnviz.experiment.layers import PIXELS
from bnviz.experiment.watched import network_in_words
from bnviz.export.script import scaled_images
from bnviz.export.script_layers import sequential

WEIGHTS_FILE, SCRIPT_FILE = "folded.pt", "folded.py"


def to_folded_script(experiment: Experiment, variant: int = 0) -> str:
    """Return a script that makes one network without batchnorm, reads WEIGHTS_FILE beside it, and answers.

    The weights are those of `bnviz.records.answers.Folded`, for the same network. The script needs torch alone.
    """
    chosen = experiment.variants[variant]
    return _SCRIPT.format(
        network=network_in_words(chosen),
        weights=WEIGHTS_FILE,
        pixels=PIXELS,
        builder=sequential(chosen.network, None),
        scaled=scaled_images(standardize=experiment.training.standardize),
    )


_SCRIPT = '''"""A network of bnviz for inference: its batchnorm is folded into the other layers.

It was: {network}.

python folded.py shows it; `from folded import logits` asks it. It needs torch, and its weights, {weights}, beside this
file.
"""

from pathlib import Path

import torch
from torch import nn


def build():
{builder}
    network.load_state_dict(torch.load(Path(__file__).with_name("{weights}"), weights_only=True))
    return network.eval()


NETWORK = build()


def logits(images):
    """Pixels from 0 to 255, (N, {pixels}) -> logits (N, 10), whose largest is the digit."""
    images = torch.as_tensor(images).float()
    with torch.no_grad():
        return NETWORK({scaled})


if __name__ == "__main__":
    print(NETWORK)
'''

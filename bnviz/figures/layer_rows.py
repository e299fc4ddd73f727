"""What the pictures of one hidden layer share: a row for each network that has the layer, and words for the others."""

from bnviz.experiment.config import Experiment
from bnviz.experiment.naming import network_names
from bnviz.figures.style import colored, network_color
from bnviz.records.frames import Frame, LayerFrame

ROW_GAP = 0.08  # of a row's height, above and below it


def networks_with(frame: Frame, layer: int) -> list[tuple[int, LayerFrame]]:
    """Return the place of each network that has the hidden layer, from 0, with what was seen of it."""
    return [(i, v.layers[layer]) for i, v in enumerate(frame.variants) if layer < len(v.layers)]


def row_domain(row: int, count: int) -> list[float]:
    """Return the part of the picture's height that one of `count` rows takes, the first at the top."""
    return [max(0.0, 1 - (row + 1 - ROW_GAP) / count), 1 - (row + ROW_GAP) / count]


def colored_name(experiment: Experiment, index: int) -> str:
    """Return HTML of a network's name in its colour."""
    return colored(network_names(experiment)[index], network_color(experiment, index))


def words_for_others(frame: Frame, experiment: Experiment, layer: int) -> list[str]:
    """Say which networks have diverged, and which have no such layer."""
    diverged = [i for i, variant in enumerate(frame.variants) if variant.diverged]
    without = [i for i, variant in enumerate(frame.variants) if layer >= len(variant.layers)]
    return [
        *(f"{colored_name(experiment, i)} diverged: its values are no numbers" for i in diverged),
        *(f"{colored_name(experiment, i)} has no layer {layer + 1}" for i in without),
    ]

"""What convolutions make of a digit: their maps, and how each channel's values are distributed."""

from collections.abc import Mapping

import numpy as np

from bnviz.experiment.config import Experiment
from bnviz.figures.histograms import PLACE_NAMES
from bnviz.figures.style import GUIDE, Figure, axis, color_bar, layout, line, network_looks, typed
from bnviz.records.answers import Convolved
from bnviz.records.frames import BINS, Counts, Floats
from bnviz.theory.activations import ACTIVATION_FUNCTIONS

__all__ = ["channel_histograms", "feature_maps"]

STAGES = PLACE_NAMES | {"pooled": "pooled"}
IN_TWO_ROWS = 6  # channels that make three columns; more make four
RIDGE_HEIGHT = 1.6  # of the highest histogram, in spaces between two channels


def feature_maps(found: Convolved, experiment: Experiment, *, variant: int, place: str) -> Figure:
    """Draw the maps of one network's channels, on the colour scale of all networks."""
    maps, look = found.variants[variant], network_looks(experiment)[variant]
    words = [look.html]
    count = max((len(v.maps["pre_activation"]) for v in found.variants if v), default=0)
    data: list[Figure] = []
    annotations: list[Figure] = []
    axes: Figure = {}
    if maps is None or place not in maps.maps:
        words.append("nothing here" if maps else "no convolutions: nothing here")
    else:
        shown = maps.maps[place]
        columns = 3 if count <= IN_TWO_ROWS else 4
        cells = tiled_maps(shown, columns)
        data, axes, annotations = [_heatmap(cells, look.name)], _panel(cells.shape), _numbers(shown, columns)
    figure_layout = layout(
        f"Feature maps, {STAGES[place]}, of digit {found.label}, {look.name}",
        320 if count <= IN_TWO_ROWS else 450,
        words,
        margin={"l": 8, "r": 8, "t": 4, "b": 60},
        annotations=annotations,
    )
    low, high = _span(found, experiment, place)
    figure_layout["meta"]["scale"] = "sequential" if low == 0 else "diverging"
    figure_layout["coloraxis"] = {"cmin": low, "cmax": high, "colorbar": color_bar(STAGES[place], nticks=5)}
    return {"data": data, "layout": figure_layout | axes}


def channel_histograms(found: Convolved, experiment: Experiment, *, layer: int) -> Figure:
    """Draw each channel's values over all positions of the first digits: left before normalization, right after it.

    Left of a network that normalizes after the activation are the post-activations, of any other the pre-activations.
    """
    befores = {i: experiment.variants[i].normalizes for i, v in enumerate(found.variants) if v is not None}
    convolved = [v for v in found.variants if v is not None]
    count = max((len(v.histograms["pre_activation"]) for v in convolved), default=1)
    data = _channels(found, experiment, befores, "x") + _channels(
        found, experiment, dict.fromkeys(befores, "normalized"), "x2"
    )
    kinds = " or ".join(dict.fromkeys(STAGES[place] for place in befores.values())) or STAGES["pre_activation"]
    before = max((found.limits[place] for place in befores.values()), default=1.0)
    after = found.limits.get("normalized", 4.0)
    looks = network_looks(experiment)
    words = [
        f"{', '.join(looks[i].html for i in befores)}: one line per channel, its height the square root of the share "
        f"of values in each of {BINS} bins"
    ]
    if "normalized" not in found.limits:
        words.append("no network here has batchnorm: nothing on the right")
    channels = list(range(1, count + 1))
    return {
        "data": data,
        "layout": layout(
            f"Histograms of every channel of layer {layer + 1}, before and after normalization",
            max(320, 60 + 24 * count),
            words,
            xaxis=axis(kinds, range=[-before, before], domain=[0, 0.48]),
            xaxis2=axis(STAGES["normalized"], range=[-after, after], domain=[0.52, 1], anchor="y"),
            yaxis=axis("channel", range=[count + 0.5, 1 - 1.15 * RIDGE_HEIGHT], tickvals=channels, showgrid=False),
            shapes=[_zero("x"), _zero("x2")],
        ),
    }


def _channels(found: Convolved, experiment: Experiment, places: Mapping[int, str], x_axis: str) -> list[Figure]:
    """One trace for each network, of the values of a place: places holds it by the network's place."""
    looks = network_looks(experiment)
    known = [
        (looks[i], v.histograms[place], place)
        for i, place in places.items()
        if (v := found.variants[i]) and place in v.histograms
    ]
    top = max((_heights(counts).max() for _, counts, _ in known), default=1.0)
    drawn = []
    for look, counts, place in known:
        x, y = _ridges(counts, found.limits[place], top)
        drawn.append(line(x, y, look.color, look.letter, xaxis=x_axis, line={"width": 1.5}, hoverinfo="skip"))
    return drawn


def tiled_maps(maps: Floats, columns: int) -> Floats:
    """Return maps (channels, H, W) as one picture, row by row, with an empty line between them."""
    count, height, width = maps.shape
    rows = -(-count // columns)
    picture = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for k, values in enumerate(maps):
        y, x = k // columns * (height + 1), k % columns * (width + 1)
        picture[y : y + height, x : x + width] = values
    return picture


def _heatmap(cells: Floats, name: str) -> Figure:
    return {
        "type": "heatmap",
        "z": typed(cells),
        "coloraxis": "coloraxis",
        "hoverongaps": False,
        "hovertemplate": f"{name}<br>%{{z:.3f}}<extra></extra>",
    }


def _panel(shape: tuple[int, ...]) -> Figure:
    height, width = shape
    hidden = {"visible": False, "constrain": "domain"}
    return {
        "xaxis": hidden | {"range": [-0.5, width - 0.5]},
        "yaxis": hidden | {"range": [height - 0.5, -0.5], "scaleanchor": "x", "constraintoward": "top"},
    }


def _numbers(maps: Floats, columns: int) -> list[Figure]:
    """The channel's number in the corner of each map."""
    _, height, width = maps.shape
    return [
        {
            "text": str(k + 1),
            "x": k % columns * (width + 1) - 0.5,
            "y": k // columns * (height + 1) - 0.5,
            "xanchor": "left",
            "yanchor": "top",
            "showarrow": False,
            "font": {"size": 10, "color": GUIDE},
        }
        for k in range(len(maps))
    ]


def _span(found: Convolved, experiment: Experiment, place: str) -> tuple[float, float]:
    """The range of an axis; it begins at 0 if no value can be negative."""
    shown = [v for v, maps in zip(experiment.variants, found.variants, strict=True) if maps and place in maps.maps]
    activated = place == "post_activation" or (
        place == "pooled" and not any(v.normalizes == "post_activation" for v in shown)
    )
    limit = found.limits.get(place, 1.0)
    kinds = {v.network.activation for v in shown}
    if activated and kinds == {"sigmoid"}:
        return 0.0, 1.0
    never_negative = activated and all(ACTIVATION_FUNCTIONS[kind].is_never_negative for kind in kinds)
    return (0.0, limit) if never_negative else (-limit, limit)


def _heights(counts: Counts) -> Floats:
    """(channels, BINS + 3) counts -> (channels, BINS) square roots of the shares of a channel's values.

    Most positions of a map see nothing but background and give the same value: shares would show only that one.
    """
    heights: Floats = np.sqrt(counts[:, 1 : BINS + 1] / counts.sum(1, keepdims=True))
    return heights


def _ridges(counts: Counts, limit: float, top: float) -> tuple[Floats, Floats]:
    """One line through the histograms of all channels, each standing on its number; NaN between two."""
    heights = _heights(counts)
    middles = (np.arange(BINS) + 0.5) / BINS * 2 * limit - limit
    x = np.concatenate([np.append(middles, np.nan) for _ in heights])
    y = np.concatenate([np.append(k + 1 - RIDGE_HEIGHT * height / top, np.nan) for k, height in enumerate(heights)])
    return x, y


def _zero(name: str) -> Figure:
    style = {"color": GUIDE, "width": 1, "dash": "dot"}
    return {"type": "line", "xref": name, "yref": "paper", "x0": 0, "x1": 0, "y0": 0, "y1": 1, "line": style}

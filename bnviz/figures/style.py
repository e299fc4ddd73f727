"""What every figure shares: colours, axes, and arrays in the form that travels cheapest.

A figure is a plain dict of Plotly's schema. The browser adds what depends on the light or dark theme (text and grid
colours), so only colours that read well on both are named here.
"""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bnviz.experiment.config import Experiment
from bnviz.experiment.inits import init_name
from bnviz.experiment.naming import network_names
from bnviz.experiment.settings import SHARED
from bnviz.records.frames import Floats

Figure = dict[str, Any]

# Orange is a network without batchnorm and blue one with it, in every chart, and nothing else has these colours; violet
# is one with another normalizer.
# Networks of a kind differ in lightness, by their place, so that a network keeps its shade when another one changes.
# Told apart with the common colour deficiencies (after Okabe and Ito).
WITHOUT = ("#E07B00", "#9C4F00", "#F2A94E", "#6B3600", "#F7C98B", "#C2662D")
WITH = ("#6CB0F5", "#1F77D0", "#0B4A8F", "#083263", "#A6CEF7", "#4A8FBF")
OTHER = ("#B085E8", "#7A3FC2", "#55238F", "#3A1466", "#CDB2F2", "#9266B8")
ACCENTS = ("#009E73", "#CC5FA0", "#9A7A2E", "#6C6FD1")  # whatever is no network
GUIDE = "#8A9099"  # reference lines and their words
DOTTED: Figure = {"color": GUIDE, "width": 1, "dash": "dot"}
STILL: Figure = {"dragmode": False}  # nothing to zoom into, and a finger scrolls the page


def typed(values: npt.ArrayLike) -> dict[str, str]:
    """Return an array as Plotly's typed-array spec: 4 bytes for each number instead of its digits as text."""
    array = np.ascontiguousarray(values, dtype=np.float32)
    spec = {"dtype": "f4", "bdata": base64.b64encode(array.data).decode()}
    return spec if array.ndim == 1 else spec | {"shape": ", ".join(map(str, array.shape))}


def line(x: npt.ArrayLike, y: npt.ArrayLike, color: str, name: str, **more: Any) -> Figure:
    """Return a line; `line` among `more` changes its style."""
    style = {"color": color, "width": 2} | more.pop("line", {})
    return {"type": "scatter", "mode": "lines", "x": typed(x), "y": typed(y), "name": name, "line": style} | more


USUAL_HEIGHT = 320  # pixels


def layout(alt: str, height: int, words: Sequence[str] = (), **more: Any) -> Figure:
    """Return a layout. alt: what a screen reader says. words: lines above the chart.

    uirevision never changes, so that a zoom outlives every update. Words stand outside the plot, because text that
    changes in every frame is slow inside it.
    """
    return {
        "height": height,
        "margin": {"l": 56, "r": 14, "t": 12, "b": 44},
        "showlegend": False,
        "uirevision": "keep",
        "hovermode": "closest",
        "meta": {"alt": alt, "words": "<br>".join(words)},
    } | more


def fitted_to_window(figure: Figure, least: int, most: int, beside: int) -> Figure:
    """Return the figure as high as the window leaves room for: its height less `beside` pixels, from least to most."""
    meta = figure["layout"]["meta"] | {"fit": [least, most, beside]}
    return figure | {"layout": figure["layout"] | {"meta": meta}}


def axis(title: str, **more: Any) -> Figure:
    """Return an axis with a title."""
    return {"title": {"text": title, "standoff": 8}, "zeroline": False} | more


def steps_axis(**more: Any) -> Figure:
    """Return an axis of steps."""
    return axis("step (batches)", tickformat=",", **more)


def steps_until(end: float) -> Figure:
    """Return an axis of steps from 0 on, with room for a line at both ends."""
    return steps_axis(range=[-0.01 * end, end * 1.01])


def outline(edges: npt.ArrayLike, heights: npt.ArrayLike, color: str, name: str) -> Figure:
    """Return a histogram as one filled outline: edges (n + 1,), heights (n,)."""
    x, y = np.repeat(np.asarray(edges), 2)[1:-1], np.repeat(np.asarray(heights, dtype=float), 2)
    filled = {"fill": "tozeroy", "fillcolor": faded(color, 0.25)}
    hover = f"{name}: %{{y:.3g}} at %{{x:.2f}}<extra></extra>"
    return line(x, y, color, name, line={"width": 1.5}, hovertemplate=hover) | filled


def dot(color: str, text: str) -> str:
    """Return HTML of words after a dot in a colour: words themselves are hard to read in colour."""
    return f'<span style="color:{color}">●</span> {text}'


def swatch(color: str, text: str) -> str:
    """Return HTML of words of a legend after a small square in a colour."""
    return f'<span class="bnviz-swatch" style="background:{color}"></span> {text}'


def axis_suffix(place: int) -> str:
    """Return what Plotly calls the axes of a panel: nothing, then 2, 3 …"""
    return "" if place == 0 else str(place + 1)


def note(text: str, x: float, y: float, **more: Any) -> Figure:
    """Return words at a place of the plot, in shares of its width and height."""
    place = {"xref": "paper", "yref": "paper", "x": x, "y": y, "showarrow": False, "align": "left"}
    return {"text": text, "font": {"size": 12}, "xanchor": "left", "yanchor": "top"} | place | more


def color_bar(title: str, length: float = 0.5, **more: Any) -> Figure:
    """Return a colour bar below the plot, which takes no width from it. length: its share of the plot's width."""
    return {
        "title": {"text": title, "side": "top"},
        "orientation": "h",
        "thickness": 8,
        "len": length,
        "x": 0.5,
        "yref": "container",
        "y": 0,
        "yanchor": "bottom",
        "ypad": 0,
        "outlinewidth": 0,
    } | more


def guide(value: float) -> list[Figure]:
    """Return a dotted horizontal line across the plot; what it means stands above the plot, so as to cover no curve."""
    ends = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": value, "y1": value}
    return [ends | {"line": DOTTED}]


def network_color(experiment: Experiment, index: int) -> str:
    """Return the colour of one network: by what normalizes it, and in lightness by its place."""
    return color_of(normalized=experiment.variants[index].normalized, place=index)


def color_of(*, normalized: bool | None, place: int | None = None) -> str:
    """Return blue for a network with batchnorm, orange for one without, violet for another normalizer (None): the same
    on every page.

    place: of the network in its experiment, by which the colours differ in lightness; None: of any network.
    """
    shades, usual = (OTHER, 1) if normalized is None else (WITH, 1) if normalized else (WITHOUT, 0)
    return shades[usual if place is None else place]


def colored(text: str, color: str) -> str:
    """Return HTML of bold words in a colour; by --network the style sheet makes it dark or light enough to read."""
    return f'<span style="color:{color};--network:{color}"><b>{text}</b></span>'


@dataclass(frozen=True)
class NetworkLook:
    """How one network is shown in every chart: its place among the variants, letter, name and colour.

    A trace is called by the letter, which never changes; people read the name.
    """

    place: int
    letter: str
    name: str
    color: str

    @property
    def html(self) -> str:
        """The name in its colour."""
        return colored(self.name, self.color)


def network_looks(experiment: Experiment) -> tuple[NetworkLook, ...]:
    """Return how each network of an experiment is shown."""
    names = network_names(experiment)
    return tuple(
        NetworkLook(i, letter, names[i], network_color(experiment, i)) for i, letter in enumerate(experiment.letters)
    )


def title_of(experiment: Experiment, index: int) -> str:
    """Return 'no batchnorm · U[0,1) / √fan_in', the name in its colour; an architecture other than an MLP is named."""
    network = experiment.variants[index].network
    kind = "" if network.architecture == "mlp" else SHARED["architecture"].name_of(network.architecture) + " · "
    name = colored(network_names(experiment)[index], network_color(experiment, index))
    return f"{name} · {kind}{init_name(network.init, network.init_scale)}"


def unit_of(experiment: Experiment, layer: int) -> str:
    """Return what a unit of one hidden layer, from 0, is: neuron, channel, or either if the networks differ."""
    kinds = {v.network.hidden[layer].unit for v in experiment.variants if layer < len(v.network.hidden)}
    return " or ".join(sorted(kinds, reverse=True)) or "neuron"


def nice_ceiling(value: float) -> float:
    """Return the smallest round number that is not below `value`: axes then grow in calm steps."""
    if not value > 0 or math.isinf(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= value * (1 - 1e-9))


def calm_range(values: Floats) -> list[float]:
    """Return a range around the values, between round numbers, that changes rarely."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return [0.0, 1.0]
    low, high = float(finite.min()), float(finite.max())
    step = nice_ceiling(max(high - low, 1e-3) / 4)
    return [math.floor(low / step) * step, math.ceil(high / step) * step]


def round_step(span: float, most: int) -> float:
    """Return 1, 2 or 5 times a power of ten: the distance of at most `most` ticks, and the one at 0, over a span."""
    step = span / most or 1.0
    power = 10.0 ** math.floor(math.log10(step))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= step * (1 - 1e-9))


def faded(color: str, alpha: float) -> str:
    """Return a colour "#rrggbb" with an opacity, 0 to 1."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"

"""Histograms of the values of one hidden layer, a row for each network."""

import numpy as np

from bnviz.experiment.config import Experiment
from bnviz.experiment.wording import percent
from bnviz.figures.layer_rows import colored_name, networks_with, row_domain, words_for_others
from bnviz.figures.style import (
    Figure,
    axis,
    axis_suffix,
    faded,
    layout,
    line,
    network_color,
    nice_ceiling,
)
from bnviz.records.frames import BINS, PLACES, Counts, Floats, Frame, bin_range

__all__ = ["activation_histograms"]

PLACE_NAMES = dict(zip(PLACES, ("pre-activation", "normalized", "normalizer output", "post-activation"), strict=True))
HIGHEST_BAR = 12.0  # per cent of the values in one bin; a bar that is higher is cut there, and told in words


def activation_histograms(frame: Frame, experiment: Experiment, *, layer: int, place: str) -> Figure:
    """Draw the share of values in each of the fixed bins; the outermost bar on a side is all that lies beyond it.

    Rows share both axes. A bar above HIGHEST_BAR would press all others to the floor: it is cut, and its share is told.
    Where every network's values lie near zero, bins and axis are narrower by a power of ten.
    """
    known = [(i, found) for i, found in networks_with(frame, layer) if place in found.histograms]
    closest = min((found.magnification(place) for _, found in known), default=1)
    rows = [(i, found.counts(place, closest)) for i, found in known]
    low, high = (end / closest for end in _shared_range(experiment, place))
    tallest = max((float(bin_shares(counts).max()) for _, counts in rows), default=0.0)
    top = HIGHEST_BAR if tallest > HIGHEST_BAR else nice_ceiling(max(tallest, 5.0))
    data, axes, words = [], {}, []
    for row, (i, counts) in enumerate(rows):
        begin, end = (end / closest for end in bin_range(place, experiment.variants[i].network.activation))
        suffix = axis_suffix(row)
        drawn = histogram_outline(bin_shares(counts), begin, end, network_color(experiment, i), experiment.letters[i])
        data.append(drawn | {"yaxis": f"y{suffix}"})
        axes[f"yaxis{suffix}"] = axis("% a bin", domain=row_domain(row, len(rows)), range=[0, top], nticks=4)
        words.append(" · ".join([colored_name(experiment, i), *_what_is_not_seen(counts, begin, end, top)]))
    words += [
        f"{colored_name(experiment, i)} has no batchnorm: nothing here"
        for i, found in networks_with(frame, layer)
        if found.histograms and place not in found.histograms
    ]
    name = PLACE_NAMES[place]
    bottom = axis_suffix(max(len(rows) - 1, 0))
    x = axis(f"{name}, layer {layer + 1}", range=[low, high], anchor=f"y{bottom}")
    alt = f"Histogram of the {name} of layer {layer + 1} at step {frame.step}"
    words += words_for_others(frame, experiment, layer)
    return {"data": data, "layout": layout(alt, 300, words, xaxis=x, **axes)}


def bin_shares(counts: Counts) -> Floats:
    """Return the share of values in each bin in per cent, (BINS,); what lies beyond counts to the outermost bins."""
    within = counts[1 : BINS + 1].astype(np.float64)
    within[0] += counts[0]
    within[-1] += counts[-2]
    shares: Floats = within / counts.sum() * 100
    return shares


def histogram_outline(share: Floats, low: float, high: float, color: str, name: str) -> Figure:
    """Draw a histogram as one filled outline, which is cheaper to redraw than bars."""
    edges = np.repeat(np.linspace(low, high, BINS + 1), 2)[1:-1]
    hover = f"{name}: %{{y:.1f}} % at %{{x:.3g}}<extra></extra>"
    drawn = line(edges, np.repeat(share, 2), color, name, line={"width": 1.5}, hovertemplate=hover)
    return drawn | {"fill": "tozeroy", "fillcolor": faded(color, 0.3)}


def _what_is_not_seen(counts: Counts, low: float, high: float, top: float) -> list[str]:
    """Say what lies beyond the bins, and how high a bar really is that is cut."""
    total = counts.sum()
    beyond = ((counts[0], f"below {low:g}"), (counts[-2], f"above {high:g}"), (counts[-1], "NaN or infinite"))
    told = [f"{percent(count / total)} {word}" for count, word in beyond if count]
    shares = counts[1 : BINS + 1] / total * 100
    if shares.max() > top:
        at = low + (int(shares.argmax()) + 0.5) * (high - low) / BINS
        told.append(f"{shares.max():.0f} % ↑ at {at:.2g}".replace("-", "−"))
    return told


def _shared_range(experiment: Experiment, place: str) -> tuple[float, float]:
    ranges = [bin_range(place, v.network.activation) for v in experiment.variants]
    return min(low for low, _ in ranges), max(high for _, high in ranges)

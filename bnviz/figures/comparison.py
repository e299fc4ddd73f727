"""Networks of several kept runs on the same charts: how saturated they were, their gradients, any of their layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from bnviz.experiment.config import Variant
from bnviz.experiment.naming import network_names
from bnviz.experiment.wording import percent
from bnviz.figures.gradients import gradient_norms, layer_axis, layer_places, norm_axis
from bnviz.figures.histograms import HIGHEST_BAR, PLACE_NAMES, bin_shares, histogram_outline
from bnviz.figures.style import Figure, axis, color_of, colored, layout, line, nice_ceiling, steps_until
from bnviz.records.frames import VariantFrame, bin_range
from bnviz.records.history import VariantHistory, View

__all__ = ["compared_gradients", "compared_layer", "compared_saturation"]


@dataclass(frozen=True)
class ComparedNetwork:
    """One network of a kept run. name: with that of its run, a stranger's word perhaps. run: its run's place."""

    name: str
    run: int
    variant: Variant
    history: VariantHistory
    last: VariantFrame

    @property
    def color(self) -> str:
        """Colour of what normalizes it, in a shade for each run."""
        return color_of(normalized=self.variant.normalized, place=self.run)

    @property
    def safe_name(self) -> str:
        """The name where HTML is expected."""
        return escape(self.name, quote=False)


def compared_networks(runs: Sequence[tuple[str, View]]) -> list[ComparedNetwork]:
    """Return the networks of all runs that have shown anything, at most six runs; each run has a name."""
    return [
        ComparedNetwork(f"{name}: {own}", place, variant, history, last)
        for place, (name, view) in enumerate(runs)
        if view.latest is not None
        for own, variant, history, last in zip(
            network_names(view.experiment), view.experiment.variants, view.variants, view.latest.variants, strict=True
        )
    ]


def compared_saturation(networks: Sequence[ComparedNetwork]) -> Figure:
    """Draw the saturated share of each network's most saturated layer over the steps, in per cent."""
    data = []
    for network in networks:
        frames = [frame for frame in network.history.frames if frame.layers and not frame.diverged]
        shares = [frame.saturated * 100 for frame in frames]
        hover = f"{network.safe_name}, step %{{x:,}}<br>%{{y:.0f}} % saturated<extra></extra>"
        data.append(line([f.step for f in frames], shares, network.color, network.safe_name, hovertemplate=hover))
    end = max((network.last.step for network in networks), default=1)
    told = ", ".join(f"{n.name} {percent(n.last.saturated, 0)}" for n in networks)
    return {
        "data": data,
        "layout": layout(
            f"Saturated share of the most saturated layer over the steps; at the end: {told}",
            320,
            [_legend(networks)],
            xaxis=steps_until(max(end, 1)),
            yaxis=axis("saturated (%)", range=[-1, 101]),
        ),
    }


def compared_gradients(networks: Sequence[ComparedNetwork]) -> Figure:
    """Draw the norm of every layer's weight gradient at each network's last moment, output layers above one another."""
    count = max((len(n.last.gradient_norm) for n in networks), default=1)
    data, norms = [], [np.array([1.0])]
    for network in networks:
        norms.append(gradient_norms(network.last))
        hover = f"{network.safe_name}, layer %{{x}}<br>%{{y:.2e}}<extra></extra>"
        at = layer_places(network.last, count)
        drawn = line(at, norms[-1], network.color, network.safe_name, hovertemplate=hover)
        data.append(drawn | {"mode": "lines+markers", "marker": {"size": 7}})
    return {
        "data": data,
        "layout": layout(
            "Gradient norm of every layer at the last moment of each run",
            320,
            [_legend(networks)],
            xaxis=layer_axis(count),
            yaxis=norm_axis("gradient norm", np.concatenate(norms)),
        ),
    }


def compared_layer(networks: Sequence[ComparedNetwork], *, layer: int, place: str) -> Figure:
    """Draw the share of values in each of the fixed bins of one layer, at the last kept moment of each network.

    A bar above HIGHEST_BAR is cut there, as in the live lab. Networks without this layer or place are left out.
    """
    data, tallest, ends, missing = [], 0.0, [], []
    for network in networks:
        kept = network.history.frames[-1:]
        counts = kept[0].layers[layer].histograms.get(place) if kept and layer < len(kept[0].layers) else None
        if counts is None:
            missing.append(network.safe_name)
            continue
        low, high = bin_range(place, network.variant.network.activation)
        ends += [low, high]
        share = bin_shares(counts)
        tallest = max(tallest, float(share.max()))
        drawn = histogram_outline(share, low, high, network.color, network.safe_name)
        data.append(drawn | {"fillcolor": "rgba(0, 0, 0, 0)"})
    top = HIGHEST_BAR if tallest > HIGHEST_BAR else nice_ceiling(max(tallest, 5.0))
    name = PLACE_NAMES[place]
    words = [_legend(networks)] + ([f"Nothing here: {', '.join(missing)}"] if missing else [])
    if tallest > top:
        words.append(f"cut at {top:g} % a bin; the highest has {tallest:.0f} %")
    return {
        "data": data,
        "layout": layout(
            f"Histograms of the {name} of layer {layer + 1} at the last kept moment of each run",
            320,
            words,
            xaxis=axis(f"{name}, layer {layer + 1}", range=[min(ends, default=-1.0), max(ends, default=1.0)]),
            yaxis=axis("% a bin", range=[0, top], nticks=5),
        ),
    }


def _legend(networks: Sequence[ComparedNetwork]) -> str:
    return " &ensp; ".join(colored(f"— {network.safe_name}", network.color) for network in networks)

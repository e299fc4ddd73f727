"""The charts of the live lab: those of the first screen, side by side, those below, and how they are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st

from bnviz import figures
from bnviz.experiment.config import Experiment
from bnviz.experiment.layers import LN_10
from bnviz.experiment.wording import percent
from bnviz.figures.histograms import HIGHEST_BAR, PLACE_NAMES
from bnviz.figures.saturation import BARS
from bnviz.figures.style import Figure, fitted_to_window
from bnviz.records.frames import DEAD_SLOPE, PROBED, SATURATED, TEST_DIGITS, Focus, Frame
from bnviz.records.ghosts import Ghost
from bnviz.records.history import View
from bnviz.ui import page
from bnviz.ui.components.live_chart import live_chart
from bnviz.ui.components.newest import last_click

FIRST = ("chart_loss", "chart_activations", "chart_saturation")  # of the first screen
CHART_HEIGHT = (220, 430, 490)  # pixels: at least, at most, and what stands above and below on the first screen


@dataclass(frozen=True)
class LabCharts:
    """The charts of a page, and what was chosen above them. smoothing: steps; x: steps or seconds; layer: from 0."""

    smoothing: int
    x: str
    log_loss: bool
    layer: int
    place: str
    bars: str
    quantity: str = "mean"

    @property
    def focus(self) -> Focus:
        """What frames must hold for them."""
        return Focus((self.layer,))

    def figures(self, view: View, frame: Frame, ghosts: Sequence[Ghost] = ()) -> dict[str, Figure]:
        """Return the figure of each chart, by the chart's key; a layer's details only if the frame holds them."""
        shown = view.experiment
        here = min(self.layer, max(len(v.layers) for v in frame.variants) - 1)
        first = {
            "chart_loss": figures.training_loss(
                view, smoothing=self.smoothing, log=self.log_loss, x=self.x, ghosts=ghosts
            ),
            "chart_saturation": figures.saturation_bars(frame, shown, layer=here, bars=self.bars),
        }
        rest = {
            "chart_accuracy": figures.accuracy_curves(view, x=self.x, ghosts=ghosts),
            "chart_network": figures.network_map(frame, shown, quantity=self.quantity, layer=here),
            "chart_gradients": figures.layer_gradients(frame, shown),
        }
        if frame.shows(Focus((here,))):  # else the layer was just chosen, and its histograms come with the next frame
            first["chart_activations"] = figures.activation_histograms(frame, shown, layer=here, place=self.place)
            rest["chart_function"] = figures.activation_function(frame, shown, layer=here)
        return {key: fitted_to_window(figure, *CHART_HEIGHT) for key, figure in first.items()} | rest


def first_charts(experiment: Experiment) -> LabCharts:
    """Place loss, activations and saturation side by side, with what may be chosen above each."""
    loss, activations, saturation = st.columns(3, gap="small")
    with loss:
        smoothing, x, log_loss = _loss_chart()
    with activations:
        layer, place = _activation_chart(_deepest(experiment))
    with saturation:
        bars = _saturation_chart()
    return LabCharts(smoothing, x, log_loss, layer, place, bars)


def more_charts(charts: LabCharts, experiment: Experiment) -> LabCharts:
    """Place accuracy, activation function, gradients and the network map below. Returns all charts."""
    left, right = st.columns(2, gap="large")
    with left:
        page.heading(
            "Test accuracy",
            f"Share of the first {TEST_DIGITS:,} test digits that is recognized, in eval mode: batchnorm uses its "
            "running statistics. The square at the end of a run is measured on all test digits, which are no point of "
            "the curve.",
        )
        live_chart("chart_accuracy")
        page.heading(
            "Activation function and its inputs",
            "Where the slope is flat, no gradient passes. Below: the values that reach the activation function.",
        )
        live_chart("chart_function", height=300)
    with right:
        page.heading(
            "Gradients",
            "For the step about to be taken, one point per layer. Left: L2 norm of the gradient of the layer's "
            "weights. Right: log₁₀ of the standard deviation of the update over that of the weights; about −3 is a "
            "usual value.",
        )
        live_chart("chart_gradients")
        return replace(charts, quantity=_network_map(_deepest(experiment)))


def _deepest(experiment: Experiment) -> int:
    return max(len(variant.network.hidden) for variant in experiment.variants)


def _loss_chart() -> tuple[int, str, bool]:
    options = page.heading(
        "Loss",
        "Cross-entropy on each batch (shadow), its mean over the last steps (line) and on the test digits (circles; "
        f"square: on all of them). ln 10 = {LN_10:.3f} is the loss of a network that gives every digit the same "
        "probability.",
    )
    with options.popover("View", width="content"):
        smoothing = st.slider(
            "Smooth over (steps)", 1, 200, 30, key="smoothing", help="The line is the mean loss of so many steps."
        )
        x = st.segmented_control(
            "Across",
            ["steps", "seconds"],
            default="steps",
            key="x_axis",
            required=True,
            help="Steps, or seconds of training: networks that train in lockstep take the same time.",
        )
        log_loss = st.toggle("Logarithmic loss", key="log_loss", help="Shows small differences near zero.")
    live_chart("chart_loss")
    return smoothing, x, log_loss


def _activation_chart(deepest: int) -> tuple[int, str]:
    if st.session_state.get("layer", 1) > deepest:
        st.session_state["layer"] = deepest
    options = page.heading(
        "Activations",
        f"Histogram of all neurons of the layer over {PROBED}, normalized with that batch's statistics, in fixed bins, "
        "finer where all values are small. The outermost bars hold what lies beyond; bars above "
        f"{HIGHEST_BAR:g} % are cut.",
    )
    with options:
        number = st.selectbox(
            "Layer",
            range(1, deepest + 1),
            key="layer",
            format_func=lambda n: f"layer {n}",
            label_visibility="collapsed",
            width=105,
        )
        place = st.selectbox(
            "Histogram of the",
            list(PLACE_NAMES),
            index=list(PLACE_NAMES).index("post_activation"),
            format_func=PLACE_NAMES.__getitem__,
            key="place",
            label_visibility="collapsed",
            width=165,
        )
    live_chart("chart_activations")
    return number - 1, place


def _saturation_chart() -> str:
    options = page.heading(
        "Saturation",
        f"One bar per neuron. A tanh output is saturated beyond ±{SATURATED}; of the other activations, where the "
        f"slope is below {percent(1 - SATURATED**2)} of its steepest, which for ReLU means an output of zero. The "
        f"slope of a dead neuron is below {percent(DEAD_SLOPE)} of its steepest at every digit: no gradient passes.",
    )
    bars = options.selectbox(
        "Bars show", list(BARS), format_func=BARS.__getitem__, key="bars", label_visibility="collapsed", width=165
    )
    live_chart("chart_saturation")
    return bars


def _network_map(deepest: int) -> str:
    def pick_layer() -> None:
        """Choose the layer whose row of the network map was clicked."""
        if (click := last_click("chart_network")) and click.place:
            st.session_state["layer"] = max(1, min(round(click.place[1]), deepest))

    options = page.heading(
        "Network map",
        f"Every neuron of every hidden layer, over {PROBED}: its mean output, or the share of digits at which it is "
        "saturated. Click a row to look into that layer.",
    )
    quantity = page.choose_quantity(options, "Colour", "map_quantity", labelled=False)
    live_chart("chart_network", on_click=pick_layer)
    return quantity

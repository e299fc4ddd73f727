"""The live lab: the same network with and without batch normalization, learning side by side."""

from functools import partial

import streamlit as st

from bnviz import figures
from bnviz.figures.histograms import HIGHEST_BAR, PLACE_NAMES
from bnviz.figures.saturation import BARS
from bnviz.figures.style import Figure, fitted_to_window
from bnviz.findings.live import live_findings
from bnviz.findings.next_steps import next_steps
from bnviz.findings.outcome import outcome
from bnviz.records.frames import DEAD_SLOPE, PROBED, SATURATED, TEST_DIGITS, Focus, Frame
from bnviz.records.history import View
from bnviz.ui import controls, page, session, settings_table
from bnviz.ui.components.live_chart import live_chart
from bnviz.ui.news import FINDINGS, NOTICE, STATUS, publish
from bnviz.ui.sections import sharing
from bnviz.ui.sections.networks import network_bar
from bnviz.ui.sections.next_steps import next_step_buttons
from bnviz.ui.sections.pins import pin_button, pin_table
from bnviz.ui.sections.presenting import present_button
from bnviz.ui.sections.rewind import history_slider, rewound
from bnviz.ui.transport import transport

CHART_HEIGHT = (220, 430, 490)  # pixels: at least, at most, and what stands above and below on the first screen

page.begin({"Skip to the controls": ".st-key-lab_bar", "Skip to the charts": ".st-key-heading_loss"})
experiment = controls.chosen_experiment()
controls.sidebar()
first_screen = st.container(key="lab", gap=None)
with first_screen:
    with st.container(horizontal=True, key="lab_head", vertical_alignment="center", wrap=False):
        st.title("Same network, same weights, same digits. One difference: batch normalization.", anchor=False)
        with st.container(horizontal=True, key="lab_actions", width="content", wrap=False):
            present_button()
            pin_place = st.container(width="content")
            share = st.popover("Share", icon=":material/share:")
    page.show_problems()
    bar = st.container(horizontal=True, key="lab_bar", vertical_alignment="center", wrap=False)
    keep_weights = network_bar(experiment)
    tab, run = session.live_run(experiment, keep_weights)
    past = rewound(run)
    sharing.data_badge(run, partial(session.renew_run, tab, experiment))
    with share:
        sharing.files(run)
    with pin_place:
        pin_button(run)
    with bar:
        shown_status = transport(run, partial(settings_table.set_value, "seed"))
        live_place = st.container(key="status")

    loss_column, activation_column, saturation_column = st.columns(3, gap="small")
    with loss_column:
        options = page.heading(
            "Loss",
            "Cross-entropy on each batch (shadow), its mean over the last steps (line) and on the test digits "
            "(circles; square: on all of them). ln 10 = 2.303 is the loss of a network that gives every digit the same "
            "probability.",
        )
        with options.popover("View", width="content"):
            smoothing = st.slider(
                "Smooth over (steps)", 1, 200, 30, key="smoothing", help="The line is the mean loss of so many steps."
            )
            x_axis = st.segmented_control(
                "Across",
                ["steps", "seconds"],
                default="steps",
                key="x_axis",
                required=True,
                help="Steps, or seconds of training: networks that train in lockstep take the same time.",
            )
            log_loss = st.toggle("Logarithmic loss", key="log_loss", help="Shows small differences near zero.")
        live_chart("chart_loss")
    deepest = max(len(v.network.hidden) for v in experiment.variants)
    if st.session_state.get("layer", 1) > deepest:
        st.session_state["layer"] = deepest
    with activation_column:
        options = page.heading(
            "Activations",
            f"Histogram of all neurons of the layer over {PROBED}, normalized with that batch's "
            "statistics, in fixed bins, finer where all values are small. The outermost bars hold what lies beyond; "
            f"bars above {HIGHEST_BAR:g} % are cut.",
        )
        with options:
            layer = (
                st.selectbox(
                    "Layer",
                    range(1, deepest + 1),
                    key="layer",
                    format_func=lambda n: f"layer {n}",
                    label_visibility="collapsed",
                    width=105,
                )
                - 1
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
    with saturation_column:
        options = page.heading(
            "Saturation",
            f"One bar per neuron. A tanh output is saturated beyond ±{SATURATED}; of the other activations, where the "
            f"slope is below {1 - SATURATED**2:.1%} of its steepest, which for ReLU means an output of zero. The "
            f"slope of a dead neuron is below {DEAD_SLOPE:.1%} of its steepest at every digit: no gradient passes.",
        )
        bars = options.selectbox(
            "Bars show", list(BARS), format_func=BARS.__getitem__, key="bars", label_visibility="collapsed", width=165
        )
        live_chart("chart_saturation")
    with st.container(key="scrubber_bar"):
        history_slider(past)
    with st.container(horizontal=True, key="findings_bar", vertical_alignment="center", wrap=False):
        st.html(NOTICE + FINDINGS)
        next_step_buttons(next_steps(past.view()))
pin_table(run)

left, right = st.columns(2, gap="large")
with left:
    page.heading(
        "Test accuracy",
        f"Share of the first {TEST_DIGITS:,} test digits that is recognized, in eval mode: batchnorm uses its running "
        "statistics. The square at the end of a run is measured on all test digits, which are no point of the curve.",
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
        "For the step about to be taken, one point per layer. Left: L2 norm of the gradient of the layer's weights. "
        "Right: log₁₀ of the standard deviation of the update over that of the weights; about −3 is a usual value.",
    )
    live_chart("chart_gradients")

    def pick_layer() -> None:
        """Choose the layer whose row of the network map was clicked."""
        if point := st.session_state.get("chart_network", {}).get("click"):
            st.session_state["layer"] = max(1, min(round(point["y"]), deepest))

    options = page.heading(
        "Network map",
        f"Every neuron of every hidden layer, over {PROBED}: its mean output, or the share of digits "
        "at which it is saturated. Click a row to look into that layer.",
    )
    quantity = page.choose_quantity(options, "Colour", "map_quantity", labelled=False)
    live_chart("chart_network", on_click=pick_layer)


def make_figures(view: View, frame: Frame) -> dict[str, Figure]:
    """Return the figure of each chart, by the chart's key; one layer's details only if the frame holds them."""
    shown = view.experiment
    ghosts = [*run.ghosts, *(ghost for pin in run.pins for ghost in pin.ghosts)]
    here = min(layer, max(len(v.layers) for v in frame.variants) - 1)
    first = {
        "chart_loss": figures.training_loss(view, smoothing=smoothing, log=log_loss, x=x_axis, ghosts=ghosts),
        "chart_saturation": figures.saturation_bars(frame, shown, layer=here, bars=bars),
    }
    rest = {
        "chart_accuracy": figures.accuracy_curves(view, x=x_axis, ghosts=ghosts),
        "chart_network": figures.network_map(frame, shown, quantity=quantity, layer=here),
        "chart_gradients": figures.layer_gradients(frame, shown),
    }
    if frame.shows(Focus((here,))):  # else the layer was just chosen, and its histograms come with the next frame
        first["chart_activations"] = figures.activation_histograms(frame, shown, layer=here, place=place)
        rest["chart_function"] = figures.activation_function(frame, shown, layer=here)
    return {key: fitted_to_window(figure, *CHART_HEIGHT) for key, figure in first.items()} | rest


def what_happens(view: View) -> list[str]:
    """Return how the run ended and why, once it has, and until then the findings that hold now, a sentence each."""
    return outcome(view) or live_findings(view)


run.focus_on(Focus((layer,)))
with live_place:
    publish(past, shown_status, make_figures, findings=what_happens, html=STATUS)
settings_table.drawn()

"""Depth and architecture: how gradients fare in deep networks, and batchnorm between convolutions."""

from functools import partial
from typing import Literal

import streamlit as st

from bnviz import figures
from bnviz.experiment import architecture
from bnviz.experiment.config import Experiment
from bnviz.experiment.naming import network_conditions, network_names
from bnviz.experiment.presets import PRESETS
from bnviz.figures.feature_maps import STAGES
from bnviz.figures.style import Figure
from bnviz.records.answers import Convolved
from bnviz.records.frames import MAP_DIGITS, PROBE_DIGITS, Focus, Frame
from bnviz.records.history import View
from bnviz.records.questions import MapsOfDigit
from bnviz.ui import controls, page, session, settings_table
from bnviz.ui.asking.repeated import LiveQuestion, newest
from bnviz.ui.components.live_chart import live_chart, unchanged
from bnviz.ui.news import publish
from bnviz.ui.sections.networks import network_bar, weights_are_kept
from bnviz.ui.transport import transport

PRESETS_OFFERED = ("deep", "deep_relu", "deepest", "paper", "lenet", "cnn")  # presets
DEPTHS = (1, 2, 5, 10, 20)

experiment = page.open_page("Depth and architecture")
controls.sidebar()
network_bar(experiment)
run = session.live_run(experiment, weights_are_kept())


def kind(chosen: bool) -> Literal["primary", "secondary"]:
    """Return the type of a button, so that the chosen network or depth stands out."""
    return "primary" if chosen else "secondary"


st.markdown(
    "The deeper a network, the more layers a gradient has to pass on its way to the first one. Batchnorm brings "
    "the values of every layer back to mean 0 and variance 1, before γ and β; after a convolution it does so a channel "
    "at a time, over all digits and positions. These are the networks of the live lab."
)
with st.container(horizontal=True, vertical_alignment="center", key="networks"):
    st.markdown("Network", width="content")
    for name in PRESETS_OFFERED:
        st.button(
            PRESETS[name].title,
            key=f"network_{name}",
            type=kind(PRESETS[name].experiment == experiment),
            on_click=settings_table.load,
            args=(PRESETS[name].experiment,),
        )
with st.container(horizontal=True, vertical_alignment="center", key="depths"):
    st.markdown("Hidden layers", width="content")
    first = experiment.variants[0].network
    for depth in DEPTHS:
        st.button(
            str(depth),
            key=f"depth_{depth}",
            type=kind(first.architecture == "mlp" and first.hidden_layers == depth),
            disabled=first.architecture != "mlp",
            on_click=settings_table.set_value,
            args=("hidden_layers", depth),
        )
shown_status = transport(run, partial(settings_table.set_value, "seed"))
live_place = st.container(key="status")

left, right = st.columns(2, gap="large")
with left:
    page.heading(
        "Gradient flow",
        "L2 norm of the loss gradient of each layer's weights, for the step about to be taken, on a log axis. Dotted: "
        "before the first step. A falling line towards layer 1 is a vanishing gradient, a rising one an exploding one.",
    )
    live_chart("chart_gradient_flow", height=360)
with right:
    page.heading(
        "What reaches the first layer",
        "The gradient norm of the first layer as a share of the output layer's, at every kept moment of the run.",
    )
    live_chart("chart_reach", height=360)
left, right = st.columns(2, gap="large")
with left:
    page.heading("Loss", "Cross-entropy on each batch (shadow), its mean over 30 steps, and on test digits (circles).")
    live_chart("chart_loss")
with right:
    page.heading("Test accuracy", "Share of test digits that is recognized, in eval mode.")
    live_chart("chart_accuracy")

page.heading(
    "Layers",
    "After a convolution one mean and one variance belong to a channel, because its kernel is the same at every "
    "position (Ioffe and Szegedy 2015, section 3.2).",
)
names = network_names(experiment)
for letters, layers in architecture.architectures_by_letters(experiment).items():
    if letters != experiment.letters:
        st.caption(", ".join(names[experiment.letters.index(letter)] for letter in letters))
    page.table(architecture.layer_table(layers, experiment.training.batch_size))

convolutions = max(sum(layer.kernel > 0 for layer in v.network.hidden) for v in experiment.variants)
convolved = [
    letter
    for letter, v in zip(experiment.letters, experiment.variants, strict=True)
    if any(layer.kernel for layer in v.network.hidden)
]
options = page.heading(
    "Feature maps",
    f"What each channel makes of one of {PROBE_DIGITS} fixed training digits, normalized with the statistics of all of "
    "them, on one colour scale for all networks. Asked on copies: about once a second while the networks train, and "
    "wherever they stand still.",
)


@st.cache_resource(scope="session", show_spinner=False)
def maps_question() -> LiveQuestion[Convolved, Convolved]:
    """Return this session's question for the feature maps, with its newest answer."""
    return LiveQuestion(newest)


maps = maps_question()
layer, digit, place = 0, 0, "post_activation"
if convolutions:
    with st.container(horizontal=True, vertical_alignment="bottom", key="map_settings"):
        if st.session_state.get("map_layer", 1) > convolutions:
            st.session_state["map_layer"] = convolutions
        layer = st.selectbox("Layer", range(1, convolutions + 1), key="map_layer", width=90) - 1
        digit = st.number_input(f"Which of {PROBE_DIGITS} digits", 1, PROBE_DIGITS, 1, key="map_digit", width=160) - 1
        place = st.segmented_control(
            "Maps of the",
            list(STAGES),
            format_func=STAGES.__getitem__,
            default="post_activation",
            key="map_place",
            wrap=True,
            required=True,
        )
    small, large = st.columns([1, 5])
    with small:
        live_chart("chart_map_digit")
    with large.container(key="chart_feature_maps"):
        for first_of_two in range(0, len(convolved), 2):
            for column, letter in zip(st.columns(2), convolved[first_of_two : first_of_two + 2], strict=False):
                with column:
                    live_chart(f"chart_maps_{letter}")
    page.heading(
        "Channels before and after normalization",
        f"All positions of the first {MAP_DIGITS} of these digits. Left: what is normalized, whose mean and "
        "variance differ from channel to channel. Right: normalized to mean 0 and variance 1.",
    )
    live_chart("chart_channels")
else:
    st.info(
        "No network here has convolutions. Choose LeNet or the wide CNN above to see its feature maps.",
        icon=":material/info:",
    )


def asked(shown: Experiment) -> Convolved | None:
    """Return the newest feature maps of the chosen layer and digit; None if there are none of the networks shown."""
    found = maps.of(run, MapsOfDigit(layer, digit)) if convolutions else None
    return found if found and len(found.variants) == len(shown.variants) else None


def draw(view: View, _: Frame) -> dict[str, Figure]:
    """Return the figure of each chart, by the chart's key; those of feature maps once there is an answer."""
    drawn = {
        "chart_gradient_flow": figures.gradient_flow(view),
        "chart_reach": figures.gradient_reach(view),
        "chart_loss": figures.training_loss(view, smoothing=30, log=False, x="steps"),
        "chart_accuracy": figures.accuracy_curves(view, x="steps"),
    }
    if (found := asked(view.experiment)) is not None:
        version = maps.count, place
        conditions = network_conditions(view.experiment)
        guesses = ", ".join(f"{guess} {condition}" for guess, condition in zip(found.guesses, conditions, strict=True))
        words = f"a {found.label}; taken at step {found.step:,} for a {guesses}"
        shown = {
            "chart_map_digit": figures.digit_image(found.digit, words),
            "chart_channels": figures.channel_histograms(found, view.experiment, layer=layer),
        }
        shown |= {
            f"chart_maps_{letter}": figures.feature_maps(found, view.experiment, variant=i, place=place)
            for i, letter in enumerate(view.experiment.letters)
            if letter in convolved
        }
        drawn |= {key: unchanged(figure, version) for key, figure in shown.items()}
    return drawn


run.focus_on(Focus(()))
with live_place:
    publish(run, shown_status, draw, also=lambda: maps.count)
settings_table.drawn()

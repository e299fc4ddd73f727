"""The networks of the experiment, a row each: batchnorm's switch, the init, and how the network is doing."""

from html import escape

import streamlit as st

from bnviz.experiment.config import LETTERS, BatchNormConfig, Experiment, Variant, replace
from bnviz.experiment.inits import SMALLER_BY, init_name, smaller_scale
from bnviz.experiment.naming import network_names
from bnviz.experiment.settings import table
from bnviz.figures.style import network_color, swatch
from bnviz.ui.controls import choose_preset, control
from bnviz.ui.settings_table import load

CHANGES = {False: "restarts the network, same seed", True: "is made now, the weights stay"}


def weights_are_kept() -> bool:
    """Return whether a change is made now, and the weights stay."""
    return bool(st.session_state.get("keep_weights", False))


def network_bar(experiment: Experiment) -> None:
    """Draw the rows, and how a change is made."""
    with st.container(key="networks_bar", gap=None):
        for i, name in enumerate(network_names(experiment)):
            _row(experiment.letters[i], name, network_color(experiment, i))
        with st.container(horizontal=True, key="change_mode", vertical_alignment="center", gap="small", wrap=False):
            st.markdown("A change", width="content")
            st.radio(
                "A change",
                list(CHANGES),
                format_func=CHANGES.__getitem__,
                key="keep_weights",
                horizontal=True,
                label_visibility="collapsed",
                help="A restarted network replays the same batches from the same first weights. With the weights "
                "kept, the curves get a marker; a new init still draws new weights.",
            )
            with st.container(width=300, key="preset_place"):
                promise = choose_preset(experiment)
            with st.popover("Add", icon=":material/add:", disabled=len(experiment.variants) == len(LETTERS)):
                _offer_networks(experiment)
            st.html(f'<div class="bnviz-promise" title="{escape(promise)}">{escape(promise)}</div>', width="stretch")


def _row(letter: str, name: str, color: str) -> None:
    prefix = letter.lower()
    own = table(letter)
    with st.container(horizontal=True, key=f"variant_{prefix}", vertical_alignment="center", gap="small"):
        st.html(f'<div class="bnviz-network">{swatch(color, name)}</div>', width=170)
        control(own[f"{prefix}_batchnorm"], title="batchnorm", help=None)
        control(own[f"{prefix}_init"], label_visibility="collapsed", width=210, help=None)
        st.markdown("×", width="content")
        control(own[f"{prefix}_init_scale"], label_visibility="collapsed", width=120, help=None)
        st.html(f'<div class="bnviz-numbers bnviz-numbers-{prefix}"></div>', width="stretch")


def _offer_networks(experiment: Experiment) -> None:
    """Offer networks that differ from the first one in one thing, so that the comparison says something."""
    st.markdown("Another network beside these: the first one, but")
    for label, variant in added_networks(experiment.variants[0]).items():
        st.button(label, key=f"add_{label}", on_click=_add, args=(experiment, variant))


def added_networks(first: Variant) -> dict[str, Variant]:
    """Return what a first network may be compared with, by the one thing that differs."""
    network = first.network
    found = {
        "without batchnorm" if first.batchnorm else "with batchnorm": replace(
            first, batchnorm=None if first.batchnorm else BatchNormConfig(), normalizer=None
        ),
        f"with init {init_name('xavier_normal', 1.0)}": replace(
            first, network=replace(network, init="xavier_normal", init_scale=1.0)
        ),
        f"with weights × {SMALLER_BY:g}": replace(
            first, network=replace(network, init_scale=smaller_scale(network.init_scale))
        ),
    }
    return {label: variant for label, variant in found.items() if variant != first}


def _add(experiment: Experiment, variant: Variant) -> None:
    load(replace(experiment, variants=(*experiment.variants, variant)))

"""The networks of the experiment, a row each: batchnorm's switch, the init, and how the network is doing."""

import streamlit as st

from bnviz.experiment.config import Experiment
from bnviz.experiment.naming import network_names
from bnviz.experiment.settings import table
from bnviz.figures.style import network_color
from bnviz.ui.controls import choose_preset, control

CHANGES = {False: "restarts the network, same seed", True: "is made now, the weights stay"}


def network_bar(experiment: Experiment) -> bool:
    """Draw the rows, and how a change is made. Returns whether changes keep the weights."""
    with st.container(key="networks_bar", gap=None):
        for i, name in enumerate(network_names(experiment)):
            _row(experiment.letters[i], name, network_color(experiment, i))
        with st.container(horizontal=True, key="change_mode", vertical_alignment="center", gap="small"):
            st.markdown("A change", width="content")
            keep = st.radio(
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
                choose_preset(experiment)
    return bool(keep)


def _row(letter: str, name: str, color: str) -> None:
    prefix = letter.lower()
    own = table(letter)
    with st.container(horizontal=True, key=f"variant_{prefix}", vertical_alignment="center", gap="small"):
        st.html(
            f'<div class="bnviz-network"><span class="bnviz-swatch" style="background:{color}"></span>{name}</div>',
            width=170,
        )
        control(own[f"{prefix}_batchnorm"], title="batchnorm", help=None)
        control(own[f"{prefix}_init"], label_visibility="collapsed", width=210, help=None)
        st.markdown("×", width="content")
        control(own[f"{prefix}_init_scale"], label_visibility="collapsed", width=120, help=None)
        st.html(f'<div class="bnviz-numbers bnviz-numbers-{prefix}"></div>', width="stretch")

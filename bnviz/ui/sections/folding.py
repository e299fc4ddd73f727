"""Folded for inference: the network of a page with its batchnorm folded into the layers beside it, and as files."""

import streamlit as st

from bnviz.export.folded import SCRIPT_FILE, WEIGHTS_FILE, to_folded_script
from bnviz.findings.folding import folding_findings
from bnviz.records.answers import Folded
from bnviz.records.live import AskedRun
from bnviz.records.questions import FoldedForInference
from bnviz.ui.asking.at_once import ask


@st.fragment
def show_folding(run: AskedRun) -> None:
    """Draw the button that folds the network as it is, what came of it, and the folded network's files."""
    history, experiment, found = st.session_state.get("folded", (None, None, None))
    if st.button("Fold the network as it is", key="fold", icon=":material/compress:"):
        experiment = run.experiment
        found = ask(run, FoldedForInference(0))
        st.session_state["folded"] = run.history, experiment, found
    elif history is not run.history:
        found = None
    if isinstance(found, Folded) and experiment is not None:
        st.markdown("\n".join(f"- {sentence}" for sentence in folding_findings(found)))
        with st.container(horizontal=True):
            _file("Weights (PT)", found.weights, WEIGHTS_FILE, "application/octet-stream")
            _file("Script that reads them", to_folded_script(experiment), SCRIPT_FILE, "text/x-python")


def _file(label: str, content: bytes | str, name: str, kind: str) -> None:
    key = f"export_{name.replace('.', '_')}"
    st.download_button(label, content, name, kind, key=key, icon=":material/download:", on_click="ignore")

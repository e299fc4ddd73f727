"""Files: what leaves the app as one, and what comes in."""

import streamlit as st

from bnviz.data import as_npz
from bnviz.engine.run import Run
from bnviz.experiment.addresses import NoExperimentError, read_json
from bnviz.export import run as export
from bnviz.export.script import DIGITS_FILES, to_script
from bnviz.ui import settings_table
from bnviz.ui.components.save_charts import save_charts
from bnviz.ui.sections import lab_charts


def files(run: Run) -> None:
    """Downloads of this run, and the upload of an experiment."""
    with st.container():
        st.caption("This experiment: the address of this page holds every setting. Copy it to share them.")
        st.download_button(
            "Experiment (JSON)",
            lambda: export.experiment_to_json(run.view()),
            "experiment.json",
            "application/json",
            key="export_experiment",
            on_click="ignore",
        )
        st.download_button(
            "Experiment and history (JSON)",
            lambda: export.to_json(run.view()),
            "bnviz.json",
            "application/json",
            key="export_json",
            on_click="ignore",
        )
        st.download_button(
            "Curves (CSV)",
            lambda: export.to_csv(run.view()),
            "bnviz.csv",
            "text/csv",
            key="export_csv",
            on_click="ignore",
        )
        save_charts("export_png", "Loss, activations, saturation (PNG)", lab_charts.FIRST, "bnviz")
        st.download_button(
            "Plain PyTorch script",
            lambda: to_script(run.view().experiment),
            "experiment.py",
            "text/x-python",
            key="export_script",
            on_click="ignore",
        )
        st.download_button(
            "Digits for the script (NPZ)",
            lambda: as_npz(run.experiment.training.data),
            DIGITS_FILES[run.experiment.training.data],
            "application/octet-stream",
            key="export_digits",
            on_click="ignore",
        )
        st.caption(
            "The script begins with the same weights and takes the same batches; without the digits beside it, it "
            "downloads them. Losses differ in their last digits, because sums are rounded in another order, and a "
            "network with exploding gradients magnifies that. Changes made with kept weights are left out."
        )
        st.file_uploader("Load an experiment (JSON)", type="json", key="import_json", on_change=_import)


def _import() -> None:
    uploaded = st.session_state.get("import_json")
    if uploaded is not None:
        try:
            experiment, found = read_json(uploaded.getvalue())
        except NoExperimentError as error:
            settings_table.problems().append(f"{error} The settings stay as they are.")
            return
        settings_table.load(experiment)
        st.toast("The settings are now those of the file.", icon=":material/check:")
        settings_table.problems().extend(found)

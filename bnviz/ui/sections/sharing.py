"""Data and files: which digits are used, what leaves the app as a file, and what comes in."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import streamlit as st

from bnviz.data import COUNTS, as_npz
from bnviz.data import status as data_status
from bnviz.engine.run import Run
from bnviz.experiment.addresses import NoExperimentError, read_json
from bnviz.export import run as export
from bnviz.export.script import DIGITS_FILES, to_script
from bnviz.ui import settings_table
from bnviz.ui.components.save_charts import save_charts
from bnviz.ui.sections import lab_charts


class _Download:
    """`python -m bnviz data download` in a process of its own: it needs torch, which the web process never loads."""

    def __init__(self) -> None:
        self._lock = Lock()  # every session of the server asks
        self._process: subprocess.Popen[str] | None = None
        self.problem = ""

    @property
    def running(self) -> bool:
        with self._lock:
            return self._look()

    def _look(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            _, complaint = self._process.communicate()
            last = complaint.strip().rpartition("\n")[2].removeprefix("bnviz data download: ")
            self.problem = last if self._process.returncode else ""
            self._process = None
        return self._process is not None

    def start(self) -> None:
        command = [sys.executable, "-m", "bnviz", "data", "download"]
        root = Path(__file__).parents[3]
        with self._lock:
            if not self._look():
                self._process = subprocess.Popen(
                    command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
                )


@st.cache_resource(show_spinner=False)
def _download() -> _Download:
    return _Download()


def data_badge(run: Run, renew: Callable[[], None]) -> None:
    """Which digits the run learns from; `renew` starts it again on those that have come since."""
    with st.sidebar:
        st.subheader("Data")
        training, test = COUNTS[run.data]
        st.badge(f"{run.data}: {training:,} + {test:,} digits", icon=":material/database:", color="gray")
        download = _download()
        watched = download.running

        def look() -> None:
            found = data_status()
            if found.notice and not download.running:
                st.warning(found.notice, icon=":material/warning:")
            if found.in_use != run.data:
                if st.button(f"Start again on {found.in_use}: {found.train_count:,} digits", key="renew"):
                    renew()
                    st.rerun()
            elif download.running:
                done = sum(file.ok for file in found.files)
                st.progress(done / len(found.files), f"Downloading MNIST: {done} of {len(found.files)} files")
            elif run.data == "MNIST sample":
                st.caption("The first digits of MNIST, bundled with the app.")
                if download.problem:
                    st.warning(download.problem, icon=":material/cloud_off:")
                st.button("Download all 70,000 digits", key="download", on_click=download.start)
            if download.running != watched:
                st.rerun()

        st.fragment(look, run_every=1.0 if watched else None, key="data")()


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
            lambda: export.to_json(run.view(), run.data),
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
            lambda: to_script(run.view().experiment, run.data),
            "experiment.py",
            "text/x-python",
            key="export_script",
            on_click="ignore",
        )
        st.download_button(
            "Digits for the script (NPZ)",
            lambda: as_npz(run.data),
            DIGITS_FILES[run.data],
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

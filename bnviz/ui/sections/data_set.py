"""What the networks learn from: the choice of a data set, and its download, which the server does once for all."""

import subprocess
import sys
from pathlib import Path
from threading import Lock, Thread

import streamlit as st

from bnviz.data import COUNTS, SOURCES, Downloaded, check
from bnviz.engine.run import Run
from bnviz.experiment.settings import SHARED
from bnviz.ui import controls

_ROOT = Path(__file__).parents[3]


class _Download:
    """`python -m bnviz data download` in a process of its own: it needs torch, which the web process never loads."""

    def __init__(self, name: Downloaded) -> None:
        self.name = name
        self._lock = Lock()  # every session of the server asks
        self._process: subprocess.Popen[str] | None = None
        self.share, self.now, self.problem = 0.0, "", ""

    @property
    def running(self) -> bool:
        with self._lock:
            return self._process is not None

    def start(self) -> None:
        with self._lock:
            if self._process is None:
                self.share, self.now, self.problem = 0.0, "", ""
                command = [sys.executable, "-m", "bnviz", "data", "download", self.name]
                pipe = subprocess.PIPE
                self._process = subprocess.Popen(command, cwd=_ROOT, stdout=pipe, stderr=pipe, text=True)
                Thread(target=self._follow, args=[self._process], name="bnviz-download", daemon=True).start()

    def _follow(self, process: "subprocess.Popen[str]") -> None:
        """Read lines such as '1/4 train-images-idx3-ubyte.gz 30%' until the process ends."""
        assert process.stdout is not None
        for line in process.stdout:
            place, _, rest = line.strip().partition(" ")
            file, _, percent = rest.partition(" ")
            if percent.endswith("%"):
                number, count = map(int, place.split("/"))
                self.share, self.now = (number - 1 + int(percent[:-1]) / 100) / count, f"{file}, {number} of {count}"
        _, complaint = process.communicate()
        with self._lock:
            if process.returncode:
                last = complaint.strip().rpartition("\n")[2]
                self.problem = last.removeprefix("bnviz data download: ") or "The download ended early."
            self._process = None


@st.cache_resource(show_spinner=False)
def _download(name: Downloaded) -> _Download:
    return _Download(name)


def choose_data(run: Run) -> None:
    """Draw the choice, and for a set that is not there yet the way to it; the run begins once it is."""
    with st.sidebar:
        st.subheader("Data")
        controls.control(SHARED["data"], label_visibility="collapsed")
        name = run.experiment.training.data
        training, test = COUNTS[name]
        st.badge(f"{training:,} + {test:,} pictures", icon=":material/database:", color="gray")
        if name in SOURCES:
            download = _download(name)
            watched = download.running
            st.fragment(
                lambda: _way_to_it(run, download, watched), run_every=1.0 if watched else None, key="data_way"
            )()


def _way_to_it(run: Run, download: _Download, watched: bool) -> None:
    """watched: whether it was being downloaded when the page was drawn."""
    if download.running:
        st.progress(download.share, f"Downloading {download.name}: {download.now or 'looking for a mirror'}")
    elif not all(file.ok for file in check(download.name)):
        if download.problem:
            st.warning(download.problem, icon=":material/cloud_off:")
        else:
            st.caption(f"{download.name} is not on this server yet. It is downloaded once, for all.")
        st.button(f"Download {download.name}", key="download", on_click=download.start)
    elif run.status.state == "failed":
        run.reset()
    if download.running != watched:
        st.rerun()

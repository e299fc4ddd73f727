"""Going back in a run's history.

The page shows the run through a `Rewound`, so that whatever is drawn or said of it goes back together.
"""

from threading import Lock

import streamlit as st

from bnviz.analysis.moments import as_of, kept_every, kept_steps
from bnviz.experiment.config import Experiment
from bnviz.records.frames import Frame
from bnviz.records.history import History, View
from bnviz.records.live import Moved, RewoundRun, Status
from bnviz.ui.components.scrubber import scrubber
from bnviz.ui.stylesheet import use_stylesheet


class Rewound:
    """A run as a page shows it: as it is now, or as it was at a kept step. Read by other threads."""

    def __init__(self, run: RewoundRun) -> None:
        self._lock = Lock()
        self.follow(run)

    def follow(self, run: RewoundRun) -> None:
        """The run to show from now on."""
        self.run = run
        self._history: History | None = None
        self._step: int | None = None
        self._known: tuple[View, View] | None = None  # a view and what is shown of it
        self._frames: dict[int, Frame] = {}  # one object a moment, so that a change of it means something

    @property
    def experiment(self) -> Experiment:
        return self.run.experiment

    @property
    def status(self) -> Status:
        return self.run.status

    @property
    def moved(self) -> Moved:
        return self.run.moved

    def refresh_every(self, seconds: float) -> None:
        """Say how far apart frames may be for whoever looks."""
        self.run.refresh_every(seconds)

    @property
    def step(self) -> int | None:
        """The step that is shown; None for now. A run that starts over is shown as it is now."""
        with self._lock:
            self._forget_another_history()
            return self._step

    def go(self, step: int | None) -> None:
        """Show the last kept moment that is not after `step`, or with None what is now."""
        kept = [known for known in kept_steps(self.run.view()) if step is not None and known <= step]
        with self._lock:
            self._forget_another_history()
            self._step = kept[-1] if kept else None
            self._known = None
        self.moved.ring()

    def view(self) -> View:
        whole = self.run.view()
        with self._lock:
            self._forget_another_history()
            if self._step is None:
                return whole
            if self._known is None or self._known[0].latest is not whole.latest:
                past = as_of(whole, self._step)
                if past.latest is not None:
                    same = self._frames.setdefault(self._step, past.latest)
                    past = View(past.experiment, past.variants, same, past.markers)
                self._known = whole, past
            return self._known[1]

    def _forget_another_history(self) -> None:
        if self.run.history is not self._history:
            self._history = self.run.history
            self._step, self._known, self._frames = None, None, {}


@st.cache_resource(scope="session", show_spinner=False)
def _rewound() -> list[Rewound]:
    return []


def rewound(run: RewoundRun) -> Rewound:
    """This session's view of a run; it outlives a visit to another page."""
    known = _rewound()
    if not known or known[0].run is not run:
        known[:] = [Rewound(run)]
    return known[0]


def history_slider(past: Rewound) -> None:
    """Place the slider that goes back and forth."""
    use_stylesheet(__file__)
    _slider(past)


@st.fragment
def _slider(past: Rewound) -> None:
    scrubber(kept_every(past.run.view()), past.step, past.go)

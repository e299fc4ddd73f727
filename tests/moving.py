"""Made-up runs whose distributions move: what tests of covariate shift are about."""

from concurrent.futures import Future
from typing import Any

import numpy as np

from bnviz.analysis import shift
from bnviz.engine.bell import Bell
from bnviz.experiment.config import Experiment
from bnviz.records.answers import GradientShift
from bnviz.records.frames import BINS, QUANTILES, Counts, LayerFrame, Summary
from bnviz.records.history import View
from bnviz.records.questions import ShiftOfGradients
from tests.builders import frame, layer_frame, twins, variant_frame, view_of

TWINS = twins(steps=1500)
LOW, HIGH = -10.0, 10.0


def counted(*found: tuple[int, int], broken: int = 0) -> Counts:
    """Counts, from (place among below, the bins and above; how many)."""
    counts = np.zeros(BINS + 3, dtype=np.int32)
    for place, count in found:
        counts[place] = count
    counts[-1] = broken
    return counts


def layer(place: int = 30, **changes: Any) -> LayerFrame:
    """A layer all of whose values lie in the middle of one bin."""
    names = ("pre_activation", "normalized", "batchnorm_output", "post_activation")
    counts = counted((place, 100))
    percentiles = np.array([[-1.0] * 10, [0.0] * 10, [1.0] * 10]) + place / 10
    x = float(shift.bin_centres(LOW, HIGH)[place])
    summary = Summary(x, 0.0, np.full(QUANTILES, x))
    kept = {"percentiles": percentiles, "summaries": dict.fromkeys(names, summary)} | changes
    return replace_layer(layer_frame(), histograms=dict.fromkeys(names, counts), **kept)


def replace_layer(found: LayerFrame, **changes: Any) -> LayerFrame:
    return LayerFrame(**{**vars(found), **changes})


def moving(*places: tuple[int, int], every: int = 100, experiment: Experiment = TWINS) -> View:
    """Kept frames of two networks, whose values lie in the given bins."""
    frames = []
    for k, pair in enumerate(places):
        losses = [1.0] * (every if k else 0)
        frames.append(frame(*(variant_frame(k * every, losses, layers=(layer(place),)) for place in pair)))
    return view_of(experiment, *frames)


def measurement(step: int, *differences: float, cosine: float = 0.9) -> GradientShift:
    """Of a network with as many layers after the first."""
    many = np.array([0.0, *differences])
    return GradientShift(step, np.ones(len(many)), many, np.full(len(many), cosine))


class StandIn:
    """A run that stands still, or plays, and answers at once or not at all."""

    def __init__(self, view: View, state: str = "paused", *, answers: bool = True) -> None:
        self.moved = Bell()
        self.history, self.experiment = object(), view.experiment
        self._view, self.state, self.answers, self.asked = view, state, answers, 0

    @property
    def status(self) -> Any:
        return type("Status", (), {"state": self.state})()

    def view(self) -> View:
        return self._view

    def inspect(self, question: ShiftOfGradients) -> "Future[list[GradientShift]]":
        self.asked += 1
        answer: Future[list[GradientShift]] = Future()
        if self.answers:
            assert self._view.latest is not None
            answer.set_result([measurement(v.step, 0.1) for v in self._view.latest.variants])
        else:
            answer.set_exception(ConnectionError("lost"))
        return answer

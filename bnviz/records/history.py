"""What a run has shown so far: bounded, appended to by one thread while others read."""

import re
import secrets
from dataclasses import dataclass, field, replace
from threading import Lock

import numpy as np

from bnviz.experiment.config import Experiment, Watch
from bnviz.experiment.edits import Edit
from bnviz.records.frames import Floats, Frame, VariantFrame

LOSS_POINTS = 2000  # of a loss curve; past that, neighbours are averaged and every point stands for twice the steps
KEPT_FRAMES = 210  # kept frames of a variant; past that, every second one goes
_NOTHING = np.empty(0)
_NUMBER = r" [-+.e\d]+$"  # the value that a marker's label ends with


def new_id() -> str:
    """Return an id for a run that is kept, which nobody can guess."""
    return secrets.token_urlsafe(16)


@dataclass(frozen=True)
class Marker:
    """A change that was made with the weights kept. at: for each variant that went on, its own step and seconds.

    normalized: for each whose normalizer was switched, what it had until then, as `Variant.normalized` says it.
    """

    label: str
    at: dict[int, tuple[int, float]]
    normalized: dict[int, bool | None] = field(default_factory=dict)


@dataclass(frozen=True)
class VariantHistory:
    """Curves and kept frames of one variant.

    losses: (points,) mean training loss of each `stride` steps; point k ends at step (k + 1) * stride and at
    seconds[k] of training. frames: the kept frames, without their losses. frame_seconds: one for each.
    """

    stride: int
    losses: Floats
    seconds: Floats
    frames: tuple[VariantFrame, ...]
    frame_seconds: tuple[float, ...]

    @property
    def steps(self) -> Floats:
        """(points,) the step at which each point of `losses` ends."""
        return np.arange(1, len(self.losses) + 1, dtype=np.float64) * self.stride


@dataclass(frozen=True)
class View:
    """A history at one moment, safe to keep. `experiment` is the one its frames come from."""

    experiment: Experiment
    variants: tuple[VariantHistory, ...]
    latest: Frame | None
    markers: tuple[Marker, ...]


@dataclass
class _Track:
    stride: int = 1
    losses: Floats = field(default_factory=lambda: _NOTHING)
    times: Floats = field(default_factory=lambda: _NOTHING)
    rest: Floats = field(default_factory=lambda: _NOTHING)  # losses that do not fill a point yet
    seconds: float = 0.0
    frames: list[VariantFrame] = field(default_factory=list)
    frame_seconds: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, known: VariantHistory) -> "_Track":
        track = cls(known.stride, known.losses, known.seconds)
        track.frames, track.frame_seconds = list(known.frames), list(known.frame_seconds)
        track.seconds = max([*known.seconds[-1:], *known.frame_seconds[-1:]], default=0.0)
        return track

    def extend(self, losses: Floats, seconds: float) -> None:
        """Append losses that took `seconds`. The points depend on the losses alone, not on how they were cut."""
        begin, end = self.seconds, self.seconds + seconds
        self.seconds = end
        self.rest = np.concatenate([self.rest, losses])
        new = len(self.rest) // self.stride
        stamps = np.linspace(begin, end, new + 1)[1:]
        while new:
            take = min(new, LOSS_POINTS - len(self.losses))
            points = self.rest[: take * self.stride].reshape(take, self.stride).mean(1)
            self.losses, self.rest = np.append(self.losses, points), self.rest[take * self.stride :]
            self.times, stamps = np.append(self.times, stamps[:take]), stamps[take:]
            if len(self.losses) == LOSS_POINTS:
                self.losses = self.losses.reshape(-1, 2).mean(1)
                self.times = self.times[1::2]
                self.stride *= 2
                stamps = stamps[1::2]
            new = len(self.rest) // self.stride

    def keep(self, frame: VariantFrame) -> None:
        if self.frames and frame.step <= self.frames[-1].step:
            return
        self.frames.append(replace(frame, losses=_NOTHING))
        self.frame_seconds.append(self.seconds)
        if len(self.frames) > KEPT_FRAMES:
            del self.frames[1::2], self.frame_seconds[1::2]

    def view(self) -> VariantHistory:
        return VariantHistory(self.stride, self.losses, self.times, tuple(self.frames), tuple(self.frame_seconds))


class History:
    """What one run has shown so far. watch: what it measures besides; then other frames are kept. kept_as: its id."""

    def __init__(self, experiment: Experiment, *, watch: Watch | None = None, kept_as: str = "") -> None:
        self.kept_as = kept_as or new_id()
        self._watch: Watch | None = watch
        self._lock = Lock()
        self._experiment = experiment
        self._tracks = [_Track() for _ in experiment.variants]
        self._latest: Frame | None = None
        self._markers: list[Marker] = []

    @classmethod
    def of(cls, view: View, *, watch: Watch | None = None) -> "History":
        """Return a history that has shown what a view holds, and goes on from there.

        A curve whose points stand for several steps each may lack the losses of its last, unfinished point.
        """
        history = cls(view.experiment, watch=watch)
        history._tracks = [_Track.of(variant) for variant in view.variants]
        history._latest, history._markers = view.latest, list(view.markers)
        return history

    def add(self, frame: Frame) -> None:
        """Append a frame: its losses, and itself if it is one to keep."""
        with self._lock:
            self._add(frame)

    def edit(self, edit: Edit, frame: Frame) -> None:
        """Take in a live change: restarted variants lose their curves, and a change with a label leaves a marker."""
        with self._lock:
            count = len(edit.experiment.variants)
            old, self._experiment = self._experiment, edit.experiment
            tracks = self._tracks + [_Track() for _ in range(count)]
            self._tracks = [_Track() if i in edit.restart else tracks[i] for i in range(count)]
            went_on = [i for i in range(count) if i not in edit.restart]
            kept = (replace(m, at={i: m.at[i] for i in went_on if i in m.at}) for m in self._markers)
            self._markers = [marker for marker in kept if marker.at]
            if edit.label:
                at = {i: (frame.variants[i].step, self._tracks[i].seconds) for i in went_on}
                had = {i: old.variants[i].normalized for i in went_on}
                has = {i: edit.experiment.variants[i].normalized for i in went_on}
                self._mark(edit.label, at, {i: had[i] for i in went_on if had[i] != has[i]})
            self._add(frame)

    def view(self) -> View:
        """Return all of it at this moment."""
        with self._lock:
            return View(self._experiment, tuple(t.view() for t in self._tracks), self._latest, tuple(self._markers))

    def _mark(self, label: str, at: dict[int, tuple[int, float]], normalized: dict[int, bool | None]) -> None:
        """Add a marker. A setting that is moved like a slider leaves only one, where it came to rest."""
        last = self._markers[-1] if self._markers else None
        near = self._experiment.training.steps / 20
        if (
            last
            and last.at.keys() == at.keys()
            and re.sub(_NUMBER, "", last.label) == re.sub(_NUMBER, "", label)
            and all(at[i][0] - last.at[i][0] <= near for i in at)
        ):
            self._markers.pop()
        self._markers.append(Marker(label, at, normalized))

    def _add(self, frame: Frame) -> None:
        keep_every = self._experiment.training.kept_every(self._watch)
        passed = frame.seconds - (self._latest.seconds if self._latest else 0.0)
        for track, variant in zip(self._tracks, frame.variants, strict=True):
            if len(variant.losses):
                track.extend(variant.losses, passed)
            if variant.step % keep_every == 0 or frame.finished or variant.diverged:
                track.keep(variant)
        self._latest = frame

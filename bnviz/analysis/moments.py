"""The moments of a run that are kept: which there are, which make snapshots, and the run as it was at one of them."""

import bisect
import math
from collections.abc import Sequence

import numpy as np

from bnviz.records.frames import Frame
from bnviz.records.history import View


def as_of(view: View, step: int) -> View:
    """Return the view as it was when its least advanced network had taken `step` steps: nothing later is in it."""
    variants = []
    for history in view.variants:
        count = bisect.bisect_right([frame.step for frame in history.frames], step)
        points = step // history.stride
        kept = history.frames[:count], history.frame_seconds[:count]
        variants.append(type(history)(history.stride, history.losses[:points], history.seconds[:points], *kept))
    markers = tuple(m for m in view.markers if all(at <= step for at, _ in m.at.values()))
    newest = tuple(history.frames[-1] for history in variants if history.frames)
    latest = None
    if view.latest is not None and len(newest) == len(variants):
        seconds = max(history.frame_seconds[-1] for history in variants)
        latest = Frame(step, step, seconds, False, newest)
    return View(view.experiment, tuple(variants), latest, markers)


def kept_steps(view: View) -> list[int]:
    """Return the steps at which a frame of some network was kept."""
    return sorted({frame.step for history in view.variants for frame in history.frames})


def kept_every(view: View) -> int:
    """Return the steps between two kept frames: those of the experiment, or more in a long history that was thinned."""
    first = kept_steps(view)[:2]
    own = view.experiment.training.keep_every
    return max(own, first[1] - first[0]) if len(first) == 2 else own


def snapshots(steps: Sequence[int], every: int) -> list[int]:
    """Return the places in `steps`, those of the kept frames, of a snapshot every so many steps, or the nearest kept.

    Raises ValueError, with the limit, if that would be more snapshots than are kept.
    """
    if not steps:
        return []
    wanted = range(steps[0], steps[-1] + 1, max(every, 1))
    if len(wanted) > len(steps):
        apart = math.ceil((steps[-1] - steps[0]) / (len(steps) - 1))
        raise ValueError(
            f"every {every:,} steps makes {len(wanted):,} snapshots, but {len(steps)} are kept: choose {apart:,} steps "
            "or more"
        )
    at = np.array(steps)
    return sorted({int(np.abs(at - step).argmin()) for step in wanted})

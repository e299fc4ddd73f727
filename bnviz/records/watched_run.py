"""A run of the user's own that is watched, or was: what is known of it beside its looks."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from bnviz.records.own_network import Floats, Network

State = Literal["training", "finished", "failed", "silent"]
MOST_POINTS = 2000  # of a loss curve; beyond them, neighbours become one


@dataclass(frozen=True)
class WatchedRun:
    """A watched run. network: None before the first look.

    state: "training"; "finished" or "failed" as it said at its end; "silent" if it ended without a word. started,
    heard: seconds since 1970 of its beginning and of its last sign of life. step: the last one that was told of.
    steps, losses: (n,), the curve of the loss, means of neighbouring steps. looks: the steps of those that are kept.
    problem: why it failed, or what it could not see, in words.
    """

    id: str
    name: str
    state: State
    started: float
    heard: float
    step: int
    network: Network | None
    steps: npt.NDArray[np.int64]
    losses: Floats
    looks: tuple[int, ...]
    problem: str = ""

"""Notes of a run or a sweep that is under way: what it takes to bring another one to where it is."""

from dataclasses import dataclass
from typing import Literal

from bnviz.experiment.sweep import Sweep
from bnviz.records.recipe import Recipe


@dataclass(frozen=True)
class RunNote:
    """A run after `tick` steps of its trainer. speed: steps a second, infinite for as fast as it goes. kept_as: its id
    among the runs that are kept. pins: number and id of those that are pinned beside it."""

    recipe: Recipe
    tick: int
    playing: bool
    speed: float
    kept_as: str
    pins: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class SweepNote:
    """A sweep; what it has found so far is remembered elsewhere, network by network."""

    sweep: Sweep
    state: Literal["running", "paused", "cancelled"]

"""A sweep: the same network with one or two settings varied over a grid, without and with batchnorm, over seeds.

Every network of a sweep is an `Experiment` of one variant, exactly what the live lab trains when it opens that cell.
Ranges, titles and help texts of an axis are those of the setting it varies (`bnviz.experiment.settings`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from itertools import pairwise, product
from typing import Any, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from bnviz.experiment.config import (
    BATCH_OF_ONE,
    STRICT,
    BatchNormConfig,
    CombinationError,
    Experiment,
    NetworkConfig,
    TrainingConfig,
    Variant,
    replace,
)
from bnviz.experiment.settings import MLP_ONLY, SHARED, VARIANT, Setting, Value, as_text, quoted

Compared = Literal["off", "on", "both"]
Scale = Literal["linear", "log"]

MAX_NETWORKS = 4096  # networks of one sweep
MAX_SEEDS = 10
AXES: dict[str, Setting] = {
    key: (SHARED | VARIANT)[key]
    for key in (
        "init_scale",
        "learning_rate",
        "batch_size",
        "hidden_layers",
        "width",
        "momentum",
        "init",
        "activation",
        "bn_momentum",
    )
}


@dataclass(frozen=True, config=STRICT)
class Axis:
    """One setting and the values that it takes: `count` of them from low to high, or those listed in `choices`.

    Whole numbers are rounded, and each is taken once.
    """

    key: str
    low: float | None = None
    high: float | None = None
    count: int | None = None
    scale: Scale = "linear"
    choices: tuple[Value, ...] = ()

    @model_validator(mode="after")
    def _is_sound(self) -> "Axis":
        if self.key not in AXES:
            raise ValueError(f"axis: {quoted(self.key)} is no setting to sweep over; give one of {', '.join(AXES)}")
        if self.choices and not (self.low is self.high is self.count is None):
            raise ValueError(f"{self.key}: give either choices, or low, high and count")
        if not self.choices:
            self._check_range()
        for value in self.values:
            self.setting.parse(as_text(value))
        if len(set(self.values)) < len(self.values):
            raise ValueError(f"{self.key}: every value may stand there once")
        if len(self.values) < 2:
            raise ValueError(f"{self.key}: an axis needs at least 2 different values, and this one has 1")
        return self

    def _check_range(self) -> None:
        if self.setting.low is None:
            raise ValueError(f"{self.key}: give choices, {self.setting.allowed}")
        if self.low is None or self.high is None or self.count is None:
            raise ValueError(f"{self.key}: give low, high and count, or choices")
        if not 2 <= self.count <= MAX_NETWORKS:
            raise ValueError(
                f"{self.key}.count: {self.count} is not allowed; give a whole number from 2 to {MAX_NETWORKS}"
            )
        if self.scale == "log" and self.low <= 0:
            raise ValueError(
                f"{self.key}: a log range cannot start at {self.low:g}, because only positive numbers have a "
                "logarithm; give a low above 0, or a linear range"
            )
        for end in (self.low, self.high):
            self.setting.parse(as_text(int(end) if isinstance(self.setting.default, int) else end))
        if not self.low < self.high:
            raise ValueError(f"{self.key}: low, {self.low:g}, must be less than high, {self.high:g}")

    @property
    def setting(self) -> Setting:
        return AXES[self.key]

    @cached_property
    def values(self) -> tuple[Value, ...]:
        if self.choices:
            number = isinstance(self.setting.default, float)
            return tuple(float(v) if number and type(v) is int else v for v in self.choices)
        assert self.low is not None
        assert self.high is not None
        assert self.count is not None
        shares = [k / (self.count - 1) for k in range(self.count)]
        if self.scale == "log":
            ratio = self.high / self.low
            found = [self.low * ratio**share for share in shares]
        else:
            found = [self.low + (self.high - self.low) * share for share in shares]
        if isinstance(self.setting.default, int):
            return tuple(dict.fromkeys(round(v) for v in found))
        rounded = [float(f"{v:.6g}") for v in found]  # that an address can hold, and a reader can repeat
        return (float(self.low), *rounded[1:-1], float(self.high))

    @property
    def labels(self) -> list[str]:
        """Values in full, choices by their names; each label is different from the others."""
        short = [f"{v:.6g}" if isinstance(v, float) else self.setting.name_of(v) for v in self.values]
        return short if len(set(short)) == len(short) else [str(v) for v in self.values]


def _default_axes() -> tuple[Axis, ...]:
    return (Axis("init_scale", 1e-3, 100.0, 20, "log"),)


@dataclass(frozen=True, config=STRICT)
class Sweep:
    """A grid of networks: one or two axes over a network and its training. options: of the networks with batchnorm.

    Two definitions of the same networks are equal: what an axis varies has its first value in the other fields, and
    options that no network has are the default ones.
    """

    axes: tuple[Axis, ...] = Field(default_factory=_default_axes)
    batchnorm: Compared = "both"
    seeds: int = Field(default=1, ge=1, le=MAX_SEEDS, title="Seeds")
    training: TrainingConfig = TrainingConfig()
    network: NetworkConfig = NetworkConfig()
    options: BatchNormConfig = BatchNormConfig()

    @model_validator(mode="after")
    def _is_sound(self) -> "Sweep":
        if not 1 <= len(self.axes) <= 2:
            raise ValueError("axes: give one or two axes")
        keys = [axis.key for axis in self.axes]
        if len(set(keys)) < len(keys):
            raise ValueError(f"axes: {keys[0]} stands there twice; give two different settings")
        if self.batchnorm == "off" and "bn_momentum" in keys:
            raise ValueError("bn_momentum: networks without batchnorm have none; choose batchnorm on or both")
        fixed = [key for key in keys if key in MLP_ONLY and self.network.architecture != "mlp"]
        if fixed:
            raise ValueError(f"{fixed[0]}: {self.network.architecture} has its own; choose architecture mlp")
        sizes = next((axis.values for axis in self.axes if axis.key == "batch_size"), (self.training.batch_size,))
        if self.batchnorm != "off" and 1 in sizes:
            raise CombinationError("batch_size", BATCH_OF_ONE)
        if self.count > MAX_NETWORKS:
            raise ValueError(f"This is a sweep of {self.count:,} networks; at most {MAX_NETWORKS:,} are allowed")
        if self.batchnorm == "off":
            object.__setattr__(self, "options", BatchNormConfig())
        for axis in self.axes:
            for name, config in _set(self._configs, axis.key, axis.values[0]).items():
                object.__setattr__(self, name, config)
        return self

    @property
    def normalized(self) -> tuple[bool, ...]:
        """The values of batchnorm that are swept: False, True, or both."""
        return {"off": (False,), "on": (True,), "both": (False, True)}[self.batchnorm]

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the grid along each axis, batchnorm and seeds, in the order in which results are laid out."""
        return (*(len(axis.values) for axis in self.axes), len(self.normalized), self.seeds)

    @property
    def count(self) -> int:
        """Number of networks that are trained."""
        return math.prod(self.shape)

    def experiment(self, place: Sequence[int], normalized: bool, seed: int = 0) -> Experiment:
        """Return the network at a place of the grid, an index for each axis; `seed` counts from the sweep's first."""
        found = self._configs
        for axis, index in zip(self.axes, place, strict=True):
            found |= _set(found, axis.key, axis.values[index])
        training = replace(found["training"], seed=(self.training.seed + seed) % 2**31)
        return Experiment(training, (Variant(found["network"], found["options"] if normalized else None),))

    def experiments(self) -> list[Experiment]:
        """Return every network, in the order of `shape`."""
        grid = product(*(range(len(axis.values)) for axis in self.axes))
        return [self.experiment(at, n, k) for at in grid for n in self.normalized for k in range(self.seeds)]

    def pair(self, place: Sequence[int]) -> Experiment:
        """Return the networks of one cell side by side, with the first seed, as the live lab shows them."""
        found = [self.experiment(place, n) for n in self.normalized]
        return Experiment(found[0].training, tuple(e.variants[0] for e in found))

    @property
    def base(self) -> Experiment:
        """The network and training that the axes vary, as an experiment of one variant."""
        options = None if self.batchnorm == "off" else self.options
        return Experiment(self.training, (Variant(self.network, options),))

    @property
    def rest(self) -> dict[str, Any]:
        """Training, network and options by name, with the default of what the axes vary."""
        found = self._configs
        for axis in self.axes:
            found |= _set(found, axis.key, axis.setting.default)
        return found

    @property
    def _configs(self) -> dict[str, Any]:
        return {"training": self.training, "network": self.network, "options": self.options}


def _set(configs: Mapping[str, Any], key: str, value: Value) -> dict[str, Any]:
    """Return the one config that holds the setting, by its name, with another value."""
    if key.startswith("bn_"):
        return {"options": replace(configs["options"], **{key.removeprefix("bn_"): value})}
    name = "training" if key in (f.name for f in fields(TrainingConfig)) else "network"
    return {name: replace(configs[name], **{key: value})}


def stacks(experiments: Sequence[Experiment], most: int, workers: int = 1) -> list[list[int]]:
    """Return the places of the networks that train as one stack: at most so many, of one architecture and batch size.

    They may differ in init, batchnorm, learning rate, momentum and seed. A group is cut into even parts, as many for
    each worker if that leaves them large enough.
    """
    groups: dict[Any, list[int]] = {}
    for index, experiment in enumerate(experiments):
        network = replace(experiment.variants[0].network, init="zeros", init_scale=1.0)
        training = replace(experiment.training, learning_rate=1.0, final_learning_rate=1.0, momentum=0.0, seed=0)
        groups.setdefault((network, training), []).append(index)
    found = []
    for group in groups.values():
        group.sort(key=lambda i: experiments[i].training.seed)  # networks of one seed share their batches
        count = math.ceil(len(group) / most)
        even = math.ceil(count / workers) * workers
        count = even if len(group) >= even * most / 2 else count
        ends = [round(k * len(group) / count) for k in range(count + 1)]
        found += [group[a:b] for a, b in pairwise(ends)]
    return found

"""A sweep: the same network with one or two settings varied over a grid, without and with batchnorm, over seeds.

One of them may be the normalizer, batchnorm among them; then there is nothing without and with it beside.

Every network of a sweep is an `Experiment` of one variant, exactly what the live lab trains when it opens that cell.
Ranges, titles and help texts of an axis are those of the setting it varies (`bnviz.experiment.settings`).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import pairwise, product
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from bnviz.experiment.config import (
    BATCH_OF_ONE,
    LETTERS,
    STRICT,
    BatchNormConfig,
    CombinationError,
    Experiment,
    NetworkConfig,
    TrainingConfig,
    Variant,
    replace,
)
from bnviz.experiment.normalizers import MOST_GROUPS, NormalizerConfig
from bnviz.experiment.settings import (
    MLP_ONLY,
    NONE,
    NORMALIZER,
    Value,
    combination,
)
from bnviz.experiment.sweep_axes import AXES, BATCH, MAX_NETWORKS, Axis

Compared = Literal["off", "on", "both"]

MAX_SEEDS = 10


def _default_axes() -> tuple[Axis, ...]:
    return (Axis("init_scale", 1e-3, 100.0, 20, "log"),)


@dataclass(frozen=True, config=STRICT)
class Sweep:
    """A grid of networks: one or two axes over a network and its training. options: of the networks with batchnorm.
    groups: of those with group norm, on an axis of normalizers.

    Two definitions of the same networks are equal: what an axis varies has its first value in the other fields, and
    options that no network has are the default ones; with an axis of normalizers batchnorm is "off".
    """

    axes: tuple[Axis, ...] = Field(default_factory=_default_axes)
    batchnorm: Compared = "both"
    seeds: int = Field(default=1, ge=1, le=MAX_SEEDS, title="Seeds")
    training: TrainingConfig = TrainingConfig()
    network: NetworkConfig = NetworkConfig()
    options: BatchNormConfig = BatchNormConfig()
    groups: int = Field(default=2, ge=1, le=MOST_GROUPS, title="Groups")

    @model_validator(mode="after")
    def _is_sound(self) -> "Sweep":
        if not 1 <= len(self.axes) <= 2:
            raise ValueError("axes: give one or two axes")
        keys = [axis.key for axis in self.axes]
        if len(set(keys)) < len(keys):
            raise ValueError(f"axes: {keys[0]} stands there twice; give two different settings")
        if self.kinds:
            object.__setattr__(self, "batchnorm", "off")
        if "group" not in self.kinds:
            object.__setattr__(self, "groups", 2)
        if not self.has_batchnorm and "bn_momentum" in keys:
            raise ValueError("bn_momentum: networks without batchnorm have none; choose batchnorm on or both")
        fixed = [key for key in keys if key in MLP_ONLY and self.network.architecture != "mlp"]
        if fixed:
            raise ValueError(f"{fixed[0]}: {self.network.architecture} has its own; choose architecture mlp")
        sizes = next((axis.values for axis in self.axes if axis.key == "batch_size"), (self.training.batch_size,))
        if self.has_batchnorm and 1 in sizes:
            raise CombinationError("batch_size", BATCH_OF_ONE)
        if self.count > MAX_NETWORKS:
            raise ValueError(f"This is a sweep of {self.count:,} networks; at most {MAX_NETWORKS:,} are allowed")
        if not self.has_batchnorm:
            object.__setattr__(self, "options", BatchNormConfig())
        for axis in self.axes:
            for name, config in _set(self._configs, axis.key, axis.values[0]).items():
                object.__setattr__(self, name, config)
        for at in self._places() if self.kinds else ():
            try:
                self.experiment(at, False)
            except ValidationError as error:  # a normalizer does not fit the network
                raise combination(error) from error
        return self

    @property
    def kinds(self) -> tuple[str, ...]:
        """The normalizers on an axis, as it names them; none if there is no such axis."""
        return next((tuple(map(str, axis.values)) for axis in self.axes if axis.key == NORMALIZER.key), ())

    @property
    def place_of_kinds(self) -> int:
        """The place of the axis of normalizers, which there must be, among the axes."""
        return [axis.key for axis in self.axes].index(NORMALIZER.key)

    @property
    def other_axis(self) -> Axis | None:
        """The axis beside that of normalizers."""
        return next((axis for axis in self.axes if axis.key != NORMALIZER.key), None)

    @property
    def has_batchnorm(self) -> bool:
        return self.batchnorm != "off" or BATCH in self.kinds

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
        at = zip(self.axes, place, strict=True)
        kind: Any = next((axis.values[index] for axis, index in at if axis.key == NORMALIZER.key), NONE)
        batchnorm = found["options"] if normalized or kind == BATCH else None
        other = None if kind in (NONE, BATCH) else NormalizerConfig(kind, self.groups)
        return Experiment(training, (Variant(found["network"], batchnorm, other),))

    def _places(self) -> Iterator[tuple[int, ...]]:
        return product(*(range(len(axis.values)) for axis in self.axes))

    def experiments(self) -> list[Experiment]:
        """Return every network, in the order of `shape`."""
        return [self.experiment(at, n, k) for at in self._places() for n in self.normalized for k in range(self.seeds)]

    def pair(self, place: Sequence[int]) -> Experiment:
        """Return the networks of one cell side by side, with the first seed, as the live lab shows them: without and
        with batchnorm, or with the first normalizers of their axis."""
        found = [self.experiment(place, n) for n in self.normalized]
        if self.kinds:
            at = zip(self.axes, place, strict=True)
            beside = [range(len(axis.values)) if axis.key == NORMALIZER.key else [index] for axis, index in at]
            found = [self.experiment(at, False) for at in product(*beside)][: len(LETTERS)]
        return Experiment(found[0].training, tuple(e.variants[0] for e in found))

    @property
    def base(self) -> Experiment:
        """The network and training that the axes vary, as an experiment of one variant."""
        options = self.options if self.has_batchnorm else None
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
    """Return the one config that holds the setting, by its name, with another value; none for a normalizer."""
    if key == NORMALIZER.key:
        return {}
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


__all__ = ["AXES", "BATCH", "MAX_NETWORKS", "MAX_SEEDS", "Axis", "Compared", "Sweep", "stacks"]

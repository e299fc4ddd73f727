"""One setting of a sweep, and the values that it takes."""

from functools import cached_property
from typing import Literal

from pydantic import model_validator
from pydantic.dataclasses import dataclass

from bnviz.experiment.normalizers import STRICT
from bnviz.experiment.settings import NONE, NORMALIZER, SHARED, VARIANT, Setting, Value, as_text, quoted

Scale = Literal["linear", "log"]

MAX_NETWORKS = 4096  # networks of one sweep
BATCH = "batch"  # batchnorm, as a value of the axis of normalizers
_NORMALIZERS = Setting(
    NORMALIZER.key,
    "Normalizer",
    "Batchnorm, another normalizer in its place, or none.",
    NONE,
    choices=(NONE, BATCH, *NORMALIZER.choices[1:]),
    names=("no normalizer", "batchnorm", *NORMALIZER.names[1:]),
)
AXES: dict[str, Setting] = {
    key: (SHARED | VARIANT | {NORMALIZER.key: _NORMALIZERS})[key]
    for key in (
        "init_scale",
        "learning_rate",
        "batch_size",
        "hidden_layers",
        "width",
        "momentum",
        "init",
        "activation",
        "normalizer",
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

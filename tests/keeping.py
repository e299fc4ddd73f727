"""Runs to keep, made up in no time: every kind of number in every place where a run may have it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bnviz.experiment.config import Experiment, NetworkConfig, TrainingConfig, Variant, Watch
from bnviz.experiment.edits import Edit
from bnviz.records.frames import (
    BATCH_SIZES,
    BINS,
    MAGNIFICATIONS,
    PLACES,
    QUANTILES,
    STEP_LENGTHS,
    CloseUp,
    Frame,
    InferenceFrame,
    LayerFrame,
    Smoothness,
    Statistics,
    Summary,
    VariantFrame,
)
from bnviz.records.history import Marker, VariantHistory, View
from bnviz.records.kept_run import KeptRun
from bnviz.records.recipe import Recipe
from tests.builders import twins

SMALL = twins(NetworkConfig(width=4), steps=30)


class MadeUp:
    """Numbers of a run from a seed; among floats those that are easily lost: NaN with its bits, infinities, -0."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def floats(self, *shape: int, dtype: str = "float32") -> npt.NDArray[np.floating]:
        odd = np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0, 5e-324, 1e-45], dtype)
        odd[:1].view(np.uint8)[0] ^= 7  # another NaN
        values = self.random.normal(size=shape).astype(dtype)
        return np.where(self.random.random(shape) < 0.1, self.random.choice(odd, shape), values)

    def number(self) -> float:
        return float(self.floats(dtype="float64"))

    def share(self, *shape: int) -> npt.NDArray[np.floating]:
        return (self.random.integers(0, 257, shape) / 256).astype(np.float32)

    def often(self) -> bool:
        return bool(self.random.random() < 0.7)

    def layer(self, units: int) -> LayerFrame:
        places = [str(place) for place in self.random.permutation(PLACES)[: self.random.integers(0, 5)]]
        close = [place for place in places if self.often()]
        return LayerFrame(
            self.floats(units),
            self.share(units),
            int(self.random.integers(0, units + 1)),
            int(self.random.integers(0, units + 1)),
            {place: self.random.integers(0, 2**15, BINS + 3).astype(np.int32) for place in places},
            self.floats(3, units) if self.often() else None,
            {place: Summary(self.number(), self.number(), self.floats(QUANTILES)) for place in places}
            if self.often()
            else None,
            {
                place: CloseUp(
                    int(self.random.choice(MAGNIFICATIONS)), self.random.integers(0, 99, BINS).astype(np.int32)
                )
                for place in close
            },
        )

    def frame(self, variant: Variant, step: int, losses: int = 0) -> VariantFrame:
        layers = variant.network.layers
        return VariantFrame(
            step,
            self.floats(losses, dtype="float64"),
            self.number(),
            self.number(),
            float(self.random.random()),
            tuple(self.layer(layer.units) for layer in layers[:-1]),
            self.floats(len(layers), dtype="float64"),
            self.floats(len(layers), dtype="float64"),
            self.often(),
            InferenceFrame(
                {mode: self.number() for mode in ("eval", "population", *map(str, BATCH_SIZES))},
                tuple(Statistics(*(self.floats(layer.units) for _ in range(6))) for layer in layers[:-1]),
            )
            if self.often()
            else None,
            Smoothness(
                0.1,
                self.number(),
                self.number(),
                self.floats(len(STEP_LENGTHS)),
                self.floats(len(STEP_LENGTHS)),
                self.floats(len(layers)),
                self.number(),
            )
            if self.often()
            else None,
            int(self.random.integers(0, step + 1)) if self.often() else None,
            self.often(),
        )

    def view(self, experiment: Experiment, frames: int, points: int) -> View:
        markers = [
            Marker(f"learning rate {k}", dict.fromkeys(range(len(experiment.variants)), (k, k / 3)), {0: self.often()})
            for k in range(2)
        ]
        return View(
            experiment,
            tuple(
                VariantHistory(
                    2,
                    self.floats(points, dtype="float64"),
                    np.sort(self.random.random(points)),
                    tuple(self.frame(variant, 3 * k) for k in range(frames)),
                    tuple(k / 7 for k in range(frames)),
                )
                for variant in experiment.variants
            ),
            Frame(40, 30, 1 / 3, True, tuple(self.frame(variant, 30, 5) for variant in experiment.variants)),
            tuple(markers),
        )


def made_up_run(
    experiment: Experiment = SMALL,
    *,
    seed: int = 0,
    frames: int = 2,
    points: int = 10,
    edits: Sequence[tuple[int, Edit]] = (),
    watch: Watch | None = None,
) -> KeptRun:
    """A run that began with the experiment; its view is that of the last edit's."""
    now = edits[-1][1].experiment if edits else experiment
    view = MadeUp(seed).view(now, frames, points)
    recipe = Recipe(experiment, watch, tuple(edits))
    return KeptRun(recipe, "0.1.0", view, ("Both networks learn.",))


def with_steps(steps: int) -> Experiment:
    """The small experiment with another number of steps: cheap to tell from others."""
    return Experiment(TrainingConfig(steps=steps), SMALL.variants)

"""What several tests build from: every experiment there is (a hypothesis strategy), made-up frames, short runs."""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from bnviz.experiment.config import (
    LETTERS,
    BatchNormConfig,
    Experiment,
    NetworkConfig,
    NormalizerConfig,
    TrainingConfig,
    ValidationError,
    Variant,
    Watch,
)
from bnviz.experiment.edits import Edit, plan
from bnviz.experiment.scenario import Scenario
from bnviz.experiment.settings import FIELDS, SHARED, VARIANT, Setting, Value
from bnviz.records.frames import BINS, PLACES, QUANTILES, Frame, LayerFrame, Summary, VariantFrame
from bnviz.records.history import History, View
from bnviz.records.reproduction import Chart, Claim, Line, Result, Results, Table
from bnviz.theory.activations import ACTIVATION_FUNCTIONS

if TYPE_CHECKING:
    from torch import nn

    from bnviz.training.batches import Batches
    from bnviz.training.trainer import Trainer

K = TypeVar("K")
V = TypeVar("V")


def row_of(table: Mapping[K, V], key: K, name: str) -> V:
    """What a table says of a key; who has forgotten a row hears in which table."""
    assert key in table, f"{name} has no row for {key!r}"
    return table[key]


def rows_missing(tables: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """The keys that a table lacks and another has, by the table's name; empty if all have the same."""
    known = {name: set(table) for name, table in tables.items()}
    lacking = {name: set().union(*known.values()) - keys for name, keys in known.items()}
    return {name: keys for name, keys in lacking.items() if keys}


# -- activations ----------------------------------------------------------------------------------------------------


def torchs_activation(name: str) -> "nn.Module":
    """PyTorch's own layer, made as an exported script makes it."""
    from torch import nn

    made = eval(row_of(ACTIVATION_FUNCTIONS, name, "ACTIVATION_FUNCTIONS").module, {"nn": nn})
    assert isinstance(made, nn.Module)
    return made


# -- experiments ----------------------------------------------------------------------------------------------------


def values_of(setting: Setting) -> st.SearchStrategy[Value]:
    """Every value a setting may have."""
    if isinstance(setting.default, bool):
        return st.booleans()
    if setting.choices:
        return st.sampled_from(setting.choices)
    assert setting.low is not None
    assert setting.high is not None
    if isinstance(setting.default, int):
        return st.integers(int(setting.low), int(setting.high))
    return st.floats(setting.low, setting.high)


def _configs(config: Callable[..., Any], table: Mapping[str, Setting], prefix: str = "") -> st.SearchStrategy[Any]:
    names = [f.name for f in fields(config)]  # type: ignore[arg-type]
    return st.builds(config, **{name: values_of(table[prefix + name]) for name in names})


batchnorms: st.SearchStrategy[BatchNormConfig] = _configs(BatchNormConfig, VARIANT, "bn_")
networks: st.SearchStrategy[NetworkConfig] = _configs(NetworkConfig, SHARED | VARIANT)
trainings: st.SearchStrategy[TrainingConfig] = _configs(TrainingConfig, SHARED)
normalizers: st.SearchStrategy[NormalizerConfig] = st.builds(
    NormalizerConfig,
    **{name: values_of(setting) for name, setting in FIELDS["normalizer"].items()},
)


def _fitting(network: NetworkConfig, norm: NormalizerConfig) -> Variant:
    """The network with the normalizer, or with layer norm if it does not fit, or with nothing."""
    for each in (norm, replace(norm, kind="layer"), None):
        try:
            return Variant(network, None, each)
        except ValidationError:
            continue
    raise AssertionError("a network without a normalizer is always allowed")


variants: st.SearchStrategy[Variant] = st.builds(Variant, networks, st.none() | batchnorms) | st.builds(
    _fitting, networks, normalizers
)


def _trainable(training: TrainingConfig, found: Sequence[Variant]) -> bool:
    return training.batch_size > 1 or not any(v.batchnorm for v in found)


experiments: st.SearchStrategy[Experiment] = (
    st.tuples(trainings, st.lists(variants, min_size=1, max_size=len(LETTERS)).map(tuple))
    .filter(lambda parts: _trainable(*parts))
    .map(lambda parts: Experiment(*parts))
)


def twins(network: NetworkConfig | None = None, **training: Any) -> Experiment:
    """The same network without and with batchnorm."""
    network = network or NetworkConfig(width=12)
    return Experiment(TrainingConfig(**training), (Variant(network), Variant(network, BatchNormConfig())))


# -- made-up frames -------------------------------------------------------------------------------------------------


def layer_frame(
    units: int = 10, *, saturated: float = 0.0, mean: float = 0.0, dead: int = 0, places: Sequence[str] = PLACES
) -> LayerFrame:
    counts = np.zeros(BINS + 3, dtype=np.int32)
    counts[BINS // 2] = 256 * units
    return LayerFrame(
        mean=np.full(units, mean, dtype=np.float32),
        saturated=np.full(units, saturated, dtype=np.float32),
        dead=dead,
        always_saturated=0,
        histograms={place: counts.copy() for place in places},
        summaries={place: Summary(0.0, 0.0, np.zeros(QUANTILES)) for place in places},
    )


def variant_frame(step: int = 0, losses: npt.ArrayLike = (), **changes: Any) -> VariantFrame:
    """A calm network: nothing saturated or dead, the same gradient in every layer."""
    layers = changes.pop("layers", (layer_frame(),))
    calm: dict[str, Any] = {
        "next_loss": 1.0,
        "test_loss": 1.0,
        "test_accuracy": 0.6,
        "gradient_norm": np.full(len(layers) + 1, 0.1),
        "update_ratio": np.full(len(layers) + 1, -3.0),
    }
    return VariantFrame(step=step, losses=np.array(losses, dtype=np.float64), layers=layers, **calm | changes)


def frame(*found: VariantFrame, seconds: float = 0.0, finished: bool = False, tick: int | None = None) -> Frame:
    step = min(v.step for v in found)
    return Frame(step if tick is None else tick, step, seconds, finished, found)


def view_of(experiment: Experiment, *frames: Frame) -> View:
    history = History(experiment)
    for found in frames:
        history.add(found)
    return history.view()


# -- real, short runs -----------------------------------------------------------------------------------------------


def trainer_of(experiment: Experiment, batches: "Batches") -> "Trainer":
    from bnviz.training.trainer import Trainer

    return Trainer(experiment.training, experiment.variants, batches)


def frames_of(
    experiment: Experiment, batches: "Batches", *, at_most: int | None = None, edits: Mapping[int, Edit] | None = None
) -> list[Frame]:
    """Every frame of a run that is advanced `at_most` steps at a time and edited at the given ticks."""
    trainer, edits = trainer_of(experiment, batches), dict(edits or {})
    found = [trainer.advance(steps=0)]
    while not trainer.finished:
        if trainer.tick in edits:
            found.append(trainer.edit(edits.pop(trainer.tick)))
            continue
        until = min((tick for tick in edits), default=None)
        steps = [n for n in (at_most, until - trainer.tick if until is not None else None) if n is not None]
        found.append(trainer.advance(steps=min(steps, default=None)))
    return found


def rehearsed(scenario: Scenario, batches: "Batches", *, watch: Watch | None = None) -> tuple["Trainer", History]:
    """A scenario trained to its end, with its changes made, and the history that a run of it would have."""
    from bnviz.training.trainer import Trainer

    now = scenario.experiment
    trainer = Trainer(now.training, now.variants, batches, watch=watch)
    history, due = History(now, watch=watch), list(scenario.changes)
    frame = trainer.advance(steps=0)
    history.add(frame)
    while not trainer.finished:
        if due and frame.step == due[0].step:
            edit = plan(now, due[0].experiment, keep_weights=True)
            assert edit is not None
            now = due.pop(0).experiment
            frame = trainer.edit(edit)
            history.edit(edit, frame)
        frame = trainer.advance(steps=due[0].step - frame.step if due else None)
        history.add(frame)
    return trainer, history


def losses_of(frames: Sequence[Frame], index: int) -> np.ndarray:
    """All training losses of one variant that the frames tell of, in their order."""
    return np.concatenate([f.variants[index].losses for f in frames])


def history_of(experiment: Experiment, frames: Sequence[Frame]) -> History:
    history = History(experiment)
    for found in frames:
        history.add(found)
    return history


# -- figures --------------------------------------------------------------------------------------------------------


def numbers(spec: Mapping[str, str]) -> npt.NDArray[Any]:
    """The numbers of a figure, which travel as bytes in base64."""
    found = np.frombuffer(base64.b64decode(spec["bdata"]), np.dtype(spec["dtype"]))
    return found.reshape([int(n) for n in spec["shape"].split(",")]) if "shape" in spec else found


# -- reproduction ---------------------------------------------------------------------------------------------------

MADE_UP_CHART = Chart(
    "Accuracy", "rate", "accuracy (%)", (Line("with batchnorm", (0.1, 1.0), (90.0, None), True),), log_x=True
)
MADE_UP_RESULTS = Results(
    "MNIST",
    1,
    True,
    0.6,
    (
        Result(
            "rates",
            "High rates",
            "A setting.",
            (
                Claim("It helps", "A paper, figure 1", "3 with, 1 without", True, "3 times"),
                Claim("Not", "B", "0", False, "-1"),
                Claim("Perhaps", "C", "2 ± 1 against 1 ± 1", None, "+1"),
            ),
            {"learning_rate": "1"},
            Table(("rate", "accuracy"), (("1", "90 %"),)),
            (MADE_UP_CHART,),
        ),
    ),
)

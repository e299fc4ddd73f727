"""One flat table of settings, read from the fields of `bnviz.experiment.config`: key, title, help, range, choices.

The same keys name the controls, the parameters of the address bar and the options of the command line:
`hidden_layers=5&b_batchnorm=off`. Shared settings have bare keys, a variant's own start with its letter. The
architecture is variant A's; another variant's key, `b_width=64`, makes it differ.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, get_args

import annotated_types
from pydantic.fields import FieldInfo

from bnviz.experiment.choices import USUAL_RATES, ChoiceNames
from bnviz.experiment.config import (
    LETTERS,
    USUAL_ACTIVATION,
    BatchNormConfig,
    CombinationError,
    Experiment,
    NetworkConfig,
    NormalizerConfig,
    TrainingConfig,
    ValidationError,
    Variant,
)
from bnviz.experiment.normalizers import OPTIONS

Value = bool | int | float | str

ARCHITECTURE = ("architecture", "hidden_layers", "width", "activation")
MLP_ONLY = ("hidden_layers", "width")
_SHOWN = 60  # characters of a refused value that a message repeats


@dataclass(frozen=True)
class Setting:
    """One knob.

    low, high: its range; None for a switch, or if `choices` lists the values. names: of the choices, in their order,
    as the screen has them; addresses, files and the command line have the choices themselves.
    """

    key: str
    title: str
    help: str
    default: Value
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def name_of(self, value: Value) -> str:
        """Return what a value of this setting is called on the screen: 'Xavier normal', 'on', '0.01'."""
        if isinstance(value, float):
            return f"{value:g}"
        return dict(zip(self.choices, self.names, strict=True)).get(str(value), as_text(value))

    @property
    def allowed(self) -> str:
        """The values that may be given, in words: 'on or off', 'a whole number from 1 to 20'."""
        if isinstance(self.default, bool):
            return "on or off"
        if self.choices:
            return "one of " + ", ".join(self.choices)
        kind = "a whole number" if isinstance(self.default, int) else "a number"
        return f"{kind} from {self.low:.12g} to {self.high:.12g}"

    def parse(self, text: str) -> Value:
        """Return the value that a text stands for. Raises ValueError, which names the setting and what is allowed."""
        if isinstance(self.default, bool):
            if text in ("on", "off"):
                return text == "on"
        elif self.choices:
            if text in self.choices:
                return text
        elif isinstance(self.default, int):
            if re.fullmatch(r"-?[0-9]{1,12}", text) and self._within(int(text)):
                return int(text)
        elif re.fullmatch(r"[-+0-9.eE]{1,24}", text):
            try:
                number = float(text)
            except ValueError:
                number = math.nan
            if self._within(number):
                return number
        raise ValueError(f"{self.key}: {quoted(text)} is not allowed; give {self.allowed}")

    def _within(self, number: float) -> bool:
        return self.low is not None and self.high is not None and self.low <= number <= self.high


def quoted(text: object) -> str:
    """Return a stranger's text made safe to repeat in a message: short, in one line, without markup."""
    line = re.sub(r"[^\w .,;+\-/%()=']|(?<=www)\.", "·", str(text), flags=re.IGNORECASE)
    return f"'{line[:_SHOWN]}…'" if len(line) > _SHOWN else f"'{line}'"


def _fields(config: type, prefix: str = "") -> dict[str, Setting]:
    known: dict[str, FieldInfo] = config.__pydantic_fields__  # type: ignore[attr-defined]  # pydantic's own table
    return {name: _setting(prefix + name, info) for name, info in known.items()}


def _setting(key: str, info: FieldInfo) -> Setting:
    low = next((m.ge for m in info.metadata if isinstance(m, annotated_types.Ge)), None)
    high = next((m.le for m in info.metadata if isinstance(m, annotated_types.Le)), None)
    choices = get_args(info.annotation) if isinstance(info.default, str) else ()
    called = next((m.names for m in info.metadata if isinstance(m, ChoiceNames)), {})
    names = tuple(called.get(choice, choice) for choice in choices)
    return Setting(key, info.title or key, info.description or "", info.default, low, high, choices, names)  # type: ignore[arg-type]


# By the names that parts of an experiment and their fields have in a JSON document.
FIELDS: dict[str, dict[str, Setting]] = {
    "training": _fields(TrainingConfig),
    "network": _fields(NetworkConfig),
    "batchnorm": _fields(BatchNormConfig, "bn_"),
    "normalizer": _fields(NormalizerConfig, "norm_"),
}
NONE = "none"  # no other normalizer
_KIND = FIELDS["normalizer"]["kind"]
NORMALIZER = replace(
    _KIND, key="normalizer", default=NONE, choices=(NONE, *_KIND.choices), names=("nothing", *_KIND.names)
)
SHARED: dict[str, Setting] = {k: FIELDS["network"][k] for k in ARCHITECTURE} | FIELDS["training"]
VARIANT: dict[str, Setting] = {
    "batchnorm": Setting("batchnorm", "Batchnorm", "Normalize each hidden layer over the batch.", False),
    **{k: s for k, s in FIELDS["network"].items() if k not in ARCHITECTURE},
    **{s.key: s for s in FIELDS["batchnorm"].values()},
    NORMALIZER.key: NORMALIZER,
    **{s.key: s for s in FIELDS["normalizer"].values() if s is not _KIND},
}
COUNT = Setting("variants", "Networks", "How many networks train side by side on the same batches.", 2, 1, len(LETTERS))


def table(letters: str = LETTERS) -> dict[str, Setting]:
    """Return every setting under its full key; a variant's are `a_init`, `b_batchnorm` …"""
    own = {
        f"{letter.lower()}_{k}": replace(s, key=f"{letter.lower()}_{k}")
        for letter in letters
        for k, s in (VARIANT | ({k: SHARED[k] for k in ARCHITECTURE} if letter != "A" else {})).items()
    }
    own |= {"b_batchnorm": replace(own["b_batchnorm"], default=True)} if "b_batchnorm" in own else {}
    return {COUNT.key: COUNT} | SHARED | own


def usual_values(values: Mapping[str, Value]) -> dict[str, Value]:
    """Return the default of every setting, as the architecture and the optimizer among these values have it."""
    found = {k: s.default for k, s in table().items()}
    for key in ("architecture", "optimizer"):
        found |= brought_along(key, values.get(key, found[key]))
    return found


def brought_along(key: str, value: Value) -> dict[str, Value]:
    """Return what a change of one setting sets besides: an architecture comes with its usual activation, an optimizer
    with its usual rates, and of batchnorm and another normalizer the one that is chosen puts the other away."""
    prefix, _, name = f"_{key}".rpartition("_")
    prefix = f"{prefix}_".removeprefix("_")
    if name == "architecture":
        return {f"{prefix}activation": USUAL_ACTIVATION[str(value)]}
    if name == "optimizer":
        return dict(zip(("learning_rate", "final_learning_rate", "momentum"), USUAL_RATES[str(value)], strict=True))
    if name == "batchnorm" and value:
        return {f"{prefix}normalizer": NONE}
    if name == "normalizer" and value != NONE:
        return {f"{prefix}batchnorm": False}
    return {}


def flatten(experiment: Experiment) -> dict[str, Value]:
    """Return every setting of an experiment; those of a variant's architecture only if they differ from A's."""
    values: dict[str, Value] = {COUNT.key: len(experiment.variants)}
    shared = experiment.variants[0].network
    values |= {k: getattr(shared, k) for k in ARCHITECTURE}
    values |= {f.name: getattr(experiment.training, f.name) for f in fields(TrainingConfig)}
    for letter, variant in zip(experiment.letters.lower(), experiment.variants, strict=True):
        net, bn = variant.network, variant.batchnorm
        values |= {f"{letter}_init": net.init, f"{letter}_init_scale": net.init_scale, f"{letter}_batchnorm": bool(bn)}
        own = {k for k in ARCHITECTURE if getattr(net, k) != getattr(shared, k)}
        own |= {"activation"} if "architecture" in own else set()  # which would bring another along
        values |= {f"{letter}_{k}": getattr(net, k) for k in ARCHITECTURE if k in own}
        values |= {f"{letter}_bn_{f.name}": getattr(bn, f.name) for f in fields(BatchNormConfig)} if bn else {}
        if norm := variant.normalizer:
            values[f"{letter}_normalizer"] = norm.kind
            values |= {f"{letter}_{FIELDS['normalizer'][name].key}": getattr(norm, name) for name in OPTIONS[norm.kind]}
    return values


def unflatten(values: Mapping[str, Value]) -> Experiment:
    """Return the experiment of a flat table; what is missing has its default.

    Raises CombinationError for a combination that cannot be trained, by the key in the table.
    """
    full = usual_values(values) | dict(values)

    def variant(letter: str) -> Variant:
        own = {k: values.get(f"{letter}_{k}", full[k]) for k in ARCHITECTURE}
        if (key := f"{letter}_architecture") in values and f"{letter}_activation" not in values:
            own["activation"] = brought_along(key, values[key])[f"{letter}_activation"]
        network = NetworkConfig(
            **own,  # type: ignore[arg-type]
            init=full[f"{letter}_init"],  # type: ignore[arg-type]
            init_scale=full[f"{letter}_init_scale"],  # type: ignore[arg-type]
        )
        settings: dict[str, Any] = {f.name: full[f"{letter}_bn_{f.name}"] for f in fields(BatchNormConfig)}
        kind: Any = full[f"{letter}_normalizer"]
        options: dict[str, Any] = {n: full[f"{letter}_{FIELDS['normalizer'][n].key}"] for n in OPTIONS.get(kind, ())}
        normalized = values.get(f"{letter}_batchnorm", full[f"{letter}_batchnorm"] and kind == NONE)
        batchnorm = BatchNormConfig(**settings) if normalized else None
        normalizer = NormalizerConfig(kind, **options) if kind != NONE else None
        try:
            return Variant(network, batchnorm, normalizer)
        except ValidationError as error:
            raise combination(error, letter) from error

    training: dict[str, Any] = {f.name: full[f.name] for f in fields(TrainingConfig)}
    letters = LETTERS[: int(full[COUNT.key])].lower()
    variants = tuple(variant(letter) for letter in letters)
    try:
        return Experiment(TrainingConfig(**training), variants)
    except ValidationError as error:
        raise combination(error) from error


def mended(values: Mapping[str, Value]) -> tuple[Experiment, list[CombinationError]]:
    """Return the experiment of a flat table, and the combinations that were refused: in it, batches have two digits
    where one was too few, and networks do without the normalizer that does not fit them."""
    found, problems = dict(values), list[CombinationError]()
    while True:
        try:
            return unflatten(found), problems
        except CombinationError as error:
            problems.append(error)
            key = mended_by(error)
            found[key] = 2 if key == "batch_size" else NONE


def mended_by(error: CombinationError) -> str:
    """Return the setting whose default ends a refused combination: there may be no groups that fit."""
    letter, found, _ = error.key.partition("_norm_")
    return f"{letter}_{NORMALIZER.key}" if found else error.key


def combination(error: ValidationError, letter: str = "") -> ValueError:
    """Return the combination that was refused, its key with the variant's letter; any other error as it is."""
    found = error.errors()[0].get("ctx", {}).get("error")
    if not isinstance(found, CombinationError):
        return error
    return CombinationError(f"{letter}_{found.key}" if letter else found.key, found.why)


def as_text(value: Value) -> str:
    """Return a value as addresses, files and the command line have it; `Setting.parse` reads it back."""
    return (
        ("on" if value else "off")
        if isinstance(value, bool)
        else repr(value).removesuffix(".0")
        if isinstance(value, float)
        else str(value)
    )

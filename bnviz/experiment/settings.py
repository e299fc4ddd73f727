"""One flat table of settings, read from the fields of `bnviz.experiment.config`: key, title, help, range, choices.

The same keys name the controls, the parameters of the address bar and the options of the command line:
`hidden_layers=5&b_batchnorm=off`. Shared settings have bare keys, a variant's own start with its letter. The
architecture is variant A's; another variant's key, `b_width=64`, makes it differ.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, get_args

import annotated_types
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import from_json as parse_json

from bnviz.experiment.config import (
    BATCH_OF_ONE,
    LETTERS,
    USUAL_ACTIVATION,
    BatchNormConfig,
    ChoiceNames,
    Experiment,
    NetworkConfig,
    TrainingConfig,
    Variant,
    from_json,
)

Value = bool | int | float | str

ARCHITECTURE = ("architecture", "hidden_layers", "width", "activation")
MLP_ONLY = ("hidden_layers", "width")
_SHOWN = 60  # characters of a refused value that a message repeats


@dataclass(frozen=True)
class Setting:
    """One knob. low and high are None where `choices` lists the values, as for on/off. names: of the choices, in their
    order, as the screen has them; addresses, files and the command line have the choices themselves."""

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
        if isinstance(self.default, bool):
            return "on or off"
        if self.choices:
            return "one of " + ", ".join(self.choices)
        kind = "a whole number" if isinstance(self.default, int) else "a number"
        return f"{kind} from {self.low:.12g} to {self.high:.12g}"

    def parse(self, text: str) -> Value:
        """The value a text stands for. Raises ValueError that says what is allowed."""
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
    """A stranger's text made safe to repeat in a message: short, one line, no markup."""
    line = re.sub(r"[^\w .,;+\-/%()=']|(?<=www)\.", "·", str(text), flags=re.IGNORECASE)
    return f"'{line[:_SHOWN]}…'" if len(line) > _SHOWN else f"'{line}'"


def _settings(config: type, prefix: str = "") -> dict[str, Setting]:
    known: dict[str, FieldInfo] = config.__pydantic_fields__  # type: ignore[attr-defined]  # pydantic's own table
    return {prefix + name: _setting(prefix + name, info) for name, info in known.items()}


def _setting(key: str, info: FieldInfo) -> Setting:
    low = next((m.ge for m in info.metadata if isinstance(m, annotated_types.Ge)), None)
    high = next((m.le for m in info.metadata if isinstance(m, annotated_types.Le)), None)
    choices = get_args(info.annotation) if isinstance(info.default, str) else ()
    called = next((m.names for m in info.metadata if isinstance(m, ChoiceNames)), {})
    names = tuple(called.get(choice, choice) for choice in choices)
    return Setting(key, info.title or key, info.description or "", info.default, low, high, choices, names)  # type: ignore[arg-type]


_NETWORK = _settings(NetworkConfig)
_BATCHNORM = _settings(BatchNormConfig, "bn_")
SHARED: dict[str, Setting] = {k: _NETWORK[k] for k in ARCHITECTURE} | _settings(TrainingConfig)
VARIANT: dict[str, Setting] = {
    "batchnorm": Setting("batchnorm", "Batchnorm", "Normalize each hidden layer over the batch.", False),
    **{k: s for k, s in _NETWORK.items() if k not in ARCHITECTURE},
    **_BATCHNORM,
}
COUNT = Setting("variants", "Networks", "How many networks train side by side on the same batches.", 2, 1, len(LETTERS))


def table(letters: str = LETTERS) -> dict[str, Setting]:
    """Every setting under its full key; a variant's are `a_init`, `b_batchnorm` …"""
    own = {
        f"{letter.lower()}_{k}": replace(s, key=f"{letter.lower()}_{k}")
        for letter in letters
        for k, s in (VARIANT | ({k: _NETWORK[k] for k in ARCHITECTURE} if letter != "A" else {})).items()
    }
    own |= {"b_batchnorm": replace(own["b_batchnorm"], default=True)} if "b_batchnorm" in own else {}
    return {COUNT.key: COUNT} | SHARED | own


def brought_along(key: str, value: Value) -> dict[str, Value]:
    """What a change of one setting sets besides: an architecture comes with its usual activation."""
    prefix, found, _ = key.rpartition("architecture")
    return {f"{prefix}activation": USUAL_ACTIVATION[str(value)]} if found else {}


def flatten(experiment: Experiment) -> dict[str, Value]:
    """Every setting of an experiment; a variant's architecture only where it differs from A's."""
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
    return values


def unflatten(values: Mapping[str, Value]) -> Experiment:
    """The experiment of a flat table; what is missing has its default.

    Raises ValueError (pydantic's ValidationError) for a combination that cannot be trained.
    """
    full = {k: s.default for k, s in table().items()}
    full |= brought_along("architecture", values.get("architecture", full["architecture"])) | dict(values)

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
        return Variant(network, BatchNormConfig(**settings) if full[f"{letter}_batchnorm"] else None)

    training: dict[str, Any] = {f.name: full[f.name] for f in fields(TrainingConfig)}
    letters = LETTERS[: int(full[COUNT.key])].lower()
    return Experiment(TrainingConfig(**training), tuple(variant(letter) for letter in letters))


def to_query(experiment: Experiment) -> dict[str, str]:
    """The experiment as parameters of an address: only what differs from the defaults."""
    values = flatten(experiment)
    usual = {k: s.default for k, s in table().items()} | brought_along("architecture", values["architecture"])
    return {k: as_text(v) for k, v in values.items() if (k[2:] in ARCHITECTURE and k not in SHARED) or v != usual[k]}


def as_text(value: Value) -> str:
    return (
        ("on" if value else "off")
        if isinstance(value, bool)
        else repr(value).removesuffix(".0")
        if isinstance(value, float)
        else str(value)
    )


def from_query(params: Mapping[str, str]) -> tuple[Experiment, list[str]]:
    """The experiment of an address and a sentence for each parameter that was refused; its default is used."""
    known = table()
    values: dict[str, Value] = {}
    problems = []
    for key, text in params.items():
        if key not in known:
            problems.append(f"{quoted(key)} is not a setting and was ignored.")
            continue
        try:
            values[key] = known[key].parse(text)
        except ValueError as error:
            problems.append(f"{error}. The default, {as_text(known[key].default)}, is used.")
    try:
        return unflatten(values), problems
    except ValidationError:
        values.pop("batch_size")
        return unflatten(values), [*problems, f"{BATCH_OF_ONE}. The default, {SHARED['batch_size'].default}, is used."]


class NoExperimentError(ValueError):
    """The document is no experiment at all, so there is nothing to fill up with defaults."""


def read_json(text: str | bytes) -> tuple[Experiment, list[str]]:
    """An exported JSON document's experiment, and a sentence for each field that was refused; its default is used.

    Raises NoExperimentError.
    """
    try:
        document = parse_json(text)
    except ValueError as error:
        raise NoExperimentError("This is not a JSON document.") from error
    if isinstance(document, dict) and "experiment" in document:
        document = document["experiment"]
    if not isinstance(document, dict):
        raise NoExperimentError("experiment: give a JSON object with training and variants.")
    problems: list[str] = []
    while True:
        try:
            return from_json(json.dumps(document)), problems
        except ValidationError as error:
            found = error.errors(include_url=False)
            outer = {p["loc"][:n] for p in found for n in range(len(p["loc"]))}  # wrong only for what they hold
            for problem in (p for p in found if p["loc"] not in outer):
                problems.append(f"{explain(problem)}. The default is used.")
                _use_default(document, problem["loc"] or ("training", "batch_size"))


def explain(problem: Mapping[str, Any]) -> str:
    """One of pydantic's errors as a plain sentence that names the field and what is allowed."""
    loc, kind = problem["loc"], problem["type"]
    name = ".".join(LETTERS[p] if isinstance(p, int) and p < len(LETTERS) else quoted(p)[1:-1] for p in loc)
    if kind == "value_error":
        return BATCH_OF_ONE
    if kind == "unexpected_keyword_argument":
        return f"{name} is not a setting"
    if kind in ("too_long", "too_short"):
        return f"{name}: give from 1 to {len(LETTERS)} networks"
    group = {"network": _NETWORK, "batchnorm": _BATCHNORM, "training": SHARED}.get(
        str(loc[-2]) if len(loc) > 1 else "", {}
    )
    setting = group.get(f"bn_{loc[-1]}" if group is _BATCHNORM else str(loc[-1]))
    given = quoted(problem.get("input"))
    if setting is None:
        return f"{name}: {given} is not allowed; give a JSON object with known fields"
    return f"{name}: {given} is not allowed; give {setting.allowed}"


def _use_default(document: Any, loc: tuple[int | str, ...]) -> None:
    """Take the field `loc` out of a JSON document; a variant, which has a place to keep, becomes the default one."""
    *path, last = loc
    for part in path:
        document = document[part]
    if isinstance(last, int):
        document[last] = {}
    else:
        del document[last]

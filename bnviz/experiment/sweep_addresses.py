"""A sweep as a file and as an address, and what is wrong with either."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json as parse_json

from bnviz.experiment import addresses
from bnviz.experiment.config import BatchNormConfig
from bnviz.experiment.normalizers import MOST_GROUPS
from bnviz.experiment.settings import NORMALIZER, as_text, quoted
from bnviz.experiment.sweep import AXES, BATCH, MAX_NETWORKS, MAX_SEEDS, Axis, Sweep

_SWEEP = TypeAdapter(Sweep)
_ALLOWED: dict[object, str] = {
    "batchnorm": "one of off, on, both",
    "seeds": f"a whole number from 1 to {MAX_SEEDS}",
    "axes": "a list of one or two axes",
    "key": "one of " + ", ".join(AXES),
    "low": "a number",
    "high": "a number",
    "count": f"a whole number from 2 to {MAX_NETWORKS}",
    "scale": "linear or log",
    "choices": "a list of values",
    "groups": f"a whole number from 1 to {MOST_GROUPS}",
}


MOST_VALUES = 2 * MAX_NETWORKS  # each on an axis, and room for the rest


def to_json(sweep: Sweep) -> str:
    """Return a JSON document that `from_json` reads."""
    return _SWEEP.dump_json(sweep, indent=1).decode()


def from_json(text: str | bytes) -> Sweep:
    """Return the sweep of a JSON document; what is missing has its default. Raises ValueError with one sentence."""
    try:
        document = parse_json(text)
    except ValueError as error:
        raise ValueError("This is not a JSON document.") from error
    if addresses.has_more_values(document, MOST_VALUES):
        raise ValueError(f"sweep: no sweep has more than {MOST_VALUES:,} values.")
    try:
        return _SWEEP.validate_json(text)
    except ValidationError as error:
        raise ValueError(explain(error)) from error


def explain(error: ValidationError) -> str:
    """Return the first problem of a refused sweep, in a sentence that names the field and what is allowed."""
    problem = error.errors(include_url=False)[0]
    loc, kind = problem["loc"], problem["type"]
    if kind == "value_error":
        return str(problem["ctx"]["error"])
    if loc and loc[0] in ("training", "network", "options"):
        group = {"options": "batchnorm"}.get(str(loc[0]), loc[0])
        return addresses.explain(dict(problem) | {"loc": (group, *loc[1:])})
    if kind == "unexpected_keyword_argument":
        return f"{_name(loc)} is not a field of a sweep"
    while len(loc) > 1 and loc[-1] not in _ALLOWED and not isinstance(loc[-1], int):
        loc = loc[:-1]  # the type of a value that fits none
    wanted = next((_ALLOWED[part] for part in reversed(loc) if part in _ALLOWED), "a JSON object with known fields")
    return f"{_name(loc)}: {quoted(problem.get('input'))} is not allowed; give {wanted}"


def _name(loc: tuple[int | str, ...]) -> str:
    return ".".join(quoted(part)[1:-1] for part in loc) or "sweep"


def to_query(sweep: Sweep) -> dict[str, str]:
    """Return the sweep as parameters of an address: x, y, batchnorm, seeds, and what else differs from the defaults.

    With an axis of normalizers it has groups in the place of batchnorm. The keys of the rest are the live lab's own:
    shared settings bare, those of the network with `a_`.
    """
    hidden = {"variants", "a_batchnorm", *(name for axis in sweep.axes for name in (axis.key, f"a_{axis.key}"))}
    query = {k: v for k, v in addresses.to_query(sweep.base).items() if k not in hidden}
    axes = {name: _axis_text(axis) for name, axis in zip("xy", sweep.axes, strict=False)}
    if sweep.kinds:
        axes |= {"groups": str(sweep.groups)} if "group" in sweep.kinds else {}
        return axes | {"seeds": str(sweep.seeds)} | query
    return axes | {"batchnorm": sweep.batchnorm, "seeds": str(sweep.seeds)} | query


def _axis_text(axis: Axis) -> str:
    if axis.choices:
        return f"{axis.key}:" + ",".join(as_text(v) for v in axis.choices)
    low, high = (as_text(float(end or 0)) for end in (axis.low, axis.high))
    return f"{axis.key}:{low}..{high}:{axis.count}:{axis.scale}"


def from_query(params: Mapping[str, str]) -> tuple[Sweep, list[str]]:
    """Return the sweep of an address, and a sentence for each parameter that was refused; its default is used."""
    problems: list[str] = []
    own = {name: params[name] for name in ("x", "y", "batchnorm", "seeds", "groups") if name in params}
    kinds = [text.partition(":")[2].split(",") for text in own.values() if text.startswith(f"{NORMALIZER.key}:")]
    without = BATCH not in kinds[0] if kinds else own.get("batchnorm") == "off"
    normalized = "off" if without else "on"
    rest = {k: v for k, v in params.items() if k not in own} | {"variants": "1", "a_batchnorm": normalized}
    base, refused = addresses.from_query(rest)
    variant = base.variants[0]
    options = variant.batchnorm or BatchNormConfig()
    fields: dict[str, Any] = {"training": base.training, "network": variant.network, "options": options}
    given: dict[str, Any] = {name: own[name] for name in ("batchnorm",) if name in own}
    for name in ("seeds", "groups"):
        if name in own:
            given[name] = int(own[name]) if re.fullmatch("[0-9]{1,3}", own[name]) else own[name]
    if axes := [axis for name in "xy" if name in own and (axis := _axis(own[name], problems)) is not None]:
        given["axes"] = tuple(axes)
    for name, value in given.items():
        try:
            Sweep(**fields, **{name: value})
            fields[name] = value
        except ValidationError as error:
            problems.append(f"{explain(error).rstrip('.')}. The default is used.")
    return Sweep(**fields), list(dict.fromkeys([*refused, *problems]))  # x and y may be wrong alike


def _number(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ValueError(f"{key}: {quoted(text)} is not allowed; give a number") from error


def _axis(text: str, problems: list[str]) -> Axis | None:
    """Return the axis of a text such as 'init_scale:0.0001..1:20:log' or 'init:rand,normal'; None if it is refused."""
    key, _, rest = text.partition(":")
    match = re.fullmatch(r"([-+.0-9e]{1,25})\.\.([-+.0-9e]{1,25}):([0-9]{1,5}):(linear|log)", rest)
    try:
        if match:
            low, high = (_number(key, end) for end in match.group(1, 2))
            return Axis(key=key, low=low, high=high, count=int(match[3]), scale=match[4])  # type: ignore[arg-type]
        if key not in AXES:
            raise ValueError(f"axis: {quoted(key)} is no setting to sweep over; give one of {', '.join(AXES)}")
        if not rest:
            ways = [f"{key}:VALUE,VALUE", *([] if AXES[key].choices else [f"{key}:LOW..HIGH:COUNT:log", "linear"])]
            raise ValueError(f"{key}: the values are missing; give {' or '.join(ways)}")
        return Axis(key=key, choices=tuple(AXES[key].parse(part) for part in rest.split(",")))
    except ValidationError as error:
        problems.append(f"{explain(error)}. The default is used.")
    except ValueError as error:
        problems.append(f"{error}. The default is used.")
    return None

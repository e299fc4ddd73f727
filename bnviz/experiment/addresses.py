"""An experiment as an address and from a JSON document, and what is wrong with either, in plain sentences."""

import json
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import from_json as parse_json

from bnviz.experiment.choices import DataName
from bnviz.experiment.config import LETTERS, CombinationError, Experiment, from_json
from bnviz.experiment.presets import OPENING
from bnviz.experiment.settings import (
    ARCHITECTURE,
    COUNT,
    FIELDS,
    SHARED,
    Value,
    as_text,
    flatten,
    mended_by,
    quoted,
    table,
    unflatten,
    usual_values,
)

MOST_PROBLEMS = 100  # of one address, told; what is behind them is not looked at
MOST_VALUES = 5000  # of an experiment: six networks with every option have some 200


def to_query(experiment: Experiment) -> dict[str, str]:
    """Return the experiment as parameters of an address: only what differs from the defaults."""
    values = flatten(experiment)
    usual = usual_values(values)
    return {k: as_text(v) for k, v in values.items() if (k[2:] in ARCHITECTURE and k not in SHARED) or v != usual[k]}


def from_query(params: Mapping[str, str]) -> tuple[Experiment, list[str]]:
    """Return the experiment of an address, and a sentence for each parameter that was refused; its default is used.

    An address with MOST_PROBLEMS of them is read no further.
    """
    known = table()
    values: dict[str, Value] = {}
    problems: list[str] = []
    for key, text in params.items():
        if len(problems) == MOST_PROBLEMS:
            break
        if key not in known:
            problems.append(f"{quoted(key)} is not a setting and was ignored.")
            continue
        try:
            values[key] = known[key].parse(text)
        except ValueError as error:
            problems.append(f"{error}. The default, {as_text(known[key].default)}, is used.")
    while True:
        try:
            return unflatten(values), problems
        except CombinationError as error:
            key = mended_by(error)
            del values[key]
            problems.append(f"{error}. The default, {as_text(known[key].default)}, is used.")


def open_address(params: Mapping[str, str]) -> tuple[Experiment, list[str]]:
    """Return the experiment that the address of a page opens, and a sentence for each parameter that was refused.

    An address without parameters opens the first preset. What one with parameters leaves out has the default of
    `Experiment()`, which the first preset has not, so that an old address means what it always meant.
    """
    return from_query(params) if params else (OPENING, [])


def address_of(experiment: Experiment) -> dict[str, str]:
    """Return the parameters with which `open_address` opens the experiment."""
    if experiment == OPENING:
        return {}
    return to_query(experiment) or {COUNT.key: str(len(experiment.variants))}  # all are defaults, and one must be named


class NoExperimentError(ValueError):
    """Raised for a document that is no experiment at all, so that there is nothing to fill up with defaults."""


def read_json(text: str | bytes) -> tuple[Experiment, list[str]]:
    """Return an exported JSON document's experiment, and a sentence for each refused field, whose default is used.

    Raises NoExperimentError.
    """
    try:
        document = parse_json(text)
    except ValueError as error:
        raise NoExperimentError("This is not a JSON document.") from error
    if isinstance(document, dict) and "experiment" in document:
        document = _on_its_data(document["experiment"], document.get("data"))
    if not isinstance(document, dict):
        raise NoExperimentError("experiment: give a JSON object with training and variants.")
    if has_more_values(document, MOST_VALUES):
        raise NoExperimentError(f"experiment: no experiment has more than {MOST_VALUES:,} values.")
    problems: list[str] = []
    while True:
        try:
            return from_json(json.dumps(document)), problems
        except ValidationError as error:
            found = error.errors(include_url=False)
            outer = {p["loc"][:n] for p in found for n in range(len(p["loc"]))}  # wrong only for what they hold
            for problem in (p for p in found if p["loc"] not in outer):
                problems.append(f"{explain(problem)}. The default is used.")
                _use_default(document, problem["loc"] or ("training", "batch_size"), problem["type"])


def _on_its_data(experiment: Any, data: object) -> Any:
    """Return a document's experiment with the data that stood beside it before they were a setting of it."""
    if data not in get_args(DataName) or not isinstance(experiment, dict):
        return experiment
    training = experiment.get("training", {})
    return experiment | {"training": {"data": data} | training} if isinstance(training, dict) else experiment


def has_more_values(document: object, most: int) -> bool:
    """Tell whether a JSON document has more than so many values; to refuse it before each is checked and told of."""
    count, waiting = 0, [document]
    while waiting and count <= most:
        value = waiting.pop()
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        count += 1
        if len(inside) > most:
            return True
        waiting.extend(inside)
    return count > most


def explain(problem: Mapping[str, Any]) -> str:
    """Return one of pydantic's errors as a plain sentence that names the field and what is allowed."""
    loc, kind = problem["loc"], problem["type"]
    name = ".".join(LETTERS[p] if isinstance(p, int) and p < len(LETTERS) else quoted(p)[1:-1] for p in loc)
    if kind == "value_error":
        return f"{name}.{problem['ctx']['error']}" if name else str(problem["ctx"]["error"])
    if kind == "unexpected_keyword_argument":
        return f"{name} is not a setting"
    if kind in ("too_long", "too_short"):
        return f"{name}: give from 1 to {len(LETTERS)} networks"
    setting = FIELDS.get(str(loc[-2]) if len(loc) > 1 else "", {}).get(str(loc[-1]))
    given = quoted(problem.get("input"))
    if setting is None:
        return f"{name}: {given} is not allowed; give a JSON object with known fields"
    return f"{name}: {given} is not allowed; give {setting.allowed}"


def _use_default(document: Any, loc: tuple[int | str, ...], kind: str) -> None:
    """Take the field `loc` out of a JSON document; a variant, which has a place to keep, becomes the default one, or
    loses the normalizer that does not fit it."""
    *path, last = loc
    for part in path:
        document = document[part]
    if isinstance(last, int) and kind == "value_error":
        del document[last]["normalizer"]
    elif isinstance(last, int):
        document[last] = {}
    else:
        del document[last]

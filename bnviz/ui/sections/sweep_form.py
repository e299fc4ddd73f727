"""The controls that define a sweep: its axes, batchnorm off, on or both unless normalizers are swept, and seeds.

As in `bnviz.ui.controls` a table in session state is the truth and a widget only shows it; the address bar holds the
definition. What a setting's axis was last given is remembered while another setting is chosen.
"""

from typing import Any, TypeVar

import streamlit as st
from pydantic import ValidationError

from bnviz.experiment import sweep_addresses
from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, TrainingConfig, Variant
from bnviz.experiment.normalizers import MOST_GROUPS
from bnviz.experiment.settings import NORMALIZER, Setting, Value, as_text
from bnviz.experiment.sweep import AXES, MAX_NETWORKS, MAX_SEEDS, Axis, Sweep
from bnviz.records.sweep import METRICS, Metric
from bnviz.ui import controls, settings_table

T = TypeVar("T")
NONE = "none"
METRIC: Metric = "train_loss"  # shown at first
_COMPARED = {"off": "off", "on": "on", "both": "off and on"}
# A range worth looking at for each setting: low, high, count, scale.
_RANGES: dict[str, tuple[float, float, int, str]] = {
    "init_scale": (1e-3, 100.0, 20, "log"),
    "learning_rate": (1e-3, 10.0, 12, "log"),
    "batch_size": (2, 256, 8, "log"),
    "hidden_layers": (1, 10, 10, "linear"),
    "width": (8, 512, 7, "log"),
    "momentum": (0.0, 0.95, 10, "linear"),
    "bn_momentum": (0.001, 1.0, 10, "log"),
}


def definition() -> Sweep | None:
    """Draw the controls; the sweep that they describe, or None, with a sentence on the page why there is none."""
    read_address_once()
    table = _table()
    with st.container(horizontal=True, vertical_alignment="bottom", key="sweep_axis_x"):
        x = _axis("x", "Axis", list(AXES))
    with st.container(horizontal=True, vertical_alignment="bottom", key="sweep_axis_y"):
        y = _axis("y", "Second axis", [NONE, *(key for key in AXES if key != table["x"])])
    compared, groups = "off", 2
    with st.container(horizontal=True, vertical_alignment="bottom", key="sweep_networks"):
        if NORMALIZER.key in (table["x"], table["y"]):
            groups = int(_number("groups", "Groups of group norm", 1, MOST_GROUPS, groups))
        else:
            compared = _choice("batchnorm", "Batchnorm", _COMPARED, "both")
        seeds = _number("seeds", "Seeds", 1, MAX_SEEDS, 1)
    refused = st.container(key="sweep_refused")  # always there: what comes and goes would mount all below it anew
    training, network, options = controls.base_sidebar([str(table["x"]), str(table["y"])])
    try:
        axes = tuple(Axis(**fields) for fields in (x, y) if fields)
        found = Sweep(axes, compared, int(seeds), training, network, options, groups)  # type: ignore[arg-type]  # one of _COMPARED
    except ValidationError as error:
        refused.error(f"{sweep_addresses.explain(error).rstrip('.')}.", icon=":material/error:")
        return None
    if dict(st.query_params) != (query := sweep_addresses.to_query(found)):
        st.query_params.from_dict(query)
    return found


def choose_metric() -> Metric:
    """What the charts show; it outlives a visit to another page."""
    return _choice("metric", "Show", METRICS, METRIC, label_visibility="collapsed")


def current_values(sweep: Sweep) -> list[Value]:
    """Return the live lab's value of the setting that each axis varies: of network A, if each has its own."""
    table = settings_table.settings()

    def value(axis: Axis) -> Value:
        own = f"b_{axis.key}" if axis.key.startswith("bn_") else f"a_{axis.key}"
        return table.get(axis.key, table.get(own, axis.setting.default))

    return [value(axis) for axis in sweep.axes]


def load(sweep: Sweep) -> None:
    """Set every control; only in a callback or before the controls are drawn."""
    table: dict[str, Value | list[Value]] = {"seeds": sweep.seeds, "groups": sweep.groups, "y": NONE}
    table["batchnorm"] = "both" if sweep.kinds else sweep.batchnorm
    for name, axis in zip("xy", sweep.axes, strict=False):
        table[name] = axis.key
        if axis.choices and not axis.setting.choices:  # a list of numbers, which the controls show as they are
            table |= {f"{axis.key}_values": ", ".join(map(as_text, axis.values)), f"{axis.key}_scale": "list"}
        elif axis.choices:
            table[f"{axis.key}_choices"] = list(axis.choices)
        else:
            ends = {"low": axis.low or 0.0, "high": axis.high or 0.0, "count": axis.count or 2, "scale": axis.scale}
            table |= {f"{axis.key}_{part}": value for part, value in ends.items()}
    st.session_state["sweep_form"] = table
    settings_table.load(_twins(**sweep.rest))


def _twins(training: TrainingConfig, network: NetworkConfig, options: BatchNormConfig) -> Experiment:
    if training.batch_size < 2:
        return Experiment(training, (Variant(network),))
    return Experiment(training, (Variant(network), Variant(network, options)))


def read_address_once() -> None:
    """Fill the form once a session: from the address, or around the live lab's settings if there are any already."""
    if "sweep_form" in st.session_state:
        return
    if "settings" in st.session_state:  # the visitor comes from another page, and keeps the settings of the live lab
        st.session_state["sweep_form"] = {"batchnorm": "both", "seeds": 1, "x": "init_scale", "y": NONE}
        return
    sweep, found = sweep_addresses.from_query(dict(st.query_params))
    load(sweep)
    settings_table.problems().extend(found)


def _table() -> dict[str, Any]:
    table: dict[str, Any] = st.session_state["sweep_form"]
    return table


def _axis(name: str, label: str, keys: list[str]) -> dict[str, Any] | None:
    """The fields of one axis; None if there is none."""
    if _table()[name] not in keys:
        _table()[name] = keys[0]
    titles = {key: setting.title for key, setting in AXES.items()} | {NONE: "none"}
    key = _select(name, label, {k: titles[k] for k in keys})
    if key == NONE:
        return None
    setting = AXES[key]
    if setting.choices:
        chosen = _several(f"{key}_choices", setting)
        return {"key": key, "choices": tuple(chosen)}
    low, high, count, scale = _RANGES[key]
    scale = _choice(f"{key}_scale", "Spacing", {"linear": "linear", "log": "log", "list": "list"}, scale)
    if scale == "list":
        return {"key": key, "choices": tuple(_numbers(f"{key}_values", setting, f"{low:g}, {high:g}"))}
    return {
        "key": key,
        "low": _number(f"{key}_low", "From", setting.low, setting.high, low, setting),
        "high": _number(f"{key}_high", "To", setting.low, setting.high, high, setting),
        "count": int(_number(f"{key}_count", "Values", 2, MAX_NETWORKS, count)),
        "scale": scale,
    }


# -- widgets: each shows what the table says, and writes into it when it is changed -----------------------------------


def _bound(name: str, default: T) -> tuple[T, dict[str, Any]]:
    """What the table says, and the widget's common arguments."""
    table, key = _table(), f"sweep_{name}"

    def changed() -> None:
        if st.session_state.get(key) is not None:  # nor gone with its page
            table[name] = st.session_state[key]

    return settings_table.show(key, table.setdefault(name, default)), {"key": key, "on_change": changed}


def _select(name: str, label: str, titles: dict[str, str]) -> str:
    value, common = _bound(name, next(iter(titles)))
    st.selectbox(label, titles, list(titles).index(value), format_func=titles.__getitem__, width=190, **common)
    return value


def _choice(name: str, label: str, titles: dict[T, str], default: T, **look: Any) -> T:
    value, common = _bound(name, default)
    shape = look | {"format_func": titles.__getitem__, "default": value, "required": True}
    st.segmented_control(label, list(titles), **shape, **common)
    return value


def _number(
    name: str, label: str, low: float | None, high: float | None, default: float, setting: Setting | None = None
) -> float:
    kind = int if setting is None or isinstance(setting.default, int) else float
    value, common = _bound(name, kind(default))
    bounds: dict[str, Any] = {"min_value": kind(low or 0), "max_value": kind(high or 0)}
    shape: dict[str, Any] = {} if kind is int else {"format": "%.6g", "step": value / 10 or 0.01}
    st.number_input(label, value=kind(value), width=130, **bounds, **shape, **common)
    return kind(value)


def _several(name: str, setting: Setting) -> list[str]:
    value, common = _bound(name, list(setting.choices))
    st.multiselect("Values", setting.choices, value, format_func=setting.name_of, **common)
    return value


def _numbers(name: str, setting: Setting, default: str) -> list[Value]:
    """Raises nothing: what is no number is left for the axis to refuse."""
    value, common = _bound(name, default)
    st.text_input("Values, with commas between them", value, width=320, **common)
    found: list[Value] = []
    for text in value.split(","):
        try:
            found.append(setting.parse(text.strip()))
        except ValueError:
            found.append(text.strip())
    return found

"""The sidebar: every setting of the experiment, drawn from the one table in `bnviz.experiment.settings`.

The settings live in session state as one flat table, because Streamlit forgets a widget that is not on the page; the
address bar always holds those that differ from the defaults.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Any, TypeVar

import streamlit as st
from pydantic import ValidationError

from bnviz.experiment.addresses import from_query, to_query
from bnviz.experiment.config import LETTERS, BatchNormConfig, Experiment, NetworkConfig, TrainingConfig
from bnviz.experiment.presets import PRESETS
from bnviz.experiment.settings import (
    ARCHITECTURE,
    COUNT,
    MLP_ONLY,
    SHARED,
    VARIANT,
    Setting,
    Value,
    brought_along,
    flatten,
    table,
    unflatten,
)
from bnviz.figures.style import COLORS
from bnviz.ui.web.server import wait_until_sent

T = TypeVar("T")
_CUSTOM = "custom"


def sidebar() -> tuple[Experiment, bool]:
    """Draw the controls. Returns the experiment they describe and whether the weights are kept at a change."""
    _read_address_once()
    with st.sidebar:
        top = st.container()  # the preset is named last, when the settings are known
        keep = st.toggle(
            "Keep the weights",
            key="keep_weights",
            help="Off: a changed network starts over from the same seed and replays the same batches. On: the change "
            "is made to the network as it is, and the curves get a marker; a new init still redraws the weights.",
        )
        count = _control(COUNT)
        for letter in LETTERS[: int(count)]:
            _variant(letter)
        st.subheader("All networks")
        with st.expander("Network", expanded=True):
            for key in _architecture():
                _control(SHARED[key])
        with st.expander("Training", expanded=True):
            for key in SHARED:
                if key not in ARCHITECTURE:
                    _control(SHARED[key])
        try:
            experiment = unflatten(_settings())
        except ValidationError as error:
            st.error(f"{error.errors()[0]['ctx']['error']}. The networks train with 2.", icon=":material/error:")
            experiment = unflatten(_settings() | {"batch_size": 2})
        with top:
            _preset(experiment)
    if dict(st.query_params) != (query := to_query(experiment)):
        st.query_params.from_dict(query)
    return experiment, keep


def base_sidebar(varied: Collection[str]) -> tuple[TrainingConfig, NetworkConfig, BatchNormConfig]:
    """The controls of one network, for a page that varies some of its settings: these are left out.

    They are the live lab's own: of network A, and the batchnorm options of the first network that has it.
    """
    with st.sidebar:
        st.subheader("All networks")
        st.caption("What the axes leave alone, shared with the live lab.")
        letters = LETTERS[: int(_settings()[COUNT.key])].lower()
        letter = next((x for x in letters if _settings()[f"{x}_batchnorm"]), "b")
        own = table()
        with st.expander("Network", expanded=True):
            for key in [*_architecture(), "init", "init_scale"]:
                if key not in varied:
                    _control(SHARED[key] if key in SHARED else own[f"a_{key}"])
        with st.expander("Training", expanded=True):
            for key in SHARED:
                if key not in (*ARCHITECTURE, *varied):
                    _control(SHARED[key])
        with st.expander("Batchnorm"):
            for key in VARIANT:
                if key.startswith("bn_") and key not in varied:
                    _control(own[f"{letter}_{key}"])
    values = {k: v for k, v in _settings().items() if k in SHARED or k.startswith("a_")}
    options = {f"a_{k}": _settings().get(f"{letter}_{k}", s.default) for k, s in VARIANT.items() if k.startswith("bn_")}
    experiment = unflatten(values | options | {COUNT.key: 1, "a_batchnorm": True, "batch_size": 2})
    variant = experiment.variants[0]
    assert variant.batchnorm is not None
    training = replace(experiment.training, batch_size=int(_settings()["batch_size"]))
    return training, variant.network, variant.batchnorm


def load(experiment: Experiment) -> None:
    """Set every control; only in a callback or before the controls are drawn."""
    defaults = {k: s.default for k, s in table().items() if k in SHARED or k[2:] not in ARCHITECTURE}
    settings = defaults | flatten(experiment)
    for own in [k for k in settings if k not in SHARED and k[2:] in ARCHITECTURE]:  # the rest of it is what all have
        settings |= {f"{own[:2]}{k}": settings[k] for k in ARCHITECTURE if f"{own[:2]}{k}" not in settings}
    st.session_state["settings"] = settings


def set_value(key: str, value: Value) -> None:
    """Set one control; only in a callback."""
    _settings()[key] = value


def value(key: str) -> Value:
    return _settings()[key]


def problems() -> list[str]:
    """What was refused in the address or in a file, until the user dismisses it."""
    found: list[str] = st.session_state.setdefault("problems", [])
    return found


def _settings() -> dict[str, Value]:
    settings: dict[str, Value] = st.session_state["settings"]
    return settings


def _read_address_once() -> None:
    if "settings" not in st.session_state:
        experiment, found = from_query(dict(st.query_params))
        load(experiment)
        problems().extend(found)


def _preset(current: Experiment) -> None:
    name = show("preset", next((k for k, p in PRESETS.items() if p.experiment == current), _CUSTOM))
    names = {k: p.title for k, p in PRESETS.items()} | {_CUSTOM: "own settings"}
    options = [*PRESETS, *([_CUSTOM] if name == _CUSTOM else [])]

    def chosen() -> None:
        # A page that is being left takes its widgets along, and what they last told may still come.
        if (preset := PRESETS.get(st.session_state.get("preset", _CUSTOM))) is not None:
            load(preset.experiment)

    index = options.index(str(name))
    st.selectbox("Experiment", options, index, format_func=names.__getitem__, key="preset", on_change=chosen)
    if (preset := PRESETS.get(str(name))) is not None:
        st.caption(preset.help)


def _variant(letter: str) -> None:
    prefix = letter.lower()
    own = {k: s for k, s in table(letter).items() if k.startswith(f"{prefix}_")}
    color = COLORS[LETTERS.index(letter)]
    with st.container(border=True, key=f"variant_{prefix}"):
        head, switch = st.columns([1, 2], vertical_alignment="center")
        head.html(f'<span class="bnviz-letter" style="background:{color}">{letter}</span>')
        with switch:
            normalized = _control(own[f"{prefix}_batchnorm"])
        _control(own[f"{prefix}_init"])
        with st.expander(f"More about {letter}"):
            _control(own[f"{prefix}_init_scale"])
            if normalized:
                for key in VARIANT:
                    if key.startswith("bn_"):
                        _control(own[f"{prefix}_{key}"])
            if letter != "A":
                _own_architecture(prefix, own)


def _own_architecture(prefix: str, own: dict[str, Setting]) -> None:
    keys = {f"{prefix}_{key}": key for key in ARCHITECTURE}

    def changed() -> None:
        if (own_one := st.session_state.get(f"{prefix}_own")) is None:  # see _preset
            return
        for key, shared in keys.items():
            if own_one:
                _settings()[key] = _settings()[shared]
            else:
                _settings().pop(key, None)

    different = bool(show(f"{prefix}_own", any(key in _settings() for key in keys)))
    st.toggle(
        "Another architecture",
        different,
        key=f"{prefix}_own",
        help="Give this network an architecture or activation of its own; otherwise it has those of all networks.",
        on_change=changed,
    )
    if different:
        for key in _architecture(f"{prefix}_"):
            _control(own[f"{prefix}_{key}"])


def _architecture(prefix: str = "") -> list[str]:
    """The settings that the chosen architecture has."""
    chosen = _settings().get(f"{prefix}architecture", SHARED["architecture"].default)
    return [key for key in ARCHITECTURE if chosen == "mlp" or key not in MLP_ONLY]


def drawn() -> None:
    """Call at the end of a page's rerun: what the browser has been told to show is not told again."""
    if _unsent():
        wait_until_sent()
        _unsent().clear()


def _unsent() -> set[str]:
    """Widgets whose value was set in reruns of which the browser may not have seen the end."""
    keys: set[str] = st.session_state.setdefault("unsent", set())
    return keys


def show(key: str, value: T) -> T:
    """Let a widget show what the table of settings says; the return value is its default, should it be new.

    The table is the truth: a rerun that is cut short, or a widget that was away from the page, comes back with
    Streamlit's default, which must never count as a choice. Only a difference is assigned, because Streamlit sends an
    assigned value to the browser, where it would undo a click that is on its way.
    """
    if key in st.session_state and (st.session_state[key] != value or key in _unsent()):
        st.session_state[key] = value
        _unsent().add(key)
    return value


def _control(setting: Setting) -> Value:
    """One widget; its value is also kept in the table of settings."""
    settings, key = _settings(), setting.key

    def changed() -> None:
        if key in st.session_state:  # see _preset
            _settings()[key] = st.session_state[key]
            _settings().update(brought_along(key, st.session_state[key]))

    value = show(key, settings.setdefault(key, setting.default))
    common: dict[str, Any] = {"key": key, "help": setting.help, "on_change": changed}
    if isinstance(setting.default, bool):
        st.toggle(setting.title, bool(value), **common)
    elif setting.choices:
        index = setting.choices.index(str(value))
        st.selectbox(setting.title, setting.choices, index, format_func=setting.name_of, **common)
    elif isinstance(setting.default, int):
        assert setting.low is not None
        assert setting.high is not None
        low, high = int(setting.low), int(setting.high)
        if high <= 20:
            st.slider(setting.title, low, high, int(value), step=1, **common)
        else:
            st.number_input(setting.title, low, high, int(value), step=1, **common)
    else:
        step = float(setting.default) / 10 or 0.01
        st.number_input(setting.title, setting.low, setting.high, float(value), step=step, format="%.6g", **common)
    return settings[key]

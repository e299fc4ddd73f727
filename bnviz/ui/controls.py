"""Widgets for the settings of the experiment, drawn from the one table in `bnviz.experiment.settings`."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import streamlit as st

from bnviz.experiment.config import (
    LETTERS,
    BatchNormConfig,
    Experiment,
    NetworkConfig,
    TrainingConfig,
)
from bnviz.experiment.normalizers import OPTIONS
from bnviz.experiment.presets import PRESETS
from bnviz.experiment.settings import (
    ARCHITECTURE,
    COUNT,
    FIELDS,
    MLP_ONLY,
    NONE,
    NORMALIZER,
    SHARED,
    VARIANT,
    Setting,
    Value,
    brought_along,
    mended,
    table,
    unflatten,
)
from bnviz.ui.settings_table import load, read_address, settings, show, write_address

_CUSTOM = "custom"


def chosen_experiment() -> Experiment:
    """Return the experiment that the settings describe, and keep it in the address.

    A combination that cannot be trained is told on the page, and mended.
    """
    read_address()
    experiment, refused = mended(settings())
    for error in refused:
        own = error.key != "batch_size"
        instead = f"Network {error.key[0].upper()} trains without" if own else "The networks train with 2"
        st.error(f"{error}. {instead}.", icon=":material/error:")
    write_address(experiment)
    return experiment


def choose_preset(current: Experiment) -> str:
    """Draw the list of named experiments. Returns what the chosen one promises; nothing of own settings."""
    name = show("preset", next((k for k, p in PRESETS.items() if p.experiment == current), _CUSTOM))
    names = {k: f"{p.title} · {p.group.lower()}" for k, p in PRESETS.items()} | {_CUSTOM: "own settings"}
    options = [*PRESETS, *([_CUSTOM] if name == _CUSTOM else [])]

    def chosen() -> None:
        # A page that is being left takes its widgets along, and what they last told may still come.
        if (preset := PRESETS.get(st.session_state.get("preset", _CUSTOM))) is not None:
            load(preset.experiment)

    st.selectbox(
        "Experiment",
        options,
        options.index(str(name)),
        format_func=names.__getitem__,
        key="preset",
        on_change=chosen,
        label_visibility="collapsed",
    )
    return PRESETS[str(name)].promise if name in PRESETS else ""


def sidebar() -> None:
    """Draw the settings that are not on the page itself: of each network, then those that all share."""
    with st.sidebar:
        st.subheader("All networks")
        control(COUNT)
        with st.expander("Network", expanded=True):
            for key in _architecture():
                control(SHARED[key])
        with st.expander("Training", expanded=True):
            for key in SHARED:
                if key not in (*ARCHITECTURE, "data"):  # which stands above
                    control(SHARED[key])
        for letter in LETTERS[: int(settings()[COUNT.key])]:
            with st.expander(f"More about network {letter}"):
                _more_about(letter)


def base_sidebar(varied: Collection[str]) -> tuple[TrainingConfig, NetworkConfig, BatchNormConfig]:
    """Draw the controls of one network, for a page that varies some of its settings: these are left out.

    They are the live lab's own: of network A, and the batchnorm options of the first network that has it.
    """
    with st.sidebar:
        st.subheader("All networks")
        st.caption("What the axes leave alone, shared with the live lab.")
        letters = LETTERS[: int(settings()[COUNT.key])].lower()
        letter = next((x for x in letters if settings()[f"{x}_batchnorm"]), "b")
        own = table()
        with st.expander("Network", expanded=True):
            for key in [*_architecture(), "init", "init_scale"]:
                if key not in varied:
                    control(SHARED[key] if key in SHARED else own[f"a_{key}"])
        with st.expander("Training", expanded=True):
            for key in SHARED:
                if key not in (*ARCHITECTURE, *varied):
                    control(SHARED[key])
        with st.expander("Batchnorm"):
            for key in VARIANT:
                if key.startswith("bn_") and key not in varied:
                    control(own[f"{letter}_{key}"])
    values = {k: v for k, v in settings().items() if k in SHARED or k.startswith("a_")}
    options = {f"a_{k}": settings().get(f"{letter}_{k}", s.default) for k, s in VARIANT.items() if k.startswith("bn_")}
    of_batchnorm: dict[str, Value] = {"a_batchnorm": True, "a_normalizer": NONE}
    experiment = unflatten(values | options | of_batchnorm | {COUNT.key: 1, "batch_size": 2})
    variant = experiment.variants[0]
    assert variant.batchnorm is not None
    training = replace(experiment.training, batch_size=int(settings()["batch_size"]))
    return training, variant.network, variant.batchnorm


def control(setting: Setting, **look: Any) -> Value:
    """Draw one widget and return its value, which is kept in the table of settings. look: Streamlit's own options."""
    key = setting.key

    def changed() -> None:
        if key in st.session_state:  # see choose_preset
            settings()[key] = st.session_state[key]
            settings().update(brought_along(key, st.session_state[key]))

    value = show(key, settings().setdefault(key, setting.default))
    title = look.pop("title", setting.title)
    common: dict[str, Any] = {"key": key, "help": setting.help, "on_change": changed} | look
    if isinstance(setting.default, bool):
        st.toggle(title, bool(value), **common)
    elif setting.choices:
        index = setting.choices.index(str(value))
        st.selectbox(title, setting.choices, index, format_func=setting.name_of, **common)
    elif isinstance(setting.default, int):
        assert setting.low is not None
        assert setting.high is not None
        low, high = int(setting.low), int(setting.high)
        if high <= 20:
            st.slider(title, low, high, int(value), step=1, **common)
        else:
            st.number_input(title, low, high, int(value), step=1, **common)
    else:
        step = float(setting.default) / 10 or 0.01
        st.number_input(title, setting.low, setting.high, float(value), step=step, format="%.6g", **common)
    return settings()[key]


def _more_about(letter: str) -> None:
    """The settings of one network that are not on the page itself."""
    prefix = letter.lower()
    own = {k: s for k, s in table(letter).items() if k.startswith(f"{prefix}_")}
    if letter != "A":
        _own_architecture(prefix, own)
    if settings()[f"{prefix}_batchnorm"]:
        for key in VARIANT:
            if key.startswith("bn_"):
                control(own[f"{prefix}_{key}"])
    elif letter == "A":
        st.caption("Options of batchnorm stand here when it is on.")
    kind = control(own[f"{prefix}_{NORMALIZER.key}"])
    for kept, options in OPTIONS.items():
        for name in options if kept == kind else ():
            control(own[f"{prefix}_{FIELDS['normalizer'][name].key}"])


def _own_architecture(prefix: str, own: dict[str, Setting]) -> None:
    keys = {f"{prefix}_{key}": key for key in ARCHITECTURE}

    def changed() -> None:
        if (own_one := st.session_state.get(f"{prefix}_own")) is None:  # see choose_preset
            return
        for key, shared in keys.items():
            if own_one:
                settings()[key] = settings()[shared]
            else:
                settings().pop(key, None)

    different = bool(show(f"{prefix}_own", any(key in settings() for key in keys)))
    st.toggle(
        "Another architecture",
        different,
        key=f"{prefix}_own",
        help="Give this network an architecture or activation of its own; otherwise it has those of all networks.",
        on_change=changed,
    )
    if different:
        for key in _architecture(f"{prefix}_"):
            control(own[f"{prefix}_{key}"])


def _architecture(prefix: str = "") -> list[str]:
    """The settings that the chosen architecture has."""
    chosen = settings().get(f"{prefix}architecture", SHARED["architecture"].default)
    return [key for key in ARCHITECTURE if chosen == "mlp" or key not in MLP_ONLY]

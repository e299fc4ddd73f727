"""The controls of the page on initialization; they hold what they were set to while other pages are looked at."""

from typing import Any

import streamlit as st

from bnviz.experiment.config import ACTIVATIONS, INITS, NetworkConfig, replace
from bnviz.experiment.settings import SHARED, VARIANT, Value
from bnviz.records.initialization import MAX_TRAINED_STEPS, MAX_UNITS, InitialSetting
from bnviz.ui.components.live_slider import live_slider, set_slider, slider_value
from bnviz.ui.sections.initialization_address import address_values, write_address
from bnviz.ui.stylesheet import use_stylesheet

START = InitialSetting(NetworkConfig(8, 128, "tanh", "xavier_normal"), batchnorm=False, standardize=True, seed=0)
_SETTINGS = SHARED | VARIANT
_PREFIX = "initial_"  # of the keys of this page's widgets
_SLIDERS = {"init_scale": "scale", "hidden_layers": "depth"}


def style() -> None:
    """Put this section's style sheet on the page."""
    use_stylesheet(__file__)


def controls() -> tuple[InitialSetting, list[str]]:
    """The setting, and what was refused; if something was, the last setting that was good."""
    start = START
    _take(address_values(START))
    with st.container(horizontal=True, vertical_alignment="bottom", key="initial_settings"):
        init = st.selectbox(
            "Init", INITS, key=_keep("init", "xavier_normal"), format_func=_SETTINGS["init"].name_of, width=170
        )
        with st.container(width=190):
            scale = live_slider("× scale", *_ends("init_scale"), 1.0, key=_PREFIX + "scale", log=True)
        with st.container(width=190):
            ends, first = _ends("hidden_layers"), start.network.hidden_layers
            depth = round(live_slider("Hidden layers", *ends, first, key=_PREFIX + "depth", step=1))
        width = st.number_input("Width", step=1, key=_keep("width", start.network.width), width=130)
        activation = st.selectbox(
            "Activation",
            ACTIVATIONS,
            key=_keep("activation", start.network.activation),
            format_func=_SETTINGS["activation"].name_of,
            width=140,
        )
        seed = st.number_input("Seed", step=1, key=_keep("seed", start.seed), width=130)
        batchnorm = st.toggle("Batchnorm", key=_keep("batchnorm", start.batchnorm))
        standardize = st.toggle("Standardize inputs", key=_keep("standardize", start.standardize))
    for name in ("init", "width", "activation", "seed", "batchnorm", "standardize"):
        _kept()[name] = st.session_state[_PREFIX + name]
    problems = check(depth, width, scale, seed)
    if problems:
        good: InitialSetting = st.session_state.get("initial_good", START)
        return good, problems
    network = NetworkConfig(depth, int(width), activation, init, float(scale))
    setting = InitialSetting(network, batchnorm, standardize, int(seed))
    if st.session_state.get("initial_good") == setting:  # a slider that is being moved leaves no trail in the history
        write_address(setting, START)
    st.session_state["initial_good"] = setting
    return setting, []


def _take(values: dict[str, Value]) -> None:
    """Set controls before they are drawn."""
    for name, value in values.items():
        if slider := _SLIDERS.get(name):
            set_slider(_PREFIX + slider, float(value))
        else:
            st.session_state[_PREFIX + name] = value


def check(depth: int, width: float | None, scale: float, seed: float | None) -> list[str]:
    """A sentence for everything that is out of range."""
    found = []
    for key, value in (("hidden_layers", depth), ("width", width), ("init_scale", scale), ("seed", seed)):
        try:
            _SETTINGS[key].parse("" if value is None else f"{value:g}" if isinstance(value, float) else str(value))
        except ValueError as error:
            text = str(error)
            found.append(f"{_SETTINGS[key].title}{text.removeprefix(key)}.")
    if not found and width is not None and depth * width > MAX_UNITS:
        found.append(
            f"{depth} hidden layers × width {width:.0f} = {depth * width:,.0f} units are not allowed here; give at "
            f"most {MAX_UNITS:,}, so that an answer comes in a second or two: a width up to {MAX_UNITS // depth}."
        )
    return found


def trained(setting: InitialSetting) -> InitialSetting:
    """The setting with the steps that it was trained on this page; a changed setting starts untrained."""
    untrained, steps = st.session_state.get("initial_trained", (None, 0))
    return replace(setting, steps=steps if untrained == setting else 0)


def training_buttons(setting: InitialSetting) -> None:
    """One step, 200 steps, and back; `setting` says how many there are already."""
    untrained = replace(setting, steps=0)
    with st.container(horizontal=True, vertical_alignment="center", key="initial_training"):
        for count, label in ((1, "Train 1 step"), (200, "Train 200 steps")):
            steps = min(setting.steps + count, MAX_TRAINED_STEPS)
            st.button(
                label,
                key=f"initial_train_{count}",
                icon=":material/play_arrow:" if count > 1 else ":material/skip_next:",
                on_click=_train,
                args=(untrained, steps),
                disabled=setting.steps >= MAX_TRAINED_STEPS,
            )
        st.button(
            "Reset",
            key="initial_untrain",
            icon=":material/replay:",
            on_click=_train,
            args=(untrained, 0),
            disabled=setting.steps == 0,
        )
        off_one = slider_value(_PREFIX + "scale", 1.0) == 1.0
        st.button(
            "Scale × 1", key="initial_unscale", on_click=set_slider, args=(_PREFIX + "scale", 1.0), disabled=off_one
        )


def _train(untrained: InitialSetting, steps: int) -> None:
    st.session_state["initial_trained"] = untrained, steps


def _ends(key: str) -> tuple[float, float]:
    """The range of a setting, from the one table of settings."""
    found = _SETTINGS[key]
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def _kept() -> dict[str, Any]:
    kept: dict[str, Any] = st.session_state.setdefault("initial_kept", {})
    return kept


def _keep(name: str, default: Any) -> str:
    """The key of a widget, given its last value if Streamlit has forgotten it, as it does when the page is left."""
    key = _PREFIX + name
    if key not in st.session_state:
        st.session_state[key] = _kept().get(name, default)
    return key

"""The settings of the page on initialization in its address, beside the experiment of the live lab."""

import streamlit as st

from bnviz.experiment.settings import SHARED, VARIANT, Value, as_text
from bnviz.records.initialization import InitialSetting
from bnviz.ui.settings_table import OF_ONE_PAGE, came_back, problems

_NAMES = ("init", "init_scale", "hidden_layers", "width", "activation", "seed", "batchnorm", "standardize")
_READ = "initial_address_read"


def address_values(usual: InitialSetting) -> dict[str, Value]:
    """Return what the address sets, once a session and after Back or Forward; what is refused is told on the page.

    usual: what holds for the settings that an address leaves out.
    """
    if st.session_state.get(_READ) and not came_back():
        return {}
    st.session_state[_READ] = True
    found = _values(usual)
    for key, text in st.query_params.items():
        name = key.removeprefix(OF_ONE_PAGE)
        if name == key:
            continue
        if name not in _NAMES:
            problems().append(f"{key} is not a setting of this page and was ignored.")
            continue
        try:
            found[name] = (SHARED | VARIANT)[name].parse(text)
        except ValueError as error:
            problems().append(f"{OF_ONE_PAGE}{error}. The usual value is used.")
    return found


def write_address(setting: InitialSetting, usual: InitialSetting) -> None:
    """Let the address hold what differs from the usual setting; the experiment in it stays."""
    values, defaults = _values(setting), _values(usual)
    own = {f"{OF_ONE_PAGE}{name}": as_text(values[name]) for name in _NAMES if values[name] != defaults[name]}
    rest = {key: text for key, text in st.query_params.items() if not key.startswith(OF_ONE_PAGE)}
    if dict(st.query_params) != rest | own:
        st.query_params.from_dict(rest | own)


def _values(setting: InitialSetting) -> dict[str, Value]:
    network = {name: getattr(setting.network, name) for name in _NAMES[:5]}
    return network | {name: getattr(setting, name) for name in _NAMES[5:]}

"""The settings of this session, as one flat table that every widget shows and every page's address holds.

The table lives in session state, because Streamlit forgets a widget that is not on the page. An address is read when a
session begins, and when its reader goes back or forward in the browser's history.
"""

from typing import TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from bnviz.experiment.addresses import address_of, open_address, to_query
from bnviz.experiment.config import Experiment
from bnviz.experiment.settings import ARCHITECTURE, SHARED, Value, flatten, table
from bnviz.ui.web.server import wait_until_sent

RUN = "id"  # the parameter of an address that names a kept run
OF_ONE_PAGE = "initial_"  # begins the parameters of an address that are no settings of the experiment

T = TypeVar("T")


def read_address() -> None:
    """Take the settings from the address of a new session, or of the entry of the history that was gone to."""
    if "settings" in st.session_state and not came_back():
        return
    experiment, found = open_address(_split_address()[0])
    load(experiment)
    problems().extend(found)


def write_address(experiment: Experiment) -> None:
    """Let the page's address hold the experiment: each change is an entry of the browser's history."""
    query = address_of(experiment)
    now, rest = _split_address()
    if now not in (query, to_query(experiment) or query):  # the first preset has two addresses
        st.query_params.from_dict(query | rest)


def came_back() -> bool:
    """Return whether this run of the page was caused by the browser's Back or Forward."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def _split_address() -> tuple[dict[str, str], dict[str, str]]:
    """The address's parameters of the experiment, and those of a page of its own."""
    rest = {key: text for key, text in st.query_params.items() if key.startswith(OF_ONE_PAGE) or key == RUN}
    return {key: text for key, text in st.query_params.items() if key not in rest}, rest


def load(experiment: Experiment) -> None:
    """Set every setting; only in a callback or before the controls are drawn."""
    defaults = {k: s.default for k, s in table().items() if k in SHARED or k[2:] not in ARCHITECTURE}
    values = defaults | flatten(experiment)
    for own in [k for k in values if k not in SHARED and k[2:] in ARCHITECTURE]:  # the rest of it is what all have
        values |= {f"{own[:2]}{k}": values[k] for k in ARCHITECTURE if f"{own[:2]}{k}" not in values}
    st.session_state["settings"] = values


def set_value(key: str, value: Value) -> None:
    """Set one control; only in a callback."""
    settings()[key] = value


def value(key: str) -> Value:
    """Return one setting."""
    return settings()[key]


def problems() -> list[str]:
    """What was refused in the address or in a file, until the user dismisses it."""
    found: list[str] = st.session_state.setdefault("problems", [])
    return found


def settings() -> dict[str, Value]:
    """Return the table itself: changes of it are changes of the settings."""
    found: dict[str, Value] = st.session_state["settings"]
    return found


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

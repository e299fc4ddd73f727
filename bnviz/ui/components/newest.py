"""Messages of which only the newest counts, such as the places of a slider that is being moved."""

import math
from dataclasses import dataclass

import streamlit as st


@dataclass(frozen=True)
class Move:
    """What a hand has done; at: when, in the browser's milliseconds."""

    at: float
    value: float


def newest_move(key: str) -> Move | None:
    """Return what the component `key` has told as "moved"; None if a newer move was heard before, or it is no number.

    For a callback. The component must be given last_told(key), by which it knows that it has been answered.
    """
    told = st.session_state.get(key, {}).get("moved") or {}  # nothing where the page is just being left
    at, value = told.get("at", 0.0), told.get("value")
    if at < (last_told(key) or 0.0):
        return None
    st.session_state[f"{key}_told"] = at  # not the value: that of two messages may be the same
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return Move(at, float(value))


def last_told(key: str) -> float | None:
    """Return the time of the newest move that has been heard of."""
    at: float | None = st.session_state.get(f"{key}_told")
    return at

"""Messages of which only the newest counts, such as the places of a slider that is being moved."""

import math
from dataclasses import dataclass
from typing import Any, TypeGuard

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
    told = _told(key, "moved")
    at, value = told.get("at", 0.0), told.get("value")
    if not _is_number(at) or at < (last_told(key) or 0.0):
        return None
    st.session_state[f"{key}_told"] = at  # not the value: that of two messages may be the same
    return Move(at, float(value)) if _is_number(value) else None


@dataclass(frozen=True)
class Click:
    """What was clicked in a chart, a number or a label on each axis; at: when, in the browser's milliseconds."""

    at: float
    x: float | str
    y: float | str

    @property
    def place(self) -> tuple[float, float] | None:
        """The place where both axes have numbers."""
        return None if isinstance(self.x, str) or isinstance(self.y, str) else (self.x, self.y)


def last_click(key: str) -> Click | None:
    """Return what was clicked last in the chart `key`; None if nothing was, or it cannot be read."""
    told = _told(key, "click")
    at, x, y = told.get("at"), told.get("x"), told.get("y")
    if not _is_number(at) or not (_is_number(x) or isinstance(x, str)) or not (_is_number(y) or isinstance(y, str)):
        return None
    return Click(at, x, y)


def _told(key: str, name: str) -> dict[str, Any]:
    """Return a component's message; nothing if the page is just being left, or if it is no object."""
    told = st.session_state.get(key, {}).get(name)
    return told if isinstance(told, dict) else {}


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)


def last_told(key: str) -> float | None:
    """Return the time of the newest move that has been heard of."""
    at: float | None = st.session_state.get(f"{key}_told")
    return at

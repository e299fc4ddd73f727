"""The border: what a browser says of a widget is looked at before anything uses it.

Streamlit hands on the values of widgets as they come. One that no browser sends of such a widget, because it has
another type, is none of the choices, out of range or cannot be read, is dropped here, as though it had not been sent:
the widget keeps its value, nothing is logged, and nothing is shown.
"""

import json
from functools import cache, wraps
from typing import Any

from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.runtime.state.common import RegisterWidgetResult, WidgetMetadata, unpack_widget_state_value
from streamlit.runtime.state.session_state import Serialized, SessionState

from bnviz.engine.counters import REFUSALS

MOST_TEXT = 100_000  # characters of one value: a drawing has a quarter of them
MOST_DEPTH = 10  # of one value that is JSON
MOST_NUMBER = 1e15
_JSON = ("json_value", "json_trigger_value")
_ONE_NUMBER = {"int_value", "double_value"}  # a browser tells whole numbers as the first, Streamlit expects the second
_NUMBERS = (*_ONE_NUMBER, "double_array_value")
_UNREADABLE = (TypeError, ValueError, OverflowError, LookupError, AttributeError, RecursionError)


@cache
def guard() -> None:
    """Guard all sessions of this process, from both sides of Streamlit's table of widgets."""
    take, register = SessionState.set_widgets_from_proto, SessionState.register_widget

    @wraps(take)
    def take_what_fits(self: SessionState, told: WidgetStates) -> None:
        """Drop what does not fit a widget that is known from the last run, before its callback sees it."""
        known = self._new_widget_state.widget_metadata
        kept = [w for w in told.widgets if is_readable(w) and (w.id not in known or fits(w, known[w.id]))]
        REFUSALS.labels("value").inc(len(told.widgets) - len(kept))
        take(self, WidgetStates(widgets=kept) if len(kept) < len(told.widgets) else told)

    @wraps(register)
    def register_what_fits(
        self: SessionState, metadata: WidgetMetadata[Any], user_key: str | None
    ) -> RegisterWidgetResult[Any]:
        """Drop what was told of a widget before it was known, as after a lost connection, and does not fit it."""
        table = self._new_widget_state
        if metadata.id not in table.widget_metadata:
            told = table.states.get(metadata.id)
            if isinstance(told, Serialized) and not fits(told.value, metadata):
                del table.states[metadata.id]
                REFUSALS.labels("value").inc()
        return register(self, metadata, user_key)

    SessionState.set_widgets_from_proto = take_what_fits  # type: ignore[method-assign, assignment]
    SessionState.register_widget = register_what_fits  # type: ignore[method-assign]


def is_readable(told: WidgetState) -> bool:
    """Tell whether a value is such as pages use at all: neither too long, nor too deep, nor without end."""
    kind = told.WhichOneof("value")
    if told.ByteSize() > MOST_TEXT:
        return False
    if kind not in _JSON:
        return True
    try:
        return _is_plain(json.loads(getattr(told, kind)))
    except _UNREADABLE:
        return False


def fits(told: WidgetState, metadata: WidgetMetadata[Any]) -> bool:
    """Tell whether the browser side of this very widget may have sent this value."""
    kind = told.WhichOneof("value")
    if kind is None:  # it was cleared
        return True
    if kind != metadata.value_type and not {kind, metadata.value_type} <= _ONE_NUMBER:
        return False
    if kind == "file_uploader_state_value":  # names of files, which Streamlit looks up among those that came
        return True
    choices = getattr(getattr(metadata.deserializer, "__self__", None), "formatted_option_to_option_index", None)
    try:
        value = unpack_widget_state_value(told)
        if choices is not None and not all(each in choices for each in ([value] if isinstance(value, str) else value)):
            return False
        read = metadata.deserializer(value)
        if kind in _NUMBERS and _listed(metadata.serializer(read)) != _listed(value):  # out of range is the default
            return False
    except _UNREADABLE:
        return False
    return True


def _listed(value: Any) -> list[Any]:
    return [value] if isinstance(value, int | float) else list(value)


def _is_plain(value: object) -> bool:
    """Tell whether JSON holds finite numbers alone and is no deeper than MOST_DEPTH."""
    level = [value]
    for _ in range(MOST_DEPTH):
        if not all(abs(each) < MOST_NUMBER for each in level if isinstance(each, int | float)):  # nor for NaN
            return False
        inside = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list))
        level = [each for part in inside for each in part]
        if not level:
            return True
    return False

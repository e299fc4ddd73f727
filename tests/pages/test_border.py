"""What no browser sends, sent to every widget of a page: it changes nothing, shows nothing and is not logged."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.testing.v1 import AppTest

from bnviz.ui.components.newest import last_click, newest_move
from bnviz.ui.web.border import MOST_TEXT, guard
from tests.opening import APP, ROOT, address, page

PAGES = [ROOT / "pages" / f"{name}.py" for name in ("live_lab", "sweep", "inside_batchnorm", "loss_landscape")]
Forge = Callable[[WidgetState], None]


def forged(field: str, value: Any) -> Forge:
    def forge(state: WidgetState) -> None:
        if field.endswith("array_value"):
            getattr(state, field).data.extend(value)
        else:
            setattr(state, field, value)

    return forge


def message(value: object) -> Forge:
    """What a component might have said, under each name that one of ours listens to."""
    names = ("tab", "click", "moved", "ink", "curve", "points", "kept", "rerun")
    return forged("json_value", json.dumps(dict.fromkeys(names, value)))


FORGED: dict[str, Forge] = {
    "a switch": forged("bool_value", True),
    "a whole number": forged("int_value", 2**62),
    "infinity": forged("double_value", float("inf")),
    "no number": forged("double_value", float("nan")),
    "a number beyond all ranges": forged("double_value", -1e300),
    "an unknown choice": forged("string_value", "nonsense"),
    "a long text": forged("string_value", "x" * (MOST_TEXT + 1)),
    "unknown choices": forged("string_array_value", ["nonsense", "and more"]),
    "numbers that are none": forged("double_array_value", [float("nan"), float("inf")]),
    "a list of whole numbers": forged("int_array_value", [1, 2]),
    "bytes": forged("bytes_value", b"\x00\xff"),
    "broken JSON": forged("json_value", '{"click": '),
    "JSON of another type": forged("json_value", "[1, 2]"),
    "deep JSON": forged("json_value", '{"click":' * 100_000 + "1" + "}" * 100_000),
    "JSON some levels too deep": forged("json_value", '{"click":' * 50 + "1" + "}" * 50),
    "infinity in JSON": forged("json_value", '{"click": {"x": Infinity, "y": 1e999, "at": NaN}}'),
    "a number of a thousand digits in JSON": forged(
        "json_value", '{"click": {"x": 1, "y": 1' + "0" * 1000 + ', "at": 0}}'
    ),
    "a message that is a number": message(7),
    "a message that is a list": message([[], {}, None]),
    "a message that is a text": message("nonsense"),
    "a message without what it should hold": message({"at": {}, "x": [], "y": None, "value": "far"}),
    "a message with texts for numbers": message({"at": 1, "x": "nonsense", "y": "nonsense", "value": "nonsense"}),
}


@pytest.fixture(autouse=True)
def _guarded() -> None:
    guard()


def kinds_of_widgets(app: AppTest) -> dict[str, str]:
    """What each widget of the page, by its id, is told as."""
    known = app.session_state._state._state._new_widget_state.widget_metadata
    return {widget: metadata.value_type for widget, metadata in known.items()}


def tell(app: AppTest, forge: Forge, widgets: dict[str, str]) -> None:
    """Tell it of every widget but those of which it may be true."""
    states = WidgetStates()
    for widget, kind in widgets.items():
        if not (forge is FORGED["a switch"] and kind == "bool_value"):
            forge(states.widgets.add(id=widget))
    app._run(states)


def words(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the app and Streamlit said; a busy machine makes Dask say that it is late."""
    ours = (record for record in caplog.records if record.name.split(".")[0] in ("bnviz", "streamlit"))
    return [record.getMessage() for record in ours if "ScriptRunContext" not in record.getMessage()]


@pytest.mark.parametrize("script", PAGES, ids=lambda script: script.stem)
def test_forged_values_change_nothing(script: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = page(script)
    before, widgets = address(app), kinds_of_widgets(app)
    assert len(widgets) > 5
    for name, forge in FORGED.items():
        with caplog.at_level(logging.WARNING):
            tell(app, forge, widgets)
        assert [each.value for each in (*app.exception, *app.error)] == [], name
        assert words(caplog) == [], name
        assert address(app) == before, name


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_forged_values_of_widgets_that_are_not_there_yet_change_nothing(
    forge: Forge, caplog: pytest.LogCaptureFixture
) -> None:
    """As a browser tells of its widgets to a server that was started anew."""
    known = page(PAGES[2])
    app = AppTest.from_file(str(PAGES[2]), default_timeout=90)
    app.session_state["tab"] = "a-tab-of-a-test"
    with caplog.at_level(logging.WARNING):
        tell(app, forge, kinds_of_widgets(known))
    assert [each.value for each in (*app.exception, *app.error)] == []
    assert words(caplog) == []
    assert address(app) == address(known)


def test_what_a_hand_does_comes_through() -> None:
    app = page(APP)
    app.toggle(key="a_batchnorm").set_value(True).run()
    app.selectbox(key="a_init").select("normal").run()
    app.number_input(key="steps").set_value(700).run()
    app.slider(key="smoothing").set_value(7).run()
    assert not app.exception
    assert address(app).items() >= {"a_batchnorm": "on", "a_init": "normal", "steps": "700"}.items()
    assert app.session_state["smoothing"] == 7


@pytest.mark.parametrize("field", ["int_value", "double_value"])
def test_a_whole_number_comes_through_as_either_kind(field: str) -> None:
    app = page(APP)
    (steps,) = [widget for widget in kinds_of_widgets(app) if widget.endswith("-steps")]
    for value in (700, 800):
        tell(app, forged(field, value), {steps: field})
        assert address(app)["steps"] == str(value)


@pytest.mark.parametrize(
    ("told", "place"),
    [
        ({"at": 5, "x": 1, "y": 2.5}, (1, 2.5)),
        ({"at": 5, "x": 1, "y": "layer 2"}, None),
        ({"at": 5, "x": 1}, None),
        ({"at": "now", "x": 1, "y": 2}, None),
        ("nonsense", None),
        (None, None),
    ],
)
def test_a_click_is_read_or_nothing(
    told: object, place: tuple[float, float] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamlit.session_state", {"chart": {"click": told, "moved": told}})
    click = last_click("chart")
    assert (click and click.place) == place
    assert newest_move("chart") is None

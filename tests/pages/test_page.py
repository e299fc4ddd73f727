"""Pages without a browser: their controls, messages and address, in Streamlit's own test runner."""

import pytest
import streamlit as st

from bnviz.experiment.addresses import address_of
from bnviz.experiment.presets import PRESETS
from bnviz.experiment.wording import pace
from bnviz.ui.web import server
from tests.opening import ROOT, address, page


def test_the_default_page_has_every_control_and_no_complaint() -> None:
    app = page()
    keys = {"a_batchnorm", "b_batchnorm", "a_init", "b_init", "hidden_layers", "keep_weights", "speed", "play", "step"}
    for key in keys | {"reset", "new_seed", "batch_size", "learning_rate", "seed", "a_init_scale", "b_bn_eps"}:
        assert app.get_by_key(key) if hasattr(app, "get_by_key") else key in app.session_state, key
    assert [warning.value for warning in app.warning] == []
    assert [error.value for error in app.error] == []


def test_the_app_opens_with_careless_init_and_a_bare_address() -> None:
    app = page()
    assert app.selectbox(key="preset").value == "careless"
    assert app.selectbox(key="a_init").value == app.selectbox(key="b_init").value == "rand"
    assert address(app) == {}


def test_a_control_changes_the_address() -> None:
    app = page(variants="2")
    app.slider(key="hidden_layers").set_value(7)
    app.toggle(key="a_batchnorm").set_value(True).run()
    assert address(app) == {"hidden_layers": "7", "a_batchnorm": "on"}
    app.slider(key="hidden_layers").set_value(1)
    app.toggle(key="a_batchnorm").set_value(False).run()
    assert address(app) == {"variants": "2"}


def test_another_normalizer_is_chosen_in_the_place_of_batchnorm_and_puts_it_away() -> None:
    app = page(variants="2")
    app.selectbox(key="b_normalizer").set_value("group").run()
    assert app.toggle(key="b_batchnorm").value is False
    assert address(app) == {"b_batchnorm": "off", "b_normalizer": "group"}
    app.number_input(key="b_norm_groups").set_value(8).run()
    assert address(app) == {"b_batchnorm": "off", "b_normalizer": "group", "b_norm_groups": "8"}
    app.toggle(key="b_batchnorm").set_value(True).run()
    assert app.selectbox(key="b_normalizer").value == "none"
    assert address(app) == {"variants": "2"}


def test_a_normalizer_that_does_not_fit_is_refused_with_the_reason_and_the_network_trains_without() -> None:
    app = page(variants="2")
    app.selectbox(key="b_normalizer").set_value("instance").run()
    (told,) = [error.value for error in app.error]
    assert told.startswith("b_normalizer: instance norm is over the places of a feature map")
    assert told.endswith("Network B trains without.")
    assert address(app) == {"b_batchnorm": "off"}
    app.selectbox(key="architecture").set_value("lenet").run()
    assert [error.value for error in app.error] == []
    assert address(app)["b_normalizer"] == "instance"


def test_the_preset_of_the_settings_is_named_at_once() -> None:
    app = page(variants="2")
    app.slider(key="hidden_layers").set_value(7).run()
    assert app.selectbox(key="preset").value == "custom"
    app.slider(key="hidden_layers").set_value(1).run()
    assert app.selectbox(key="preset").value == "start"


def test_the_address_that_the_first_preset_always_had_is_left_as_it_is() -> None:
    app = page(a_init="rand", b_init="rand")
    assert app.selectbox(key="preset").value == "careless"
    assert address(app) == {"a_init": "rand", "b_init": "rand"}


def test_another_architecture_outlives_the_network_that_has_it() -> None:
    app = page(variants="3", c_width="16")
    app.slider(key="variants").set_value(2).run()
    app.slider(key="variants").set_value(3).run()
    assert app.toggle(key="c_own").value is True
    assert address(app) == {"variants": "3", "c_width": "16"}


def test_another_width_leaves_the_depth_that_all_networks_have() -> None:
    app = page(variants="3", hidden_layers="5", c_width="16")
    assert address(app) == {"variants": "3", "hidden_layers": "5", "c_width": "16"}
    assert app.slider(key="c_hidden_layers").value == 5


@pytest.mark.parametrize(
    ("rate", "words"),
    [(0.0, "– steps/s"), (0.25, "4.0 s a step"), (1.0, "1.0 steps/s"), (9.9, "9.9 steps/s"), (1234.5, "1,234 steps/s")],
)
def test_the_pace_of_slow_networks_is_told_as_well(rate: float, words: str) -> None:
    assert pace(rate) == words


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_sets_every_control(name: str) -> None:
    app = page(hidden_layers="3", a_batchnorm="on", b_bn_eps="0.5", momentum="0.9", variants="4")
    app.selectbox(key="preset").set_value(name).run()
    assert address(app) == address_of(PRESETS[name].experiment)
    assert app.selectbox(key="preset").value == name


def test_new_seed_counts_up() -> None:
    app = page(seed="41")
    app.button(key="new_seed").click().run()
    assert app.number_input(key="seed").value == 42


def test_an_address_with_another_architecture_for_b_is_taken_and_taken_back() -> None:
    app = page(width="64", b_width="16")
    assert app.toggle(key="b_own").value is True
    assert app.number_input(key="b_width").value == 16
    app.toggle(key="b_own").set_value(False).run()
    assert address(app) == {"width": "64"}


def test_a_batch_of_one_with_batchnorm_is_refused_by_name() -> None:
    app = page()
    app.number_input(key="batch_size").set_value(1).run()
    assert "batch_size: batchnorm needs a batch size from 2 to 1024" in app.error[0].value
    assert not app.exception


def test_a_hostile_address_gives_one_message_and_the_defaults() -> None:
    app = page(hidden_layers="1e9", width="-1", a_init="<script>", evil="1", seed="NaN")
    assert len(app.warning) == 1
    for field in ("hidden_layers", "width", "a_init", "evil", "seed"):
        assert field in app.warning[0].value
    assert "<script>" not in app.warning[0].value
    assert address(app) == {"variants": "2"}


def test_a_sweep_over_normalizers_has_groups_in_the_place_of_batchnorm_and_says_what_does_not_fit() -> None:
    app = page(ROOT / "pages" / "sweep.py")
    app.selectbox(key="sweep_x").set_value("normalizer").run()
    (told,) = [error.value for error in app.error]
    assert told.startswith("normalizer: instance norm is over the places of a feature map")
    app.multiselect(key="sweep_normalizer_choices").set_value(["none", "batch", "group"]).run()
    app.number_input(key="sweep_groups").set_value(8)
    app.selectbox(key="sweep_y").set_value("batch_size").run()
    assert [error.value for error in app.error] == []
    expected = {"x": "normalizer:none,batch,group", "groups": "8", "y": "batch_size:2..256:8:log"}
    assert address(app).items() >= expected.items()
    assert "batchnorm" not in address(app)


def test_a_refused_sweep_leaves_all_that_stands_below_the_message_in_its_place() -> None:
    app = page(ROOT / "pages" / "sweep.py")

    def places() -> list[str]:
        return [str(each.type) for _, each in sorted(app.main.children.items())]

    before = places()
    app.number_input(key="sweep_init_scale_count").set_value(4000).run()
    assert [error.value for error in app.error] == ["This is a sweep of 8,000 networks; at most 4,096 are allowed."]
    assert app.button(key="sweep_start").disabled
    assert places() == before


def test_a_scheduler_that_does_not_answer_is_named_and_this_machine_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    server.stop()
    st.cache_resource.clear()  # the session of the tests before, who found an engine
    monkeypatch.setenv("BNVIZ_SCHEDULER", "tcp://127.0.0.1:1")
    monkeypatch.setattr("bnviz.engine.cluster.CONNECT_TIMEOUT", 0.5)
    app = page()
    assert "BNVIZ_SCHEDULER=tcp://127.0.0.1:1" in app.error[0].value
    app.button(key="local_engine").click().run()
    assert not app.exception
    assert [error.value for error in app.error] == []
    assert len(server.labs().engine.load()) > 0

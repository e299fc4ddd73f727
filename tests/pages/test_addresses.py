"""Every page's address holds the experiment, so that a reload anywhere and a return to the live lab find it again."""

from pathlib import Path

import pytest

from bnviz.experiment.addresses import to_query
from bnviz.experiment.presets import PRESETS
from bnviz.experiment.settings import unflatten
from tests.opening import ROOT, address, page

pytestmark = pytest.mark.slow

# The sweep's address holds a sweep: the settings of its networks, and what varies.
PAGES = sorted(path for path in (ROOT / "pages").glob("*.py") if path.stem != "sweep")
EXPERIMENT = {"steps": "300", "a_init": "normal", "b_bn_momentum": "0.5"}


@pytest.mark.parametrize("script", PAGES, ids=lambda path: path.stem)
def test_a_page_takes_the_experiment_from_its_address_and_keeps_it_there(script: Path) -> None:
    app = page(script, **EXPERIMENT)
    assert address(app) == EXPERIMENT
    found = unflatten(app.session_state["settings"])
    assert found.training.steps == 300
    assert found.variants[0].network.init == "normal"
    assert found.variants[1].batchnorm is not None
    assert found.variants[1].batchnorm.momentum == 0.5


@pytest.mark.parametrize("script", PAGES, ids=lambda path: path.stem)
def test_a_page_writes_the_experiment_that_was_chosen_on_another_page_into_its_address(script: Path) -> None:
    app = page(script, **EXPERIMENT)
    app.query_params.clear()  # as a link to the page leaves it
    app.run()
    assert address(app) == EXPERIMENT


@pytest.mark.parametrize("script", PAGES, ids=lambda path: path.stem)
def test_a_page_says_what_its_address_was_refused(script: Path) -> None:
    app = page(script, steps="-1")
    assert any("steps" in warning.value for warning in app.warning)


def test_with_one_hidden_layer_the_page_on_covariate_shift_says_so_and_offers_five() -> None:
    script = ROOT / "pages" / "covariate_shift.py"
    app = page(script)
    said = [text.value for text in app.markdown if "one hidden layer" in text.value]
    assert len(said) == 1
    app.button(key="deepen").click().run()
    assert address(app) == to_query(PRESETS["deep"].experiment)
    assert [text.value for text in app.markdown if "one hidden layer" in text.value] == []


INITIALIZATION = ROOT / "pages" / "initialization.py"


def test_the_page_on_initialization_keeps_its_own_settings_beside_the_experiment() -> None:
    own = {"initial_init": "he_normal", "initial_init_scale": "2", "initial_width": "64", "initial_batchnorm": "on"}
    app = page(INITIALIZATION, **own, **EXPERIMENT).run()
    assert address(app) == EXPERIMENT | own
    assert not app.warning
    app.number_input(key="initial_width").set_value(32).run().run()
    assert address(app) == EXPERIMENT | own | {"initial_width": "32"}


def test_the_page_on_initialization_says_what_its_address_was_refused() -> None:
    app = page(INITIALIZATION, initial_width="-3", initial_colour="red").run()
    (warning,) = app.warning
    assert "initial_width" in warning.value
    assert "initial_colour is not a setting" in warning.value
    assert app.number_input(key="initial_width").value == 128

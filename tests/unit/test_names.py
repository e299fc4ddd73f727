"""Every choice has one name on the screen, in one home: controls, charts, markers and results take it from there."""

import ast
from pathlib import Path

import pytest

from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, Variant
from bnviz.experiment.inits import INITS, SCHEMES, init_name
from bnviz.experiment.settings import SHARED, VARIANT, Setting
from bnviz.experiment.sweep import Axis
from bnviz.figures.style import title_of

ROOT = Path(__file__).parents[2]
CHOICES = [setting for setting in (SHARED | VARIANT).values() if setting.choices]
HOMES = {ROOT / "bnviz" / "experiment" / name for name in ("inits.py", "choices.py")}
PROPER_NAMES = {  # the others are also plain words, such as "standard deviation"
    *(scheme.name for key, scheme in SCHEMES.items() if scheme.name != key),
    *(name for name in SHARED["activation"].names if name not in SHARED["activation"].choices),
}
SOURCES = sorted({*ROOT.glob("bnviz/**/*.py"), *ROOT.glob("pages/*.py")} - HOMES)


@pytest.mark.parametrize("setting", CHOICES, ids=lambda s: s.key)
def test_every_choice_has_a_name_of_its_own(setting: Setting) -> None:
    assert len(setting.names) == len(setting.choices)
    assert len({*setting.names}) == len(setting.names)
    assert [setting.name_of(choice) for choice in setting.choices] == list(setting.names)
    assert not any("_" in name.replace("√fan_in", "") for name in setting.names)


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        ("init", "rand_fan_in", "U[0,1) / √fan_in"),
        ("activation", "leaky_relu", "leaky ReLU"),
        ("architecture", "lenet", "LeNet"),
        ("bn_inference", "population", "population statistics"),
        ("bn_affine", True, "on"),
        ("bn_noisy", False, "off"),
        ("learning_rate", 0.05, "0.05"),
        ("init_scale", 1.0, "1"),
        ("steps", 1500, "1500"),
    ],
)
def test_a_value_is_named_as_its_setting_says(key: str, value: bool | int | float | str, name: str) -> None:
    assert (SHARED | VARIANT)[key].name_of(value) == name


def test_an_init_is_named_with_its_scale_where_it_has_one() -> None:
    assert init_name("rand") == "U[0,1)"
    assert init_name("rand", 0.01) == "U[0,1) × 0.01"


def test_settings_charts_and_sweeps_have_the_same_name_for_a_scheme() -> None:
    assert VARIANT["init"].names == tuple(SCHEMES[init].name for init in INITS)
    assert Axis("init", choices=INITS).labels == list(VARIANT["init"].names)
    for init in INITS:
        experiment = Experiment(variants=(Variant(NetworkConfig(init=init, init_scale=0.5), BatchNormConfig()),))
        assert title_of(experiment, 0).endswith(f"batchnorm</b></span> · {SCHEMES[init].name} × 0.5")


def test_another_architecture_is_named_as_its_control_names_it() -> None:
    lenet = Experiment(variants=(Variant(NetworkConfig(architecture="lenet")),))
    assert "no batchnorm</b></span> · LeNet · " in title_of(lenet, 0)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_other_place_spells_a_name(source: Path) -> None:
    """Neither the name itself as a text of its own, nor a table from keys of choices to other words for them."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert not texts & PROPER_NAMES
    if source.parent.name == "export":  # whose tables hold code
        return
    keys = [{*setting.choices} for setting in CHOICES]
    for table in (node for node in ast.walk(tree) if isinstance(node, ast.Dict)):
        words = [k.value for k in table.keys if isinstance(k, ast.Constant)]
        values = [v.value for v in table.values if isinstance(v, ast.Constant) and isinstance(v.value, str)]
        named = len(words) > 1 and len(values) == len(table.keys) and any({*words} <= known for known in keys)
        assert not named or {*values} <= set().union(*keys), f"{source}: {values}"

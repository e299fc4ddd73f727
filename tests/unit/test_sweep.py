"""The definition of a sweep: which networks it stands for, what is refused, files and addresses."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnviz.experiment import sweep_addresses
from bnviz.experiment.addresses import from_query, to_query
from bnviz.experiment.config import (
    BatchNormConfig,
    Experiment,
    NetworkConfig,
    NormalizerConfig,
    TrainingConfig,
    Variant,
    replace,
)
from bnviz.experiment.naming import network_names
from bnviz.experiment.sweep import AXES, MAX_NETWORKS, Axis, Sweep, stacks
from tests.builders import values_of

SCALES = Axis("init_scale", 1e-4, 1.0, 5, "log")
INITS = Axis("init", choices=("rand", "xavier_normal"))


def _axes() -> st.SearchStrategy[Axis]:
    def of(key: str) -> st.SearchStrategy[Axis]:
        values = st.lists(values_of(AXES[key]), min_size=2, max_size=4, unique=True)
        return values.map(lambda found: Axis(key, choices=tuple(found)))

    return st.sampled_from(sorted(AXES)).flatmap(of)


sound = st.builds(
    lambda axes, compared, seeds, training: (axes, compared, seeds, training),
    st.lists(_axes(), min_size=1, max_size=2, unique_by=lambda axis: axis.key).map(tuple),
    st.sampled_from(["off", "on", "both"]),
    st.integers(1, 10),
    st.builds(TrainingConfig, batch_size=st.integers(2, 64), steps=st.integers(1, 5000), seed=st.integers(0, 99)),
)


def made(parts: tuple[Any, ...]) -> Sweep | None:
    try:
        return Sweep(*parts)
    except ValueError:  # a batch of one with batchnorm, or running momentum without
        return None


class TestTheNetworks:
    def test_are_the_grid_without_and_with_batchnorm_for_every_seed(self) -> None:
        sweep = Sweep((SCALES, INITS), seeds=3, training=TrainingConfig(seed=7))
        assert sweep.shape == (5, 2, 2, 3)
        assert sweep.count == len(sweep.experiments()) == 60
        last = sweep.experiments()[-1]
        assert last.training.seed == 9
        assert last.variants == (Variant(NetworkConfig(init="xavier_normal", init_scale=1.0), BatchNormConfig()),)
        assert sweep.experiments()[0].variants[0].batchnorm is None

    def test_open_in_the_live_lab_side_by_side(self) -> None:
        sweep = Sweep((SCALES,), training=TrainingConfig(steps=300))
        pair = sweep.pair([2])
        assert from_query(to_query(pair)) == (pair, [])
        assert [v.batchnorm is not None for v in pair.variants] == [False, True]
        assert {v.network.init_scale for v in pair.variants} == {0.01}
        assert pair.training.steps == 300

    @pytest.mark.parametrize("key", sorted(AXES))
    def test_differ_in_the_setting_that_an_axis_names(self, key: str) -> None:
        setting = AXES[key]
        kind: Any = type(setting.default)
        choices = setting.choices or tuple(kind(v) for v in (setting.low or 0, setting.high or 0))
        lenet = NetworkConfig(architecture="lenet" if key == "normalizer" else "mlp")  # which every normalizer fits
        sweep = (
            Sweep((Axis(key, choices=choices),), "both", training=TrainingConfig(batch_size=4), network=lenet)
            if key != ("batch_size")
            else Sweep((Axis(key, choices=(2, 8)),))
        )
        found = sweep.experiments()
        assert len(set(found)) == (len(found) if key != "bn_momentum" else len(found) - 1)  # the same without batchnorm

    def test_take_whole_numbers_once(self) -> None:
        assert Axis("batch_size", 2, 64, 6, "log").values == (2, 4, 8, 16, 32, 64)
        assert Axis("hidden_layers", 1, 3, 9).values == (1, 2, 3)

    def test_begin_and_end_at_the_ends_of_a_range(self) -> None:
        values = Axis("learning_rate", 1e-3, 10.0, 9, "log").values
        assert (values[0], values[4], values[-1]) == (1e-3, 0.1, 10.0)
        assert Axis("momentum", 0.0, 0.9, 4).values == (0.0, 0.3, 0.6, 0.9)

    def test_are_the_same_whatever_stands_in_the_place_of_what_an_axis_varies(self) -> None:
        other = replace(Sweep().network, init_scale=3.0)
        assert Sweep(network=other) == Sweep()


NORMALIZERS = Axis("normalizer", choices=("none", "batch", "layer", "group"))
SIZES = Axis("batch_size", choices=(2, 8))


class TestAnAxisOfNormalizers:
    def test_has_batchnorm_among_them_and_nothing_without_and_with_it(self) -> None:
        sweep = Sweep((SIZES, NORMALIZERS), "both", seeds=3, groups=8)
        assert sweep.shape == (2, 4, 1, 3)
        found = [experiment.variants[0] for experiment in sweep.experiments()[:12:3]]
        other = (NormalizerConfig("layer"), NormalizerConfig("group", 8))
        assert found == [Variant(), Variant(batchnorm=BatchNormConfig()), *(Variant(normalizer=n) for n in other)]
        assert sweep == Sweep((SIZES, NORMALIZERS), "off", seeds=3, groups=8)

    def test_trains_its_networks_as_one_stack(self) -> None:
        experiments = Sweep((SIZES, NORMALIZERS)).experiments()
        assert sorted(map(sorted, stacks(experiments, 8))) == [[0, 1, 2, 3], [4, 5, 6, 7]]

    def test_opens_in_the_live_lab_with_all_of_them_side_by_side(self) -> None:
        pair = Sweep((SIZES, NORMALIZERS)).pair([1, 2])
        assert network_names(pair) == ("no batchnorm", "batchnorm", "layer norm", "group norm")
        assert pair.training.batch_size == 8
        assert from_query(to_query(pair)) == (pair, [])

    def test_survives_an_address_with_options_of_batchnorm_and_groups(self) -> None:
        for axis, options in (
            (NORMALIZERS, BatchNormConfig(eps=0.5)),
            (replace(NORMALIZERS, choices=("rms", "weight")), None),
        ):
            sweep = Sweep((axis, SIZES), options=options or BatchNormConfig(), groups=4)
            assert sweep_addresses.from_query(sweep_addresses.to_query(sweep)) == (sweep, [])
        assert sweep.groups == 2  # without group norm

    @pytest.mark.parametrize(
        ("document", "words"),
        [
            ({"axes": [{"key": "normalizer", "choices": ["none", "instance"]}]}, "normalizer: instance norm is over"),
            (
                {"axes": [{"key": "normalizer", "choices": ["layer", "group"]}], "groups": 3},
                "norm_groups: 3 groups do not part the 128 neurons of hidden layer 1",
            ),
            (
                {"axes": [{"key": "normalizer", "choices": ["layer", "rms"]}, {"key": "width", "choices": [1, 8]}]},
                "normalizer: one value less its own mean is 0",
            ),
            (
                {"axes": [{"key": "normalizer", "choices": ["layer", "batch"]}], "training": {"batch_size": 1}},
                "batch_size: batchnorm needs a batch size from 2 to 1024",
            ),
            ({"groups": 0}, "groups: '0' is not allowed; give a whole number from 1 to 256"),
        ],
        ids=str,
    )
    def test_is_refused_if_one_of_them_does_not_fit(self, document: object, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            sweep_addresses.from_json(json.dumps(document))


class TestStacks:
    def test_hold_networks_of_one_architecture_on_batches_of_one_size(self) -> None:
        sweep = Sweep((Axis("width", choices=(4, 8)), Axis("batch_size", choices=(2, 8))), seeds=2)
        experiments = sweep.experiments()
        found = stacks(experiments, 8)
        assert sorted(i for stack in found for i in stack) == list(range(sweep.count))
        assert len(found) == 4
        for stack in found:
            assert (
                len({(e.variants[0].network.width, e.training.batch_size) for e in map(experiments.__getitem__, stack)})
                == 1
            )

    def test_are_even_and_at_most_so_large(self) -> None:
        experiments = Sweep((Axis("init_scale", 1e-4, 1.0, 20, "log"),)).experiments()
        assert [len(stack) for stack in stacks(experiments, 8)] == [8, 8, 8, 8, 8]
        assert sorted(len(stack) for stack in stacks(experiments, 8, workers=2)) == [6, 6, 7, 7, 7, 7]

    def test_keep_the_networks_of_a_seed_together(self) -> None:
        experiments = Sweep((Axis("init_scale", 1e-4, 1.0, 4, "log"),), seeds=3).experiments()
        for stack in stacks(experiments, 8):
            assert len({experiments[i].training.seed for i in stack}) == 1


class TestBadInput:
    @pytest.mark.parametrize(
        ("document", "words"),
        [
            (
                {"axes": [{"key": "width", "low": 8, "high": 64, "count": 1}]},
                "width.count: 1 is not allowed; give a whole",
            ),
            ({"axes": [{"key": "width", "low": 8, "high": 8, "count": 3}]}, "width: low, 8, must be less than high, 8"),
            ({"axes": [{"key": "width", "low": 8, "high": 8.4, "count": 3}]}, "needs at least 2 different values"),
            ({"axes": [{"key": "init", "choices": ["rand"]}]}, "init: an axis needs at least 2 different values"),
            (
                {"axes": [{"key": "init_scale", "low": 0, "high": 1, "count": 5, "scale": "log"}]},
                "init_scale: a log range cannot start at 0, because only positive numbers have a logarithm",
            ),
            (
                {"axes": [{"key": "momentum", "low": -1, "high": 0.5, "count": 5, "scale": "log"}]},
                "momentum: a log range cannot start at -1",
            ),
            (
                {"axes": [{"key": "nonsense", "low": 1, "high": 2, "count": 2}]},
                "axis: 'nonsense' is no setting to sweep",
            ),
            ({"axes": [{"key": "seed", "low": 1, "high": 2, "count": 2}]}, "give one of init_scale, learning_rate"),
            (
                {"axes": [{"key": "width", "low": 1, "high": 1000, "count": 5}]},
                "width: '1000' is not allowed; give a whole number from 1 to 512",
            ),
            (
                {"axes": [{"key": "init", "choices": ["rand", "swish"]}]},
                "init: 'swish' is not allowed; give one of rand, rand_fan_in",
            ),
            ({"axes": [{"key": "init", "low": 1, "high": 2, "count": 2}]}, "init: give choices, one of rand"),
            ({"axes": [{"key": "width"}]}, "width: give low, high and count, or choices"),
            ({"axes": [{"key": "width", "choices": [1, 2], "count": 2}]}, "width: give either choices, or low"),
            ({"axes": [{"key": "width", "choices": [4, 4, 8]}]}, "width: every value may stand there once"),
            ({"axes": [{"key": "width", "choices": [4, 8]}] * 2}, "axes: width stands there twice"),
            ({"axes": []}, "axes: give one or two axes"),
            (
                {"axes": [{"key": "width", "low": 1, "high": 500, "count": 500}], "seeds": 5},
                "This is a sweep of 5,000 networks; at most 4,096 are allowed",
            ),
            ({"axes": [{"key": "batch_size", "choices": [1, 2]}]}, "batch_size: batchnorm needs a batch size from 2"),
            (
                {"axes": [{"key": "bn_momentum", "choices": [0.1, 0.2]}], "batchnorm": "off"},
                "bn_momentum: networks without batchnorm have none",
            ),
            (
                {"axes": [{"key": "width", "choices": [4, 8]}], "network": {"architecture": "lenet"}},
                "width: lenet has its own; choose architecture mlp",
            ),
            ({"seeds": 11}, "seeds: '11' is not allowed; give a whole number from 1 to 10"),
            ({"batchnorm": "maybe"}, "batchnorm: 'maybe' is not allowed; give one of off, on, both"),
            ({"training": {"steps": 0}}, "training.steps: '0' is not allowed; give a whole number from 1 to 100000"),
            ({"options": {"eps": 2}}, "batchnorm.eps: '2' is not allowed; give a number from 1e-12 to 1"),
            (
                {"axes": [{"key": "init_scale", "choices": [True, 2]}]},
                "init_scale: 'on' is not allowed; give a number",
            ),
            (
                {"axes": [{"key": "width", "choices": [[4], 8]}]},
                "axes.0.choices.0: '·4·' is not allowed; give a list of values",
            ),
            ({"nonsense": 1}, "nonsense is not a field of a sweep"),
            ([], "give a JSON object"),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_is_refused_with_the_field_and_what_is_allowed(self, document: object, words: str) -> None:
        with pytest.raises(ValueError, match=re.escape(words)):
            sweep_addresses.from_json(json.dumps(document))

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("width:1..1e999:3:linear", "high: 'inf' is not allowed; give a number"),
            ("width:--..5:3:linear", "width: '--' is not allowed; give a number"),
        ],
    )
    def test_in_an_address_is_named_too(self, text: str, words: str) -> None:
        assert words in sweep_addresses.from_query({"x": text})[1][0]

    def test_may_be_no_json_at_all(self) -> None:
        with pytest.raises(ValueError, match="This is not a JSON document"):
            sweep_addresses.from_json("{")

    def test_may_be_the_largest_grid_and_no_network_more(self) -> None:
        assert Sweep((Axis("learning_rate", 1e-3, 1.0, MAX_NETWORKS // 4, "log"),), seeds=2).count == MAX_NETWORKS
        with pytest.raises(ValueError, match="at most 4,096"):
            Sweep((Axis("learning_rate", 1e-3, 1.0, MAX_NETWORKS // 4 + 1, "log"),), seeds=2)

    def test_in_an_address_is_told_and_replaced_by_the_default(self) -> None:
        found, problems = sweep_addresses.from_query(
            {"x": "init_scale:0..1:5:log", "seeds": "99", "width": "64", "z": "1"}
        )
        assert found == Sweep(network=NetworkConfig(width=64))
        assert len(problems) == 3
        assert any("a log range cannot start at 0" in p for p in problems)
        assert any("seeds: '99' is not allowed" in p for p in problems)
        assert any("'z' is not a setting" in p for p in problems)

    @given(st.dictionaries(st.sampled_from(["x", "y", "batchnorm", "seeds", "batch_size", "a_bn_eps"]), st.text()))
    def test_in_an_address_never_fails(self, parameters: dict[str, str]) -> None:
        found, _ = sweep_addresses.from_query(parameters)
        assert isinstance(found, Sweep)


@given(sound)
def test_a_sweep_survives_files_and_addresses(parts: tuple[Any, ...]) -> None:
    if (sweep := made(parts)) is None:
        return
    assert sweep_addresses.from_json(sweep_addresses.to_json(sweep)) == sweep
    assert sweep_addresses.from_query(sweep_addresses.to_query(sweep)) == (sweep, [])


def test_a_range_survives_as_a_range() -> None:
    sweep = Sweep(
        (SCALES, INITS), "on", 2, TrainingConfig(learning_rate=0.5), NetworkConfig(width=32), BatchNormConfig(eps=0.1)
    )
    assert sweep_addresses.to_query(sweep) == {
        "x": "init_scale:0.0001..1:5:log",
        "y": "init:rand,xavier_normal",
        "batchnorm": "on",
        "seeds": "2",
        "learning_rate": "0.5",
        "width": "32",
        "a_bn_eps": "0.1",
    }
    assert sweep_addresses.from_query(sweep_addresses.to_query(sweep)) == (sweep, [])


def test_every_network_is_an_experiment_of_its_own() -> None:
    assert all(isinstance(e, Experiment) and len(e.variants) == 1 for e in Sweep().experiments())


def test_values_that_are_close_have_labels_of_their_own_and_an_address() -> None:
    close = Sweep((Axis("init_scale", choices=(1.0000001, 1.0000002)),))
    assert len(set(close.axes[0].labels)) == 2
    long = Sweep((Axis("init_scale", 0.00012345678901234567, 1.0, 3, "log"),))
    for sweep in (close, long):
        assert sweep_addresses.from_query(sweep_addresses.to_query(sweep)) == (sweep, [])


def test_the_rest_of_a_sweep_has_the_defaults_of_what_it_varies() -> None:
    sweep = Sweep((SCALES, Axis("learning_rate", choices=(0.5, 1.0))), network=NetworkConfig(width=32))
    assert sweep.rest == {
        "training": TrainingConfig(),
        "network": NetworkConfig(width=32),
        "options": BatchNormConfig(),
    }

"""Experiments travel through tables, addresses and files unharmed; what strangers send never does any harm."""

import json
import math
import re
import tracemalloc
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bnviz.experiment import addresses, sweep_addresses
from bnviz.experiment.addresses import NoExperimentError, from_query, read_json, to_query
from bnviz.experiment.config import (
    LETTERS,
    BatchNormConfig,
    Experiment,
    NetworkConfig,
    NormalizerConfig,
    TrainingConfig,
    Variant,
    from_json,
    replace,
    to_dict,
    to_json,
)
from bnviz.experiment.settings import (
    FIELDS,
    NORMALIZER,
    SHARED,
    VARIANT,
    Setting,
    flatten,
    mended,
    quoted,
    table,
    unflatten,
)
from tests.builders import experiments, twins

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
ALL_SETTINGS = {s.key: s for s in table().values()}


class TestEveryExperiment:
    @given(experiments)
    def test_survives_the_flat_table(self, experiment: Experiment) -> None:
        assert unflatten(flatten(experiment)) == experiment

    @given(experiments)
    @example(twins(learning_rate=0.123_456_789_012_345_67))
    def test_survives_the_address_bar(self, experiment: Experiment) -> None:
        assert from_query(to_query(experiment)) == (experiment, [])

    @given(experiments)
    def test_survives_json(self, experiment: Experiment) -> None:
        text = to_json(experiment)
        assert from_json(text) == experiment
        assert read_json(text) == (experiment, [])
        assert json.loads(text) == to_dict(experiment)

    @given(experiments)
    def test_survives_the_file_that_a_run_is_exported_to(self, experiment: Experiment) -> None:
        document = {"experiment": to_dict(experiment), "data": "MNIST", "markers": [], "variants": {}}
        assert read_json(json.dumps(document)) == (experiment, [])

    @given(experiments)
    def test_of_a_file_from_before_data_were_a_setting_has_those_beside_it(self, experiment: Experiment) -> None:
        before = to_dict(experiment)
        del before["training"]["data"]
        expected = replace(experiment, training=replace(experiment.training, data="MNIST sample"))
        assert read_json(json.dumps({"experiment": before, "data": "MNIST sample"})) == (expected, [])

    @given(experiments)
    def test_has_an_address_without_the_defaults(self, experiment: Experiment) -> None:
        usual = {key: setting.default for key, setting in ALL_SETTINGS.items()}
        usual["activation"] = {"mlp": "tanh", "lenet": "sigmoid", "cnn": "relu"}[
            experiment.variants[0].network.architecture
        ]
        if experiment.training.optimizer != "sgd":
            slower = {"nesterov": 0.1, "adam": 0.01}[experiment.training.optimizer]
            usual |= {"learning_rate": 0.1 * slower, "final_learning_rate": 0.01 * slower, "momentum": 0.9}
        for key, text in to_query(experiment).items():
            of_the_letters_own = key.partition("_")[2] in ("architecture", "hidden_layers", "width", "activation")
            assert of_the_letters_own or ALL_SETTINGS[key].parse(text) != usual[key]


@pytest.mark.parametrize(
    ("query", "activation"),
    [
        ({}, "tanh"),
        ({"architecture": "lenet"}, "sigmoid"),
        ({"architecture": "lenet", "activation": "tanh"}, "tanh"),
        ({"architecture": "mlp", "activation": "sigmoid"}, "sigmoid"),
    ],
)
def test_lenet_comes_with_sigmoids(query: dict[str, str], activation: str) -> None:
    experiment, problems = from_query(query)
    assert problems == []
    assert {v.network.activation for v in experiment.variants} == {activation}
    assert to_query(experiment) == {k: v for k, v in query.items() if k != "architecture" or v != "mlp"}


@pytest.mark.parametrize(
    ("query", "rates"),
    [
        ({}, (0.1, 0.01, 0.0)),
        ({"optimizer": "nesterov"}, (0.01, 0.001, 0.9)),
        ({"optimizer": "adam"}, (0.001, 0.0001, 0.9)),
        ({"optimizer": "adam", "momentum": "0"}, (0.001, 0.0001, 0.0)),
    ],
)
def test_an_optimizer_comes_with_its_rates(query: dict[str, str], rates: tuple[float, float, float]) -> None:
    experiment, problems = from_query(query)
    t = experiment.training
    assert problems == []
    assert (t.learning_rate, t.final_learning_rate, t.momentum) == rates
    assert to_query(experiment) == query


def test_so_does_the_lenet_of_one_network_alone() -> None:
    experiment, _ = from_query({"b_architecture": "lenet"})
    assert [v.network.activation for v in experiment.variants] == ["tanh", "sigmoid"]
    assert from_query({"b_architecture": "lenet", "b_activation": "tanh"})[0].variants[1].network.activation == "tanh"


def test_the_default_experiment_has_an_empty_address() -> None:
    assert to_query(Experiment()) == {}
    assert from_query({}) == (Experiment(), [])


def test_an_address_is_readable() -> None:
    address = {"hidden_layers": "5", "b_batchnorm": "off", "a_init_scale": "0.01", "learning_rate": "3"}
    experiment, problems = from_query(address)
    network = NetworkConfig(hidden_layers=5)
    assert problems == []
    assert experiment == Experiment(
        TrainingConfig(learning_rate=3.0), (Variant(replace(network, init_scale=0.01)), Variant(network))
    )
    assert to_query(experiment) == address


def test_a_variant_may_have_an_architecture_of_its_own() -> None:
    experiment, problems = from_query({"width": "64", "b_width": "128", "b_activation": "relu"})
    a, b = (v.network for v in experiment.variants)
    assert (a.width, a.activation, b.width, b.activation, problems) == (64, "tanh", 128, "relu", [])
    assert from_query(to_query(experiment)) == (experiment, [])


class TestTheTableOfSettings:
    def test_has_every_field_of_the_configuration(self) -> None:
        shared = [f.name for f in fields(TrainingConfig)]
        of_a_variant = [f.name for f in fields(NetworkConfig)] + [f"bn_{f.name}" for f in fields(BatchNormConfig)]
        assert {*shared} <= {*SHARED}
        assert {*of_a_variant} <= {*SHARED, *VARIANT}

    @pytest.mark.parametrize("setting", [*SHARED.values(), *VARIANT.values()], ids=lambda s: s.key)
    def test_has_a_title_a_help_and_a_range_for_each(self, setting: Setting) -> None:
        assert setting.title
        assert setting.title != setting.key
        assert setting.help.endswith(".")
        is_switch, is_choice = isinstance(setting.default, bool), bool(setting.choices)
        has_range = setting.low is not None and setting.high is not None and setting.low < setting.high
        assert [is_switch, is_choice, has_range].count(True) == 1
        if is_choice:
            assert setting.default in setting.choices
        if has_range:
            assert setting.low <= setting.default <= setting.high  # type: ignore[operator]
            assert math.isfinite(setting.low) and math.isfinite(setting.high)  # type: ignore[arg-type]  # noqa: PT018

    @pytest.mark.parametrize("setting", [*SHARED.values(), *VARIANT.values()], ids=lambda s: s.key)
    def test_accepts_exactly_what_the_configuration_accepts(self, setting: Setting) -> None:
        prefix = "a_" if setting.key in VARIANT else ""
        on = {"a_batchnorm": "on", "batch_size": "64"}
        if setting == NORMALIZER:
            on = {"architecture": "lenet"}  # which every normalizer fits
        if setting.choices:
            for choice in setting.choices:
                assert from_query(on | {prefix + setting.key: choice})[1] == []
        elif not isinstance(setting.default, bool):
            for edge in (setting.low, setting.high):
                assert from_query({prefix + setting.key: f"{edge:.12g}"} | {"b_batchnorm": "off"})[1] == []
            for beyond in (setting.low - 1, setting.high + 1):  # type: ignore[operator]
                assert from_query({prefix + setting.key: f"{beyond:.12g}"})[1] != []

    def test_names_no_letter_but_those_there_are(self) -> None:
        assert {key[0] for key in table() if re.match("[a-z]_", key)} == {*LETTERS.lower()}
        assert not any(key in table() for key in ("a_width", "a_hidden_layers", "a_activation"))


INSTANCE = "normalizer: instance norm is over the places of a feature map, and a dense layer has none"
REFUSED_COMBINATIONS: list[tuple[dict[str, str], str, str]] = [
    ({"a_normalizer": "instance"}, "a_normalizer: instance norm", "architecture lenet"),
    ({"a_normalizer": "group", "a_norm_groups": "3"}, "a_norm_groups: 3 groups", "one of 1, 2, 4, 8, 16, 32, 64. "),
    ({"a_normalizer": "group", "a_norm_groups": "128"}, "a_norm_groups: 128 groups", "at least 2 values"),
    (
        {"a_normalizer": "group", "a_norm_groups": "4", "architecture": "lenet"},
        "a_norm_groups: 4 groups do not part the 6 channels of hidden layer 1",
        "give one of 1, 2. ",
    ),
    ({"a_normalizer": "group", "width": "1"}, "a_norm_groups: 2 groups", "a width from 2 to 512"),
    ({"a_normalizer": "layer", "width": "1"}, "a_normalizer: one value", "a width from 2 to 512, or rms"),
    ({"a_normalizer": "weight", "width": "1", "hidden_layers": "2"}, "a_normalizer: one value", "from 2 to 512"),
    ({"b_normalizer": "layer", "b_batchnorm": "on"}, "b_normalizer: a network has one", "batchnorm off"),
]


class TestANormalizerInThePlaceOfBatchnorm:
    def test_puts_batchnorm_away_in_an_address(self) -> None:
        experiment, problems = from_query({"b_normalizer": "group", "b_norm_groups": "8"})
        assert problems == []
        assert experiment.variants[1] == Variant(normalizer=NormalizerConfig("group", 8))
        assert to_query(experiment) == {"b_batchnorm": "off", "b_normalizer": "group", "b_norm_groups": "8"}

    def test_is_the_same_with_options_that_its_kind_has_not(self) -> None:
        assert NormalizerConfig("layer", groups=8) == NormalizerConfig("layer")
        assert NormalizerConfig("weight", position="after") == NormalizerConfig("weight")

    @pytest.mark.parametrize(("query", "begins", "allowed"), REFUSED_COMBINATIONS, ids=str)
    def test_is_refused_in_an_address_where_it_makes_no_sense(
        self, query: dict[str, str], begins: str, allowed: str
    ) -> None:
        experiment, (problem,) = from_query(query)
        assert problem.startswith(begins)
        assert allowed in problem
        assert problem.endswith(". The default, none, is used.")
        assert_harmless(problem)
        assert all(v.normalizer is None for v in experiment.variants)
        assert all(v.network.width == int(query.get("width", 128)) for v in experiment.variants)

    @pytest.mark.parametrize(("query", "begins", "allowed"), REFUSED_COMBINATIONS, ids=str)
    def test_is_left_out_by_the_controls_which_say_why(self, query: dict[str, str], begins: str, allowed: str) -> None:
        values = {key: table()[key].parse(text) for key, text in query.items()}
        experiment, (error,) = mended(values)
        assert str(error).startswith(begins)
        assert allowed.removesuffix(". ") in str(error)
        assert all(v.normalizer is None for v in experiment.variants)

    def test_is_refused_in_python(self) -> None:
        for norm, network, words in (
            (NormalizerConfig("instance"), NetworkConfig(), INSTANCE),
            (NormalizerConfig("group", 3), NetworkConfig(), "norm_groups: 3 groups"),
            (NormalizerConfig(), NetworkConfig(width=1), "normalizer: one value"),
        ):
            with pytest.raises(ValidationError, match=words):
                Variant(network, normalizer=norm)
        with pytest.raises(ValidationError, match="normalizer: a network has one"):
            Variant(batchnorm=BatchNormConfig(), normalizer=NormalizerConfig())

    def test_is_refused_in_a_file(self) -> None:
        document = {"variants": [{"normalizer": {"kind": "instance"}}, {"normalizer": {"groups": 999}}, {}]}
        experiment, problems = read_json(json.dumps(document))
        assert len(problems) == 2
        assert any(p.startswith(f"variants.A.{INSTANCE}") for p in problems)
        assert "variants.B.normalizer.groups: '999' is not allowed; give a whole number from 1 to 256" in problems[1]
        assert all(p.endswith(". The default is used.") for p in problems)
        assert experiment.variants == (Variant(), Variant(normalizer=NormalizerConfig()), Variant())

    def test_needs_no_batch_of_two(self) -> None:
        experiment, problems = from_query({"batch_size": "1", "b_normalizer": "layer"})
        assert (experiment.training.batch_size, problems) == (1, [])

    def test_is_a_setting_with_every_field(self) -> None:
        assert {f.name for f in fields(NormalizerConfig)} == {*FIELDS["normalizer"]}
        assert {s.key for n, s in FIELDS["normalizer"].items() if n != "kind"} | {"normalizer"} <= {*VARIANT}


class TestAnAddressThatAStrangerWrote:
    @pytest.mark.parametrize(
        ("key", "text", "allowed", "default"),
        [
            ("hidden_layers", "1000000000", "a whole number from 1 to 20", "1"),
            ("hidden_layers", "0", "a whole number from 1 to 20", "1"),
            ("hidden_layers", "2.0", "a whole number from 1 to 20", "1"),
            ("hidden_layers", "", "a whole number from 1 to 20", "1"),
            ("hidden_layers", "٣", "a whole number from 1 to 20", "1"),
            ("width", "9" * 100_000, "a whole number from 1 to 512", "128"),
            ("learning_rate", "nan", "a number from 1e-05 to 10", "0.1"),
            ("learning_rate", "inf", "a number from 1e-05 to 10", "0.1"),
            ("learning_rate", "-1", "a number from 1e-05 to 10", "0.1"),
            ("learning_rate", "1e999", "a number from 1e-05 to 10", "0.1"),
            ("learning_rate", "1_0", "a number from 1e-05 to 10", "0.1"),
            ("learning_rate", " 1", "a number from 1e-05 to 10", "0.1"),
            ("learning_rate", "--1e", "a number from 1e-05 to 10", "0.1"),
            ("momentum", "1", "a number from 0 to 0.999", "0"),
            ("standardize", "yes", "on or off", "off"),
            ("schedule", "<script>alert(1)</script>", "one of linear, constant, cosine", "linear"),
            ("b_batchnorm", "1", "on or off", "on"),
            ("a_init", "__import__('os')", "one of rand, rand_fan_in, normal", "rand_fan_in"),
            ("variants", "7", "a whole number from 1 to 6", "2"),
            ("steps", "1e3", "a whole number from 1 to 100000", "1500"),
            ("seed", str(2**31), "a whole number from 0 to 2147483647", "0"),
        ],
    )
    def test_is_refused_with_the_name_what_is_allowed_and_the_default(
        self, key: str, text: str, allowed: str, default: str
    ) -> None:
        experiment, (problem,) = from_query({key: text})
        assert experiment == Experiment()
        assert problem.startswith(f"{key}: ")
        assert allowed in problem
        assert problem.endswith(f". The default, {default}, is used.")

    def test_has_no_more_problems_than_anybody_reads(self) -> None:
        query = {f"k{i}": "1" for i in range(100_000)} | {"seed": "3"}
        experiment, problems = from_query(query)
        assert experiment == Experiment()
        assert len(problems) == addresses.MOST_PROBLEMS
        assert sweep_addresses.from_query(query)[1] == problems

    def test_keeps_what_is_right_beside_what_is_wrong(self) -> None:
        experiment, problems = from_query({"width": "64", "steps": "x", "b_init": "normal"})
        assert len(problems) == 1
        assert experiment.training == TrainingConfig()
        assert experiment.variants[0].network.width == 64
        assert experiment.variants[1].network.init == "normal"

    @pytest.mark.parametrize("key", ["nonsense", "a_width", "g_init", "A_init", "", "batchnorm", "__class__"])
    def test_may_name_what_is_no_setting(self, key: str) -> None:
        experiment, (problem,) = from_query({key: "1"})
        assert experiment == Experiment()
        assert problem == f"'{key}' is not a setting and was ignored."

    def test_cannot_normalize_over_a_batch_of_one(self) -> None:
        experiment, (problem,) = from_query({"batch_size": "1", "width": "7"})
        assert experiment.training.batch_size == 32
        assert experiment.variants[0].network.width == 7
        assert problem.startswith("batch_size: batchnorm needs a batch size from 2 to 1024")
        assert problem.endswith("The default, 32, is used.")
        assert from_query({"batch_size": "1", "b_batchnorm": "off"})[1] == []

    @given(st.dictionaries(st.sampled_from(sorted(table())) | st.text(max_size=30), st.text(max_size=80), max_size=6))
    @example({"`code`": "$x$", "[a](b)": "![x](y)", "learning_rate": "<script>alert(1)</script>"})
    def test_never_raises_and_never_brings_markup_into_a_message(self, params: dict[str, str]) -> None:
        experiment, problems = from_query(params)
        assert from_query(to_query(experiment)) == (experiment, [])
        for problem in problems:
            assert_harmless(problem)


REFUSED: list[tuple[object, str, str]] = [
    ({"training": {"learning_rate": math.nan}}, "training.learning_rate", "a number from 1e-05 to 10"),
    ({"training": {"learning_rate": math.inf}}, "training.learning_rate", "a number from 1e-05 to 10"),
    ({"training": {"learning_rate": "0.1"}}, "training.learning_rate", "a number from 1e-05 to 10"),
    ({"training": {"learning_rate": None}}, "training.learning_rate", "a number from 1e-05 to 10"),
    ({"training": {"learning_rate": [0.1]}}, "training.learning_rate", "a number from 1e-05 to 10"),
    ({"training": {"steps": 1.5}}, "training.steps", "a whole number from 1 to 100000"),
    ({"training": {"steps": True}}, "training.steps", "a whole number from 1 to 100000"),
    ({"training": {"steps": 10**4000}}, "training.steps", "a whole number from 1 to 100000"),
    ({"training": {"standardize": "on"}}, "training.standardize", "on or off"),
    ({"training": {"schedule": "<b>"}}, "training.schedule", "one of linear, constant, cosine"),
    ({"training": []}, "training", "a JSON object"),
    ({"training": None}, "training", "a JSON object"),
    ({"variants": []}, "variants", "from 1 to 6 networks"),
    ({"variants": [{}] * 7}, "variants", "from 1 to 6 networks"),
    ({"variants": [None]}, "variants.A", "a JSON object"),
    ({"variants": "AB"}, "variants", "a JSON object"),
    ({"variants": {"0": {}}}, "variants", "a JSON object"),
    ({"variants": [{}, {"network": {"hidden_layers": 10**9}}]}, "variants.B.network.hidden_layers", "1 to 20"),
    ({"variants": [{"network": {"init": 3}}]}, "variants.A.network.init", "one of rand, rand_fan_in"),
    ({"variants": [{"batchnorm": {"eps": 0}}]}, "variants.A.batchnorm.eps", "a number from 1e-12 to 1"),
    ({"variants": [{"batchnorm": True}]}, "variants.A.batchnorm", "a JSON object"),
    ({"variants": [{"batchnorm": {"momentum": -1}}]}, "variants.A.batchnorm.momentum", "from 0.001 to 1"),
]


class TestAFileThatAStrangerWrote:
    @pytest.mark.parametrize(
        ("document", "name", "allowed"), REFUSED, ids=[json.dumps(document)[:70] for document, _, _ in REFUSED]
    )
    def test_is_refused_with_the_name_and_what_is_allowed(self, document: object, name: str, allowed: str) -> None:
        experiment, (problem,) = read_json(json.dumps(document))
        assert problem.startswith(f"{name}: ")
        assert allowed in problem
        assert problem.endswith(". The default is used.")
        assert experiment.training == TrainingConfig()
        assert all(v in (Variant(), Variant(batchnorm=BatchNormConfig())) for v in experiment.variants)

    @pytest.mark.parametrize(
        "document", [{"nonsense": 1}, {"training": {"rate": 1}}, {"variants": [{"network": {"": 1}}]}], ids=str
    )
    def test_may_have_fields_that_are_no_settings(self, document: object) -> None:
        experiment, (problem,) = read_json(json.dumps(document))
        assert "is not a setting" in problem
        assert experiment.training == TrainingConfig()

    @pytest.mark.parametrize(
        "text",
        ["", "{", "not json", b"\xff\xfe\x00", b"\x89PNG", '{"a": 1', '"\\ud800"', "[" * 100_000, "{'a': 1}"],
        ids=lambda text: str(text[:10]),
    )
    def test_may_be_no_json_at_all(self, text: str | bytes) -> None:
        with pytest.raises(NoExperimentError, match="not a JSON document"):
            read_json(text)

    @pytest.mark.parametrize("text", ["null", "[]", "1", '"x"', "NaN", "[[[[]]]]", '{"experiment": null}'])
    def test_may_be_no_object(self, text: str) -> None:
        with pytest.raises(NoExperimentError, match="experiment: give a JSON object"):
            read_json(text)

    def test_may_be_nested_deeply(self) -> None:
        nested = '{"training":' * 150 + "1" + "}" * 150
        experiment, problems = read_json(nested)
        assert experiment == Experiment()
        assert len(problems) == 1

    @pytest.mark.parametrize(
        "text",
        [
            '{"variants":[' + "1," * 490_000 + "1]}",
            '{"variants":[{' + ",".join(f'"k{i}":1' for i in range(90_000)) + "}]}",
            '{"experiment":{' + ",".join(f'"k{i}":1' for i in range(90_000)) + "}}",
            '{"training":{"steps":[' + "[1]," * 200_000 + "1]}}",
        ],
        ids=lambda text: text[:25],
    )
    def test_with_more_values_than_any_is_refused_before_each_is_told_of(self, text: str) -> None:
        tracemalloc.start()
        with pytest.raises(NoExperimentError, match="no experiment has more than 5,000 values"):
            read_json(text)
        with pytest.raises(ValueError, match="no sweep has more than"):
            sweep_addresses.from_json(text)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 50 * len(text)  # sentences of all took 600 bytes for each of these

    def test_with_seven_networks_is_told_how_many_there_may_be(self) -> None:
        _, (problem,) = read_json('{"variants":[' + "{}," * 6 + "{}]}")
        assert "give from 1 to 6 networks" in problem

    def test_keeps_what_is_right_beside_what_is_wrong(self) -> None:
        document = {
            "training": {"steps": 20, "batch_size": 0, "seed": -1},
            "variants": [{"network": {"width": 9, "activation": "swish"}}, {"batchnorm": {"eps": "tiny"}}],
        }
        experiment, problems = read_json(json.dumps(document))
        assert len(problems) == 4
        assert experiment == Experiment(
            TrainingConfig(steps=20), (Variant(NetworkConfig(width=9)), Variant(batchnorm=BatchNormConfig()))
        )

    def test_cannot_normalize_over_a_batch_of_one(self) -> None:
        experiment, (problem,) = read_json('{"training": {"batch_size": 1, "steps": 9}}')
        assert experiment == Experiment(TrainingConfig(steps=9))
        assert problem.startswith("batch_size: batchnorm needs a batch size from 2 to 1024")

    def test_with_thousands_of_wrong_fields_is_read_as_quickly_as_any(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """In a few looks at the document, not in one for each field: a large file must not hold up the server."""
        looks = []

        def counted(text: str | bytes) -> Experiment:
            looks.append(text)
            return from_json(text)

        monkeypatch.setattr(addresses, "from_json", counted)
        document = {f"field {i}": i for i in range(500)} | {"training": {f"knob {i}": i for i in range(500)}}
        experiment, problems = read_json(json.dumps(document))
        assert experiment == Experiment()
        assert problems
        assert len(looks) <= 5

    @settings(max_examples=200)
    @given(
        JSON
        | st.fixed_dictionaries(
            {},
            optional={
                "training": JSON | st.dictionaries(st.sampled_from(sorted(SHARED)) | st.text(max_size=8), JSON),
                "variants": JSON
                | st.lists(
                    st.fixed_dictionaries(
                        {},
                        optional={
                            "network": JSON | st.dictionaries(st.sampled_from(sorted(SHARED | VARIANT)), JSON),
                            "batchnorm": JSON | st.dictionaries(st.sampled_from(["eps", "momentum", "affine"]), JSON),
                        },
                    ),
                    max_size=8,
                ),
            },
        )
    )
    def test_never_brings_markup_into_a_message(self, document: object) -> None:
        experiment, problems = read(json.dumps(document))
        assert experiment is None or from_json(to_json(experiment)) == experiment
        for problem in problems:
            assert_harmless(problem)

    @given(st.binary(max_size=40) | st.text(max_size=40))
    def test_may_hold_anything(self, content: str | bytes) -> None:
        experiment, problems = read(content)
        assert isinstance(experiment, Experiment) or problems
        assert all(problems)


def read(content: str | bytes) -> tuple[Experiment | None, list[str]]:
    """As read_json, with the reason why there is no experiment among the problems."""
    try:
        return read_json(content)
    except NoExperimentError as error:
        return None, [str(error)]


MARKUP = re.compile(r"[`\[\]{}<>$*#|~\\&!\n\r\t\x00]|://|www\.|@|:\w+:", re.IGNORECASE)


def assert_harmless(message: str) -> None:
    """Short, one line, and nothing that Markdown or HTML would take for more than text: messages are shown as both."""
    assert not MARKUP.search(message), message
    assert len(message) < 300
    assert message.isprintable()


class TestAStrangersTextInAMessage:
    @given(st.text())
    @example("<script>alert(1)</script>")
    @example("[click](javascript:alert(1)) `code` $\\frac{1}{2}$ **bold** ![image](x) # | ~ &lt;")
    @example("https://example.org www.example.org WWW.example.org me@example.org")
    @example(":material/home: :red-background[x] :smile:")
    @example("\u202e\u2066\u0000\n\r\x1b[31m")
    @example("x" * 100_000)
    def test_is_short_one_line_and_free_of_markup(self, text: str) -> None:
        assert_harmless(quoted(text))

    def test_stays_readable_where_it_is_harmless(self) -> None:
        assert quoted("learning rate, 0.1 (x=1e-3; 5%) naïve") == "'learning rate, 0.1 (x=1e-3; 5%) naïve'"


class TestAConfiguration:
    def test_cannot_be_changed(self) -> None:
        with pytest.raises(AttributeError):
            Experiment().training = TrainingConfig()  # type: ignore[misc]

    @pytest.mark.parametrize("changes", [{"steps": 0}, {"steps": "5"}, {"learning_rate": math.nan}], ids=str)
    def test_is_validated_also_when_it_is_changed(self, changes: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            replace(TrainingConfig(), **changes)

    def test_with_batchnorm_needs_a_batch_of_two(self) -> None:
        alone = (Variant(),)
        assert Experiment(TrainingConfig(batch_size=1), alone).training.batch_size == 1
        with pytest.raises(ValidationError, match="batch_size"):
            Experiment(TrainingConfig(batch_size=1))

    @given(experiments, st.integers(0, 5))
    def test_exchanges_one_variant_and_leaves_the_others(self, experiment: Experiment, place: int) -> None:
        place %= len(experiment.variants)
        other = Variant(NetworkConfig(width=3))
        found = experiment.with_variant(place, other)
        assert found.variants[place] == other
        assert found.variants[:place] == experiment.variants[:place]
        assert found.variants[place + 1 :] == experiment.variants[place + 1 :]
        assert found.training == experiment.training

    @given(st.integers(1, 100_000))
    def test_keeps_from_about_15_to_about_200_frames_a_run(self, steps: int) -> None:
        every = TrainingConfig(steps=steps).keep_every
        assert steps / every <= 200
        assert steps / every >= min(steps, 14) / 2

"""A run as one file: nothing is lost, and whatever a stranger puts into one is refused with a sentence."""

import io
import json
import math
import resource
import struct
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnviz.experiment.config import BatchNormConfig, Experiment, NetworkConfig, TrainingConfig, Variant, Watch
from bnviz.experiment.edits import Edit, plan
from bnviz.export import packing
from bnviz.export.columns import BOOL, COUNTS, FLOATS, WrongNumbersError, from_parquet, to_parquet
from bnviz.export.packing import BESIDE, blocks, layout_of, pack, unpack
from bnviz.export.run_file import RunFileError, from_bytes, to_bytes
from bnviz.export.run_tables import TABLES
from bnviz.records.history import History
from bnviz.records.kept_run import KeptRun
from bnviz.records.recipe import Recipe
from tests.builders import experiments, trainer_of, twins
from tests.keeping import SMALL, MadeUp, made_up_run
from tests.running import plain

if TYPE_CHECKING:
    from bnviz.training.batches import Batches

WRITTEN: dict[str, Any] = {"compression": "none", "store_schema": False, "use_dictionary": False}
GOOD = to_bytes(made_up_run())
FIRST_FORMAT = Path(__file__).with_name("run_of_format_1.bnviz").read_bytes()  # the same run, by the version before


def small(experiment: Experiment) -> Experiment:
    """The same experiment of narrow networks, which is as telling and a hundredth of the work."""
    thin = [replace(v, network=replace(v.network, width=min(v.network.width, 3))) for v in experiment.variants]
    return replace(experiment, variants=tuple(thin))


class TestWhatIsWritten:
    @settings(max_examples=40)
    @given(experiments.map(small), st.lists(experiments.map(small), max_size=2), st.integers(0, 999), st.integers(0, 2))
    def test_is_read_to_the_bit(self, begun: Experiment, later: list[Experiment], seed: int, frames: int) -> None:
        edits = []
        for tick, experiment in enumerate(later):
            restart = frozenset(range(seed % (1 + len(experiment.variants))))
            edits.append((tick * 7, Edit(experiment, restart, frozenset({0}), "init N(0,1)")))
        watches: tuple[Watch | None, ...] = (None, "inference", "landscape")
        run = made_up_run(begun, seed=seed, frames=frames, points=seed % 50, edits=edits, watch=watches[seed % 3])
        assert plain(from_bytes(to_bytes(run))) == plain(run)

    def test_is_the_same_file_of_the_same_run(self) -> None:
        assert to_bytes(from_bytes(GOOD)) == GOOD == to_bytes(made_up_run())

    def test_is_read_in_the_format_of_earlier_versions_too(self) -> None:
        assert plain(from_bytes(FIRST_FORMAT)) == plain(made_up_run())

    def test_keeps_the_bits_of_a_nan(self) -> None:
        made = MadeUp(0)
        values = made.floats(1000)
        assert len({v.tobytes() for v in values if np.isnan(v)}) == 2  # what the other tests rely on

    def test_of_an_earlier_version_names_its_data_beside_the_experiment(self) -> None:
        """They are a setting of the experiment now, and of every edit."""
        edited = replace(SMALL, training=replace(SMALL.training, learning_rate=0.5))
        files = members(to_bytes(made_up_run(edits=[(2, Edit(edited))])))
        document = json.loads(files["run.json"]) | {"data": "MNIST sample"}
        for experiment in (document["experiment"], document["edits"][0]["experiment"]):
            del experiment["training"]["data"]
        recipe = from_bytes(packed(files | {"run.json": json.dumps(document).encode()})).recipe
        assert recipe.experiment.training.data == recipe.newest.training.data == "MNIST sample"

    def test_may_be_a_run_that_has_shown_nothing_yet(self) -> None:
        run = KeptRun(Recipe(SMALL), "0.1.0", History(SMALL).view())
        assert plain(from_bytes(to_bytes(run))) == plain(run)

    def test_is_refused_where_the_curves_are_of_another_experiment(self) -> None:
        with pytest.raises(RunFileError, match="not those of its experiment"):
            to_bytes(replace(made_up_run(), recipe=Recipe(twins(NetworkConfig(width=4), steps=31))))

    def test_is_refused_where_a_record_has_another_shape(self) -> None:
        run = made_up_run()
        wide = made_up_run(twins(NetworkConfig(width=5), steps=30)).view
        with pytest.raises(RunFileError, match="units whose shape is not"):
            to_bytes(replace(run, view=replace(wide, experiment=SMALL)))


def trained(experiment: Experiment, batches: "Batches", watch: Watch | None, edit: Edit | None = None) -> KeptRun:
    trainer, history = trainer_of(experiment, batches), History(experiment, watch=watch)
    trainer._watch = watch
    history.add(trainer.advance(steps=0))
    while not trainer.finished:
        history.add(trainer.advance(steps=7, evaluate=False))
        if edit and trainer.tick == 12:
            history.edit(edit, trainer.edit(edit))
    edits = ((12, edit),) if edit else ()
    return KeptRun(Recipe(experiment, watch, edits), "0.1.0", history.view(), ("It ended.",))


LENET = NetworkConfig(architecture="lenet", activation="sigmoid", init="xavier_uniform")
BEGINNINGS = {
    "careless": twins(NetworkConfig(hidden_layers=2, width=20, init="rand"), steps=40),
    "diverging": twins(NetworkConfig(init="normal", init_scale=100.0, activation="relu"), steps=30, learning_rate=10.0),
    "convolutions": twins(LENET, steps=3),
    "after": Experiment(
        TrainingConfig(steps=30), (Variant(NetworkConfig(width=9), BatchNormConfig(position="after")),)
    ),
}


@pytest.mark.parametrize("watch", [None, "inference", "landscape"])
@pytest.mark.parametrize("name", BEGINNINGS)
def test_a_real_run_is_read_to_the_bit(name: str, watch: Watch | None, batches: "Batches") -> None:
    run = trained(BEGINNINGS[name], batches, watch)
    assert any(layer.histograms for f in run.view.variants[0].frames for layer in f.layers)
    assert plain(from_bytes(to_bytes(run))) == plain(run)


def test_a_run_that_was_edited_is_read_to_the_bit(batches: "Batches") -> None:
    begun = BEGINNINGS["careless"]
    edit = plan(begun, begun.with_variant(0, begun.variants[1]), keep_weights=True)
    run = trained(begun, batches, None, edit)
    assert run.view.markers
    assert plain(from_bytes(to_bytes(run))) == plain(run)


@pytest.mark.slow
def test_a_run_of_five_layers_with_all_its_frames_takes_less_than_two_megabytes_and_opens_in_a_second(
    batches: "Batches",
) -> None:
    """Of 200 frames, as `benchmarks/store.py` measures; here of 50, at the pace of those."""
    network = NetworkConfig(hidden_layers=5, init="xavier_normal")
    experiment = twins(network, steps=5000, batch_size=2, learning_rate=0.01)
    trainer, history = trainer_of(experiment, batches), History(experiment)
    while not trainer.finished:
        history.add(trainer.advance())
    view = history.view()
    frames = len(view.variants[0].frames)
    content = to_bytes(KeptRun(Recipe(experiment), "0.1.0", view))
    begin = time.process_time()
    from_bytes(content)
    assert time.process_time() - begin < 1
    assert frames >= 50
    assert len(content) / frames < 2e6 / 200


# -- what strangers may send ----------------------------------------------------------------------------------------


def members(content: bytes = GOOD) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(found: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in found.items():
            archive.writestr(name, content)
    return out.getvalue()


def with_document(change: Callable[[dict[str, Any]], object]) -> bytes:
    found = members()
    document = json.loads(found["run.json"])
    change(document)
    return packed(found | {"run.json": json.dumps(document).encode()})


def with_table(name: str, change: Callable[[pa.Table], pa.Table], **options: Any) -> bytes:
    """The columns of this one are not packed."""
    found = members(FIRST_FORMAT)
    out = io.BytesIO()
    table = change(pq.read_table(io.BytesIO(found[f"{name}.parquet"])))
    pq.write_table(table, out, **(WRITTEN | options))
    return packed(found | {f"{name}.parquet": out.getvalue()})


def column(
    name: str, values: Callable[[np.ndarray], np.ndarray], *, nullable: bool = False
) -> Callable[[pa.Table], pa.Table]:
    """A change of one column of a table."""

    def change(table: pa.Table) -> pa.Table:
        array = pa.array(values(table[name].to_numpy().copy()))
        return table.set_column(table.column_names.index(name), pa.field(name, array.type, nullable), array)

    return change


def first(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        values[0] = value
        return values

    return change


def repeated(times: int) -> Callable[[pa.Table], pa.Table]:
    return lambda table: pa.concat_tables([table] * times).combine_chunks()


def refused(content: bytes) -> str:
    """The sentence with which a file is refused, without much time or memory."""
    before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(RunFileError) as told:
        from_bytes(content)
    assert time.process_time() - begin < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kilobytes
    sentence = str(told.value)
    assert sentence.startswith("This run file cannot be used: ")
    assert sentence.endswith(".")
    assert len(sentence) < 400
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"\x00" * 1000, b"not a zip", GOOD[:-30], GOOD[100:], GOOD[: len(GOOD) // 2]]
)
def test_what_is_no_zip_is_refused(content: bytes) -> None:
    assert "no zip, or a damaged one" in refused(content)


class TestAZip:
    def test_with_more_or_fewer_members_is_refused(self) -> None:
        found = members()
        assert "does not hold" in refused(packed(found | {"more.txt": b""}))
        assert "does not hold" in refused(packed({k: v for k, v in found.items() if k != "layers.parquet"}))

    @pytest.mark.parametrize("name", ["../run.json", "/etc/passwd", "a/../../run.json", "run.json/", "RUN.JSON"])
    def test_with_another_name_is_refused(self, name: str) -> None:
        found = members()
        found[name] = found.pop("run.json")
        assert "does not hold" in refused(packed(found))

    def test_that_holds_a_name_twice_is_refused(self) -> None:
        out = io.BytesIO(GOOD)
        with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(out, "a") as archive:
            archive.writestr("run.json", b"{}")
        assert "does not hold" in refused(out.getvalue())

    @pytest.mark.parametrize("name", ["run.json", "units.parquet"])
    def test_that_unpacks_to_too_much_is_refused_unread(self, name: str) -> None:
        bomb = packed(members() | {name: bytes(300 * 2**20)})
        assert len(bomb) < 2**20
        assert "larger than" in refused(bomb)

    def test_that_lies_about_its_size_is_no_larger_than_it_says(self) -> None:
        bomb = bytearray(packed(members() | {"units.parquet": bytes(300 * 2**20)}))
        while (at := bomb.find(struct.pack("<I", 300 * 2**20))) >= 0:
            bomb[at : at + 4] = struct.pack("<I", 1000)
        assert "damaged" in refused(bytes(bomb))

    @pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_that_is_packed_in_another_way_is_refused(self, compression: int) -> None:
        assert "packed in another way" in refused(packed(members(), compression))

    def test_of_very_many_members_is_refused(self) -> None:
        assert "larger than" in refused(packed({str(k): b"" for k in range(20_000)}))

    def test_with_a_password_is_refused(self) -> None:
        locked = bytearray(GOOD)
        for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            at = locked.find(signature)
            while at >= 0:
                locked[at + flags] |= 1
                at = locked.find(signature, at + 4)
        assert "damaged" in refused(bytes(locked))


WRONG_FIELDS: list[tuple[str, object, str]] = [
    ("version", "<script>", "version"),
    ("more", 1, "more"),
    ("data", "CIFAR", "data"),
    ("watch", "everything", "watch"),
    ("experiment.training.steps", 0, "training.steps: '0' is not allowed; give a whole number from 1 to 100000"),
    ("experiment.training.learning_rate", math.nan, "learning_rate"),
    ("experiment.training.batch_size", 1, "batch_size: batchnorm needs"),
    ("experiment.training.speed", 1, "speed is not a setting"),
    ("experiment.variants", [], "give from 1 to 6 networks"),
    ("experiment", None, "experiment"),
    ("findings", ["x" * 5000], "findings"),
    ("findings", ["x"] * 1000, "findings"),
    ("findings", ["two\nlines"], "findings"),
    ("findings", ["\u202ebackwards"], "findings"),
    ("latest.seconds", math.nan, "seconds"),
    ("latest.step", -1, "step"),
    ("markers.0.at", [[7, 1, 1.0]], "markers"),
    ("markers.0.label", 1, "label"),
    ("latest", None, "too many rows in frames"),
]


class TestADocument:
    @pytest.mark.parametrize(
        "text", [b"", b"[]", b"{}", b"null", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000]
    )
    def test_that_is_no_object_of_a_run_is_refused(self, text: bytes) -> None:
        refused(packed(members() | {"run.json": text}))

    def test_of_another_format_is_refused_by_name(self) -> None:
        found = refused(with_document(lambda d: d.update(format=3, more="fields")))
        assert "it has format 3, and this version of bnviz reads formats 1 and 2" in found

    @pytest.mark.parametrize(("path", "value", "said"), WRONG_FIELDS, ids=range(len(WRONG_FIELDS)))
    def test_with_a_wrong_field_is_refused_by_its_name(self, path: str, value: object, said: str) -> None:
        def change(document: Any) -> None:
            *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
            for parent in parents:
                document = document[parent]
            document[last] = value

        assert said in refused(with_document(change))

    def test_without_one_of_its_fields_is_refused(self) -> None:
        document = json.loads(members()["run.json"])
        for name in document:
            less = {key: value for key, value in document.items() if key != name}
            assert name in refused(packed(members() | {"run.json": json.dumps(less).encode()}))

    def test_with_a_number_of_5000_digits_is_refused(self) -> None:
        text = members()["run.json"].replace(b'"steps": 30', b'"steps": 1' + b"0" * 5000)
        assert "not JSON" in refused(packed(members() | {"run.json": text}))

    @pytest.mark.parametrize(
        ("ticks", "restart", "said"), [((9, 3), [], "order of their ticks"), ((3, 9), [2], "network that is not there")]
    )
    def test_with_edits_that_cannot_be_is_refused(self, ticks: tuple[int, int], restart: list[int], said: str) -> None:
        def change(document: dict[str, Any]) -> None:
            same = {"experiment": document["experiment"], "restart": restart, "redraw": [], "label": ""}
            document["edits"] = [{"tick": tick} | same for tick in ticks]

        assert said in refused(with_document(change))

    def test_of_other_networks_than_its_numbers_is_refused(self) -> None:
        assert "rows in" in refused(with_document(lambda d: d["experiment"]["variants"][0]["network"].update(width=5)))
        assert "rows in" in refused(with_document(lambda d: d["experiment"]["variants"].pop()))


@pytest.mark.parametrize(
    "written",
    [
        WRITTEN,
        {"data_page_size": 1000, "write_batch_size": 64},
        {"column_encoding": {"a": "BYTE_STREAM_SPLIT", "b": "BYTE_STREAM_SPLIT", "c": "PLAIN"}},
    ],
)
def test_a_table_is_read_as_pyarrow_reads_it(written: dict[str, Any]) -> None:
    """Of one page or several, with numbers as they are or split into their bytes."""
    columns = {"a": FLOATS, "b": COUNTS, "c": BOOL}
    made, count = MadeUp(0), 5003
    table = pa.table(
        {"a": made.floats(count), "b": made.random.integers(-9, 9, count), "c": made.random.random(count) < 0.5},
        schema=pa.schema(
            [pa.field(k, t, False) for k, t in zip("abc", (pa.float32(), pa.int64(), pa.bool_()), strict=True)]
        ),
    )
    out = io.BytesIO()
    pq.write_table(table, out, **(WRITTEN | written))
    found = from_parquet(out.getvalue(), columns, count)
    assert {k: v.tobytes() for k, v in found.items()} == {k: table[k].to_numpy().tobytes() for k in "abc"}
    back = pq.read_table(io.BytesIO(to_parquet(found)))
    assert {k: v.tobytes() for k, v in found.items()} == {k: back[k].to_numpy().tobytes() for k in "abc"}


class TestATable:
    @pytest.mark.parametrize("name", TABLES)
    def test_that_is_not_parquet_is_refused(self, name: str) -> None:
        assert f"its table {name} is damaged" in refused(packed(members() | {f"{name}.parquet": b"PAR1 no PAR1"}))

    @pytest.mark.parametrize(
        ("table", "name", "value"),
        [
            ("points", "seconds", np.nan),
            ("frames", "seconds", np.nan),
            ("frames", "seconds", np.inf),
            ("frames", "step", -1),
            ("frames", "test_accuracy", 1.5),
            ("frames", "losses", -5),
            ("networks", "stride", 0),
            ("networks", "points", 10**7),
            ("networks", "frames", 10**6),
            ("networks", "frames", -1),
            ("layers", "places", 99),
            ("layers", "places", -1),
            ("places", "place", 9),
            ("places", "magnification", 3),
            ("units", "saturated", np.nan),
            ("units", "saturated", 2.0),
            ("histograms", "count", -1),
            ("smoothness", "rate", np.nan),
        ],
    )
    def test_with_a_number_that_cannot_be_is_refused(self, table: str, name: str, value: float) -> None:
        content = with_table(table, column(name, first(value)))
        assert f"it has impossible numbers in {table}.{name}" in refused(content)

    @pytest.mark.parametrize("name", TABLES)
    def test_with_too_few_or_too_many_rows_is_refused(self, name: str) -> None:
        assert "rows in" in refused(with_table(name, lambda table: table.slice(1)))
        assert "rows in" in refused(with_table(name, repeated(2)))

    @pytest.mark.parametrize("name", ["frames", "layers", "places"])
    def test_with_a_million_frames_is_refused(self, name: str) -> None:
        count = 1 + 10**6 // len(pq.read_table(io.BytesIO(members(FIRST_FORMAT)[f"{name}.parquet"])))
        assert f"its table {name} is too large" in refused(with_table(name, repeated(count)))

    def test_with_other_columns_is_refused(self) -> None:
        assert "does not have the columns" in refused(with_table("units", lambda t: t.drop_columns(["mean"])))
        assert "does not have the columns" in refused(with_table("units", lambda t: t.rename_columns(["a", "b"])))
        assert "does not have the columns" in refused(with_table("units", lambda t: t.append_column("c", t["mean"])))

    @pytest.mark.parametrize("dtype", ["float16", "int64", "str", "bool", "datetime64[ns]", "int8"])
    def test_of_another_dtype_is_refused(self, dtype: str) -> None:
        content = with_table("units", column("mean", lambda x: np.ones(len(x)).astype("int64").astype(dtype)))
        assert "other numbers than float32 or float64 in mean" in refused(content)

    def test_with_missing_values_is_refused(self) -> None:
        assert "missing values" in refused(with_table("units", column("mean", first(1.0), nullable=True)))

    def test_of_lists_is_refused(self) -> None:
        def lists(table: pa.Table) -> pa.Table:
            return table.set_column(0, "mean", pa.array([[1.0]] * len(table)))

        refused(with_table("units", lists))

    def test_that_is_packed_once_more_is_refused(self) -> None:
        assert "parts that it should not have" in refused(with_table("units", lambda t: t, compression="zstd"))

    def test_of_several_parts_is_refused(self) -> None:
        assert "parts that it should not have" in refused(with_table("units", lambda t: t, row_group_size=3))

    def test_that_repeats_one_value_many_times_is_refused(self) -> None:
        """A few bytes that stand for a gigabyte, by Parquet's own dictionary."""

        def many(table: pa.Table) -> pa.Table:
            return pa.table(
                [pa.array(np.zeros(6 * 10**7, np.float64))], schema=pa.schema([pa.field("value", pa.float64(), False)])
            )

        content = with_table("quantiles", many, use_dictionary=True, row_group_size=10**9)
        assert len(content) < 10**6
        assert "its table quantiles is too large" in refused(content)


def test_frames_that_go_back_are_refused() -> None:
    run = made_up_run()
    variants = tuple(replace(v, frames=v.frames[::-1]) for v in run.view.variants)
    assert "order of their steps" in refused(to_bytes(replace(run, view=replace(run.view, variants=variants))))


@pytest.mark.parametrize("where", ["zip", "document", pytest.param("tables", marks=pytest.mark.slow)])
def test_a_file_with_flipped_bits_is_read_or_refused_and_nothing_else(where: str) -> None:
    random = np.random.default_rng(0)
    found = members()
    read = 0
    for _ in range(1500):
        if where == "zip":
            content = _flipped(GOOD, random)
        else:
            names = [name for name in found if (name == "run.json") == (where == "document")]
            name = str(random.choice(names))
            content = packed(found | {name: _flipped(found[name], random)}, zipfile.ZIP_STORED)
        try:
            run = from_bytes(content)
        except RunFileError:
            continue
        read += 1
        assert isinstance(run, KeptRun)
        if where == "zip":  # whose checksums see every change of what matters
            assert plain(run) == plain(from_bytes(GOOD))
        else:
            assert plain(from_bytes(to_bytes(run))) == plain(run)
    assert read < 1400


def _flipped(content: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(content)
    for place in random.integers(0, len(content), random.integers(1, 6)):
        changed[place] ^= 1 << int(random.integers(0, 8))
    return bytes(changed)


def test_a_table_whose_checksum_is_right_and_whose_bytes_are_cut_is_refused() -> None:
    for name, content in members().items():
        for end in range(0, len(content), max(1, len(content) // 20)):
            refused(packed(members() | {name: content[:end]}))


class TestAPackedColumn:
    """A stranger says how it is to be unpacked: in the document, and in two tables."""

    def test_is_smaller(self) -> None:
        """Numbers on a grid that move little from frame to frame, and an odd one among them."""
        moved = np.random.default_rng(0).integers(-9, 9, (200, 300)).cumsum(0)
        values = (moved / 256 + 5).astype(np.float32).reshape(-1)
        values[[7, 30_000]] = np.nan, -0.0
        layout = layout_of([(1, 300)] * 200)
        small = pack(values, layout)
        assert small is not None
        assert unpack(small, layout, "float32").tobytes() == values.tobytes()
        assert small.k.max() < 2**13
        assert len(zlib.compress(to_parquet({"k": small.k}))) < len(zlib.compress(to_parquet({"x": values}))) / 1.5

    @settings(max_examples=200)
    @given(st.integers(0, 10**6), st.lists(st.tuples(st.integers(1, 4), st.integers(1, 150)), min_size=1, max_size=3))
    def test_is_read_to_the_bit_or_not_packed(self, seed: int, layout: list[tuple[int, int]]) -> None:
        random = np.random.default_rng(seed)
        scale = 2.0 ** random.integers(-140, 120, sum(frames * rows for frames, rows in layout))
        values = MadeUp(seed).floats(len(scale)) * np.where(seed % 2, scale, 1).astype(np.float32)
        if (small := pack(values, layout)) is not None:
            assert unpack(small, layout, "float32").tobytes() == values.tobytes()
        whole = random.integers(-(2**31), 2**31, len(scale)).astype(np.int32)
        small = pack(whole, layout)
        assert small is not None
        assert unpack(small, layout, "int32").tobytes() == whole.tobytes()

    @pytest.mark.parametrize("at_once", [1, 70, 500, 10**6])
    def test_is_unpacked_in_pieces_of_any_size(self, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
        layout = [(9, 200), (30, 3), (1, 64)]
        values = (np.random.default_rng(0).integers(-99, 99, 9 * 200 + 30 * 3 + 64) / 8).astype(np.float32)
        small = pack(values, layout)
        monkeypatch.setattr(packing, "_AT_ONCE", at_once)
        assert small is not None
        assert unpack(small, layout, "float32").tobytes() == values.tobytes()

    @pytest.mark.parametrize("part", [(0, 10**9), (10**9, 0), (-1, 5), (-1, -5)])
    def test_without_a_frame_or_a_row_is_refused_at_once(self, part: tuple[int, int]) -> None:
        small = pack(np.ones(12, np.float32), [(3, 4)])
        assert small is not None
        tracemalloc.start()
        with pytest.raises(WrongNumbersError, match="not of the size of its numbers"):
            unpack(small, [(3, 4), part], "float32")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 10**6

    @pytest.mark.parametrize(("frames", "rows"), [(1, 4_000_000), (4_000_000, 1), (2000, 2000)])
    def test_of_zeros_without_end_takes_no_four_times_what_the_zip_declares(self, frames: int, rows: int) -> None:
        found, layout = members(), [(frames, rows)]
        document = json.loads(found["run.json"])
        document["packed"].append({"table": "quantiles", "column": "value", "frames": layout, "odd": 0})
        grids = from_parquet(found["grids.parquet"], BESIDE["grids"], 10**6)["g"]
        hostile = found | {
            "run.json": json.dumps(document).encode(),
            "quantiles.parquet": to_parquet({"value": np.zeros(frames * rows, np.int64)}),
            "grids.parquet": to_parquet({"g": np.append(grids, np.zeros(blocks(layout), np.int32))}),
        }
        content = packed(hostile)
        assert len(content) < 200_000
        tracemalloc.start()
        assert "too many rows in quantiles" in refused(content)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4 * sum(map(len, hostile.values()))

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda c: c.update(frames=[[10**9, 10**9]]), "not of the size of its numbers"),
            (lambda c: c.update(frames=[*c["frames"], [1, 0]]), "frames.2.1: '0' is not allowed"),
            (lambda c: c.update(frames=[*c["frames"], [0, 10**9]]), "packed.0.frames.2.0: '0' is not allowed"),
            (lambda c: c.update(frames=[[5, 1], *c["frames"]]), "not of the size of its numbers"),
            (lambda c: c.update(frames=[[0, 10**9]] * 20_000), "frames"),
            (lambda c: c.update(odd=10**9), "too few rows in odd"),
            (lambda c: c.update(odd=0), "in odd"),
            (lambda c: c.update(odd=-1), "odd"),
            (lambda c: c.update(column="seconds"), "packed columns are not those of a run"),
            (lambda c: c.update(table="networks", column="frames"), "packed columns are not those of a run"),
            (lambda c: c.update(column="saturated"), "packed columns are not those of a run"),
        ],
        ids=range(11),
    )
    def test_that_is_told_wrongly_is_refused(self, change: Callable[[dict[str, Any]], object], said: str) -> None:
        names = [(c["table"], c["column"]) for c in json.loads(members()["run.json"])["packed"]]
        assert names[:2] == [("units", "mean"), ("units", "saturated")]
        assert said in refused(with_document(lambda d: change(d["packed"][0])))

    def test_without_what_belongs_to_it_is_refused(self) -> None:
        of_first = set(members(FIRST_FORMAT))
        less = {name: content for name, content in members().items() if name in of_first}
        assert "packed columns are not those of a run" in refused(packed(less))
        assert "other numbers than" in refused(with_document(lambda d: d.update(packed=[])))

    @pytest.mark.parametrize(
        ("table", "columns", "said"),
        [
            ("grids", lambda c: {"g": np.full_like(c["g"], 10**6)}, "impossible numbers in grids.g"),
            ("grids", lambda c: {"g": c["g"][:-1]}, "impossible numbers in grids.g"),
            ("grids", lambda c: {"g": np.append(c["g"], c["g"][:1])}, "too many rows in grids"),
            ("odd", lambda c: c | {"row": np.full_like(c["row"], -1)}, "impossible numbers in odd.row"),
            ("odd", lambda c: c | {"row": np.full_like(c["row"], 10**6)}, "impossible numbers in odd.row"),
            ("odd", lambda c: {k: np.append(v, v[:1]) for k, v in c.items()}, "too many rows in odd"),
        ],
        ids=range(6),
    )
    def test_with_wrong_numbers_beside_it_is_refused(
        self, table: str, columns: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]], said: str
    ) -> None:
        found = members()
        own = from_parquet(found[f"{table}.parquet"], BESIDE[table], 10**6)
        assert said in refused(packed(found | {f"{table}.parquet": to_parquet(columns(own))}))

    def test_of_numbers_without_end_is_read_or_refused(self) -> None:
        found = members()
        own = from_parquet(found["grids.parquet"], BESIDE["grids"], 10**6)
        huge = {"g": np.full_like(own["g"], 1200)}
        assert "impossible numbers in units.saturated" in refused(packed(found | {"grids.parquet": to_parquet(huge)}))

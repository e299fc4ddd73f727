"""A run as one file, `.bnviz`: a zip of a JSON document and of tables in Parquet. Nothing in it is ever executed.

The long tables are packed (`packing.py`), and what belongs to that is in two more tables.

It comes from strangers too. How much may be in it is known before anything is unpacked, and reading it takes less
than four times that; whatever is not as `to_bytes` would write it refuses the whole file.
"""

import io
import zlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, LargeZipFile, ZipFile, ZipInfo

import numpy as np

from bnviz.export import run_document
from bnviz.export.columns import COUNTS, Column, WrongNumbersError, from_parquet, row_bytes, to_parquet
from bnviz.export.packing import BESIDE, PACKED, Layout, Packed, blocks, pack, unpack
from bnviz.export.recipe_document import DocumentError
from bnviz.export.run_checks import MOST_ROWS, check
from bnviz.export.run_document import Document, PackedColumn
from bnviz.export.run_tables import TABLES, TableReader, Tables, TableWriter
from bnviz.records.frames import Frame
from bnviz.records.history import View
from bnviz.records.kept_run import KeptRun

SUFFIX = ".bnviz"
MOST_UNPACKED = 128 * 2**20  # bytes, which two networks of twenty layers of 128 reach three times over with all frames
MOST_PACKED = MOST_UNPACKED
MOST_JSON = 16 * 2**20
_TOO_LARGE = f"it is larger than {MOST_UNPACKED >> 20} MB"
_DOCUMENT = "run.json"
_FIRST_MEMBERS = {_DOCUMENT, *(f"{table}.parquet" for table in TABLES)}  # of the first format
_MEMBERS = _FIRST_MEMBERS | {f"{table}.parquet" for table in BESIDE}
_ENTRY = b"PK\x01\x02"  # begins each entry of a zip's table of contents
_BROKEN = (BadZipFile, LargeZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)


class RunFileError(ValueError):
    """Raised for a file that holds no run that could be read, with one sentence for the user."""

    def __init__(self, words: str) -> None:
        super().__init__(f"This run file cannot be used: {words}.")


def to_bytes(run: KeptRun) -> bytes:
    """Return the run as a file. Raises RunFileError for one that is too large or that `from_bytes` would not read."""
    view = run.view
    if view.experiment != run.recipe.newest:
        raise RunFileError("its curves are not those of its experiment")
    writer = TableWriter()
    try:
        for history, variant in zip(view.variants, view.experiment.variants, strict=True):
            writer.history(history, variant)
        for frame, variant in zip(view.latest.variants if view.latest else (), view.experiment.variants, strict=False):
            writer.frame(frame, variant)
        tables = writer.tables()
        check(tables)
        tables, packed = _packed(tables, writer.layouts())
        document = run_document.to_json(run, packed)
    except DocumentError as error:
        raise RunFileError(str(error)) from error
    except WrongNumbersError as error:
        raise RunFileError(f"it {error}") from error
    members = {_DOCUMENT: document} | {f"{name}.parquet": to_parquet(columns) for name, columns in tables.items()}
    if sum(map(len, members.values())) > MOST_UNPACKED or len(document) > MOST_JSON:
        raise RunFileError(_TOO_LARGE)
    out = io.BytesIO()
    with ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(ZipInfo(name), content, ZIP_DEFLATED)  # without a date: equal runs are equal files
    return out.getvalue()


def from_bytes(content: bytes) -> KeptRun:
    """Return the run of a file. Raises RunFileError and nothing else, whatever the bytes are."""
    members = _unpacked(content)
    try:
        document = run_document.from_json(members.pop(_DOCUMENT))
    except DocumentError as error:
        raise RunFileError(str(error)) from error
    packed = document.packed or ()
    tables = _tables(members, packed)
    del members  # no more is held at a time than need be
    try:
        tables = _unpacked_tables(tables, packed)
        check(tables)
        return document.run(_view(document, tables))
    except WrongNumbersError as error:
        raise RunFileError(f"it {error}") from error


def unpacked_size(content: bytes) -> int:
    """Return the bytes that are in a file which `from_bytes` has read."""
    with ZipFile(io.BytesIO(content)) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def _unpacked(content: bytes) -> dict[str, bytes]:
    """Return the members by name. No more is unpacked than the zip declares, which is bounded first."""
    if len(content) > MOST_PACKED or content.count(_ENTRY) > 1000:
        raise RunFileError(_TOO_LARGE)
    found: dict[str, bytes] = {}
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            names = sorted(entry.filename for entry in entries)
            if names not in (sorted(_MEMBERS), sorted(_FIRST_MEMBERS)):
                raise RunFileError("it does not hold what a run consists of")
            sizes = {entry.filename: entry.file_size for entry in entries}
            if sum(sizes.values()) > MOST_UNPACKED or sizes[_DOCUMENT] > MOST_JSON:
                raise RunFileError(_TOO_LARGE)
            for entry in entries:
                if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or entry.file_size < 0:
                    raise RunFileError("it is packed in another way than run files are")
                with archive.open(entry) as member:
                    found[entry.filename] = member.read(entry.file_size)  # read() alone would unpack whatever comes
    except RunFileError:
        raise
    except _BROKEN as error:
        raise RunFileError("it is no zip, or a damaged one") from error
    return found


def _packed(tables: Tables, layouts: Mapping[str, Layout]) -> tuple[Tables, list[PackedColumn]]:
    """Return the tables as they are written, and what is packed in them."""
    written = {name: dict(columns) for name, columns in tables.items()}
    told, found = [], []
    for table, dtype in PACKED.items():
        for column, values in tables[table].items():
            if values.dtype == dtype and (small := pack(values, layouts[table])) is not None:
                written[table][column] = small.k
                told.append(PackedColumn(table, column, tuple(layouts[table]), len(small.rows)))
                found.append(small)
    beside = {"grids": ("g",), "odd": ("rows", "values")}
    for table, fields in beside.items():
        written[table] = {
            column: np.concatenate([np.empty(0, dtypes[0]), *(getattr(small, field) for small in found)])
            for (column, dtypes), field in zip(BESIDE[table].items(), fields, strict=True)
        }
    return written, told


def _unpacked_tables(tables: Tables, packed: Sequence[PackedColumn]) -> Tables:
    """Return the tables of a run. Raises WrongNumbersError for parts that do not fit together."""
    found = {name: dict(tables[name]) for name in TABLES}
    grids = odd = 0
    for one in packed:
        end, odd_end = grids + blocks(one.frames), odd + one.odd
        g, rows, values = tables["grids"]["g"], tables["odd"]["row"], tables["odd"]["value"]
        if odd_end > len(rows):
            raise WrongNumbersError("has too few rows in odd")
        small = Packed(tables[one.table][one.column], g[grids:end], rows[odd:odd_end], values[odd:odd_end])
        found[one.table][one.column] = unpack(small, one.frames, PACKED[one.table])
        grids, odd = end, odd_end
    for table, used in (("grids", grids), ("odd", odd)):
        if table in tables and used != len(next(iter(tables[table].values()))):
            raise WrongNumbersError(f"has too many rows in {table}")
    return found


def _tables(members: Mapping[str, bytes], packed: Sequence[PackedColumn]) -> Tables:
    """Return the tables as they are written. Raises RunFileError for one that is not as it is told to be."""
    names = [(one.table, one.column) for one in packed]
    known = {(table, column) for table in PACKED for column in TABLES[table]}
    if len(set(names)) < len(names) or not known.issuperset(names) or (names and len(members) < len(_MEMBERS) - 1):
        raise RunFileError("its packed columns are not those of a run")
    tables: dict[str, dict[str, Column]] = {}
    room = MOST_UNPACKED
    for name, columns in (TABLES | BESIDE).items():
        if (content := members.get(f"{name}.parquet")) is None:
            continue
        told = {column: COUNTS if (name, column) in names else dtypes for column, dtypes in columns.items()}
        most = min(MOST_ROWS.get(name, room), room // row_bytes(told))
        try:
            tables[name] = from_parquet(content, told, most)
        except WrongNumbersError as error:
            raise RunFileError(f"its table {name} {error}") from error
        room -= sum(column.nbytes for column in tables[name].values())
    return tables


def _view(document: Document, tables: Tables) -> View:
    experiment = document.recipe().newest
    reader = TableReader(tables, experiment)
    histories = reader.histories()
    latest = None
    if document.latest:
        now, shown = document.latest, tuple(reader.frame(variant) for variant in experiment.variants)
        latest = Frame(now.tick, now.step, now.seconds, now.finished, shown)
    reader.end()
    for history in histories:
        if any(one.step >= other.step for one, other in pairwise(history.frames)):
            raise WrongNumbersError("has frames that are not in the order of their steps")
    return View(experiment, histories, latest, document.marks())

"""A run as one file, `.bnviz`: a zip of a JSON document and of tables in Parquet. Nothing in it is ever executed.

It comes from strangers too. How much may be in it is known before anything is unpacked; whatever is not as `to_bytes`
would write it refuses the whole file.
"""

import io
import zlib
from itertools import pairwise
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, LargeZipFile, ZipFile, ZipInfo

from bnviz.export import run_document
from bnviz.export.columns import Column, WrongNumbersError, from_parquet, row_bytes, to_parquet
from bnviz.export.recipe_document import DocumentError
from bnviz.export.run_checks import MOST_ROWS, check
from bnviz.export.run_document import Document
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
_MEMBERS = {_DOCUMENT: _DOCUMENT} | {f"{table}.parquet": table for table in TABLES}
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
        document = run_document.to_json(run)
        for history, variant in zip(view.variants, view.experiment.variants, strict=True):
            writer.history(history, variant)
        for frame, variant in zip(view.latest.variants if view.latest else (), view.experiment.variants, strict=False):
            writer.frame(frame, variant)
        tables = writer.tables()
        check(tables)
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
    tables = _tables(members)
    try:
        check(tables)
        return document.run(_view(document, tables))
    except WrongNumbersError as error:
        raise RunFileError(f"it {error}") from error


def _unpacked(content: bytes) -> dict[str, bytes]:
    """Return the members by name. No more is unpacked than the zip declares, which is bounded first."""
    if len(content) > MOST_PACKED or content.count(_ENTRY) > 1000:
        raise RunFileError(_TOO_LARGE)
    found: dict[str, bytes] = {}
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if sorted(entry.filename for entry in entries) != sorted(_MEMBERS):
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


def _tables(members: dict[str, bytes]) -> Tables:
    tables: dict[str, dict[str, Column]] = {}
    room = MOST_UNPACKED
    for name, columns in TABLES.items():
        most = min(MOST_ROWS.get(name, room), room // row_bytes(columns))
        try:
            tables[name] = from_parquet(members[f"{name}.parquet"], columns, most)
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

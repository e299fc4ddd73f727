"""Flat columns of numbers as Parquet: what a stranger's file holds is known and bounded before any of it is read.

There are no lists, no missing values and no compression inside, because a few bytes of any of them may stand for
gigabytes. What is small here is small by the zip around it, which is bounded while it is unpacked. pyarrow writes the
files, and any program reads them; here they are read by hand, which so plain a form allows, because pyarrow ends the
process over some malformed files.
"""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from bnviz.experiment.wording import listed
from bnviz.export.thrift import CompactReader, MalformedError

Column = npt.NDArray[Any]
Columns = Mapping[str, tuple[str, ...]]  # the dtypes that each column may have, by its name

BOOL, INT = ("bool",), ("int64",)
DOUBLE = ("float64",)
FLOATS, COUNTS = ("float32", "float64"), ("int32", "int64")  # as the records have them

# Numbers of Parquet's own definition, parquet.thrift.
_MAGIC = b"PAR1"
_DTYPES = {0: "bool", 1: "int32", 2: "int64", 4: "float32", 5: "float64"}
_DATA_PAGE, _PLAIN, _SPLIT = 0, 0, 9


class WrongNumbersError(ValueError):
    """Raised for numbers that are not those of a run, with the words for what is wrong with them: 'is damaged'."""


def to_parquet(columns: Mapping[str, Column]) -> bytes:
    """Return the columns, all of one length, as a file of one row group; every bit of every number stays."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = [pa.array(column) for column in columns.values()]
    fields = [pa.field(name, array.type, nullable=False) for name, array in zip(columns, arrays, strict=True)]
    out = io.BytesIO()
    pq.write_table(
        pa.table(arrays, schema=pa.schema(fields)),
        out,
        row_group_size=max(len(arrays[0]), 1),
        compression="none",
        use_dictionary=False,  # which would make one NaN of all
        write_statistics=False,
        store_schema=False,
        data_page_version="1.0",
        column_encoding={  # alike bytes side by side, which a zip packs better
            name: "PLAIN" if column.dtype == bool else "BYTE_STREAM_SPLIT" for name, column in columns.items()
        },
    )
    return out.getvalue()


def row_bytes(columns: Columns) -> int:
    """Return the most bytes that one row takes."""
    return sum(max(np.dtype(dtype).itemsize for dtype in dtypes) for dtypes in columns.values())


def from_parquet(content: bytes, columns: Columns, most_rows: int) -> dict[str, Column]:
    """Return the columns of a file that `to_parquet` wrote.

    Raises WrongNumbersError for other columns, dtypes or features of Parquet, and for more rows.
    """
    try:
        return _read(content, columns, most_rows)
    except WrongNumbersError:
        raise
    except (
        MalformedError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
    ) as error:  # a field is missing, or is other
        raise WrongNumbersError("is damaged") from error


def _read(content: bytes, columns: Columns, most_rows: int) -> dict[str, Column]:
    length = int.from_bytes(content[-8:-4], "little")
    if content[:4] != _MAGIC or content[-4:] != _MAGIC or length > len(content) - 12:
        raise MalformedError
    footer = CompactReader(content, len(content) - 8 - length).struct()
    schema = footer[2][1:]  # without its root
    if [element[4].decode("utf-8", "replace") for element in schema] != list(columns):
        raise WrongNumbersError(f"does not have the columns {listed(list(columns))}")
    rows, groups = footer[3], footer[4]
    if not 0 <= rows <= most_rows:
        raise WrongNumbersError("is too large")
    if len(groups) > 1 or bool(rows) > len(groups):
        raise WrongNumbersError("has parts that it should not have")
    found = {}
    for k, (name, dtypes) in enumerate(columns.items()):
        element = schema[k]
        dtype = _DTYPES.get(element[1], "")
        if dtype not in dtypes or 6 in element or 10 in element:  # a number that stands for something else
            raise WrongNumbersError(f"has other numbers than {' or '.join(dtypes)} in {name}")
        if element[3] != 0 or 5 in element:
            raise WrongNumbersError(f"has lists or missing values in {name}")
        found[name] = _column(content, groups[0][1][k][3], dtype, rows) if rows else np.empty(0, dtype)
    return found


def _column(content: bytes, chunk: Any, dtype: str, rows: int) -> Column:
    """Read the pages of one column. chunk: its metadata."""
    if chunk[4] != 0 or 11 in chunk:  # compressed, or with a dictionary
        raise WrongNumbersError("has parts that it should not have")
    reader, pages, left = CompactReader(content, chunk[9]), [], rows
    if chunk[9] < 0:
        raise MalformedError
    while left > 0:
        header = reader.struct()
        count, encoding = header[5][1], header[5][2]
        page = content[reader.at : reader.at + header[3]]
        size = -(-count // 8) if dtype == "bool" else count * np.dtype(dtype).itemsize
        if header[1] != _DATA_PAGE or not 0 < count <= left or not len(page) == header[3] == size:
            raise MalformedError
        pages.append(_page(page, dtype, count, encoding))
        reader.at += size
        left -= count
    return pages[0] if len(pages) == 1 else np.concatenate(pages)


def _page(page: bytes, dtype: str, count: int, encoding: int) -> Column:
    values = np.frombuffer(page, np.uint8)
    if dtype == "bool" and encoding == _PLAIN:
        return np.unpackbits(values, count=count, bitorder="little").astype(bool)
    if dtype == "bool" or encoding not in (_PLAIN, _SPLIT):
        raise WrongNumbersError("has parts that it should not have")
    in_turn = np.ascontiguousarray(values.reshape(-1, count).T).reshape(-1) if encoding == _SPLIT else values
    return in_turn.view(f"<{np.dtype(dtype).str[1:]}")

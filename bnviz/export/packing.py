"""Columns that change little from frame to frame, as small whole numbers, and back to the bit.

    x[t] = x[t - 1] + 2^g z[t],  x[-1] = 0,  k = 2 z if z >= 0, else -2 z - 1

x[t] are the numbers of a column in frame t, z[t] whole numbers, k what is written, and g the exponents, one for each
BLOCK rows of a frame: the largest with which all z of the block are whole. So k is small, and its upper bytes are zero,
where the numbers have few digits and move little. What this cannot hold, such as NaN, is written beside it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from bnviz.export.columns import INT, Column, Columns, WrongNumbersError

# Tables whose columns are packed where they are of this dtype; the others are short, or noise to their last bit.
PACKED = {"units": "float32", "percentiles": "float32", "histograms": "int32", "quantiles": "float32"}
BESIDE: dict[str, Columns] = {"grids": {"g": ("int32",)}, "odd": {"row": INT, "value": ("float32",)}}
BLOCK = 64  # rows
_EXPONENTS = -1200, 1200  # more than a float64 has
_ANY = np.iinfo(np.int32).max
_AT_ONCE = 2**16  # numbers that are unpacked at a time, because that takes several times their room

Layout = Sequence[tuple[int, int]]  # how many frames, and how many rows each of them has; one after the other


@dataclass(frozen=True)
class Packed:
    """One column. k: (rows,). g: (blocks,). rows, values: which numbers are odd ones, and what they are."""

    k: Column
    g: Column
    rows: Column
    values: Column


def layout_of(frames: Iterable[tuple[int, int]]) -> Layout:
    """Return the layout of frames: of each, which network's it is, and its rows."""
    return [(len(list(alike)), rows) for (_, rows), alike in groupby(frames) if rows]


def blocks(layout: Layout) -> int:
    """Return how many blocks the frames of a layout have."""
    return sum(frames * -(-rows // BLOCK) for frames, rows in layout)


def pack(column: Column, layout: Layout) -> Packed | None:
    """Return a column of float32 or int32 packed; None if that cannot be done to the bit, or if nothing is in it."""
    if not column.size:
        return None
    odd = ~np.isfinite(column) | ((column == 0) & np.signbit(column))
    change = np.where(odd, 0, column).astype(np.float64)
    for begin, end, rows in _parts(layout):
        change[begin:end] = np.diff(change[begin:end].reshape(-1, rows), axis=0, prepend=0).reshape(-1)
    sizes = _block_sizes(layout)
    g = np.minimum.reduceat(_whole_with(change), np.cumsum(sizes) - sizes)
    g[g == _ANY] = 0
    z = np.ldexp(change, -np.repeat(g, sizes))
    if not np.abs(z).max() < 2**53:
        return None
    k = np.where(z >= 0, 2 * z, -2 * z - 1)
    dtype = np.int32 if k.max() < 2**31 else np.int64
    (places,) = np.nonzero(odd)
    packed = Packed(k.astype(dtype), g, places.astype(np.int64), column[places].astype(np.float32))
    return packed if unpack(packed, layout, column.dtype.name).tobytes() == column.tobytes() else None


def unpack(packed: Packed, layout: Layout, dtype: str) -> Column:
    """Return the column. Raises WrongNumbersError for parts that do not fit together, whoever made them."""
    if any(min(part) < 1 for part in layout) or sum(frames * rows for frames, rows in layout) != len(packed.k):
        raise WrongNumbersError("has frames that are not of the size of its numbers")
    if len(packed.g) != blocks(layout) or not np.all((packed.g >= _EXPONENTS[0]) & (packed.g <= _EXPONENTS[1])):
        raise WrongNumbersError("has impossible numbers in grids.g")
    if not np.all((packed.rows >= 0) & (packed.rows < len(packed.k))):
        raise WrongNumbersError("has impossible numbers in odd.row")
    found = np.empty(len(packed.k), dtype)
    done = 0
    with np.errstate(over="ignore", invalid="ignore"):  # in what a stranger has made
        for begin, end, rows in _parts(layout):
            k = packed.k[begin:end].reshape(-1, rows)
            used, done = done, done + blocks([k.shape])
            _unpack_part(k, packed.g[used:done].reshape(len(k), -1), found[begin:end].reshape(-1, rows))
        found[packed.rows] = packed.values
    return found


def _unpack_part(k: Column, g: Column, found: Column) -> None:
    """Unpack frames of one size into `found`, some at a time. k, found: (frames, rows). g: (frames, blocks)."""
    frames, rows = k.shape
    wide = min(rows, _AT_ONCE)
    high = _AT_ONCE // wide
    for left in range(0, rows, wide):
        columns = slice(left, left + wide)
        block = np.arange(left, min(left + wide, rows)) // BLOCK
        before = None
        for top in range(0, frames, high):
            z = k[top : top + high, columns].astype(np.int64)
            z = np.where(z & 1, -(z >> 1) - 1, z >> 1)
            x = np.ldexp(z.astype(np.float64), g[top : top + high, block])
            if before is not None:
                x[0] += before
            np.cumsum(x, axis=0, out=x)
            found[top : top + high, columns], before = x, x[-1]


def _parts(layout: Layout) -> Iterator[tuple[int, int, int]]:
    """Yield where the rows of frames of one size begin and end, and how many rows each frame has."""
    end = 0
    for frames, rows in layout:
        begin, end = end, end + frames * rows
        yield begin, end, rows


def _block_sizes(layout: Layout) -> npt.NDArray[np.int64]:
    """How many rows each block has."""
    sizes = [np.tile(np.diff(np.append(np.arange(0, rows, BLOCK), rows)), frames) for frames, rows in layout]
    return np.concatenate(sizes).astype(np.int64) if sizes else np.empty(0, np.int64)


def _whole_with(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    """The largest g with which value / 2^g is whole, for each value; _ANY for 0."""
    mantissa, exponent = np.frexp(values)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    _, last_digit = np.frexp((whole & -whole).astype(np.float64))  # its place from the right, from 1 on
    return np.where(values == 0, _ANY, exponent - 54 + last_digit).astype(np.int32)

"""Thrift's compact protocol, in which Parquet tells what it holds: read with every step checked.

pyarrow reads it too, but ends the whole process where the metadata of a file are malformed.
"""

from typing import Any

DEEPEST = 16
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _STRUCT = 1, 2, 3, 7, 8, 12
_NUMBERS = (4, 5, 6)
_LISTS = (9, 10)


class MalformedError(ValueError):
    """Raised for bytes that are no structure of the protocol."""


class CompactReader:
    """Reads structures from bytes; `at` is where the next one begins."""

    def __init__(self, content: bytes, at: int) -> None:
        self._content, self.at = content, at

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Return the fields of a structure by their numbers. Raises MalformedError."""
        if depth > DEEPEST:
            raise MalformedError
        fields: dict[int, Any] = {}
        field = 0
        while head := self._byte():
            delta, kind = divmod(head, 16)
            field = field + delta if delta else self._number()
            fields[field] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in _NUMBERS:
            return self._number()
        if kind in (_TRUE, _FALSE, _BYTE):  # truths have a byte each in a list
            return self._byte()
        if kind == _DOUBLE:
            return self._bytes(8)
        if kind == _BINARY:
            return self._bytes(self._varint())
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in _LISTS:
            count, of = divmod(self._byte(), 16)
            count = self._varint() if count == 15 else count
            if count > len(self._content) - self.at:  # every element takes a byte at least
                raise MalformedError
            return [self._value(of, depth) for _ in range(count)]
        raise MalformedError

    def _number(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise MalformedError

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, count: int) -> bytes:
        found = self._content[self.at : self.at + count]
        if len(found) < count:
            raise MalformedError
        self.at += count
        return found

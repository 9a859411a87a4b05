"""Samples in JSON lines: an object in each line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pyarrow as pa

from timeline.consumers.samples.asked import KEYS, Asked
from timeline.consumers.samples.sources import Source, unreadable
from timeline.errors import InputError

_KEY = pa.dictionary(pa.int32(), pa.string())

_LONGEST = 4 * 1024 * 1024
"""The bytes of a line that are allowed, as of a notification."""

_BLOCKS = 512
"""The part of the memory that the lines of a batch may take: what is made of them takes ten times as much."""

_LEAST, _GREATEST = 1 << 16, 1 << 22

Row = dict[str, Any]


class LinesFile:
    """A file of JSON lines.

    As columns the types are told by the first lines, and what no later line may say otherwise. Lists and maps become
    their JSON text.
    """

    rows = None

    def __init__(self, source: Source, asked: Asked) -> None:
        self._source = source
        self._size = max(_LEAST, min(_GREATEST, asked.memory // _BLOCKS))
        self._keys = asked.names(KEYS)
        self._schema: pa.Schema | None = None
        self._head = source.head_lines(self._size)

    @property
    def schema(self) -> pa.Schema:
        if self._schema is None:
            self._schema = self._told()
        return self._schema

    def dicts(self) -> Iterator[Row]:
        """What the lines say."""
        for rows, _ in self._blocks():
            yield from rows

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        names = set(schema.names)
        for rows, lines in self._blocks():
            for row, line in zip(rows, lines, strict=True):
                if not row.keys() <= names:
                    new = next(name for name in row if name not in names)
                    raise InputError(f"{self._place(line)}: {new!r} is in no line before; {_WAY_OUT}")
            columns = [self._column([row.get(field.name) for row in rows], field, lines) for field in schema]
            yield pa.record_batch(columns, schema=schema)

    def _told(self) -> pa.Schema:
        names: dict[str, list[Any]] = {}
        for number, line in enumerate(self._head.split(b"\n"), 1):
            if line.strip():
                for name, value in self._row(line, number).items():
                    names.setdefault(name, []).append(value)
        return pa.schema([pa.field(name, _KEY if name in self._keys else _type(names[name])) for name in names])

    def _column(self, values: list[Any], field: pa.Field, lines: list[int]) -> pa.Array:
        column = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_string(column):
            values = [_encoded(value) if isinstance(value, (dict, list)) else value for value in values]
        try:
            if not _PYTHON[column].issuperset(map(type, values)):
                raise pa.ArrowTypeError
            array = pa.array(values, column)
        except (pa.ArrowException, OverflowError):
            value, line = next(each for each in zip(values, lines, strict=True) if not _fits(each[0], column))
            here = f"{self._place(line)}: {field.name!r} is {_encoded(value):.60}"
            if field.name in self._keys:
                raise InputError(f"{here}, and is to be text") from None
            raise InputError(f"{here}, and {column} in the first lines; {_WAY_OUT}") from None
        return array.dictionary_encode() if pa.types.is_dictionary(field.type) else array

    def _blocks(self) -> Iterator[tuple[list[Row], list[int]]]:
        """The objects of some lines, and the numbers of these lines."""
        number = 0
        with unreadable(self._source.name), self._source.open() as stream:
            rows: list[Row] = []
            lines: list[int] = []
            size = 0
            while line := stream.readline(_LONGEST + 1):
                number += 1
                if len(line) > _LONGEST:
                    raise InputError(f"{self._place(number)}: the line is longer than {_LONGEST:,} bytes")
                if line.isspace():
                    continue
                rows.append(self._row(line, number))
                lines.append(number)
                size += len(line)
                if size >= self._size:
                    yield rows, lines
                    rows, lines, size = [], [], 0
            if rows:
                yield rows, lines

    def _row(self, line: bytes, number: int) -> Row:
        try:
            value = _decode(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"{self._place(number)}: this is no JSON: {error}") from error
        if not isinstance(value, dict):
            raise InputError(f"{self._place(number)}: a line is to be a JSON object such as {_EXAMPLE}")
        return value

    def _place(self, line: int) -> str:
        return f"{self._source.name}:{line}"


_EXAMPLE = '{"resource_id": "...", "meter": "cpu", "timestamp": "2026-03-01T12:00:00Z", "value": 1}'
_WAY_OUT = "as JSON lines (-o OUT.jsonl) each is written as it is"

_decode = msgspec.json.Decoder().decode


def _encoded(value: object) -> str:
    return msgspec.json.encode(value).decode()


_NONE = type(None)
_PYTHON: dict[pa.DataType, set[type]] = {
    pa.bool_(): {bool, _NONE},
    pa.int64(): {int, _NONE},
    pa.float64(): {float, int, _NONE},
    pa.string(): {str, _NONE},
}
"""The types of columns, and the values that go into each as they are: Arrow would cut 1.5 for a column of integers."""


def _type(values: list[Any]) -> pa.DataType:
    """The type of a column by its first values: text where they tell none, or no one type."""
    kinds = {*map(type, values)} - {_NONE}
    for column, taken in _PYTHON.items():
        if kinds and kinds <= taken:
            return column
    return pa.string()


def _fits(value: object, column: pa.DataType) -> bool:
    try:
        pa.array([value], column)
    except (pa.ArrowException, OverflowError):
        return False
    return type(value) in _PYTHON[column]

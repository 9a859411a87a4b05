"""Arrow batches written as they come: as a Parquet file, as CSV, or as JSON lines.

In CSV and JSON lines a column has what its type has: times are ISO 8601, text is text to the letter, a column that
holds JSON is JSON. Of CSV a cell without anything is ``null``, and ``""`` the empty text.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from timeline.replay.kinds import is_json
from timeline.reports.cells import Cells, csv_text, json_text

GROUP_ROWS = 1 << 20
"""Rows of a row group, where memory allows."""

_GROUPS = 12
"""The part of the memory that the rows of one row group may take: as much again is needed to write them, and what was
given back is not at once at hand."""

_LOOKED_AT = 1 << 16
"""The first rows, by which it is told whether a column says the same again and again."""

_DICTIONARY_BYTES = 8 << 20
"""A dictionary page may be so long at least. Beyond its limit a column is written in full."""

_ROWS_AT_ONCE = 1 << 15
"""Rows that are made text at once."""

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class Writer(Protocol):
    """Takes batches of one schema. What it writes is whole after :meth:`close`."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the rows of a batch, or keep them until there are enough."""

    def close(self) -> None:
        """Write what is left. Does not close the stream."""


def writer(
    form: str, stream: IO[bytes], schema: pa.Schema, *, memory: int = 1 << 30, numbers: Collection[str] = ()
) -> Writer:
    """What writes batches as ``parquet``, ``csv``, ``jsonl`` or ``json``.

    ``memory`` is the bytes that are held while batches go through; of Parquet a part of it is. ``numbers`` are
    columns of text that are written without quotes in JSON where they are numbers.
    """
    if form == "parquet":
        return _Parquet(stream, schema, memory)
    if form == "csv":
        return _Csv(stream, schema)
    return _Json(stream, schema, numbers, lines=form == "jsonl")


class _Parquet:
    def __init__(self, stream: IO[bytes], schema: pa.Schema, memory: int) -> None:
        self._stream = stream
        self._schema = schema
        self._memory = memory
        self._group: list[pa.RecordBatch] = []
        self._rows = 0
        self._writer: parquet.ParquetWriter | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        self._group.append(batch)
        self._rows += len(batch)
        if self._rows >= GROUP_ROWS or sum(each.nbytes for each in self._group) >= self._memory // _GROUPS:
            self._write_group()

    def close(self) -> None:
        if self._rows or self._writer is None:
            self._write_group()
        assert self._writer is not None
        self._writer.close()

    def _write_group(self) -> None:
        group = pa.Table.from_batches(self._group, self._schema)
        self._group, self._rows = [], 0
        for place, field in enumerate(self._schema):
            if pa.types.is_dictionary(field.type):
                # where a dictionary differs from that of the rows before, the rest would be written in full
                group = group.set_column(place, field, group.column(place).unify_dictionaries())
        if self._writer is None:
            self._writer = self._opened(group)
        self._writer.write_table(group, row_group_size=max(len(group), 1))

    def _opened(self, first: pa.Table) -> parquet.ParquetWriter:
        """A writer with the encodings that suit the first rows."""
        repeated = [field.name for field in self._schema if _repeats(first.column(field.name))]
        dictionaries = [column for column in first.columns if pa.types.is_dictionary(column.type)]
        longest = max((chunk.dictionary.nbytes for column in dictionaries for chunk in column.chunks), default=0)
        return parquet.ParquetWriter(
            self._stream,
            self._schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=repeated,
            column_encoding={field.name: _encoding(field.type) for field in self._schema if field.name not in repeated},
            dictionary_pagesize_limit=min(max(_DICTIONARY_BYTES, 2 * longest), self._memory // _GROUPS),
            # the least and the greatest of a dictionary cost more than the column itself, and tell little
            write_statistics=[field.name for field in self._schema if not pa.types.is_dictionary(field.type)],
            write_batch_size=_LOOKED_AT,
        )


def _repeats(column: pa.ChunkedArray) -> bool:
    """Whether a dictionary pays."""
    type = column.type
    if pa.types.is_dictionary(type):
        return True
    if pa.types.is_boolean(type) or pa.types.is_nested(type):
        return False
    some = column.slice(0, _LOOKED_AT)
    return len(some.unique()) * 8 < len(some)


def _encoding(type: pa.DataType) -> str:
    if pa.types.is_float32(type) or pa.types.is_float64(type):
        return "BYTE_STREAM_SPLIT"
    whole = pa.types.is_integer(type) or (pa.types.is_temporal(type) and not pa.types.is_interval(type))
    return "DELTA_BINARY_PACKED" if whole else "PLAIN"


class _Csv:
    def __init__(self, stream: IO[bytes], schema: pa.Schema) -> None:
        self._stream = stream
        self._columns = [Cells(field, csv_text, null="") for field in schema]
        stream.write(",".join(map(csv_text, schema.names)).encode() + b"\n")

    def write(self, batch: pa.RecordBatch) -> None:
        between = ["," for _ in self._columns[1:]] + ["\n"]
        for rows in _pieces(batch):
            parts = []
            for cells, column, mark in zip(self._columns, rows.columns, between, strict=True):
                parts += [cells.texts(column), mark]
            self._stream.write(_joined(parts))

    def close(self) -> None:
        """Nothing is left."""


class _Json:
    def __init__(self, stream: IO[bytes], schema: pa.Schema, numbers: Collection[str], *, lines: bool) -> None:
        self._stream = stream
        self._lines = lines
        self._before = "[\n"
        self._columns = [
            Cells(field, _json(field, field.name in numbers), null="null", quote='"', infinite="null")
            for field in schema
        ]
        self._names = [("," if place else "{") + json_text(name) + ":" for place, name in enumerate(schema.names)]

    def write(self, batch: pa.RecordBatch) -> None:
        for rows in _pieces(batch):
            parts: list[Any] = [] if self._lines else [",\n"]
            for name, cells, column in zip(self._names, self._columns, rows.columns, strict=True):
                parts += [name, cells.texts(column)]
            written = _joined([*parts, "}\n" if self._lines else "}"])
            if not self._lines:
                self._stream.write(self._before.encode())
                self._before, written = "", written[2:] if self._before else written
            self._stream.write(written)

    def close(self) -> None:
        if not self._lines:
            self._stream.write(b"[]\n" if self._before else b"\n]\n")


def _json(field: pa.Field, number: bool) -> Any:
    if is_json(field):
        return str
    if number:
        return lambda text: text if _NUMBER.fullmatch(text) else json_text(text)
    return json_text


def _pieces(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    return [batch.slice(start, _ROWS_AT_ONCE) for start in range(0, len(batch), _ROWS_AT_ONCE)]


def _joined(parts: list[Any]) -> pa.Buffer:
    """Texts and columns of texts, row by row one after the other."""
    texts = pc.binary_join_element_wise(*parts, "")
    _, _, data = texts.buffers()
    return data.slice(0, pc.sum(pc.binary_length(texts)).as_py())

"""Samples in a Parquet file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from timeline.consumers.samples.asked import KEYS, Asked
from timeline.consumers.samples.sources import CHUNK, Source, unreadable
from timeline.errors import InputError

_ROWS = 1 << 18
"""Rows of a batch where memory allows: more makes nothing faster."""

_LEAST_ROWS = 1 << 10

_FIRST_ROWS = 1 << 13
"""Rows by which the width of a row is told."""

_SHARE = 48
"""The part of the memory that one batch may take, with what is joined to it: some are read, joined and written at
once."""


class ParquetFile:
    """A Parquet file: row groups of any size are read in batches that fit into memory.

    Ids and meters are read as dictionaries, so that none is text for each row.
    """

    def __init__(self, source: Source, asked: Asked) -> None:
        if not source.is_file:
            raise InputError(
                f"{source.name}: Parquet is read from its end, so it cannot come through a pipe; name a file"
            )
        self._source = source
        self._asked = asked
        with unreadable(source.name):
            footer = pq.ParquetFile(source.path)
            self.rows: int | None = footer.metadata.num_rows
            columns = [footer.schema.column(place) for place in range(len(footer.schema))]
            text = {column.path for column in columns if column.physical_type == "BYTE_ARRAY"}
            footer.close()
        self._dictionaries = sorted(text.intersection(asked.names(KEYS)))
        with self._opened() as file:
            self.schema: pa.Schema = file.schema_arrow

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        dictionaries = [field.name for field in schema if pa.types.is_dictionary(field.type)]
        with unreadable(self._source.name), self._opened(dictionaries) as file:
            rows, read = self._batch_rows(file), 0
            for batch in _gathered(file.iter_batches(rows), rows):
                read += len(batch)
                yield batch if batch.schema == schema else batch.select(schema.names).cast(schema)
        if read != self.rows:
            raise InputError(f"{self._source.name}: {read:,} rows are there, of {self.rows:,} that the file tells of")

    def _opened(self, dictionaries: Iterable[str] = ()) -> pq.ParquetFile:
        with unreadable(self._source.name):
            return pq.ParquetFile(
                self._source.path,
                read_dictionary=sorted({*self._dictionaries, *dictionaries}),
                # a column chunk may be greater than memory: it is not read ahead, but buffer by buffer
                pre_buffer=False,
                buffer_size=CHUNK,
            )

    def _batch_rows(self, file: pq.ParquetFile) -> int:
        first = next(file.iter_batches(_FIRST_ROWS), None)
        if not first:
            return _ROWS
        width = sum(_width(column) for column in first.columns) + self._asked.added
        return max(_LEAST_ROWS, min(_ROWS, int(self._asked.memory / _SHARE / width)))


def _gathered(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """Batches put together where they are short, as those of short row groups are."""
    some: list[pa.RecordBatch] = []
    length = 0
    for batch in filter(len, batches):
        if length + len(batch) > rows:
            yield _one(some)
            some, length = [], 0
        some.append(batch)
        length += len(batch)
    if some:
        yield _one(some)


def _one(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    (batch,) = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks().to_batches()
    return batch


def _width(column: pa.Array) -> float:
    """The bytes of a row; a dictionary is there once, however many rows there are."""
    array = column.indices if pa.types.is_dictionary(column.type) else column
    return float(array.nbytes / len(column))

"""Rows as a Parquet file, written from beginning to end: also into a pipe.

The columns before the fields have the types of what they hold. The column of a field has the type of its values where
all are of one kind; else it holds JSON, and its metadata say so. A field without a value is not collected, unless the
column ``nulls`` names it: then it was said to be ``null``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

from timeline.replay.kinds import AS_JSON, Kind, arrow_array, need_arrow
from timeline.reports.gathering import Gathered, Row, gathered
from timeline.reports.rows import NULLS, Holds, Layout, Told

if TYPE_CHECKING:
    import pyarrow

GROUP_ROWS = 32_768
GROUP_BYTES = 8 * 1024 * 1024
"""A row group ends when it has so many rows or bytes: so much is held at once."""

_NULL = b"null"


def write(layout: Layout[Told], told: Iterable[Told], stream: IO[bytes]) -> None:
    """All rows, in row groups. Where it cannot go on to the end, no reader takes what is there for a Parquet file.

    Raises :class:`~timeline.errors.PackageMissing`.
    """
    need_arrow("Parquet")
    import pyarrow
    from pyarrow import parquet

    with gathered(layout, told) as found:
        schema = _schema(layout, found)
        out = _Output(stream)
        try:
            with parquet.ParquetWriter(pyarrow.PythonFile(out, "w"), schema) as writer:
                try:
                    for group in _groups(found.rows):
                        writer.write_table(pyarrow.Table.from_arrays(_columns(layout, found, group), schema=schema))
                except BaseException:
                    out.give_up()
                    raise
        finally:
            out.give_up()


class _Output:
    """What Arrow writes to: a stream that tells how much it was given, and may be a pipe."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._written = 0
        self.closed = False

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        if not self.closed:
            self._stream.write(data)
        self._written += size
        return size

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        if not self.closed:
            self._stream.flush()

    def close(self) -> None:
        """Nothing: the stream belongs to another."""

    def give_up(self) -> None:
        """Write nothing more, least of all the end that would make a file of it."""
        self.closed = True


def _schema(layout: Layout[Told], found: Gathered) -> pyarrow.Schema:
    import pyarrow

    fields = [
        pyarrow.field(name, _type(holds), metadata=AS_JSON if holds is Holds.JSON else None)
        for name, holds in layout.columns.items()
    ]
    if layout.fields is not None:
        fields.append(pyarrow.field(NULLS, _type(Holds.TEXTS)))
    for name, kind in found.kinds.items():
        metadata = {"timeline:field": name} | (AS_JSON if kind is Kind.JSON else {})
        fields.append(pyarrow.field(layout.column(name), arrow_array(kind, []).type, metadata=metadata))
    return pyarrow.schema(fields)


def _type(holds: Holds) -> pyarrow.DataType:
    import pyarrow

    if holds is Holds.NUMBER:
        return pyarrow.int64()
    if holds is Holds.TIME:
        return pyarrow.timestamp("us", tz="UTC")
    return pyarrow.list_(pyarrow.string()) if holds is Holds.TEXTS else pyarrow.string()


def _groups(rows: Iterator[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    size = 0
    for row in rows:
        group.append(row)
        size += sum(map(len, row.fields.values())) + sum(len(cell) for cell in row.cells if isinstance(cell, str))
        if len(group) == GROUP_ROWS or size >= GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _columns(layout: Layout[Told], found: Gathered, group: Sequence[Row]) -> list[pyarrow.Array]:
    import pyarrow

    columns = [
        pyarrow.array([row.cells[place] for row in group], _type(holds))
        for place, holds in enumerate(layout.columns.values())
    ]
    if layout.fields is not None:
        nulls = ([name for name, value in row.fields.items() if value == _NULL] for row in group)
        columns.append(pyarrow.array(list(nulls), _type(Holds.TEXTS)))
    columns += (_column(kind, [row.fields.get(name, _NULL) for row in group]) for name, kind in found.kinds.items())
    return columns


def _column(kind: Kind, values: Sequence[bytes]) -> pyarrow.Array:
    """Values, of which some are missing."""
    import pyarrow

    said = [value for value in values if value != _NULL]
    if len(said) == len(values):
        return arrow_array(kind, said)
    following = iter(range(len(said)))
    places = [None if value == _NULL else next(following) for value in values]
    return arrow_array(kind, said).take(pyarrow.array(places, pyarrow.int32()))

"""Rows laid aside until it is known which columns there are: only the last row tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, NamedTuple

import msgspec

from timeline.model import canonical
from timeline.replay.kinds import Kind, common, kind_of
from timeline.reports.rows import Cell, Layout, Told

IN_MEMORY = 16 * 1024 * 1024
"""Bytes of rows that are held in memory; more lie in a temporary file."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[list[str | int | list[str] | None], dict[str, msgspec.Raw]]).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Row(NamedTuple):
    """What stands in the columns before the fields, and the fields that the row has, as canonical JSON."""

    cells: Sequence[Cell]
    fields: Mapping[str, bytes]


class Gathered(NamedTuple):
    """Rows, and what is to be known before the first of them is written."""

    kinds: Mapping[str, Kind]
    """The fields of all rows, sorted, and the kind of their values."""
    rows: Iterator[Row]
    """The rows; to be read once."""


@contextmanager
def gathered(layout: Layout[Told], told: Iterable[Told]) -> Iterator[Gathered]:
    """Rows with all that is known of their columns. Where each has the same columns, they come as they are told."""
    if layout.fields is None:
        yield Gathered({}, (Row(layout.cells(each), {}) for each in told))
        return
    from tempfile import SpooledTemporaryFile

    with SpooledTemporaryFile(IN_MEMORY) as lines:
        met: dict[str, set[Kind]] = {}
        for each in told:
            fields = canonical(dict(layout.fields(each)))
            lines.write(b"[%b,%b]\n" % (_encode(layout.cells(each)), fields))
            _meet(met, fields)
        lines.seek(0)
        yield Gathered({name: common(met[name]) for name in sorted(met)}, _read(lines))


def _meet(met: dict[str, set[Kind]], fields: bytes) -> None:
    """Remember the fields of a row, and the kinds of their values."""
    for name, value in _decode_fields(fields).items():
        kinds = met.setdefault(name, set())
        kind = kind_of(bytes(value))
        if kind is not None:
            kinds.add(kind)


def _read(lines: IO[bytes]) -> Iterator[Row]:
    for line in lines:
        cells, fields = _decode(line)
        yield Row(cells, {name: bytes(value) for name, value in fields.items()})

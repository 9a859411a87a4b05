"""Rows as CSV (RFC 4180, in UTF-8, with a header), from which everything can be read back.

In the columns before the fields a cell without anything is ``null``, and the empty text is ``""``. In the column of a
field a cell without anything is a field that is not collected; a cell that reads as JSON is JSON, ``null`` among it;
any other is a text as it is. A text that would read as JSON, or is empty, is written as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import IO

import msgspec

from timeline import clock
from timeline.reports.formats import printable
from timeline.reports.gathering import gathered
from timeline.reports.rows import Cell, Holds, Layout, Told

# a cell that needs quotes; blanks at its ends some readers would drop
_QUOTED = re.compile(r'[",\r\n]|^\s|\s$|^$')

# what a reader takes for JSON, or a lenient one; what begins with a quote or bracket is never looked into
_JSON = re.compile(
    r"\s*(null|true|false|NaN|-?Infinity|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?|[\[{\"].*|)\s*", re.DOTALL
)

_encode = msgspec.json.Encoder().encode
_decode_text = msgspec.json.Decoder(str).decode


def write(layout: Layout[Told], told: Iterable[Told], stream: IO[bytes], *, screen: bool) -> None:
    """A header, and a row for each. On a ``screen`` control characters are escaped, as it would obey them."""

    def put(cells: Iterable[str]) -> None:
        line = ",".join(cells)
        stream.write((printable(line) if screen else line).encode() + b"\n")

    with gathered(layout, told) as found:
        put(quoted(name) for name in (*layout.columns, *map(layout.column, found.kinds)))
        for row in found.rows:
            before = (_cell(holds, cell) for holds, cell in zip(layout.columns.values(), row.cells, strict=True))
            put((*before, *(_field(row.fields.get(name)) for name in found.kinds)))


def _cell(holds: Holds, cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return quoted(cell)
    if isinstance(cell, int):
        return clock.format(cell) if holds is Holds.TIME else str(cell)
    return quoted(_encode(cell).decode())


def _field(value: bytes | None) -> str:
    """The cell of a field: a value as canonical JSON, or ``None`` where it is not collected."""
    if value is None:
        return ""
    if value[:1] == b'"':
        text = _decode_text(value)
        if not _JSON.fullmatch(text):
            return quoted(text)
    return quoted(value.decode())


def quoted(text: str) -> str:
    """The cell of a text: in quotes where it needs them."""
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text

"""Many rows of PostgreSQL in one statement of constant text: a column's values go over as one array."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Column, Dialect, LargeBinary, Table

from timeline.drivers.sql.database import Key
from timeline.drivers.sql.dbapi import Cursor

_MOST_BYTES = 8 * 1024 * 1024
"""Of one statement. More does not make it faster, and the server holds all of it."""
_MOST_KEYS = 4_096


class PostgresqlInsertion:
    """``INSERT`` of what ``unnest`` makes of arrays."""

    def __init__(self, table: Table, key: Sequence[Column[Any]], dialect: Dialect) -> None:
        quoted = dialect.identifier_preparer
        names = ", ".join(quoted.format_column(column) for column in table.c)
        unique = ", ".join(quoted.format_column(column) for column in key)
        self._text = (
            f"INSERT INTO {quoted.format_table(table)} ({names}) SELECT * FROM unnest({_arrays(table.c, dialect)}) "
            f"ON CONFLICT ({unique}) DO NOTHING"
        )
        self._bytes = [place for place, column in enumerate(table.c) if isinstance(column.type, LargeBinary)]

    def run(self, cursor: Cursor, rows: Sequence[Sequence[Any]]) -> int:
        new = 0
        for some in self._parts(rows):
            cursor.execute(self._text, [list(column) for column in zip(*some, strict=True)])
            new += cursor.rowcount
        return new

    def _parts(self, rows: Sequence[Sequence[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
        part: list[Sequence[Any]] = []
        held = 0
        for row in rows:
            size = sum(len(row[place] or b"") for place in self._bytes)
            if part and held + size > _MOST_BYTES:
                yield part
                part, held = [], 0
            part.append(row)
            held += size
        if part:
            yield part


class PostgresqlFinding:
    """A join with what ``unnest`` makes of arrays."""

    def __init__(self, key: Sequence[Column[Any]], id: Column[Any], dialect: Dialect) -> None:
        quoted = dialect.identifier_preparer
        table = quoted.format_table(id.table)
        given = ", ".join(f"key_{place}" for place in range(len(key)))
        same = " AND ".join(
            f"{table}.{quoted.format_column(column)} = given.key_{place}" for place, column in enumerate(key)
        )
        self._text = (
            f"SELECT given.place, {table}.{quoted.format_column(id)} "
            f"FROM unnest({_arrays(key, dialect)}) WITH ORDINALITY AS given({given}, place) JOIN {table} ON {same}"
        )

    def run(self, cursor: Cursor, keys: Sequence[Key]) -> dict[Key, int]:
        found: dict[Key, int] = {}
        for first in range(0, len(keys), _MOST_KEYS):
            some = keys[first : first + _MOST_KEYS]
            cursor.execute(self._text, [list(column) for column in zip(*some, strict=True)])
            found.update((some[place - 1], id) for place, id in cursor.fetchall())
        return found


def _arrays(columns: Sequence[Column[Any]] | Any, dialect: Dialect) -> str:
    # %b: in PostgreSQL's binary form, which spares both sides the writing and reading of digits
    return ", ".join(f"%b::{column.type.compile(dialect)}[]" for column in columns)

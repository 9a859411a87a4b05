"""Many rows of MariaDB in one statement: as many places for values as there are values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, cast

import pymysql.cursors
from sqlalchemy import Column, Dialect, Table

from timeline.drivers.sql.database import Key
from timeline.drivers.sql.dbapi import Cursor

_MOST_BYTES = 2 * 1024 * 1024
"""Of values in one statement: bytes may take two each on the way, and max_allowed_packet is 16 MiB unless raised."""
_MOST_ROWS = 1_000
_MOST_KEYS = 500
_DUPLICATE = 1062


class MariadbInsertion:
    """``INSERT IGNORE``: the other way asks for the right to update, which who ingests need not have."""

    def __init__(self, table: Table, dialect: Dialect) -> None:
        quoted = dialect.identifier_preparer
        names = ", ".join(quoted.format_column(column) for column in table.c)
        self._begin = f"INSERT IGNORE INTO {quoted.format_table(table)} ({names}) VALUES "
        self._row = _places(len(table.c))

    def run(self, cursor: Cursor, rows: Sequence[Sequence[Any]]) -> int:
        new = 0
        for some in _parts(rows):
            cursor.execute(self._begin + ",".join([self._row] * len(some)), list(chain.from_iterable(some)))
            new += cursor.rowcount
            if cast(pymysql.cursors.Cursor, cursor).warning_count:
                _refuse_but_duplicates(cursor)
        return new


class MariadbFinding:
    """A join with a table of values."""

    def __init__(self, key: Sequence[Column[Any]], id: Column[Any], dialect: Dialect) -> None:
        quoted = dialect.identifier_preparer
        table = quoted.format_table(id.table)
        names = ", ".join(f"key_{place}" for place in range(len(key)))
        same = " AND ".join(
            f"{table}.{quoted.format_column(column)} = given.key_{place}" for place, column in enumerate(key)
        )
        self._begin = f"WITH given (place, {names}) AS (VALUES "
        self._row = _places(1 + len(key))
        self._end = (
            f") SELECT STRAIGHT_JOIN given.place, {table}.{quoted.format_column(id)} FROM given JOIN {table} ON {same}"
        )

    def run(self, cursor: Cursor, keys: Sequence[Key]) -> dict[Key, int]:
        found: dict[Key, int] = {}
        for first in range(0, len(keys), _MOST_KEYS):
            some = keys[first : first + _MOST_KEYS]
            values = [value for place, key in enumerate(some) for value in (place, *key)]
            cursor.execute(self._begin + ",".join([self._row] * len(some)) + self._end, values)
            found.update((some[place], id) for place, id in cursor.fetchall())
        return found


def _places(number: int) -> str:
    return "(" + ",".join(["%s"] * number) + ")"


def _parts(rows: Sequence[Sequence[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
    part: list[Sequence[Any]] = []
    held = 0
    for row in rows:
        size = sum(len(value) for value in row if isinstance(value, bytes))
        if part and (held + size > _MOST_BYTES or len(part) == _MOST_ROWS):
            yield part
            part, held = [], 0
        part.append(row)
        held += size
    if part:
        yield part


def _refuse_but_duplicates(cursor: Cursor) -> None:
    """``IGNORE`` lets everything pass with a warning: also what was cut or made to fit."""
    cursor.execute("SHOW WARNINGS")
    for _, code, said in cursor.fetchall():
        if code != _DUPLICATE:
            raise pymysql.err.DataError(code, said)

"""Many rows of SQLite: one statement after the other, since the database is in this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Dialect, Table, bindparam, select
from sqlalchemy.dialects.sqlite import insert

from timeline.drivers.sql.database import Key
from timeline.drivers.sql.dbapi import Cursor
from timeline.drivers.sql.statement import Statement


class SqliteInsertion:
    """Inserts rows, each for itself."""

    def __init__(self, table: Table, key: Sequence[Column[Any]], dialect: Dialect) -> None:
        new = insert(table).on_conflict_do_nothing(index_elements=key)
        self._text = Statement(new, dialect).text

    def run(self, cursor: Cursor, rows: Sequence[Sequence[Any]]) -> int:
        cursor.executemany(self._text, rows)
        return cursor.rowcount


class SqliteFinding:
    """Finds rows, each for itself."""

    def __init__(self, key: Sequence[Column[Any]], id: Column[Any], dialect: Dialect) -> None:
        self._text = Statement(select(id).where(*(column == bindparam(column.name) for column in key)), dialect).text

    def run(self, cursor: Cursor, keys: Sequence[Key]) -> dict[Key, int]:
        text = self._text
        found: dict[Key, int] = {}
        for key in keys:
            cursor.execute(text, key)
            row = cursor.fetchone()
            if row is not None:
                found[key] = row[0]
        return found

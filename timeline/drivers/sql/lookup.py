"""Rows by their ids, many in one statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Column, select

from timeline.drivers.sql.database import Database
from timeline.drivers.sql.dbapi import Cursor
from timeline.drivers.sql.statement import Statement

MOST = 512
"""Ids in one statement."""


class Lookup:
    """Finds rows that never change, so that it does not matter in which transaction they are read."""

    def __init__(self, database: Database, id: Column[Any], *columns: Column[Any]) -> None:
        """Rows are the id and these columns."""
        self._database = database
        self._id = id
        self._columns = (id, *columns)
        self._statements: dict[int, Statement] = {}

    def rows(self, cursor: Cursor, ids: Sequence[int]) -> Iterator[Any]:
        """The rows that have one of these ids, in any order."""
        for first in range(0, len(ids), MOST):
            wanted, values = self._database.one_of(self._id, ids[first : first + MOST])
            if len(values) not in self._statements:
                query = select(*self._columns).where(wanted)
                self._statements[len(values)] = Statement(query, self._database.dialect)
            yield from self._statements[len(values)].run(cursor, values).fetchall()

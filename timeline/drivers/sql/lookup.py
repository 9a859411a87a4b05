"""Rows by their ids, many in one statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Column, bindparam, select

from timeline.drivers.sql.database import Database
from timeline.drivers.sql.dbapi import Cursor
from timeline.drivers.sql.statement import Statement

_MOST = 512


class Lookup:
    """Finds rows that never change, so that it does not matter in which transaction they are read."""

    def __init__(self, database: Database, id: Column[Any], *columns: Column[Any]) -> None:
        """Rows are the id and these columns."""
        self._dialect = database.dialect
        self._id = id
        self._columns = (id, *columns)
        self._statements: dict[int, Statement] = {}

    def rows(self, cursor: Cursor, ids: Sequence[int]) -> Iterator[Any]:
        """The rows that have one of these ids, in any order."""
        for first in range(0, len(ids), _MOST):
            some = ids[first : first + _MOST]
            places = 1 << (len(some) - 1).bit_length()  # a power of two: so there are few statements
            filled = [*some, *[0] * (places - len(some))]  # 0 is no id
            values = {f"id_{place}": id for place, id in enumerate(filled)}
            yield from self._statement(places).run(cursor, values).fetchall()

    def _statement(self, places: int) -> Statement:
        if places not in self._statements:
            wanted = self._id.in_([bindparam(f"id_{place}") for place in range(places)])
            self._statements[places] = Statement(select(*self._columns).where(wanted), self._dialect)
        return self._statements[places]

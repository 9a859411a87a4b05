"""Statements built with SQLAlchemy Core and compiled once.

They are run on the cursor of the database driver: what Core does for each execution costs more than SQLite's answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Dialect, bindparam
from sqlalchemy.sql import ClauseElement

from timeline.drivers.sql.dbapi import Cursor

_NONE: Mapping[str, Any] = {}


class Statement:
    """The text of a statement, and the order in which its values are handed over."""

    def __init__(self, clause: ClauseElement, dialect: Dialect) -> None:
        compiled = clause.compile(dialect=dialect)
        self.text = str(compiled)
        self._names: tuple[str, ...] = tuple(compiled.positiontup)  # type: ignore[attr-defined]
        self._constants = {name: value for name, value in (compiled.params or {}).items() if value is not None}

    def run(self, cursor: Cursor, values: Mapping[str, Any] = _NONE) -> Cursor:
        """Execute it with the values of its named parameters, and give back the cursor to fetch from."""
        given = {**self._constants, **values}
        cursor.execute(self.text, tuple([given[name] for name in self._names]))
        return cursor

    def run_for_each(self, cursor: Cursor, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute it once with the values of each row."""
        cursor.executemany(self.text, [tuple([row[name] for name in self._names]) for row in rows])


def one_of_places(column: Column[Any], values: Sequence[int]) -> tuple[ColumnElement[bool], dict[str, Any]]:
    """That a column has one of these values, each a parameter; none of them is 0.

    There are as many places as a power of two, so there are few statements.
    """
    places = 1 << (len(values) - 1).bit_length()
    filled = [*values, *[0] * (places - len(values))]
    given = {f"one_{place}": value for place, value in enumerate(filled)}
    return column.in_([bindparam(name, type_=column.type) for name in given]), given

"""The ids of rows by their keys: remembered, else looked up, else given out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, Table, bindparam, insert, select

from timeline.drivers.sql.database import Database
from timeline.drivers.sql.dbapi import Cursor
from timeline.drivers.sql.statement import Statement

K = TypeVar("K")
Row = Mapping[str, Any]


class Ids(Generic[K]):
    """The ids of one table's rows, by keys that the caller has at hand."""

    def __init__(self, database: Database, table: Table, *, id: str, given_out: Column[Any], remember: int) -> None:
        """The greatest value of the column ``given_out`` is the last id that was given out."""
        find = select(table.c[id]).where(*(column == bindparam(column.name) for column in table.c if column.name != id))
        self._find = Statement(find, database.dialect)
        self._insert = Statement(insert(table), database.dialect)
        self._next_ids = database.next_ids
        self._id = id
        self._given_out = given_out
        self._half = remember // 2
        self._young: dict[K, int] = {}
        self._old: dict[K, int] = {}

    def of(self, cursor: Cursor, keys: Sequence[K], row: Callable[[K], Row]) -> list[int]:
        """The id of each key, which has a row from now on; ``row`` tells the columns that a key stands for."""
        ids, unknown = self.known(keys)
        if not unknown:
            return ids
        learnt, _ = self.learn(cursor, {key: row(key) for key in unknown})
        return [id or learnt[key] for key, id in zip(keys, ids, strict=True)]

    def known(self, keys: Sequence[K]) -> tuple[list[int], list[K]]:
        """The id of each key where it is remembered, else 0, which is no id; and those keys that are not."""
        young, old = self._young, self._old
        ids = [young.get(key) or old.get(key, 0) for key in keys]
        return ids, [key for key, id in zip(keys, ids, strict=True) if not id] if 0 in ids else []

    def learn(
        self, cursor: Cursor, rows: Mapping[K, Row], *, surely_new: Collection[K] = ()
    ) -> tuple[dict[K, int], list[K]]:
        """The ids of some keys by the rows that they stand for, and those of the keys whose rows are new."""
        ids: dict[K, int] = {}
        new: list[K] = []
        for key, row in rows.items():
            found = None if key in surely_new else self._find.run(cursor, row).fetchone()
            if found is None:
                new.append(key)
            else:
                ids[key] = found[0]
        if new:
            ids.update(zip(new, self._next_ids(cursor, self._given_out, len(new)), strict=True))
            self._insert.run_for_each(cursor, [{**rows[key], self._id: ids[key]} for key in new])
        return ids, new

    def remember(self, keys: Sequence[K], ids: Sequence[int]) -> None:
        """Keep these for the next time, once they are committed: what was rolled back will be given out again.

        Between half of the number that is to be remembered and the whole are kept: those that were used last.
        """
        self._young.update(zip(keys, ids, strict=True))
        if len(self._young) > self._half:
            self._young, self._old = {}, self._young

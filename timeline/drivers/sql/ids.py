"""The ids of rows by their keys: remembered, else looked up, else given out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, Table

from timeline.drivers.sql.database import Database, Key
from timeline.drivers.sql.dbapi import Cursor

K = TypeVar("K")


class Ids(Generic[K]):
    """The ids of one table's rows, by keys that the caller has at hand."""

    def __init__(self, database: Database, table: Table, *, id: str, given_out: Column[Any], remember: int) -> None:
        """The columns but ``id`` are a unique key. The column ``given_out`` has all ids that were given out."""
        self._key = [column for column in table.c if column.name != id]
        self._finding = database.finding(self._key, table.c[id])
        self._insertion = database.inserting(table, self._key)
        self._id_place = list(table.c).index(table.c[id])
        self._next_ids = database.next_ids
        self._given_out = given_out
        self._half = remember // 2
        self._young: dict[K, int] = {}
        self._old: dict[K, int] = {}

    def of(self, cursor: Cursor, keys: Sequence[K], row: Callable[[K], Key]) -> list[int]:
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
        self, cursor: Cursor, rows: Mapping[K, Key], *, surely_new: Collection[K] = ()
    ) -> tuple[dict[K, int], list[K]]:
        """The ids of some keys by the columns that they stand for, and those of the keys whose rows are new."""
        asked = [row for key, row in rows.items() if key not in surely_new] if surely_new else list(rows.values())
        found: Mapping[Key, int] = self._finding.run(cursor, asked) if asked else {}
        missing = [row for row in rows.values() if row not in found]
        given = self._given(cursor, missing) if missing else {}
        ids = {key: found.get(row) or given[row][0] for key, row in rows.items()}
        return ids, [key for key, row in rows.items() if row in given and given[row][1]]

    def _given(self, cursor: Cursor, missing: Sequence[Key]) -> dict[Key, tuple[int, bool]]:
        """Ids for keys that were not found, and whether we gave them: another writer may come first."""
        # in order, so that of writers who want the same rows none waits for one that waits for it
        ours = dict(zip(sorted(missing), self._next_ids(cursor, self._given_out, len(missing)), strict=True))
        place = self._id_place
        inserted = self._insertion.run(cursor, [(*row[:place], id, *row[place:]) for row, id in ours.items()])
        if inserted == len(ours):
            return {row: (id, True) for row, id in ours.items()}
        stored = self._finding.run(cursor, list(ours))
        return {row: (stored[row], stored[row] == id) for row, id in ours.items()}

    def remember(self, keys: Sequence[K], ids: Sequence[int]) -> None:
        """Keep these for the next time, once they are committed: what was rolled back may be given out again.

        Between half of the number that is to be remembered and the whole are kept: those that were used last.
        """
        self._young.update(zip(keys, ids, strict=True))
        if len(self._young) > self._half:
            self._young, self._old = {}, self._young

"""What is new since a token: the log of the appends that added events, written and read.

A token names, for each writer, its last change by number and mark. So it is enough to read what came after: a change
becomes visible with its events, in one commit, and the changes of one writer one after the other.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence
from random import randrange

from sqlalchemy import bindparam, delete, insert, select, update

from timeline.drivers.codec import decode, pack_numbers, unpack_numbers
from timeline.drivers.sql.connections import Connections
from timeline.drivers.sql.database import Database
from timeline.drivers.sql.dbapi import Cursor
from timeline.drivers.sql.lookup import Lookup
from timeline.drivers.sql.schema import change, resource, writer
from timeline.drivers.sql.statement import Statement
from timeline.errors import StoreCorrupt
from timeline.model import Resource

KEPT = 4_096
"""Changes of each writer that are kept. Who was away for longer reads everything again, which costs no more by then."""

_NOTHING = "0"
"""The token of a store to which nothing was added."""
_LAST_CHANGE = re.compile(r"(?P<writer>[0-9]{1,4})\.(?P<number>[0-9]{1,18})\.(?P<mark>[0-9a-f]{16})", re.ASCII)
_MARK_BYTES = 8

Token = dict[int, tuple[int, bytes]]
"""Of each writer the number and the mark of its last change."""


class Log:
    """Notes the changes of one writer."""

    def __init__(self, database: Database) -> None:
        self._writer = randrange(database.writers)
        own = writer.c.id == bindparam("writer")
        count = update(writer).where(own).values(changes=writer.c.changes + 1)
        given = [bindparam(column.name, type_=column.type) for column in (change.c.mark, change.c.resources)]
        note = select(writer.c.id, writer.c.changes, *given).where(own)
        oldest = select(writer.c.changes - KEPT).where(own).scalar_subquery()
        self._count = Statement(count, database.dialect)
        self._insert_writer = database.inserting(writer, [writer.c.id])
        self._note = Statement(insert(change).from_select(list(change.c), note), database.dialect)
        forget = delete(change).where(change.c.writer == bindparam("writer"), change.c.number <= oldest)
        self._forget = Statement(forget, database.dialect)

    def note(self, cursor: Cursor, resources: Iterable[int]) -> None:
        """Note that events were added to these resources, by their ids, in the transaction that adds them."""
        own = {"writer": self._writer}
        self._count.run(cursor, own)
        if cursor.rowcount == 0:
            self._insert_writer.run(cursor, [(self._writer, 0)])
            self._count.run(cursor, own)
        self._note.run(cursor, own | {"mark": os.urandom(_MARK_BYTES), "resources": pack_numbers(resources)})
        self._forget.run(cursor, own)


class Changes:
    """The version of a store, and what has changed since."""

    def __init__(self, database: Database, connections: Connections) -> None:
        self._place = database.place
        self._connections = connections
        last = select(writer.c.id, writer.c.changes, change.c.mark).join_from(
            writer, change, (change.c.writer == writer.c.id) & (change.c.number == writer.c.changes), isouter=True
        )
        self._last = Statement(last.order_by(writer.c.id), database.dialect)
        since = select(change.c.mark, change.c.resources).order_by(change.c.number)
        since = since.where(change.c.writer == bindparam("writer"), change.c.number >= bindparam("number"))
        self._since = Statement(since, database.dialect)
        self._names = Lookup(database, resource.c.id, resource.c.type, resource.c.source, resource.c.name)

    def version(self) -> str:
        """As :meth:`timeline.drivers.contract.EventStore.version`."""
        with self._connections.reading() as cursor:
            last = self._last.run(cursor).fetchall()
        # Without its mark, which someone has deleted, a change is in no token that is known again
        return ",".join(f"{writer}.{number}.{(mark or b'').hex()}" for writer, number, mark in last) or _NOTHING

    def changed(self, since: str) -> Collection[Resource] | None:
        """As :meth:`timeline.drivers.contract.EventStore.changed`."""
        token = _parsed(since)
        if token is None:
            return None
        with self._connections.reading_at_once() as cursor:
            last = {writer: number for writer, number, _ in self._last.run(cursor).fetchall()}
            if not token.keys() <= last.keys():
                return None
            ids: set[int] = set()
            for writer, number in last.items():
                noted = self._noted(cursor, writer, token.get(writer), number)
                if noted is None:
                    return None
                for resources in noted:
                    ids.update(unpack_numbers(resources))
            named = list(self._names.rows(cursor, sorted(ids)))
        if len(named) != len(ids):
            raise StoreCorrupt(
                f"{self._place}: changes refer to resources that are not in the store; restore it from a backup"
            )
        return [Resource(type=decode(kind), source=decode(source), id=decode(name)) for _, kind, source, name in named]

    def _noted(self, cursor: Cursor, writer: int, seen: tuple[int, bytes] | None, last: int) -> Sequence[bytes] | None:
        """The resources of each change of a writer after the one that was seen; ``None`` where they are not all there.

        That one is there with its mark, or the token is not of this store as it is now.
        """
        first, mark = seen or (1, None)
        rows = self._since.run(cursor, {"writer": writer, "number": first}).fetchall()
        if not rows or len(rows) != last - first + 1 or (mark and mark != rows[0][0]):
            return None
        return [resources for _, resources in (rows[1:] if seen else rows)]


def _parsed(token: str) -> Token | None:
    """What a token says; ``None`` where it is none."""
    if token == _NOTHING:
        return {}
    found = [_LAST_CHANGE.fullmatch(one) for one in token.split(",")]
    parsed = {int(one["writer"]): (int(one["number"]), bytes.fromhex(one["mark"])) for one in found if one}
    return parsed if len(parsed) == len(found) else None

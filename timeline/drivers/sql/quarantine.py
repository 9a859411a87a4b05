"""Quarantine records stored and read back."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import BigInteger, Select, bindparam, select, update

from timeline.drivers.codec import decode, encode
from timeline.drivers.limits import kept_note
from timeline.drivers.sql.connections import Connections
from timeline.drivers.sql.database import Database
from timeline.drivers.sql.schema import quarantine
from timeline.drivers.sql.statement import Statement
from timeline.errors import StoreCorrupt
from timeline.model import Outcome, Quarantined

_BEYOND = b"\xff"
"""Follows whatever continues a text: this byte is in no UTF-8."""


class Quarantine:
    """The quarantine of a store."""

    def __init__(self, database: Database, connections: Connections) -> None:
        self._database = database
        self._dialect = database.dialect
        self._connections = connections
        of_id = update(quarantine).where(quarantine.c.id == bindparam("record"))
        self._insert = database.inserting(quarantine, [quarantine.c.id])
        reopened: dict[str, Any] = {
            name: bindparam(name) for name in ("reason", "detail", "origin", "outcome", "settled_at", "place", "note")
        }
        self._reopen = Statement(of_id.where(quarantine.c.outcome.is_not(None)).values(reopened), self._dialect)
        settled: dict[str, Any] = {name: bindparam(name) for name in ("outcome", "settled_at", "note")}
        self._pages: dict[tuple[bool, bool], Statement] = {}
        self._settle = Statement(of_id.where(quarantine.c.outcome.is_(None)).values(settled), self._dialect)

    def put(self, records: Sequence[Quarantined]) -> int:
        """As :meth:`timeline.drivers.contract.QuarantineStore.put`."""
        if not records:
            return 0
        rows = [_row(record) for record in sorted(records, key=_id)]
        with self._connections.writing() as cursor:
            stored = self._insert.run(cursor, [[row[column.name] for column in quarantine.c] for row in rows])
            self._reopen.run_for_each(cursor, [{**row, "record": row["id"]} for row in rows])
            return stored + cursor.rowcount

    def list(self, after: Quarantined | None, limit: int, settled: bool) -> Sequence[Quarantined]:
        """As :meth:`timeline.drivers.contract.QuarantineStore.list`."""
        values: dict[str, Any] = {"most": limit}
        if after is not None:
            values |= {"after_at": after.received_at, "after_id": encode(after.id)}
        statement = self._page(settled, after is not None)
        with self._connections.reading() as cursor:
            return [_record(row) for row in statement.run(cursor, values).fetchall()]

    def find(self, id: str) -> Sequence[Quarantined]:
        """As :meth:`timeline.drivers.contract.QuarantineStore.find`."""
        first = encode(id)
        found = select(quarantine).where(quarantine.c.id >= first, quarantine.c.id < first + _BEYOND)
        return self._records(found.order_by(quarantine.c.id).limit(2))

    def settle(self, id: str, outcome: Outcome, at: int, note: str | None) -> None:
        """As :meth:`timeline.drivers.contract.QuarantineStore.settle`."""
        settled = {"outcome": encode(outcome), "settled_at": at, "note": _encoded(kept_note(outcome, note))}
        with self._connections.writing() as cursor:
            self._settle.run(cursor, {"record": encode(id), **settled})

    def _page(self, settled: bool, continued: bool) -> Statement:
        """The statement that reads a page: who walks along all records asks for thousands."""
        if (settled, continued) not in self._pages:
            age = (quarantine.c.received_at, quarantine.c.id)
            page = select(quarantine).order_by(*age).limit(bindparam("most", type_=BigInteger()))
            if not settled:
                page = page.where(quarantine.c.outcome.is_(None))
            if continued:
                names = zip(("after_at", "after_id"), age, strict=True)
                last = [bindparam(name, type_=column.type) for name, column in names]
                page = page.where(self._database.beyond(age, last))
            self._pages[settled, continued] = Statement(page, self._dialect)
        return self._pages[settled, continued]

    def _records(self, query: Select[Any]) -> Sequence[Quarantined]:
        with self._connections.reading() as cursor:
            return [_record(row) for row in Statement(query, self._dialect).run(cursor).fetchall()]


_id = attrgetter("id")


def _row(record: Quarantined) -> dict[str, Any]:
    return {
        "id": encode(record.id),
        "reason": encode(record.reason),
        "detail": encode(record.detail),
        "origin": encode(record.origin),
        "received_at": record.received_at,
        "event_type": _encoded(record.event_type),
        "message_id": _encoded(record.message_id),
        "size": record.size,
        "data": record.data,
        "outcome": None,
        "settled_at": None,
        "place": _encoded(record.place),
        "note": None,
    }


def _record(row: Sequence[Any]) -> Quarantined:
    id, reason, detail, origin, received_at, event_type, message_id, size, data, outcome, settled_at, place, note = row
    return Quarantined(
        id=decode(id),
        reason=decode(reason),
        detail=decode(detail),
        origin=decode(origin),
        received_at=received_at,
        event_type=_decoded(event_type),
        message_id=_decoded(message_id),
        size=size,
        data=data,
        outcome=None if outcome is None else _outcome(decode(outcome)),
        settled_at=settled_at,
        place=_decoded(place),
        note=_decoded(note),
    )


def _encoded(text: str | None) -> bytes | None:
    return None if text is None else encode(text)


def _decoded(data: bytes | None) -> str | None:
    return None if data is None else decode(data)


def _outcome(name: str) -> Outcome:
    try:
        return Outcome(name)
    except ValueError as error:
        raise StoreCorrupt(
            f"a quarantine record has the outcome {name!r}, which is none: see timeline check"
        ) from error

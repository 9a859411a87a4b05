"""Quarantine records stored and read back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bson.binary import Binary
from bson.int64 import Int64
from pymongo import UpdateOne

from timeline.drivers.limits import kept_note
from timeline.drivers.mongodb import keys
from timeline.drivers.mongodb.codec import Text, read_text, text, time
from timeline.drivers.mongodb.connection import Connection
from timeline.drivers.mongodb.inserting import insert_missing
from timeline.drivers.mongodb.schema import Document
from timeline.model import Outcome, Quarantined

Sort = list[tuple[str, int]]

_BYTES = 16 * 1024 * 1024
"""Bytes of messages in one command, about."""
_PAGE = 1_000
_BY_AGE = [("received_at", 1), ("_id", 1)]


class Quarantine:
    """The quarantine of a store."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, records: Sequence[Quarantined]) -> int:
        """As :meth:`timeline.drivers.contract.QuarantineStore.put`."""
        first: dict[str, Quarantined] = {}
        for record in records:
            first.setdefault(record.id, record)
        self._connection["quarantine"]  # a store is there, though nothing is asked of it
        return sum(self._put(some) for some in _by_bytes(first.values()))

    def list(self, after: Quarantined | None, limit: int, settled: bool) -> Sequence[Quarantined]:
        """As :meth:`timeline.drivers.contract.QuarantineStore.list`."""
        wanted: Document = {} if settled else {"settled": False}
        listed: list[Quarantined] = []
        ranges: list[Document] = [{}]
        if after is not None:
            at = time(after.received_at)
            ranges = [{"received_at": at, "_id": {"$gt": keys.spell(after.id)}}, {"received_at": {"$gt": at}}]
        for one in ranges:
            number = min(limit - len(listed), 2**31 - 1)  # not every server counts farther
            if number > 0:
                listed += self._found({**wanted, **one}, _BY_AGE, number)
        return listed

    def find(self, id: str) -> Sequence[Quarantined]:
        """As :meth:`timeline.drivers.contract.QuarantineStore.find`."""
        return self._found({"_id": keys.beginning(id)}, [("_id", 1)], 2)

    def settle(self, id: str, outcome: Outcome, at: int, note: str | None) -> None:
        """As :meth:`timeline.drivers.contract.QuarantineStore.settle`."""
        kept = kept_note(outcome, note)
        settled = {"settled": True, "outcome": str(outcome), "settled_at": time(at), "note": _text(kept)}
        self._connection["quarantine"].update_one({"_id": keys.spell(id), "settled": False}, {"$set": settled})

    def _put(self, records: Sequence[Quarantined]) -> int:
        documents = [_document(record) for record in records]
        there = insert_missing(self._connection["quarantine"], documents)
        if not there:
            return len(documents)
        done = self._connection["quarantine"].bulk_write([_reopening(document) for document in there])
        return len(documents) - len(there) + done.modified_count

    def _found(self, condition: Document, sort: Sort, limit: int) -> Sequence[Quarantined]:
        found = self._connection["quarantine"].find(condition, sort=sort, limit=limit)
        return [record_of(document) for document in found]


def _by_bytes(records: Iterable[Quarantined]) -> Iterator[Sequence[Quarantined]]:
    some: list[Quarantined] = []
    held = 0
    for record in records:
        some.append(record)
        held += len(record.data)
        if held >= _BYTES or len(some) >= _PAGE:
            yield some
            some, held = [], 0
    if some:
        yield some


def _reopening(document: Document) -> UpdateOne:
    opened: Document = {name: document[name] for name in ("reason", "detail", "origin", "place", "settled")}
    closed: Document = {"outcome": "", "settled_at": None, "note": None}
    return UpdateOne({"_id": document["_id"], "settled": True}, {"$set": {**opened, **closed}})


def _document(record: Quarantined) -> Document:
    return {
        "_id": keys.spell(record.id),
        "reason": text(record.reason),
        "detail": text(record.detail),
        "origin": text(record.origin),
        "received_at": time(record.received_at),
        "event_type": _text(record.event_type),
        "message_id": _text(record.message_id),
        "size": Int64(record.size),
        "data": Binary(record.data),
        "settled": False,
        "outcome": "",
        "settled_at": None,
        "place": _text(record.place),
        "note": None,
    }


def record_of(document: Document) -> Quarantined:
    try:
        return _read(document)
    except (KeyError, TypeError, ValueError) as error:
        raise keys.Unreadable(f"the record {document['_id']!r} is none: {error!r}") from error


def _read(document: Document) -> Quarantined:
    settled_at: Any = document["settled_at"]
    return Quarantined(
        id=keys.read(document["_id"]),
        reason=read_text(document["reason"]),
        detail=read_text(document["detail"]),
        origin=read_text(document["origin"]),
        received_at=int(document["received_at"]),
        event_type=_read_text(document["event_type"]),
        message_id=_read_text(document["message_id"]),
        size=int(document["size"]),
        data=bytes(document["data"]),
        outcome=Outcome(document["outcome"]) if document["settled"] else None,
        settled_at=None if settled_at is None else int(settled_at),
        # neither is in a document from before revision 0002
        place=_read_text(document.get("place")),
        note=_read_text(document.get("note")),
    )


def _text(given: str | None) -> Text | None:
    return None if given is None else text(given)


def _read_text(stored: Text | None) -> str | None:
    return None if stored is None else read_text(stored)

"""Quarantine records stored and read back.

A record has two rows. The one by its id says when it was received, and so where the other one is; the one by its age
holds it. Both are put only where they are not there yet, or are still as they were read, so that of two processes that
do so at the same time one does, and the other looks again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from timeline.drivers.hbase import paging
from timeline.drivers.hbase.codec import decode, encode, read_since_first, since_first
from timeline.drivers.hbase.connections import Connections
from timeline.drivers.hbase.gateway import Cells, Gateway
from timeline.drivers.hbase.schema import AGE, BODY, META, ONCE, QUARANTINE_BY_AGE, QUARANTINE_BY_ID, ROW
from timeline.drivers.limits import kept_note
from timeline.errors import StoreBusy, StoreCorrupt
from timeline.model import Outcome, Quarantined

_OPEN, _SETTLED = b"o", b"s"
"""What the cell of a record begins with."""
_ONLY_OPEN = b"SingleColumnValueFilter('d', 'r', =, 'binaryprefix:o', true, true)"
_FEW, _MOST = 4, 256
"""Records of a page: one may have four megabytes, and most have a few hundred bytes."""
_TURNS = 20
"""How often a record that others change is looked at again."""


class _Kept(msgspec.Struct, array_like=True):
    """A record as it is stored, but for its message. Texts as bytes: the names of files may be no UTF-8."""

    id: bytes
    reason: bytes
    detail: bytes
    origin: bytes
    received_at: int
    event_type: bytes | None
    message_id: bytes | None
    size: int
    outcome: bytes | None = None
    settled_at: int | None = None
    # what comes now is not in a row from before revision 0002
    place: bytes | None = None
    note: bytes | None = None


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Kept).decode


class Quarantine:
    """The quarantine of a store."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def put(self, records: Iterable[Quarantined]) -> None:
        """As :meth:`timeline.drivers.contract.QuarantineStore.put`."""
        for record in records:
            self._connections.ask(lambda gateway, record=record: self._put(gateway, record))  # type: ignore[misc]

    def page(self, after: Quarantined | None, limit: int, settled: bool) -> Sequence[Quarantined]:
        """As :meth:`timeline.drivers.contract.QuarantineStore.list`."""
        start = QUARANTINE_BY_AGE
        if after is not None:
            start = by_age(since_first(after.received_at), encode(after.id)) + b"\0"
        page: list[Quarantined] = []
        if limit <= 0:
            return page
        for cells in self._cells(start, None if settled else _ONLY_OPEN, min(limit, _FEW)):
            page.append(self._record(cells))
            if len(page) == limit:
                break
        return page

    def find(self, id: str) -> Sequence[Quarantined]:
        """As :meth:`timeline.drivers.contract.QuarantineStore.find`."""
        first = QUARANTINE_BY_ID + encode(id)
        found: list[Quarantined] = []
        for row, cells in paging.rows(
            self._connections, META, first, first + b"\xff", whole=True, first=_FEW, most=_MOST
        ):
            place = by_age(cells[AGE], row[1:])
            rows = self._connections.ask(lambda gateway: gateway.rows(META, [place]))  # noqa: B023 - asked at once
            if ROW in rows.get(place, {}):  # otherwise it is just being put
                found.append(self._record(rows[place]))
            if len(found) == 2:
                break
        return found

    def settle(self, id: str, outcome: Outcome, at: int, note: str | None) -> None:
        """As :meth:`timeline.drivers.contract.QuarantineStore.settle`."""
        kept = _encoded(kept_note(outcome, note))
        self._connections.ask(lambda gateway: self._settle(gateway, id, outcome, at, kept))

    def open_reasons(self) -> Iterator[str]:
        """The reason of each open record."""
        for cells in self._cells(QUARANTINE_BY_AGE, _ONLY_OPEN, 5_000, [ROW]):
            yield decode(self._kept(cells).reason)

    def _put(self, gateway: Gateway, record: Quarantined) -> None:
        id = encode(record.id)
        pointer = QUARANTINE_BY_ID + id
        age = since_first(record.received_at)
        known = gateway.rows(META, [pointer]).get(pointer)
        if known is None and not gateway.swap(META, pointer, AGE, None, age):
            known = gateway.rows(META, [pointer])[pointer]
        if known is not None:
            age = known[AGE]
        place = by_age(age, id)
        for _ in range(_TURNS):
            stored = gateway.rows(META, [place], [ROW]).get(place, {}).get(ROW)
            if stored is None:
                kept = _Kept(
                    id=id,
                    reason=encode(record.reason),
                    detail=encode(record.detail),
                    origin=encode(record.origin),
                    received_at=read_since_first(age),
                    event_type=_encoded(record.event_type),
                    message_id=_encoded(record.message_id),
                    size=record.size,
                    place=_encoded(record.place),
                )
                gateway.put(META, [(place, [(BODY, record.data)])], ONCE)
            elif stored.startswith(_OPEN):
                return
            else:
                kept = _unpack(stored[1:])
                kept.reason, kept.detail, kept.origin = map(encode, (record.reason, record.detail, record.origin))
                kept.place = _encoded(record.place)
                kept.outcome = kept.settled_at = kept.note = None
            if gateway.swap(META, place, ROW, stored, _OPEN + _pack(kept)):
                return
        raise self._in_the_way(record.id)

    def _settle(self, gateway: Gateway, id: str, outcome: Outcome, at: int, note: bytes | None) -> None:
        pointer = QUARANTINE_BY_ID + encode(id)
        known = gateway.rows(META, [pointer]).get(pointer)
        if known is None:
            return
        place = by_age(known[AGE], encode(id))
        for _ in range(_TURNS):
            stored = gateway.rows(META, [place], [ROW]).get(place, {}).get(ROW)
            if stored is None or stored.startswith(_SETTLED):
                return
            kept = _unpack(stored[1:])
            kept.outcome, kept.settled_at, kept.note = encode(outcome), at, note
            if gateway.swap(META, place, ROW, stored, _SETTLED + _pack(kept)):
                return
        raise self._in_the_way(id)

    def _cells(
        self, start: bytes, filter: bytes | None, first: int, columns: list[bytes] | None = None
    ) -> Iterator[Cells]:
        """The cells of the records from a row on, by age."""
        stop = bytes((QUARANTINE_BY_AGE[0] + 1,))
        rows = paging.rows(
            self._connections, META, start, stop, columns=columns, filter=filter, whole=True, first=first, most=_MOST
        )
        return (cells for _, cells in rows if ROW in cells)

    def _record(self, cells: Cells) -> Quarantined:
        try:
            return record_of(cells)
        except (LookupError, ValueError, msgspec.MsgspecError) as error:
            raise self._corrupt(error) from error

    def _kept(self, cells: Cells) -> _Kept:
        try:
            return _unpack(cells[ROW][1:])
        except msgspec.MsgspecError as error:
            raise self._corrupt(error) from error

    def _corrupt(self, error: Exception) -> StoreCorrupt:
        return StoreCorrupt(
            f"{self._connections.url.place}: a quarantine record cannot be read ({error}); restore the store from a "
            "backup"
        )

    def _in_the_way(self, id: str) -> StoreBusy:
        return StoreBusy(
            f"{self._connections.url.place}: others change the quarantine record {id:.12} again and again; try again"
        )


def by_age(age: bytes, id: bytes) -> bytes:
    """The row of a record."""
    return QUARANTINE_BY_AGE + age + id


def record_of(cells: Cells) -> Quarantined:
    """The record in some cells. Raises :class:`LookupError`, ``ValueError`` or ``MsgspecError`` where it is none."""
    state, kept = cells[ROW][:1], _unpack(cells[ROW][1:])
    if state != (_OPEN if kept.outcome is None else _SETTLED):
        raise ValueError("it is settled by half")
    return Quarantined(
        id=decode(kept.id),
        reason=decode(kept.reason),
        detail=decode(kept.detail),
        origin=decode(kept.origin),
        received_at=kept.received_at,
        event_type=_decoded(kept.event_type),
        message_id=_decoded(kept.message_id),
        size=kept.size,
        data=cells[BODY],
        outcome=None if kept.outcome is None else Outcome(decode(kept.outcome)),
        settled_at=kept.settled_at,
        place=_decoded(kept.place),
        note=_decoded(kept.note),
    )


def _encoded(text: str | None) -> bytes | None:
    return None if text is None else encode(text)


def _decoded(data: bytes | None) -> str | None:
    return None if data is None else decode(data)

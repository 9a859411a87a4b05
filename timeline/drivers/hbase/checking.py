"""What is wrong in the tables: rows that name what is not there, bodies that are not what they were, odd keys.

What a row names is put before the row, and looked for after it was read: so it does not matter what others add
meanwhile.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from itertools import islice

import msgspec

from timeline import clock
from timeline.drivers.contract import Damage, Problem
from timeline.drivers.hbase import paging
from timeline.drivers.hbase.bodies import read_bodies
from timeline.drivers.hbase.codec import (
    BOUND,
    FAMILY,
    ORDINARY,
    REFERENCE_BYTES,
    STAMP_BYTES,
    decode,
    id_first,
    name_of,
    named,
    named_id_first,
    read_column,
    read_since_first,
    read_value,
    reference,
    salted,
    split_row,
    unpack_names,
    value_of,
)
from timeline.drivers.hbase.connections import Connections
from timeline.drivers.hbase.gateway import Cells, Row
from timeline.drivers.hbase.known import Known
from timeline.drivers.hbase.quarantine import record_of
from timeline.drivers.hbase.schema import (
    AGE,
    BEGUN,
    BODIES,
    BODY,
    CHANGED,
    CHANGES,
    COUNTERS,
    EVENTS,
    MARK,
    MARK_BYTES,
    META,
    NOTHING,
    QUARANTINE_BY_AGE,
    QUARANTINE_BY_ID,
    RESOURCES,
    RESOURCES_BY_ID,
    ROW,
    SCHEMA,
    STATE,
    WRITERS,
    change_number,
)
from timeline.errors import StoreCorrupt
from timeline.model import LIFE_BOUNDS, Body, Outcome, Phase, Resource

_MOST = 1_000
"""Problems of one kind that are told."""
_END = b"\xff" * 40
"""After every row."""
_EVENT_ROWS, _BODY_ROWS, _ROWS = 400, 16, 500
"""Rows that are read together. A body may have a megabyte, and a quarantine record four."""

_UNREADABLE = (ValueError, LookupError, struct.error, msgspec.MsgspecError, StoreCorrupt)
_AFTER_RECORDS = bytes((QUARANTINE_BY_AGE[0] + 1,))
_PHASES = frozenset(int(phase) for phase in Phase)


class Checking:
    """Looks through a store for what cannot be right."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._prefix = connections.url.prefix

    def problems(self) -> Iterator[Problem]:
        """As :meth:`timeline.drivers.contract.CheckedStore.check`."""
        self._connections.ask(lambda gateway: None)  # if there is no store, nothing of it can be looked at
        yield from islice(self._odd_bodies(), _MOST)
        yield from self._odd_events()
        yield from islice(self._odd_rows(), _MOST)
        yield from islice(self._odd_records(), _MOST)

    def _odd_bodies(self) -> Iterator[Problem]:
        for row, cells in paging.rows(self._connections, BODIES, b"", _END, whole=True, first=4, most=_BODY_ROWS):
            if set(cells) != {BODY} or len(row) != REFERENCE_BYTES:
                yield self._damaged(BODIES, row, "is that of no body")
            elif reference(Body(cells[BODY], sha256(cells[BODY]).digest())) != row:
                detail = f"the body {row[:-1].hex()} has other bytes than its digest or its length says"
                yield Problem(damage=Damage.BODY_DAMAGED, detail=detail)

    def _odd_events(self) -> Iterator[Problem]:
        """Odd rows, and what they name that is not there; a thousand of each kind."""
        told = dict.fromkeys(Damage, 0)
        bodies, names = Known(), Known()
        rows = paging.rows(self._connections, EVENTS, b"", _END, first=_EVENT_ROWS, most=_EVENT_ROWS)
        while some := list(islice(rows, _EVENT_ROWS)):
            for problem in self._of_events(some, bodies, names):
                told[problem.damage] += 1
                if told[problem.damage] <= _MOST:
                    yield problem

    def _of_events(self, rows: list[Row], bodies: Known, names: Known) -> Iterator[Problem]:
        of_body: dict[bytes, Resource] = {}
        resources: dict[bytes, Resource] = {}
        for row, cells in rows:
            try:
                name, rest = split_row(row)
                resource = named(name)
            except _UNREADABLE:
                yield self._damaged(EVENTS, row, "is that of no event")
                continue
            for why in _odd_in_row(row, name, rest, cells):
                yield self._damaged(EVENTS, row, why, resource)
            if (body := rest[1 : 1 + REFERENCE_BYTES]) not in bodies:
                of_body.setdefault(body, resource)
            if name not in names:
                resources[name] = resource
        there = read_bodies(self._connections, [key for key in of_body if len(key) == REFERENCE_BYTES])
        for key, resource in of_body.items():
            if key not in there:
                detail = f"the body {key[:-1].hex()} is not there"
                yield Problem(damage=Damage.BODY_MISSING, detail=detail, resource=resource)
        bodies.add(there)
        listed: list[tuple[bytes, bytes, Resource]] = [
            (RESOURCES + name, RESOURCES_BY_ID + id_first(one), one) for name, one in resources.items()
        ]
        found = self._rows([key for by_name, by_id, _ in listed for key in (by_name, by_id)], [NOTHING])
        for by_name, by_id, one in listed:
            for key, how in ((by_name, "name"), (by_id, "id")):
                if key not in found:
                    detail = f"events are of {one}, which cannot be found by its {how}"
                    yield Problem(damage=Damage.REFERENCE_MISSING, detail=detail, resource=one)
        names.add(name for name, one in resources.items() if RESOURCES + name in found)

    def _odd_rows(self) -> Iterator[Problem]:
        """Odd rows of the table of the rest, but for the records of quarantine."""
        for start, stop in ((b"", QUARANTINE_BY_AGE), (_AFTER_RECORDS, _END)):
            for row, cells in paging.rows(self._connections, META, start, stop, whole=True, first=_ROWS, most=_ROWS):
                try:
                    _READ[row[:1]](row, cells)
                except KeyError:
                    yield self._damaged(META, row, "is none that this program writes")
                except _UNREADABLE as error:
                    yield self._damaged(META, row, f"cannot be read ({error})")

    def _odd_records(self) -> Iterator[Problem]:
        for row, cells in paging.rows(
            self._connections, META, QUARANTINE_BY_AGE, _AFTER_RECORDS, whole=True, first=4, most=_BODY_ROWS
        ):
            if set(cells) == {BODY}:
                continue  # it is just being put, or was cut off in that
            try:
                record, id = record_of(cells), row[9:]
                if (record.received_at, record.id) != (read_since_first(row[1:9]), decode(id)):
                    raise ValueError("it lies under another age or id")
                _in_range(record.received_at)
                if record.settled_at is not None:
                    _in_range(record.settled_at)
                if record.note is not None and record.outcome is not Outcome.DROPPED:
                    raise ValueError("it has a note and was not dropped")
            except _UNREADABLE as error:
                yield self._damaged(META, row, f"is that of a quarantine record that cannot be read ({error})")
                continue
            by_id = QUARANTINE_BY_ID + id
            if self._rows([by_id], [AGE]).get(by_id) != {AGE: row[1:9]}:
                detail = f"the quarantine record {record.id:.64} cannot be found by its id"
                yield Problem(damage=Damage.REFERENCE_MISSING, detail=detail)

    def _rows(self, keys: Sequence[bytes], columns: Sequence[bytes]) -> dict[bytes, Cells]:
        return self._connections.ask(lambda gateway: gateway.rows(META, keys, columns))

    def _damaged(self, table: str, row: bytes, why: str, of: Resource | None = None) -> Problem:
        detail = f"the row {row.hex():.200} of the table {self._prefix}_{table} {why}"
        return Problem(damage=Damage.ROW_DAMAGED, detail=detail, resource=of)


def _odd_in_row(row: bytes, name: bytes, rest: bytes, cells: Cells) -> Iterator[str]:
    """What is wrong with a row of events, whose name can be read."""
    kind, stamp = rest[:1], rest[1 + REFERENCE_BYTES :]
    if not row.startswith(salted(name)):
        yield "does not lie under its salt"
    if kind not in (ORDINARY, BOUND) or len(rest) != 1 + REFERENCE_BYTES + (STAMP_BYTES if kind == BOUND else 0):
        yield "is that of no event"
        return
    for column, value in cells.items():
        try:
            occurred_at, phase = read_column(column)
            provenance = read_value(value)
            _in_range(occurred_at)
            _in_range(provenance[0])
            if phase not in _PHASES:
                raise ValueError(f"no phase has the number {phase}")
            if (phase in LIFE_BOUNDS) != (kind == BOUND) or (kind == BOUND and column != FAMILY + stamp):
                raise ValueError("its phase or its time belongs into another row")
            if value_of(*provenance) != value:
                raise ValueError("its provenance is packed otherwise")
        except _UNREADABLE as error:
            yield f"has an event in the column {column.hex():.60} that cannot be right ({error})"


def _in_range(instant: int) -> None:
    if not clock.MIN <= instant <= clock.MAX:
        raise ValueError("a time is not between the years 1 and 9999")


def _read_schema(row: bytes, cells: Cells) -> None:
    if row != SCHEMA or set(cells) != {ROW}:
        raise ValueError("the revision stands alone")


def _read_counters(row: bytes, cells: Cells) -> None:
    if row != COUNTERS or not set(cells) <= {BEGUN, CHANGED} or {len(value) for value in cells.values()} != {8}:
        raise ValueError("a counter has 8 bytes")


def _read_writer(row: bytes, cells: Cells) -> None:
    int(cells[STATE])
    _read_names(cells[ROW])


def _read_change(row: bytes, cells: Cells) -> None:
    if change_number(row) < 0 or len(cells[MARK]) != MARK_BYTES:
        raise ValueError("a change has a number and a mark")
    if ROW in cells:
        _read_names(cells[ROW])


def _read_names(packed: bytes) -> None:
    for name in unpack_names(packed):
        named(name)


def _read_resource(row: bytes, cells: Cells) -> None:
    if RESOURCES + name_of(named(row[1:])) != row or set(cells) != {NOTHING}:
        raise ValueError("it is spelled otherwise")


def _read_resource_by_id(row: bytes, cells: Cells) -> None:
    if RESOURCES_BY_ID + id_first(named_id_first(row[1:])) != row or set(cells) != {NOTHING}:
        raise ValueError("it is spelled otherwise")


def _read_quarantine_by_id(row: bytes, cells: Cells) -> None:
    decode(row[1:])
    _in_range(read_since_first(cells[AGE]))


_READ: dict[bytes, Callable[[bytes, Cells], None]] = {
    SCHEMA: _read_schema,
    COUNTERS: _read_counters,
    WRITERS: _read_writer,
    CHANGES: _read_change,
    RESOURCES: _read_resource,
    RESOURCES_BY_ID: _read_resource_by_id,
    QUARANTINE_BY_ID: _read_quarantine_by_id,
}
"""What reads the rows that begin so, and raises what is among the errors above where one cannot be right."""

"""What is wrong in the tables: rows that name what is not there, bodies that are not what they were, odd values.

Each statement stands alone: what a row names is looked for by the statement that reads the row, so that it does not
matter what others commit meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.sql import ClauseElement

from timeline import clock
from timeline.drivers.codec import decode, encode, pack_message_id, unpack_message_id
from timeline.drivers.contract import Damage, Problem
from timeline.drivers.sql.connections import Connections
from timeline.drivers.sql.database import Database
from timeline.drivers.sql.schema import body, body_digest, event, event_type, quarantine, resource, stream
from timeline.drivers.sql.statement import Statement
from timeline.errors import StoreCorrupt
from timeline.model import LIFE_BOUNDS, Outcome, Phase, Resource

Row = Sequence[Any]

_MOST = 1_000
"""Problems of one kind that are told."""
_BODIES, _ROWS = 64, 4_000
"""Rows that are fetched together. A body may have a megabyte."""

_OWN_CHECKS = {"sqlite": f"PRAGMA integrity_check({_MOST})"}
"""How a database is asked to look through its own files: ``ok``, or a row for each fault."""

_PHASES = frozenset(int(phase) for phase in Phase)
_BOUNDS = sorted(int(phase) for phase in LIFE_BOUNDS)
_OUTCOMES = frozenset(str(outcome) for outcome in Outcome)
_DROPPED = encode(Outcome.DROPPED)
_RESOURCE = (resource.c.type, resource.c.source, resource.c.name)


class Checking:
    """Looks through a store for what cannot be right."""

    def __init__(self, database: Database, connections: Connections) -> None:
        self._dialect = database.dialect
        self._connections = connections

    def problems(self) -> Iterator[Problem]:
        """As :meth:`timeline.drivers.contract.CheckedStore.check`."""
        yield from self._database_itself()
        yield from self._references()
        yield from self._kinds()
        for find in (
            self._damaged_bodies,
            self._odd_resources,
            self._odd_event_types,
            self._odd_events,
            self._odd_records,
        ):
            yield from islice(find(), _MOST)

    def _database_itself(self) -> Iterator[Problem]:
        statement = _OWN_CHECKS.get(self._dialect.name)
        if statement is None:
            return
        with self._connections.reading() as cursor:
            cursor.execute(statement)
            said = [str(text) for (text,) in cursor.fetchall()]
        if said != ["ok"]:
            yield from (Problem(damage=Damage.DATABASE_DAMAGED, detail=text) for text in said)

    def _references(self) -> Iterator[Problem]:
        """Rows that name what is not there."""
        without_body = (
            select(stream.c.id, stream.c.body, *_RESOURCE)
            .select_from(
                stream.outerjoin(body, body.c.id == stream.c.body).outerjoin(
                    resource, resource.c.id == stream.c.resource
                )
            )
            .where(body.c.id.is_(None))
        )
        for number, missing, *named in self._rows(without_body.limit(_MOST)):
            yield Problem(
                damage=Damage.BODY_MISSING,
                detail=f"stream {number} names body {missing}, which is not in the table body",
                resource=_resource(named),
            )
        without_resource = (
            select(stream.c.id, stream.c.resource)
            .select_from(stream.outerjoin(resource, resource.c.id == stream.c.resource))
            .where(resource.c.id.is_(None))
        )
        without_found_body = (
            select(body_digest.c.digest, body_digest.c.body)
            .select_from(body_digest.outerjoin(body, body.c.id == body_digest.c.body))
            .where(body.c.id.is_(None))
        )
        # EXCEPT, since there is no index to look these up by: a database sorts or hashes each side once
        without_digest = select(body.c.id).except_(select(body_digest.c.body))
        without_stream = select(event.c.stream).except_(select(stream.c.id))
        without_type = select(event.c.event_type).except_(select(event_type.c.id))
        shared = select(stream.c.id).group_by(stream.c.id).having(func.count() > 1)
        for row in self._rows(without_resource.limit(_MOST)):
            yield _missing(f"stream {row[0]} names resource {row[1]}, which is not in the table resource")
        for row in self._rows(without_found_body.limit(_MOST)):
            yield _missing(f"the digest {row[0].hex()} names body {row[1]}, which is not in the table body")
        for (number,) in self._rows(without_digest.limit(_MOST)):
            yield _missing(f"body {number} has no digest in the table body_digest, and cannot be found by it")
        for (number,) in self._rows(without_stream.limit(_MOST)):
            yield _missing(f"events name stream {number}, which is not in the table stream")
        for (number,) in self._rows(without_type.limit(_MOST)):
            yield _missing(f"events name event type {number}, which is not in the table event_type")
        for (number,) in self._rows(shared.limit(_MOST)):
            yield _damaged(f"several rows of the table stream have the id {number}: they share their events")

    def _damaged_bodies(self) -> Iterator[Problem]:
        """Bodies whose bytes do not have their digest."""
        found = select(body_digest.c.digest, body.c.id, body.c.data).join(body, body.c.id == body_digest.c.body)
        for digest, number, data in self._all(found, _BODIES):
            if sha256(data).digest() != digest:
                detail = f"body {number} has other bytes than its digest {digest.hex()} says"
                yield Problem(damage=Damage.BODY_DAMAGED, detail=detail)

    def _kinds(self) -> Iterator[Problem]:
        """Events that lie in a stream of another kind than their phase says: an answer would pass over them."""
        bounds = or_(*(event.c.phase == bound for bound in _BOUNDS))
        astray = or_(and_(stream.c.kind == 0, bounds), and_(stream.c.kind != 0, stream.c.kind != event.c.phase))
        found = (
            select(stream.c.id, stream.c.kind, event.c.occurred_at, event.c.phase, *_RESOURCE)
            .select_from(
                stream.join(event, event.c.stream == stream.c.id).outerjoin(
                    resource, resource.c.id == stream.c.resource
                )
            )
            .where(astray)
        )
        for number, kind, occurred_at, phase, *named in self._rows(found.limit(_MOST)):
            detail = f"the event of {_time(occurred_at)} with phase {phase} is in stream {number} of kind {kind}"
            yield _damaged(detail, _resource(named))

    def _odd_resources(self) -> Iterator[Problem]:
        for number, *named in self._all(select(resource.c.id, *_RESOURCE)):
            if _resource(named) is None:
                yield _damaged(f"the type, source or name of resource {number} is no text in UTF-8")

    def _odd_event_types(self) -> Iterator[Problem]:
        for number, name in self._all(select(event_type.c.id, event_type.c.name)):
            if not _readable(decode, name):
                yield _damaged(f"the name of event type {number} is no text in UTF-8")

    def _odd_events(self) -> Iterator[Problem]:
        found = select(event.c.stream, event.c.occurred_at, event.c.phase, event.c.recorded_at, event.c.message_id)
        for number, occurred_at, phase, recorded_at, message_id in self._all(found):
            odd = []
            if phase not in _PHASES:
                odd.append(f"no phase has the number {phase}")
            if not _in_range(occurred_at) or not _in_range(recorded_at):
                odd.append("a time is not between the years 1 and 9999")
            if message_id is not None and not _readable(_unpacked, message_id):
                odd.append("the message id cannot be read")
            if odd:
                detail = f"the event of {_time(occurred_at)} in stream {number}: {', '.join(odd)}"
                yield _damaged(detail, self._resource_of(number))

    def _odd_records(self) -> Iterator[Problem]:
        texts = (
            quarantine.c.id,
            quarantine.c.reason,
            quarantine.c.detail,
            quarantine.c.origin,
            quarantine.c.event_type,
            quarantine.c.message_id,
            quarantine.c.outcome,
            quarantine.c.place,
            quarantine.c.note,
        )
        for row in self._all(select(*texts, quarantine.c.received_at, quarantine.c.settled_at)):
            outcome, _, note, received_at, settled_at = row[6:]
            odd = []
            if not all(each is None or _readable(decode, each) for each in row[:9]):
                odd.append("a text is not in UTF-8")
            elif outcome is not None and decode(outcome) not in _OUTCOMES:
                odd.append(f"the outcome {decode(outcome)!r} is none")
            if (outcome is None) != (settled_at is None):
                odd.append("it is settled by half")
            if note is not None and outcome != _DROPPED:
                odd.append("it has a note and was not dropped")
            if not _in_range(received_at) or not (settled_at is None or _in_range(settled_at)):
                odd.append("a time is not between the years 1 and 9999")
            if odd:
                yield _damaged(f"the quarantine record {_shown(row[0])}: {', '.join(odd)}")

    def _resource_of(self, number: int) -> Resource | None:
        found = select(*_RESOURCE).join(stream, stream.c.resource == resource.c.id).where(stream.c.id == number)
        rows = self._rows(found.limit(1))
        return _resource(rows[0]) if rows else None

    def _rows(self, query: ClauseElement) -> Sequence[Row]:
        with self._connections.reading() as cursor:
            return Statement(query, self._dialect).run(cursor).fetchall()

    def _all(self, query: ClauseElement, together: int = _ROWS) -> Iterator[Row]:
        """The rows of a whole table, so many fetched together."""
        with self._connections.streaming() as cursor:
            Statement(query, self._dialect).run(cursor)
            while rows := cursor.fetchmany(together):
                yield from rows


def _missing(detail: str) -> Problem:
    return Problem(damage=Damage.REFERENCE_MISSING, detail=detail)


def _damaged(detail: str, of: Resource | None = None) -> Problem:
    return Problem(damage=Damage.ROW_DAMAGED, detail=detail, resource=of)


def _resource(named: Sequence[Any]) -> Resource | None:
    """The resource with these bytes for names; ``None`` where they cannot be read, or are not there."""
    if not all(_readable(decode, each) for each in named):
        return None
    kind, source, name = map(decode, named)
    return Resource(type=kind, source=source, id=name)


def _readable(read: Callable[[bytes], object], data: object) -> bool:
    try:
        read(data)  # type: ignore[arg-type]  # SQLite may hold anything anywhere: that is what is asked
    except (AttributeError, IndexError, StoreCorrupt, TypeError, ValueError):
        return False
    return True


def _unpacked(message_id: bytes) -> None:
    if pack_message_id(unpack_message_id(message_id)) != message_id:
        raise ValueError("it was not packed like this")


def _in_range(time: object) -> bool:
    return isinstance(time, int) and clock.MIN <= time <= clock.MAX


def _time(time: Any) -> str:
    return clock.format(time) if _in_range(time) else repr(time)


def _shown(id: object) -> str:
    return decode(id) if isinstance(id, bytes) and _readable(decode, id) else repr(id)

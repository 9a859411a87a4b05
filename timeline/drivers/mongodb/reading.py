"""Events read back: finds by ranges of keys, and documents as events."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from typing import Any, TypeVar

from pymongo.errors import AutoReconnect, CursorNotFound

from timeline.drivers.mongodb import keys
from timeline.drivers.mongodb.codec import read_message_id, read_text, time
from timeline.drivers.mongodb.connection import Connection
from timeline.drivers.mongodb.contents import Contents
from timeline.drivers.mongodb.schema import Document
from timeline.model import LIFE_BOUNDS, Body, Event, Phase, Resource, Scope, order

T = TypeVar("T")
Condition = dict[str, Any]

Row = tuple[int, int, str, Document]
"""occurred_at, phase, the digest of the body in hexadecimal, and the document."""
Rows = list[Row]
"""The rows of one resource."""

_FEW = 1_000
"""Events of one resource that are all read where only some are needed: one find that costs no more than ten."""
_MANY_STREAMS = 100
"""Bodies of one resource from which on all its events are read by one find, instead of the last of each by its own."""
_RESOURCES = 128
"""Resources whose events are read by one find."""
_ROWS = 500
"""Rows whose bodies are read together, about."""
_BATCH = 5_000
"""Documents that a server sends at a time, at the most. It sends fewer where they have more than 16 MiB."""

_PHASES = {int(phase): phase for phase in Phase}
_BOUNDS = frozenset(int(phase) for phase in LIFE_BOUNDS)
_RESTORE = int(Phase.RESTORE)


class Reading:
    """The events of a store, read back."""

    def __init__(self, connection: Connection, contents: Contents) -> None:
        self._connection = connection
        self._contents = contents

    def events(
        self, which: Scope | Collection[Resource], until: int | None, known_before: int | None, last_per_body: bool
    ) -> Iterator[Sequence[Event]]:
        """As :meth:`timeline.drivers.contract.EventStore.events`, the events of each resource in one piece."""
        wanted = _Wanted(until, known_before, last_per_body)
        for some in _together(self._rows(which, wanted)):
            yield from self._events(some)

    def _rows(self, which: Scope | Collection[Resource], wanted: _Wanted) -> Iterator[tuple[str, Rows]]:
        """The rows of each resource, by its key."""
        if not isinstance(which, Scope):
            yield from self._of_some(list(dict.fromkeys(map(keys.of_resource, which))), wanted)
        elif which.id is not None:
            yield from self._of_some(self._contents.with_id(which), wanted)
        else:
            for condition in self._contents.ranges(which):
                yield from self._of_range(condition, wanted)

    def _of_some(self, resources: Sequence[str], wanted: _Wanted) -> Iterator[tuple[str, Rows]]:
        if len(resources) == 1 and wanted.last_per_body:
            yield from self._of_one(resources[0], wanted)
            return
        for first in range(0, len(resources), _RESOURCES):
            ranges: list[Condition] = [{"_id": keys.under(key)} for key in resources[first : first + _RESOURCES]]
            yield from self._of_range(ranges[0] if len(ranges) == 1 else {"$or": ranges}, wanted)

    def _of_range(self, condition: Condition, wanted: _Wanted) -> Iterator[tuple[str, Rows]]:
        found = self._in_order({**condition, **wanted.bounds})
        for resource, documents in groupby(found, key=_resource):
            yield resource, wanted.of(map(_row, documents))

    def _of_one(self, resource: str, wanted: _Wanted) -> Iterator[tuple[str, Rows]]:
        """What decides the state of one resource, by a number of finds that does not grow with that of its events."""
        every: Condition = {"_id": keys.under(resource)}
        some = list(self._connection["events"].find(every, sort=[("_id", 1)], limit=_FEW + 1, batch_size=_FEW + 2))
        if len(some) <= _FEW:
            yield resource, wanted.of(row for row in map(_row, some) if wanted.within(row))
            return
        streams = [document["_id"] for document in self._connection["streams"].find(every, {"_id": 1})]
        kinds = {stream: keys.stream_of(stream)[1] for stream in streams}
        others = [stream for stream, kind in kinds.items() if not kind]
        if _RESTORE in kinds.values() or len(others) > _MANY_STREAMS:
            yield from self._of_range(every, wanted)
            return
        rows = []
        bounds: list[Condition] = [{"_id": keys.within(stream)} for stream, kind in kinds.items() if kind]
        if bounds:
            rows += [_row(document) for document in self._in_order({"$or": bounds, **wanted.bounds})]
        for stream in others:
            last = self._connection["events"].find_one(wanted.of_stream(stream), sort=[("_id", -1)])
            if last is not None:
                rows.append(_row(last))
        yield resource, rows

    def _in_order(self, condition: Condition) -> Iterator[Document]:
        """The events on which a condition holds, by their keys; gone on with once where the connection is lost."""
        last: str | None = None
        while True:
            rest = condition if last is None else {"$and": [condition, {"_id": {"$gt": last}}]}
            before = last
            found = self._connection["events"].find(rest, sort=[("_id", 1)], batch_size=_BATCH)
            try:
                with closing(found):
                    for document in found:
                        last = document["_id"]
                        yield document
                return
            except (AutoReconnect, CursorNotFound):
                if last == before:
                    raise

    def _events(self, some: Sequence[tuple[str, Rows]]) -> Iterator[Sequence[Event]]:
        """The events of some resources, in order."""
        bodies = self._bodies({row[2] for _, rows in some for row in rows})
        for key, rows in some:
            # the first three differ from row to row: nothing else is compared
            rows.sort()
            resource = keys.resource_of(key)
            try:
                events = [_event(resource, row, bodies) for row in rows]
            except (KeyError, TypeError, ValueError) as error:
                raise keys.Unreadable(
                    f"an event of {key!r} names a body that is not there, or is none: {error!r}"
                ) from error
            if len({row[:1] for row in rows}) < len(rows):
                events.sort(key=order)  # of the same time and phase: only the bodies can tell
            if events:
                yield events

    def _bodies(self, digests: Collection[str]) -> dict[str, Body]:
        bodies: dict[str, Body] = {}
        if digests:
            found = self._connection["bodies"].find({"_id": {"$in": list(digests)}}, batch_size=len(digests) + 1)
            bodies = {document["_id"]: Body.read(document["data"]) for document in found}
        for digest, body in bodies.items():
            if body.digest.hex() != digest:
                raise keys.Unreadable(f"the body {digest} has other bytes than its digest says")
        return bodies


class _Wanted:
    """Which of a resource's events are wanted."""

    def __init__(self, until: int | None, known_before: int | None, last_per_body: bool) -> None:
        self._until = until
        self._known_before = known_before
        self.last_per_body = last_per_body
        self._known: Condition = {}
        if known_before is not None:
            self._known = {"recorded_at": {"$lt": time(known_before)}}
        self.bounds: Condition = dict(self._known)
        """The condition on times."""
        if until is not None:
            self.bounds["occurred_at"] = {"$lte": time(until)}

    def within(self, row: Row) -> bool:
        """Whether a row is within the bounds of time."""
        at, _, _, document = row
        return (self._until is None or at <= self._until) and (
            self._known_before is None or document["recorded_at"] < self._known_before
        )

    def of_stream(self, stream: str) -> Condition:
        """The condition on the events of a stream."""
        key = keys.within(stream) if self._until is None else keys.until(stream, self._until)
        return {"_id": key, **self._known}

    def of(self, rows: Iterable[Row]) -> Rows:
        """Of a resource's rows, by their keys, those that are wanted: where it was restored all."""
        if not self.last_per_body:
            return list(rows)
        every, bounds, last = [], [], {}
        for row in rows:
            every.append(row)
            if row[1] in _BOUNDS:
                bounds.append(row)
            else:
                last[row[2]] = row  # those of a stream come by time and phase
        return every if any(row[1] == _RESTORE for row in bounds) else [*bounds, *last.values()]


def _resource(document: Document) -> str:
    key = document["_id"]
    if not isinstance(key, str):
        raise keys.Unreadable(f"{key!r} is no key of an event")
    return key[: -keys.EVENT_TAIL]


def _row(document: Document) -> Row:
    return (*keys.event_of(document["_id"]), document)


def _event(resource: Resource, row: Row, bodies: dict[str, Body]) -> Event:
    at, phase, digest, document = row
    return Event(
        resource,
        at,
        _PHASES[phase],
        bodies[digest],
        int(document["recorded_at"]),
        read_text(document["event_type"]),
        read_message_id(document.get("message_id")),
    )


def _together(each: Iterable[tuple[T, Rows]]) -> Iterator[list[tuple[T, Rows]]]:
    """The rows of some resources, whole, as soon as together they are so many."""
    some: list[tuple[T, Rows]] = []
    held = 0
    for one in each:
        some.append(one)
        held += len(one[1])
        if held >= _ROWS:
            yield some
            some, held = [], 0
    yield some

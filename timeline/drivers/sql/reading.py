"""Events read back: the statements, and the rows as events."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, FromClause, Select, and_, bindparam, case, exists, null, select, true

from timeline.drivers.codec import decode, encode, unpack_message_id
from timeline.drivers.sql.connections import Connections
from timeline.drivers.sql.database import Database
from timeline.drivers.sql.dbapi import Cursor
from timeline.drivers.sql.lookup import Lookup
from timeline.drivers.sql.schema import body, event, event_type, resource, stream
from timeline.drivers.sql.statement import Statement
from timeline.errors import StoreCorrupt
from timeline.model import Body, Event, Phase, Resource, Scope, order

T = TypeVar("T")
Row = tuple[Any, ...]
"""occurred_at, phase, id of the body, recorded_at, id of the event type, message id, data of the body, id of the
resource. The data is ``None`` where many rows have the same body: it is read once, apart."""
Rows = list[Row]
"""The rows of one resource."""

_ALWAYS, _NEVER = 2**63 - 1, -(2**63)
_ROWS, _ROWS_WITH_BODIES = 500, 125
"""Rows that are fetched at a time where there may be many, and whose bodies and names are looked up together. A fleet
takes a quarter longer with 2,000: they no longer lie in the cache of the processor."""
_RESOURCES = 256
"""Resources of which all rows are fetched with one statement."""

_PHASES = {int(phase): phase for phase in Phase}
_resource_id = itemgetter(7)
_SCOPE = (("type", resource.c.type), ("source", resource.c.source), ("id", resource.c.name))


class Reading:
    """The events of a store, read back."""

    def __init__(self, database: Database, connections: Connections) -> None:
        self._place = database.place
        self._database = database
        self._connections = connections
        self._statements: dict[tuple[object, ...], Statement] = {}
        self._find = database.finding([column for _, column in _SCOPE], resource.c.id)
        self._bodies = Lookup(database, body.c.id, body.c.data)
        self._names = Lookup(database, resource.c.id, resource.c.type, resource.c.source, resource.c.name)
        self._event_types = _EventTypes(database, connections)

    def events(
        self, which: Scope | Collection[Resource], until: int | None, known_before: int | None, last_per_body: bool
    ) -> Iterator[Sequence[Event]]:
        """As :meth:`timeline.drivers.contract.EventStore.events`, the events of each resource in one piece."""
        values = {"until": _ALWAYS if until is None else until, "known_before": known_before}
        if isinstance(which, Scope):
            if which.type is None or which.source is None or which.id is None:
                yield from self._of_scope(which, values, last_per_body)
                return
            which = [Resource(type=which.type, source=which.source, id=which.id)]
        resources = list(dict.fromkeys(which))
        if len(resources) == 1:
            with self._connections.reading() as cursor:
                rows = self._of_resource(cursor, resources[0], values, last_per_body)
            yield from self._events([(resources[0], rows)])
            return
        with self._connections.reading_at_once() as cursor:
            for first in range(0, len(resources), _RESOURCES):
                each = self._of_some(cursor, resources[first : first + _RESOURCES], values, last_per_body)
                for some in _together(each, _ROWS):
                    yield from self._events(some)

    def _of_resource(self, cursor: Cursor, one: Resource, values: dict[str, Any], last_per_body: bool) -> Rows:
        statement = self._statement(("type", "source", "id"), values, last_per_body)
        key = {"type": encode(one.type), "source": encode(one.source), "id": encode(one.id)}
        return list(statement.run(cursor, values | key).fetchall())

    def _of_some(
        self, cursor: Cursor, some: Sequence[Resource], values: dict[str, Any], last_per_body: bool
    ) -> Iterator[tuple[Resource, Rows]]:
        keys = {(encode(one.type), encode(one.source), encode(one.id)): one for one in some}
        found = {id: keys[key] for key, id in self._find.run(cursor, list(keys)).items()}
        if not found:
            return
        wanted, ids = self._database.one_of(stream.c.resource, list(found))
        shape = ("one of", len(ids), values["known_before"] is not None, last_per_body)
        if shape not in self._statements:
            query = _of_streams(stream, wanted, values["known_before"] is not None, last_per_body)
            self._statements[shape] = Statement(query, self._database.dialect)
        rows: dict[int, Rows] = {id: [] for id in found}
        for row in self._statements[shape].run(cursor, values | ids).fetchall():
            rows[row[7]].append(row)
        yield from ((found[id], of_one) for id, of_one in rows.items())

    def _of_scope(self, scope: Scope, values: dict[str, Any], last_per_body: bool) -> Iterator[Sequence[Event]]:
        given = {name: encode(text) for name, _ in _SCOPE if (text := getattr(scope, name)) is not None}
        statement = self._statement(tuple(given), values, last_per_body)
        number = _ROWS_WITH_BODIES if last_per_body else _ROWS
        with self._connections.streaming() as cursor:
            statement.run(cursor, values | given)
            rows = chain.from_iterable(iter(lambda: list(cursor.fetchmany(number)), []))
            each = ((id, list(of_one)) for id, of_one in groupby(rows, key=_resource_id))
            for some in _together(each, number):
                resources = self._resources([id for id, _ in some])
                yield from self._events([(resources[id], of_one) for id, of_one in some])

    def _events(self, some: Sequence[tuple[Resource, Rows]]) -> Iterator[Sequence[Event]]:
        """The events of some resources, in order."""
        bodies, types = self._bodies_of(some), self._event_types
        for one, rows in some:
            # the first three are numbers, and together they differ from row to row: nothing else is compared
            rows.sort()
            try:
                events = [
                    Event(one, at, _PHASES[phase], bodies[body], recorded, types[type], unpack_message_id(message))
                    for at, phase, body, recorded, type, message, _, _ in rows
                ]
            except KeyError as error:
                raise StoreCorrupt(
                    f"{self._place}: events of {one} refer to something that is not in the store ({error}); "
                    "restore it from a backup"
                ) from error
            if len({row[0] for row in rows}) < len(rows):
                events.sort(key=order)  # of the same time and phase: only the bodies can tell
            yield events

    def _bodies_of(self, some: Sequence[tuple[Resource, Rows]]) -> dict[int, Body]:
        read = {row[2]: row[6] for _, rows in some for row in rows}
        apart = [number for number, data in read.items() if data is None]
        if apart:
            with self._connections.reading() as cursor:  # in a transaction of its own: bodies never change
                read = dict(self._bodies.rows(cursor, apart))
        return {number: Body(data, sha256(data).digest()) for number, data in read.items()}

    def _resources(self, ids: Sequence[int]) -> dict[int, Resource]:
        with self._connections.reading() as cursor:  # nor do names
            return {
                id: Resource(type=decode(kind), source=decode(source), id=decode(name))
                for id, kind, source, name in self._names.rows(cursor, ids)
            }

    def _statement(self, given: tuple[str, ...], values: dict[str, Any], last_per_body: bool) -> Statement:
        known = values["known_before"] is not None
        shape = (given, known, last_per_body)
        if shape not in self._statements:
            self._statements[shape] = Statement(_of_scope(given, known, last_per_body), self._database.dialect)
        return self._statements[shape]


def _of_scope(given: Sequence[str], known: bool, last_per_body: bool) -> Select[Any]:
    """Rows in the order of resources where there are several.

    A database takes joins in the order that it likes; one that it cannot turn round (``+ 0``) it takes in ours. That is
    the order of the answer, so nothing is sorted, and the first row comes at once.
    """
    wanted = [column == bindparam(name) for name, column in _SCOPE if name in given]
    streams = resource.join(stream, stream.c.resource == resource.c.id + 0)
    chosen = _of_streams(streams, and_(true(), *wanted), known, last_per_body)
    return chosen.order_by(resource.c.type, resource.c.source, resource.c.name) if len(given) < len(_SCOPE) else chosen


def _of_streams(streams: FromClause, wanted: ColumnElement[bool], known: bool, last_per_body: bool) -> Select[Any]:
    of_interest = [wanted, event.c.occurred_at <= bindparam("until")]
    if known:
        of_interest.append(event.c.recorded_at < bindparam("known_before"))
    columns: list[Any] = [event.c.occurred_at, event.c.phase, stream.c.body]
    columns += [event.c.recorded_at, event.c.event_type, event.c.message_id]
    if last_per_body:
        streams = streams.join(body, body.c.id == stream.c.body)
        columns.append(body.c.data)
        of_interest.append(event.c.occurred_at >= _since(known))
    else:
        columns.append(null())  # many rows have the same body: it is read once, apart
    columns.append(stream.c.resource)
    chosen = select(*columns).select_from(streams.join(event, event.c.stream == stream.c.id + 0))
    return chosen.where(*of_interest)


def _since(known: bool) -> ColumnElement[int]:
    """Where to begin in a stream: at its last row, but at its first where it bounds a life, and after a restore."""
    last = event.alias("last")
    wanted = [last.c.stream == stream.c.id, last.c.occurred_at <= bindparam("until")]
    if known:
        wanted.append(last.c.recorded_at < bindparam("known_before"))
    newest = select(last.c.occurred_at).where(*wanted).order_by(last.c.occurred_at.desc()).limit(1)
    restores = stream.alias("restores")
    restored = exists().where(restores.c.resource == stream.c.resource, restores.c.kind == int(Phase.RESTORE))
    return case((and_(stream.c.kind == 0, ~restored), newest.scalar_subquery()), else_=_NEVER)


def _together(each: Iterable[tuple[T, Rows]], number: int) -> Iterator[list[tuple[T, Rows]]]:
    """The rows of some resources, whole, as soon as together they are so many."""
    some: list[tuple[T, Rows]] = []
    held = 0
    for one in each:
        some.append(one)
        held += len(one[1])
        if held >= number:
            yield some
            some, held = [], 0
    yield some


class _EventTypes(dict[int, str]):
    """The names of the event types by their ids, read when one is met that is not known yet."""

    def __init__(self, database: Database, connections: Connections) -> None:
        super().__init__()
        self._select = Statement(select(event_type.c.id, event_type.c.name), database.dialect)
        self._connections = connections

    def __missing__(self, number: int) -> str:
        with self._connections.reading() as cursor:
            self.update((id, decode(name)) for id, name in self._select.run(cursor).fetchall())
        return dict(self)[number]

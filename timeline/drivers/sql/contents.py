"""What a store holds: its resources, and the counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.sql import ClauseElement

from timeline.drivers.codec import decode, encode
from timeline.drivers.contract import Summary
from timeline.drivers.sql.connections import Connections
from timeline.drivers.sql.database import Database
from timeline.drivers.sql.dbapi import Cursor
from timeline.drivers.sql.schema import REVISION, body, event, quarantine, resource, stream
from timeline.drivers.sql.statement import Statement
from timeline.model import Resource, Scope, limits


class Contents:
    """The resources of a store, and its counts."""

    def __init__(self, database: Database, connections: Connections) -> None:
        self._database = database
        self._dialect = database.dialect
        self._connections = connections

    def resources(self, scope: Scope, after: Resource | None, limit: int) -> Sequence[Resource]:
        """As :meth:`timeline.drivers.contract.EventStore.resources`."""
        columns = (resource.c.type, resource.c.source, resource.c.name)
        page = select(*columns).order_by(*columns).limit(limit)
        for column, wanted in zip(columns, (scope.type, scope.source, scope.id), strict=True):
            if wanted is not None:
                page = page.where(column == encode(wanted))
        if after is not None:
            last = [encode(after.type), encode(after.source), encode(after.id)]
            page = page.where(self._database.beyond(columns, last))
        return [
            Resource(type=decode(kind), source=decode(source), id=decode(name))
            for kind, source, name in self._rows(page)
        ]

    def summary(self) -> Summary:
        """As :meth:`timeline.drivers.contract.EventStore.summary`."""
        bodies = func.count(stream.c.body.distinct())
        many = (
            select(resource.c.type, resource.c.source, resource.c.name, bodies)
            .join(resource, resource.c.id == stream.c.resource)
            .group_by(resource.c.id, resource.c.type, resource.c.source, resource.c.name)
            .having(bodies > limits.MANY_BODIES)
            .order_by(bodies.desc(), resource.c.type, resource.c.source, resource.c.name)
        )
        open_records = select(quarantine.c.reason, func.count()).where(quarantine.c.outcome.is_(None))
        with self._connections.reading_at_once() as cursor:
            ((events, first, last, newest),) = self._run(
                cursor,
                select(
                    func.count(),
                    func.min(event.c.occurred_at),
                    func.max(event.c.occurred_at),
                    func.max(event.c.recorded_at),
                ).select_from(event),
            )
            ((resources,),) = self._run(cursor, select(func.count()).select_from(resource))
            ((bodies_stored,),) = self._run(cursor, select(func.count()).select_from(body))
            return Summary(
                revision=REVISION,
                resources=resources,
                events=events,
                bodies=bodies_stored,
                first_event=first,
                last_event=last,
                newest_record=newest,
                quarantined={
                    decode(reason): number
                    for reason, number in self._run(
                        cursor, open_records.group_by(quarantine.c.reason).order_by(quarantine.c.reason)
                    )
                },
                many_bodies=[
                    (Resource(type=decode(kind), source=decode(source), id=decode(name)), number)
                    for kind, source, name, number in self._run(cursor, many)
                ],
            )

    def _run(self, cursor: Cursor, query: ClauseElement) -> Sequence[Any]:
        return Statement(query, self._dialect).run(cursor).fetchall()

    def _rows(self, query: ClauseElement) -> Sequence[Any]:
        with self._connections.reading() as cursor:
            return self._run(cursor, query)

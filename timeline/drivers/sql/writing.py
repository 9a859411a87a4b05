"""Events stored: one transaction for each call, without a read for what was met before."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import insert

from timeline.drivers.contract import Appended
from timeline.drivers.sql.changes import Log
from timeline.drivers.sql.codec import encode, pack_message_id
from timeline.drivers.sql.connections import Connections
from timeline.drivers.sql.database import Database
from timeline.drivers.sql.dbapi import Cursor
from timeline.drivers.sql.ids import Ids
from timeline.drivers.sql.schema import body, body_digest, event, event_type, resource, stream
from timeline.drivers.sql.statement import Statement
from timeline.model import LIFE_BOUNDS, Event, Phase, Resource

Stream = tuple[int, int, bytes]
"""Id of the resource, kind, digest of the body."""

_KINDS = {phase: int(phase) if phase in LIFE_BOUNDS else 0 for phase in Phase}

_by_stream = itemgetter(0)


class Writing:
    """Appends events to a store."""

    def __init__(self, database: Database, connections: Connections) -> None:
        self._connections = connections
        self._resources: Ids[Resource] = Ids(database, resource, id="id", given_out=resource.c.id, remember=20_000)
        self._event_types: Ids[str] = Ids(database, event_type, id="id", given_out=event_type.c.id, remember=2_000)
        self._bodies: Ids[bytes] = Ids(database, body_digest, id="body", given_out=body.c.id, remember=0)
        self._streams: Ids[Stream] = Ids(database, stream, id="id", given_out=event.c.stream, remember=50_000)
        self._insert_body = Statement(insert(body), database.dialect)
        self._insert_event = Statement(database.insert_new(event), database.dialect)
        self._log = Log(database)

    def append(self, batch: Sequence[Event]) -> Appended:
        """As :meth:`timeline.drivers.contract.EventStore.append`."""
        if not batch:
            return Appended(events=0, bodies=0, duplicates=0)
        named = [event.resource for event in batch]
        typed = [event.event_type for event in batch]
        with self._connections.writing() as cursor:
            resources = self._resources.of(cursor, named, _resource_row)
            event_types = self._event_types.of(cursor, typed, _event_type_row)
            said = [
                (resource, _KINDS[event.phase], event.body.digest)
                for resource, event in zip(resources, batch, strict=True)
            ]
            streams, bodies = self._streams_of(cursor, said, batch)
            rows = [
                (
                    stream,
                    event.occurred_at,
                    int(event.phase),
                    event.recorded_at,
                    event_type,
                    pack_message_id(event.message_id),
                )
                for stream, event_type, event in zip(streams, event_types, batch, strict=True)
            ]
            rows.sort(key=_by_stream)  # as they lie on the pages; of equal keys the first given stays the first
            cursor.executemany(self._insert_event.text, rows)
            events = cursor.rowcount
            if events:
                self._log.note(cursor, resources)  # also those of duplicates: telling them apart would need a read
        self._resources.remember(named, resources)
        self._event_types.remember(typed, event_types)
        self._streams.remember(said, streams)
        return Appended(events=events, bodies=bodies, duplicates=len(batch) - events)

    def _streams_of(self, cursor: Cursor, said: Sequence[Stream], batch: Sequence[Event]) -> tuple[list[int], int]:
        """The id of the stream of each event, and how many bodies are new; both are stored."""
        ids, unknown = self._streams.known(said)
        if not unknown:
            return ids, 0
        data = {event.body.digest: event.body.data for id, event in zip(ids, batch, strict=True) if not id}
        bodies, new = self._bodies.learn(cursor, {digest: {"digest": digest} for digest in data})
        self._insert_body.run_for_each(cursor, [{"id": bodies[digest], "data": data[digest]} for digest in new])
        rows = {
            (resource, kind, digest): {"resource": resource, "kind": kind, "body": bodies[digest]}
            for resource, kind, digest in unknown
        }
        fresh = set(new)
        learnt, _ = self._streams.learn(cursor, rows, surely_new={stream for stream in rows if stream[2] in fresh})
        return [id or learnt[stream] for stream, id in zip(said, ids, strict=True)], len(new)


def _resource_row(key: Resource) -> dict[str, Any]:
    return {"type": encode(key.type), "source": encode(key.source), "name": encode(key.id)}


def _event_type_row(name: str) -> dict[str, Any]:
    return {"name": encode(name)}
